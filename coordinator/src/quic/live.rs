//! One pull: pictures of a stream as they come from an agent, GOP after GOP.

use std::collections::{BTreeMap, HashMap};
use std::future::pending;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::stream::{BoxStream, Stream, StreamExt as _, unfold};
use quinn::{ReadError, RecvStream, SendStream};
use shared::codec::ParameterError;
use shared::id::CameraId;
use shared::segment::StreamKind;
use shared::time::Ticks90k;
use shared::wire::live::{FrameError, FrameHead, FrameKind, GopHeader, LiveFact, LiveRequest};
use shared::wire::{CloseCode, StreamHeader};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};

use super::agent_session::Session;
use super::message::{self, MessageError};
use super::{brief, code};
use crate::services::edge_source::{EdgeError, EdgePicture, EdgePictures};
use crate::services::live_hub::{Down, Event, Outage, Picture, Run, Sound};

/// How long a pull may wait for a stream.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long the rest of a GOP is waited for when the next has begun.
const LATE: Duration = Duration::from_millis(500);
/// GOPs of a pull that may wait to be taken up.
const GOPS: usize = 8;
/// Taken from QUIC at once.
const PIECE: usize = 64 << 10;

/// Which pulls are open on a connection, and where their GOPs go.
#[derive(Debug, Default)]
pub(super) struct Pulls {
    open: Mutex<HashMap<u64, mpsc::Sender<Gop>>>,
    last: AtomicU64,
}

impl Pulls {
    /// A GOP has begun. One that nobody wants is declined.
    pub(super) fn gop(&self, header: &GopHeader, mut receive: RecvStream) {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let found = open.get(&header.pull).cloned();
        drop(open);
        let gop = header.parameters().map(|parameters| Run {
            id: header.run,
            parameters,
        });
        match (found, gop) {
            (Some(gops), Ok(run)) => {
                // Dropped when full, which stops the stream.
                let _ = gops.try_send(Gop::new(header.gop, Arc::new(run), receive));
            }
            (_, Err(error)) => {
                unreadable(header.pull, &GopError::Parameters(error));
                let _ = receive.stop(code(CloseCode::ProtocolError));
            }
            (None, Ok(_)) => {
                let _ = receive.stop(code(CloseCode::Done));
            }
        }
    }

    fn open(self: &Arc<Self>) -> (Registration, mpsc::Receiver<Gop>) {
        let (sender, gops) = mpsc::channel(GOPS);
        let id = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.insert(id, sender);
        let pulls = Arc::clone(self);
        (Registration { id, pulls }, gops)
    }
}

/// An open pull; forgotten when dropped.
struct Registration {
    id: u64,
    pulls: Arc<Pulls>,
}

impl Drop for Registration {
    fn drop(&mut self) {
        let open = self.pulls.open.lock();
        open.unwrap_or_else(PoisonError::into_inner)
            .remove(&self.id);
    }
}

/// # Errors
/// The agent cannot be asked.
pub(super) async fn pull(
    session: &Session,
    camera: CameraId,
    stream: StreamKind,
) -> Result<EdgePictures, EdgeError> {
    let opened = timeout(PATIENCE, session.connection.open_bi()).await;
    let (mut send, receive) = opened
        .map_err(|_| EdgeError::Overloaded)?
        .map_err(|_| EdgeError::Offline)?;
    let (registration, gops) = session.pulls.open();
    let request = StreamHeader::Live(LiveRequest {
        pull: registration.id,
        camera,
        stream,
    });
    message::write(&mut send, &request)
        .await
        .map_err(|_| EdgeError::Offline)?;
    let pull = Pull {
        registration,
        _send: send,
        facts: facts(receive).boxed(),
        gops,
        waiting: BTreeMap::new(),
        current: None,
        newest: None,
        run: None,
        deadline: None,
    };
    let pictures = unfold(pull, |mut pull| async {
        let next = pull.next().await?;
        Some((next, pull))
    });
    Ok(pictures.boxed())
}

/// What the agent says beside pictures.
fn facts(receive: RecvStream) -> impl Stream<Item = Result<LiveFact, MessageError>> {
    unfold(Some(receive), |receive| async {
        let mut receive = receive?;
        match message::read(&mut receive).await {
            Ok(Some(fact)) => Some((Ok(fact), Some(receive))),
            Ok(None) => None,
            Err(error) => Some((Err(error), None)),
        }
    })
}

struct Pull {
    registration: Registration,
    /// As long as it is open the agent sends.
    _send: SendStream,
    facts: BoxStream<'static, Result<LiveFact, MessageError>>,
    gops: mpsc::Receiver<Gop>,
    /// Newer than the current one, by number.
    waiting: BTreeMap<u64, Gop>,
    current: Option<Gop>,
    /// Number of the newest GOP that was taken up.
    newest: Option<u64>,
    run: Option<Arc<Run>>,
    /// Of the current GOP, once another waits.
    deadline: Option<Instant>,
}

impl Pull {
    /// `None` when the pull has ended.
    async fn next(&mut self) -> Option<EdgePicture> {
        loop {
            self.take_up();
            tokio::select! {
                fact = self.facts.next() => match fact? {
                    Ok(fact) => if let Some(news) = told(fact) {
                        return Some(news);
                    },
                    Err(error) if is_unknown(&error) => return Some(EdgePicture::Unsupported),
                    Err(error) => {
                        tracing::debug!(%error, "a pull of live pictures broke off");
                        return None;
                    }
                },
                Some(gop) = self.gops.recv() => self.arrived(gop),
                frame = next_frame(self.current.as_mut()) => match frame {
                    Ok(Some(event)) => return Some(EdgePicture::Event(event)),
                    Ok(None) => self.current = None,
                    Err(error) => {
                        if error.is_foul() {
                            unreadable(self.registration.id, &error);
                        }
                        self.current = None;
                    }
                },
                () = until(self.deadline) => self.current = None,
            }
        }
    }

    fn arrived(&mut self, gop: Gop) {
        if self.newest.is_some_and(|newest| gop.number <= newest) {
            return;
        }
        self.waiting.insert(gop.number, gop);
        while self.waiting.len() > GOPS {
            self.waiting.pop_first();
        }
    }

    /// The next GOP in turn, when the one before has ended.
    fn take_up(&mut self) {
        if self.current.is_none()
            && let Some((number, mut gop)) = self.waiting.pop_first()
        {
            self.newest = Some(number);
            self.deadline = None;
            match &self.run {
                Some(run) if **run == *gop.run => gop.run = Arc::clone(run),
                _ => self.run = Some(Arc::clone(&gop.run)),
            }
            self.current = Some(gop);
        }
        if self.current.is_some() && !self.waiting.is_empty() && self.deadline.is_none() {
            self.deadline = Some(Instant::now() + LATE);
        }
    }
}

/// Whether the agent does not know what a pull is.
fn is_unknown(error: &MessageError) -> bool {
    let MessageError::Read(ReadError::Reset(reset)) = error else {
        return false;
    };
    CloseCode::from_u64(reset.into_inner()) == Some(CloseCode::UnknownKind)
}

fn told(fact: LiveFact) -> Option<EdgePicture> {
    match fact {
        LiveFact::Alive => Some(EdgePicture::Alive),
        LiveFact::Down { reason, since } => Some(EdgePicture::Event(Event::Down(Down {
            because: Outage::Camera(reason),
            since,
        }))),
        LiveFact::NotFound { message } => Some(EdgePicture::NotFound {
            message: brief(&message),
        }),
        LiveFact::Unknown => None,
    }
}

/// Never while there is no GOP.
async fn next_frame(gop: Option<&mut Gop>) -> Result<Option<Event>, GopError> {
    match gop {
        Some(gop) => gop.next().await,
        None => pending().await,
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => pending().await,
    }
}

fn unreadable(pull: u64, error: &GopError) {
    tracing::warn!(pull, %error, "a GOP from an agent cannot be used");
}

/// Why a GOP ended early.
#[derive(Debug, thiserror::Error)]
enum GopError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Parameters(ParameterError),
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error("it ended inside a frame")]
    Truncated,
    #[error("it does not begin with a picture at which decoding can start")]
    Start,
}

impl GopError {
    /// Whether the agent did what it must not.
    const fn is_foul(&self) -> bool {
        !matches!(self, Self::Read(_))
    }
}

/// A GOP on its way.
#[derive(Debug)]
struct Gop {
    number: u64,
    run: Arc<Run>,
    receive: RecvStream,
    begun: bool,
    head: [u8; FrameHead::BYTES],
    /// How much of the head has come.
    filled: usize,
    /// The head, once it is whole.
    frame: Option<FrameHead>,
    payload: BytesMut,
}

impl Gop {
    fn new(number: u64, run: Arc<Run>, receive: RecvStream) -> Self {
        Self {
            number,
            run,
            receive,
            begun: false,
            head: [0; FrameHead::BYTES],
            filled: 0,
            frame: None,
            payload: BytesMut::new(),
        }
    }

    /// The next frame; `None` at the end. What has come stays when this is dropped before it is
    /// ready.
    async fn next(&mut self) -> Result<Option<Event>, GopError> {
        loop {
            match self.frame {
                None => {
                    let Some(count) = self.receive.read(&mut self.head[self.filled..]).await?
                    else {
                        return if self.filled == 0 {
                            Ok(None)
                        } else {
                            Err(GopError::Truncated)
                        };
                    };
                    self.filled += count;
                    if self.filled == self.head.len() {
                        self.filled = 0;
                        self.frame = Some(FrameHead::decode(&self.head)?);
                    }
                }
                Some(head) if self.left(head) > 0 => {
                    let most = self.left(head).min(PIECE);
                    let piece = self.receive.read_chunk(most, true).await?;
                    let piece = piece.ok_or(GopError::Truncated)?;
                    self.payload.extend_from_slice(&piece.bytes);
                }
                Some(head) => {
                    self.frame = None;
                    let payload = self.payload.split().freeze();
                    return self.event(head, payload).map(Some);
                }
            }
        }
    }

    /// Bytes of the frame that have not come.
    fn left(&self, head: FrameHead) -> usize {
        let length = usize::try_from(head.length).unwrap_or(usize::MAX);
        length.saturating_sub(self.payload.len())
    }

    fn event(&mut self, head: FrameHead, payload: Bytes) -> Result<Event, GopError> {
        let run = Arc::clone(&self.run);
        if !self.begun && head.kind != FrameKind::Sync {
            return Err(GopError::Start);
        }
        self.begun = true;
        Ok(match head.kind {
            FrameKind::Audio => Event::Sound(Arc::new(Sound {
                run,
                start: head.dts,
                duration: u32::try_from(head.pts.saturating_sub(head.dts)).unwrap_or(0),
                payload,
            })),
            FrameKind::Delta | FrameKind::Sync => Event::Picture(Arc::new(Picture {
                run,
                pts: Ticks90k::new(head.pts),
                dts: Ticks90k::new(head.dts),
                wall: head.wall,
                sync: head.kind == FrameKind::Sync,
                payload,
                packets: OnceLock::new(),
            })),
        })
    }
}
