//! One correlation id per request: taken from `X-Request-Id` when it is fit to be logged, made
//! otherwise; in every log line, every error and the answer's header.

use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use data_encoding::HEXLOWER;
use tracing::Instrument;

pub const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// Longest id taken over from a client or a proxy.
const MAX_LENGTH: usize = 64;

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
    let span = tracing::info_span!(
        "request",
        request.id = %id,
        method = %request.method(),
        path = %request.uri().path(),
    );
    let header = HeaderValue::from_str(&id);
    let mut response = CURRENT.scope(id, next.run(request).instrument(span)).await;
    if let Ok(header) = header {
        response.headers_mut().insert(HEADER, header);
    }
    response
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
