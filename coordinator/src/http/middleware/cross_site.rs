//! Refuses requests that change something and come from another site's page.
//!
//! The session cookie is `SameSite=Strict`, so such a request should carry no session anyway; this
//! is the second lock. A page of ours is known by `Origin` naming the host it talks to, a program by
//! `X-Requested-With`, which no foreign page can send without asking first, and nobody is ever
//! allowed to by CORS.

use axum::extract::Request;
use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, HeaderName, Method, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::http::error::{Code, Error};

const REQUESTED_WITH: HeaderName = HeaderName::from_static("x-requested-with");

pub async fn layer(request: Request, next: Next) -> Response {
    if changes(request.method()) && !is_ours(request.headers(), request.uri()) {
        return Error::new(Code::CrossSite).into_response();
    }
    next.run(request).await
}

fn changes(method: &Method) -> bool {
    ![Method::GET, Method::HEAD, Method::OPTIONS].contains(method)
}

fn is_ours(headers: &HeaderMap, uri: &Uri) -> bool {
    headers.contains_key(REQUESTED_WITH) || same_host(headers, uri).unwrap_or(false)
}

fn same_host(headers: &HeaderMap, uri: &Uri) -> Option<bool> {
    let origin: Uri = headers.get(ORIGIN)?.to_str().ok()?.parse().ok()?;
    let host = match headers.get(HOST) {
        Some(host) => host.to_str().ok()?,
        None => uri.authority()?.as_str(),
    };
    Some(origin.authority()?.as_str().eq_ignore_ascii_case(host))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ours(headers: &[(&'static str, &'static str)]) -> bool {
        let headers = headers
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect();
        is_ours(&headers, &Uri::from_static("/"))
    }

    #[test]
    fn our_pages_and_programs_pass_and_other_sites_do_not() {
        assert!(ours(&[
            ("origin", "http://centre:8080"),
            ("host", "centre:8080")
        ]));
        assert!(ours(&[("x-requested-with", "cctv")]));
        for foreign in [
            &[][..],
            &[("host", "centre:8080")],
            &[("origin", "http://centre:8080")],
            &[("origin", "http://evil.example"), ("host", "centre:8080")],
            &[("origin", "http://centre:8081"), ("host", "centre:8080")],
            &[("origin", "null"), ("host", "centre:8080")],
            &[
                ("origin", "http://centre:8080.evil.example"),
                ("host", "centre:8080"),
            ],
        ] {
            assert!(!ours(foreign), "{foreign:?}");
        }
    }

    #[test]
    fn reading_is_nobodys_harm() {
        assert!(!changes(&Method::GET) && !changes(&Method::HEAD));
        assert!(changes(&Method::POST) && changes(&Method::PATCH) && changes(&Method::DELETE));
    }
}
