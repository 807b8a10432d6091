//! One attempt to bring one recording to the coordinator.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use shared::hash::Hasher;
use shared::wire::StreamHeader;
use shared::wire::segment::{UploadAnswer, UploadOffer, UploadResult};
use tokio::sync::mpsc;

use crate::buffer::{Buffer, ReadError, SegmentBytes};
use crate::uplink::connection::{Opener, Receiver, Sender, StreamError};
use crate::uplink::planner::uploads::{Attempt, Candidate};

/// Among themselves recordings take turns by the planner's pieces; an urgent one overtakes what the
/// others have handed to the connection already.
const PRIORITY_URGENT: i32 = 60;
const PRIORITY: i32 = 20;

/// Bytes that may be sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece {
    pub(super) start: u64,
    pub(super) end: u64,
    pub(super) last: bool,
}

/// What the driver is told.
#[derive(Debug)]
pub(super) enum Happening {
    Answered(UploadAnswer),
    /// A piece is in the connection's hands, up to this byte of the file.
    Sent {
        end: u64,
    },
    Finished(UploadResult),
    /// After `corrupt`: the damage of our own file, if it has any.
    Checked(Option<String>),
    Unreadable(String),
    /// The last that is told of an attempt, with what went wrong.
    Ended(Option<String>),
}

/// Bytes handed to the connection at once. Finer than a piece, so that what a cut makes us send
/// again is known well.
const SLICE_BYTES: usize = 64 * 1024;

/// Up to which byte of the file the connection has been given everything; readable also when the
/// attempt has ended with its connection.
#[derive(Clone, Debug, Default)]
pub(super) struct Handed(Arc<AtomicU64>);

impl Handed {
    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    fn begin(&self, from: u64) {
        self.0.store(from, Ordering::Relaxed);
    }

    fn add(&self, bytes: u64) {
        self.0.fetch_add(bytes, Ordering::Relaxed);
    }
}

/// The way to the driver.
pub(super) struct Teller {
    attempt: Attempt,
    driver: mpsc::Sender<(Attempt, Happening)>,
}

impl Teller {
    pub(super) const fn new(attempt: Attempt, driver: mpsc::Sender<(Attempt, Happening)>) -> Self {
        Self { attempt, driver }
    }

    async fn tell(&self, happening: Happening) {
        // A driver that is gone has ended all attempts.
        let _ = self.driver.send((self.attempt, happening)).await;
    }
}

/// Runs until the recording is settled or something breaks; tells the driver everything.
pub(super) async fn run(
    opener: Opener,
    candidate: Candidate,
    buffer: Buffer,
    granted: mpsc::Receiver<Piece>,
    handed: Handed,
    teller: Teller,
) {
    let problem = match dialogue(&opener, &candidate, &buffer, granted, handed, &teller).await {
        Ok(()) => None,
        Err(Problem::Stream(error)) => Some(error.to_string()),
        Err(Problem::File(detail)) => {
            teller.tell(Happening::Unreadable(detail)).await;
            None
        }
        Err(Problem::Abandoned) => None,
    };
    teller.tell(Happening::Ended(problem)).await;
}

enum Problem {
    Stream(StreamError),
    File(String),
    /// The driver is gone.
    Abandoned,
}

impl From<StreamError> for Problem {
    fn from(error: StreamError) -> Self {
        Self::Stream(error)
    }
}

impl From<ReadError> for Problem {
    fn from(error: ReadError) -> Self {
        Self::File(error.to_string())
    }
}

async fn dialogue(
    opener: &Opener,
    candidate: &Candidate,
    buffer: &Buffer,
    granted: mpsc::Receiver<Piece>,
    handed: Handed,
    teller: &Teller,
) -> Result<(), Problem> {
    let (mut sender, mut receiver) = opener.open().await.map_err(StreamError::from)?;
    sender.set_priority(if candidate.urgent {
        PRIORITY_URGENT
    } else {
        PRIORITY
    });
    let offer = UploadOffer {
        segment: candidate.segment,
        size: candidate.size,
        root: candidate.root,
    };
    sender.message(&StreamHeader::Upload(offer)).await?;
    let answer: UploadAnswer = receiver.message().await?.ok_or(StreamError::Truncated)?;
    let from = match answer {
        UploadAnswer::Want { from } if from <= candidate.size => from,
        _ => {
            sender.finish();
            teller.tell(Happening::Answered(answer)).await;
            return Ok(());
        }
    };
    let bytes = buffer
        .read_range(candidate.segment, from, candidate.size)
        .await?;
    handed.begin(from);
    let source = Source {
        bytes,
        ahead: Bytes::new(),
        handed,
    };
    teller.tell(Happening::Answered(answer)).await;
    let result = send(&mut sender, &mut receiver, source, granted, teller).await?;
    let corrupt = matches!(result, UploadResult::Corrupt { .. });
    teller.tell(Happening::Finished(result)).await;
    if corrupt {
        let damage = check(candidate, buffer).await?;
        teller.tell(Happening::Checked(damage)).await;
    }
    Ok(())
}

/// Sends piece after piece, and reads the result, which may come before the last one when the
/// coordinator has seen enough.
async fn send(
    sender: &mut Sender,
    receiver: &mut Receiver,
    mut source: Source,
    mut granted: mpsc::Receiver<Piece>,
    teller: &Teller,
) -> Result<UploadResult, Problem> {
    let sending = async {
        loop {
            let piece = granted.recv().await.ok_or(Problem::Abandoned)?;
            source.send(sender, piece.end - piece.start).await?;
            teller.tell(Happening::Sent { end: piece.end }).await;
            if piece.last {
                sender.finish();
                return Ok::<(), Problem>(());
            }
        }
    };
    let result = async {
        let result: Option<UploadResult> = receiver.message().await?;
        Ok::<_, Problem>(result.ok_or(StreamError::Truncated)?)
    };
    let (mut sending, mut result) = (std::pin::pin!(sending), std::pin::pin!(result));
    tokio::select! {
        sent = &mut sending => sent?,
        result = &mut result => return result,
    }
    result.await
}

/// A file that is read in large pieces and sent in smaller ones, without copying.
struct Source {
    bytes: SegmentBytes,
    ahead: Bytes,
    handed: Handed,
}

impl Source {
    async fn send(&mut self, sender: &mut Sender, mut length: u64) -> Result<(), Problem> {
        while length > 0 {
            if self.ahead.is_empty() {
                let read = self.bytes.next().await;
                let read = read.map_err(|error| Problem::File(error.to_string()))?;
                self.ahead = read.ok_or_else(|| Problem::File("it became shorter".to_owned()))?;
            }
            let slice = self.ahead.len().min(SLICE_BYTES);
            let slice = usize::try_from(length).map_or(slice, |length| length.min(slice));
            sender.encoded(self.ahead.split_to(slice)).await?;
            let slice = u64::try_from(slice).unwrap_or(length);
            self.handed.add(slice);
            length -= slice;
        }
        Ok(())
    }
}

/// Compares our file with its index; the first difference, or `None` when it is as it should be.
async fn check(candidate: &Candidate, buffer: &Buffer) -> Result<Option<String>, Problem> {
    let meta = buffer
        .segment(candidate.segment)
        .await
        .map_err(|error| Problem::File(error.to_string()))?;
    let Some(meta) = meta else {
        return Ok(Some("it is not in the index any more".to_owned()));
    };
    for (number, fragment) in meta.fragments.iter().enumerate() {
        let mut bytes = buffer
            .read_range(candidate.segment, fragment.offset, fragment.end_offset())
            .await?;
        let mut hasher = Hasher::new();
        loop {
            match bytes.next().await {
                Ok(Some(piece)) => hasher.update(&piece),
                Ok(None) => break,
                Err(error) => return Ok(Some(format!("fragment {number}: {error}"))),
            }
        }
        if hasher.finish() != fragment.sha256 {
            return Ok(Some(format!("fragment {number} has another hash")));
        }
    }
    Ok(None)
}
