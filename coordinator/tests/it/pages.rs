//! Pages, health and metrics: what needs nobody signed in.

use std::net::IpAddr;
use std::sync::Arc;

use reqwest::Method;
use secrecy::ExposeSecret as _;
use serde_json::json;
use shared::clock::SystemClock;

use crate::world::World;

#[tokio::test]
async fn pages_are_served_with_the_index_for_what_they_make_up_themselves() {
    let world = World::start().await;
    let browser = world.nobody();
    for path in ["/", "/cameras/7", "/index.html"] {
        let page = browser.get(path).await;
        assert_eq!(page.status, 200, "{path}");
        assert!(page.bytes.starts_with(b"<!doctype html>"), "{path}");
        assert_eq!(page.header("cache-control"), "no-cache", "{path}");
    }
    let script = browser.get("/assets/main-4f3a.js").await;
    assert_eq!(
        script.header("cache-control"),
        "public, max-age=31536000, immutable"
    );
    assert!(script.header("content-type").contains("javascript"));
    // A file of an older build is gone, not the index in the guise of a script.
    let gone = browser.get("/assets/main-0000.js").await;
    assert_eq!((gone.status.as_u16(), gone.code()), (404, "not_found"));
    assert_eq!(browser.get("/favicon.ico").await.status, 404);
    assert_eq!(browser.send(Method::POST, "/", None, &[]).await.status, 404);
}

#[tokio::test]
async fn every_answer_tells_browsers_what_they_may_do() {
    let world = World::start().await;
    let browser = world.nobody();
    for path in [
        "/",
        "/cameras/7",
        "/assets/main-4f3a.js",
        "/assets/none.js",
        "/api/v1/session",
        "/healthz",
        "/api/v1/nothing",
    ] {
        let answer = browser.get(path).await;
        let policy = answer.header("content-security-policy");
        for part in [
            "default-src 'self'",
            "object-src 'none'",
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        ] {
            assert!(policy.split("; ").any(|it| it == part), "{part}: {policy}");
        }
        // Nothing from elsewhere, nothing inline.
        assert!(!policy.contains("unsafe") && !policy.contains("http") && !policy.contains('*'));
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("x-frame-options"), "DENY");
        assert_eq!(answer.header("referrer-policy"), "same-origin");
        assert_eq!(answer.header("cross-origin-opener-policy"), "same-origin");
        assert_eq!(answer.header("cross-origin-resource-policy"), "same-origin");
        let permissions = answer.header("permissions-policy");
        assert!(permissions.contains("camera=()") && permissions.contains("microphone=()"));
        // Not over plain HTTP, where browsers ignore it and a proxy may not.
        assert_eq!(answer.header("strict-transport-security"), "");
        assert_eq!(answer.header("server"), "");
        assert!(!answer.header("x-request-id").is_empty());
        assert!(answer.header("access-control-allow-origin").is_empty());
    }
    assert_eq!(
        browser.get("/api/v1/session").await.header("cache-control"),
        "no-store"
    );
}

#[tokio::test]
async fn health_and_metrics_answer_and_metrics_only_to_those_who_may() {
    let world = World::start().await;
    let browser = world.nobody();
    assert_eq!(browser.get("/healthz").await.status, 200);
    assert_eq!(browser.get("/readyz").await.status, 200);
    let metrics = browser.get("/metrics").await;
    let page = String::from_utf8(metrics.bytes.to_vec()).unwrap();
    assert!(
        page.contains("route=\"/healthz\",status=\"200\"} 1"),
        "{page}"
    );
    let relayed = [("x-forwarded-for", "203.0.113.9")];
    let answer = browser.send(Method::GET, "/metrics", None, &relayed).await;
    assert_eq!(answer.status, 404);

    let elsewhere: IpAddr = "192.0.2.1".parse().unwrap();
    let strict = World::start_with(Arc::new(SystemClock::new()), |config| {
        config.http.metrics_from = [elsewhere].into_iter().collect();
    });
    assert_eq!(strict.await.nobody().get("/metrics").await.status, 404);
}

#[tokio::test]
async fn a_trusted_proxy_says_who_asks_and_how() {
    let world = World::start_with(Arc::new(SystemClock::new()), |config| {
        config.http.trusted_proxies = [IpAddr::from([127, 0, 0, 1])].into_iter().collect();
        config.http.metrics_from = ["203.0.113.9".parse().unwrap()].into_iter().collect();
    })
    .await;
    let browser = world.nobody();
    let metrics = async |forwarded: &str| {
        let headers = [("x-forwarded-for", forwarded)];
        let answer = browser.send(Method::GET, "/metrics", None, &headers).await;
        answer.status.as_u16()
    };
    assert_eq!(metrics("203.0.113.9").await, 200);
    assert_eq!(metrics("203.0.113.9, 203.0.113.10").await, 404);
    assert_eq!(browser.get("/metrics").await.status, 404);

    for (protocol, secure) in [("https", true), ("http", false)] {
        let body = json!({ "login": "admin", "password": world.password.expose_secret() });
        // The scheme of a page's origin is that of the proxy.
        let origin = format!("{protocol}://{}", world.http);
        let headers = [("x-forwarded-proto", protocol), ("origin", &origin)];
        let path = "/api/v1/session";
        let answer = browser
            .send(Method::POST, path, Some(&body), &headers)
            .await;
        assert_eq!(answer.status, 200, "{:?}", answer.body);
        let cookie = answer.header("set-cookie");
        assert_eq!(cookie.contains("; Secure"), secure, "{cookie}");
        let strict = answer.header("strict-transport-security");
        assert_eq!(!strict.is_empty(), secure);
    }
}

#[tokio::test]
async fn the_description_is_served_as_it_is_committed() {
    let world = World::start().await;
    let served = world.nobody().get("/api/v1/openapi.json").await;
    assert_eq!(served.bytes, include_str!("../../openapi.json").as_bytes());
}

#[tokio::test]
async fn a_stopped_coordinator_lets_go_of_everything() {
    let mut world = World::start().await;
    let admin = world.admin().await;
    assert_eq!(admin.get("/api/v1/cameras").await.status, 200);
    world.stop().await;
    assert!(tokio::net::TcpStream::connect(world.http).await.is_err());
    let world = world.restart(Arc::new(SystemClock::new())).await;
    assert_eq!(world.nobody().get("/readyz").await.status, 200);
    // The same account, with the password of the first start.
    world.admin().await;
}
