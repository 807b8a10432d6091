//! What pages of other origins may do: what the settings allow theirs, and nothing else.

use std::sync::Arc;

use reqwest::Method;
use serde_json::json;
use shared::clock::SystemClock;

use crate::world::{Answer, Browser, World};

const ALLOWED: &str = "https://wall.example";

/// What looks like the allowed origin and is not.
const OTHERS: [&str; 7] = [
    "null",
    "https://evil.example",
    "http://wall.example",
    "https://wall.example:8443",
    "https://wall.example.evil.example",
    "https://evilwall.example",
    "https://WALL.example",
];

async fn world() -> World {
    World::start_with(Arc::new(SystemClock::new()), |config| {
        config.http.allowed_origins = vec![ALLOWED.parse().unwrap()];
    })
    .await
}

async fn preflight(browser: &Browser, origin: &str) -> Answer {
    let headers = [
        ("origin", origin),
        ("access-control-request-method", "PATCH"),
        ("access-control-request-headers", "content-type"),
    ];
    let path = "/api/v1/cameras/0/anything";
    browser.send(Method::OPTIONS, path, None, &headers).await
}

fn grants_nothing(answer: &Answer) {
    assert_eq!(answer.header("access-control-allow-origin"), "");
    assert_eq!(answer.header("access-control-allow-credentials"), "");
}

#[tokio::test]
async fn pages_of_an_allowed_origin_may_ask_read_and_change() {
    let world = world().await;
    let admin = world.admin().await;
    let asked = preflight(&admin, ALLOWED).await;
    assert_eq!(asked.status, 200);
    assert_eq!(asked.header("access-control-allow-origin"), ALLOWED);
    assert_eq!(asked.header("access-control-allow-credentials"), "true");
    let methods = asked.header("access-control-allow-methods");
    assert!(methods.contains("PATCH") && !methods.contains('*'));
    let headers = asked.header("access-control-allow-headers");
    assert!(headers.contains("content-type") && !headers.contains('*'));

    let origin = [("origin", ALLOWED)];
    let read = admin
        .send(Method::GET, "/api/v1/session", None, &origin)
        .await;
    assert_eq!(read.status, 200);
    assert_eq!(read.header("access-control-allow-origin"), ALLOWED);
    assert!(read.header("vary").contains("origin"));
    assert!(
        read.header("access-control-expose-headers")
            .contains("x-request-id")
    );
    // Refusals can be read too, or the page could not say what is wrong.
    let body = json!({ "site_name": 7 });
    let path = "/api/v1/agents/invites";
    let refused = admin.send(Method::POST, path, Some(&body), &origin).await;
    assert_eq!(refused.code(), "invalid_value");
    assert_eq!(refused.header("access-control-allow-origin"), ALLOWED);
}

#[tokio::test]
async fn pages_of_other_origins_may_nothing_however_they_look() {
    let world = world().await;
    let admin = world.admin().await;
    for origin in OTHERS {
        grants_nothing(&preflight(&admin, origin).await);
        let headers = [("origin", origin), ("x-requested-with", "cctv")];
        let read = admin
            .send(Method::GET, "/api/v1/session", None, &headers)
            .await;
        grants_nothing(&read);
        let path = "/api/v1/session";
        let changed = admin.send(Method::DELETE, path, None, &headers).await;
        assert_eq!(changed.code(), "cross_site", "{origin}");
        grants_nothing(&changed);
    }
    // Nothing of it had an effect.
    assert_eq!(admin.get("/api/v1/session").await.status, 200);
}

#[tokio::test]
async fn by_default_there_is_no_other_origin() {
    let world = World::start().await;
    let admin = world.admin().await;
    for origin in OTHERS.into_iter().chain([ALLOWED]) {
        let asked = preflight(&admin, origin).await;
        assert!(asked.status.is_client_error(), "{}", asked.status);
        grants_nothing(&asked);
        let headers = [("origin", origin)];
        let path = "/api/v1/session";
        let changed = admin.send(Method::DELETE, path, None, &headers).await;
        assert_eq!(changed.code(), "cross_site", "{origin}");
        assert!(!changed.header("vary").contains("origin"));
    }
}
