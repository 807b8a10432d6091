//! The pages: files of `http.ui_dir`, and the index for every address that a page makes up for
//! itself.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderValue, Method, Uri};
use axum::response::{IntoResponse, Response};
use tower::ServiceExt as _;
use tower_http::services::{ServeDir, ServeFile};

use super::Api;
use super::error::{Code, Error};

/// Where the build puts files whose name changes with their content.
const HASHED: &str = "/assets/";

/// What no operation answers: a file, the index, or an error for a program.
pub async fn serve(State(api): State<Arc<Api>>, request: Request) -> Response {
    if ![Method::GET, Method::HEAD].contains(request.method()) || is_for_programs(request.uri()) {
        return Error::new(Code::NotFound).into_response();
    }
    let hashed = request.uri().path().starts_with(HASHED);
    let index = is_page(request.uri());
    let served = if index {
        ServeFile::new(api.ui_dir.join("index.html"))
            .oneshot(request)
            .await
            .map(IntoResponse::into_response)
    } else {
        ServeDir::new(&api.ui_dir)
            .append_index_html_on_directories(false)
            .oneshot(request)
            .await
            .map(IntoResponse::into_response)
    };
    let mut response = match served {
        Ok(response) if response.status().is_client_error() => {
            return Error::new(Code::NotFound).into_response();
        }
        Ok(response) => response,
        Err(never) => match never {},
    };
    let cache = if hashed {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    let cache = HeaderValue::from_static(cache);
    response.headers_mut().insert(CACHE_CONTROL, cache);
    response
}

pub async fn method_not_allowed() -> Error {
    Error::new(Code::MethodNotAllowed)
}

fn is_for_programs(uri: &Uri) -> bool {
    let path = uri.path();
    path == "/api" || path.starts_with("/api/")
}

/// Addresses of pages have no dot in their last part; files have.
fn is_page(uri: &Uri) -> bool {
    let path = uri.path();
    !path.starts_with(HASHED)
        && !path
            .rsplit('/')
            .next()
            .is_some_and(|name| name.contains('.'))
}
