//! How many requests are answered of whom.

use std::sync::Arc;

use cctv_coordinator::config::{Bounded, Config};
use reqwest::Method;
use serde_json::json;
use shared::clock::SystemClock;

use crate::world::{Answer, Browser, World};

/// Slow enough that nothing comes in while a test runs, were it not for a whole second.
async fn world(change: impl FnOnce(&mut Config)) -> World {
    World::start_with(Arc::new(SystemClock::new()), change).await
}

/// Asks until it is refused, which it must be before `most` answers.
async fn exhaust(browser: &Browser, path: &str, most: usize) -> (usize, Answer) {
    for count in 0..most {
        let answer = browser.get(path).await;
        if answer.status == 429 {
            return (count, answer);
        }
    }
    panic!("{most} requests were answered");
}

#[tokio::test]
async fn whoever_asks_too_much_is_told_when_to_come_again_and_nobody_else_notices() {
    let world = world(|config| {
        config.limits.user.per_second = Bounded::new(1);
        config.limits.user.burst = Bounded::new(10);
    })
    .await;
    let (metro, taxi) = (
        world.operator("METRO").await,
        world.operator("DUBAI_POLICE").await,
    );
    let (answered, refused) = exhaust(&metro, "/api/v1/session", 100).await;
    assert!(answered >= 10, "{answered}");
    assert_eq!(refused.code(), "rate_limited");
    assert_eq!(refused.header("retry-after"), "1");
    assert!(!refused.header("x-request-id").is_empty());
    let error = &refused.body["error"];
    assert!(error["message_en"].as_str().unwrap().contains("wait"));
    assert!(error["message_ar"].as_str().unwrap().contains("انتظر"));
    assert_eq!(taxi.get("/api/v1/session").await.status, 200);
    // What is not for the person still works: the pages, and watching what plays.
    assert_eq!(metro.get("/").await.status, 200);
    let piece = "/api/v1/playback/00000000-0000-0000-0000-000000000000/segments/x.mp4";
    assert_eq!(metro.get(piece).await.status, 404);
    let metrics = metro.get("/metrics").await;
    let page = String::from_utf8(metrics.bytes.to_vec()).unwrap();
    assert!(!page.contains("rate_limit_refusals_total 0"), "{page}");
}

#[tokio::test]
async fn watching_leaves_the_interface_its_share() {
    let world = world(|config| {
        config.limits.media.per_second = Bounded::new(1);
        config.limits.media.burst = Bounded::new(5);
    })
    .await;
    let browser = world.operator("METRO").await;
    let piece = "/api/v1/playback/00000000-0000-0000-0000-000000000000/segments/x.mp4";
    exhaust(&browser, piece, 100).await;
    assert_eq!(browser.get("/api/v1/session").await.status, 200);
}

#[tokio::test]
async fn an_agency_has_a_limit_of_its_own() {
    let world = world(|config| {
        config.limits.agency.per_second = Bounded::new(1);
        config.limits.agency.burst = Bounded::new(10);
    })
    .await;
    let (metro, admin) = (world.operator("METRO").await, world.admin().await);
    exhaust(&metro, "/api/v1/session", 100).await;
    // An administrator belongs to none.
    for _ in 0..30 {
        assert_eq!(admin.get("/api/v1/session").await.status, 200);
    }
}

#[tokio::test]
async fn strangers_are_counted_by_address_whatever_they_bring() {
    let world = world(|config| {
        config.limits.address.per_second = Bounded::new(1);
        config.limits.address.burst = Bounded::new(10);
    })
    .await;
    let admin = world.admin().await;
    let stranger = world.nobody();
    let mut refused = 0;
    for number in 0..40 {
        let cookie = format!("cctv_session={number}");
        let headers = [("cookie", cookie.as_str()), ("authorization", "Bearer x")];
        let body = json!({ "login": "admin", "password": "wrong" });
        let answer = match number % 3 {
            0 => {
                let path = "/api/v1/session";
                stranger
                    .send(Method::POST, path, Some(&body), &headers)
                    .await
            }
            1 => {
                let path = "/api/v1/cameras";
                stranger.send(Method::GET, path, None, &headers).await
            }
            _ => stranger.get("/api/v1/nothing").await,
        };
        refused += usize::from(answer.code() == "rate_limited");
    }
    assert!(refused >= 20, "{refused}");
    // Neither load balancers nor pages nor those who are signed in.
    for path in ["/healthz", "/readyz", "/", "/assets/main-4f3a.js"] {
        assert_eq!(stranger.get(path).await.status, 200, "{path}");
    }
    assert_eq!(admin.get("/api/v1/session").await.status, 200);
}
