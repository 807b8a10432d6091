//! Sessions of signed-in browsers and clients.

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, Row, params};
use shared::hash::Sha256;
use shared::id::{SessionId, UserId};
use shared::time::WallTime;

use super::audit::write_audit;
use super::columns::{Blob, Count, Json, Us};
use super::outside::{forget_all_tokens, forget_tokens};
use super::{SqlError, Sqlite};
use crate::domain::audit::{Entry, Origin};
use crate::domain::user::{Session, SessionKind};
use crate::stores::{Result, Sessions};

#[async_trait]
impl Sessions for Sqlite {
    async fn create_session(&self, session: Session, audit: Entry) -> Result<()> {
        self.write("begin a session", move |sql| {
            insert(sql, &session)?;
            write_audit(sql, &audit)
        })
        .await
    }

    async fn session_by_token(&self, token: Sha256) -> Result<Option<(Session, u64)>> {
        self.read("look up a session", move |sql| {
            session(sql, "s.token = ?1", token)
        })
        .await
    }

    async fn session(&self, id: SessionId) -> Result<Option<(Session, u64)>> {
        self.read("look up a session", move |sql| {
            session(sql, "s.id = ?1", id)
        })
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
            forget_tokens(sql, id, audit.at)?;
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

    async fn sessions_of(&self, user: UserId) -> Result<Vec<Session>> {
        self.read("list sessions", move |sql| {
            let mut found = sql.prepare_cached(&format!(
                "select {SESSION} where s.user_id = ?1 order by s.id desc"
            ))?;
            let found = found.query_map([Blob(user)], |row| read_session(row, 0))?;
            Ok(found.collect::<Result<_, _>>()?)
        })
        .await
    }

    async fn end_session_of(&self, user: UserId, id: SessionId, audit: Entry) -> Result<bool> {
        self.write("end a session", move |sql| {
            let of_user = session(sql, "s.id = ?1", id)?.is_some_and(|(it, _)| it.user == user);
            if of_user {
                forget_tokens(sql, id, audit.at)?;
            }
            let ended = sql
                .prepare_cached("delete from sessions where id = ?1 and user_id = ?2")?
                .execute(params![Blob(id), Blob(user)])?;
            if ended > 0 {
                write_audit(sql, &audit)?;
            }
            Ok(ended > 0)
        })
        .await
    }

    async fn end_sessions_of(&self, user: UserId, audit: Entry) -> Result<u64> {
        self.write("end somebody's sessions", move |sql| {
            let ended = end_all(sql, user, audit.at)?;
            write_audit(sql, &audit)?;
            Ok(ended)
        })
        .await
    }

    async fn access_revision(&self) -> Result<u64> {
        self.read("look for revocations", |sql| {
            let mut sum = sql.prepare_cached(
                "select (select revision from directory) + (select ended from session_ends)",
            )?;
            Ok(sum.query_row([], |row| row.get::<_, Count>(0))?.0)
        })
        .await
    }

    async fn purge_sessions(
        &self,
        idle_since: WallTime,
        created_before: WallTime,
        now: WallTime,
    ) -> Result<u64> {
        self.write("remove old sessions", move |sql| {
            let removed = sql
                .prepare_cached(
                    "delete from sessions where expires_us <= ?3
                    or (expires_us is null and (seen_us < ?1 or created_us < ?2))",
                )?
                .execute(params![Us(idle_since), Us(created_before), Us(now)])?;
            Ok(removed as u64)
        })
        .await
    }
}

/// Ends all sessions of a person, and sign-ins that wait for a code; what issuers outside signed
/// before is worth nothing afterwards.
pub(super) fn end_all(sql: &Connection, user: UserId, at: WallTime) -> Result<u64, SqlError> {
    forget_all_tokens(sql, user, at)?;
    sql.prepare_cached("delete from begun_sign_ins where user_id = ?1")?
        .execute([Blob(user)])?;
    let ended = sql
        .prepare_cached("delete from sessions where user_id = ?1")?
        .execute([Blob(user)])?;
    Ok(ended as u64)
}

pub(super) fn insert(sql: &Connection, session: &Session) -> Result<(), SqlError> {
    let (kind, expires_at) = match &session.kind {
        SessionKind::Browser => ("browser", None),
        SessionKind::Client => ("client", None),
        SessionKind::Machine { expires_at, .. } | SessionKind::Outside { expires_at, .. } => {
            ("machine", Some(*expires_at))
        }
    };
    sql.prepare_cached(
        "insert into sessions (id, user_id, token, created_us, seen_us, kind, expires_us, address,
          user_agent)
        values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?
    .execute(params![
        Blob(session.id),
        Blob(session.user),
        Blob(session.token),
        Us(session.created_at),
        Us(session.last_seen),
        kind,
        expires_at.map(Us),
        session.origin.address().map(|address| address.to_string()),
        session.origin.user_agent(),
    ])?;
    if let SessionKind::Outside { issuer, .. } = &session.kind {
        sql.prepare_cached("insert into outside_sessions (session_id, issuer) values (?1, ?2)")?
            .execute(params![Blob(session.id), issuer])?;
    }
    Ok(())
}

/// The columns that [`read_session`] wants.
pub(super) const SESSION: &str = "s.id, s.user_id, s.token, s.created_us, s.seen_us, s.kind,
    s.expires_us, s.address, s.user_agent, t.scopes, t.name, (select revision from directory),
    o.issuer from sessions s left join api_tokens t on t.session_id = s.id
    left join outside_sessions o on o.session_id = s.id";

/// Beginning with column `first`.
pub(super) fn read_session(row: &Row<'_>, first: usize) -> rusqlite::Result<Session> {
    let address: Option<String> = row.get(first + 7)?;
    let user_agent: Option<String> = row.get(first + 8)?;
    Ok(Session {
        id: row.get::<_, Blob<_>>(first)?.0,
        user: row.get::<_, Blob<_>>(first + 1)?.0,
        token: row.get::<_, Blob<_>>(first + 2)?.0,
        created_at: row.get::<_, Us>(first + 3)?.0,
        last_seen: row.get::<_, Us>(first + 4)?.0,
        kind: read_kind(row, first + 5)?,
        origin: Origin::new(
            address.and_then(|address| address.parse().ok()),
            user_agent.as_deref(),
            None,
        ),
    })
}

fn read_kind(row: &Row<'_>, first: usize) -> rusqlite::Result<SessionKind> {
    let kind: String = row.get(first)?;
    Ok(match kind.as_str() {
        "browser" => SessionKind::Browser,
        "client" => SessionKind::Client,
        _ if row.get::<_, Option<String>>(first + 7)?.is_some() => SessionKind::Outside {
            expires_at: row.get::<_, Us>(first + 1)?.0,
            issuer: row.get(first + 7)?,
        },
        _ => SessionKind::Machine {
            expires_at: row.get::<_, Us>(first + 1)?.0,
            scopes: row.get::<_, Json<_>>(first + 4)?.0,
        },
    })
}

fn session(
    sql: &Connection,
    condition: &'static str,
    key: impl super::columns::Fixed,
) -> Result<Option<(Session, u64)>, SqlError> {
    let mut found = sql.prepare_cached(&format!("select {SESSION} where {condition}"))?;
    let found = found.query_row([Blob(key)], |row| {
        Ok((read_session(row, 0)?, row.get::<_, Count>(11)?.0))
    });
    Ok(found.optional()?)
}
