//! Segments that are closed, deleted or discarded, and what is known of one.

use rusqlite::{Connection, OptionalExtension, params};
use shared::id::{AgentId, CameraId, SegmentId};
use shared::segment::{SegmentHead, SegmentMeta};
use shared::time::{TimeRange, WallTime};

use super::super::SqlError;
use super::super::columns::{Blob, Code, Count, Json, Us};
use super::{Applying, Met};
use crate::domain::segment::{CentreCopy, Disbelief, EdgeCopy, is_solid, span_of};
use crate::stores::packed::{Packed, pack};

impl Applying<'_> {
    pub(super) fn close(&self, meta: &SegmentMeta) -> Result<Met, SqlError> {
        let Some(range) = span_of(&meta.fragments) else {
            return Err(SqlError::Damaged("a closed segment is empty".to_owned()));
        };
        if let foreign @ Met::Foreign(_) = self.camera(meta.head.camera, range.start())? {
            return Ok(foreign);
        }
        let known = Known::find(self.sql, meta.head.id)?;
        if let Some(known) = &known {
            if !known.is_of(self.agent, &meta.head) {
                return Ok(Met::Foreign(Disbelief::ForeignSegment {
                    segment: meta.head.id,
                }));
            }
            if known.centre == CentreCopy::Stored {
                return Ok(Met::Ours);
            }
        }
        let number = match known {
            Some(known) => known.number,
            None => self.open(&meta.head, range, false)?,
        };
        self.write_closed(number, meta, range)?;
        Ok(Met::Ours)
    }

    fn write_closed(
        &self,
        number: i64,
        meta: &SegmentMeta,
        range: TimeRange,
    ) -> Result<(), SqlError> {
        let Packed { figures, hashes } = pack(&meta.fragments);
        self.sql
            .prepare_cached(
                "update segments set start_us = ?2, end_us = ?3, size = ?4, solid = ?5,
                    fragments = ?6, root = ?7, signature = ?8, init_length = ?9,
                    init_sha256 = ?10, track_list = ?11, wall_uncertainty_us = ?12,
                    edge = case edge when 2 then 2 else 1 end
                where number = ?1",
            )?
            .execute(params![
                number,
                Us(range.start()),
                Us(range.end()),
                Count(meta.size),
                is_solid(&meta.fragments),
                figures,
                Blob(meta.root),
                Blob(meta.signature),
                meta.head.init_length,
                Blob(meta.head.init_sha256),
                self.track_list(&meta.head)?,
                meta.head.wall_uncertainty_us.map(Count),
            ])?;
        self.sql
            .prepare_cached(
                "insert into segment_hashes (number, hashes) values (?1, ?2)
                on conflict (number) do update set hashes = excluded.hashes",
            )?
            .execute(params![number, hashes])?;
        self.sql
            .prepare_cached("delete from growth where number = ?1")?
            .execute([number])?;
        Ok(())
    }

    /// Enters a segment as growing; its number.
    pub(super) fn open(
        &self,
        head: &SegmentHead,
        range: TimeRange,
        live: bool,
    ) -> Result<i64, SqlError> {
        let opened = if live {
            Some(self.next_opened(head)?)
        } else {
            None
        };
        let number = self
            .sql
            .prepare_cached(
                "insert into segments (id, agent_id, camera_id, stream, run_id, init_length,
                    init_sha256, track_list, wall_uncertainty_us, start_us, end_us, size, edge,
                    solid, opened)
                values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, 1, ?14)",
            )?
            .insert(params![
                Blob(head.id),
                Blob(self.agent),
                Blob(head.camera),
                Code(head.stream),
                Blob(head.run),
                head.init_length,
                Blob(head.init_sha256),
                self.track_list(head)?,
                head.wall_uncertainty_us.map(Count),
                Us(range.start()),
                Us(range.end()),
                head.init_length,
                Code(EdgeCopy::Growing),
                opened,
            ])?;
        Ok(number)
    }

    fn next_opened(&self, head: &SegmentHead) -> Result<i64, SqlError> {
        let mut newest = self.sql.prepare_cached(
            "select opened from segments
            where camera_id = ?1 and stream = ?2 and opened is not null
            order by opened desc limit 1",
        )?;
        let newest: Option<i64> = newest
            .query_row(params![Blob(head.camera), Code(head.stream)], |row| {
                row.get(0)
            })
            .optional()?;
        Ok(newest.unwrap_or(0) + 1)
    }

    fn track_list(&self, head: &SegmentHead) -> Result<i64, SqlError> {
        let tracks = Json(&head.tracks);
        let mut known = self
            .sql
            .prepare_cached("select number from track_lists where tracks = ?1")?;
        match known.query_row([&tracks], |row| row.get(0)).optional()? {
            Some(number) => Ok(number),
            None => Ok(self
                .sql
                .prepare_cached("insert into track_lists (tracks) values (?1)")?
                .insert([&tracks])?),
        }
    }

    /// A segment that is nowhere any more leaves the catalogue, unless an upload has begun: the
    /// copy on its way may be the only one.
    pub(super) fn evict(&self, segment: SegmentId, at: WallTime) -> Result<Met, SqlError> {
        let Some(known) = Known::find(self.sql, segment)? else {
            return Ok(Met::Ours);
        };
        if known.agent != self.agent {
            return Ok(Met::Foreign(Disbelief::ForeignSegment { segment }));
        }
        self.sql
            .prepare_cached(
                "update segments set edge = 2, evicted_us = coalesce(evicted_us, ?2)
                where number = ?1",
            )?
            .execute(params![known.number, Us(at)])?;
        self.sql
            .prepare_cached(
                "delete from segments where number = ?1 and centre = 0 and object is null",
            )?
            .execute([known.number])?;
        Ok(Met::Ours)
    }

    pub(super) fn discard(&self, segment: SegmentId) -> Result<Met, SqlError> {
        let Some(known) = Known::find(self.sql, segment)? else {
            return Ok(Met::Ours);
        };
        if known.agent != self.agent {
            return Ok(Met::Foreign(Disbelief::ForeignSegment { segment }));
        }
        self.sql
            .prepare_cached("delete from segments where number = ?1 and edge = 0")?
            .execute([known.number])?;
        Ok(Met::Ours)
    }
}

/// A segment as far as these decisions need it.
pub(super) struct Known {
    pub(super) number: i64,
    pub(super) agent: AgentId,
    pub(super) camera: CameraId,
    pub(super) edge: EdgeCopy,
    pub(super) centre: CentreCopy,
    pub(super) size: u64,
    pub(super) range: TimeRange,
    pub(super) solid: bool,
}

impl Known {
    pub(super) fn find(sql: &Connection, id: SegmentId) -> Result<Option<Self>, SqlError> {
        let mut found = sql.prepare_cached(
            "select number, agent_id, camera_id, edge, centre, size, start_us, end_us, solid
            from segments where id = ?1",
        )?;
        let known = found.query_row([Blob(id)], |row| {
            Ok(Self {
                number: row.get(0)?,
                agent: row.get::<_, Blob<_>>(1)?.0,
                camera: row.get::<_, Blob<_>>(2)?.0,
                edge: row.get::<_, Code<_>>(3)?.0,
                centre: row.get::<_, Code<_>>(4)?.0,
                size: row.get::<_, Count>(5)?.0,
                range: super::super::columns::range(row.get::<_, Us>(6)?.0, row.get::<_, Us>(7)?.0),
                solid: row.get(8)?,
            })
        });
        Ok(known.optional()?)
    }

    pub(super) fn is_of(&self, agent: AgentId, head: &SegmentHead) -> bool {
        self.agent == agent && self.camera == head.camera
    }
}
