//! Agencies: organisations whose people see some cameras and not others.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Name;
use crate::domain::access::Deed;
use crate::domain::agency::{self, AgencyCode};
use crate::http::Api;
use crate::http::error::{
    Administering, Changing, Error, OnOne, Restricted, SignedIn, WithBody, WithQuery,
};
use crate::http::extract::{Json, Path, Query};
use crate::http::page::{Page, PageQuery, key};
use crate::services::access::Actor;

/// An organisation whose people see some cameras and not others.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Agency {
    /// Part of permissions such as `camera:METRO:view`; never changes.
    #[schema(example = "METRO")]
    pub code: String,
    pub name: Name,
    #[schema(example = 1)]
    pub revision: u64,
}

/// An agency to be made.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAgency {
    #[schema(value_type = String, pattern = "^[A-Z0-9_]{1,32}$", example = "TRAM")]
    pub code: AgencyCode,
    pub name: Name,
}

/// What an agency shall be called from now on.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AgencyReplacement {
    /// Of the agency when it was read.
    #[schema(example = 1)]
    pub revision: u64,
    pub name: Name,
}

/// List agencies
///
/// Those that the actor may see, by code.
#[utoipa::path(get, path = "/api/v1/iam/agencies", operation_id = "list_agencies", tag = "iam",
    params(PageQuery),
    responses((status = 200, description = "One page of agencies.", body = Page<Agency>), SignedIn, WithQuery, Restricted))]
pub async fn list_agencies(
    actor: Actor,
    State(api): State<Arc<Api>>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<Agency>>, Error> {
    let grant = api.services.access.some(&actor, Deed::ViewAgencies)?;
    let agencies = api.services.users.agencies(&grant).await?;
    let agencies = page.cut(agencies, |agency| key([agency.code.as_str()]))?;
    Ok(Json(agencies.map(Agency::from)))
}

/// Make an agency
#[utoipa::path(post, path = "/api/v1/iam/agencies", operation_id = "create_agency", tag = "iam",
    request_body = NewAgency,
    responses((status = 201, description = "The agency.", body = Agency), SignedIn, Changing, WithBody, Administering))]
pub async fn create_agency(
    actor: Actor,
    State(api): State<Arc<Api>>,
    Json(body): Json<NewAgency>,
) -> Result<(StatusCode, Json<Agency>), Error> {
    let grant = api.services.access.some(&actor, Deed::ManageAgencies)?;
    let users = &api.services.users;
    let agency = users.create_agency(&grant, body.code, body.name.into());
    Ok((StatusCode::CREATED, Json(agency.await?.into())))
}

/// Rename an agency
#[utoipa::path(put, path = "/api/v1/iam/agencies/{code}", operation_id = "replace_agency", tag = "iam",
    params(("code" = String, Path, max_length = 32, description = "Code of the agency.", example = "TRAM")),
    request_body = AgencyReplacement,
    responses((status = 200, description = "The agency as changed.", body = Agency), SignedIn, OnOne, Changing, WithBody, Administering))]
pub async fn replace_agency(
    actor: Actor,
    State(api): State<Arc<Api>>,
    Path(code): Path<AgencyCode>,
    Json(body): Json<AgencyReplacement>,
) -> Result<Json<Agency>, Error> {
    let grant = api.services.access.some(&actor, Deed::ManageAgencies)?;
    let agency = agency::Agency {
        code,
        name: body.name.into(),
        revision: body.revision,
    };
    let agency = api.services.users.replace_agency(&grant, agency).await?;
    Ok(Json(agency.into()))
}

impl From<agency::Agency> for Agency {
    fn from(agency: agency::Agency) -> Self {
        Self {
            code: agency.code.into(),
            name: agency.name.into(),
            revision: agency.revision,
        }
    }
}
