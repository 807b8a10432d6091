//! People, roles, groups and agencies: what the directory is read from, and how it changes.

mod change;
mod read;

pub(super) use read::revision;

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, params};
use shared::id::UserId;
use shared::time::WallTime;

use super::audit::write_audit;
use super::columns::{Blob, Count, Json, Name, Us};
use super::{SqlError, Sqlite};
use crate::domain::agency::AgencyCode;
use crate::domain::audit::Entry;
use crate::domain::directory::{Change, Directory};
use crate::domain::user::{Language, Login, Status, User};
use crate::stores::{People, Person, Result, Secrets};

#[async_trait]
impl People for Sqlite {
    async fn directory(&self) -> Result<Directory> {
        self.read("read the directory", read::directory).await
    }

    async fn change_directory(
        &self,
        seen: u64,
        change: Change,
        password: Option<String>,
        audit: Entry,
    ) -> Result<bool> {
        self.write("change the directory", move |sql| {
            if revision(sql)? != seen {
                return Ok(false);
            }
            make_change(sql, &change, password.as_deref(), audit.at)?;
            write_audit(sql, &audit)?;
            Ok(true)
        })
        .await
    }

    async fn create_first_user(&self, user: User, password: String, audit: Entry) -> Result<bool> {
        self.write("create the first user", move |sql| {
            if sql.prepare_cached("select 1 from users")?.exists([])? {
                return Ok(false);
            }
            insert_user(sql, &user, Some(&password))?;
            moved(sql)?;
            write_audit(sql, &audit)?;
            Ok(true)
        })
        .await
    }

    async fn person(&self, id: UserId) -> Result<Option<Person>> {
        self.read("look up a person", move |sql| read::person(sql, id))
            .await
    }

    async fn person_by_login(&self, login: Login) -> Result<Option<(Person, Option<String>)>> {
        self.read("look up a login", move |sql| {
            let found = sql
                .prepare_cached("select id, password from users where login = ?1")?
                .query_row([login.as_str()], |row| {
                    Ok((row.get::<_, Blob<UserId>>(0)?.0, row.get::<_, String>(1)?))
                })
                .optional()?;
            let Some((id, password)) = found else {
                return Ok(None);
            };
            let password = Some(password).filter(|password| !password.is_empty());
            Ok(read::person(sql, id)?.map(|person| (person, password)))
        })
        .await
    }

    async fn language(&self, user: UserId) -> Result<Option<Language>> {
        self.read("look up a language", move |sql| {
            let mut chosen = sql.prepare_cached("select language from users where id = ?1")?;
            let chosen = chosen.query_row([Blob(user)], |row| {
                Ok(row.get::<_, Option<Name<Language>>>(0)?.map(|name| name.0))
            });
            Ok(chosen.optional()?.flatten())
        })
        .await
    }

    async fn set_language(&self, user: UserId, language: Language, audit: Entry) -> Result<bool> {
        self.write("keep a language", move |sql| {
            let changed = sql
                .prepare_cached(
                    "update users set language = ?2 where id = ?1 and language is not ?2",
                )?
                .execute(params![Blob(user), Name(language)])?;
            if changed > 0 {
                write_audit(sql, &audit)?;
            }
            Ok(changed > 0)
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

/// A change as it was decided, which everybody notices.
pub(super) fn make_change(
    sql: &Connection,
    change: &Change,
    password: Option<&str>,
    at: WallTime,
) -> Result<(), SqlError> {
    change::make(sql, change, password, at)?;
    moved(sql)
}

/// Whoever remembers what somebody may do shall look again.
fn moved(sql: &Connection) -> Result<(), SqlError> {
    sql.prepare_cached("update directory set revision = revision + 1")?
        .execute([])?;
    Ok(())
}

fn insert_user(sql: &Connection, user: &User, password: Option<&str>) -> Result<(), SqlError> {
    sql.prepare_cached(
        "insert into users (id, login, display_name, name_ar, email, employee_number, agency,
            department, section, disabled, rules, created_us, revision, password)
        values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
    )?
    .execute(params![
        Blob(user.id),
        user.login.as_str(),
        user.display_name.as_str(),
        user.arabic_name.as_ref().map(|name| name.as_str()),
        user.email.as_ref().map(|email| email.as_str()),
        user.employee_number.as_ref().map(|number| number.as_str()),
        user.agency.as_ref().map(AgencyCode::as_str),
        user.department
            .as_ref()
            .map(|department| department.as_str()),
        user.section.as_ref().map(|section| section.as_str()),
        user.status == Status::Disabled,
        Json(&user.rules),
        Us(user.created_at),
        Count(user.revision),
        password.unwrap_or_default(),
    ])?;
    change::set_roles_of_user(sql, user)?;
    change::set_groups_of_user(sql, user)
}
