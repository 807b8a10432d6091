//! People for whom an issuer outside vouches.

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, params};
use shared::hash::Sha256;
use shared::id::{SessionId, UserId};
use shared::time::WallTime;

use super::audit::write_audit;
use super::columns::{Blob, Us};
use super::people::{make_change, revision};
use super::sessions::{SESSION, end_all, insert, read_session};
use super::{SqlError, Sqlite};
use crate::domain::audit::Entry;
use crate::domain::outside::Identity;
use crate::domain::user::{Session, SessionKind};
use crate::stores::{Admission, Linked, OutsideLink, OutsidePeople, Result, StandingSession};

#[async_trait]
impl OutsidePeople for Sqlite {
    async fn outside(&self, identity: Identity) -> Result<Option<(OutsideLink, StandingSession)>> {
        self.read("look up an identity", move |sql| {
            let Some(link) = link(sql, &identity)? else {
                return Ok(None);
            };
            let token = identity.session_token();
            let mut found = sql.prepare_cached(&format!("select {SESSION} where s.token = ?1"))?;
            let session = found.query_row([Blob(token)], |row| read_session(row, 0));
            let session = session.optional()?;
            let revision = revision(sql)?;
            Ok(Some((link, session.map(|session| (session, revision)))))
        })
        .await
    }

    async fn identities_of(&self, user: UserId) -> Result<Vec<(Identity, WallTime)>> {
        self.read("list identities", move |sql| {
            let mut found = sql.prepare_cached(
                "select issuer, subject, linked_us from outside_identities where user_id = ?1",
            )?;
            let found = found.query_map([Blob(user)], |row| {
                let (issuer, subject): (String, String) = (row.get(0)?, row.get(1)?);
                Ok((Identity::new(&issuer, &subject), row.get::<_, Us>(2)?.0))
            })?;
            let mut identities = Vec::new();
            for each in found {
                let (identity, linked) = each?;
                identities.extend(identity.map(|identity| (identity, linked)));
            }
            Ok(identities)
        })
        .await
    }

    async fn admit(&self, admission: Admission) -> Result<bool> {
        self.write("let somebody in", move |sql| {
            if revision(sql)? != admission.seen {
                return Ok(false);
            }
            let known = link(sql, &admission.identity)?;
            if known.is_some_and(|link| link.user != admission.user) {
                return Ok(false);
            }
            if let (Some(change), Some(entry)) = (&admission.change, &admission.changed) {
                make_change(sql, change, None, entry.at)?;
                write_audit(sql, entry)?;
            }
            tell(sql, &admission)?;
            if !prolong(sql, &admission.session)? {
                insert(sql, &admission.session)?;
                write_audit(sql, &admission.signed_in)?;
            }
            Ok(true)
        })
        .await
    }

    async fn link_identity(
        &self,
        seen: u64,
        identity: Identity,
        user: UserId,
        now: WallTime,
        audit: Entry,
    ) -> Result<Linked> {
        self.write("link an identity", move |sql| {
            if revision(sql)? != seen {
                return Ok(Linked::Stale);
            }
            if link(sql, &identity)?.is_some() {
                return Ok(Linked::Already);
            }
            sql.prepare_cached(
                "insert into outside_identities (issuer, subject, user_id, linked_us, told_us,
                    not_before_us) values (?1, ?2, ?3, ?4, 0, 0)",
            )?
            .execute(params![
                identity.issuer(),
                identity.subject(),
                Blob(user),
                Us(now)
            ])?;
            write_audit(sql, &audit)?;
            Ok(Linked::Yes)
        })
        .await
    }

    async fn unlink_identities(
        &self,
        seen: u64,
        user: UserId,
        audit: Entry,
    ) -> Result<Option<u64>> {
        self.write("unlink identities", move |sql| {
            if revision(sql)? != seen {
                return Ok(None);
            }
            let unlinked = sql
                .prepare_cached("delete from outside_identities where user_id = ?1")?
                .execute([Blob(user)])?;
            if unlinked > 0 {
                end_all(sql, user, audit.at)?;
                write_audit(sql, &audit)?;
            }
            Ok(Some(unlinked as u64))
        })
        .await
    }

    async fn use_state(&self, state: Sha256, now: WallTime, forget: WallTime) -> Result<bool> {
        self.write("use up a sign-in", move |sql| {
            sql.prepare_cached("delete from used_states where used_us < ?1")?
                .execute([Us(forget)])?;
            let used = sql
                .prepare_cached(
                    "insert into used_states (state, used_us) values (?1, ?2)
                    on conflict do nothing",
                )?
                .execute(params![Blob(state), Us(now)])?;
            Ok(used > 0)
        })
        .await
    }
}

fn link(sql: &Connection, identity: &Identity) -> Result<Option<OutsideLink>, SqlError> {
    let mut found = sql.prepare_cached(
        "select user_id, told_us, not_before_us from outside_identities
        where issuer = ?1 and subject = ?2",
    )?;
    let found = found.query_row([identity.issuer(), identity.subject()], |row| {
        Ok(OutsideLink {
            user: row.get::<_, Blob<_>>(0)?.0,
            told_at: row.get::<_, Us>(1)?.0,
            not_before: row.get::<_, Us>(2)?.0,
        })
    });
    Ok(found.optional()?)
}

fn tell(sql: &Connection, admission: &Admission) -> Result<(), SqlError> {
    sql.prepare_cached(
        "insert into outside_identities (issuer, subject, user_id, linked_us, told_us, not_before_us)
        values (?1, ?2, ?3, ?4, ?5, 0)
        on conflict do update set told_us = max(told_us, excluded.told_us)",
    )?
    .execute(params![
        admission.identity.issuer(),
        admission.identity.subject(),
        Blob(admission.user),
        Us(admission.signed_in.at),
        Us(admission.told_at),
    ])?;
    Ok(())
}

/// Whether there was a session to prolong. One that is over makes way for a new one.
fn prolong(sql: &Connection, session: &Session) -> Result<bool, SqlError> {
    let SessionKind::Outside { expires_at, .. } = session.kind else {
        return Ok(false);
    };
    sql.prepare_cached("delete from sessions where token = ?1 and expires_us <= ?2")?
        .execute(params![Blob(session.token), Us(session.last_seen)])?;
    let prolonged = sql
        .prepare_cached(
            "update sessions set expires_us = max(expires_us, ?2), seen_us = max(seen_us, ?3)
            where token = ?1",
        )?
        .execute(params![
            Blob(session.token),
            Us(expires_at),
            Us(session.last_seen)
        ])?;
    Ok(prolonged > 0)
}

/// Tokens from before `at` no longer stand for the session, or for any session of the person.
pub(super) fn forget_tokens(
    sql: &Connection,
    session: SessionId,
    at: WallTime,
) -> Result<(), SqlError> {
    sql.prepare_cached(
        "update outside_identities set not_before_us = max(not_before_us, ?2)
        where (user_id, issuer) in (select s.user_id, o.issuer
            from sessions s join outside_sessions o on o.session_id = s.id where s.id = ?1)",
    )?
    .execute(params![Blob(session), Us(at)])?;
    Ok(())
}

/// The same for all that issuers have said of somebody.
pub(super) fn forget_all_tokens(
    sql: &Connection,
    user: UserId,
    at: WallTime,
) -> Result<(), SqlError> {
    sql.prepare_cached(
        "update outside_identities set not_before_us = max(not_before_us, ?2) where user_id = ?1",
    )?
    .execute(params![Blob(user), Us(at)])?;
    Ok(())
}
