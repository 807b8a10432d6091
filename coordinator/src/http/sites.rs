//! Sites: groups of cameras in one place.

use std::sync::Arc;

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::Api;
use super::error::{Error, SignedIn, WithQuery};
use super::extract::{Json, Query};
use super::page::{Page, PageQuery, key};
use crate::services::access::Actor;
use crate::services::cameras::SiteView;

/// One place with its agents and cameras.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Site {
    #[schema(value_type = String, format = Uuid)]
    pub id: shared::id::SiteId,
    #[schema(example = "Al Rigga depot")]
    pub name: String,
    /// How many agents are enrolled there.
    pub agents: u32,
    /// How many of its cameras the actor may see.
    pub cameras: u32,
}

impl From<SiteView> for Site {
    fn from(site: SiteView) -> Self {
        Self {
            id: site.id,
            name: site.name,
            agents: site.agents,
            cameras: site.cameras,
        }
    }
}

/// List sites
///
/// The sites of which the actor may see something, by name.
#[utoipa::path(get, path = "/api/v1/sites", operation_id = "list_sites", tag = "sites",
    params(PageQuery),
    responses((status = 200, description = "One page of sites.", body = Page<Site>), SignedIn, WithQuery))]
pub async fn list_sites(
    actor: Actor,
    State(api): State<Arc<Api>>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<Site>>, Error> {
    let sites = api.services.cameras.sites(&actor).await?;
    let sites = page.cut(sites, |site| key([&site.name, &site.id.to_string()]))?;
    Ok(Json(sites.map(Site::from)))
}
