//! Groups of people.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use shared::id::{GroupId, UserId};
use utoipa::ToSchema;

use super::Name;
use super::users::texts;
use crate::domain::access::{Deed, Rule};
use crate::domain::agency::AgencyCode;
use crate::domain::group::{self, RoleCode};
use crate::http::Api;
use crate::http::error::{
    Administering, Changing, Error, OnOne, Restricted, SignedIn, WithBody, WithQuery,
};
use crate::http::extract::{Json, Path, Query};
use crate::http::page::{Page, PageQuery, key};
use crate::services::access::Actor;
use crate::services::users::NewGroup;

/// People who have roles and permissions in common.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Group {
    #[schema(value_type = String, format = Uuid)]
    pub id: GroupId,
    pub name: Name,
    /// Only people of this agency can be members; absent for a group across agencies.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "METRO")]
    pub agency: Option<String>,
    /// Codes of the roles that members have.
    #[schema(example = json!(["operator"]))]
    pub roles: Vec<String>,
    /// What members may do beside the roles; `own` means the agency of each.
    #[schema(example = json!(["camera:own:export"]))]
    pub permissions: Vec<String>,
    #[schema(example = 12)]
    pub members: usize,
    #[schema(example = 1)]
    pub revision: u64,
}

/// A group with its members.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct GroupWithMembers {
    #[serde(flatten)]
    pub group: Group,
    /// Those whom the actor may see.
    pub people: Vec<Member>,
}

/// Somebody in a group.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Member {
    #[schema(value_type = String, format = Uuid)]
    pub id: UserId,
    #[schema(example = "layla.hassan")]
    pub login: String,
    #[schema(example = "Layla Hassan")]
    pub display_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "METRO")]
    pub agency: Option<String>,
}

/// A group to be made.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GroupSettings {
    pub name: Name,
    #[schema(value_type = Option<String>, pattern = "^[A-Z0-9_]{1,32}$", example = "METRO")]
    pub agency: Option<AgencyCode>,
    #[serde(default)]
    #[schema(value_type = Vec<String>, max_items = 100, example = json!(["operator"]))]
    pub roles: BTreeSet<RoleCode>,
    #[serde(default)]
    #[schema(value_type = Vec<String>, max_items = 200, example = json!(["camera:own:export"]))]
    pub permissions: Vec<Rule>,
}

/// What a group shall be from now on.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GroupReplacement {
    /// Of the group when it was read.
    #[schema(example = 1)]
    pub revision: u64,
    pub name: Name,
    #[schema(value_type = Option<String>, pattern = "^[A-Z0-9_]{1,32}$", example = "METRO")]
    pub agency: Option<AgencyCode>,
    #[serde(default)]
    #[schema(value_type = Vec<String>, max_items = 100, example = json!(["operator"]))]
    pub roles: BTreeSet<RoleCode>,
    #[serde(default)]
    #[schema(value_type = Vec<String>, max_items = 200, example = json!(["camera:own:export"]))]
    pub permissions: Vec<Rule>,
}

/// List groups
///
/// Those that the actor may see, by name.
#[utoipa::path(get, path = "/api/v1/iam/groups", operation_id = "list_groups", tag = "iam",
    params(PageQuery),
    responses((status = 200, description = "One page of groups.", body = Page<Group>), SignedIn, WithQuery, Restricted))]
pub async fn list_groups(
    actor: Actor,
    State(api): State<Arc<Api>>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<Group>>, Error> {
    let grant = api.services.access.some(&actor, Deed::ViewGroups)?;
    let groups = api.services.users.groups(&grant).await?;
    let groups = page.cut(groups, |(group, _)| {
        key([group.name.en.as_str(), &group.id.to_string()])
    })?;
    Ok(Json(
        groups.map(|(group, members)| Group::of(group, members)),
    ))
}

/// Make a group
#[utoipa::path(post, path = "/api/v1/iam/groups", operation_id = "create_group", tag = "iam",
    request_body = GroupSettings,
    responses((status = 201, description = "The group.", body = Group), SignedIn, Changing, WithBody, Administering))]
pub async fn create_group(
    actor: Actor,
    State(api): State<Arc<Api>>,
    Json(body): Json<GroupSettings>,
) -> Result<(StatusCode, Json<Group>), Error> {
    let grant = api.services.access.some(&actor, Deed::ManageGroups)?;
    let new = NewGroup {
        name: body.name.into(),
        agency: body.agency,
        roles: body.roles,
        rules: body.permissions,
    };
    let group = api.services.users.create_group(&grant, new).await?;
    Ok((StatusCode::CREATED, Json(Group::of(group, 0))))
}

/// One group with its members
#[utoipa::path(get, path = "/api/v1/iam/groups/{id}", operation_id = "get_group", tag = "iam",
    params(("id" = String, Path, format = Uuid)),
    responses((status = 200, description = "The group.", body = GroupWithMembers), SignedIn, OnOne, Restricted))]
pub async fn get_group(
    actor: Actor,
    State(api): State<Arc<Api>>,
    Path(id): Path<GroupId>,
) -> Result<Json<GroupWithMembers>, Error> {
    let grant = api.services.access.some(&actor, Deed::ViewGroups)?;
    let (group, members, people) = api.services.users.group(&grant, id).await?;
    let people = people.into_iter().map(|user| Member {
        id: user.id,
        login: user.login.as_str().to_owned(),
        display_name: user.display_name.into(),
        agency: user.agency.map(Into::into),
    });
    Ok(Json(GroupWithMembers {
        group: Group::of(group, members),
        people: people.collect(),
    }))
}

/// Replace what a group is
///
/// Its members stay.
#[utoipa::path(put, path = "/api/v1/iam/groups/{id}", operation_id = "replace_group", tag = "iam",
    params(("id" = String, Path, format = Uuid)),
    request_body = GroupReplacement,
    responses((status = 200, description = "The group as changed.", body = Group), SignedIn, OnOne, Changing, WithBody, Administering))]
pub async fn replace_group(
    actor: Actor,
    State(api): State<Arc<Api>>,
    Path(id): Path<GroupId>,
    Json(body): Json<GroupReplacement>,
) -> Result<Json<Group>, Error> {
    let grant = api.services.access.some(&actor, Deed::ManageGroups)?;
    let new = NewGroup {
        name: body.name.into(),
        agency: body.agency,
        roles: body.roles,
        rules: body.permissions,
    };
    let users = &api.services.users;
    let (group, members) = users.replace_group(&grant, id, body.revision, new).await?;
    Ok(Json(Group::of(group, members)))
}

/// Delete a group
///
/// Its members lose what it gave them.
#[utoipa::path(delete, path = "/api/v1/iam/groups/{id}", operation_id = "delete_group", tag = "iam",
    params(("id" = String, Path, format = Uuid)),
    responses((status = 204, description = "Deleted."), SignedIn, OnOne, Changing, Administering))]
pub async fn delete_group(
    actor: Actor,
    State(api): State<Arc<Api>>,
    Path(id): Path<GroupId>,
) -> Result<StatusCode, Error> {
    let grant = api.services.access.some(&actor, Deed::ManageGroups)?;
    api.services.users.delete_group(&grant, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

impl Group {
    fn of(group: group::Group, members: usize) -> Self {
        Self {
            id: group.id,
            name: group.name.into(),
            agency: group.agency.map(Into::into),
            roles: group.roles.into_iter().map(Into::into).collect(),
            permissions: texts(&group.rules),
            members,
            revision: group.revision,
        }
    }
}
