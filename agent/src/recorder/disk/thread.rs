//! The thread itself: hands jobs to their lanes, keeps the rhythm of syncs and looks after free
//! space.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use shared::clock::Clock;
use tokio::sync::oneshot;

use super::super::job::Job;
use super::super::storage::{Space, Storage};
use super::DiskConfig;
use super::lane::{Bench, LaneState};
use super::sync::Round;
use crate::buffer::Buffer;

/// How often gaps, rows and free space are looked at.
const TICK: Duration = Duration::from_millis(250);
/// A shutdown waits so long for a disk that fails to take what is queued,
const LAST_CHANCE: Duration = Duration::from_secs(3);
/// and so long for one that does not answer.
const SHUTDOWN: Duration = Duration::from_secs(10);

pub(super) enum Message {
    Open(u64, Box<LaneState>),
    Job(u64, Job),
    Close(u64),
    Synced(io::Result<()>),
    Shutdown(oneshot::Sender<()>),
}

/// Why nothing new is written although the disk would take it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Refusal {
    /// The reserve is reached.
    Full { space: Space, reserve_bytes: u64 },
}

impl Refusal {
    pub(super) fn error(&self) -> io::Error {
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

pub(super) struct Thread {
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
    pub(super) fn new(
        config: DiskConfig,
        storage: Arc<dyn Storage>,
        buffer: Buffer,
        clock: Arc<dyn Clock>,
        messages: Receiver<Message>,
        rounds: Sender<Round>,
    ) -> Self {
        Self {
            config,
            storage,
            buffer,
            clock,
            messages,
            rounds,
            lanes: BTreeMap::new(),
            refusal: None,
            unseen_bytes: 0,
            round: 1,
            syncing: None,
            synced_at: Instant::now(),
            ticked_at: Instant::now(),
        }
    }

    pub(super) fn run(mut self) {
        self.look_at_space();
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
                lane.settle(bench);
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
