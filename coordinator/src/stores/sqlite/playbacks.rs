//! Prepared playbacks.

use async_trait::async_trait;
use rusqlite::{OptionalExtension, Row, params};
use shared::id::PlaybackId;
use shared::time::WallTime;

use super::Sqlite;
use super::audit::write_audit;
use super::columns::{Blob, Code, Count, Us, range};
use crate::domain::audit::Entry;
use crate::domain::playback::{Playback, Show};
use crate::stores::{Playbacks, Result};

#[async_trait]
impl Playbacks for Sqlite {
    async fn create_playback(&self, playback: Playback, audit: Entry) -> Result<()> {
        self.write("prepare a playback", move |sql| {
            let range = match playback.show {
                Show::Range(range) => Some(range),
                Show::Live => None,
            };
            sql.prepare_cached(
                "insert into playbacks (id, owner_id, session_id, camera_id, stream, start_us,
                    end_us, created_us, used_us)
                values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            )?
            .execute(params![
                Blob(playback.id),
                Blob(playback.owner),
                Blob(playback.session),
                Blob(playback.camera),
                Code(playback.stream),
                range.map(|range| Us(range.start())),
                range.map(|range| Us(range.end())),
                Us(playback.created_at),
                Us(playback.last_used),
            ])?;
            write_audit(sql, &audit)
        })
        .await
    }

    async fn playback(&self, id: PlaybackId) -> Result<Option<Playback>> {
        self.read("look up a playback", move |sql| {
            let mut found = sql.prepare_cached(
                "select id, owner_id, session_id, camera_id, stream, start_us, end_us, created_us,
                    used_us
                from playbacks where id = ?1",
            )?;
            Ok(found.query_row([Blob(id)], read_playback).optional()?)
        })
        .await
    }

    async fn touch_playback(&self, id: PlaybackId, now: WallTime) -> Result<()> {
        self.write("prolong a playback", move |sql| {
            sql.prepare_cached("update playbacks set used_us = max(used_us, ?2) where id = ?1")?
                .execute(params![Blob(id), Us(now)])?;
            Ok(())
        })
        .await
    }

    async fn live_state(&self, id: PlaybackId) -> Result<Option<(u64, String)>> {
        self.read("read a live playlist", move |sql| {
            let mut state = sql.prepare_cached(
                "select live_revision, live_state from playbacks
                where id = ?1 and live_state is not null",
            )?;
            let state = state.query_row([Blob(id)], |row| {
                Ok((row.get::<_, Count>(0)?.0, row.get(1)?))
            });
            Ok(state.optional()?)
        })
        .await
    }

    async fn save_live_state(
        &self,
        id: PlaybackId,
        revision: Option<u64>,
        state: String,
    ) -> Result<bool> {
        self.write("save a live playlist", move |sql| {
            let saved = sql
                .prepare_cached(
                    "update playbacks set live_state = ?3, live_revision = live_revision + 1
                    where id = ?1 and live_revision = ?2",
                )?
                .execute(params![Blob(id), Count(revision.unwrap_or(0)), state])?;
            Ok(saved > 0)
        })
        .await
    }

    async fn purge_playbacks(&self, used_before: WallTime) -> Result<u64> {
        self.write("remove old playbacks", move |sql| {
            let removed = sql
                .prepare_cached("delete from playbacks where used_us < ?1")?
                .execute([Us(used_before)])?;
            Ok(removed as u64)
        })
        .await
    }
}

fn read_playback(row: &Row<'_>) -> rusqlite::Result<Playback> {
    let show = match (row.get::<_, Option<Us>>(5)?, row.get::<_, Option<Us>>(6)?) {
        (Some(start), Some(end)) => Show::Range(range(start.0, end.0)),
        _ => Show::Live,
    };
    Ok(Playback {
        id: row.get::<_, Blob<_>>(0)?.0,
        owner: row.get::<_, Blob<_>>(1)?.0,
        session: row.get::<_, Blob<_>>(2)?.0,
        camera: row.get::<_, Blob<_>>(3)?.0,
        stream: row.get::<_, Code<_>>(4)?.0,
        show,
        created_at: row.get::<_, Us>(7)?.0,
        last_used: row.get::<_, Us>(8)?.0,
    })
}
