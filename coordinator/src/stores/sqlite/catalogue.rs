//! Segments, the ledger and the watermarks.

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, Row, params};
use shared::id::{AgentId, CameraId, RunId, SegmentId};
use shared::segment::{FragmentMeta, SegmentHead, StreamKind};
use shared::time::{TimeRange, WallTime};
use shared::timeline::{Reason, merge};

use super::columns::{Blob, Code, Count, Json, Name, Us, range as range_of};
use super::footage;
use super::report::Applying;
use super::{SqlError, Sqlite};
use crate::domain::segment::{
    CentreCopy, EdgeCopy, Footage, Fragment, MAX_SPAN, ROUNDING, Segment,
};
use crate::stores::packed::{Packed, unpack};
use crate::stores::{Applied, Catalogue, Numbered, Piece, Result, StreamFacts};

pub(super) const SEGMENT: &str = "select s.id, s.camera_id, s.stream, s.run_id, s.init_length,
    s.init_sha256, t.tracks, s.wall_uncertainty_us, s.agent_id, s.start_us, s.end_us, s.size,
    s.root, s.edge, s.centre, s.object
    from segments s join track_lists t on t.number = s.track_list";

#[async_trait]
impl Catalogue for Sqlite {
    async fn apply(
        &self,
        agent: AgentId,
        changes: Vec<Numbered>,
        through: Option<u64>,
        at: WallTime,
    ) -> Result<Applied> {
        self.write("store a report", move |sql| {
            let mut applying = Applying {
                sql,
                agent,
                at,
                applied: Applied::default(),
            };
            for (index, change) in changes.into_iter().enumerate() {
                applying.apply(index, change)?;
            }
            if let Some(through) = through {
                sql.prepare_cached("update agents set acknowledged = ?2 where id = ?1")?
                    .execute(params![Blob(agent), Count(through)])?;
            }
            Ok(applying.applied)
        })
        .await
    }

    async fn segment(&self, id: SegmentId) -> Result<Option<Segment>> {
        self.read("look up a segment", move |sql| {
            let mut found = sql.prepare_cached(&format!("{SEGMENT} where s.id = ?1"))?;
            Ok(found.query_row([Blob(id)], read_segment).optional()?)
        })
        .await
    }

    async fn fragments(&self, id: SegmentId) -> Result<Vec<FragmentMeta>> {
        self.read("read the fragments of a segment", move |sql| {
            let mut closed = sql.prepare_cached(
                "select s.fragments, h.hashes
                from segments s join segment_hashes h on h.number = s.number where s.id = ?1",
            )?;
            let packed = closed.query_row([Blob(id)], read_packed).optional()?;
            match packed {
                Some(packed) => Ok(unpack(&packed)?),
                None => growing_fragments(sql, id),
            }
        })
        .await
    }

    async fn facts(
        &self,
        camera: CameraId,
        stream: StreamKind,
        range: TimeRange,
    ) -> Result<StreamFacts> {
        self.read("read a timeline", move |sql| {
            Ok(StreamFacts {
                pieces: pieces(sql, camera, stream, range)?,
                missing: missing(sql, camera, stream, range)?,
                reported_until: watermark(sql, camera, stream)?,
            })
        })
        .await
    }

    async fn footage(
        &self,
        camera: CameraId,
        stream: StreamKind,
        range: TimeRange,
    ) -> Result<Vec<Footage>> {
        self.read("read the footage of a range", move |sql| {
            footage::in_range(sql, camera, stream, range)
        })
        .await
    }

    async fn footage_before(
        &self,
        run: RunId,
        before: WallTime,
        limit: usize,
    ) -> Result<Vec<Footage>> {
        self.read("read the footage before a range", move |sql| {
            footage::before(sql, run, before, limit)
        })
        .await
    }

    async fn live_footage(
        &self,
        camera: CameraId,
        stream: StreamKind,
        from: Option<SegmentId>,
        limit: usize,
    ) -> Result<Vec<Footage>> {
        self.read("read the newest footage", move |sql| {
            footage::live(sql, camera, stream, from, limit)
        })
        .await
    }

    async fn set_aside(&self) -> Result<u64> {
        self.read("count records set aside", |sql| {
            let mut totals = sql.prepare_cached("select records_set_aside from totals")?;
            Ok(totals.query_row([], |row| row.get::<_, Count>(0))?.0)
        })
        .await
    }
}

pub(super) fn read_segment(row: &Row<'_>) -> rusqlite::Result<Segment> {
    Ok(Segment {
        head: SegmentHead {
            id: row.get::<_, Blob<_>>(0)?.0,
            camera: row.get::<_, Blob<_>>(1)?.0,
            stream: row.get::<_, Code<_>>(2)?.0,
            run: row.get::<_, Blob<_>>(3)?.0,
            init_length: row.get(4)?,
            init_sha256: row.get::<_, Blob<_>>(5)?.0,
            tracks: row.get::<_, Json<_>>(6)?.0,
            wall_uncertainty_us: row.get::<_, Option<Count>>(7)?.map(|us| us.0),
        },
        agent: row.get::<_, Blob<_>>(8)?.0,
        range: range_of(row.get::<_, Us>(9)?.0, row.get::<_, Us>(10)?.0),
        size: row.get::<_, Count>(11)?.0,
        root: row.get::<_, Option<Blob<_>>>(12)?.map(|root| root.0),
        edge: row.get::<_, Code<_>>(13)?.0,
        centre: row.get::<_, Code<_>>(14)?.0,
        object: row.get(15)?,
    })
}

fn read_packed(row: &Row<'_>) -> rusqlite::Result<Packed> {
    Ok(Packed {
        figures: row.get(0)?,
        hashes: row.get(1)?,
    })
}

fn growing_fragments(sql: &Connection, id: SegmentId) -> Result<Vec<FragmentMeta>, SqlError> {
    let mut growing = sql.prepare_cached(
        "select g.fragments, g.hashes
        from growth g join segments s on s.number = g.number where s.id = ?1 order by g.first",
    )?;
    let mut fragments = Vec::new();
    for packed in growing.query_map([Blob(id)], read_packed)? {
        fragments.extend(unpack(&packed?)?);
    }
    Ok(fragments)
}

/// Coverage of the range. Mostly read from the index alone; only segments with holes are opened.
fn pieces(
    sql: &Connection,
    camera: CameraId,
    stream: StreamKind,
    range: TimeRange,
) -> Result<Vec<Piece>, SqlError> {
    let mut segments = sql.prepare_cached(
        "select start_us, end_us, edge, centre, solid, number from segments
        where camera_id = ?1 and stream = ?2 and start_us > ?3 and start_us < ?4 and end_us > ?5
        and (edge <> 2 or centre <> 0)
        order by start_us",
    )?;
    let mut rows = segments.query(params![
        Blob(camera),
        Code(stream),
        Us(range.start() - MAX_SPAN),
        Us(range.end()),
        Us(range.start()),
    ])?;
    let mut pieces = Vec::new();
    while let Some(row) = rows.next()? {
        let (edge, centre): (Code<EdgeCopy>, Code<CentreCopy>) = (row.get(2)?, row.get(3)?);
        let piece = |range| Piece {
            range,
            edge: edge.0,
            centre: centre.0,
        };
        if row.get(4)? {
            let whole = range_of(row.get::<_, Us>(0)?.0, row.get::<_, Us>(1)?.0);
            pieces.push(piece(whole));
        } else {
            let fragments = footage::fragments_of(sql, row.get(5)?)?;
            let covered = merge(fragments.iter().map(Fragment::wall_range), ROUNDING);
            pieces.extend(covered.into_iter().map(piece));
        }
    }
    Ok(pieces)
}

fn missing(
    sql: &Connection,
    camera: CameraId,
    stream: StreamKind,
    range: TimeRange,
) -> Result<Vec<(TimeRange, Reason)>, SqlError> {
    let mut entries = sql.prepare_cached(
        "select start_us, end_us, reason from ledger
        where camera_id = ?1 and stream = ?2 and end_us > ?3 and start_us < ?4",
    )?;
    let entries = entries.query_map(
        params![
            Blob(camera),
            Code(stream),
            Us(range.start()),
            Us(range.end())
        ],
        |row| {
            let range = range_of(row.get::<_, Us>(0)?.0, row.get::<_, Us>(1)?.0);
            Ok((range, row.get::<_, Name<_>>(2)?.0))
        },
    )?;
    Ok(entries.collect::<Result<_, _>>()?)
}

fn watermark(
    sql: &Connection,
    camera: CameraId,
    stream: StreamKind,
) -> Result<Option<WallTime>, SqlError> {
    let mut watermark = sql.prepare_cached(
        "select reported_until_us from watermarks where camera_id = ?1 and stream = ?2",
    )?;
    let until = watermark.query_row(params![Blob(camera), Code(stream)], |row| {
        row.get::<_, Us>(0)
    });
    Ok(until.optional()?.map(|until| until.0))
}
