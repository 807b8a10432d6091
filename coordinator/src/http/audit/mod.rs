//! The audit: looking into it, taking it out, and whether it is whole.

mod csv;
mod sentences;

use std::net::IpAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use shared::id::UserId;
use shared::time::WallTime;
use utoipa::{IntoParams, ToSchema};

use super::Api;
use super::error::{Code, Error, Restricted, SignedIn, WithQuery};
use super::extract::{Json, Query};
use super::page::{Page, PageQuery, cursor};
use super::vocabulary::Timestamp;
use crate::domain::access::Deed;
use crate::domain::agency::AgencyCode;
use crate::domain::audit::chain::Head;
use crate::domain::audit::search::{Place, Search, Written};
use crate::domain::audit::witness::Dispute;
use crate::domain::audit::{What, Who};
use crate::services::access::{Actor, Ended, Ground};
use crate::services::audit::{AuditError, ChainView};

/// Longest text or object that is looked for.
const MAX_TEXT: usize = 200;
/// Kinds that may be asked for at once.
const MAX_KINDS: usize = 100;

/// What to look for; what is left out matches everything.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct AuditQuery {
    /// Entries of this moment and later.
    #[param(value_type = Option<String>, format = DateTime, example = "2026-03-01T14:00:00Z")]
    pub from: Option<Timestamp>,
    /// Exclusive.
    #[param(value_type = Option<String>, format = DateTime, example = "2026-03-02T14:00:00Z")]
    pub to: Option<Timestamp>,
    /// Kinds of entries, separated by commas; any of them.
    #[param(max_length = 4000, example = "signed_in,sign_in_refused")]
    pub what: Option<String>,
    /// Who did it.
    #[param(value_type = Option<String>, format = Uuid)]
    pub user: Option<UserId>,
    /// Code of the agency that it concerns.
    #[param(value_type = Option<String>, max_length = 32, example = "METRO")]
    pub agency: Option<AgencyCode>,
    /// Id of the thing it was done to.
    #[param(max_length = 200)]
    pub object: Option<String>,
    /// Where the request came from.
    #[param(value_type = Option<String>, max_length = 45, example = "192.0.2.7")]
    pub address: Option<IpAddr>,
    /// In the details, the user agent or the correlation id, in any case of letters. A page may come
    /// back short or empty and still have a `next`: only so many entries are looked at for one.
    #[param(max_length = 200)]
    pub text: Option<String>,
}

impl AuditQuery {
    fn search(self) -> Result<Search, Error> {
        let kinds = self.what.as_deref().unwrap_or_default();
        let kinds = kinds
            .split(',')
            .map(str::trim)
            .filter(|kind| !kind.is_empty());
        let what: Result<Vec<_>, _> = kinds.take(MAX_KINDS).map(kind).collect();
        Ok(Search {
            from: self.from.map(|Timestamp(at)| at),
            to: self.to.map(|Timestamp(at)| at),
            what: what?,
            user: self.user,
            agency: self.agency,
            object: bounded("object", self.object)?,
            address: self.address.map(|address| address.to_canonical()),
            text: bounded("text", self.text)?,
        })
    }
}

fn kind(name: &str) -> Result<What, Error> {
    What::from_name(name).ok_or_else(|| {
        let name: String = name.chars().take(40).collect();
        Error::new(Code::InvalidValue).with_details(format!("`{name}` is no kind of entry"))
    })
}

fn bounded(name: &str, text: Option<String>) -> Result<Option<String>, Error> {
    match text.filter(|text| !text.is_empty()) {
        Some(text) if text.chars().count() > MAX_TEXT => Err(Error::new(Code::InvalidValue)
            .with_details(format!("`{name}` is longer than {MAX_TEXT} characters"))),
        text => Ok(text),
    }
}

/// Who acted.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AuditActor {
    pub kind: AuditActorKind,
    /// Of a person or an agent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = Uuid)]
    pub id: Option<String>,
    /// What that person or agent is called now; absent when there is none any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "Layla Haddad")]
    pub name: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AuditActorKind {
    User,
    Agent,
    /// Somebody at the command line of the coordinator's host.
    Console,
    /// The coordinator by itself.
    System,
    /// Nobody that this version knows.
    Unknown,
}

/// One entry.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AuditEntry {
    /// From 1, without holes.
    pub number: u64,
    pub at: Timestamp,
    pub who: AuditActor,
    /// What was done; new kinds may be added.
    #[schema(example = "camera_changed")]
    pub what: String,
    #[schema(example = "The settings of a camera were changed.")]
    pub message_en: &'static str,
    #[schema(example = "تم تغيير إعدادات كاميرا.")]
    pub message_ar: &'static str,
    /// Code of the agency that it concerns.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "METRO")]
    pub agency: Option<String>,
    /// Id of the thing it was done to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// Whatever explains it; its fields depend on the kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>, example = json!({ "display_name": "Gate 3" }))]
    pub details: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "192.0.2.7")]
    pub address: Option<String>,
    /// As the client named itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
    /// Of the request, as in the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<String>,
    /// SHA-256 that chains it to the entries before, in hexadecimal digits.
    pub hash: String,
}

impl From<Written> for AuditEntry {
    fn from(entry: Written) -> Self {
        let (kind, id) = match &entry.who {
            Some(Who::User(id)) => (AuditActorKind::User, Some(id.to_string())),
            Some(Who::Agent(id)) => (AuditActorKind::Agent, Some(id.to_string())),
            Some(Who::Console) => (AuditActorKind::Console, None),
            Some(Who::System) => (AuditActorKind::System, None),
            None => (AuditActorKind::Unknown, None),
        };
        let sentence = sentences::of(What::from_name(&entry.what));
        // Somebody may have put there what is no JSON; it is shown all the same.
        let details = entry
            .details
            .map(|text| serde_json::from_str(&text).unwrap_or(Value::String(text)));
        Self {
            number: entry.number,
            at: entry.at.into(),
            who: AuditActor {
                kind,
                id,
                name: entry.who_name,
            },
            what: entry.what,
            message_en: sentence.en,
            message_ar: sentence.ar,
            agency: entry.agency,
            object: entry.object,
            details,
            address: entry.address,
            user_agent: entry.user_agent,
            correlation_id: entry.correlation_id,
            hash: data_encoding::HEXLOWER.encode(&entry.hash),
        }
    }
}

/// Search the audit
///
/// Newest first. People see the entries of the agencies that their permissions reach; those that
/// concern no agency need `audit:*:view`. The first page of a search is itself an entry.
#[utoipa::path(get, path = "/api/v1/audit", operation_id = "search_audit", tag = "audit",
    params(AuditQuery, PageQuery),
    responses((status = 200, description = "Entries.", body = Page<AuditEntry>), SignedIn, Restricted, WithQuery))]
pub async fn search_audit(
    actor: Actor,
    State(api): State<Arc<Api>>,
    Query(query): Query<AuditQuery>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<AuditEntry>>, Error> {
    let grant = api.services.access.some(&actor, Deed::ViewAudit)?;
    let (limit, after) = (page.limit()?, page.after()?.as_deref().map(place));
    let search = query.search()?;
    let audit = &api.services.audit;
    let found = audit
        .search(&grant, &search, after.transpose()?, usize::from(limit))
        .await?;
    Ok(Json(Page {
        items: found.items.into_iter().map(AuditEntry::from).collect(),
        next: found
            .next
            .map(|place| cursor(&format!("{}.{}", place.at.as_micros(), place.number))),
    }))
}

fn place(key: &str) -> Result<Place, Error> {
    let read = || {
        let (at, number) = key.split_once('.')?;
        Some(Place {
            at: WallTime::from_micros(at.parse().ok()?),
            number: number.parse().ok()?,
        })
    };
    read().ok_or_else(|| {
        Error::new(Code::InvalidValue).with_details("`after` is not the `next` of an earlier page")
    })
}

/// As what the audit is taken out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ExportFormat {
    /// Comma-separated values (RFC 4180) in UTF-8, for spreadsheets: what would be taken for a
    /// formula begins with an apostrophe.
    #[default]
    Csv,
    /// One `AuditEntry` a line, for programs.
    Jsonl,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ExportQuery {
    /// CSV when left out.
    pub format: Option<ExportFormat>,
}

/// Take entries out
///
/// Everything that a search finds, newest first, as a file. That it was taken out is an entry.
#[utoipa::path(get, path = "/api/v1/audit/export", operation_id = "export_audit", tag = "audit",
    params(AuditQuery, ExportQuery),
    responses(
        (status = 200, description = "The file.", content((String = "text/csv"), (String = "application/x-ndjson"))),
        SignedIn, Restricted, WithQuery
    ))]
pub async fn export_audit(
    actor: Actor,
    State(api): State<Arc<Api>>,
    Query(query): Query<AuditQuery>,
    Query(export): Query<ExportQuery>,
) -> Result<Response, Error> {
    let grant = api.services.access.some(&actor, Deed::ExportAudit)?;
    let (media, name) = match export.format.unwrap_or_default() {
        ExportFormat::Csv => ("text/csv; charset=utf-8", "csv"),
        ExportFormat::Jsonl => ("application/x-ndjson", "jsonl"),
    };
    let audit = &api.services.audit;
    let found = audit.export(&grant, query.search()?, name).await?;
    let standing = api.services.access.standing(&actor, Ground::Unchanged);
    let body = match export.format.unwrap_or_default() {
        ExportFormat::Csv => {
            let head = futures::stream::once(async { csv::head() });
            file(standing.guard(head.chain(found.map(|page| csv::lines(page?))).boxed()))
        }
        ExportFormat::Jsonl => file(standing.guard(found.map(|page| lines(page?)).boxed())),
    };
    let disposition = format!("attachment; filename=\"audit.{name}\"");
    let headers = [
        (CONTENT_TYPE, media.to_owned()),
        (CONTENT_DISPOSITION, disposition),
    ];
    Ok((headers, body).into_response())
}

/// A piece that fails ends the connection, so that nobody takes the file for whole.
fn file(pieces: impl Stream<Item = Result<Bytes, ExportError>> + Send + 'static) -> Body {
    Body::from_stream(pieces.inspect(|piece| {
        if let Err(error) = piece {
            tracing::error!(%error, "an export of the audit was cut off");
        }
    }))
}

/// Why an export ended early.
#[derive(Debug, thiserror::Error)]
enum ExportError {
    #[error(transparent)]
    Audit(#[from] AuditError),
    #[error("could not write a line: {0}")]
    Write(String),
    #[error(transparent)]
    Ended(#[from] Ended),
}

fn lines(entries: Vec<Written>) -> Result<Bytes, ExportError> {
    let mut text = Vec::new();
    for entry in entries {
        serde_json::to_writer(&mut text, &AuditEntry::from(entry))
            .map_err(|error| ExportError::Write(error.to_string()))?;
        text.push(b'\n');
    }
    Ok(text.into())
}

/// Whether the audit is what was written, as far as is known.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AuditChain {
    pub state: AuditChainState,
    /// The newest entry; absent before the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub head: Option<AuditHead>,
    /// When the coordinator last walked the whole chain; absent until it has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verified_at: Option<Timestamp>,
    /// Number of the first entry that was not what had been written, if there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_broken: Option<u64>,
    /// What agents remember.
    pub witnesses: Vec<AuditWitness>,
    /// What agents remember and the audit does not contain, newest first.
    pub disputes: Vec<AuditDispute>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AuditChainState {
    Whole,
    /// An entry is not what was written, or an agent remembers another audit and nobody has explained
    /// why.
    Broken,
}

/// An entry and the hash that covers it and all before.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct AuditHead {
    pub number: u64,
    #[schema(value_type = String, example = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08")]
    pub hash: shared::hash::Sha256,
}

/// The newest head that an agent has told it keeps.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AuditWitness {
    #[schema(value_type = String, format = Uuid)]
    pub agent_id: shared::id::AgentId,
    pub agent_name: String,
    pub head: AuditHead,
    pub told_at: Timestamp,
}

/// A head that an agent remembers and the audit does not contain.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AuditDispute {
    #[schema(value_type = String, format = Uuid)]
    pub agent_id: shared::id::AgentId,
    pub agent_name: String,
    pub head: AuditHead,
    pub found_at: Timestamp,
    /// When somebody at the console said why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub explained_at: Option<Timestamp>,
}

impl From<Head> for AuditHead {
    fn from(head: Head) -> Self {
        Self {
            number: head.number,
            hash: head.hash,
        }
    }
}

impl From<Dispute> for AuditDispute {
    fn from(dispute: Dispute) -> Self {
        Self {
            agent_id: dispute.agent,
            agent_name: dispute.agent_name,
            head: dispute.head.into(),
            found_at: dispute.found_at.into(),
            explained_at: dispute.explained_at.map(Timestamp),
        }
    }
}

impl From<ChainView> for AuditChain {
    fn from(chain: ChainView) -> Self {
        let state = match chain.is_whole() {
            true => AuditChainState::Whole,
            false => AuditChainState::Broken,
        };
        let witness = |witness: crate::domain::audit::witness::Witness| AuditWitness {
            agent_id: witness.agent,
            agent_name: witness.agent_name,
            head: witness.head.into(),
            told_at: witness.told_at.into(),
        };
        Self {
            state,
            head: chain.head.map(AuditHead::from),
            verified_at: chain.walked_at.map(Timestamp),
            first_broken: chain.broken.map(|broken| broken.number()),
            witnesses: chain.witnesses.into_iter().map(witness).collect(),
            disputes: chain.disputes.into_iter().map(AuditDispute::from).collect(),
        }
    }
}

/// Whether the audit is whole
///
/// The head, what agents remember of the chain, and where that is not what stands in it.
#[utoipa::path(get, path = "/api/v1/audit/chain", operation_id = "get_audit_chain", tag = "audit",
    responses((status = 200, description = "The chain.", body = AuditChain), SignedIn, Restricted))]
pub async fn get_audit_chain(
    actor: Actor,
    State(api): State<Arc<Api>>,
) -> Result<Json<AuditChain>, Error> {
    let grant = api.services.access.admin(&actor, Deed::ViewAudit)?;
    Ok(Json(api.services.audit.chain(&grant).await?.into()))
}
