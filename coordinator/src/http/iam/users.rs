//! People with accounts.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use shared::id::{GroupId, UserId};
use utoipa::ToSchema;

use super::Name;
use crate::domain::access::{Deed, Rule};
use crate::domain::agency::AgencyCode;
use crate::domain::directory::Directory;
use crate::domain::group::RoleCode;
use crate::domain::text::{Email, Line};
use crate::domain::user;
use crate::http::Api;
use crate::http::error::{
    Administering, Changing, Error, OnOne, Restricted, SignedIn, WithBody, WithQuery,
};
use crate::http::extract::{Json, Path, Query};
use crate::http::page::{Page, PageQuery, key};
use crate::http::vocabulary::Timestamp;
use crate::services::access::Actor;
use crate::services::users;

/// Whether somebody may sign in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum UserStatus {
    Active,
    /// May not sign in; everything they had open has ended.
    Disabled,
}

impl From<user::Status> for UserStatus {
    fn from(status: user::Status) -> Self {
        match status {
            user::Status::Active => Self::Active,
            user::Status::Disabled => Self::Disabled,
        }
    }
}

impl From<UserStatus> for user::Status {
    fn from(status: UserStatus) -> Self {
        match status {
            UserStatus::Active => Self::Active,
            UserStatus::Disabled => Self::Disabled,
        }
    }
}

/// A person with an account.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct User {
    #[schema(value_type = String, format = Uuid)]
    pub id: UserId,
    #[schema(example = "layla.hassan")]
    pub login: String,
    #[schema(example = "Layla Hassan")]
    pub display_name: String,
    /// The full name in Arabic.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "ليلى حسن")]
    pub arabic_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "layla.hassan@example.org")]
    pub email: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "10482")]
    pub employee_number: Option<String>,
    /// Code of the agency; absent for people of the whole authority.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "METRO")]
    pub agency: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "Rail operations")]
    pub department: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "Red line")]
    pub section: Option<String>,
    pub status: UserStatus,
    /// Codes of the roles.
    #[schema(example = json!(["operator"]))]
    pub roles: Vec<String>,
    pub groups: Vec<GroupName>,
    /// Exceptions for this person, beside what roles and groups say.
    #[schema(example = json!(["camera:METRO:export", "!camera:METRO:ptz"]))]
    pub permissions: Vec<String>,
    /// All they may do, by whichever way, with their agency for `own`.
    #[schema(example = json!(["camera:METRO:view", "camera:METRO:playback", "camera:METRO:export", "!camera:METRO:ptz"]))]
    pub effective_permissions: Vec<String>,
    pub created_at: Timestamp,
    /// Counts the changes; a replacement names the one it has seen.
    #[schema(example = 3)]
    pub revision: u64,
}

/// A group that somebody is in.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct GroupName {
    #[schema(value_type = String, format = Uuid)]
    pub id: GroupId,
    pub name: Name,
}

/// Somebody new.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewUser {
    /// In any case and width; kept in one form, and no other account may look like it.
    #[schema(min_length = 1, max_length = 128, example = "layla.hassan")]
    pub login: String,
    #[schema(value_type = String, min_length = 1, max_length = 128, example = "Layla Hassan")]
    pub display_name: Line<128>,
    #[schema(value_type = Option<String>, min_length = 1, max_length = 128, example = "ليلى حسن")]
    pub arabic_name: Option<Line<128>>,
    #[schema(value_type = Option<String>, format = Email, max_length = 254)]
    pub email: Option<Email>,
    #[schema(value_type = Option<String>, min_length = 1, max_length = 32, example = "10482")]
    pub employee_number: Option<Line<32>>,
    #[schema(value_type = Option<String>, pattern = "^[A-Z0-9_]{1,32}$", example = "METRO")]
    pub agency: Option<AgencyCode>,
    #[schema(value_type = Option<String>, min_length = 1, max_length = 128)]
    pub department: Option<Line<128>>,
    #[schema(value_type = Option<String>, min_length = 1, max_length = 128)]
    pub section: Option<Line<128>>,
    /// Codes of roles.
    #[serde(default)]
    #[schema(value_type = Vec<String>, max_items = 100, example = json!(["operator"]))]
    pub roles: BTreeSet<RoleCode>,
    /// Exceptions such as `camera:METRO:export`, with `!` before them to forbid.
    #[serde(default)]
    #[schema(value_type = Vec<String>, max_items = 200, example = json!(["camera:METRO:export"]))]
    pub permissions: Vec<Rule>,
    /// Left out for somebody who signs in with an identity provider only.
    #[schema(value_type = Option<String>, format = Password, min_length = 12, max_length = 1024)]
    pub password: Option<SecretString>,
}

/// What a person shall be from now on; what is left out is empty.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UserReplacement {
    /// Of the person when they were read.
    #[schema(example = 3)]
    pub revision: u64,
    #[schema(min_length = 1, max_length = 128, example = "layla.hassan")]
    pub login: String,
    #[schema(value_type = String, min_length = 1, max_length = 128, example = "Layla Hassan")]
    pub display_name: Line<128>,
    #[schema(value_type = Option<String>, min_length = 1, max_length = 128, example = "ليلى حسن")]
    pub arabic_name: Option<Line<128>>,
    #[schema(value_type = Option<String>, format = Email, max_length = 254)]
    pub email: Option<Email>,
    #[schema(value_type = Option<String>, min_length = 1, max_length = 32, example = "10482")]
    pub employee_number: Option<Line<32>>,
    #[schema(value_type = Option<String>, pattern = "^[A-Z0-9_]{1,32}$", example = "METRO")]
    pub agency: Option<AgencyCode>,
    #[schema(value_type = Option<String>, min_length = 1, max_length = 128)]
    pub department: Option<Line<128>>,
    #[schema(value_type = Option<String>, min_length = 1, max_length = 128)]
    pub section: Option<Line<128>>,
    #[serde(default)]
    #[schema(value_type = Vec<String>, max_items = 100, example = json!(["operator"]))]
    pub roles: BTreeSet<RoleCode>,
    #[serde(default)]
    #[schema(value_type = Vec<String>, max_items = 200, example = json!(["!camera:METRO:ptz"]))]
    pub permissions: Vec<Rule>,
}

/// Whether somebody may sign in from now on.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StatusChange {
    pub status: UserStatus,
}

/// A new password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPassword {
    #[schema(value_type = String, format = Password, min_length = 12, max_length = 1024)]
    pub password: SecretString,
}

/// A group to join.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Membership {
    #[schema(value_type = String, format = Uuid)]
    pub group_id: GroupId,
}

/// List people
///
/// Those whom the actor may see, by login.
#[utoipa::path(get, path = "/api/v1/iam/users", operation_id = "list_users", tag = "iam",
    params(PageQuery),
    responses((status = 200, description = "One page of people.", body = Page<User>), SignedIn, WithQuery, Restricted))]
pub async fn list_users(
    actor: Actor,
    State(api): State<Arc<Api>>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<User>>, Error> {
    let grant = api.services.access.some(&actor, Deed::ViewUsers)?;
    let (directory, users) = api.services.users.list(&grant).await?;
    let users = page.cut(users, |user| key([user.login.as_str()]))?;
    Ok(Json(users.map(|user| User::of(user, &directory))))
}

/// Create a person
#[utoipa::path(post, path = "/api/v1/iam/users", operation_id = "create_user", tag = "iam",
    request_body = NewUser,
    responses((status = 201, description = "The person.", body = User), SignedIn, Changing, WithBody, Administering))]
pub async fn create_user(
    actor: Actor,
    State(api): State<Arc<Api>>,
    Json(body): Json<NewUser>,
) -> Result<(StatusCode, Json<User>), Error> {
    let grant = api.services.access.some(&actor, Deed::ManageUsers)?;
    let profile = users::Profile {
        login: body.login,
        display_name: body.display_name,
        arabic_name: body.arabic_name,
        email: body.email,
        employee_number: body.employee_number,
        agency: body.agency,
        department: body.department,
        section: body.section,
        roles: body.roles,
        rules: body.permissions,
    };
    let users = &api.services.users;
    let (directory, user) = users.create(&grant, profile, body.password).await?;
    Ok((StatusCode::CREATED, Json(User::of(user, &directory))))
}

/// One person
#[utoipa::path(get, path = "/api/v1/iam/users/{id}", operation_id = "get_user", tag = "iam",
    params(("id" = String, Path, format = Uuid)),
    responses((status = 200, description = "The person.", body = User), SignedIn, OnOne, Restricted))]
pub async fn get_user(
    actor: Actor,
    State(api): State<Arc<Api>>,
    Path(id): Path<UserId>,
) -> Result<Json<User>, Error> {
    let grant = api.services.access.some(&actor, Deed::ViewUsers)?;
    let (directory, user) = api.services.users.get(&grant, id).await?;
    Ok(Json(User::of(user, &directory)))
}

/// Replace what a person is
///
/// Status, groups and credentials stay; they have operations of their own.
#[utoipa::path(put, path = "/api/v1/iam/users/{id}", operation_id = "replace_user", tag = "iam",
    params(("id" = String, Path, format = Uuid)),
    request_body = UserReplacement,
    responses((status = 200, description = "The person as changed.", body = User), SignedIn, OnOne, Changing, WithBody, Administering))]
pub async fn replace_user(
    actor: Actor,
    State(api): State<Arc<Api>>,
    Path(id): Path<UserId>,
    Json(body): Json<UserReplacement>,
) -> Result<Json<User>, Error> {
    let grant = api.services.access.some(&actor, Deed::ManageUsers)?;
    let profile = users::Profile {
        login: body.login,
        display_name: body.display_name,
        arabic_name: body.arabic_name,
        email: body.email,
        employee_number: body.employee_number,
        agency: body.agency,
        department: body.department,
        section: body.section,
        roles: body.roles,
        rules: body.permissions,
    };
    let users = &api.services.users;
    let (directory, user) = users.replace(&grant, id, body.revision, profile).await?;
    Ok(Json(User::of(user, &directory)))
}

/// Disable or enable a person
///
/// Disabling ends all they have open, wherever it is.
#[utoipa::path(patch, path = "/api/v1/iam/users/{id}/status", operation_id = "set_user_status", tag = "iam",
    params(("id" = String, Path, format = Uuid)),
    request_body = StatusChange,
    responses((status = 200, description = "The person as changed.", body = User), SignedIn, OnOne, Changing, WithBody, Administering))]
pub async fn set_user_status(
    actor: Actor,
    State(api): State<Arc<Api>>,
    Path(id): Path<UserId>,
    Json(body): Json<StatusChange>,
) -> Result<Json<User>, Error> {
    let grant = api.services.access.some(&actor, Deed::ManageUsers)?;
    let users = &api.services.users;
    let changed = users.set_status(&grant, id, body.status.into());
    let (directory, user) = changed.await?;
    Ok(Json(User::of(user, &directory)))
}

/// Set somebody's password
///
/// Ends all their sessions.
#[utoipa::path(put, path = "/api/v1/iam/users/{id}/password", operation_id = "set_user_password", tag = "iam",
    params(("id" = String, Path, format = Uuid)),
    request_body = NewPassword,
    responses((status = 204, description = "The password is set."), SignedIn, OnOne, Changing, WithBody, Administering))]
pub async fn set_user_password(
    actor: Actor,
    State(api): State<Arc<Api>>,
    Path(id): Path<UserId>,
    Json(body): Json<NewPassword>,
) -> Result<StatusCode, Error> {
    let grant = api.services.access.some(&actor, Deed::ManageUsers)?;
    let users = &api.services.users;
    users.set_password(&grant, id, body.password).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Add somebody to a group
#[utoipa::path(post, path = "/api/v1/iam/users/{id}/groups", operation_id = "add_user_to_group", tag = "iam",
    params(("id" = String, Path, format = Uuid)),
    request_body = Membership,
    responses((status = 200, description = "The person as changed.", body = User), SignedIn, OnOne, Changing, WithBody, Administering))]
pub async fn add_user_to_group(
    actor: Actor,
    State(api): State<Arc<Api>>,
    Path(id): Path<UserId>,
    Json(body): Json<Membership>,
) -> Result<Json<User>, Error> {
    let grant = api.services.access.some(&actor, Deed::ManageUsers)?;
    let users = &api.services.users;
    let (directory, user) = users.add_member(&grant, id, body.group_id).await?;
    Ok(Json(User::of(user, &directory)))
}

/// Take somebody out of a group
#[utoipa::path(delete, path = "/api/v1/iam/users/{id}/groups/{group_id}", operation_id = "remove_user_from_group", tag = "iam",
    params(("id" = String, Path, format = Uuid), ("group_id" = String, Path, format = Uuid)),
    responses((status = 200, description = "The person as changed.", body = User), SignedIn, OnOne, Changing, Administering))]
pub async fn remove_user_from_group(
    actor: Actor,
    State(api): State<Arc<Api>>,
    Path((id, group)): Path<(UserId, GroupId)>,
) -> Result<Json<User>, Error> {
    let grant = api.services.access.some(&actor, Deed::ManageUsers)?;
    let users = &api.services.users;
    let (directory, user) = users.remove_member(&grant, id, group).await?;
    Ok(Json(User::of(user, &directory)))
}

impl User {
    pub(super) fn of(user: user::User, directory: &Directory) -> Self {
        let permissions = directory.permissions(&user);
        let groups = user.groups.iter().filter_map(|id| directory.groups.get(id));
        Self {
            groups: groups
                .map(|group| GroupName {
                    id: group.id,
                    name: group.name.clone().into(),
                })
                .collect(),
            effective_permissions: texts(permissions.rules()),
            id: user.id,
            login: user.login.as_str().to_owned(),
            display_name: user.display_name.into(),
            arabic_name: user.arabic_name.map(Into::into),
            email: user.email.map(Into::into),
            employee_number: user.employee_number.map(Into::into),
            agency: user.agency.map(Into::into),
            department: user.department.map(Into::into),
            section: user.section.map(Into::into),
            status: user.status.into(),
            roles: user.roles.into_iter().map(Into::into).collect(),
            permissions: texts(&user.rules),
            created_at: user.created_at.into(),
            revision: user.revision,
        }
    }
}

pub(super) fn texts(rules: &[Rule]) -> Vec<String> {
    rules.iter().map(ToString::to_string).collect()
}
