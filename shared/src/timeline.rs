//! Coverage of a stream over wall time: what is recorded, what is missing, and why. Pure algebra on
//! ranges.
//!
//! The rule of the house: every instant of every stream is recorded, or missing for a [`Reason`],
//! or off or expired by policy. What is left over after all reports are in is
//! [`State::Unexplained`], and that is a bug in the product, shown as such.

mod reason;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::id::{CameraId, LedgerId};
use crate::segment::StreamKind;
use crate::time::{TimeRange, WallTime};

pub use reason::{Cause, Reason};

/// One line of the gap ledger: a stretch that is not recorded, and why. Written by the agent as it
/// happens.
///
/// An entry may be reported while it is still growing and again, under the same id, when its end is
/// known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerEntry {
    pub id: LedgerId,
    pub camera: CameraId,
    pub stream: StreamKind,
    pub range: TimeRange,
    pub reason: Reason,
    /// For the technician: the error as the agent saw it. Never a secret, not for operators' eyes,
    /// not translated.
    pub detail: Option<String>,
}

/// Where the bytes of a recorded stretch are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    Edge,
    Centre,
    Both,
}

/// What is known of a stretch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum State {
    Recorded {
        place: Place,
    },
    Missing {
        reason: Reason,
        cause: Cause,
    },
    /// The site has not reported this far yet.
    NotYetReported,
    /// Reported as complete, and yet neither recorded nor explained.
    Unexplained,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    pub range: TimeRange,
    #[serde(flatten)]
    pub state: State,
}

/// A recorded stretch, as read from fragment indexes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Coverage {
    pub range: TimeRange,
    pub place: Place,
}

/// What a timeline is computed from.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// In any order, overlaps allowed.
    pub coverage: Vec<Coverage>,
    /// In any order, overlaps allowed.
    pub missing: Vec<(TimeRange, Reason)>,
    /// Everything before this instant has been reported by the site.
    pub reported_until: WallTime,
    /// Since when the stream is known at all; nothing is expected before.
    pub known_since: WallTime,
}

/// Splits `range` into spans that touch, do not overlap, and together are exactly `range` (less
/// what lies before `known_since`).
///
/// Where facts contradict each other: a deletion outranks coverage, coverage outranks every other
/// reason (a ledger entry estimated too wide must not hide footage), and among reasons the one that
/// began last wins. Holes in coverage of at most `tolerance` between two recorded stretches are
/// bridged; that is for the rounding of frame durations, not for lost pictures.
pub fn build(range: TimeRange, facts: &Facts, tolerance: Duration) -> Vec<Span> {
    let Some(range) = TimeRange::new(facts.known_since, WallTime::MAX)
        .ok()
        .and_then(|known| known.intersection(&range))
    else {
        return Vec::new();
    };
    let deleted: Vec<_> = facts
        .missing
        .iter()
        .copied()
        .filter(|(_, reason)| reason.is_deletion())
        .collect();
    let explained: Vec<_> = facts
        .missing
        .iter()
        .copied()
        .filter(|(_, reason)| !reason.is_deletion())
        .collect();
    let mut layers = Layers::new(range);
    layers.paint(
        deleted
            .into_iter()
            .map(|(range, reason)| (range, missing(reason))),
    );
    layers.paint(
        bridge(&facts.coverage, tolerance)
            .into_iter()
            .map(|c| (c.range, State::Recorded { place: c.place })),
    );
    layers.paint(
        latest_first(explained)
            .into_iter()
            .map(|(range, reason)| (range, missing(reason))),
    );
    layers.finish(facts.reported_until)
}

/// The union of ranges: sorted, disjoint, and with holes of at most `tolerance` closed.
pub fn merge(ranges: impl IntoIterator<Item = TimeRange>, tolerance: Duration) -> Vec<TimeRange> {
    let mut sorted: Vec<_> = ranges
        .into_iter()
        .filter(|range| !range.is_empty())
        .collect();
    sorted.sort_by_key(TimeRange::start);
    let mut merged: Vec<TimeRange> = Vec::with_capacity(sorted.len());
    for range in sorted {
        match merged.last_mut() {
            Some(last) if range.start() <= last.end() + tolerance => *last = hull(*last, range),
            _ => merged.push(range),
        }
    }
    merged
}

/// What is left of `range` after taking away `taken` (in any order).
pub fn subtract(range: TimeRange, taken: impl IntoIterator<Item = TimeRange>) -> Vec<TimeRange> {
    let mut left = Vec::new();
    let mut cursor = range.start();
    for hole in merge(taken, Duration::ZERO) {
        if let Some(piece) = TimeRange::new(cursor, hole.start().min(range.end()))
            .ok()
            .filter(|piece| !piece.is_empty())
        {
            left.push(piece);
        }
        cursor = cursor.max(hole.end());
    }
    if let Some(piece) = TimeRange::new(cursor, range.end())
        .ok()
        .filter(|piece| !piece.is_empty())
    {
        left.push(piece);
    }
    left
}

/// Total length of disjoint or overlapping ranges, each instant counted once.
pub fn total(ranges: impl IntoIterator<Item = TimeRange>) -> Duration {
    merge(ranges, Duration::ZERO)
        .iter()
        .map(TimeRange::duration)
        .sum()
}

const fn missing(reason: Reason) -> State {
    State::Missing {
        reason,
        cause: reason.cause(),
    }
}

fn hull(one: TimeRange, other: TimeRange) -> TimeRange {
    let start = one.start().min(other.start());
    TimeRange::starting_at(
        start,
        one.end().max(other.end()).saturating_duration_since(start),
    )
}

/// Ranges that began later come first, so that they are painted first.
fn latest_first(mut reasons: Vec<(TimeRange, Reason)>) -> Vec<(TimeRange, Reason)> {
    reasons.sort_by_key(|(range, reason)| (std::cmp::Reverse(range.start()), *reason));
    reasons
}

/// Coverage in order, with holes of at most `tolerance` closed by stretching the earlier piece; the
/// better place first where pieces overlap.
fn bridge(coverage: &[Coverage], tolerance: Duration) -> Vec<Coverage> {
    let mut sorted: Vec<_> = coverage
        .iter()
        .copied()
        .filter(|piece| !piece.range.is_empty())
        .collect();
    sorted.sort_by_key(|piece| (piece.range.start(), piece.range.end()));
    let mut end = WallTime::MIN;
    let mut longest: Option<usize> = None;
    for index in 0..sorted.len() {
        let start = sorted[index].range.start();
        if let Some(previous) = longest.filter(|_| end < start && start <= end + tolerance) {
            sorted[previous].range = hull(
                sorted[previous].range,
                TimeRange::starting_at(end, start.saturating_duration_since(end)),
            );
        }
        if sorted[index].range.end() >= end {
            end = sorted[index].range.end();
            longest = Some(index);
        }
    }
    sorted.sort_by_key(|piece| (std::cmp::Reverse(piece.place), piece.range.start()));
    sorted
}

/// A range being painted from the most certain layer to the least: what is painted once stays.
struct Layers {
    painted: Vec<Span>,
    bare: Vec<TimeRange>,
}

impl Layers {
    fn new(range: TimeRange) -> Self {
        Self {
            painted: Vec::new(),
            bare: if range.is_empty() {
                Vec::new()
            } else {
                vec![range]
            },
        }
    }

    /// Paints each stretch where nothing has been painted yet.
    fn paint(&mut self, stretches: impl Iterator<Item = (TimeRange, State)>) {
        for (stretch, state) in stretches {
            let first = self
                .bare
                .partition_point(|bare| bare.end() <= stretch.start());
            let last = self
                .bare
                .partition_point(|bare| bare.start() < stretch.end());
            if first >= last {
                continue;
            }
            let touched: Vec<_> = self.bare[first..last].to_vec();
            let mut left = Vec::new();
            for bare in touched {
                if let Some(range) = bare.intersection(&stretch) {
                    self.painted.push(Span { range, state });
                }
                left.extend(subtract(bare, [stretch]));
            }
            self.bare.splice(first..last, left);
        }
    }

    /// Names what is still bare, and joins neighbours of one state.
    fn finish(mut self, reported_until: WallTime) -> Vec<Span> {
        for bare in std::mem::take(&mut self.bare) {
            let edge = reported_until.clamp(bare.start(), bare.end());
            let pieces = [
                (bare.start(), edge, State::Unexplained),
                (edge, bare.end(), State::NotYetReported),
            ];
            for (start, end, state) in pieces {
                if let Ok(range) = TimeRange::new(start, end)
                    && !range.is_empty()
                {
                    self.painted.push(Span { range, state });
                }
            }
        }
        self.painted.sort_by_key(|span| span.range.start());
        let mut spans: Vec<Span> = Vec::with_capacity(self.painted.len());
        for span in self.painted {
            match spans.last_mut() {
                Some(last)
                    if last.state == span.state && last.range.end() == span.range.start() =>
                {
                    last.range = hull(last.range, span.range)
                }
                _ => spans.push(span),
            }
        }
        spans
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn range(start: i64, end: i64) -> TimeRange {
        TimeRange::new(WallTime::from_secs(start), WallTime::from_secs(end)).unwrap()
    }

    fn recorded(start: i64, end: i64, place: Place) -> Coverage {
        Coverage {
            range: range(start, end),
            place,
        }
    }

    #[test]
    fn the_list_of_all_reasons_is_complete() {
        let positions: Vec<_> = Reason::ALL.iter().map(|reason| *reason as usize).collect();
        assert_eq!(positions, (0..positions.len()).collect::<Vec<_>>());
        assert_eq!(
            Reason::ALL.len(),
            Reason::ExpiredBeforeUpload as usize + 1,
            "the last one declared"
        );
    }

    #[test]
    fn an_outage_is_shown_with_its_reason_and_the_future_as_not_reported() {
        let facts = Facts {
            coverage: vec![recorded(0, 10, Place::Both), recorded(20, 30, Place::Edge)],
            missing: vec![(range(9, 21), Reason::CameraStalled)],
            reported_until: WallTime::from_secs(30),
            known_since: WallTime::MIN,
        };
        let spans = build(range(0, 40), &facts, Duration::ZERO);
        assert_eq!(
            spans,
            [
                Span {
                    range: range(0, 10),
                    state: State::Recorded { place: Place::Both }
                },
                Span {
                    range: range(10, 20),
                    state: missing(Reason::CameraStalled)
                },
                Span {
                    range: range(20, 30),
                    state: State::Recorded { place: Place::Edge }
                },
                Span {
                    range: range(30, 40),
                    state: State::NotYetReported
                },
            ]
        );
    }

    #[test]
    fn nothing_is_expected_before_the_stream_was_known() {
        let facts = Facts {
            reported_until: WallTime::from_secs(100),
            known_since: WallTime::from_secs(50),
            ..Facts::default()
        };
        assert_eq!(
            build(range(0, 60), &facts, Duration::ZERO),
            [Span {
                range: range(50, 60),
                state: State::Unexplained
            }]
        );
        assert_eq!(build(range(0, 50), &facts, Duration::ZERO), []);
    }

    #[test]
    fn rounding_between_fragments_is_bridged_and_a_lost_second_is_not() {
        let facts = Facts {
            coverage: vec![
                recorded(0, 10, Place::Centre),
                recorded(11, 20, Place::Centre),
                recorded(25, 30, Place::Centre),
            ],
            reported_until: WallTime::from_secs(30),
            known_since: WallTime::MIN,
            ..Facts::default()
        };
        let spans = build(range(0, 30), &facts, Duration::from_secs(1));
        assert_eq!(
            spans.iter().map(|span| span.range).collect::<Vec<_>>(),
            [range(0, 20), range(20, 25), range(25, 30)]
        );
        assert_eq!(spans[1].state, State::Unexplained);
    }

    fn any_range() -> impl Strategy<Value = TimeRange> {
        (0_i64..60, 0_i64..20).prop_map(|(start, length)| range(start, start + length))
    }

    fn any_reason() -> impl Strategy<Value = Reason> {
        prop_oneof![
            Just(Reason::CameraStalled),
            Just(Reason::DiskFull),
            Just(Reason::RecordingOff),
            Just(Reason::ExpiredByAge),
            Just(Reason::AgentCrashed)
        ]
    }

    fn any_place() -> impl Strategy<Value = Place> {
        prop_oneof![Just(Place::Edge), Just(Place::Centre), Just(Place::Both)]
    }

    /// Second by second, the way a person would work it out.
    fn naive(second: i64, facts: &Facts) -> State {
        let at = WallTime::from_secs(second);
        let deleted = facts
            .missing
            .iter()
            .find(|(range, reason)| reason.is_deletion() && range.contains(at));
        let place = facts
            .coverage
            .iter()
            .filter(|piece| piece.range.contains(at))
            .map(|piece| piece.place)
            .max();
        let reason = facts
            .missing
            .iter()
            .filter(|(range, reason)| !reason.is_deletion() && range.contains(at))
            .min_by_key(|(range, reason)| (std::cmp::Reverse(range.start()), *reason));
        match (deleted, place, reason) {
            (Some((_, reason)), _, _) => missing(*reason),
            (None, Some(place), _) => State::Recorded { place },
            (None, None, Some((_, reason))) => missing(*reason),
            (None, None, None) if at < facts.reported_until => State::Unexplained,
            (None, None, None) => State::NotYetReported,
        }
    }

    proptest! {
        #[test]
        fn build_agrees_with_counting_seconds(
            coverage in prop::collection::vec((any_range(), any_place()), 0..8),
            missing in prop::collection::vec((any_range(), any_reason()), 0..8),
            reported in 0_i64..80,
        ) {
            let facts = Facts {
                coverage: coverage.into_iter().map(|(range, place)| Coverage { range, place }).collect(),
                missing,
                reported_until: WallTime::from_secs(reported),
                known_since: WallTime::MIN,
            };
            let whole = range(5, 70);
            let spans = build(whole, &facts, Duration::ZERO);
            prop_assert_eq!(spans.first().unwrap().range.start(), whole.start());
            prop_assert_eq!(spans.last().unwrap().range.end(), whole.end());
            for pair in spans.windows(2) {
                prop_assert_eq!(pair[0].range.end(), pair[1].range.start());
                prop_assert_ne!(pair[0].state, pair[1].state);
            }
            for second in 5..70 {
                let at = WallTime::from_secs(second);
                let state = spans.iter().find(|span| span.range.contains(at)).unwrap().state;
                prop_assert_eq!(state, naive(second, &facts), "second {}", second);
            }
        }

        #[test]
        fn merge_and_subtract_split_a_range(ranges in prop::collection::vec(any_range(), 0..8)) {
            let whole = range(0, 80);
            let merged = merge(ranges.clone(), Duration::ZERO);
            let left = subtract(whole, ranges);
            prop_assert_eq!(total(merged.clone()) + total(left.clone()), whole.duration());
            for one in &merged {
                for other in &left {
                    prop_assert!(one.intersection(other).is_none());
                }
            }
        }
    }
}
