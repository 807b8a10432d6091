//! Users, sessions, shared secrets.

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, Row, params};
use shared::hash::Sha256;
use shared::id::SessionId;
use shared::time::WallTime;

use super::audit::write_audit;
use super::columns::{Blob, Name, Us};
use super::{SqlError, Sqlite};
use crate::domain::access::Role;
use crate::domain::agency::AgencyCode;
use crate::domain::audit::Entry;
use crate::domain::user::{Login, Session, User};
use crate::stores::{People, Result, Secrets};

const USER: &str = "u.id, u.login, u.display_name, u.role, u.agency, u.disabled";

#[async_trait]
impl People for Sqlite {
    async fn create_user(&self, user: User, password: String, audit: Entry) -> Result<bool> {
        self.write("create a user", move |sql| {
            create_user(sql, &user, &password, &audit)
        })
        .await
    }

    async fn create_first_user(&self, user: User, password: String, audit: Entry) -> Result<bool> {
        self.write("create the first user", move |sql| {
            if sql.prepare_cached("select 1 from users")?.exists([])? {
                return Ok(false);
            }
            create_user(sql, &user, &password, &audit)
        })
        .await
    }

    async fn user_by_login(&self, login: Login) -> Result<Option<(User, String)>> {
        self.read("look up a user", move |sql| {
            let mut found = sql.prepare_cached(&format!(
                "select {USER}, u.password from users u where u.login = ?1"
            ))?;
            let user = found.query_row([login.as_str()], |row| {
                Ok((read_user(row, 0)?, row.get(6)?))
            });
            Ok(user.optional()?)
        })
        .await
    }

    async fn set_password(&self, login: Login, password: String, audit: Entry) -> Result<bool> {
        self.write("set a password", move |sql| {
            let known = sql
                .prepare_cached("update users set password = ?2 where login = ?1")?
                .execute(params![login.as_str(), password])?;
            if known == 0 {
                return Ok(false);
            }
            sql.prepare_cached(
                "delete from sessions where user_id = (select id from users where login = ?1)",
            )?
            .execute([login.as_str()])?;
            write_audit(sql, &audit)?;
            Ok(true)
        })
        .await
    }

    async fn users(&self) -> Result<Vec<User>> {
        self.read("list users", |sql| {
            let mut all =
                sql.prepare_cached(&format!("select {USER} from users u order by u.login"))?;
            let users = all.query_map([], |row| read_user(row, 0))?;
            Ok(users.collect::<Result<_, _>>()?)
        })
        .await
    }

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

    async fn session_by_token(&self, token: Sha256) -> Result<Option<(Session, User)>> {
        self.read("look up a session", move |sql| {
            session(sql, "s.token = ?1", token)
        })
        .await
    }

    async fn session(&self, id: SessionId) -> Result<Option<(Session, User)>> {
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

#[async_trait]
impl Secrets for Sqlite {
    async fn secret(&self, name: &'static str, candidate: Vec<u8>) -> Result<Vec<u8>> {
        self.write("read a shared secret", move |sql| {
            sql.prepare_cached(
                "insert into secrets (name, value) values (?1, ?2) on conflict do nothing",
            )?
            .execute(params![name, candidate])?;
            let mut value = sql.prepare_cached("select value from secrets where name = ?1")?;
            Ok(value.query_row([name], |row| row.get(0))?)
        })
        .await
    }
}

/// `false` when the login is taken.
fn create_user(
    sql: &Connection,
    user: &User,
    password: &str,
    audit: &Entry,
) -> Result<bool, SqlError> {
    let created = sql
        .prepare_cached(
            "insert into users (id, login, display_name, role, agency, disabled, password)
            values (?1, ?2, ?3, ?4, ?5, ?6, ?7) on conflict (login) do nothing",
        )?
        .execute(params![
            Blob(user.id),
            user.login.as_str(),
            user.display_name,
            user.role.name(),
            user.agency.as_ref().map(AgencyCode::as_str),
            user.disabled,
            password,
        ])?;
    if created > 0 {
        write_audit(sql, audit)?;
    }
    Ok(created > 0)
}

fn session(
    sql: &Connection,
    condition: &'static str,
    key: impl super::columns::Fixed,
) -> Result<Option<(Session, User)>, SqlError> {
    let mut found = sql.prepare_cached(&format!(
        "select s.id, s.user_id, s.token, s.created_us, s.seen_us, {USER}
        from sessions s join users u on u.id = s.user_id where {condition}"
    ))?;
    let found = found.query_row([Blob(key)], |row| {
        let session = Session {
            id: row.get::<_, Blob<_>>(0)?.0,
            user: row.get::<_, Blob<_>>(1)?.0,
            token: row.get::<_, Blob<_>>(2)?.0,
            created_at: row.get::<_, Us>(3)?.0,
            last_seen: row.get::<_, Us>(4)?.0,
        };
        Ok((session, read_user(row, 5)?))
    });
    Ok(found.optional()?)
}

/// From the six columns of [`USER`], the first of which is number `first`.
fn read_user(row: &Row<'_>, first: usize) -> rusqlite::Result<User> {
    let login: String = row.get(first + 1)?;
    let damaged = |what: &str| {
        let message = format!("a user has an impossible {what}");
        let text = rusqlite::types::Type::Text;
        rusqlite::Error::FromSqlConversionFailure(first, text, message.into())
    };
    Ok(User {
        id: row.get::<_, Blob<_>>(first)?.0,
        login: Login::new(&login).ok_or_else(|| damaged("login"))?,
        display_name: row.get(first + 2)?,
        role: row.get::<_, Name<Role>>(first + 3)?.0,
        agency: row
            .get::<_, Option<Name<AgencyCode>>>(first + 4)?
            .map(|agency| agency.0),
        disabled: row.get(first + 5)?,
    })
}
