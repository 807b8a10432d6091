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

#[cfg(test)]
mod tests {
    use shared::id::LedgerId;
    use shared::testing::{Segment as Built, SegmentBuilder};
    use shared::timeline::LedgerEntry;
    use shared::wire::segment::{RecordBody, Report, Watermark};

    use super::super::access::Actor;
    use super::super::agents::AgentGrant;
    use super::super::testing::{NOW, World};
    use super::*;

    struct Stage {
        world: World,
        agent: AgentGrant,
        actor: Actor,
        segments: Vec<Built>,
    }

    impl Stage {
        /// Three segments of two seconds in a row.
        async fn new() -> Self {
            let world = World::new().await;
            let (agent, actor) = (world.agent().await, world.administrator().await);
            let first = SegmentBuilder::new(NOW);
            let segments: Vec<_> = std::iter::successors(Some(first), |last| Some(last.next()))
                .take(3)
                .map(|builder| builder.build())
                .collect();
            let all: Vec<_> = segments.iter().collect();
            world.report(&agent, &all).await;
            Self {
                world,
                agent,
                actor,
                segments,
            }
        }

        async fn timeline(&self, seconds: i64) -> Timeline {
            let grant = self
                .world
                .grant(&self.actor, &self.segments[0], Deed::ViewCamera)
                .await;
            let range = range(0, seconds);
            let timeline = self
                .world
                .services
                .timeline
                .timeline(&grant, StreamKind::Main, range);
            timeline.await.unwrap()
        }

        async fn reported_until(&self, seconds: i64) {
            let report = Report {
                records: Vec::new(),
                growing: Vec::new(),
                watermarks: vec![Watermark {
                    camera: self.segments[0].meta.head.camera,
                    stream: StreamKind::Main,
                    reported_until: range(0, seconds).end(),
                }],
            };
            let ingest = &self.world.services.ingest;
            ingest.report(&self.agent, report).await.unwrap();
        }

        fn gap(&self, from: i64, to: i64, reason: Reason) -> RecordBody {
            RecordBody::Gap(LedgerEntry {
                id: LedgerId::new(NOW),
                camera: self.segments[0].meta.head.camera,
                stream: StreamKind::Main,
                range: range(from, to),
                reason,
                detail: None,
            })
        }

        fn evicted(&self, segment: usize) -> RecordBody {
            RecordBody::Evicted {
                segment: self.segments[segment].meta.head.id,
                at: NOW,
            }
        }
    }

    fn range(from: i64, to: i64) -> TimeRange {
        let at = |seconds: i64| NOW.offset_micros(seconds * 1_000_000);
        TimeRange::new(at(from), at(to)).unwrap()
    }

    const fn recorded(place: Place) -> State {
        State::Recorded { place }
    }

    const fn missing(reason: Reason) -> State {
        State::Missing {
            reason,
            cause: reason.cause(),
        }
    }

    fn states(timeline: &Timeline) -> Vec<(i64, State)> {
        let end = |span: &Span| span.range.end().micros_since(NOW) / 1_000_000;
        timeline
            .spans
            .iter()
            .map(|span| (end(span), span.state))
            .collect()
    }

    #[tokio::test]
    async fn the_answer_stands_while_the_site_is_offline() {
        let stage = Stage::new().await;
        stage.world.upload(&stage.agent, &stage.segments[0]).await;
        let gap = stage.gap(6, 9, Reason::CameraStalled);
        stage.world.report_records(&stage.agent, vec![gap]).await;
        let before = stage.timeline(12).await;
        assert_eq!(before.reported_until, None);
        assert!(!before.complete);
        stage.reported_until(10).await;
        let timeline = stage.timeline(12).await;
        assert_eq!(
            states(&timeline),
            [
                (2, recorded(Place::Both)),
                (6, recorded(Place::Edge)),
                (9, missing(Reason::CameraStalled)),
                (10, State::Unexplained),
                (12, State::NotYetReported),
            ]
        );
        let seconds = Duration::from_secs;
        assert_eq!(
            timeline.totals,
            Totals {
                recorded: seconds(6),
                edge_only: seconds(4),
                missing: seconds(3),
                policy: Duration::ZERO,
                not_yet_reported: seconds(2),
                unexplained: seconds(1),
            }
        );
        assert!(!timeline.complete);
        assert!(stage.timeline(9).await.complete);
    }

    #[tokio::test]
    async fn what_the_site_deleted_is_not_gone_while_the_centre_has_it() {
        let stage = Stage::new().await;
        stage.world.upload(&stage.agent, &stage.segments[1]).await;
        let expired = stage.gap(0, 6, Reason::ExpiredByAge);
        let records = vec![
            expired,
            stage.evicted(0),
            stage.evicted(1),
            stage.evicted(2),
        ];
        stage.world.report_records(&stage.agent, records).await;
        stage.reported_until(6).await;
        let timeline = stage.timeline(6).await;
        assert_eq!(
            states(&timeline),
            [
                (2, missing(Reason::ExpiredByAge)),
                (4, recorded(Place::Centre)),
                (6, missing(Reason::ExpiredByAge)),
            ]
        );
        assert_eq!(timeline.totals.policy, Duration::from_secs(4));
    }

    #[tokio::test]
    async fn what_the_centre_lost_is_said() {
        let stage = Stage::new().await;
        let built = &stage.segments[1];
        stage.world.upload(&stage.agent, built).await;
        let records = vec![stage.evicted(1), stage.gap(2, 4, Reason::ExpiredBySpace)];
        stage.world.report_records(&stage.agent, records).await;
        let segment = stage
            .world
            .services
            .timeline
            .store
            .segment(built.meta.head.id)
            .await;
        let path = segment.unwrap().unwrap().object.unwrap();
        std::fs::remove_file(stage.world.object_file(&path)).unwrap();
        stage.world.services.storage.reconcile().await.unwrap();
        stage.reported_until(6).await;
        let states = states(&stage.timeline(6).await);
        assert_eq!(states[1].0, 4);
        let State::Missing { reason, .. } = states[1].1 else {
            panic!("{states:?}");
        };
        assert!(matches!(
            reason,
            Reason::FileDamaged | Reason::ExpiredBySpace
        ));
    }

    #[tokio::test]
    async fn footage_under_a_wrong_clock_is_footage() {
        let stage = Stage::new().await;
        let early = SegmentBuilder {
            camera: stage.segments[0].meta.head.camera,
            ..SegmentBuilder::new(NOW - Duration::from_secs(3_600))
        };
        let early = early.build();
        stage.world.report(&stage.agent, &[&early]).await;
        let grant = stage
            .world
            .grant(&stage.actor, &early, Deed::ViewCamera)
            .await;
        let whole = TimeRange::new(NOW - Duration::from_secs(4_000), NOW).unwrap();
        let timeline = stage
            .world
            .services
            .timeline
            .timeline(&grant, StreamKind::Main, whole);
        let timeline = timeline.await.unwrap();
        assert_eq!(timeline.totals.recorded, Duration::from_secs(2));
        let long = TimeRange::starting_at(NOW, MAX_RANGE + Duration::from_secs(1));
        let refused = stage
            .world
            .services
            .timeline
            .timeline(&grant, StreamKind::Main, long);
        assert!(matches!(refused.await.unwrap_err(), TimelineError::TooLong));
    }
}
