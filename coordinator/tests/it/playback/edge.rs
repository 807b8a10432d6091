//! Footage that is still only at the edge.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::json;
use shared::clock::{Clock as _, SystemClock};
use shared::testing::SegmentBuilder;
use shared::wire::segment::{Growth, Report};
use shared::wire::{CloseCode, StreamHeader};

use super::{Playlist, Scene, cut, get};
use crate::peer::{Peer, camera};
use crate::world::World;

#[tokio::test]
async fn what_is_only_at_the_edge_is_fetched_when_somebody_looks() {
    let world = World::start().await;
    let scene = Scene::new(&world, SystemClock::new().wall()).await;
    let file = scene.segment.bytes.clone();
    let files = HashMap::from([(scene.meta.head.id, file.clone())]);
    let asked = scene.work.serve(files);
    let admin = world.admin().await;
    let playlist = Playlist::prepare(&admin, &scene.order()).await;
    assert!(asked.lock().unwrap().is_empty());
    for piece in playlist.fragments() {
        let answer = get(&admin, &piece).await;
        assert_eq!(answer.status, 206);
        assert_eq!(answer.bytes, cut(&file, piece.1, piece.2));
    }
    assert!(!asked.lock().unwrap().is_empty());

    let metrics = world.nobody().get("/metrics").await;
    let page = String::from_utf8(metrics.bytes.to_vec()).unwrap();
    let pulls = page
        .lines()
        .find_map(|line| line.strip_prefix("cctv_coordinator_edge_pull_first_byte_seconds_count "))
        .and_then(|count| count.parse::<u32>().ok());
    assert!(pulls > Some(0), "{page}");
}

#[tokio::test]
async fn edge_footage_of_an_agent_that_is_gone_is_told_as_such() {
    let world = World::start().await;
    let scene = Scene::new(&world, SystemClock::new().wall()).await;
    let admin = world.admin().await;
    let playlist = Playlist::prepare(&admin, &scene.order()).await;
    scene.work.connection.close(0_u32.into(), b"");
    let piece = playlist.fragments().remove(0);
    let answer = crate::world::until("the agent to be gone", async || {
        let answer = get(&admin, &piece).await;
        (answer.code() == "agent_offline").then_some(answer)
    })
    .await;
    assert_eq!(answer.status, 503);
    assert!(
        !answer.body["error"]["message_ar"]
            .as_str()
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn a_live_playlist_follows_the_recording_as_it_grows() {
    let world = World::start().await;
    let admin = world.admin().await;
    let peer = Peer::enrolled(&world, "Depot").await;
    let start = SystemClock::new().wall() - Duration::from_secs(20);
    let gate = camera("gate", start);
    let mut work = peer.connect(&world, std::slice::from_ref(&gate)).await;
    let order = json!({ "camera_id": gate.id, "live": true });
    let nothing = admin.post("/api/v1/playback/prepare", &order).await;
    assert_eq!(nothing.status, 201, "{:?}", nothing.body);
    let url = nothing.body["playlist_url"].as_str().unwrap().to_owned();
    let early = admin.get(&url).await;
    assert_eq!((early.status.as_u16(), early.code()), (503, "nothing_yet"));

    let mut builder = SegmentBuilder::new(start);
    builder.camera = gate.id;
    builder.fragments = 48;
    let segment = builder.build();
    let fragments = &segment.meta.fragments;
    let files = HashMap::from([(segment.meta.head.id, segment.bytes.clone())]);
    let asked = work.serve(files);
    let grow = |from: usize, to: usize| Report {
        growing: vec![Growth {
            head: segment.meta.head.clone(),
            first: u32::try_from(from).unwrap(),
            fragments: fragments[from..to].to_vec(),
        }],
        ..report_of_one()
    };
    work.report(&grow(0, 25)).await.unwrap();
    let first = Playlist::read(&admin, &url).await;
    assert!(!first.text.contains("#EXT-X-ENDLIST"), "{}", first.text);
    let (path, offset, length) = first.fragments().remove(0);
    let bytes = get(&admin, &(path, offset, length)).await.bytes;
    assert_eq!(bytes, cut(&segment.bytes, offset, length));
    assert!(!asked.lock().unwrap().is_empty());

    work.report(&grow(25, 48)).await.unwrap();
    let later = Playlist::read(&admin, &url).await;
    assert!(later.end() > first.end(), "{}", later.text);
}

/// A record that says nothing, so that the report is acknowledged.
fn report_of_one() -> Report {
    let record = json!({ "records": [{ "seq": 1, "record": "from_the_future" }] });
    serde_json::from_value(record).unwrap()
}

#[tokio::test]
async fn an_agent_that_sends_other_bytes_than_it_recorded_is_not_believed() {
    let world = World::start().await;
    let admin = world.admin().await;
    let scene = Scene::new(&world, SystemClock::new().wall()).await;
    let mut forged = scene.segment.bytes.to_vec();
    for fragment in &scene.meta.fragments {
        let inside = usize::try_from(fragment.offset).unwrap() + 200;
        forged[inside] ^= 1;
    }
    scene
        .work
        .serve(HashMap::from([(scene.meta.head.id, forged.into())]));
    let playlist = Playlist::prepare(&admin, &scene.order()).await;
    let piece = playlist.fragments().remove(0);
    let answer = get(&admin, &piece).await;
    assert_eq!(
        (answer.status.as_u16(), answer.code()),
        (502, "agent_failed")
    );
}

#[tokio::test]
async fn an_agent_that_breaks_a_fetch_off_is_told_as_such_and_not_waited_for() {
    let world = World::start().await;
    let admin = world.admin().await;
    let scene = Scene::new(&world, SystemClock::new().wall()).await;
    let connection = scene.work.connection.clone();
    tokio::spawn(async move {
        while let Ok((mut send, mut receive)) = connection.accept_bi().await {
            let _: StreamHeader = crate::peer::read(&mut receive).await.unwrap();
            send.reset(quinn::VarInt::from_u32(CloseCode::Internal.as_u32()))
                .unwrap();
        }
    });
    let playlist = Playlist::prepare(&admin, &scene.order()).await;
    let piece = playlist.fragments().remove(0);
    let answer = get(&admin, &piece).await;
    assert_eq!(
        (answer.status.as_u16(), answer.code()),
        (502, "agent_failed")
    );
    let metrics = world.nobody().get("/metrics").await.bytes;
    let page = String::from_utf8(metrics.to_vec()).unwrap();
    assert!(
        !page.contains("cctv_coordinator_edge_pulls_failed_total 0"),
        "{page}"
    );
}
