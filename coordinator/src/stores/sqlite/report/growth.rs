//! Segments as they grow.

use rusqlite::{Connection, OptionalExtension, params};
use shared::segment::{FragmentMeta, SegmentHead};
use shared::time::TimeRange;
use shared::wire::segment::Growth;

use super::super::SqlError;
use super::super::columns::{Count, Us};
use super::closed::Known;
use super::{Applying, Met};
use crate::domain::segment::{
    Disbelief, EdgeCopy, MAX_FRAGMENTS, MAX_SPAN, ROUNDING, is_solid, span_of,
};
use crate::stores::packed::{Packed, pack};

impl Applying<'_> {
    pub(super) fn grow(&mut self, growth: &Growth) -> Result<Met, SqlError> {
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
        super::super::columns::range(start, end)
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
