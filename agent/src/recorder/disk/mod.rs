//! The thread of one storage directory: takes jobs from the recorders of all streams, writes, and
//! once in an interval has everything synced by a second thread.
//!
//! Memory is bounded: a stream may queue [`DiskConfig::stream_bytes`], all streams together
//! [`DiskConfig::total_bytes`]; a fragment beyond that is refused to its recorder, which then
//! skips to the next sync sample and says so in the ledger.

mod endings;
mod lane;
mod ledger_writes;
mod sync;
mod thread;

use std::io;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use shared::clock::Clock;
use shared::id::CameraId;
use shared::segment::StreamKind;
use shared::timeline::Reason;
use tokio::sync::{oneshot, watch};

use super::RecorderStatus;
use super::job::{Fragment, Job};
use super::storage::{Directory, Storage};
use crate::buffer::gaps::Ledger;
use crate::buffer::{Buffer, Predecessor, StreamHistory};
use lane::LaneState;
use sync::Round;
use thread::{Message, Thread};

/// Facts (not media) that may wait for the disk; what is dropped beyond is explained by the fact
/// before it.
const FACTS: usize = 4_096;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskConfig {
    /// One sync for all streams after this long; with the longest fragment, what a power cut can
    /// cost.
    pub sync_interval: Duration,
    /// Of media, that one stream may have waiting.
    pub stream_bytes: u64,
    /// Of media, that all streams together may have waiting.
    pub total_bytes: u64,
    /// Fragments wait so long for a disk that fails; then they are given up, and the ledger says why.
    pub patience: Duration,
}

impl Default for DiskConfig {
    fn default() -> Self {
        Self {
            sync_interval: Duration::from_millis(400),
            stream_bytes: 16 << 20,
            total_bytes: 256 << 20,
            patience: Duration::from_secs(15),
        }
    }
}

/// What the recorder and the disk thread both see of a stream.
#[derive(Debug, Default)]
pub(super) struct LaneShared {
    queued_bytes: AtomicU64,
    disk_queued_bytes: Arc<AtomicU64>,
    queued_facts: AtomicUsize,
    fault: Mutex<Option<Reason>>,
}

impl LaneShared {
    fn set_fault(&self, fault: Option<Reason>) {
        *self.fault.lock().unwrap_or_else(PoisonError::into_inner) = fault;
    }

    fn fault(&self) -> Option<Reason> {
        *self.fault.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Handle to the disk thread of one storage directory; clones share it.
#[derive(Clone, Debug)]
pub struct Disk {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    config: DiskConfig,
    buffer: Buffer,
    clock: Arc<dyn Clock>,
    sender: Sender<Message>,
    queued_bytes: Arc<AtomicU64>,
    next_lane: AtomicU64,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Disk {
    /// Starts the threads for the buffer's storage directory.
    ///
    /// # Errors
    /// The directory cannot be opened or there are no more threads.
    pub fn start(buffer: &Buffer, config: DiskConfig, clock: Arc<dyn Clock>) -> io::Result<Self> {
        let storage = Arc::new(Directory::open(buffer.segments_directory())?);
        Self::start_on(storage, buffer, config, clock)
    }

    /// As [`Disk::start`], on a storage of the caller's.
    ///
    /// # Errors
    /// There are no more threads.
    pub fn start_on(
        storage: Arc<dyn Storage>,
        buffer: &Buffer,
        config: DiskConfig,
        clock: Arc<dyn Clock>,
    ) -> io::Result<Self> {
        let (sender, messages) = channel();
        let (rounds, round_queue) = channel::<Round>();
        {
            let (storage, sender) = (Arc::clone(&storage), sender.clone());
            std::thread::Builder::new()
                .name("disk-sync".to_owned())
                .spawn(move || {
                    sync::run_rounds(&*storage, &round_queue, |result| {
                        sender.send(Message::Synced(result)).is_ok()
                    });
                })?;
        }
        let thread = Thread::new(
            config,
            storage,
            buffer.clone(),
            Arc::clone(&clock),
            messages,
            rounds,
        );
        let thread = std::thread::Builder::new()
            .name("disk-write".to_owned())
            .spawn(move || thread.run())?;
        Ok(Self {
            inner: Arc::new(Inner {
                config,
                buffer: buffer.clone(),
                clock,
                sender,
                queued_bytes: Arc::default(),
                next_lane: AtomicU64::new(1),
                thread: Mutex::new(Some(thread)),
            }),
        })
    }

    /// A place for one stream, whose past is `history` and ended as `predecessor` says.
    pub(super) fn lane(
        &self,
        camera: CameraId,
        stream: StreamKind,
        predecessor: Predecessor,
        history: StreamHistory,
        status: watch::Sender<RecorderStatus>,
    ) -> Lane {
        let shared = Arc::new(LaneShared {
            disk_queued_bytes: Arc::clone(&self.inner.queued_bytes),
            ..LaneShared::default()
        });
        let (reason, detail) =
            self.inner
                .buffer
                .reason_before(camera, stream, predecessor, history.explained_until);
        let now = self.inner.clock.wall();
        let ledger = Ledger::new(camera, stream, history, reason, detail, now);
        let state = LaneState::new(Arc::clone(&shared), camera, stream, ledger, status);
        let id = self.inner.next_lane.fetch_add(1, Ordering::Relaxed);
        self.inner.send(Message::Open(id, Box::new(state)));
        Lane {
            id,
            shared,
            disk: self.clone(),
        }
    }

    /// Writes, syncs and indexes what is queued, and ends the threads. To be called when the
    /// recorders have returned; nothing is written afterwards.
    pub async fn shutdown(&self) {
        let (reply, done) = oneshot::channel();
        self.inner.send(Message::Shutdown(reply));
        // An error means that the thread is gone already.
        let _ = done.await;
        let thread = self
            .inner
            .thread
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(thread) = thread {
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        }
    }
}

impl Inner {
    /// Fails only after a shutdown, when there is nobody to tell.
    fn send(&self, message: Message) {
        let _ = self.sender.send(message);
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // The sync thread holds on to the channel, so its end has to be said.
        let (reply, _) = oneshot::channel();
        self.send(Message::Shutdown(reply));
    }
}

/// The recorder's end of a stream's queue. Dropping it ends the stream's segment.
#[derive(Debug)]
pub(super) struct Lane {
    id: u64,
    shared: Arc<LaneShared>,
    disk: Disk,
}

impl Lane {
    /// Whether a fragment of usual size would be taken.
    pub(super) fn has_room(&self) -> bool {
        let config = &self.disk.inner.config;
        self.shared.queued_bytes.load(Ordering::Relaxed) < config.stream_bytes / 2
            && self.disk.inner.queued_bytes.load(Ordering::Relaxed) < config.total_bytes
    }

    /// Queues a fragment, or says why not.
    pub(super) fn write(&self, fragment: Fragment) -> Result<(), Reason> {
        let bytes = fragment.bytes();
        let config = &self.disk.inner.config;
        let queued = self.shared.queued_bytes.load(Ordering::Relaxed);
        let all_queued = self.disk.inner.queued_bytes.load(Ordering::Relaxed);
        // One fragment is always taken, however large.
        let fits = queued == 0
            || (queued + bytes <= config.stream_bytes && all_queued + bytes <= config.total_bytes);
        if !fits && !fragment.held {
            return Err(self.shared.fault().unwrap_or(Reason::DiskTooSlow));
        }
        self.shared.queued_bytes.fetch_add(bytes, Ordering::Relaxed);
        self.disk
            .inner
            .queued_bytes
            .fetch_add(bytes, Ordering::Relaxed);
        self.disk
            .inner
            .send(Message::Job(self.id, Job::Write(fragment)));
        Ok(())
    }

    /// Queues what is not media.
    pub(super) fn tell(&self, fact: Job) {
        if self.shared.queued_facts.load(Ordering::Relaxed) < FACTS {
            self.shared.queued_facts.fetch_add(1, Ordering::Relaxed);
            self.disk.inner.send(Message::Job(self.id, fact));
        }
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.disk.inner.send(Message::Close(self.id));
    }
}
