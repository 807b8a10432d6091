//! Authenticator apps and recovery codes.

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, params};
use shared::hash::Sha256;
use shared::id::UserId;
use shared::time::WallTime;

use super::super::audit::write_audit;
use super::super::columns::{Blob, Count, Us};
use super::super::{SqlError, Sqlite};
use crate::domain::audit::Entry;
use crate::domain::second_factor::SecondFactor;
use crate::stores::{Result, SecondFactors};

#[async_trait]
impl SecondFactors for Sqlite {
    async fn second_factor(&self, user: UserId) -> Result<Option<SecondFactor>> {
        self.read("look up a second factor", move |sql| {
            let mut found = sql.prepare_cached(
                "select secret, confirmed, last_step from second_factors where user_id = ?1",
            )?;
            let found = found.query_row([Blob(user)], |row| {
                Ok(SecondFactor {
                    user,
                    secret: row.get::<_, Blob<_>>(0)?.0,
                    confirmed: row.get(1)?,
                    last_step: row.get::<_, Option<Count>>(2)?.map(|step| step.0),
                })
            });
            Ok(found.optional()?)
        })
        .await
    }

    async fn offer_second_factor(&self, factor: SecondFactor, now: WallTime) -> Result<bool> {
        self.write("offer a second factor", move |sql| {
            let offered = sql
                .prepare_cached(
                    "insert into second_factors (user_id, secret, created_us) values (?1, ?2, ?3)
                    on conflict do update set secret = excluded.secret,
                      created_us = excluded.created_us, last_step = null
                    where not confirmed",
                )?
                .execute(params![Blob(factor.user), Blob(factor.secret), Us(now)])?;
            Ok(offered > 0)
        })
        .await
    }

    async fn confirm_second_factor(
        &self,
        user: UserId,
        step: u64,
        recovery: Vec<Sha256>,
        audit: Entry,
    ) -> Result<bool> {
        self.write("confirm a second factor", move |sql| {
            let confirmed = sql
                .prepare_cached(
                    "update second_factors set confirmed = 1, last_step = ?2
                    where user_id = ?1 and not confirmed",
                )?
                .execute(params![Blob(user), Count(step)])?;
            if confirmed > 0 {
                replace_codes(sql, user, &recovery)?;
                write_audit(sql, &audit)?;
            }
            Ok(confirmed > 0)
        })
        .await
    }

    async fn remove_second_factor(&self, user: UserId, audit: Entry) -> Result<bool> {
        self.write("remove a second factor", move |sql| {
            let removed = sql
                .prepare_cached("delete from second_factors where user_id = ?1")?
                .execute([Blob(user)])?;
            if removed > 0 {
                write_audit(sql, &audit)?;
            }
            Ok(removed > 0)
        })
        .await
    }

    async fn use_step(&self, user: UserId, step: u64) -> Result<bool> {
        self.write("use up a code", move |sql| {
            let used = sql
                .prepare_cached(
                    "update second_factors set last_step = ?2
                    where user_id = ?1 and (last_step is null or last_step < ?2)",
                )?
                .execute(params![Blob(user), Count(step)])?;
            Ok(used > 0)
        })
        .await
    }

    async fn use_recovery_code(
        &self,
        user: UserId,
        code: Sha256,
        audit: Entry,
    ) -> Result<Option<u32>> {
        self.write("use up a recovery code", move |sql| {
            let used = sql
                .prepare_cached("delete from recovery_codes where user_id = ?1 and code = ?2")?
                .execute(params![Blob(user), Blob(code)])?;
            if used == 0 {
                return Ok(None);
            }
            write_audit(sql, &audit)?;
            Ok(Some(codes_left(sql, user)?))
        })
        .await
    }

    async fn replace_recovery_codes(
        &self,
        user: UserId,
        codes: Vec<Sha256>,
        audit: Entry,
    ) -> Result<bool> {
        self.write("replace recovery codes", move |sql| {
            let confirmed = sql
                .prepare_cached("select 1 from second_factors where user_id = ?1 and confirmed")?
                .exists([Blob(user)])?;
            if confirmed {
                replace_codes(sql, user, &codes)?;
                write_audit(sql, &audit)?;
            }
            Ok(confirmed)
        })
        .await
    }

    async fn recovery_codes_left(&self, user: UserId) -> Result<u32> {
        self.read("count recovery codes", move |sql| codes_left(sql, user))
            .await
    }
}

fn replace_codes(sql: &Connection, user: UserId, codes: &[Sha256]) -> Result<(), SqlError> {
    sql.prepare_cached("delete from recovery_codes where user_id = ?1")?
        .execute([Blob(user)])?;
    let mut insert =
        sql.prepare_cached("insert into recovery_codes (user_id, code) values (?1, ?2)")?;
    for code in codes {
        insert.execute(params![Blob(user), Blob(*code)])?;
    }
    Ok(())
}

fn codes_left(sql: &Connection, user: UserId) -> Result<u32, SqlError> {
    let mut count = sql.prepare_cached("select count(*) from recovery_codes where user_id = ?1")?;
    Ok(count.query_row([Blob(user)], |row| row.get(0))?)
}
