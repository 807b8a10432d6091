//! Where requests are counted: those of somebody signed in for the person and the agency, in the
//! extractor of [`Actor`]; all others for their address, here or there.
//!
//! What is allowed is decided in `services::limits`; files of the pages and what load balancers ask
//! do not count.

use std::sync::Arc;
use std::sync::LazyLock;

use axum::extract::{MatchedPath, Request, State};
use axum::http::request::Parts;
use axum::http::{Extensions, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use utoipa::openapi::path::{Operation, PathItem};

use super::Api;
use super::client::Client;
use super::error::{Code, Error};
use super::places::allotment;
use crate::domain::rate::Asked;
use crate::services::access::Actor;
use crate::services::limits::{Asker, TooMany};

/// Pieces of a playback.
const MEDIA: &str = "/api/v1/playback/{id}/segments/{file}";

/// Counts what is for everybody, and what does not exist. The rest is counted once it is known who
/// asks, whatever cookies or tokens come along.
pub async fn layer(
    State(api): State<Arc<Api>>,
    client: Client,
    request: Request,
    next: Next,
) -> Response {
    if is_for_everybody(&request) {
        let asker = Asker::Address(allotment(client.address));
        if let Err(refused) = api.limits.count(asker, Asked::Api).await {
            api.services.audit.rate_limited(None, Some(client.address));
            return Error::from(refused).into_response();
        }
    }
    next.run(request).await
}

/// Counts a request for the person behind it, or for its address if there is none.
///
/// # Errors
/// [`Code::RateLimited`], or what `found` was.
pub async fn count(parts: &Parts, api: &Api, found: Result<Actor, Error>) -> Result<Actor, Error> {
    let what = match route(&parts.extensions) {
        Some(MEDIA) => Asked::Media,
        _ => Asked::Api,
    };
    let asker = match (&found, parts.extensions.get::<Client>()) {
        (Ok(actor), _) => Asker::User(actor.user_id(), actor.agency()),
        (Err(_), Some(client)) => Asker::Address(allotment(client.address)),
        (Err(_), None) => return found,
    };
    if let Err(refused) = api.limits.count(asker, what).await {
        let address = parts
            .extensions
            .get::<Client>()
            .map(|client| client.address);
        let audit = &api.services.audit;
        audit.rate_limited(found.as_ref().ok(), address);
        return Err(refused.into());
    }
    found
}

fn route(extensions: &Extensions) -> Option<&str> {
    extensions.get::<MatchedPath>().map(MatchedPath::as_str)
}

fn is_for_everybody(request: &Request) -> bool {
    let path = request.uri().path();
    let counts = path.starts_with("/api/") || path.starts_with("/.well-known/");
    counts
        && route(request.extensions()).is_none_or(|route| {
            let open = LazyLock::force(&OPEN).iter();
            open.clone()
                .any(|(method, path)| method == request.method() && path == route)
        })
}

/// Operations that are documented to want nobody signed in.
static OPEN: LazyLock<Vec<(Method, String)>> = LazyLock::new(|| {
    let paths = super::routes().into_openapi().paths.paths;
    let operations = paths.into_iter().flat_map(|(path, item)| {
        let open = operations(item)
            .into_iter()
            .filter(|(_, operation)| is_open(operation));
        open.map(|(method, _)| (method, path.clone()))
            .collect::<Vec<_>>()
    });
    operations.collect()
});

fn operations(item: PathItem) -> Vec<(Method, Operation)> {
    [
        (Method::GET, item.get),
        (Method::POST, item.post),
        (Method::PUT, item.put),
        (Method::PATCH, item.patch),
        (Method::DELETE, item.delete),
    ]
    .into_iter()
    .filter_map(|(method, operation)| Some((method, operation?)))
    .collect()
}

fn is_open(operation: &Operation) -> bool {
    let nothing = serde_json::json!([{}]);
    serde_json::to_value(&operation.security).is_ok_and(|security| security == nothing)
}

impl From<TooMany> for Error {
    fn from(TooMany { wait }: TooMany) -> Self {
        // Whole seconds, and never "now".
        let seconds = wait.as_millis().div_ceil(1000).max(1);
        Self::new(Code::RateLimited).with_retry_after(seconds.try_into().unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_open_operations_are_those_of_the_document() {
        let open = |method, path: &str| OPEN.contains(&(method, path.to_owned()));
        assert!(open(Method::POST, "/api/v1/session"));
        assert!(open(Method::GET, "/api/v1/openapi.json"));
        assert!(!open(Method::GET, "/api/v1/session"));
        assert!(!open(Method::GET, "/api/v1/cameras"));
    }

    #[test]
    fn the_route_of_pieces_of_playbacks_exists() {
        let paths = super::super::routes().into_openapi().paths.paths;
        assert!(paths.contains_key(MEDIA));
    }
}
