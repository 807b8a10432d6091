//! Attempts to sign in, and sign-ins that are half done.

use std::net::IpAddr;
use std::time::Duration;

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, params};
use shared::hash::Sha256;
use shared::id::UserId;
use shared::time::WallTime;

use super::super::audit::write_audit;
use super::super::columns::{Blob, Us};
use super::super::{SqlError, Sqlite};
use crate::domain::audit::Entry;
use crate::domain::lockout::{Failures, Key, MAX_KEPT, MAX_PLACES};
use crate::domain::user::Login;
use crate::stores::{Attempts, Result};

#[async_trait]
impl Attempts for Sqlite {
    async fn attempt(&self, keys: Vec<Key>, now: WallTime) -> Result<Option<Duration>> {
        self.write("count an attempt to sign in", move |sql| {
            let mut counts = Vec::with_capacity(keys.len());
            for key in keys {
                counts.push((
                    key,
                    failures(sql, key)?.unwrap_or_else(|| Failures::none(now)),
                ));
            }
            let waits = counts.iter().map(|(key, count)| count.wait(key.kind, now));
            if let Some(wait) = waits.flatten().max() {
                return Ok(Some(wait));
            }
            for (key, count) in counts {
                keep(sql, key, count.attempted(key.kind, now))?;
            }
            forget_surplus(sql)?;
            Ok(None)
        })
        .await
    }

    async fn forgive(&self, keys: Vec<Key>) -> Result<()> {
        self.write("take an attempt back", move |sql| {
            for key in keys {
                let Some(count) = failures(sql, key)? else {
                    continue;
                };
                match count.forgiven(key.kind) {
                    Some(rest) => keep(sql, key, rest)?,
                    None => drop(forget(sql, key)?),
                }
            }
            Ok(())
        })
        .await
    }

    async fn clear_attempts(&self, keys: Vec<Key>, audit: Entry) -> Result<bool> {
        self.write("forget attempts to sign in", move |sql| {
            let mut some = false;
            for key in keys {
                some |= forget(sql, key)?;
            }
            if some {
                write_audit(sql, &audit)?;
            }
            Ok(some)
        })
        .await
    }

    async fn places(&self, user: UserId) -> Result<Vec<IpAddr>> {
        self.read("look up where an account signs in", move |sql| {
            let mut all =
                sql.prepare_cached("select network from sign_in_places where user_id = ?1")?;
            let all = all.query_map([Blob(user)], |row| row.get::<_, String>(0))?;
            let networks = all.collect::<Result<Vec<_>, _>>()?;
            Ok(networks.iter().filter_map(|it| it.parse().ok()).collect())
        })
        .await
    }

    async fn has_signed_in_at(
        &self,
        login: Login,
        network: IpAddr,
        since: WallTime,
    ) -> Result<bool> {
        self.read("look up where an account signs in", move |sql| {
            let mut known = sql.prepare_cached(
                "select 1 from sign_in_places p join users u on u.id = p.user_id
                where u.login = ?1 and p.network = ?2 and p.seen_us >= ?3",
            )?;
            Ok(known.exists(params![login.as_str(), network.to_string(), Us(since)])?)
        })
        .await
    }

    async fn signed_in_at(&self, user: UserId, network: IpAddr, now: WallTime) -> Result<()> {
        self.write("remember where an account signs in", move |sql| {
            sql.prepare_cached(
                "insert into sign_in_places (user_id, network, seen_us) values (?1, ?2, ?3)
                on conflict do update set seen_us = excluded.seen_us",
            )?
            .execute(params![Blob(user), network.to_string(), Us(now)])?;
            sql.prepare_cached(
                "delete from sign_in_places where user_id = ?1 and network not in (
                  select network from sign_in_places where user_id = ?1
                  order by seen_us desc limit ?2)",
            )?
            .execute(params![Blob(user), MAX_PLACES])?;
            Ok(())
        })
        .await
    }

    async fn upgrade_hash(&self, user: UserId, seen: String, stronger: String) -> Result<bool> {
        self.write("hash a password anew", move |sql| {
            let upgraded = sql
                .prepare_cached("update users set password = ?3 where id = ?1 and password = ?2")?
                .execute(params![Blob(user), seen, stronger])?;
            Ok(upgraded > 0)
        })
        .await
    }

    async fn purge_attempts(&self, forgotten: WallTime, unfinished: WallTime) -> Result<u64> {
        self.write("forget old attempts to sign in", move |sql| {
            let counts = sql
                .prepare_cached("delete from attempts where last_us < ?1")?
                .execute([Us(forgotten)])?;
            let begun = sql
                .prepare_cached("delete from begun_sign_ins where begun_us < ?1")?
                .execute([Us(unfinished)])?;
            Ok((counts + begun) as u64)
        })
        .await
    }

    async fn begin_sign_in(&self, token: Sha256, user: UserId, now: WallTime) -> Result<()> {
        self.write("begin a sign-in", move |sql| {
            sql.prepare_cached(
                "insert into begun_sign_ins (token, user_id, begun_us) values (?1, ?2, ?3)",
            )?
            .execute(params![Blob(token), Blob(user), Us(now)])?;
            Ok(())
        })
        .await
    }

    async fn begun_sign_in(&self, token: Sha256, since: WallTime) -> Result<Option<UserId>> {
        self.read("look up a sign-in", move |sql| {
            let mut begun = sql.prepare_cached(
                "select user_id from begun_sign_ins where token = ?1 and begun_us >= ?2",
            )?;
            let user = begun.query_row(params![Blob(token), Us(since)], |row| {
                Ok(row.get::<_, Blob<_>>(0)?.0)
            });
            Ok(user.optional()?)
        })
        .await
    }

    async fn end_sign_in(&self, token: Sha256) -> Result<bool> {
        self.write("end a sign-in", move |sql| {
            let ended = sql
                .prepare_cached("delete from begun_sign_ins where token = ?1")?
                .execute([Blob(token)])?;
            Ok(ended > 0)
        })
        .await
    }
}

fn failures(sql: &Connection, key: Key) -> Result<Option<Failures>, SqlError> {
    let mut found = sql.prepare_cached("select count, last_us from attempts where key = ?1")?;
    let found = found.query_row([Blob(key.hash)], |row| {
        Ok(Failures {
            count: row.get(0)?,
            last: row.get::<_, Us>(1)?.0,
        })
    });
    Ok(found.optional()?)
}

fn keep(sql: &Connection, key: Key, failures: Failures) -> Result<(), SqlError> {
    sql.prepare_cached(
        "insert into attempts (key, count, last_us) values (?1, ?2, ?3)
        on conflict do update set count = excluded.count, last_us = excluded.last_us",
    )?
    .execute(params![Blob(key.hash), failures.count, Us(failures.last)])?;
    Ok(())
}

fn forget(sql: &Connection, key: Key) -> Result<bool, SqlError> {
    let forgotten = sql
        .prepare_cached("delete from attempts where key = ?1")?
        .execute([Blob(key.hash)])?;
    Ok(forgotten > 0)
}

/// Of too many counts the smallest go first, so that a flood of made-up logins does not wash away
/// the count of one that is guessed.
fn forget_surplus(sql: &Connection) -> Result<(), SqlError> {
    let kept: u32 = sql
        .prepare_cached("select count(*) from attempts")?
        .query_row([], |row| row.get(0))?;
    if kept > MAX_KEPT {
        // Many at once, because finding them reads the whole table.
        sql.prepare_cached(
            "delete from attempts where key in (
              select key from attempts order by count, last_us limit ?1)",
        )?
        .execute([kept - MAX_KEPT + MAX_KEPT / 10])?;
    }
    Ok(())
}
