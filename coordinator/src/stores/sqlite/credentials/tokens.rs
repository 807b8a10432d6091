//! Refresh tokens, signing keys, and messages that count once.

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, params};
use secrecy::ExposeSecret as _;
use shared::hash::Sha256;
use shared::id::{SessionId, UserId};
use shared::time::WallTime;

use super::super::audit::write_audit;
use super::super::columns::{Blob, Json, Us};
use super::super::sessions::{SESSION, insert, read_session};
use super::super::{SqlError, Sqlite};
use crate::domain::audit::Entry;
use crate::domain::signing_key::{KeyDates, StoredKey};
use crate::domain::token::{ApiToken, RefreshFamily};
use crate::domain::user::{Session, SessionKind};
use crate::stores::{ApiTokens, RefreshTokens, Result, SeenMessages, SigningKeys};

#[async_trait]
impl RefreshTokens for Sqlite {
    async fn create_family(
        &self,
        session: Session,
        family: RefreshFamily,
        audit: Entry,
    ) -> Result<()> {
        self.write("begin a family of refresh tokens", move |sql| {
            insert(sql, &session)?;
            sql.prepare_cached(
                "insert into refresh_families (session_id, newest, created_us, refreshed_us)
                values (?1, ?2, ?3, ?4)",
            )?
            .execute(params![
                Blob(family.session),
                Blob(family.newest),
                Us(family.created_at),
                Us(family.refreshed_at),
            ])?;
            write_audit(sql, &audit)
        })
        .await
    }

    async fn family(&self, session: SessionId) -> Result<Option<RefreshFamily>> {
        self.read("look up a refresh token", move |sql| {
            let mut found = sql.prepare_cached(
                "select newest, previous, exchanged_us, created_us, refreshed_us
                from refresh_families where session_id = ?1",
            )?;
            let found = found.query_row([Blob(session)], |row| {
                let previous: Option<Blob<_>> = row.get(1)?;
                let exchanged: Option<Us> = row.get(2)?;
                Ok(RefreshFamily {
                    session,
                    newest: row.get::<_, Blob<_>>(0)?.0,
                    previous: previous.zip(exchanged).map(|(hash, at)| (hash.0, at.0)),
                    created_at: row.get::<_, Us>(3)?.0,
                    refreshed_at: row.get::<_, Us>(4)?.0,
                })
            });
            Ok(found.optional()?)
        })
        .await
    }

    async fn rotate_family(&self, seen: Sha256, family: RefreshFamily) -> Result<bool> {
        self.write("exchange a refresh token", move |sql| {
            let (previous, exchanged) = family.previous.unzip();
            let rotated = sql
                .prepare_cached(
                    "update refresh_families set newest = ?3, previous = ?4, exchanged_us = ?5,
                      refreshed_us = ?6 where session_id = ?1 and newest = ?2",
                )?
                .execute(params![
                    Blob(family.session),
                    Blob(seen),
                    Blob(family.newest),
                    previous.map(Blob),
                    exchanged.map(Us),
                    Us(family.refreshed_at),
                ])?;
            Ok(rotated > 0)
        })
        .await
    }
}

#[async_trait]
impl ApiTokens for Sqlite {
    async fn create_api_token(&self, token: ApiToken, most: u32, audit: Entry) -> Result<bool> {
        self.write("create an API token", move |sql| {
            let SessionKind::Machine { scopes, .. } = &token.session.kind else {
                return Ok(false);
            };
            let has: u32 = sql
                .prepare_cached(
                    "select count(*) from api_tokens t join sessions s on s.id = t.session_id
                    where s.user_id = ?1",
                )?
                .query_row([Blob(token.session.user)], |row| row.get(0))?;
            if has >= most {
                return Ok(false);
            }
            insert(sql, &token.session)?;
            sql.prepare_cached(
                "insert into api_tokens (session_id, name, scopes) values (?1, ?2, ?3)",
            )?
            .execute(params![Blob(token.session.id), token.name, Json(scopes)])?;
            write_audit(sql, &audit)?;
            Ok(true)
        })
        .await
    }

    async fn api_tokens(&self, user: Option<UserId>) -> Result<Vec<ApiToken>> {
        self.read("list API tokens", move |sql| {
            let mut found = sql.prepare_cached(&format!(
                "select {SESSION} where t.name is not null and (?1 is null or s.user_id = ?1)
                order by s.id desc"
            ))?;
            let found = found.query_map([user.map(Blob)], |row| {
                Ok(ApiToken {
                    session: read_session(row, 0)?,
                    name: row.get(10)?,
                })
            })?;
            Ok(found.collect::<Result<_, _>>()?)
        })
        .await
    }
}

#[async_trait]
impl SigningKeys for Sqlite {
    async fn signing_keys(&self) -> Result<Vec<StoredKey>> {
        self.read("read the signing keys", |sql| {
            let mut all = sql.prepare_cached(
                "select kid, signs_from_us, private from signing_keys order by signs_from_us, kid",
            )?;
            let keys = all.query_map([], |row| {
                Ok(StoredKey {
                    dates: KeyDates {
                        kid: row.get(0)?,
                        signs_from: row.get::<_, Us>(1)?.0,
                    },
                    private: row.get::<_, Vec<u8>>(2)?.into(),
                })
            })?;
            Ok(keys.collect::<Result<_, _>>()?)
        })
        .await
    }

    async fn change_signing_keys(
        &self,
        seen: Vec<String>,
        made: Option<StoredKey>,
        remove: Vec<String>,
        audit: Entry,
    ) -> Result<bool> {
        self.write("change the signing keys", move |sql| {
            if kids(sql)? != seen {
                return Ok(false);
            }
            for kid in remove {
                sql.prepare_cached("delete from signing_keys where kid = ?1")?
                    .execute([kid])?;
            }
            if let Some(key) = made {
                sql.prepare_cached(
                    "insert into signing_keys (kid, signs_from_us, private) values (?1, ?2, ?3)",
                )?
                .execute(params![
                    key.dates.kid,
                    Us(key.dates.signs_from),
                    key.private.expose_secret(),
                ])?;
            }
            write_audit(sql, &audit)?;
            Ok(true)
        })
        .await
    }
}

fn kids(sql: &Connection) -> Result<Vec<String>, SqlError> {
    let mut all = sql.prepare_cached("select kid from signing_keys order by signs_from_us, kid")?;
    let kids = all.query_map([], |row| row.get(0))?;
    Ok(kids.collect::<Result<_, _>>()?)
}

#[async_trait]
impl SeenMessages for Sqlite {
    async fn has_seen(&self, id: String) -> Result<bool> {
        self.read("look for a message", move |sql| {
            let mut seen = sql.prepare_cached("select 1 from seen_messages where id = ?1")?;
            Ok(seen.exists([id])?)
        })
        .await
    }

    async fn see(&self, id: String, now: WallTime, forget: WallTime, audit: Entry) -> Result<bool> {
        self.write("remember a message", move |sql| {
            sql.prepare_cached("delete from seen_messages where seen_us < ?1")?
                .execute([Us(forget)])?;
            let first = sql
                .prepare_cached(
                    "insert into seen_messages (id, seen_us) values (?1, ?2) on conflict do nothing",
                )?
                .execute(params![id, Us(now)])?;
            if first > 0 {
                write_audit(sql, &audit)?;
            }
            Ok(first > 0)
        })
        .await
    }
}
