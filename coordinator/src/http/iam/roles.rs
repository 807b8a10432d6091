//! Roles: what somebody with a certain job may do, in every agency alike.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Name;
use super::users::texts;
use crate::domain::access::{Deed, Rule};
use crate::domain::group::{self, RoleCode};
use crate::http::Api;
use crate::http::error::{
    Administering, Changing, Error, OnOne, Restricted, SignedIn, WithBody, WithQuery,
};
use crate::http::extract::{Json, Path, Query};
use crate::http::page::{Page, PageQuery, key};
use crate::services::access::Actor;
use crate::services::users::NewRole;

/// What somebody with a certain job may do.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Role {
    #[schema(example = "shift_leader")]
    pub code: String,
    pub name: Name,
    /// `own` means the agency of whoever has the role.
    #[schema(example = json!(["camera:own:view", "camera:own:export"]))]
    pub permissions: Vec<String>,
    /// Comes with the product and cannot be changed.
    pub built_in: bool,
    #[schema(example = 1)]
    pub revision: u64,
}

/// A role to be made.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRoleSettings {
    #[schema(value_type = String, pattern = "^[a-z][a-z0-9_]{0,31}$", example = "shift_leader")]
    pub code: RoleCode,
    pub name: Name,
    #[schema(value_type = Vec<String>, max_items = 200, example = json!(["camera:own:view", "camera:own:export"]))]
    pub permissions: Vec<Rule>,
}

/// What a role shall be from now on.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RoleReplacement {
    /// Of the role when it was read.
    #[schema(example = 1)]
    pub revision: u64,
    pub name: Name,
    #[schema(value_type = Vec<String>, max_items = 200, example = json!(["camera:own:view", "camera:own:export"]))]
    pub permissions: Vec<Rule>,
}

/// List roles
#[utoipa::path(get, path = "/api/v1/iam/roles", operation_id = "list_roles", tag = "iam",
    params(PageQuery),
    responses((status = 200, description = "One page of roles, by code.", body = Page<Role>), SignedIn, WithQuery, Restricted))]
pub async fn list_roles(
    actor: Actor,
    State(api): State<Arc<Api>>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<Role>>, Error> {
    let grant = api.services.access.some(&actor, Deed::ViewGroups)?;
    let roles = api.services.users.roles(&grant).await?;
    let roles = page.cut(roles, |role| key([role.code.as_str()]))?;
    Ok(Json(roles.map(Role::from)))
}

/// Make a role
#[utoipa::path(post, path = "/api/v1/iam/roles", operation_id = "create_role", tag = "iam",
    request_body = NewRoleSettings,
    responses((status = 201, description = "The role.", body = Role), SignedIn, Changing, WithBody, Administering))]
pub async fn create_role(
    actor: Actor,
    State(api): State<Arc<Api>>,
    Json(body): Json<NewRoleSettings>,
) -> Result<(StatusCode, Json<Role>), Error> {
    let grant = api.services.access.some(&actor, Deed::ManageGroups)?;
    let new = NewRole {
        name: body.name.into(),
        rules: body.permissions,
    };
    let users = &api.services.users;
    let role = users.create_role(&grant, body.code, new).await?;
    Ok((StatusCode::CREATED, Json(role.into())))
}

/// Replace what a role may do
#[utoipa::path(put, path = "/api/v1/iam/roles/{code}", operation_id = "replace_role", tag = "iam",
    params(("code" = String, Path, max_length = 32, description = "Code of the role.", example = "shift_leader")),
    request_body = RoleReplacement,
    responses((status = 200, description = "The role as changed.", body = Role), SignedIn, OnOne, Changing, WithBody, Administering))]
pub async fn replace_role(
    actor: Actor,
    State(api): State<Arc<Api>>,
    Path(code): Path<RoleCode>,
    Json(body): Json<RoleReplacement>,
) -> Result<Json<Role>, Error> {
    let grant = api.services.access.some(&actor, Deed::ManageGroups)?;
    let new = NewRole {
        name: body.name.into(),
        rules: body.permissions,
    };
    let users = &api.services.users;
    let role = users.replace_role(&grant, code, body.revision, new).await?;
    Ok(Json(role.into()))
}

/// Delete a role that nobody has
#[utoipa::path(delete, path = "/api/v1/iam/roles/{code}", operation_id = "delete_role", tag = "iam",
    params(("code" = String, Path, max_length = 32, description = "Code of the role.", example = "shift_leader")),
    responses((status = 204, description = "Deleted."), SignedIn, OnOne, Changing, Administering))]
pub async fn delete_role(
    actor: Actor,
    State(api): State<Arc<Api>>,
    Path(code): Path<RoleCode>,
) -> Result<StatusCode, Error> {
    let grant = api.services.access.some(&actor, Deed::ManageGroups)?;
    api.services.users.delete_role(&grant, code).await?;
    Ok(StatusCode::NO_CONTENT)
}

impl From<group::Role> for Role {
    fn from(role: group::Role) -> Self {
        Self {
            code: role.code.into(),
            name: role.name.into(),
            permissions: texts(&role.rules),
            built_in: role.built_in,
            revision: role.revision,
        }
    }
}
