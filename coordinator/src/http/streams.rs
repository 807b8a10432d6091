//! Streams: reserving them, how many there are, and how many there may be.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use shared::id::{CameraId, ReservationId};
use utoipa::ToSchema;

use super::Api;
use super::error::{
    Changing, Code, Error, Limited, OnOne, Reserving, Restricted, SignedIn, WithBody,
};
use super::extract::{Json, Path};
use crate::domain::access::Deed;
use crate::domain::agency::AgencyCode;
use crate::domain::quota::streams::{Streams, Tiers};
use crate::domain::quota::{self, AllAllowed, Allowed, Tier, Usage};
use crate::services::access::Actor;
use crate::services::quotas::Reserved;

/// More than any system has; keeps sums far from the end of their type.
const MOST: u32 = 100_000;

/// What is counted apart, with limits of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum StreamTier {
    /// The main stream of a camera.
    Full,
    /// Its sub stream, or less.
    Reduced,
}

impl From<Tier> for StreamTier {
    fn from(tier: Tier) -> Self {
        match tier {
            Tier::Full => Self::Full,
            Tier::Reduced => Self::Reduced,
        }
    }
}

impl From<StreamTier> for Tier {
    fn from(tier: StreamTier) -> Self {
        match tier {
            StreamTier::Full => Self::Full,
            StreamTier::Reduced => Self::Reduced,
        }
    }
}

/// Whose limit was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum LimitBound {
    /// That of the agency.
    Agency,
    /// That of all agencies together.
    Total,
}

impl From<quota::Bound> for LimitBound {
    fn from(bound: quota::Bound) -> Self {
        match bound {
            quota::Bound::Pool => Self::Agency,
            quota::Bound::Total => Self::Total,
        }
    }
}

/// A stream to be reserved.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StreamOrder {
    #[schema(value_type = String, format = Uuid)]
    pub camera_id: CameraId,
    pub tier: StreamTier,
    /// Chosen by the client, so that asking again after an answer that was lost reserves nothing
    /// twice; chosen here when left out.
    #[schema(value_type = Option<String>, format = Uuid)]
    pub reservation_id: Option<ReservationId>,
}

/// A stream that is reserved.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct StreamReservation {
    #[schema(value_type = String, format = Uuid)]
    pub reservation_id: ReservationId,
    /// Whose streams it counts among: the agency of whoever watches.
    #[schema(example = "METRO")]
    pub agency: String,
    #[schema(value_type = String, format = Uuid)]
    pub camera_id: CameraId,
    pub tier: StreamTier,
    /// Seconds until it ends unless there is a heartbeat; one every third of them is right.
    #[schema(example = 30)]
    pub ttl_s: u64,
    /// Streams of the agency in this tier, this one included.
    #[schema(example = 7)]
    pub current: u32,
    #[schema(example = 30)]
    pub limit: u32,
}

/// A reservation that goes on.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct StreamHeartbeat {
    #[schema(value_type = String, format = Uuid)]
    pub reservation_id: ReservationId,
    /// Seconds until it ends unless there is another.
    #[schema(example = 30)]
    pub ttl_s: u64,
}

/// How many streams there are, and how many there may be. There can be more than that where the limit
/// was lowered: what runs goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct StreamUsage {
    #[schema(example = 7)]
    pub current: u32,
    #[schema(example = 30)]
    pub limit: u32,
}

/// In both tiers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct TierUsage {
    pub full: StreamUsage,
    pub reduced: StreamUsage,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct AgencyStreams {
    #[schema(example = "METRO")]
    pub agency: String,
    pub full: StreamUsage,
    pub reduced: StreamUsage,
}

/// How many streams there are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct StreamStats {
    /// Those that the actor may see, by code: their own, and others with the permission to view them.
    pub agencies: Vec<AgencyStreams>,
    pub total: TierUsage,
}

/// How many streams an agency may have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct AgencyLimit {
    #[schema(example = "METRO")]
    pub agency: String,
    #[schema(example = 30)]
    pub full: u32,
    #[schema(example = 60)]
    pub reduced: u32,
    /// Whether somebody who gets no full stream is offered a reduced one.
    #[schema(example = true)]
    pub offers_reduced: bool,
}

/// How many streams all agencies may have together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TotalLimit {
    #[schema(maximum = 100_000, example = 500)]
    pub full: u32,
    #[schema(maximum = 100_000, example = 500)]
    pub reduced: u32,
}

/// How many streams there may be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct StreamLimits {
    /// Those that the actor may see, by code.
    pub agencies: Vec<AgencyLimit>,
    pub total: TotalLimit,
}

/// How many streams an agency may have from now on.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAgencyLimit {
    #[schema(maximum = 100_000, example = 30)]
    pub full: u32,
    #[schema(maximum = 100_000, example = 60)]
    pub reduced: u32,
    #[schema(example = true)]
    pub offers_reduced: bool,
}

impl From<Reserved> for StreamReservation {
    fn from(reserved: Reserved) -> Self {
        let Reserved {
            reservation,
            usage,
            lease,
        } = reserved;
        Self {
            reservation_id: reservation.id,
            agency: reservation.pool.agency.into(),
            camera_id: reservation.camera,
            tier: reservation.pool.tier.into(),
            ttl_s: lease.as_secs(),
            current: usage.current,
            limit: usage.limit,
        }
    }
}

impl From<Usage> for StreamUsage {
    fn from(Usage { current, limit }: Usage) -> Self {
        Self { current, limit }
    }
}

impl From<Tiers> for TierUsage {
    fn from(Tiers { full, reduced }: Tiers) -> Self {
        Self {
            full: full.into(),
            reduced: reduced.into(),
        }
    }
}

impl From<&Streams> for StreamStats {
    fn from(streams: &Streams) -> Self {
        let agencies = streams.agencies.iter().map(|(code, tiers)| AgencyStreams {
            agency: code.to_string(),
            full: tiers.full.into(),
            reduced: tiers.reduced.into(),
        });
        Self {
            agencies: agencies.collect(),
            total: streams.total.into(),
        }
    }
}

impl AgencyLimit {
    pub(super) fn new(agency: &AgencyCode, allowed: Allowed) -> Self {
        let Allowed {
            full,
            reduced,
            offers_reduced,
        } = allowed;
        Self {
            agency: agency.to_string(),
            full,
            reduced,
            offers_reduced,
        }
    }
}

impl From<AllAllowed> for StreamLimits {
    fn from(all: AllAllowed) -> Self {
        let agencies = all.agencies.iter();
        Self {
            agencies: agencies
                .map(|(code, allowed)| AgencyLimit::new(code, *allowed))
                .collect(),
            total: TotalLimit {
                full: all.total_full,
                reduced: all.total_reduced,
            },
        }
    }
}

/// Reserve a stream
///
/// Live pictures reserve one by themselves; this is for clients that want to know beforehand. Asked
/// again with the same id it is the same reservation, prolonged. Where a limit is reached the error
/// says which (`bound`), how much of it is used (`current`, `limit`), and with `offer` that a reduced
/// stream would be granted instead.
#[utoipa::path(post, path = "/api/v1/stream/reserve", operation_id = "reserve_stream", tag = "streams",
    request_body = StreamOrder,
    responses((status = 201, description = "The reservation.", body = StreamReservation), SignedIn, OnOne, Changing, WithBody, Reserving))]
pub async fn reserve_stream(
    actor: Actor,
    State(api): State<Arc<Api>>,
    Json(order): Json<StreamOrder>,
) -> Result<(StatusCode, Json<StreamReservation>), Error> {
    let access = &api.services.access;
    let grant = access
        .camera(&actor, order.camera_id, Deed::ViewCamera)
        .await?;
    let quotas = &api.services.quotas;
    let reserved = quotas.reserve(&grant, order.tier.into(), order.reservation_id);
    Ok((StatusCode::CREATED, Json(reserved.await?.into())))
}

/// Keep a reservation
///
/// One's own. One of somebody else does not exist here, and trying is noted.
#[utoipa::path(post, path = "/api/v1/stream/heartbeat/{id}", operation_id = "keep_stream", tag = "streams",
    params(("id" = String, Path, format = Uuid, description = "Of the reservation.")),
    responses((status = 200, description = "It goes on.", body = StreamHeartbeat), SignedIn, OnOne, Changing))]
pub async fn keep_stream(
    actor: Actor,
    State(api): State<Arc<Api>>,
    Path(id): Path<ReservationId>,
) -> Result<Json<StreamHeartbeat>, Error> {
    let lease = api.services.quotas.heartbeat(&actor, id).await?;
    Ok(Json(StreamHeartbeat {
        reservation_id: id,
        ttl_s: lease.as_secs(),
    }))
}

/// Give a reservation back
///
/// One's own. What is shown by it ends.
#[utoipa::path(delete, path = "/api/v1/stream/release/{id}", operation_id = "release_stream", tag = "streams",
    params(("id" = String, Path, format = Uuid, description = "Of the reservation.")),
    responses((status = 204, description = "Its stream is free."), SignedIn, OnOne, Changing))]
pub async fn release_stream(
    actor: Actor,
    State(api): State<Arc<Api>>,
    Path(id): Path<ReservationId>,
) -> Result<StatusCode, Error> {
    api.services.quotas.release(&actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// How many streams there are
#[utoipa::path(get, path = "/api/v1/stream/stats", operation_id = "get_stream_stats", tag = "streams",
    responses((status = 200, description = "Current counts and limits.", body = StreamStats), SignedIn))]
pub async fn get_stream_stats(actor: Actor, State(api): State<Arc<Api>>) -> Json<StreamStats> {
    Json((&api.services.quotas.streams(&actor).await).into())
}

/// How many streams there may be
#[utoipa::path(get, path = "/api/v1/stream/limits", operation_id = "get_stream_limits", tag = "streams",
    responses((status = 200, description = "The limits.", body = StreamLimits), SignedIn, Restricted))]
pub async fn get_stream_limits(
    actor: Actor,
    State(api): State<Arc<Api>>,
) -> Result<Json<StreamLimits>, Error> {
    let grant = api.services.access.some(&actor, Deed::ViewAgencies)?;
    Ok(Json(api.services.quotas.limits(&grant).await?.into()))
}

/// Limit an agency
///
/// What runs goes on, also beyond the limit; nothing new begins until there is room.
#[utoipa::path(put, path = "/api/v1/stream/limits/{agency}", operation_id = "set_stream_limit", tag = "streams",
    params(("agency" = String, Path, max_length = 32, description = "Code of the agency.", example = "METRO")),
    request_body = NewAgencyLimit,
    responses((status = 200, description = "The limit as set.", body = AgencyLimit), SignedIn, OnOne, Changing, WithBody, Limited))]
pub async fn set_stream_limit(
    actor: Actor,
    State(api): State<Arc<Api>>,
    Path(agency): Path<AgencyCode>,
    Json(limit): Json<NewAgencyLimit>,
) -> Result<Json<AgencyLimit>, Error> {
    let grant = api.services.access.admin(&actor, Deed::ConfigureSystem)?;
    check([limit.full, limit.reduced])?;
    let allowed = Allowed {
        full: limit.full,
        reduced: limit.reduced,
        offers_reduced: limit.offers_reduced,
    };
    let quotas = &api.services.quotas;
    quotas.set_limit(&grant, agency.clone(), allowed).await?;
    Ok(Json(AgencyLimit::new(&agency, allowed)))
}

/// Limit all agencies together
///
/// As `set_stream_limit`.
#[utoipa::path(put, path = "/api/v1/stream/limits", operation_id = "set_total_stream_limit", tag = "streams",
    request_body = TotalLimit,
    responses((status = 200, description = "The limit as set.", body = TotalLimit), SignedIn, Changing, WithBody, Limited))]
pub async fn set_total_stream_limit(
    actor: Actor,
    State(api): State<Arc<Api>>,
    Json(limit): Json<TotalLimit>,
) -> Result<Json<TotalLimit>, Error> {
    let grant = api.services.access.admin(&actor, Deed::ConfigureSystem)?;
    check([limit.full, limit.reduced])?;
    let TotalLimit { full, reduced } = limit;
    api.services
        .quotas
        .set_totals(&grant, full, reduced)
        .await?;
    Ok(Json(limit))
}

fn check(limits: [u32; 2]) -> Result<(), Error> {
    match limits.iter().find(|limit| **limit > MOST) {
        None => Ok(()),
        Some(limit) => {
            let details = format!("{limit} is no limit of streams; at most {MOST}");
            Err(Error::new(Code::InvalidValue).with_details(details))
        }
    }
}
