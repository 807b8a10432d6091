//! Objects on their way in and at rest.

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, params};
use shared::hash::Sha256;
use shared::id::SegmentId;
use shared::time::WallTime;

use super::audit::write_audit;
use super::catalogue::{SEGMENT, read_segment};
use super::columns::{Blob, Count, Us};
use super::{SqlError, Sqlite};
use crate::domain::audit::Entry;
use crate::domain::segment::Segment;
use crate::stores::{NewUpload, Owner, Result, UploadBegun, Uploads};

#[async_trait]
impl Uploads for Sqlite {
    async fn begin_upload(&self, upload: NewUpload, now: WallTime) -> Result<UploadBegun> {
        self.write("begin an upload", move |sql| {
            let Some(path) = fix_path(sql, &upload)? else {
                return Ok(UploadBegun::NoSegment);
            };
            let leased = sql
                .prepare_cached(
                    "insert into uploads (segment_id, owner, until_us) values (?1, ?2, ?3)
                    on conflict (segment_id) do update
                    set owner = excluded.owner, until_us = excluded.until_us
                    where owner = excluded.owner or until_us <= ?4",
                )?
                .execute(params![
                    Blob(upload.segment),
                    Blob(upload.owner),
                    Us(upload.until),
                    Us(now)
                ])?;
            if leased > 0 {
                return Ok(UploadBegun::Yes { path });
            }
            let until: Us = sql
                .prepare_cached("select until_us from uploads where segment_id = ?1")?
                .query_row([Blob(upload.segment)], |row| row.get(0))?;
            Ok(UploadBegun::Held { until: until.0 })
        })
        .await
    }

    async fn renew_upload(
        &self,
        segment: SegmentId,
        owner: Owner,
        until: WallTime,
    ) -> Result<bool> {
        self.write("prolong an upload", move |sql| {
            let renewed = sql
                .prepare_cached(
                    "update uploads set until_us = ?3 where segment_id = ?1 and owner = ?2",
                )?
                .execute(params![Blob(segment), Blob(owner), Us(until)])?;
            Ok(renewed > 0)
        })
        .await
    }

    async fn end_upload(&self, segment: SegmentId, owner: Owner) -> Result<()> {
        self.write("end an upload", move |sql| {
            sql.prepare_cached("delete from uploads where segment_id = ?1 and owner = ?2")?
                .execute(params![Blob(segment), Blob(owner)])?;
            Ok(())
        })
        .await
    }

    async fn mark_stored(&self, segment: SegmentId, root: Sha256, at: WallTime) -> Result<bool> {
        self.write("enter a stored segment", move |sql| {
            let mut known = sql.prepare_cached(
                "select centre = 1, size from segments
                where id = ?1 and root = ?2 and object is not null",
            )?;
            let known = known.query_row(params![Blob(segment), Blob(root)], |row| {
                Ok((row.get::<_, bool>(0)?, row.get::<_, Count>(1)?))
            });
            let Some((stored, size)) = known.optional()? else {
                return Ok(false);
            };
            if !stored {
                sql.prepare_cached("update segments set centre = 1, stored_us = ?2 where id = ?1")?
                    .execute(params![Blob(segment), Us(at)])?;
                sql.prepare_cached(
                    "update totals set stored_objects = stored_objects + 1,
                        stored_bytes = stored_bytes + ?1",
                )?
                .execute([size])?;
            }
            sql.prepare_cached("delete from uploads where segment_id = ?1")?
                .execute([Blob(segment)])?;
            Ok(true)
        })
        .await
    }

    async fn mark_lost(&self, segment: SegmentId, at: WallTime, audit: Entry) -> Result<()> {
        self.write("mark a segment as lost", move |sql| {
            let size = sql
                .prepare_cached(
                    "update segments set centre = 2, stored_us = coalesce(stored_us, ?2)
                    where id = ?1 and centre = 1 returning size",
                )?
                .query_row(params![Blob(segment), Us(at)], |row| row.get::<_, Count>(0))
                .optional()?;
            if let Some(size) = size {
                sql.prepare_cached(
                    "update totals set stored_objects = stored_objects - 1,
                        stored_bytes = stored_bytes - ?1",
                )?
                .execute([size])?;
                write_audit(sql, &audit)?;
            }
            Ok(())
        })
        .await
    }

    async fn unfinished_uploads(&self, limit: usize) -> Result<Vec<Segment>> {
        self.read("list interrupted uploads", move |sql| {
            let mut all = sql.prepare_cached(&format!(
                "{SEGMENT} where s.object is not null and s.centre = 0
                order by s.number desc limit ?1"
            ))?;
            let segments = all.query_map([limit as i64], read_segment)?;
            Ok(segments.collect::<Result<_, _>>()?)
        })
        .await
    }

    async fn stored_after(&self, after: Option<SegmentId>, limit: usize) -> Result<Vec<Segment>> {
        self.read("list stored segments", move |sql| {
            let mut all = sql.prepare_cached(&format!(
                "{SEGMENT} where s.id > ?1 and s.centre = 1 order by s.id limit ?2"
            ))?;
            let after = after.map_or_else(Vec::new, |after| after.as_bytes().to_vec());
            let segments = all.query_map(params![after, limit as i64], read_segment)?;
            Ok(segments.collect::<Result<_, _>>()?)
        })
        .await
    }

    async fn stored_totals(&self) -> Result<(u64, u64)> {
        self.read("read how much is stored", |sql| {
            let mut totals =
                sql.prepare_cached("select stored_objects, stored_bytes from totals")?;
            Ok(totals.query_row([], |row| {
                Ok((row.get::<_, Count>(0)?.0, row.get::<_, Count>(1)?.0))
            })?)
        })
        .await
    }
}

/// The object's path, fixed now if it was not before; `None` when there is no such closed segment.
/// A copy that was lost is about to come back, so it counts as absent again.
fn fix_path(sql: &Connection, upload: &NewUpload) -> Result<Option<String>, SqlError> {
    let path = sql
        .prepare_cached(
            "update segments set object = coalesce(object, ?2),
                centre = case centre when 2 then 0 else centre end
            where id = ?1 and root is not null returning object",
        )?
        .query_row(params![Blob(upload.segment), upload.path], |row| row.get(0));
    Ok(path.optional()?)
}
