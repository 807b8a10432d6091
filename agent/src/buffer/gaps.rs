//! The gap ledger of one stream: from what was recorded and what was said about the rest to entries
//! that leave no instant unexplained. Pure.
//!
//! A ledger looks at time from its `explained_until` on; everything before is in a segment or an
//! entry already. So wall time that runs twice (a host clock set back) is explained by its first
//! passage, and a stretch that never happened (a clock set forward) is an ordinary gap. Who finds
//! out why something is missing is the recorder's [intake](crate::recorder); where entries go is
//! the [index](super::index)'s business.

use std::time::Duration;

use shared::id::{CameraId, LedgerId};
use shared::segment::StreamKind;
use shared::time::{TimeRange, WallTime};
use shared::timeline::{LedgerEntry, Reason};

use super::StreamHistory;

/// Between two fragments of which nobody said that something is missing between them: rounding of
/// durations and the slewing of wall time, not lost pictures.
const ROUNDING: Duration = Duration::from_millis(100);
/// A gap is reported for the first time when it has lasted so long; most are over before.
const FIRST_REPORT: Duration = Duration::from_secs(1);
/// Then it is reported again when it has grown by a tenth, but not more often than this
const MIN_GROWTH: Duration = Duration::from_secs(5);
/// and not less often than this, which is how far the centre's picture of it lags behind.
const MAX_GROWTH: Duration = Duration::from_secs(60);

/// A gap whose end is not known yet.
#[derive(Clone, Debug)]
struct OpenGap {
    id: LedgerId,
    start: WallTime,
    reason: Reason,
    detail: Option<String>,
    /// The latest that much is not counted as missing yet.
    hold: Duration,
    /// End of the entry as it was written last; `None` before the first.
    written_until: Option<WallTime>,
}

#[derive(Debug)]
pub(crate) struct Ledger {
    camera: CameraId,
    stream: StreamKind,
    /// Nothing is expected before.
    since: WallTime,
    /// Where the open gap begins, or what was recorded ends.
    explained_until: WallTime,
    /// Pictures come again for time before that, so nothing is missing at the moment.
    repeating: bool,
    gap: Option<OpenGap>,
}

impl Ledger {
    /// Begins with a gap, from where `history` ends, for `reason`: nothing has been recorded since
    /// then.
    pub(crate) fn new(
        camera: CameraId,
        stream: StreamKind,
        history: StreamHistory,
        reason: Reason,
        detail: Option<String>,
        now: WallTime,
    ) -> Self {
        let mut ledger = Self {
            camera,
            stream,
            since: history.since,
            explained_until: history.explained_until,
            repeating: false,
            gap: None,
        };
        ledger.open(reason, detail, Duration::ZERO, now);
        ledger
    }

    /// Why nothing is being recorded; `None` while something is.
    pub(crate) fn missing_because(&self) -> Option<Reason> {
        let gap = self.gap.as_ref().filter(|_| !self.repeating)?;
        Some(gap.reason)
    }

    /// Everything before is recorded or in an entry.
    pub(crate) fn explained_until(&self) -> WallTime {
        match &self.gap {
            Some(gap) => gap.written_until.unwrap_or(gap.start),
            None => self.explained_until,
        }
    }

    /// From `from` on there is no recording. A gap that is already open ends there and another one
    /// begins; where it cannot (`from` lies before it), it was for this reason all the time. A gap
    /// that begins after a fragment begins at the fragment's end.
    pub(crate) fn missing(
        &mut self,
        from: WallTime,
        reason: Reason,
        detail: Option<String>,
        hold: Duration,
        now: WallTime,
    ) -> Vec<LedgerEntry> {
        self.repeating = false;
        let Some(gap) = &mut self.gap else {
            // Also what lies between the last fragment and `from`.
            self.open(reason, detail, hold, now);
            return Vec::new();
        };
        gap.hold = hold;
        if gap.reason == reason {
            gap.detail = detail.or_else(|| gap.detail.take());
            return Vec::new();
        }
        if from <= gap.start {
            gap.reason = reason;
            gap.detail = detail;
            let written = gap.written_until;
            let corrected = written.and_then(|until| self.entry_until(until));
            return corrected.into_iter().collect();
        }
        let ended = self.close(from);
        self.open(reason, detail, hold, now);
        ended
    }

    /// A fragment is in its file.
    pub(crate) fn recorded(&mut self, range: TimeRange, now: WallTime) -> Vec<LedgerEntry> {
        let mut entries = Vec::from_iter(self.reach_back_to(range.start(), now));
        if range.end() <= self.explained_until {
            // The clock was set back, and how this time passed first is written down.
            self.repeating = true;
            return entries;
        }
        if self.gap.is_none() && range.start() > self.explained_until + ROUNDING {
            let detail = "pictures are missing and nothing said why".to_owned();
            self.open(Reason::HostOverloaded, Some(detail), Duration::ZERO, now);
        }
        self.repeating = false;
        entries.extend(self.close(range.start()));
        self.explained_until = range.end();
        entries
    }

    /// With the clock set back to before the stream was known, what lies between is not expected
    /// to be all recorded.
    fn reach_back_to(&mut self, start: WallTime, now: WallTime) -> Option<LedgerEntry> {
        // The first picture of a new camera may be older than its place here.
        if now >= self.since {
            return None;
        }
        let range = TimeRange::new(start, self.since)
            .ok()
            .filter(|range| !range.is_empty())?;
        self.since = start;
        Some(LedgerEntry {
            id: LedgerId::new(now),
            camera: self.camera,
            stream: self.stream,
            range,
            reason: Reason::HostClockStepped,
            detail: Some("the clock was set back to before the camera was added".to_owned()),
        })
    }

    /// The open gap, as far as it has grown, if that is worth writing down.
    pub(crate) fn tick(&mut self, now: WallTime) -> Option<LedgerEntry> {
        let gap = self.gap.as_ref()?;
        let until = now - gap.hold;
        let due = match gap.written_until {
            None => gap.start + FIRST_REPORT,
            Some(written) => {
                let age = written.saturating_duration_since(gap.start);
                written + (age / 10).clamp(MIN_GROWTH, MAX_GROWTH)
            }
        };
        if until < due {
            return None;
        }
        self.entry_until(until)
    }

    /// The open gap up to now, for the last word before the agent stops: what was held is lost then.
    pub(crate) fn settle(&mut self, now: WallTime) -> Option<LedgerEntry> {
        let gap = self.gap.as_ref()?;
        if now <= gap.written_until.unwrap_or(gap.start) {
            return None;
        }
        self.entry_until(now)
    }

    fn open(&mut self, reason: Reason, detail: Option<String>, hold: Duration, now: WallTime) {
        self.gap = Some(OpenGap {
            id: LedgerId::new(now),
            start: self.explained_until,
            reason,
            detail,
            hold,
            written_until: None,
        });
    }

    /// Ends the open gap at `end`. One of no length is not worth an entry, unless it has been
    /// written as longer.
    fn close(&mut self, end: WallTime) -> Vec<LedgerEntry> {
        let Some(gap) = &self.gap else {
            return Vec::new();
        };
        let end = end.max(gap.start);
        let entry = if end > gap.start || gap.written_until.is_some() {
            self.entry_until(end)
        } else {
            None
        };
        self.gap = None;
        self.explained_until = end;
        entry.into_iter().collect()
    }

    fn entry_until(&mut self, end: WallTime) -> Option<LedgerEntry> {
        let (camera, stream) = (self.camera, self.stream);
        let gap = self.gap.as_mut()?;
        let range = TimeRange::new(gap.start, end).ok()?;
        gap.written_until = Some(end);
        Some(LedgerEntry {
            id: gap.id,
            camera,
            stream,
            range,
            reason: gap.reason,
            detail: gap.detail.clone(),
        })
    }
}

#[cfg(test)]
mod tests;
