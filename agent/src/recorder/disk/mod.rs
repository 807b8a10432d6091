//! The thread of one storage directory: takes jobs from the recorders of all streams, writes, and
//! once in an interval has everything synced by a second thread.
//!
//! Memory is bounded: a stream may queue [`DiskConfig::stream_bytes`], all streams together
//! [`DiskConfig::total_bytes`]; a fragment beyond that is refused to its recorder, which then
//! skips to the next sync sample and says so in the ledger.

mod lane;
mod ledger_writes;
mod sync;

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use shared::clock::Clock;
use shared::id::CameraId;
use shared::segment::StreamKind;
use shared::timeline::Reason;
use tokio::sync::{oneshot, watch};

use super::RecorderStatus;
use super::intake::{Fragment, Job};
use super::storage::{Directory, Space, Storage};
use crate::buffer::gaps::Ledger;
use crate::buffer::{Buffer, StreamHistory};
use lane::{Bench, LaneState};
use sync::Round;

/// How often gaps, rows and free space are looked at.
const TICK: Duration = Duration::from_millis(250);
/// Facts (not media) that may wait for the disk; what is dropped beyond is explained by the fact
/// before it.
const FACTS: usize = 4_096;
/// A shutdown waits so long for a disk that fails to take what is queued,
const LAST_CHANCE: Duration = Duration::from_secs(3);
/// and so long for one that does not answer.
const SHUTDOWN: Duration = Duration::from_secs(10);

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

/// Why nothing new is written although the disk would take it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Refusal {
    /// The reserve is reached.
    Full { space: Space, reserve_bytes: u64 },
}

impl Refusal {
    fn error(&self) -> io::Error {
        let Self::Full {
            space,
            reserve_bytes,
        } = self;
        io::Error::new(
            io::ErrorKind::StorageFull,
            format!(
                "{} of {} bytes are free, and {reserve_bytes} are to stay free (buffer.reserve_bytes)",
                space.free, space.total
            ),
        )
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

enum Message {
    Open(u64, Box<LaneState>),
    Job(u64, Job),
    Close(u64),
    Synced(io::Result<()>),
    Shutdown(oneshot::Sender<()>),
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
        let thread = Thread {
            config,
            storage,
            buffer: buffer.clone(),
            clock: Arc::clone(&clock),
            messages,
            rounds,
            lanes: BTreeMap::new(),
            refusal: None,
            unseen_bytes: 0,
            round: 1,
            syncing: None,
            synced_at: Instant::now(),
            ticked_at: Instant::now(),
        };
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

    /// A place for one stream, whose past is `history`.
    pub(super) fn lane(
        &self,
        camera: CameraId,
        stream: StreamKind,
        history: StreamHistory,
        status: watch::Sender<RecorderStatus>,
    ) -> Lane {
        let shared = Arc::new(LaneShared {
            disk_queued_bytes: Arc::clone(&self.inner.queued_bytes),
            ..LaneShared::default()
        });
        let (reason, detail) = self.inner.buffer.reason_before(history.explained_until);
        let now = self.inner.clock.wall();
        let ledger = Ledger::new(camera, stream, history.explained_until, reason, detail, now);
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

struct Thread {
    config: DiskConfig,
    storage: Arc<dyn Storage>,
    buffer: Buffer,
    clock: Arc<dyn Clock>,
    messages: Receiver<Message>,
    rounds: Sender<Round>,
    lanes: BTreeMap<u64, LaneState>,
    refusal: Option<Refusal>,
    /// Bytes taken since free space was looked at.
    unseen_bytes: u64,
    /// Number of the round that will cover what is written now.
    round: u64,
    /// Number of the round that is under way.
    syncing: Option<u64>,
    synced_at: Instant,
    ticked_at: Instant,
}

impl Thread {
    fn run(mut self) {
        loop {
            match self.messages.recv_timeout(self.until_next()) {
                Ok(Message::Shutdown(reply)) => {
                    self.shut_down();
                    let _ = reply.send(());
                    return;
                }
                Ok(message) => self.handle(message),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    self.shut_down();
                    return;
                }
            }
            self.keep_time();
        }
    }

    fn until_next(&self) -> Duration {
        let tick = self.ticked_at + TICK;
        let sync = self.synced_at + self.config.sync_interval;
        let next = if self.syncing.is_none() {
            tick.min(sync)
        } else {
            tick
        };
        next.saturating_duration_since(Instant::now())
    }

    fn keep_time(&mut self) {
        if self.synced_at.elapsed() >= self.config.sync_interval && self.syncing.is_none() {
            self.begin_round();
        }
        if self.ticked_at.elapsed() >= TICK {
            self.ticked_at = Instant::now();
            self.look_at_space();
            self.for_each_lane(|lane, bench| {
                lane.work(bench);
                lane.tick(bench);
            });
            self.lanes.retain(|_, lane| !lane.is_done());
            let fault = self.lanes.values().find_map(LaneState::trouble);
            self.buffer.set_fault(fault);
        }
    }

    fn handle(&mut self, message: Message) {
        match message {
            Message::Open(id, lane) => {
                lane.publish();
                self.lanes.insert(id, *lane);
            }
            Message::Job(id, job) => {
                if let Job::Write(fragment) = &job {
                    self.count(fragment.bytes());
                }
                self.with_lane(id, |lane, bench| {
                    lane.push(job);
                    lane.work(bench);
                });
            }
            Message::Close(id) => self.with_lane(id, |lane, bench| {
                lane.close();
                lane.work(bench);
            }),
            Message::Synced(result) => self.end_round(result),
            Message::Shutdown(_) => {}
        }
    }

    fn with_lane(&mut self, id: u64, act: impl FnOnce(&mut LaneState, &Bench<'_>)) {
        let bench = Bench {
            storage: &*self.storage,
            buffer: &self.buffer,
            clock: &*self.clock,
            refusal: self.refusal,
            patience: self.config.patience,
            next_round: self.round,
        };
        if let Some(lane) = self.lanes.get_mut(&id) {
            act(lane, &bench);
        }
    }

    fn for_each_lane(&mut self, mut act: impl FnMut(&mut LaneState, &Bench<'_>)) {
        let ids: Vec<_> = self.lanes.keys().copied().collect();
        for id in ids {
            self.with_lane(id, &mut act);
        }
    }

    /// The faster the disk fills, the more often its free space is looked at.
    fn count(&mut self, bytes: u64) {
        self.unseen_bytes += bytes;
        if self.unseen_bytes > self.buffer.limits().reserve_bytes / 16 {
            self.look_at_space();
        }
    }

    /// What free space the settings demand is not used up; retention is asked to make more.
    fn look_at_space(&mut self) {
        self.unseen_bytes = 0;
        let reserve_bytes = self.buffer.limits().reserve_bytes;
        self.refusal = match self.storage.space() {
            Ok(space) if space.free < reserve_bytes => Some(Refusal::Full {
                space,
                reserve_bytes,
            }),
            _ => None,
        };
        if self.refusal.is_some() {
            self.buffer.request_space();
        }
    }

    fn begin_round(&mut self) {
        self.synced_at = Instant::now();
        let mut round = Round::default();
        let number = self.round;
        for lane in self.lanes.values_mut() {
            lane.join_round(&mut round, number);
        }
        if round.is_empty() {
            return;
        }
        self.round += 1;
        self.syncing = Some(number);
        // Fails only when the thread is gone, and then nothing becomes durable any more.
        if self.rounds.send(round).is_err() {
            self.end_round(Err(io::Error::other("the sync thread has ended")));
        }
    }

    fn end_round(&mut self, result: io::Result<()>) {
        let Some(number) = self.syncing.take() else {
            return;
        };
        if let Err(error) = &result {
            tracing::error!(%error, "the disk could not make recordings durable");
        }
        self.for_each_lane(|lane, bench| lane.round_done(number, result.is_ok(), bench));
    }

    fn shut_down(&mut self) {
        let began = Instant::now();
        self.for_each_lane(|lane, _| lane.close());
        while !self.lanes.is_empty() && began.elapsed() < SHUTDOWN {
            if self.syncing.is_none() {
                self.begin_round();
            }
            if let Ok(message) = self.messages.recv_timeout(Duration::from_millis(20)) {
                self.handle(message);
            }
            self.look_at_space();
            let hopeless = began.elapsed() > LAST_CHANCE;
            self.for_each_lane(|lane, bench| {
                lane.work(bench);
                if hopeless {
                    lane.give_up(bench);
                }
                lane.settle(bench);
                lane.poll(bench);
            });
            self.lanes.retain(|_, lane| !lane.is_done());
        }
        if !self.lanes.is_empty() {
            tracing::warn!(
                streams = self.lanes.len(),
                "stopped before everything was in the index; the next start finds it in the files"
            );
        }
    }
}
