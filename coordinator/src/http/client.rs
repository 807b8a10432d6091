//! Who is at the other end, as far as the network can tell: the address that counts, and whether
//! nobody on the way can read along. Sign-ins, limits, metrics, cookies and the audit all ask here.
//!
//! What does not belong here: who the person is (`actor.rs`).

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::extract::{FromRequestParts, Request, State};
use axum::http::header::FORWARDED;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName};
use axum::middleware::Next;
use axum::response::Response;

use super::Api;
use super::serve::Peer;
use crate::config::Networks;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

const NOWHERE: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

/// The other end of a request. An extractor that never fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Client {
    /// Of the connection, or what the trusted proxies in front say; never IPv4-mapped.
    pub address: IpAddr,
    /// Whether it talks TLS, with us or with a trusted proxy, as far as can be known.
    pub secure: bool,
    /// Came through a proxy that nobody told us to trust: `address` may be that proxy's.
    pub relayed: bool,
}

impl Client {
    /// `X-Forwarded-*` count only from `trusted`. Of several addresses the last that is not itself
    /// trusted counts: what stands before it may be the client's invention. `Forwarded` (RFC 7239)
    /// is never believed, because a proxy that writes the one header passes the other on untouched.
    fn of(peer: IpAddr, headers: &HeaderMap, trusted: &Networks) -> Self {
        let peer = peer.to_canonical();
        if !trusted.contains(peer) {
            return Self {
                address: peer,
                secure: false,
                relayed: headers.contains_key(FORWARDED_FOR) || headers.contains_key(FORWARDED),
            };
        }
        let mut address = peer;
        for hop in last_first(headers, &FORWARDED_FOR) {
            let Some(hop) = hop.and_then(parse) else {
                break;
            };
            address = hop;
            if !trusted.contains(hop) {
                break;
            }
        }
        let protocol = last_first(headers, &FORWARDED_PROTO).next();
        Self {
            address,
            secure: protocol.is_none_or(|it| it.is_some_and(|it| it.eq_ignore_ascii_case("https"))),
            relayed: false,
        }
    }
}

/// The elements of a list in one or several headers of this name; `None` for one that is no text.
fn last_first<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
) -> impl Iterator<Item = Option<&'a str>> {
    let values: Vec<_> = headers.get_all(name).iter().collect();
    values.into_iter().rev().flat_map(|value| {
        let text = value.to_str().ok();
        let elements = text.map(|text| text.rsplit(',').map(|element| Some(element.trim())));
        let unreadable = text.is_none().then_some(None);
        elements.into_iter().flatten().chain(unreadable)
    })
}

/// An address, also with a port as some proxies write it.
fn parse(text: &str) -> Option<IpAddr> {
    let bare = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'));
    let address = bare.unwrap_or(text).parse();
    let address = address.or_else(|_| text.parse().map(|address: SocketAddr| address.ip()));
    address.ok().map(|address| address.to_canonical())
}

/// Finds out once per request, for everybody behind.
pub async fn layer(State(api): State<Arc<Api>>, mut request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<Peer>();
    let peer = peer.map_or(NOWHERE, |Peer(peer)| peer.ip());
    let mut client = Client::of(peer, request.headers(), &api.trusted_proxies);
    client.secure |= api.secure;
    request.extensions_mut().insert(client);
    next.run(request).await
}

impl<S: Sync> FromRequestParts<S> for Client {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let known = parts.extensions.get().copied();
        // Without the layer nothing is known, and nothing may be concluded.
        Ok(known.unwrap_or(Self {
            address: NOWHERE,
            secure: false,
            relayed: true,
        }))
    }
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};
    use proptest::prelude::*;

    use super::*;

    fn proxies() -> Networks {
        serde_json::from_str(r#"["10.0.0.0/8", "2001:db8::/32"]"#).unwrap()
    }

    fn client(peer: &str, headers: &[(&'static str, &str)]) -> Client {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(
                HeaderName::from_static(name),
                HeaderValue::from_str(value).unwrap(),
            );
        }
        Client::of(peer.parse().unwrap(), &map, &proxies())
    }

    fn address(peer: &str, headers: &[(&'static str, &str)]) -> String {
        client(peer, headers).address.to_string()
    }

    #[test]
    fn strangers_are_not_believed() {
        for header in ["x-forwarded-for", "forwarded"] {
            let stranger = client("192.0.2.1", &[(header, "203.0.113.9")]);
            assert_eq!(stranger.address.to_string(), "192.0.2.1");
            assert!(stranger.relayed && !stranger.secure);
        }
        let stranger = client("::ffff:192.0.2.1", &[("x-forwarded-proto", "https")]);
        assert_eq!(stranger.address.to_string(), "192.0.2.1");
        assert!(!stranger.relayed && !stranger.secure);
    }

    #[test]
    fn the_last_address_that_is_no_proxy_counts() {
        for (forwarded, expected) in [
            (&["203.0.113.9"][..], "203.0.113.9"),
            (&["1.2.3.4, 203.0.113.9"], "203.0.113.9"),
            (&["1.2.3.4,203.0.113.9 , 10.1.1.1"], "203.0.113.9"),
            (&["1.2.3.4", "203.0.113.9", "10.1.1.1"], "203.0.113.9"),
            (&["203.0.113.9:4711"], "203.0.113.9"),
            (&["[2001:db9::7]:4711"], "2001:db9::7"),
            (&["[2001:db9::7]"], "2001:db9::7"),
            (&["::ffff:203.0.113.9"], "203.0.113.9"),
            // Nothing but proxies: the farthest of them asks.
            (&["10.1.1.1"], "10.1.1.1"),
            // What a proxy does not know is not guessed.
            (&["203.0.113.9, unknown"], "10.0.0.1"),
            (&["203.0.113.9, , 10.1.1.1"], "10.1.1.1"),
            (&[], "10.0.0.1"),
        ] {
            let headers: Vec<_> = forwarded
                .iter()
                .map(|it| ("x-forwarded-for", *it))
                .collect();
            assert_eq!(address("10.0.0.1", &headers), expected, "{forwarded:?}");
            let mapped = address("::ffff:10.0.0.1", &headers);
            assert_eq!(mapped, expected, "{forwarded:?}");
        }
        let other = [("forwarded", "for=203.0.113.9;proto=https")];
        assert_eq!(address("10.0.0.1", &other), "10.0.0.1");
    }

    #[test]
    fn a_trusted_proxy_speaks_tls_unless_it_says_otherwise() {
        let secure = |values: &[&str]| {
            let headers: Vec<_> = values.iter().map(|it| ("x-forwarded-proto", *it)).collect();
            client("10.0.0.1", &headers).secure
        };
        assert!(secure(&[]) && secure(&["https"]) && secure(&["HTTPS"]));
        assert!(!secure(&["http"]) && !secure(&[""]) && !secure(&["https, http"]));
        // The nearest proxy knows best; what comes before may be the client's.
        assert!(!secure(&["https", "http"]) && secure(&["http", "https"]));
    }

    proptest! {
        #[test]
        fn whatever_a_client_invents_does_not_change_its_address(
            invented in proptest::collection::vec("[ -~]{0,40}", 0..4),
        ) {
            let mut headers: Vec<_> = invented.iter().map(|it| ("x-forwarded-for", it.as_str())).collect();
            headers.push(("x-forwarded-for", "203.0.113.9"));
            prop_assert_eq!(address("10.0.0.1", &headers), "203.0.113.9");
            let direct = address("203.0.113.9", &headers);
            prop_assert_eq!(direct, "203.0.113.9");
        }
    }
}
