//! What planning asks of the closed segments: what to delete, what to upload, how much there is.
//! Statements only; the plans are made by [`retention`](crate::buffer::retention) and
//! [`sending`](crate::buffer).

use rusqlite::{Connection, Params, Row, params};
use shared::hash::Sha256;
use shared::id::{CameraId, SegmentId};
use shared::segment::StreamKind;
use shared::time::{TimeRange, WallTime};

use super::rows::{blob, camera_of, id_of, range, size, stream_of};

/// What planning needs to know of a closed segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holding {
    pub segment: SegmentId,
    pub camera: CameraId,
    pub stream: StreamKind,
    pub range: TimeRange,
    /// Bytes of the file.
    pub size: u64,
    pub uploaded: bool,
    /// Kept as evidence.
    pub locked: bool,
}

const HOLDING: &str =
    "select id, camera, stream, start_us, end_us, size_bytes, uploaded_us, locked from segment ";

fn holding(row: &Row<'_>) -> rusqlite::Result<Holding> {
    Ok(Holding {
        segment: id_of(row)?,
        camera: camera_of(row)?,
        stream: stream_of(row)?,
        range: range(row)?,
        size: size(row)?,
        uploaded: row.get::<_, Option<i64>>("uploaded_us")?.is_some(),
        locked: row.get("locked")?,
    })
}

fn holdings(
    connection: &Connection,
    condition: &str,
    parameters: impl Params,
) -> rusqlite::Result<Vec<Holding>> {
    connection
        .prepare_cached(&format!("{HOLDING}{condition}"))?
        .query_map(parameters, holding)?
        .collect()
}

/// The first `limit` closed segments in the order in which space is made.
pub(crate) fn next_to_evict(
    connection: &Connection,
    limit: usize,
) -> rusqlite::Result<Vec<Holding>> {
    holdings(
        connection,
        "where state = 1 order by locked, uploaded_us is null, end_us limit ?1",
        [i64::try_from(limit).unwrap_or(i64::MAX)],
    )
}

/// Closed segments of a camera that ended before `before` and are not evidence, oldest first; what
/// was not uploaded only on demand.
pub(crate) fn ended_before(
    connection: &Connection,
    camera: CameraId,
    before: WallTime,
    unsent_too: bool,
    limit: usize,
) -> rusqlite::Result<Vec<Holding>> {
    holdings(
        connection,
        "where state = 1 and camera = ?1 and stream in (0, 1) and end_us < ?2 and locked = 0
         and (?3 or uploaded_us is not null) order by end_us limit ?4",
        params![
            camera.as_bytes(),
            before.as_micros(),
            unsent_too,
            i64::try_from(limit).unwrap_or(i64::MAX)
        ],
    )
}

/// Acknowledged segments of a camera whose bytes have not been uploaded, oldest first; with
/// `events_only` those that overlap an event.
pub(crate) fn to_upload(
    connection: &Connection,
    camera: CameraId,
    ended_after: WallTime,
    events_only: bool,
    limit: usize,
) -> rusqlite::Result<Vec<(Holding, Sha256)>> {
    let events = overlapping_events(events_only);
    connection
        .prepare_cached(&format!(
            "select id, camera, stream, start_us, end_us, size_bytes, uploaded_us, locked, root
             from segment where state = 1 and uploaded_us is null and camera = ?1 and end_us >= ?2
             and record_seq <= (select acknowledged_seq from state) {events}
             order by end_us limit ?3"
        ))?
        .query_map(
            params![
                camera.as_bytes(),
                ended_after.as_micros(),
                i64::try_from(limit).unwrap_or(i64::MAX)
            ],
            |row| {
                Ok((
                    holding(row)?,
                    blob(row.get_ref("root")?.as_blob()?, Sha256::from_slice)?,
                ))
            },
        )?
        .collect()
}

/// How many closed segments of a camera have not been uploaded, acknowledged or not; with
/// `events_only` those that overlap an event.
pub(crate) fn count_to_upload(
    connection: &Connection,
    camera: CameraId,
    events_only: bool,
) -> rusqlite::Result<u64> {
    let events = overlapping_events(events_only);
    connection
        .prepare_cached(&format!(
            "select count(*) from segment
             where state = 1 and uploaded_us is null and camera = ?1 {events}"
        ))?
        .query_row(params![camera.as_bytes()], |row| {
            Ok(row.get::<_, i64>(0)?.cast_unsigned())
        })
}

/// A condition on rows of `segment`.
const fn overlapping_events(events_only: bool) -> &'static str {
    if events_only {
        "and exists (select 1 from event where event.camera = segment.camera
                     and event.start_us < segment.end_us and event.end_us > segment.start_us)"
    } else {
        ""
    }
}

/// Sums over all closed segments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    pub segments: u64,
    /// Bytes of their files.
    pub bytes: u64,
    /// Of those not uploaded yet.
    pub unsent_bytes: u64,
    /// Of those locked as evidence.
    pub locked_bytes: u64,
    /// Of those not uploaded and locked.
    pub unsent_locked_bytes: u64,
    /// End of the oldest segment.
    pub oldest: Option<WallTime>,
}

pub(crate) fn totals(connection: &Connection) -> rusqlite::Result<Totals> {
    connection
        .prepare_cached(
            "select held_segments, held_bytes, unsent_bytes, locked_bytes, unsent_locked_bytes,
                    (select min((select start_us from segment s where s.camera = t.camera
                                 and s.stream = t.stream and s.end_us is not null
                                 order by s.end_us limit 1)) from stream t) as oldest
             from state",
        )?
        .query_row([], |row| {
            let number = |column: &str| {
                row.get::<_, i64>(column)
                    .map(|number| u64::try_from(number).unwrap_or(0))
            };
            Ok(Totals {
                segments: number("held_segments")?,
                bytes: number("held_bytes")?,
                unsent_bytes: number("unsent_bytes")?,
                locked_bytes: number("locked_bytes")?,
                unsent_locked_bytes: number("unsent_locked_bytes")?,
                oldest: row
                    .get::<_, Option<i64>>("oldest")?
                    .map(WallTime::from_micros),
            })
        })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use shared::testing::SegmentBuilder;
    use shared::timeline::Reason;

    use super::super::segments::{
        begin_eviction, close, discard, finish_eviction, mark_uploaded, set_locked,
    };
    use super::*;
    use crate::buffer::index::ledger;
    use crate::buffer::index::tests::fresh;
    use crate::buffer::retention::eviction_order;

    #[derive(Clone, Debug)]
    enum Step {
        Close(usize),
        Upload(usize),
        Lock(usize, bool),
        BeginEviction(usize),
        FinishEviction(usize),
        Discard(usize),
    }

    fn any_step() -> impl Strategy<Value = Step> {
        let which = 0_usize..6;
        prop_oneof![
            3 => which.clone().prop_map(Step::Close),
            1 => which.clone().prop_map(Step::Upload),
            1 => (which.clone(), any::<bool>()).prop_map(|(n, locked)| Step::Lock(n, locked)),
            1 => which.clone().prop_map(Step::BeginEviction),
            1 => which.clone().prop_map(Step::FinishEviction),
            1 => which.prop_map(Step::Discard),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn totals_are_the_sums_and_rows_come_in_the_order_of_eviction(
            steps in prop::collection::vec(any_step(), 1..60)
        ) {
            let connection = fresh();
            let start = WallTime::from_secs(1_772_359_200);
            let first = SegmentBuilder::new(start);
            let mut builders = vec![first];
            for index in 0..5 {
                let mut next = builders[index].next();
                next.fragments = u32::try_from(index + 1).unwrap();
                builders.push(next);
            }
            let metas: Vec<_> = builders.iter().map(|builder| builder.build().meta).collect();
            let camera = metas[0].head.camera;
            ledger::register_stream(&connection, camera, StreamKind::Main, start).unwrap();
            for step in steps {
                match step {
                    Step::Close(n) => close(&connection, &metas[n], "path").unwrap(),
                    Step::Upload(n) => mark_uploaded(&connection, metas[n].head.id, start).unwrap(),
                    Step::Lock(n, locked) => {
                        let range = metas[n].wall_range().unwrap();
                        set_locked(&connection, camera, StreamKind::Main, range, locked).unwrap();
                    }
                    Step::BeginEviction(n) => {
                        begin_eviction(&connection, &[(metas[n].head.id, Reason::ExpiredBySpace)]).unwrap();
                    }
                    Step::FinishEviction(n) => {
                        finish_eviction(&connection, metas[n].head.id, Reason::ExpiredBySpace, start).unwrap();
                    }
                    Step::Discard(n) => discard(&connection, metas[n].head.id).unwrap(),
                }
            }
            let held = next_to_evict(&connection, usize::MAX).unwrap();
            prop_assert!(held.is_sorted_by_key(eviction_order));
            let sum = |wanted: &dyn Fn(&Holding) -> bool| -> u64 {
                held.iter().filter(|holding| wanted(holding)).map(|holding| holding.size).sum()
            };
            let totals = totals(&connection).unwrap();
            prop_assert_eq!(totals.segments, held.len() as u64);
            prop_assert_eq!(totals.bytes, sum(&|_| true));
            prop_assert_eq!(totals.unsent_bytes, sum(&|h| !h.uploaded));
            prop_assert_eq!(totals.locked_bytes, sum(&|h| h.locked));
            prop_assert_eq!(totals.unsent_locked_bytes, sum(&|h| h.locked && !h.uploaded));
        }
    }
}
