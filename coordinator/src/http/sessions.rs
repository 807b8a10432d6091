//! Who is signed in where: one's own sessions, and those of others for those who look after them.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use shared::id::{SessionId, UserId};
use utoipa::ToSchema;

use super::Api;
use super::error::{Changing, Error, OnOne, Restricted, SignedIn};
use super::extract::{Json, Path};
use super::page::Page;
use super::vocabulary::Timestamp;
use crate::domain::access::Deed;
use crate::domain::user::{Session, SessionKind};
use crate::services::access::Actor;

/// A signed-in browser or program.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SignedInAt {
    #[schema(value_type = String, format = Uuid)]
    pub id: SessionId,
    pub kind: HolderKind,
    pub created_at: Timestamp,
    /// To the minute.
    pub last_seen: Timestamp,
    /// When it ends if it is not used before.
    pub expires_at: Timestamp,
    /// Where it was begun.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "192.0.2.7")]
    pub address: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "Mozilla/5.0 (X11; Linux x86_64)")]
    pub user_agent: Option<String>,
    /// Whether it is the one that asks.
    #[schema(example = false)]
    pub current: bool,
}

#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum HolderKind {
    Browser,
    /// With access and refresh tokens.
    Program,
    /// With an API token.
    Machine,
}

impl SignedInAt {
    fn new(session: Session, asking: Option<SessionId>) -> Self {
        Self {
            id: session.id,
            kind: match session.kind {
                SessionKind::Browser => HolderKind::Browser,
                SessionKind::Client | SessionKind::Outside { .. } => HolderKind::Program,
                SessionKind::Machine { .. } => HolderKind::Machine,
            },
            created_at: Timestamp(session.created_at),
            last_seen: Timestamp(session.last_seen),
            expires_at: Timestamp(session.expires_at()),
            address: session.origin.address().map(|address| address.to_string()),
            user_agent: session.origin.user_agent().map(str::to_owned),
            current: asking == Some(session.id),
        }
    }

    /// A person has a handful of sessions: one page.
    fn page(sessions: Vec<Session>, asking: SessionId) -> Page<Self> {
        let items = sessions.into_iter();
        let items = items.map(|session| Self::new(session, Some(asking)));
        Page {
            items: items.collect(),
            next: None,
        }
    }
}

/// Own sessions
#[utoipa::path(get, path = "/api/v1/iam/me/sessions", operation_id = "list_own_sessions", tag = "session",
    responses((status = 200, description = "Newest first.", body = Page<SignedInAt>), SignedIn))]
pub async fn list_own_sessions(
    actor: Actor,
    State(api): State<Arc<Api>>,
) -> Result<Json<Page<SignedInAt>>, Error> {
    let sessions = api.services.access.own_sessions(&actor).await?;
    Ok(Json(SignedInAt::page(sessions, actor.session_id())))
}

/// End an own session
#[utoipa::path(delete, path = "/api/v1/iam/me/sessions/{id}", operation_id = "end_own_session", tag = "session",
    params(("id" = uuid::Uuid, Path, description = "Of `list_own_sessions`.")),
    responses((status = 204, description = "Ended, with everything it had open."), SignedIn, Changing, OnOne))]
pub async fn end_own_session(
    actor: Actor,
    State(api): State<Arc<Api>>,
    Path(id): Path<SessionId>,
) -> Result<StatusCode, Error> {
    api.services.access.end_own_session(&actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Somebody's sessions
#[utoipa::path(get, path = "/api/v1/iam/users/{id}/sessions", operation_id = "list_sessions", tag = "session",
    params(("id" = uuid::Uuid, Path, description = "The person.")),
    responses((status = 200, description = "Newest first.", body = Page<SignedInAt>), SignedIn, OnOne, Restricted))]
pub async fn list_sessions(
    actor: Actor,
    State(api): State<Arc<Api>>,
    Path(user): Path<UserId>,
) -> Result<Json<Page<SignedInAt>>, Error> {
    let grant = api.services.access.some(&actor, Deed::ViewUsers)?;
    let sessions = api.services.users.sessions(&grant, user).await?;
    Ok(Json(SignedInAt::page(sessions, actor.session_id())))
}

/// End all of somebody's sessions
///
/// Tokens of machines end with them.
#[utoipa::path(delete, path = "/api/v1/iam/users/{id}/sessions", operation_id = "end_sessions", tag = "session",
    params(("id" = uuid::Uuid, Path, description = "The person.")),
    responses((status = 204, description = "Ended, with everything they had open."), SignedIn, Changing, OnOne))]
pub async fn end_sessions(
    actor: Actor,
    State(api): State<Arc<Api>>,
    Path(user): Path<UserId>,
) -> Result<StatusCode, Error> {
    let grant = api.services.access.some(&actor, Deed::ManageUsers)?;
    api.services.users.end_sessions(&grant, user, None).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// End one of somebody's sessions
#[utoipa::path(delete, path = "/api/v1/iam/users/{id}/sessions/{session_id}", operation_id = "end_session", tag = "session",
    params(
        ("id" = uuid::Uuid, Path, description = "The person."),
        ("session_id" = uuid::Uuid, Path, description = "Of `list_sessions`."),
    ),
    responses((status = 204, description = "Ended, with everything it had open."), SignedIn, Changing, OnOne))]
pub async fn end_session(
    actor: Actor,
    State(api): State<Arc<Api>>,
    Path((user, id)): Path<(UserId, SessionId)>,
) -> Result<StatusCode, Error> {
    let grant = api.services.access.some(&actor, Deed::ManageUsers)?;
    api.services
        .users
        .end_sessions(&grant, user, Some(id))
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Remove somebody's second factor
///
/// For whoever has lost their app and their recovery codes. Ends all their sessions.
#[utoipa::path(delete, path = "/api/v1/iam/users/{id}/second-factor", operation_id = "reset_second_factor", tag = "session",
    params(("id" = uuid::Uuid, Path, description = "The person.")),
    responses((status = 204, description = "Removed."), SignedIn, Changing, OnOne))]
pub async fn reset_second_factor(
    actor: Actor,
    State(api): State<Arc<Api>>,
    Path(user): Path<UserId>,
) -> Result<StatusCode, Error> {
    let grant = api.services.access.some(&actor, Deed::ManageUsers)?;
    api.services.users.reset_second_factor(&grant, user).await?;
    Ok(StatusCode::NO_CONTENT)
}
