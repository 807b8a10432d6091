//! Orders, links and ranges that are forged, old, strange or somebody else's.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use shared::clock::{Clock as _, SimulatedClock, SystemClock};

use super::{Playlist, Scene};
use crate::world::World;

#[tokio::test]
async fn ranges_beyond_the_file_and_strange_ones_are_answered_by_the_standard() {
    let world = World::start().await;
    let scene = Scene::new(&world, SystemClock::new().wall()).await;
    let file = &scene.segment.bytes;
    scene.work.upload(&scene.meta, file).await.unwrap();
    let admin = world.admin().await;
    let playlist = Playlist::prepare(&admin, &scene.order()).await;
    let path = playlist.map().0;
    let beyond = admin
        .get_range(&path, &format!("bytes={}-", file.len()))
        .await;
    assert_eq!(
        (beyond.status.as_u16(), beyond.code()),
        (416, "range_not_satisfiable")
    );
    assert_eq!(
        beyond.header("content-range"),
        format!("bytes */{}", file.len())
    );
    let last = admin.get_range(&path, "bytes=-10").await;
    assert_eq!(last.bytes, file.slice(file.len() - 10..));
    let rest = admin.get_range(&path, "bytes=5-99999999999").await;
    assert_eq!((rest.status.as_u16(), rest.bytes), (206, file.slice(5..)));
    for ignored in ["bytes=9-5", "bytes=0-1,5-6", "lines=1-2", "bytes=x"] {
        let answer = admin.get_range(&path, ignored).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.bytes),
            (200, file),
            "{ignored}"
        );
    }
}

#[tokio::test]
async fn links_are_good_for_one_segment_of_one_playback_for_five_minutes() {
    let clock = Arc::new(SimulatedClock::new(SystemClock::new().wall()));
    let world = World::start_with(clock.clone(), |_| {}).await;
    let scene = Scene::new(&world, clock.wall()).await;
    scene
        .work
        .upload(&scene.meta, &scene.segment.bytes)
        .await
        .unwrap();
    let admin = world.admin().await;
    let playlist = Playlist::prepare(&admin, &scene.order()).await;
    let (link, ..) = playlist.map();
    let other = Playlist::prepare(&admin, &scene.order()).await;

    // Whoever has the link may follow it, as a player without cookies does.
    let nobody = world.nobody();
    assert_eq!(nobody.get(&link).await.status, 200);

    let id = scene.meta.head.id.to_string();
    let foreign = shared::id::SegmentId::new(clock.wall()).to_string();
    let expires = link
        .split("expires=")
        .nth(1)
        .unwrap()
        .split('&')
        .next()
        .unwrap();
    let later = (expires.parse::<i64>().unwrap() + 3600).to_string();
    for (what, forged) in [
        ("another segment", link.replace(&id, &foreign)),
        (
            "another playback",
            link.replace(&playlist.base, &other.base),
        ),
        ("a later expiry", link.replace(expires, &later)),
        (
            "a made-up signature",
            format!(
                "{}AAAA",
                link.split("signature=").next().unwrap().to_owned() + "signature="
            ),
        ),
        ("no signature", link.split('&').next().unwrap().to_owned()),
    ] {
        for (who, browser) in [("nobody", &nobody), ("the owner", &admin)] {
            let answer = browser.get(&forged).await;
            assert!(
                matches!(answer.status.as_u16(), 401 | 403),
                "{what} as {who}: {}",
                answer.status
            );
            assert!(answer.bytes.len() < 2000);
        }
    }
    let unreadable = link.replace(expires, "tomorrow");
    assert_eq!(nobody.get(&unreadable).await.code(), "invalid_request");

    clock.advance(Duration::from_secs(6 * 60));
    let late = nobody.get(&link).await;
    assert_eq!((late.status.as_u16(), late.code()), (403, "link_expired"));
    // The player of whoever prepared it still holds the playlist of the beginning.
    assert_eq!(admin.get(&link).await.status, 200);
    admin
        .send(reqwest::Method::DELETE, "/api/v1/session", None, &[])
        .await;
    assert_ne!(admin.get(&link).await.status, 200);
}

#[tokio::test]
async fn orders_that_make_no_sense_are_refused_by_name() {
    let world = World::start().await;
    let scene = Scene::new(&world, SystemClock::new().wall()).await;
    let admin = world.admin().await;
    let camera = scene.camera;
    for order in [
        json!({ "camera_id": camera }),
        json!({ "camera_id": camera, "live": true, "from": "2026-03-01T14:00:00Z", "to": "2026-03-01T15:00:00Z" }),
        json!({ "camera_id": camera, "from": "2026-03-01T15:00:00Z", "to": "2026-03-01T14:00:00Z" }),
        json!({ "camera_id": camera, "from": "2026-03-01T14:00:00Z", "to": "2026-03-01T14:00:00Z" }),
        json!({ "camera_id": camera, "from": "2026-03-01T14:00:00Z", "to": "2026-04-01T14:00:00Z" }),
        json!({ "camera_id": camera, "from": "yesterday", "to": "today" }),
    ] {
        let answer = admin.post("/api/v1/playback/prepare", &order).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code()),
            (422, "invalid_value"),
            "{order}"
        );
    }
    let quiet = json!({ "camera_id": camera, "from": "2020-01-01T00:00:00Z", "to": "2020-01-01T01:00:00Z" });
    assert_eq!(
        admin.post("/api/v1/playback/prepare", &quiet).await.status,
        201
    );
}
