//! From rows to the directory, and to one person of it.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, OptionalExtension, Row};
use shared::id::{GroupId, UserId};

use super::super::SqlError;
use super::super::columns::{Blob, Count, Json, Name, Us};
use crate::domain::access::Rule;
use crate::domain::agency::{Agency, AgencyCode};
use crate::domain::directory::Directory;
use crate::domain::group::{Group, Role, RoleCode};
use crate::domain::text;
use crate::domain::user::{Login, Status, User};
use crate::stores::Person;

const USER: &str = "id, login, display_name, name_ar, email, employee_number, agency, department,
    section, disabled, rules, created_us, revision";

pub(super) fn directory(sql: &Connection) -> Result<Directory, SqlError> {
    Ok(Directory {
        users: users(sql)?,
        groups: groups(sql)?,
        roles: roles(sql)?,
        agencies: agencies(sql)?,
        revision: revision(sql)?,
    })
}

pub(in super::super) fn revision(sql: &Connection) -> Result<u64, SqlError> {
    let mut revision = sql.prepare_cached("select revision from directory")?;
    Ok(revision.query_row([], |row| row.get::<_, Count>(0))?.0)
}

/// One person with every rule they have, by whichever way.
pub(super) fn person(sql: &Connection, id: UserId) -> Result<Option<Person>, SqlError> {
    let user = sql
        .prepare_cached(&format!("select {USER} from users where id = ?1"))?
        .query_row([Blob(id)], read_user)
        .optional()?;
    let Some(mut user) = user else {
        return Ok(None);
    };
    user.roles = set(
        sql,
        "select role from user_roles where user_id = ?1",
        id,
        |row| Ok(row.get::<_, Name<RoleCode>>(0)?.0),
    )?;
    user.groups = set(
        sql,
        "select group_id from group_members where user_id = ?1",
        id,
        |row| Ok(row.get::<_, Blob<GroupId>>(0)?.0),
    )?;
    let mut rules = user.rules.clone();
    let mut more = sql.prepare_cached(
        "with mine as (select group_id as id from group_members where user_id = ?1)
        select r.rules from roles r where r.code in (
            select role from user_roles where user_id = ?1
            union select role from group_roles where group_id in mine)
        union all select g.rules from groups g where g.id in mine",
    )?;
    for each in more.query_map([Blob(id)], |row| row.get::<_, Json<Vec<Rule>>>(0))? {
        rules.extend(each?.0);
    }
    let revision = revision(sql)?;
    Ok(Some(Person {
        user,
        rules,
        revision,
    }))
}

fn users(sql: &Connection) -> Result<BTreeMap<UserId, User>, SqlError> {
    let mut users = BTreeMap::new();
    let mut all = sql.prepare_cached(&format!("select {USER} from users"))?;
    for user in all.query_map([], read_user)? {
        let user = user?;
        users.insert(user.id, user);
    }
    let mut roles = sql.prepare_cached("select user_id, role from user_roles")?;
    let roles = roles.query_map([], |row| {
        Ok((
            row.get::<_, Blob<UserId>>(0)?.0,
            row.get::<_, Name<RoleCode>>(1)?.0,
        ))
    })?;
    for each in roles {
        let (user, role) = each?;
        if let Some(user) = users.get_mut(&user) {
            user.roles.insert(role);
        }
    }
    let mut members = sql.prepare_cached("select user_id, group_id from group_members")?;
    let members = members.query_map([], |row| {
        Ok((
            row.get::<_, Blob<UserId>>(0)?.0,
            row.get::<_, Blob<GroupId>>(1)?.0,
        ))
    })?;
    for each in members {
        let (user, group) = each?;
        if let Some(user) = users.get_mut(&user) {
            user.groups.insert(group);
        }
    }
    Ok(users)
}

fn groups(sql: &Connection) -> Result<BTreeMap<GroupId, Group>, SqlError> {
    let mut groups = BTreeMap::new();
    let mut all =
        sql.prepare_cached("select id, name_en, name_ar, agency, rules, revision from groups")?;
    let all = all.query_map([], |row| {
        Ok(Group {
            id: row.get::<_, Blob<_>>(0)?.0,
            name: read_name(row, 1)?,
            agency: row
                .get::<_, Option<Name<AgencyCode>>>(3)?
                .map(|code| code.0),
            roles: BTreeSet::new(),
            rules: row.get::<_, Json<_>>(4)?.0,
            revision: row.get::<_, Count>(5)?.0,
        })
    })?;
    for group in all {
        let group = group?;
        groups.insert(group.id, group);
    }
    let mut roles = sql.prepare_cached("select group_id, role from group_roles")?;
    let roles = roles.query_map([], |row| {
        Ok((
            row.get::<_, Blob<GroupId>>(0)?.0,
            row.get::<_, Name<RoleCode>>(1)?.0,
        ))
    })?;
    for each in roles {
        let (group, role) = each?;
        if let Some(group) = groups.get_mut(&group) {
            group.roles.insert(role);
        }
    }
    Ok(groups)
}

fn roles(sql: &Connection) -> Result<BTreeMap<RoleCode, Role>, SqlError> {
    let mut all =
        sql.prepare_cached("select code, name_en, name_ar, rules, built_in, revision from roles")?;
    let roles = all.query_map([], |row| {
        let role = Role {
            code: row.get::<_, Name<RoleCode>>(0)?.0,
            name: read_name(row, 1)?,
            rules: row.get::<_, Json<_>>(3)?.0,
            built_in: row.get(4)?,
            revision: row.get::<_, Count>(5)?.0,
        };
        Ok((role.code.clone(), role))
    })?;
    Ok(roles.collect::<Result<_, _>>()?)
}

fn agencies(sql: &Connection) -> Result<BTreeMap<AgencyCode, Agency>, SqlError> {
    let mut all = sql.prepare_cached("select code, name_en, name_ar, revision from agencies")?;
    let agencies = all.query_map([], |row| {
        let agency = Agency {
            code: row.get::<_, Name<AgencyCode>>(0)?.0,
            name: read_name(row, 1)?,
            revision: row.get::<_, Count>(3)?.0,
        };
        Ok((agency.code.clone(), agency))
    })?;
    Ok(agencies.collect::<Result<_, _>>()?)
}

fn set<T: Ord>(
    sql: &Connection,
    query: &str,
    of: UserId,
    read: impl Fn(&Row<'_>) -> rusqlite::Result<T>,
) -> Result<BTreeSet<T>, SqlError> {
    let mut rows = sql.prepare_cached(query)?;
    let rows = rows.query_map([Blob(of)], |row| read(row))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// From the two columns beginning with number `first`.
fn read_name(row: &Row<'_>, first: usize) -> rusqlite::Result<text::Name> {
    Ok(text::Name {
        en: row.get::<_, Name<_>>(first)?.0,
        ar: row.get::<_, Name<_>>(first + 1)?.0,
    })
}

/// From the columns of [`USER`]; roles and groups are in other tables.
fn read_user(row: &Row<'_>) -> rusqlite::Result<User> {
    let login: String = row.get(1)?;
    let login = Login::new(&login).ok_or_else(|| {
        let text = rusqlite::types::Type::Text;
        rusqlite::Error::FromSqlConversionFailure(1, text, "a user has an impossible login".into())
    })?;
    Ok(User {
        id: row.get::<_, Blob<_>>(0)?.0,
        login,
        display_name: row.get::<_, Name<_>>(2)?.0,
        arabic_name: row.get::<_, Option<Name<_>>>(3)?.map(|name| name.0),
        email: row.get::<_, Option<Name<_>>>(4)?.map(|email| email.0),
        employee_number: row.get::<_, Option<Name<_>>>(5)?.map(|number| number.0),
        agency: row.get::<_, Option<Name<_>>>(6)?.map(|agency| agency.0),
        department: row
            .get::<_, Option<Name<_>>>(7)?
            .map(|department| department.0),
        section: row.get::<_, Option<Name<_>>>(8)?.map(|section| section.0),
        status: if row.get(9)? {
            Status::Disabled
        } else {
            Status::Active
        },
        roles: BTreeSet::new(),
        groups: BTreeSet::new(),
        rules: row.get::<_, Json<_>>(10)?.0,
        created_at: row.get::<_, Us>(11)?.0,
        revision: row.get::<_, Count>(12)?.0,
    })
}
