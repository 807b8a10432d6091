//! Carries out what [`planner::uploads`](super::planner::uploads) decides: one stream for each
//! attempt, piece by piece as granted.
//!
//! The driver holds the plan; each attempt is a task of its own that reads the file and speaks with
//! the coordinator, and tells the driver what happened.

mod attempt;

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::Ordering;
use std::time::Duration;

use shared::id::SegmentId;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use self::attempt::{Handed, Happening, Piece};
use super::connection::Connection;
use super::planner::budget::{Budget, DayUse, Plan};
use super::planner::uploads::{Attempt, Candidate, PIECES, Settled, Step, Uploads};
use super::{SessionEnd, Shared};
use crate::buffer::Priority;

/// How many candidates are looked at at once.
const CANDIDATES: usize = 64;

/// How often the buffer is asked again what it wants uploaded.
const REFRESH: Duration = Duration::from_secs(2);

/// How often the sum of the day is kept.
const KEEP: Duration = Duration::from_secs(30);

/// Recordings that are not offered again by this process; the oldest are forgotten.
const GIVEN_UP: usize = 4_096;

/// The plan of all uploads; outlives connections.
pub(super) struct Plans {
    uploads: Uploads,
    budget: Budget,
    /// Refused or unreadable.
    given_up: VecDeque<SegmentId>,
    /// The attempts that stand.
    attempts: HashMap<Attempt, Underway>,
    kept: DayUse,
}

/// What the driver knows of one attempt.
struct Underway {
    segment: SegmentId,
    pieces: mpsc::Sender<Piece>,
    handed: Handed,
}

impl Plans {
    pub(super) fn new(plan: Plan, parallel: usize, uplink: &Shared) -> Self {
        let budget = Budget::new(plan, uplink.day.load(), uplink.now());
        Self {
            uploads: Uploads::new(parallel),
            kept: budget.today(),
            budget,
            given_up: VecDeque::new(),
            attempts: HashMap::new(),
        }
    }

    /// The connection is gone, and every attempt with it.
    pub(super) fn disconnected(&mut self, uplink: &Shared) {
        for (attempt, underway) in self.attempts.drain() {
            self.uploads.handed(attempt, underway.handed.get());
        }
        self.uploads.disconnected(uplink.now());
        self.keep(uplink);
    }

    /// Writes down what the day has taken, if that changed.
    pub(super) fn keep(&mut self, uplink: &Shared) {
        let today = self.budget.today();
        if today != self.kept {
            self.kept = today;
            uplink.day.store(today);
        }
    }
}

/// Uploads until the connection ends; whoever drops this says [`Plans::disconnected`] then.
pub(super) async fn run(connection: &Connection, uplink: &Shared, plans: &mut Plans) -> SessionEnd {
    plans.uploads.connected(uplink.now());
    Driver::new(uplink, plans).run(connection).await
}

struct Driver<'a> {
    uplink: &'a Shared,
    plans: &'a mut Plans,
    attempts: JoinSet<()>,
    happened: mpsc::Sender<(Attempt, Happening)>,
    happenings: mpsc::Receiver<(Attempt, Happening)>,
}

impl<'a> Driver<'a> {
    fn new(uplink: &'a Shared, plans: &'a mut Plans) -> Self {
        let (happened, happenings) = mpsc::channel(64);
        Self {
            uplink,
            plans,
            attempts: JoinSet::new(),
            happened,
            happenings,
        }
    }

    async fn run(mut self, connection: &Connection) -> SessionEnd {
        let mut refresh = tokio::time::interval(REFRESH);
        refresh.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut keep = tokio::time::interval(KEEP);
        keep.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let until = self.begin(connection);
            let wait = until.saturating_sub(self.uplink.monotonic());
            tokio::select! {
                Some((attempt, happening)) = self.happenings.recv() => {
                    if let Err(end) = self.happened(attempt, happening).await {
                        return end;
                    }
                }
                _ = refresh.tick() => if let Err(end) = self.refresh().await {
                    return end;
                },
                () = self.uplink.acknowledged.notified() => refresh.reset_immediately(),
                _ = keep.tick() => self.plans.keep(self.uplink),
                Some(_) = self.attempts.join_next() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Does everything that can be done now; gives the time until which there is nothing.
    fn begin(&mut self, connection: &Connection) -> Duration {
        loop {
            let now = self.uplink.now();
            let fetched = self.uplink.fetched.swap(0, Ordering::Relaxed);
            if fetched > 0 {
                self.plans.budget.charge(now, fetched);
            }
            let Plans {
                uploads, budget, ..
            } = &mut *self.plans;
            match uploads.next(budget, now) {
                Step::Offer { attempt, candidate } => {
                    self.offer(connection, attempt, candidate);
                }
                Step::Send {
                    attempt,
                    start,
                    end,
                    last,
                } => {
                    let piece = Piece { start, end, last };
                    let taken = self
                        .plans
                        .attempts
                        .get(&attempt)
                        .is_some_and(|underway| underway.pieces.try_send(piece).is_ok());
                    if taken {
                        self.uplink.counters.uploaded_bytes(end - start);
                    } else {
                        self.plans.uploads.failed(attempt, now);
                    }
                }
                Step::Wait { until } => {
                    self.publish();
                    return until;
                }
            }
        }
    }

    fn offer(&mut self, connection: &Connection, attempt: Attempt, candidate: Candidate) {
        tracing::trace!(?attempt, segment.id = %candidate.segment, size_bytes = candidate.size, "offering");
        let (pieces, granted) = mpsc::channel(PIECES as usize);
        let handed = Handed::default();
        let underway = Underway {
            segment: candidate.segment,
            pieces,
            handed: handed.clone(),
        };
        self.plans.attempts.insert(attempt, underway);
        let teller = attempt::Teller::new(attempt, self.happened.clone());
        self.attempts.spawn(attempt::run(
            connection.opener(),
            candidate,
            self.uplink.buffer.clone(),
            granted,
            handed,
            teller,
        ));
    }

    async fn happened(&mut self, attempt: Attempt, what: Happening) -> Result<(), SessionEnd> {
        let now = self.uplink.now();
        tracing::trace!(?attempt, ?what, "upload");
        let uploads = &mut self.plans.uploads;
        let settled = match what {
            Happening::Answered(answer) => uploads.answered(attempt, answer, now),
            Happening::Sent { end } => {
                uploads.sent(attempt, end);
                return Ok(());
            }
            Happening::Finished(result) => uploads.finished(attempt, &result, now),
            Happening::Checked(damage) => uploads.checked(attempt, damage, now),
            Happening::Unreadable(detail) => uploads.unreadable(attempt, detail),
            Happening::Ended(problem) => {
                if let Some(underway) = self.plans.attempts.remove(&attempt) {
                    uploads.handed(attempt, underway.handed.get());
                    if let Some(problem) = problem {
                        tracing::debug!(segment.id = %underway.segment, %problem, "an upload broke off");
                    }
                }
                uploads.failed(attempt, now);
                None
            }
        };
        match settled {
            Some((segment, settled)) => self.settle(segment, settled).await,
            None => Ok(()),
        }
    }

    async fn settle(&mut self, segment: SegmentId, how: Settled) -> Result<(), SessionEnd> {
        match how {
            Settled::Stored => {
                self.uplink.counters.uploaded();
                self.uplink.buffer.mark_uploaded(segment).await?;
            }
            Settled::Refused { message } => {
                tracing::warn!(segment.id = %segment, %message, "the centre refuses a recording");
                self.give_up(segment);
            }
            Settled::Unreadable { detail } => {
                tracing::warn!(segment.id = %segment, %detail, "a recording cannot be uploaded");
                self.give_up(segment);
            }
        }
        Ok(())
    }

    fn give_up(&mut self, segment: SegmentId) {
        if self.plans.given_up.len() >= GIVEN_UP {
            self.plans.given_up.pop_front();
        }
        self.plans.given_up.push_back(segment);
    }

    async fn refresh(&mut self) -> Result<(), SessionEnd> {
        let limit = CANDIDATES + self.plans.given_up.len();
        let now = self.uplink.now();
        let listed = self
            .uplink
            .buffer
            .upload_candidates(now.wall, limit)
            .await?;
        let wanted = listed
            .into_iter()
            .filter(|candidate| !self.plans.given_up.contains(&candidate.segment))
            .map(|candidate| Candidate {
                segment: candidate.segment,
                size: candidate.size,
                root: candidate.root,
                end: candidate.range.end(),
                urgent: candidate.priority == Priority::Event,
            })
            .collect();
        self.plans.uploads.wanted(wanted, now);
        Ok(())
    }

    /// For the health page.
    fn publish(&self) {
        let today = self.plans.budget.today().bytes;
        let resent = self.plans.uploads.resent_bytes();
        self.uplink.status.send_if_modified(|status| {
            let changed = (status.uploaded_today, status.resent) != (today, resent);
            (status.uploaded_today, status.resent) = (today, resent);
            changed
        });
    }
}
