//! Applying what an agent reports. Every function here runs inside the one transaction of a report.

mod closed;
mod growth;

use rusqlite::{Connection, OptionalExtension, params};
use serde::Serialize;
use shared::id::{AgentId, CameraId};
use shared::time::WallTime;
use shared::timeline::LedgerEntry;
use shared::wire::segment::Watermark;

use super::SqlError;
use super::columns::{Blob, Code, Count, Name, Us};
use crate::domain::segment::Disbelief;
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
