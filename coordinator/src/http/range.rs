//! Byte ranges (RFC 9110 section 14): what a player asks for, and the answer that streams it.

use axum::body::Body;
use axum::http::header::{ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, RANGE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use futures::TryStreamExt as _;
use http_range_header::{EndPosition, StartPosition, SyntacticallyCorrectRange};

use super::error::chain;
use crate::services::playback::{Opened, Wanted};

/// What the request asks for. Several ranges, other units and what cannot be read ask for
/// everything, as the standard has it.
pub(super) fn wanted(headers: &HeaderMap) -> Wanted {
    headers
        .get(RANGE)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| http_range_header::parse_range_header(text).ok())
        .and_then(|ranges| match ranges.ranges[..] {
            [range] => one(range),
            _ => None,
        })
        .unwrap_or(Wanted::All)
}

fn one(range: SyntacticallyCorrectRange) -> Option<Wanted> {
    match (range.start, range.end) {
        (StartPosition::Index(start), EndPosition::LastByte) => Some(Wanted::From(start)),
        (StartPosition::Index(start), EndPosition::Index(last)) if start <= last => {
            Some(Wanted::Between(start, last.saturating_add(1)))
        }
        (StartPosition::FromLast(count), _) => Some(Wanted::Last(count)),
        _ => None,
    }
}

/// Streams what was opened; nothing is gathered here.
pub(super) fn respond(opened: Opened, wanted: Wanted) -> Response {
    let Opened {
        total,
        range,
        bytes,
    } = opened;
    let length = range.end.saturating_sub(range.start);
    let bytes = bytes.inspect_err(|error| {
        tracing::warn!(error = %chain(error), "a segment broke off while it was sent");
    });
    let mut response = Body::from_stream(bytes).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("video/mp4"));
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(CONTENT_LENGTH, length.into());
    if !matches!(wanted, Wanted::All) {
        let total = total.map_or_else(|| "*".to_owned(), |total| total.to_string());
        let last = range.end.saturating_sub(1);
        let range = format!("bytes {}-{last}/{total}", range.start);
        if let Ok(range) = HeaderValue::try_from(range) {
            headers.insert(CONTENT_RANGE, range);
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        }
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(range: &'static str) -> Wanted {
        let mut headers = HeaderMap::new();
        headers.insert(RANGE, HeaderValue::from_static(range));
        wanted(&headers)
    }

    #[test]
    fn one_range_is_understood_and_anything_else_asks_for_everything() {
        assert_eq!(asked("bytes=0-0"), Wanted::Between(0, 1));
        assert_eq!(asked("bytes=100-199"), Wanted::Between(100, 200));
        assert_eq!(asked("bytes=7-"), Wanted::From(7));
        assert_eq!(asked("bytes=-500"), Wanted::Last(500));
        assert_eq!(
            asked("bytes=1-18446744073709551615"),
            Wanted::Between(1, u64::MAX)
        );
        for other in [
            "",
            "bytes=",
            "bytes=5-4",
            "bytes=a-b",
            "bytes=0-1,4-5",
            "seconds=0-1",
            "bytes=99999999999999999999-",
        ] {
            assert_eq!(asked(other), Wanted::All, "{other}");
        }
        assert_eq!(wanted(&HeaderMap::new()), Wanted::All);
    }
}
