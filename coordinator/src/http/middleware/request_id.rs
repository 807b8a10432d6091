//! One correlation id per request: taken from `X-Request-Id` when it is fit to be logged, made
//! otherwise; in every log line, every error and the answer's header.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use data_encoding::HEXLOWER;
use hyper::body::{Frame, SizeHint};
use tracing::{Instrument, Span};

pub const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// Longest id taken over from a client or a proxy.
const MAX_LENGTH: usize = 64;
/// Bytes of a path that the log shows; none of ours is longer.
const MAX_PATH: usize = 256;

tokio::task_local! {
    static CURRENT: String;
}

/// The id of the request this task is answering; `-` outside of one.
pub fn current() -> String {
    known().unwrap_or_else(|| "-".into())
}

/// The id of the request this task is answering, if it is.
pub fn known() -> Option<String> {
    CURRENT.try_with(Clone::clone).ok()
}

pub async fn layer(request: Request, next: Next) -> Response {
    let id = request
        .headers()
        .get(HEADER)
        .and_then(|value| value.to_str().ok())
        .filter(|text| is_fit(text))
        .map_or_else(fresh, str::to_owned);
    let path = request.uri().path();
    // At the highest level, so that it is there for whatever the log's filter lets through.
    let span = tracing::error_span!(
        "request",
        request.id = %id,
        method = %request.method(),
        path = path.get(..MAX_PATH).unwrap_or(path),
    );
    let header = HeaderValue::from_str(&id);
    let answering = next.run(request).instrument(span.clone());
    let mut response = CURRENT.scope(id, answering).await;
    if let Ok(header) = header {
        response.headers_mut().insert(HEADER, header);
    }
    response.map(|body| Body::new(Traced { body, span }))
}

/// What is sent after the answer has begun belongs to the request too.
struct Traced {
    body: Body,
    span: Span,
}

impl HttpBody for Traced {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let Self { body, span } = &mut *self;
        let _entered = span.enter();
        Pin::new(body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Letters, digits and a few signs: nothing that could forge a log line.
fn is_fit(id: &str) -> bool {
    (1..=MAX_LENGTH).contains(&id.len())
        && id
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

fn fresh() -> String {
    HEXLOWER.encode(&rand::random::<[u8; 16]>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ids_that_cannot_forge_a_log_line_are_taken_over() {
        assert!(is_fit("01954f3e-8d2f_7c51.a3"));
        for unfit in ["", "a b", "a\nb", "é", "a\"b", &"x".repeat(65)] {
            assert!(!is_fit(unfit), "{unfit:?}");
        }
        assert_ne!(fresh(), fresh());
        assert!(is_fit(&fresh()));
    }
}
