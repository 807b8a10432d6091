//! Who people are at issuers outside.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use shared::id::UserId;
use utoipa::ToSchema;

use crate::domain::access::Deed;
use crate::domain::outside::Identity;
use crate::http::Api;
use crate::http::error::{
    Administering, Changing, Code, Error, OnOne, Restricted, SignedIn, WithBody,
};
use crate::http::extract::{Json, Path};
use crate::http::page::Page;
use crate::http::vocabulary::Timestamp;
use crate::services::access::Actor;

/// Somebody at an issuer: its name and what it calls them, byte by byte.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewIdentity {
    /// `iss` of the issuer's tokens.
    #[schema(
        min_length = 1,
        max_length = 255,
        example = "https://sso.example/realms/rta"
    )]
    pub issuer: String,
    /// `sub` of the person there.
    #[schema(min_length = 1, max_length = 255, example = "248289761001")]
    pub subject: String,
}

/// By which somebody is known.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LinkedIdentity {
    #[schema(example = "https://sso.example/realms/rta")]
    pub issuer: String,
    #[schema(example = "248289761001")]
    pub subject: String,
    pub linked_at: Timestamp,
}

/// Identities of a person
///
/// By which the identity provider and issuers of tokens know them.
#[utoipa::path(get, path = "/api/v1/iam/users/{id}/identities", operation_id = "list_identities", tag = "iam",
    params(("id" = uuid::Uuid, Path, description = "The person.")),
    responses((status = 200, description = "A handful at most.", body = Page<LinkedIdentity>), SignedIn, OnOne, Restricted))]
pub async fn list_identities(
    actor: Actor,
    State(api): State<Arc<Api>>,
    Path(user): Path<UserId>,
) -> Result<Json<Page<LinkedIdentity>>, Error> {
    let grant = api.services.access.some(&actor, Deed::ViewUsers)?;
    let identities = api.services.users.identities(&grant, user).await?;
    let items = identities.into_iter().map(|(identity, at)| LinkedIdentity {
        issuer: identity.issuer().to_owned(),
        subject: identity.subject().to_owned(),
        linked_at: Timestamp(at),
    });
    Ok(Json(Page {
        items: items.collect(),
        next: None,
    }))
}

/// Link an identity
///
/// From now on whoever has it comes in as this person.
#[utoipa::path(post, path = "/api/v1/iam/users/{id}/identities", operation_id = "link_identity", tag = "iam",
    params(("id" = uuid::Uuid, Path, description = "The person.")),
    request_body = NewIdentity,
    responses((status = 204, description = "Linked."), SignedIn, Changing, OnOne, Administering, WithBody))]
pub async fn link_identity(
    actor: Actor,
    State(api): State<Arc<Api>>,
    Path(user): Path<UserId>,
    Json(body): Json<NewIdentity>,
) -> Result<StatusCode, Error> {
    let grant = api.services.access.some(&actor, Deed::ManageUsers)?;
    let identity = Identity::new(&body.issuer, &body.subject);
    let identity = identity.ok_or(Code::InvalidValue)?;
    let users = &api.services.users;
    users.link_identity(&grant, user, identity).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Unlink all identities of a person
///
/// Ends all their sessions.
#[utoipa::path(delete, path = "/api/v1/iam/users/{id}/identities", operation_id = "unlink_identities", tag = "iam",
    params(("id" = uuid::Uuid, Path, description = "The person.")),
    responses((status = 204, description = "There is none any more."), SignedIn, Changing, OnOne, Administering))]
pub async fn unlink_identities(
    actor: Actor,
    State(api): State<Arc<Api>>,
    Path(user): Path<UserId>,
) -> Result<StatusCode, Error> {
    let grant = api.services.access.some(&actor, Deed::ManageUsers)?;
    api.services.users.unlink_identities(&grant, user).await?;
    Ok(StatusCode::NO_CONTENT)
}
