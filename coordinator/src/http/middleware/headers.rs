//! Headers that tell browsers what our pages may do and what others may do with them.

use axum::extract::Request;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;

use crate::http::client::Client;

/// `blob:` is what the player makes of fragments and of its worker; everything else comes from us.
const POLICY: &str = "default-src 'self'; media-src 'self' blob:; worker-src 'self' blob:; \
    img-src 'self' data: blob:; object-src 'none'; base-uri 'none'; form-action 'self'; \
    frame-ancestors 'none'";

/// Pages need none of a desk's devices; full screen and picture in picture stay allowed to them.
const PERMISSIONS: &str = "camera=(), display-capture=(), geolocation=(), hid=(), \
    microphone=(), midi=(), payment=(), serial=(), usb=()";

pub async fn layer(client: Client, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    add(response.headers_mut(), client.secure);
    response
}

fn add(headers: &mut HeaderMap, secure: bool) {
    let fixed = |text| HeaderValue::from_static(text);
    headers.insert(CONTENT_SECURITY_POLICY, fixed(POLICY));
    headers.insert(X_CONTENT_TYPE_OPTIONS, fixed("nosniff"));
    headers.insert(X_FRAME_OPTIONS, fixed("DENY"));
    headers.insert(REFERRER_POLICY, fixed("same-origin"));
    for (name, value) in [
        ("permissions-policy", PERMISSIONS),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
    ] {
        headers.insert(HeaderName::from_static(name), fixed(value));
    }
    if secure {
        headers.insert(STRICT_TRANSPORT_SECURITY, fixed("max-age=31536000"));
    }
    // Footage and lists of cameras do not belong on the disk of a shared desk.
    headers
        .entry(CACHE_CONTROL)
        .or_insert_with(|| fixed("no-store"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_not_kept_unless_they_say_so_themselves() {
        let mut headers = HeaderMap::new();
        add(&mut headers, false);
        assert_eq!(headers[CACHE_CONTROL], "no-store");
        assert!(!headers.contains_key(STRICT_TRANSPORT_SECURITY));
        let mut headers = HeaderMap::new();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        add(&mut headers, true);
        assert_eq!(headers[CACHE_CONTROL], "no-cache");
        assert!(headers.contains_key(STRICT_TRANSPORT_SECURITY));
    }
}
