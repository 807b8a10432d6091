//! What is asked over HTTP, by people who may and people who may not.

use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::refusals::things::{OFFER, Things};
use crate::world::{Browser, PASSWORD, World, until};

const SDP: &str = "application/sdp";

struct Stage {
    world: World,
    admin: Browser,
    things: Things,
    watcher: Browser,
    path: String,
}

impl Stage {
    async fn set() -> Self {
        let world = World::start().await;
        let admin = world.admin().await;
        let things = Things::make(&world, &admin).await;
        let watcher = world.signed_in("operator-of-metro", PASSWORD).await;
        let path = things.path("watch_camera", "/api/v1/cameras/{id}/whep", false);
        Self {
            world,
            admin,
            things,
            watcher,
            path,
        }
    }

    async fn viewers(&self) -> String {
        let page = self.admin.get("/metrics").await;
        let text = String::from_utf8(page.bytes.to_vec()).unwrap();
        let mut lines = text.lines();
        let line = lines.find_map(|line| line.strip_prefix("cctv_coordinator_live_viewers "));
        line.unwrap().to_owned()
    }
}

#[tokio::test]
async fn a_viewer_is_opened_and_ended_and_is_nobody_elses() {
    let stage = Stage::set().await;
    let opened = stage
        .watcher
        .send_text(Method::POST, &stage.path, SDP, OFFER)
        .await;
    assert_eq!(opened.status, StatusCode::CREATED, "{:?}", opened.body);
    assert_eq!(opened.header("content-type"), SDP);
    assert!(!opened.header("etag").is_empty());
    let answer = String::from_utf8(opened.bytes.to_vec()).unwrap();
    assert!(
        answer.contains("a=ice-lite\r\n") && answer.contains("127.0.0.1"),
        "{answer}"
    );
    let viewer = opened.header("location").to_owned();
    assert_eq!(stage.viewers().await, "1");
    let fragment = "application/trickle-ice-sdpfrag";
    // Candidates that lead into our network lead nowhere: nobody reads them.
    let inside = "a=candidate:1 1 udp 1 10.0.0.1 22 typ host\r\n";
    let taken = stage
        .watcher
        .send_text(Method::PATCH, &viewer, fragment, inside)
        .await;
    assert_eq!(taken.status, StatusCode::NO_CONTENT);
    let foreign = stage.admin.send(Method::DELETE, &viewer, None, &[]).await;
    assert_eq!(foreign.status, StatusCode::NOT_FOUND);
    let ended = stage.watcher.send(Method::DELETE, &viewer, None, &[]).await;
    assert_eq!(ended.status, StatusCode::OK);
    until("the end", async || {
        (stage.viewers().await == "0").then_some(())
    })
    .await;
    let again = stage.watcher.send(Method::DELETE, &viewer, None, &[]).await;
    assert_eq!(again.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn offers_that_are_no_good_are_refused_and_hold_nothing() {
    let stage = Stage::set().await;
    let vp8 = OFFER.replace("H264/90000", "VP8/90000");
    let single = OFFER.replace("packetization-mode=1", "packetization-mode=0");
    let long = OFFER.to_owned() + &"a=x:y\r\n".repeat(5_000);
    for (kind, body, status, code) in [
        ("application/json", OFFER, 415, "sdp_wanted"),
        (SDP, "", 422, "invalid_value"),
        (SDP, "hello", 422, "invalid_value"),
        (SDP, &vp8, 409, "codec_not_carried"),
        (SDP, &single, 409, "codec_not_carried"),
        (SDP, &long, 413, "payload_too_large"),
    ] {
        let answer = stage
            .watcher
            .send_text(Method::POST, &stage.path, kind, body)
            .await;
        assert_eq!(
            (answer.status.as_u16(), answer.code()),
            (status, code),
            "{body:.60}"
        );
    }
    let path = format!("{}?rendition=HUGE", stage.path);
    let answer = stage
        .watcher
        .send_text(Method::POST, &path, SDP, OFFER)
        .await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    // The small stream, which this camera does not have.
    let path = format!("{}?rendition=SUB", stage.path);
    let answer = stage
        .watcher
        .send_text(Method::POST, &path, SDP, OFFER)
        .await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    assert_eq!(stage.viewers().await, "0");
    let usage = stage.watcher.get("/api/v1/stream/stats").await.body;
    let full = &usage["agencies"][0]["full"]["current"];
    // The one that stands reserved beforehand.
    assert_eq!(full, &json!(1), "{usage}");
}

#[tokio::test]
async fn whoever_may_no_longer_watch_is_ended() {
    let stage = Stage::set().await;
    let opened = stage
        .watcher
        .send_text(Method::POST, &stage.path, SDP, OFFER)
        .await;
    assert_eq!(opened.status, StatusCode::CREATED, "{:?}", opened.body);
    let me = stage.watcher.get("/api/v1/session").await.body;
    let path = format!(
        "/api/v1/iam/users/{}/status",
        me["user_id"].as_str().unwrap()
    );
    let off = json!({ "status": "DISABLED" });
    let done = stage
        .admin
        .send(Method::PATCH, &path, Some(&off), &[])
        .await;
    assert_eq!(done.status, StatusCode::OK, "{:?}", done.body);
    until("the end", async || {
        (stage.viewers().await == "0").then_some(())
    })
    .await;
    drop((stage.things, stage.world));
}
