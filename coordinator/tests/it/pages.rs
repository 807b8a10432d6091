//! Pages, health and metrics: what needs nobody signed in.

use std::net::IpAddr;
use std::sync::Arc;

use reqwest::Method;
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
    for path in ["/", "/api/v1/session", "/healthz", "/api/v1/nothing"] {
        let answer = browser.get(path).await;
        let policy = answer.header("content-security-policy");
        assert!(policy.contains("default-src 'self'") && policy.contains("frame-ancestors 'none'"));
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
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
        config.http.metrics_from = vec![elsewhere];
    });
    assert_eq!(strict.await.nobody().get("/metrics").await.status, 404);
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
