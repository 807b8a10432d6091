//! Which recording is offered next, which piece of which is sent next, and what becomes of it. Pure.
//!
//! Each recording goes `waiting → offered → sending → finishing → settled`. Whatever breaks on the
//! way puts it back to waiting, later each time; only the coordinator's `stored` or `have` settles
//! it as stored. Urgent recordings go first, also beyond the ordinary number in flight; of every
//! [`BACKLOG_EVERY`] other offers one is the oldest of the backlog, so that neither fresh footage
//! nor the backlog waits for ever. Bytes are sent of one recording after the other: it counts
//! sooner, and a cut finds less half done.

use std::collections::BTreeMap;
use std::time::Duration;

use shared::hash::Sha256;
use shared::id::SegmentId;
use shared::time::WallTime;
use shared::wire::segment::{UploadAnswer, UploadResult};

use super::Now;
use super::budget::{Budget, Grant};

/// Recordings that ended less than this ago are fresh.
pub const FRESH: Duration = Duration::from_secs(300);

/// One offer of so many is from the backlog while there is one.
pub const BACKLOG_EVERY: u32 = 4;

/// Urgent recordings in flight beyond the ordinary number.
pub const URGENT_EXTRA: usize = 2;

/// Pieces granted and not handed to the connection yet, so that reading the next one from the disk
/// overlaps with sending; urgent recordings do not wait for those of others.
pub const PIECES: u32 = 2;

const FIRST_RETRY: Duration = Duration::from_secs(2);
const LONGEST_RETRY: Duration = Duration::from_secs(300);
const LONGEST_LATER: Duration = Duration::from_secs(600);

/// A recording that should be at the centre and whose record is there already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    pub segment: SegmentId,
    /// Bytes of the file.
    pub size: u64,
    pub root: Sha256,
    /// Wall time of its end.
    pub end: WallTime,
    /// Evidence or around an alert.
    pub urgent: bool,
}

/// One attempt at one recording. What is reported of an attempt that is over is ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Attempt(u64);

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Open a stream and offer it.
    Offer {
        attempt: Attempt,
        candidate: Candidate,
    },
    /// Send these bytes of the file; with `last` finish the stream after them and wait for the
    /// result.
    Send {
        attempt: Attempt,
        start: u64,
        end: u64,
        last: bool,
    },
    /// Nothing until then or until the next input.
    Wait { until: Duration },
}

/// What became of a recording; it is forgotten here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settled {
    /// The coordinator has it durably.
    Stored,
    /// The coordinator will never take it.
    Refused { message: String },
    /// Our own file is gone or damaged.
    Unreadable { detail: String },
}

#[derive(Clone, Debug)]
enum State {
    Waiting { until: Duration },
    Offered(Attempt),
    Sending { attempt: Attempt, next: u64 },
    Finishing(Attempt),
    Checking(Attempt),
}

#[derive(Clone, Debug)]
struct Upload {
    candidate: Candidate,
    state: State,
    /// Attempts that failed in a row.
    failures: u32,
    /// Pieces granted and not handed to the connection yet.
    pieces: u32,
    /// Up to where the present attempt has handed bytes to the connection.
    handed: u64,
    /// Up to where any attempt has.
    furthest: u64,
}

/// All recordings known to be wanted.
#[derive(Debug)]
pub struct Uploads {
    uploads: BTreeMap<SegmentId, Upload>,
    parallel: usize,
    connected: bool,
    /// No offer before; set when the coordinator says `later`.
    pause: Duration,
    next_attempt: u64,
    /// Offers since the last one from the backlog.
    since_backlog: u32,
    /// Bytes sent more than once.
    resent: u64,
}

impl Uploads {
    /// At most `parallel` ordinary recordings are in flight.
    pub fn new(parallel: usize) -> Self {
        Self {
            uploads: BTreeMap::new(),
            parallel: parallel.max(1),
            connected: false,
            pause: Duration::ZERO,
            next_attempt: 0,
            since_backlog: 0,
            resent: 0,
        }
    }

    /// What should be uploaded, as the buffer lists it now. What is in flight stays; what waits and
    /// is not listed any more is forgotten.
    pub fn wanted(&mut self, candidates: Vec<Candidate>, now: Now) {
        let mut known = std::mem::take(&mut self.uploads);
        for candidate in candidates {
            let upload = match known.remove(&candidate.segment) {
                Some(mut upload) => {
                    if matches!(upload.state, State::Waiting { .. }) {
                        upload.candidate = candidate;
                    } else {
                        upload.candidate.urgent |= candidate.urgent;
                    }
                    upload
                }
                None => Upload {
                    candidate,
                    state: State::Waiting {
                        until: now.monotonic,
                    },
                    failures: 0,
                    pieces: 0,
                    handed: 0,
                    furthest: 0,
                },
            };
            self.uploads.insert(upload.candidate.segment, upload);
        }
        let in_flight = known
            .into_iter()
            .filter(|(_, upload)| upload.attempt().is_some());
        self.uploads.extend(in_flight);
    }

    /// A new connection stands; attempts on an older one are over.
    pub fn connected(&mut self, now: Now) {
        self.disconnected(now);
        self.connected = true;
        self.pause = now.monotonic;
    }

    /// The connection is gone, and every attempt with it; none of them counts as a failure.
    pub fn disconnected(&mut self, now: Now) {
        self.connected = false;
        for upload in self.uploads.values_mut() {
            if upload.attempt().is_some() {
                upload.state = State::Waiting {
                    until: now.monotonic,
                };
            }
        }
    }

    /// How many are wanted at the centre, as far as the last list went.
    pub fn waiting(&self) -> usize {
        self.uploads.len()
    }

    /// Bytes that were sent more than once, because a connection or an attempt broke after them.
    pub const fn resent_bytes(&self) -> u64 {
        self.resent
    }

    /// How many are being uploaded.
    pub fn in_flight(&self) -> usize {
        self.uploads
            .values()
            .filter(|upload| upload.attempt().is_some())
            .count()
    }

    /// What to do at `now`. Bytes are granted by the budget and counted as sent.
    pub fn next(&mut self, budget: &mut Budget, now: Now) -> Step {
        if let Some(step) = self.offer(now) {
            return step;
        }
        self.send(budget, now)
    }

    fn offer(&mut self, now: Now) -> Option<Step> {
        if !self.connected || now.monotonic < self.pause {
            return None;
        }
        let segment = self.choose(now)?;
        let upload = self.uploads.get_mut(&segment)?;
        let attempt = Attempt(self.next_attempt);
        self.next_attempt += 1;
        upload.state = State::Offered(attempt);
        upload.pieces = 0;
        Some(Step::Offer {
            attempt,
            candidate: upload.candidate.clone(),
        })
    }

    /// The recording to offer next, and the account of turns.
    fn choose(&mut self, now: Now) -> Option<SegmentId> {
        let ready = || {
            self.uploads.values().filter(
                |upload| matches!(upload.state, State::Waiting { until } if until <= now.monotonic),
            )
        };
        let in_flight = self.in_flight();
        let urgent = ready()
            .filter(|upload| upload.candidate.urgent)
            .min_by_key(|upload| upload.candidate.end);
        if let Some(urgent) = urgent {
            return (in_flight < self.parallel + URGENT_EXTRA).then_some(urgent.candidate.segment);
        }
        if in_flight >= self.parallel {
            return None;
        }
        let is_fresh = |upload: &&Upload| upload.candidate.end + FRESH > now.wall;
        let fresh = ready()
            .filter(is_fresh)
            .max_by_key(|upload| upload.candidate.end)
            .map(|upload| upload.candidate.segment);
        let backlog = ready()
            .filter(|upload| !is_fresh(upload))
            .min_by_key(|upload| upload.candidate.end)
            .map(|upload| upload.candidate.segment);
        let backlogs_turn = self.since_backlog + 1 >= BACKLOG_EVERY;
        match (fresh, backlog) {
            (Some(fresh), Some(_)) if !backlogs_turn => {
                self.since_backlog += 1;
                Some(fresh)
            }
            (_, Some(backlog)) => {
                self.since_backlog = 0;
                Some(backlog)
            }
            (fresh, None) => fresh,
        }
    }

    /// The next piece: urgent recordings first, then the one that was offered first.
    fn send(&mut self, budget: &mut Budget, now: Now) -> Step {
        let granted: u32 = self.uploads.values().map(Upload::outstanding).sum();
        let may_send = |upload: &&mut Upload| {
            let others = if upload.candidate.urgent {
                upload.pieces
            } else {
                granted
            };
            matches!(upload.state, State::Sending { .. }) && others < PIECES
        };
        let chosen = self
            .uploads
            .values_mut()
            .filter(may_send)
            .min_by_key(|upload| (!upload.candidate.urgent, upload.attempt()));
        let Some((upload, attempt, next)) = chosen.and_then(|upload| match upload.state {
            State::Sending { attempt, next } => Some((upload, attempt, next)),
            _ => None,
        }) else {
            return Step::Wait {
                until: self.earliest_offer(now),
            };
        };
        let size = upload.candidate.size;
        let granted = match size.saturating_sub(next) {
            0 => Grant::Bytes(0),
            left => budget.grant(now, left),
        };
        match granted {
            Grant::Bytes(bytes) => {
                let end = next.saturating_add(bytes);
                let last = end >= size;
                upload.pieces += 1;
                upload.state = if last {
                    State::Finishing(attempt)
                } else {
                    State::Sending { attempt, next: end }
                };
                Step::Send {
                    attempt,
                    start: next,
                    end,
                    last,
                }
            }
            Grant::Wait(wait) => Step::Wait {
                until: self.earliest_offer(now).min(now.monotonic + wait),
            },
        }
    }

    /// When an offer may become possible without an input.
    fn earliest_offer(&self, now: Now) -> Duration {
        let idle = now.monotonic + Duration::from_secs(60);
        if !self.connected {
            return idle;
        }
        self.uploads
            .values()
            .filter_map(|upload| match upload.state {
                State::Waiting { until } => Some(until.max(self.pause)),
                _ => None,
            })
            .filter(|until| *until > now.monotonic)
            .min()
            .map_or(idle, |until| until.min(idle))
    }

    /// A piece has been handed to the connection, up to byte `end`; the next may follow.
    pub fn sent(&mut self, attempt: Attempt, end: u64) {
        self.handed(attempt, end);
        if let Some(upload) = self.find(attempt) {
            upload.pieces = upload.pieces.saturating_sub(1);
        }
    }

    /// The attempt has handed everything up to byte `end` to the connection, perhaps in the middle
    /// of a piece. To be said before an attempt is over, for the account of what is sent twice.
    pub fn handed(&mut self, attempt: Attempt, end: u64) {
        let mut again = 0;
        if let Some(upload) = self.find(attempt)
            && end > upload.handed
        {
            again = upload.furthest.min(end).saturating_sub(upload.handed);
            upload.handed = end;
            upload.furthest = upload.furthest.max(end);
        }
        self.resent += again;
    }

    /// The coordinator's answer to an offer.
    pub fn answered(
        &mut self,
        attempt: Attempt,
        answer: UploadAnswer,
        now: Now,
    ) -> Option<(SegmentId, Settled)> {
        let upload = self.find(attempt)?;
        if !matches!(upload.state, State::Offered(_)) {
            return None;
        }
        match answer {
            UploadAnswer::Want { from } if from <= upload.candidate.size => {
                upload.state = State::Sending {
                    attempt,
                    next: from,
                };
                upload.handed = from;
                None
            }
            UploadAnswer::Have => self.settle(attempt, Settled::Stored),
            UploadAnswer::Later { after_ms } => {
                let after = Duration::from_millis(u64::from(after_ms))
                    .clamp(Duration::from_millis(100), LONGEST_LATER);
                upload.state = State::Waiting {
                    until: now.monotonic + after,
                };
                self.pause = self.pause.max(now.monotonic + after);
                None
            }
            UploadAnswer::Refused { message } => self.settle(attempt, Settled::Refused { message }),
            UploadAnswer::Want { .. } | UploadAnswer::Unknown => {
                self.failed(attempt, now);
                None
            }
        }
    }

    /// The coordinator's verdict on the bytes. On [`UploadResult::Corrupt`] the caller compares its
    /// own file with the index and says so in [`Uploads::checked`].
    pub fn finished(
        &mut self,
        attempt: Attempt,
        result: &UploadResult,
        now: Now,
    ) -> Option<(SegmentId, Settled)> {
        let upload = self.find(attempt)?;
        match result {
            UploadResult::Stored if matches!(upload.state, State::Finishing(_)) => {
                self.settle(attempt, Settled::Stored)
            }
            UploadResult::Corrupt { .. } => {
                upload.state = State::Checking(attempt);
                None
            }
            UploadResult::Stored | UploadResult::Failed { .. } | UploadResult::Unknown => {
                self.failed(attempt, now);
                None
            }
        }
    }

    /// After a verdict of `corrupt`: what our own file is like.
    pub fn checked(
        &mut self,
        attempt: Attempt,
        damage: Option<String>,
        now: Now,
    ) -> Option<(SegmentId, Settled)> {
        match damage {
            Some(detail) => self.unreadable(attempt, detail),
            None => {
                self.failed(attempt, now);
                None
            }
        }
    }

    /// Our file cannot be read (any more).
    pub fn unreadable(&mut self, attempt: Attempt, detail: String) -> Option<(SegmentId, Settled)> {
        self.settle(attempt, Settled::Unreadable { detail })
    }

    /// The stream broke, or the coordinator could not store the bytes: try again, later each time.
    pub fn failed(&mut self, attempt: Attempt, now: Now) {
        if let Some(upload) = self.find(attempt) {
            let wait = FIRST_RETRY
                .saturating_mul(1 << upload.failures.min(10))
                .min(LONGEST_RETRY);
            upload.failures = upload.failures.saturating_add(1);
            upload.state = State::Waiting {
                until: now.monotonic + wait,
            };
        }
    }

    fn settle(&mut self, attempt: Attempt, how: Settled) -> Option<(SegmentId, Settled)> {
        let segment = self.find(attempt)?.candidate.segment;
        self.uploads.remove(&segment);
        Some((segment, how))
    }

    fn find(&mut self, attempt: Attempt) -> Option<&mut Upload> {
        self.uploads
            .values_mut()
            .find(|upload| upload.attempt() == Some(attempt))
    }
}

impl Upload {
    /// Pieces of the present attempt that are granted and not handed over.
    const fn outstanding(&self) -> u32 {
        match self.state {
            State::Sending { .. } | State::Finishing(_) => self.pieces,
            State::Waiting { .. } | State::Offered(_) | State::Checking(_) => 0,
        }
    }

    const fn attempt(&self) -> Option<Attempt> {
        match self.state {
            State::Waiting { .. } => None,
            State::Offered(attempt)
            | State::Sending { attempt, .. }
            | State::Finishing(attempt)
            | State::Checking(attempt) => Some(attempt),
        }
    }
}

#[cfg(test)]
mod tests;
