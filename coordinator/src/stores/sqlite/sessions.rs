//! Sessions of signed-in browsers and clients.

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, params};
use shared::hash::Sha256;
use shared::id::SessionId;
use shared::time::WallTime;

use super::audit::write_audit;
use super::columns::{Blob, Count, Us};
use super::{SqlError, Sqlite};
use crate::domain::audit::Entry;
use crate::domain::user::Session;
use crate::stores::{Result, Sessions};

#[async_trait]
impl Sessions for Sqlite {
    async fn create_session(&self, session: Session, audit: Entry) -> Result<()> {
        self.write("begin a session", move |sql| {
            sql.prepare_cached(
                "insert into sessions (id, user_id, token, created_us, seen_us)
                values (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![
                Blob(session.id),
                Blob(session.user),
                Blob(session.token),
                Us(session.created_at),
                Us(session.last_seen),
            ])?;
            write_audit(sql, &audit)
        })
        .await
    }

    async fn session_by_token(&self, token: Sha256) -> Result<Option<(Session, u64)>> {
        self.read("look up a session", move |sql| {
            session(sql, "token = ?1", token)
        })
        .await
    }

    async fn session(&self, id: SessionId) -> Result<Option<(Session, u64)>> {
        self.read("look up a session", move |sql| session(sql, "id = ?1", id))
            .await
    }

    async fn touch_session(&self, id: SessionId, now: WallTime) -> Result<()> {
        self.write("prolong a session", move |sql| {
            sql.prepare_cached("update sessions set seen_us = max(seen_us, ?2) where id = ?1")?
                .execute(params![Blob(id), Us(now)])?;
            Ok(())
        })
        .await
    }

    async fn end_session(&self, id: SessionId, audit: Entry) -> Result<()> {
        self.write("end a session", move |sql| {
            let ended = sql
                .prepare_cached("delete from sessions where id = ?1")?
                .execute([Blob(id)])?;
            if ended > 0 {
                write_audit(sql, &audit)?;
            }
            Ok(())
        })
        .await
    }

    async fn purge_sessions(&self, idle_since: WallTime, created_before: WallTime) -> Result<u64> {
        self.write("remove old sessions", move |sql| {
            let removed = sql
                .prepare_cached("delete from sessions where seen_us < ?1 or created_us < ?2")?
                .execute(params![Us(idle_since), Us(created_before)])?;
            Ok(removed as u64)
        })
        .await
    }
}

fn session(
    sql: &Connection,
    condition: &'static str,
    key: impl super::columns::Fixed,
) -> Result<Option<(Session, u64)>, SqlError> {
    let mut found = sql.prepare_cached(&format!(
        "select id, user_id, token, created_us, seen_us, (select revision from directory)
        from sessions where {condition}"
    ))?;
    let found = found.query_row([Blob(key)], |row| {
        let session = Session {
            id: row.get::<_, Blob<_>>(0)?.0,
            user: row.get::<_, Blob<_>>(1)?.0,
            token: row.get::<_, Blob<_>>(2)?.0,
            created_at: row.get::<_, Us>(3)?.0,
            last_seen: row.get::<_, Us>(4)?.0,
        };
        Ok((session, row.get::<_, Count>(5)?.0))
    });
    Ok(found.optional()?)
}
