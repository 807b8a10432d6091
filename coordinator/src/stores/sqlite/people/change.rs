//! A change of the directory, made as it was decided. What it must find has been checked against the
//! same revision.

use rusqlite::{Connection, ToSql, params};
use shared::id::{GroupId, UserId};
use shared::time::WallTime;

use super::super::SqlError;
use super::super::columns::{Blob, Json};
use super::super::sessions::end_all;
use super::insert_user;
use crate::domain::agency::{Agency, AgencyCode};
use crate::domain::directory::Change;
use crate::domain::group::{Group, Role, RoleCode};
use crate::domain::user::{Status, User};

pub(super) fn make(
    sql: &Connection,
    change: &Change,
    password: Option<&str>,
    at: WallTime,
) -> Result<(), SqlError> {
    match change {
        Change::CreateUser(user) => insert_user(sql, user, password),
        Change::ReplaceUser(user) => replace_user(sql, user),
        Change::TellUser(user) => tell_user(sql, user),
        Change::SetStatus(user, status) => set_status(sql, *user, *status, at),
        Change::ResetCredentials(user) => reset_credentials(sql, *user, password, at),
        Change::AddMember(user, group) => {
            run(
                sql,
                "insert into group_members (user_id, group_id) values (?1, ?2) on conflict do nothing",
                &[&Blob(*user), &Blob(*group)],
            )?;
            touch_user(sql, *user)
        }
        Change::RemoveMember(user, group) => {
            run(
                sql,
                "delete from group_members where user_id = ?1 and group_id = ?2",
                &[&Blob(*user), &Blob(*group)],
            )?;
            touch_user(sql, *user)
        }
        Change::CreateGroup(group) => {
            run(
                sql,
                "insert into groups (id, name_en, name_ar, agency, rules) values (?1, ?2, ?3, ?4, ?5)",
                &group_columns(group).each_ref().map(|column| &**column),
            )?;
            set_roles_of_group(sql, group)
        }
        Change::ReplaceGroup(group) => {
            run(
                sql,
                "update groups set name_en = ?2, name_ar = ?3, agency = ?4, rules = ?5,
                    revision = revision + 1 where id = ?1",
                &group_columns(group).each_ref().map(|column| &**column),
            )?;
            set_roles_of_group(sql, group)
        }
        Change::DeleteGroup(group) => delete_group(sql, *group),
        Change::CreateRole(role) => put_role(
            sql,
            role,
            "insert into roles (code, name_en, name_ar, rules) values (?1, ?2, ?3, ?4)",
        ),
        Change::ReplaceRole(role) => put_role(
            sql,
            role,
            "update roles set name_en = ?2, name_ar = ?3, rules = ?4, revision = revision + 1
                where code = ?1",
        ),
        Change::DeleteRole(code) => {
            run(sql, "delete from roles where code = ?1", &[&code.as_str()])
        }
        Change::CreateAgency(agency) => put_agency(
            sql,
            agency,
            "insert into agencies (code, name_en, name_ar) values (?1, ?2, ?3)",
        ),
        Change::ReplaceAgency(agency) => put_agency(
            sql,
            agency,
            "update agencies set name_en = ?2, name_ar = ?3, revision = revision + 1 where code = ?1",
        ),
    }
}

fn replace_user(sql: &Connection, user: &User) -> Result<(), SqlError> {
    sql.prepare_cached(
        "update users set login = ?2, display_name = ?3, name_ar = ?4, email = ?5,
            employee_number = ?6, agency = ?7, department = ?8, section = ?9, rules = ?10,
            revision = revision + 1 where id = ?1",
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
        Json(&user.rules),
    ])?;
    set_roles_of_user(sql, user)
}

/// Login, roles and rules are those that the person has.
fn tell_user(sql: &Connection, user: &User) -> Result<(), SqlError> {
    replace_user(sql, user)?;
    run(
        sql,
        "delete from group_members where user_id = ?1",
        &[&Blob(user.id)],
    )?;
    set_groups_of_user(sql, user)
}

/// A disabled person has no session left that would come back with the status.
fn set_status(
    sql: &Connection,
    user: UserId,
    status: Status,
    at: WallTime,
) -> Result<(), SqlError> {
    let disabled = status == Status::Disabled;
    run(
        sql,
        "update users set disabled = ?2 where id = ?1",
        &[&Blob(user), &disabled],
    )?;
    if disabled {
        end_sessions(sql, user, at)?;
    }
    touch_user(sql, user)
}

fn reset_credentials(
    sql: &Connection,
    user: UserId,
    password: Option<&str>,
    at: WallTime,
) -> Result<(), SqlError> {
    match password {
        Some(password) => run(
            sql,
            "update users set password = ?2 where id = ?1",
            &[&Blob(user), &password],
        )?,
        None => run(
            sql,
            "delete from second_factors where user_id = ?1",
            &[&Blob(user)],
        )?,
    }
    end_sessions(sql, user, at)
}

fn end_sessions(sql: &Connection, user: UserId, at: WallTime) -> Result<(), SqlError> {
    end_all(sql, user, at)?;
    Ok(())
}

fn touch_user(sql: &Connection, user: UserId) -> Result<(), SqlError> {
    run(
        sql,
        "update users set revision = revision + 1 where id = ?1",
        &[&Blob(user)],
    )
}

pub(super) fn set_roles_of_user(sql: &Connection, user: &User) -> Result<(), SqlError> {
    run(
        sql,
        "delete from user_roles where user_id = ?1",
        &[&Blob(user.id)],
    )?;
    let mut insert =
        sql.prepare_cached("insert into user_roles (user_id, role) values (?1, ?2)")?;
    for role in &user.roles {
        insert.execute(params![Blob(user.id), role.as_str()])?;
    }
    Ok(())
}

pub(super) fn set_groups_of_user(sql: &Connection, user: &User) -> Result<(), SqlError> {
    let mut insert =
        sql.prepare_cached("insert into group_members (user_id, group_id) values (?1, ?2)")?;
    for group in &user.groups {
        insert.execute(params![Blob(user.id), Blob(*group)])?;
    }
    Ok(())
}

fn group_columns(group: &Group) -> [Box<dyn ToSql + '_>; 5] {
    [
        Box::new(Blob(group.id)),
        Box::new(group.name.en.as_str()),
        Box::new(group.name.ar.as_str()),
        Box::new(group.agency.as_ref().map(AgencyCode::as_str)),
        Box::new(Json(&group.rules)),
    ]
}

fn set_roles_of_group(sql: &Connection, group: &Group) -> Result<(), SqlError> {
    run(
        sql,
        "delete from group_roles where group_id = ?1",
        &[&Blob(group.id)],
    )?;
    let mut insert =
        sql.prepare_cached("insert into group_roles (group_id, role) values (?1, ?2)")?;
    for role in &group.roles {
        insert.execute(params![Blob(group.id), RoleCode::as_str(role)])?;
    }
    Ok(())
}

fn delete_group(sql: &Connection, group: GroupId) -> Result<(), SqlError> {
    run(
        sql,
        "update users set revision = revision + 1
            where id in (select user_id from group_members where group_id = ?1)",
        &[&Blob(group)],
    )?;
    run(sql, "delete from groups where id = ?1", &[&Blob(group)])
}

fn put_role(sql: &Connection, role: &Role, statement: &str) -> Result<(), SqlError> {
    run(
        sql,
        statement,
        &[
            &role.code.as_str(),
            &role.name.en.as_str(),
            &role.name.ar.as_str(),
            &Json(&role.rules),
        ],
    )
}

fn put_agency(sql: &Connection, agency: &Agency, statement: &str) -> Result<(), SqlError> {
    run(
        sql,
        statement,
        &[
            &agency.code.as_str(),
            &agency.name.en.as_str(),
            &agency.name.ar.as_str(),
        ],
    )
}

fn run(sql: &Connection, statement: &str, parameters: &[&dyn ToSql]) -> Result<(), SqlError> {
    sql.prepare_cached(statement)?.execute(parameters)?;
    Ok(())
}
