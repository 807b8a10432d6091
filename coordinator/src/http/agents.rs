//! Agents: the installed programs near the cameras, and the invitations that enrol them.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};
use shared::id::{AgentId, SiteId};
use shared::wire::control::BufferStatus;
use utoipa::ToSchema;

use super::Api;
use super::error::{Changing, Error, OnOne, Restricted, SignedIn, WithBody, WithQuery};
use super::extract::{Json, Path, Query};
use super::page::{Page, PageQuery, key};
use super::vocabulary::{Reason, Sentence, Timestamp};
use crate::domain::access::Deed;
use crate::enrolment;
use crate::services::access::Actor;
use crate::services::agents::{self as views, AgentView};

const DEFAULT_VALIDITY_MINUTES: u32 = 24 * 60;

/// One enrolled agent.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Agent {
    #[schema(value_type = String, format = Uuid)]
    pub id: AgentId,
    #[schema(example = "depot-nvr-1")]
    pub name: String,
    #[schema(value_type = String, format = Uuid)]
    pub site_id: SiteId,
    pub site_name: String,
    /// Of the agent program; absent until it first connected.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "0.1.0")]
    pub version: Option<String>,
    /// Its operating system, for support.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// IANA name of the zone in which people at its site read their clocks; absent where it did not
    /// tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "Asia/Dubai")]
    pub time_zone: Option<String>,
    pub state: AgentState,
    /// When it was last heard of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_seen: Option<Timestamp>,
    /// Absent while it is not connected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connected_since: Option<Timestamp>,
    /// Agent clock minus coordinator clock, in microseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock_offset_us: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub round_trip_us: Option<u64>,
    /// Its local buffer as last reported.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub buffer: Option<Buffer>,
    /// Records of metadata it has not yet handed over.
    pub metadata_backlog: u64,
    /// Segments that policy wants at the centre and that are not there yet.
    pub upload_backlog: u64,
    /// How many of its cameras the actor may see.
    pub cameras: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AgentState {
    Connected,
    Offline,
    /// Its certificate is no longer accepted.
    Revoked,
}

/// The disk beside the cameras.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Buffer {
    /// Size of the file system.
    pub total_bytes: u64,
    pub free_bytes: u64,
    /// Of recordings.
    pub used_bytes: u64,
    /// Recorded and not yet at the centre.
    pub unsent_bytes: u64,
    /// The oldest recording kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oldest: Option<Timestamp>,
    /// When recordings that were never uploaded begin to be deleted, at the present rates.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deletes_unsent_at: Option<Timestamp>,
    /// Set while the disk cannot be written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<Fault>,
}

/// A reason with its sentences.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Fault {
    pub reason: Reason,
    #[schema(example = "The agent's disk was full.")]
    pub message_en: &'static str,
    #[schema(example = "كان قرص الوكيل ممتلئًا.")]
    pub message_ar: &'static str,
}

/// What the enrolment code shall be good for.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewInvite {
    /// The site the agent belongs to; created when there is none of that name.
    #[schema(min_length = 1, max_length = 100, example = "Al Rigga depot")]
    pub site_name: String,
    /// What the agent is called; the installer's own name for it when left out.
    #[schema(max_length = 100, example = "depot-nvr-1")]
    pub agent_name: Option<String>,
    /// How long the code works: up to 30 days; one day when left out.
    #[schema(minimum = 1, maximum = 43200, default = 1440)]
    pub valid_for_minutes: Option<u32>,
}

/// An enrolment code. It works once and is shown once.
#[derive(Clone, Serialize, ToSchema)]
pub struct Invite {
    /// For `cctv-agent enroll`.
    #[schema(
        example = "cctv1:centre.example:7443:47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU:hTq3c9rJ3m0"
    )]
    pub code: String,
    /// The same as a QR code, an SVG document.
    pub qr_svg: String,
    pub expires_at: Timestamp,
}

impl From<AgentView> for Agent {
    fn from(agent: AgentView) -> Self {
        Self {
            id: agent.id,
            name: agent.name,
            site_id: agent.site,
            site_name: agent.site_name,
            version: agent.version,
            host: agent.host,
            time_zone: agent.time_zone,
            state: agent.state.into(),
            last_seen: agent.last_seen.map(Timestamp),
            connected_since: agent.connected_since.map(Timestamp),
            clock_offset_us: agent.uplink.clock_offset_us,
            round_trip_us: agent.uplink.round_trip_us,
            buffer: agent.buffer.map(Buffer::from),
            metadata_backlog: agent.uplink.metadata_backlog,
            upload_backlog: agent.uplink.upload_backlog,
            cameras: agent.cameras,
        }
    }
}

impl From<views::AgentState> for AgentState {
    fn from(state: views::AgentState) -> Self {
        match state {
            views::AgentState::Connected => Self::Connected,
            views::AgentState::Offline => Self::Offline,
            views::AgentState::Revoked => Self::Revoked,
        }
    }
}

impl From<BufferStatus> for Buffer {
    fn from(buffer: BufferStatus) -> Self {
        Self {
            total_bytes: buffer.total_bytes,
            free_bytes: buffer.free_bytes,
            used_bytes: buffer.used_bytes,
            unsent_bytes: buffer.unsent_bytes,
            oldest: buffer.oldest.map(Timestamp),
            deletes_unsent_at: buffer.deletes_unsent_at.map(Timestamp),
            fault: buffer.fault.map(|reason| Fault::from(Reason::from(reason))),
        }
    }
}

impl From<Reason> for Fault {
    fn from(reason: Reason) -> Self {
        let Sentence { en, ar } = reason.sentence();
        Self {
            reason,
            message_en: en,
            message_ar: ar,
        }
    }
}

/// List agents
#[utoipa::path(get, path = "/api/v1/agents", operation_id = "list_agents", tag = "agents",
    params(PageQuery),
    responses((status = 200, description = "One page of agents, by name.", body = Page<Agent>), SignedIn, WithQuery, Restricted))]
pub async fn list_agents(
    actor: Actor,
    State(api): State<Arc<Api>>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<Agent>>, Error> {
    let grant = api.services.access.admin(&actor, Deed::ViewAgents)?;
    let agents = api.services.agents.list(&grant).await?;
    let agents = page.cut(agents, |agent| key([&agent.name, &agent.id.to_string()]))?;
    Ok(Json(agents.map(Agent::from)))
}

/// Invite an agent
///
/// Makes an enrolment code that works once. It is not stored in clear and cannot be shown again.
#[utoipa::path(post, path = "/api/v1/agents/invites", operation_id = "create_invite", tag = "agents",
    request_body = NewInvite,
    responses((status = 201, description = "The enrolment code.", body = Invite), SignedIn, Changing, WithBody))]
pub async fn create_invite(
    actor: Actor,
    State(api): State<Arc<Api>>,
    Json(body): Json<NewInvite>,
) -> Result<(StatusCode, Json<Invite>), Error> {
    let grant = api.services.access.admin(&actor, Deed::ManageAgents)?;
    let invited = api
        .services
        .agents
        .create_invite(&grant, body.into())
        .await?;
    let code = enrolment::code(
        &api.agent_address,
        api.authority.fingerprint(),
        invited.secret,
    );
    let invite = Invite {
        code: code.expose_secret().to_owned(),
        qr_svg: enrolment::svg(&code).map_err(|error| Error::internal(&error))?,
        expires_at: Timestamp(invited.expires_at),
    };
    Ok((StatusCode::CREATED, Json(invite)))
}

impl From<NewInvite> for views::NewInvite {
    fn from(new: NewInvite) -> Self {
        let minutes = new.valid_for_minutes.unwrap_or(DEFAULT_VALIDITY_MINUTES);
        Self {
            site_name: new.site_name,
            agent_name: new.agent_name,
            valid_for: Duration::from_secs(u64::from(minutes) * 60),
        }
    }
}

/// Revoke an agent
///
/// Its certificate is refused from now on, and a standing connection is closed within seconds.
/// What it sent stays.
#[utoipa::path(post, path = "/api/v1/agents/{id}/revoke", operation_id = "revoke_agent", tag = "agents",
    params(("id" = String, Path, format = Uuid)),
    responses((status = 204, description = "Revoked."), SignedIn, OnOne, Changing))]
pub async fn revoke_agent(
    actor: Actor,
    State(api): State<Arc<Api>>,
    Path(id): Path<AgentId>,
) -> Result<StatusCode, Error> {
    let grant = api.services.access.admin(&actor, Deed::ManageAgents)?;
    api.services.agents.revoke(&grant, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
