//! The webhook of the authority's identity management.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::audit::Origin;
use crate::http::Api;
use crate::http::error::{Changing, Error, Failing, OnOne, Open, RejectedEvent, WithBody};
use crate::http::extract::{Json, Raw};
use crate::http::vocabulary::Timestamp;
use crate::services::iam_events::Outcome;

/// Something that happened to a person in the authority's identity management. What else it contains
/// is not looked at.
#[derive(Deserialize, ToSchema)]
#[schema(example = json!({
    "event_id": "7c0ff5a2-52d1-4f0e-9d55-0b1f6a3c2e11",
    "event": "USER_DISABLED",
    "occurred_at": "2026-03-01T14:00:00Z",
    "login_id": "layla.hassan",
}))]
#[expect(dead_code, reason = "describes what `domain::iam_event` reads")]
pub struct IamEvent {
    /// Counts once.
    #[schema(min_length = 1, max_length = 128)]
    event_id: String,
    /// `USER_DISABLED` or `GROUP_CHANGED`; others are ignored.
    event: String,
    occurred_at: Timestamp,
    /// The person's login here, or their employee number, or both.
    #[schema(max_length = 256)]
    login_id: Option<String>,
    #[schema(max_length = 256)]
    employee_number: Option<String>,
}

/// What has become of it.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct IamEventResult {
    pub outcome: IamEventOutcome,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum IamEventOutcome {
    /// Sessions, tokens and whatever else the person has open end.
    Applied,
    UnknownUser,
    Ignored,
}

impl From<Outcome> for IamEventOutcome {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Applied => Self::Applied,
            Outcome::UnknownUser => Self::UnknownUser,
            Outcome::Ignored => Self::Ignored,
        }
    }
}

/// Tell of a change to a person
///
/// For the authority's identity management. `USER_DISABLED` disables the person here,
/// `GROUP_CHANGED` makes them sign in again; within two seconds all they have open ends.
/// `X-IAM-Signature` is HMAC-SHA-256 (RFC 2104) over the body in hexadecimal digits, after `sha256=`
/// or not, with a secret of `identity.webhook` in the settings. Send it again until the answer is
/// 200, or 409 `event_repeated`, which says that it was received before.
#[utoipa::path(post, path = "/api/v1/iam/events", operation_id = "receive_iam_event", tag = "iam", security(()),
    params(("x-iam-signature" = String, Header, max_length = 128, description = "HMAC-SHA-256 over the bytes of the body.", example = "sha256=5f3c0a1d9b7e4c2286d1f0b3a4958c7716e2d3c4b5a697887960514233241506")),
    request_body = IamEvent,
    responses((status = 200, description = "What has become of it.", body = IamEventResult), RejectedEvent, Changing, WithBody, OnOne, Open, Failing))]
pub async fn receive_iam_event(
    State(api): State<Arc<Api>>,
    origin: Origin,
    headers: HeaderMap,
    Raw(body): Raw,
) -> Result<Json<IamEventResult>, Error> {
    let mut signatures = headers.get_all("x-iam-signature").iter();
    let signature = signatures.next().and_then(|value| value.to_str().ok());
    let signature = signature.filter(|_| signatures.next().is_none());
    let received = api.services.iam_events.receive(signature, &body, origin);
    let outcome = received.await?.into();
    Ok(Json(IamEventResult { outcome }))
}
