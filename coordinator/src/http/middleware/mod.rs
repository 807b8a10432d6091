//! What happens to every request, whatever it asks for. One file each; the order is in
//! [`super::router`].

pub mod cross_site;
pub mod headers;
pub mod observe;
pub mod request_id;

use std::any::Any;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::error::{Code, Error};

/// Gives up on an answer that has not begun in time. A body that is being sent may take longer.
pub async fn time_out(State(limit): State<Duration>, request: Request, next: Next) -> Response {
    match tokio::time::timeout(limit, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Error::new(Code::RequestTimeout).into_response(),
    }
}

/// What a bug in a handler looks like from outside.
#[expect(clippy::needless_pass_by_value, reason = "the layer hands it over")]
pub fn panicked(cause: Box<dyn Any + Send + 'static>) -> Response {
    let text = cause
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| cause.downcast_ref::<&str>().copied());
    tracing::error!(panic = text, "a request handler panicked");
    Error::new(Code::Internal).into_response()
}
