//! What happens to every request, whatever it asks for. One file each; the order is in
//! [`super::router`].

pub mod cors;
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

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::Body;
    use axum::http::StatusCode;
    use axum::middleware::{from_fn, from_fn_with_state};
    use axum::routing::get;
    use tower::ServiceExt as _;
    use tower_http::catch_panic::CatchPanicLayer;

    use super::*;

    async fn ask(router: Router) -> (StatusCode, serde_json::Value, Option<String>) {
        let request = Request::get("/").body(Body::empty()).unwrap();
        let response = router.oneshot(request).await.unwrap();
        let (status, id) = (
            response.status(),
            response.headers().get(request_id::HEADER),
        );
        let id = id.map(|id| id.to_str().unwrap().to_owned());
        let body = axum::body::to_bytes(response.into_body(), 4096)
            .await
            .unwrap();
        (status, serde_json::from_slice(&body).unwrap(), id)
    }

    #[tokio::test]
    async fn a_panic_is_an_internal_error_with_its_correlation_id() {
        async fn broken() {
            panic!("a bug");
        }
        let router = Router::new()
            .route("/", get(broken))
            .layer(CatchPanicLayer::custom(panicked))
            .layer(from_fn(request_id::layer));
        let (status, body, id) = ask(router).await;
        assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(body["error"]["code"], "internal");
        assert_eq!(body["error"]["correlation_id"].as_str(), id.as_deref());
        assert!(!body.to_string().contains("a bug"));
    }

    #[tokio::test]
    async fn an_answer_that_does_not_begin_is_given_up() {
        let router = Router::new()
            .route("/", get(std::future::pending::<()>))
            .layer(from_fn_with_state(Duration::from_millis(10), time_out));
        let (status, body, _) = ask(router).await;
        assert_eq!(status, StatusCode::REQUEST_TIMEOUT);
        assert_eq!(body["error"]["code"], "request_timeout");
    }
}
