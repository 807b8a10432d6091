//! A camera's timeline: what is recorded, what is missing, and why.

use std::sync::Arc;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use shared::id::CameraId;
use shared::time::TimeRange;
use shared::timeline::State as SpanFacts;
use utoipa::{IntoParams, ToSchema};

use super::Api;
use super::error::{Code, Error, OnOne, SignedIn, WithQuery};
use super::extract::{Json, Path, Query};
use super::vocabulary::{Cause, Place, Reason, Stream, Timestamp};
use crate::domain::access::Deed;
use crate::services::access::Actor;
use crate::services::timeline::Totals;

/// Which stretch of which stream.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct TimelineQuery {
    /// Begin of the stretch.
    #[param(value_type = String, format = DateTime, example = "2026-03-01T14:00:00Z")]
    pub from: Timestamp,
    /// At most 31 days after `from`.
    #[param(value_type = String, format = DateTime, example = "2026-03-01T15:00:00Z")]
    pub to: Timestamp,
    /// The main stream when left out.
    #[param(inline)]
    pub stream: Option<Stream>,
}

/// Spans that touch, do not overlap and together are the stretch that was asked for, less what
/// lies before the camera was known.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Timeline {
    #[schema(value_type = String, format = Uuid)]
    pub camera_id: CameraId,
    pub stream: Stream,
    pub from: Timestamp,
    pub to: Timestamp,
    pub spans: Vec<Span>,
    pub seconds: Seconds,
    /// Whether the site has reported the whole stretch and every second of it is recorded or
    /// explained.
    pub complete: bool,
    /// The site has accounted for everything before this; absent until its first report.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reported_until: Option<Timestamp>,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Span {
    pub from: Timestamp,
    pub to: Timestamp,
    pub state: SpanState,
    /// Of a recorded span: where its bytes are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// Of a missing span.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "The camera could not be reached.")]
    pub message_en: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "تعذّر الوصول إلى الكاميرا.")]
    pub message_ar: Option<&'static str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SpanState {
    Recorded,
    Missing,
    /// The site has not reported this far yet.
    NotYetReported,
    /// Reported as complete, and yet neither recorded nor explained: a fault of the system.
    Unexplained,
}

/// Lengths in seconds; `recorded`, `missing`, `policy`, `not_yet_reported` and `unexplained` add up
/// to the spans.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Seconds {
    pub recorded: f64,
    /// Of the recorded ones: those that are only at the site.
    pub edge_only: f64,
    /// Missing for any cause but policy.
    pub missing: f64,
    /// Not there because nobody wanted it, or not any more.
    pub policy: f64,
    pub not_yet_reported: f64,
    pub unexplained: f64,
}

impl From<&shared::timeline::Span> for Span {
    fn from(span: &shared::timeline::Span) -> Self {
        let mut answer = Self {
            from: Timestamp(span.range.start()),
            to: Timestamp(span.range.end()),
            state: SpanState::Recorded,
            place: None,
            reason: None,
            cause: None,
            message_en: None,
            message_ar: None,
        };
        match span.state {
            SpanFacts::Recorded { place } => answer.place = Some(place.into()),
            SpanFacts::Missing { reason, cause } => {
                let reason = Reason::from(reason);
                answer.state = SpanState::Missing;
                answer.reason = Some(reason);
                answer.cause = Some(cause.into());
                answer.message_en = Some(reason.sentence().en);
                answer.message_ar = Some(reason.sentence().ar);
            }
            SpanFacts::NotYetReported => answer.state = SpanState::NotYetReported,
            SpanFacts::Unexplained => answer.state = SpanState::Unexplained,
        }
        answer
    }
}

impl From<Totals> for Seconds {
    fn from(totals: Totals) -> Self {
        Self {
            recorded: totals.recorded.as_secs_f64(),
            edge_only: totals.edge_only.as_secs_f64(),
            missing: totals.missing.as_secs_f64(),
            policy: totals.policy.as_secs_f64(),
            not_yet_reported: totals.not_yet_reported.as_secs_f64(),
            unexplained: totals.unexplained.as_secs_f64(),
        }
    }
}

/// A camera's timeline
///
/// What is recorded, what is missing and why, as far as the site has reported.
#[utoipa::path(get, path = "/api/v1/cameras/{id}/timeline", operation_id = "get_timeline", tag = "cameras",
    params(("id" = String, Path, format = Uuid), TimelineQuery),
    responses((status = 200, description = "The timeline.", body = Timeline), SignedIn, OnOne, WithQuery))]
pub async fn get_timeline(
    actor: Actor,
    State(api): State<Arc<Api>>,
    Path(id): Path<CameraId>,
    Query(query): Query<TimelineQuery>,
) -> Result<Json<Timeline>, Error> {
    let access = &api.services.access;
    let grant = access.camera(&actor, id, Deed::ViewCamera).await?;
    let range = time_range(query.from, query.to)?;
    let stream = query.stream.unwrap_or(Stream::Main);
    let timelines = &api.services.timeline;
    let timeline = timelines.timeline(&grant, stream.into(), range).await?;
    Ok(Json(Timeline {
        camera_id: id,
        stream,
        from: query.from,
        to: query.to,
        spans: timeline.spans.iter().map(Span::from).collect(),
        seconds: timeline.totals.into(),
        complete: timeline.complete,
        reported_until: timeline.reported_until.map(Timestamp),
    }))
}

/// # Errors
/// `to` lies before `from`.
pub(super) fn time_range(from: Timestamp, to: Timestamp) -> Result<TimeRange, Error> {
    TimeRange::new(from.0, to.0).map_err(|error| Error::new(Code::InvalidValue).with_details(error))
}
