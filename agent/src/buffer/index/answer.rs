//! What callers of the index get: an answer to wait for, poll or block on, and what can go wrong.

use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;

use rusqlite::ErrorCode;
use tokio::sync::oneshot;

use super::{QUEUE, SCHEMA_VERSION};

/// Why the index could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    #[error("cannot open the index {}: {source}", path.display())]
    Open {
        path: PathBuf,
        source: rusqlite::Error,
    },
    #[error(
        "the index {} was made by a newer version of the agent (schema {found}, this one knows {SCHEMA_VERSION}); install that version again",
        path.display()
    )]
    Newer { path: PathBuf, found: u32 },
    #[error(
        "the index is damaged ({doing}: {source}); it is made again from the files at the next start"
    )]
    Damaged {
        doing: &'static str,
        source: rusqlite::Error,
    },
    #[error("the index {} does not hold together", path.display())]
    Distrusted { path: PathBuf },
    #[error("the index failed while {doing}: {source}")]
    Sql {
        doing: &'static str,
        source: rusqlite::Error,
    },
    #[error("the index could not make its changes durable: {message}")]
    Commit { message: String },
    #[error("the index does not keep up: {QUEUE} requests are waiting")]
    Busy,
    #[error("the index has been closed")]
    Closed,
}

impl IndexError {
    pub(in crate::buffer) fn new(doing: &'static str, source: rusqlite::Error) -> Self {
        if is_damage(&source) {
            Self::Damaged { doing, source }
        } else {
            Self::Sql { doing, source }
        }
    }

    /// Whether only making the index anew can help.
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Damaged { .. } | Self::Distrusted { .. } => true,
            Self::Open { source, .. } => is_damage(source),
            _ => false,
        }
    }
}

/// Whether the file is not, or no longer, a database.
pub(super) fn is_damage(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
    )
}

/// An answer that comes when the work is done and, for a write, durable.
#[derive(Debug)]
pub(crate) struct Pending<T>(pub(super) oneshot::Receiver<Result<T, IndexError>>);

impl<T> Pending<T> {
    /// An answer that is there already.
    pub(crate) fn ready(answer: Result<T, IndexError>) -> Self {
        let (reply, pending) = oneshot::channel();
        // The receiver is right here.
        let _ = reply.send(answer);
        Self(pending)
    }

    pub(crate) async fn wait(self) -> Result<T, IndexError> {
        self.0.await.unwrap_or(Err(IndexError::Closed))
    }

    /// Blocks the thread; unlike tokio's own way of doing so also inside a runtime, where opening
    /// the buffer is worth its milliseconds.
    pub(crate) fn block(mut self) -> Result<T, IndexError> {
        let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
        let mut context = Context::from_waker(&waker);
        loop {
            match Pin::new(&mut self.0).poll(&mut context) {
                Poll::Ready(answer) => return answer.unwrap_or(Err(IndexError::Closed)),
                Poll::Pending => std::thread::park(),
            }
        }
    }

    /// `None` while the work is still going on.
    pub(crate) fn poll(&mut self) -> Option<Result<T, IndexError>> {
        match self.0.try_recv() {
            Ok(answer) => Some(answer),
            Err(oneshot::error::TryRecvError::Empty) => None,
            Err(oneshot::error::TryRecvError::Closed) => Some(Err(IndexError::Closed)),
        }
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}
