//! What is recorded of a stream, what is missing, and why; answered from the catalogue alone, so
//! also while the site is offline.

use std::sync::Arc;
use std::time::Duration;

use shared::segment::StreamKind;
use shared::time::{TimeRange, WallTime};
use shared::timeline::{Cause, Coverage, Facts, Place, Reason, Span, State, build, subtract};

use super::Parts;
use super::access::{AccessError, CameraGrant};
use crate::domain::access::Deed;
use crate::domain::segment::{CentreCopy, EdgeCopy, ROUNDING};
use crate::stores::{Piece, Store, StoreError, StreamFacts};

#[derive(Debug)]
pub struct Timelines {
    store: Arc<dyn Store>,
}

/// Spans that touch and together are the range, less what lies before the camera was known.
#[derive(Clone, Debug, PartialEq)]
pub struct Timeline {
    pub range: TimeRange,
    pub spans: Vec<Span>,
    pub totals: Totals,
    /// The site has reported the whole range, and every instant of it is recorded or explained.
    pub complete: bool,
    /// `None` until the site's first word.
    pub reported_until: Option<WallTime>,
}

/// Lengths; `recorded`, `missing`, `policy`, `not_yet_reported` and `unexplained` add up to the
/// spans.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    pub recorded: Duration,
    /// Of the recorded: those only at the site.
    pub edge_only: Duration,
    /// Missing for any cause but policy.
    pub missing: Duration,
    pub policy: Duration,
    pub not_yet_reported: Duration,
    pub unexplained: Duration,
}

/// The longest range of one timeline.
pub const MAX_RANGE: Duration = Duration::from_secs(31 * 24 * 3600);

#[derive(Debug, thiserror::Error)]
pub enum TimelineError {
    #[error(transparent)]
    Access(#[from] AccessError),
    #[error("a timeline covers at most 31 days")]
    TooLong,
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Timelines {
    pub(super) fn new(parts: &Parts) -> Self {
        Self {
            store: Arc::clone(&parts.store),
        }
    }

    /// # Errors
    /// The range is longer than [`MAX_RANGE`].
    pub async fn timeline(
        &self,
        grant: &CameraGrant,
        stream: StreamKind,
        range: TimeRange,
    ) -> Result<Timeline, TimelineError> {
        let camera = grant.for_deed(Deed::ViewCamera)?;
        if range.duration() > MAX_RANGE {
            return Err(TimelineError::TooLong);
        }
        let known = self.store.facts(camera.id, stream, range).await?;
        let reported_until = known.reported_until;
        let spans = build(range, &facts(known, camera.since), ROUNDING);
        let totals = Totals::of(&spans);
        let complete = reported_until.is_some_and(|until| until >= range.end())
            && totals.unexplained.is_zero()
            && totals.not_yet_reported.is_zero();
        Ok(Timeline {
            range,
            spans,
            totals,
            complete,
            reported_until,
        })
    }
}

/// The catalogue's rows in the terms of the timeline's algebra.
fn facts(known: StreamFacts, since: WallTime) -> Facts {
    let coverage: Vec<Coverage> = known.pieces.iter().filter_map(coverage).collect();
    let here: Vec<TimeRange> = coverage
        .iter()
        .filter(|piece| piece.place != Place::Edge)
        .map(|piece| piece.range)
        .collect();
    let mut missing = Vec::with_capacity(known.missing.len());
    for (range, reason) in known.missing {
        if reason.is_deletion() {
            // The agent speaks of its own copy; what the centre keeps is not gone.
            let gone = subtract(range, here.iter().copied());
            missing.extend(gone.into_iter().map(|range| (range, reason)));
        } else {
            missing.push((range, reason));
        }
    }
    missing.extend(known.pieces.iter().filter_map(lost));
    // Footage from before the camera was known, recorded under a wrong clock, is footage.
    let earliest = coverage.iter().map(|piece| piece.range.start()).min();
    Facts {
        coverage,
        missing,
        reported_until: known.reported_until.unwrap_or(WallTime::MIN),
        known_since: earliest.map_or(since, |earliest| earliest.min(since)),
    }
}

fn coverage(piece: &Piece) -> Option<Coverage> {
    let place = match (piece.edge, piece.centre) {
        (EdgeCopy::Deleted, CentreCopy::Stored) => Place::Centre,
        (EdgeCopy::Growing | EdgeCopy::Present, CentreCopy::Stored) => Place::Both,
        (EdgeCopy::Growing | EdgeCopy::Present, CentreCopy::Absent | CentreCopy::Lost) => {
            Place::Edge
        }
        (EdgeCopy::Deleted, CentreCopy::Absent | CentreCopy::Lost) => return None,
    };
    Some(Coverage {
        range: piece.range,
        place,
    })
}

/// What the centre alone had, and lost.
fn lost(piece: &Piece) -> Option<(TimeRange, Reason)> {
    let lost = matches!(
        (piece.edge, piece.centre),
        (EdgeCopy::Deleted, CentreCopy::Lost)
    );
    lost.then_some((piece.range, Reason::FileDamaged))
}

impl Totals {
    fn of(spans: &[Span]) -> Self {
        let mut totals = Self::default();
        for span in spans {
            let length = span.range.duration();
            let total = match span.state {
                State::Recorded { place } => {
                    if place == Place::Edge {
                        totals.edge_only += length;
                    }
                    &mut totals.recorded
                }
                State::Missing {
                    cause: Cause::Policy,
                    ..
                } => &mut totals.policy,
                State::Missing { .. } => &mut totals.missing,
                State::NotYetReported => &mut totals.not_yet_reported,
                State::Unexplained => &mut totals.unexplained,
            };
            *total += length;
        }
        totals
    }
}
