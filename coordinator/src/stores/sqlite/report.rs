//! Applying what an agent reports. Every function here runs inside the one transaction of a report.

use rusqlite::{Connection, OptionalExtension, params};
use serde::Serialize;
use shared::id::{AgentId, CameraId, SegmentId};
use shared::segment::{FragmentMeta, SegmentHead, SegmentMeta};
use shared::time::{TimeRange, WallTime};
use shared::timeline::LedgerEntry;
use shared::wire::segment::{Growth, Watermark};

use super::SqlError;
use super::columns::{Blob, Code, Count, Json, Name, Us};
use crate::domain::segment::{
    CentreCopy, Disbelief, EdgeCopy, MAX_FRAGMENTS, MAX_SPAN, ROUNDING, is_solid, span_of,
};
use crate::stores::packed::{Packed, pack};
use crate::stores::{Applied, Change, Numbered};

/// One report being applied.
pub(super) struct Applying<'a> {
    pub(super) sql: &'a Connection,
    pub(super) agent: AgentId,
    pub(super) at: WallTime,
    pub(super) applied: Applied,
}

/// What a change met.
enum Met {
    Ours,
    Foreign(Disbelief),
}

impl Applying<'_> {
    pub(super) fn apply(&mut self, index: usize, numbered: Numbered) -> Result<(), SqlError> {
        let seq = numbered.seq;
        match numbered.change {
            Change::Closed(meta) => {
                let met = self.close(&meta)?;
                self.note(index, seq, met, &meta)
            }
            Change::Gap(entry) => {
                let met = self.gap(&entry)?;
                self.note(index, seq, met, &entry)
            }
            Change::Evicted { segment, at } => {
                let met = self.evict(segment, at)?;
                self.note(index, seq, met, &segment)
            }
            Change::Discarded { segment } => {
                let met = self.discard(segment)?;
                self.note(index, seq, met, &segment)
            }
            Change::Grown(growth) => {
                if let Met::Foreign(_) = self.grow(&growth)? {
                    self.applied.foreign.push(index);
                }
                Ok(())
            }
            Change::Watermark(watermark) => {
                if let Met::Foreign(_) = self.watermark(&watermark)? {
                    self.applied.foreign.push(index);
                }
                Ok(())
            }
            Change::SetAside { reason, body } => self.set_aside(seq, &reason, &body.to_string()),
        }
    }

    fn note(
        &mut self,
        index: usize,
        seq: Option<u64>,
        met: Met,
        body: &impl Serialize,
    ) -> Result<(), SqlError> {
        let Met::Foreign(reason) = met else {
            return Ok(());
        };
        self.applied.foreign.push(index);
        let body = serde_json::to_string(body)
            .map_err(|error| SqlError::Damaged(format!("a record cannot be written: {error}")))?;
        self.set_aside(seq, &reason.to_string(), &body)
    }

    fn set_aside(&self, seq: Option<u64>, reason: &str, body: &str) -> Result<(), SqlError> {
        self.sql
            .prepare_cached(
                "insert into set_aside (agent_id, seq, reason, body, at_us)
                values (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![
                Blob(self.agent),
                seq.map(Count),
                reason,
                body,
                Us(self.at)
            ])?;
        self.sql
            .prepare_cached("update totals set records_set_aside = records_set_aside + 1")?
            .execute([])?;
        Ok(())
    }

    /// Whose camera it is; one that nobody has told of becomes this agent's.
    fn camera(&self, camera: CameraId, since: WallTime) -> Result<Met, SqlError> {
        let mut owner = self
            .sql
            .prepare_cached("select agent_id from cameras where id = ?1")?;
        let owner = owner.query_row([Blob(camera)], |row| row.get::<_, Blob<AgentId>>(0));
        match owner.optional()? {
            Some(owner) if owner.0 == self.agent => Ok(Met::Ours),
            Some(_) => Ok(Met::Foreign(Disbelief::ForeignCamera { camera })),
            None => {
                self.sql
                    .prepare_cached(
                        "insert into cameras (id, agent_id, name, since_us)
                        values (?1, ?2, ?3, ?4)",
                    )?
                    .execute(params![
                        Blob(camera),
                        Blob(self.agent),
                        camera.to_string(),
                        Us(since)
                    ])?;
                Ok(Met::Ours)
            }
        }
    }

    fn close(&self, meta: &SegmentMeta) -> Result<Met, SqlError> {
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
        Ok(Met::Ours)
    }

    /// Enters a segment as growing; its number.
    fn open(&self, head: &SegmentHead, range: TimeRange, live: bool) -> Result<i64, SqlError> {
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

    fn grow(&mut self, growth: &Growth) -> Result<Met, SqlError> {
        let Some(told) = span_of(&growth.fragments) else {
            return Ok(Met::Ours);
        };
        let id = growth.head.id;
        if let foreign @ Met::Foreign(_) = self.camera(growth.head.camera, told.start())? {
            return Ok(foreign);
        }
        let known = Known::find(self.sql, id)?;
        if let Some(known) = &known
            && !known.is_of(self.agent, &growth.head)
        {
            return Ok(Met::Foreign(Disbelief::ForeignSegment { segment: id }));
        }
        if known
            .as_ref()
            .is_some_and(|known| known.edge != EdgeCopy::Growing)
        {
            return Ok(Met::Ours);
        }
        let tail = match &known {
            Some(known) => Tail::find(self.sql, known)?,
            None => Tail::before_first(&growth.head, told),
        };
        let Some(new) = tail.continuation(growth) else {
            self.applied.unconnected.push(id);
            return Ok(Met::Ours);
        };
        if new.is_empty() {
            return Ok(Met::Ours);
        }
        let number = match known {
            Some(known) => known.number,
            None => self.open(&growth.head, told, true)?,
        };
        self.append(number, &tail, new)?;
        Ok(Met::Ours)
    }

    fn append(&self, number: i64, tail: &Tail, new: &[FragmentMeta]) -> Result<(), SqlError> {
        let Packed { figures, hashes } = pack(new);
        self.sql
            .prepare_cached(
                "insert into growth (number, first, count, fragments, hashes)
                values (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![
                number,
                tail.count as i64,
                new.len() as i64,
                figures,
                hashes
            ])?;
        let range = tail.range_with(new);
        self.sql
            .prepare_cached(
                "update segments set start_us = ?2, end_us = ?3, size = ?4, solid = ?5
                where number = ?1",
            )?
            .execute(params![
                number,
                Us(range.start()),
                Us(range.end()),
                Count(new.last().map_or(tail.size, FragmentMeta::end_offset)),
                tail.solid_with(new),
            ])?;
        Ok(())
    }

    fn gap(&self, entry: &LedgerEntry) -> Result<Met, SqlError> {
        if let foreign @ Met::Foreign(_) = self.camera(entry.camera, entry.range.start())? {
            return Ok(foreign);
        }
        let written = self
            .sql
            .prepare_cached(
                "insert into ledger (id, agent_id, camera_id, stream, start_us, end_us, reason,
                    detail)
                values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
                on conflict (id) do update set start_us = excluded.start_us,
                    end_us = excluded.end_us, reason = excluded.reason, detail = excluded.detail
                where agent_id = excluded.agent_id and camera_id = excluded.camera_id
                    and stream = excluded.stream",
            )?
            .execute(params![
                Blob(entry.id),
                Blob(self.agent),
                Blob(entry.camera),
                Code(entry.stream),
                Us(entry.range.start()),
                Us(entry.range.end()),
                Name(entry.reason),
                entry.detail,
            ])?;
        Ok(if written > 0 {
            Met::Ours
        } else {
            Met::Foreign(Disbelief::ForeignEntry)
        })
    }

    /// A segment that is nowhere any more leaves the catalogue, unless an upload has begun: the
    /// copy on its way may be the only one.
    fn evict(&self, segment: SegmentId, at: WallTime) -> Result<Met, SqlError> {
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

    fn discard(&self, segment: SegmentId) -> Result<Met, SqlError> {
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

    fn watermark(&self, watermark: &Watermark) -> Result<Met, SqlError> {
        let foreign = self.camera(watermark.camera, watermark.reported_until)?;
        if let Met::Foreign(_) = foreign {
            return Ok(foreign);
        }
        self.sql
            .prepare_cached(
                "insert into watermarks (camera_id, stream, reported_until_us) values (?1, ?2, ?3)
                on conflict (camera_id, stream) do update
                set reported_until_us = excluded.reported_until_us",
            )?
            .execute(params![
                Blob(watermark.camera),
                Code(watermark.stream),
                Us(watermark.reported_until)
            ])?;
        Ok(Met::Ours)
    }
}

/// A segment as far as these decisions need it.
struct Known {
    number: i64,
    agent: AgentId,
    camera: CameraId,
    edge: EdgeCopy,
    centre: CentreCopy,
    size: u64,
    range: TimeRange,
    solid: bool,
}

impl Known {
    fn find(sql: &Connection, id: SegmentId) -> Result<Option<Self>, SqlError> {
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
                range: super::columns::range(row.get::<_, Us>(6)?.0, row.get::<_, Us>(7)?.0),
                solid: row.get(8)?,
            })
        });
        Ok(known.optional()?)
    }

    fn is_of(&self, agent: AgentId, head: &SegmentHead) -> bool {
        self.agent == agent && self.camera == head.camera
    }
}

/// Where a growing segment stands.
struct Tail {
    /// Fragments known.
    count: usize,
    size: u64,
    range: TimeRange,
    solid: bool,
}

impl Tail {
    fn find(sql: &Connection, known: &Known) -> Result<Self, SqlError> {
        let mut count = sql.prepare_cached(
            "select first + count from growth where number = ?1 order by first desc limit 1",
        )?;
        let count: Option<i64> = count
            .query_row([known.number], |row| row.get(0))
            .optional()?;
        Ok(Self {
            count: usize::try_from(count.unwrap_or(0)).unwrap_or(usize::MAX),
            size: known.size,
            range: known.range,
            solid: known.solid,
        })
    }

    fn before_first(head: &SegmentHead, told: TimeRange) -> Self {
        Self {
            count: 0,
            size: head.init_length.into(),
            range: TimeRange::starting_at(told.start(), std::time::Duration::ZERO),
            solid: true,
        }
    }

    /// What of a growth is new; `None` when it does not continue what is known, or makes more of
    /// the segment than is believed.
    fn continuation<'a>(&self, growth: &'a Growth) -> Option<&'a [FragmentMeta]> {
        let first = usize::try_from(growth.first).ok()?;
        let known = self.count.checked_sub(first)?;
        let new = growth.fragments.get(known..).unwrap_or_default();
        let Some(next) = new.first() else {
            return Some(new);
        };
        let mut end = self.size;
        let connected = new.iter().all(|fragment| {
            let expected = std::mem::replace(&mut end, fragment.end_offset());
            fragment.offset == expected
        });
        let believed = self.count + new.len() <= MAX_FRAGMENTS
            && self.range_with(new).duration() < MAX_SPAN
            && next.offset == self.size;
        (connected && believed).then_some(new)
    }

    fn range_with(&self, new: &[FragmentMeta]) -> TimeRange {
        let Some(new) = span_of(new) else {
            return self.range;
        };
        let start = self.range.start().min(new.start());
        let end = self.range.end().max(new.end());
        super::columns::range(start, end)
    }

    fn solid_with(&self, new: &[FragmentMeta]) -> bool {
        let touches = new.first().is_some_and(|next| {
            let start = next.wall_start;
            start >= self.range.start()
                && start.saturating_duration_since(self.range.end()) <= ROUNDING
        });
        self.solid && touches && is_solid(new)
    }
}
