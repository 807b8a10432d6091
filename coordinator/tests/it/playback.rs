//! From an agent's report to bytes at a player: uploaded, only at the edge, with ranges, with links
//! that are forged, old or somebody else's.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::json;
use shared::clock::{Clock as _, SimulatedClock, SystemClock};
use shared::segment::SegmentMeta;
use shared::testing::{Segment, SegmentBuilder};
use shared::time::WallTime;
use shared::wire::segment::{Growth, Report, UploadAnswer, UploadResult};
use shared::wire::{CloseCode, StreamHeader};

use crate::peer::{Peer, Work, camera};
use crate::world::{Answer, Browser, World};

/// A camera with one segment at the edge, reported.
struct Scene {
    work: Work,
    camera: shared::id::CameraId,
    segment: Segment,
    meta: SegmentMeta,
}

impl Scene {
    async fn new(world: &World, start: WallTime) -> Self {
        let peer = Peer::enrolled(world, "Depot").await;
        let gate = camera("gate", start);
        let mut work = peer.connect(world, std::slice::from_ref(&gate)).await;
        let mut builder = SegmentBuilder::new(start);
        builder.camera = gate.id;
        let segment = builder.build();
        let meta = peer.sign(&segment);
        let ack = work
            .report_segments(1, std::slice::from_ref(&meta))
            .await
            .unwrap();
        assert_eq!(ack.through, 1);
        Self {
            work,
            camera: gate.id,
            segment,
            meta,
        }
    }

    fn order(&self) -> serde_json::Value {
        let range = self.meta.wall_range().unwrap();
        json!({
            "camera_id": self.camera,
            "stream": "main",
            "from": range.start().to_rfc3339(),
            "to": range.end().to_rfc3339(),
        })
    }
}

/// What a player makes of a playlist.
struct Playlist {
    text: String,
    base: String,
}

/// First byte and number of bytes at an address.
type Piece = (String, u64, u64);

impl Playlist {
    async fn prepare(browser: &Browser, order: &serde_json::Value) -> Self {
        let playback = browser.post("/api/v1/playback/prepare", order).await;
        assert_eq!(playback.status, 201, "{:?}", playback.body);
        Self::read(browser, playback.body["playlist_url"].as_str().unwrap()).await
    }

    async fn read(browser: &Browser, url: &str) -> Self {
        let playlist = browser.get(url).await;
        assert_eq!(playlist.status, 200, "{:?}", playlist.body);
        assert_eq!(
            playlist.header("content-type"),
            "application/vnd.apple.mpegurl"
        );
        Self {
            text: String::from_utf8(playlist.bytes.to_vec()).unwrap(),
            base: url.strip_suffix("playlist.m3u8").unwrap().to_owned(),
        }
    }

    fn map(&self) -> Piece {
        let line = self
            .text
            .lines()
            .find(|line| line.starts_with("#EXT-X-MAP:"))
            .unwrap();
        let value = |name: &str| {
            let rest = line.split(&format!("{name}=\"")).nth(1).unwrap();
            rest.split('"').next().unwrap().to_owned()
        };
        self.piece(&value("URI"), &value("BYTERANGE"))
    }

    fn fragments(&self) -> Vec<Piece> {
        let mut range = None;
        let mut pieces = Vec::new();
        for line in self.text.lines() {
            if let Some(found) = line.strip_prefix("#EXT-X-BYTERANGE:") {
                range = Some(found.to_owned());
            } else if !line.starts_with('#') && !line.is_empty() {
                pieces.push(self.piece(line, &range.take().unwrap()));
            }
        }
        pieces
    }

    /// Last byte that it lists.
    fn end(&self) -> u64 {
        let ends = self.fragments().into_iter();
        ends.map(|(_, offset, length)| offset + length)
            .max()
            .unwrap()
    }

    fn piece(&self, uri: &str, range: &str) -> Piece {
        let (length, offset) = range.split_once('@').unwrap();
        (
            format!("{}{uri}", self.base),
            offset.parse().unwrap(),
            length.parse().unwrap(),
        )
    }
}

async fn get(browser: &Browser, (path, offset, length): &Piece) -> Answer {
    let range = format!("bytes={offset}-{}", offset + length - 1);
    browser.get_range(path, &range).await
}

fn cut(file: &Bytes, offset: u64, length: u64) -> Bytes {
    let start = usize::try_from(offset).unwrap();
    file.slice(start..start + usize::try_from(length).unwrap())
}

#[tokio::test]
async fn an_uploaded_segment_plays_byte_for_byte() {
    let world = World::start().await;
    let scene = Scene::new(&world, SystemClock::new().wall()).await;
    let file = &scene.segment.bytes;
    let result = scene.work.upload(&scene.meta, file).await.unwrap();
    assert_eq!(result, UploadResult::Stored);
    let (_, _, again) = scene.work.offer(&scene.meta).await.unwrap();
    assert_eq!(again, UploadAnswer::Have);

    let admin = world.admin().await;
    let path = format!("/api/v1/cameras/{}/timeline", scene.camera);
    let range = scene.meta.wall_range().unwrap();
    let (from, to) = (range.start().to_rfc3339(), range.end().to_rfc3339());
    let timeline = admin.get(&format!("{path}?from={from}&to={to}")).await.body;
    assert_eq!(timeline["complete"], true, "{timeline}");
    assert_eq!(timeline["spans"][0]["place"], "both");

    let playlist = Playlist::prepare(&admin, &scene.order()).await;
    let mut pieces = playlist.fragments();
    pieces.insert(0, playlist.map());
    let mut end = 0;
    for (_, offset, length) in &pieces {
        assert_eq!(*offset, end, "pieces follow each other");
        end += length;
    }
    assert_eq!(end, file.len() as u64);
    for piece in &pieces {
        let answer = get(&admin, piece).await;
        assert_eq!(answer.status, 206);
        assert_eq!(answer.header("content-type"), "video/mp4");
        assert_eq!(answer.bytes, cut(file, piece.1, piece.2));
        let last = piece.1 + piece.2 - 1;
        let expected = format!("bytes {}-{last}/{}", piece.1, file.len());
        assert_eq!(answer.header("content-range"), expected);
    }
    let whole = admin.get(&pieces[0].0).await;
    assert_eq!((whole.status.as_u16(), &whole.bytes), (200, file));
    let stats = admin.get("/api/v1/storage/stats").await.body;
    assert_eq!(
        (&stats["objects"], &stats["bytes"]),
        (&json!(1), &json!(file.len()))
    );
}

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
async fn an_upload_that_was_cut_off_goes_on_at_the_byte() {
    let world = World::start().await;
    let scene = Scene::new(&world, SystemClock::new().wall()).await;
    let file = &scene.segment.bytes;
    let (mut send, _receive, answer) = scene.work.offer(&scene.meta).await.unwrap();
    assert_eq!(answer, UploadAnswer::Want { from: 0 });
    let first_three = scene.meta.fragments[2].end_offset();
    let part = cut(file, 0, first_three + 10);
    send.write_chunk(part).await.unwrap();
    // What has been sent is there before the reset.
    crate::world::until("the part to arrive", async || {
        let page = world.nobody().get("/metrics").await.bytes;
        let page = String::from_utf8(page.to_vec()).unwrap();
        page.contains("cctv_coordinator_uploads_active 1")
            .then_some(())
    })
    .await;
    send.finish().unwrap();
    drop((send, _receive));
    let resumed = crate::world::until("the offer to be taken up again", async || {
        match scene.work.offer(&scene.meta).await.unwrap() {
            (send, receive, UploadAnswer::Want { from }) => Some((send, receive, from)),
            _ => None,
        }
    })
    .await;
    let (mut send, mut receive, from) = resumed;
    assert!(from > 0, "the whole file is wanted again");
    send.write_chunk(cut(file, from, file.len() as u64 - from))
        .await
        .unwrap();
    send.finish().unwrap();
    let result: UploadResult = crate::peer::read(&mut receive).await.unwrap();
    assert_eq!(result, UploadResult::Stored);
}

#[tokio::test]
async fn bytes_that_are_not_those_of_the_index_are_not_stored() {
    let world = World::start().await;
    let scene = Scene::new(&world, SystemClock::new().wall()).await;
    let mut forged = scene.segment.bytes.to_vec();
    let middle = usize::try_from(scene.meta.fragments[2].offset).unwrap() + 100;
    forged[middle] ^= 1;
    let result = scene
        .work
        .upload(&scene.meta, &forged.into())
        .await
        .unwrap();
    let from = scene.meta.fragments[2].offset;
    assert_eq!(result, UploadResult::Corrupt { from });
    let stats = world.admin().await.get("/api/v1/storage/stats").await.body;
    assert_eq!(stats["objects"], 0);
}

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

#[tokio::test]
async fn an_upload_goes_on_where_it_was_after_the_coordinator_was_restarted() {
    let world = World::start().await;
    let start = SystemClock::new().wall();
    let peer = Peer::enrolled(&world, "Depot").await;
    let gate = camera("gate", start);
    let cameras = std::slice::from_ref(&gate);
    let mut work = peer.connect(&world, cameras).await;
    let mut builder = SegmentBuilder::new(start);
    builder.camera = gate.id;
    builder.fragments = 100;
    let segment = builder.build();
    let meta = peer.sign(&segment);
    work.report_segments(1, std::slice::from_ref(&meta))
        .await
        .unwrap();
    let (mut send, _receive, answer) = work.offer(&meta).await.unwrap();
    assert_eq!(answer, UploadAnswer::Want { from: 0 });
    let half = meta.fragments[50].end_offset();
    send.write_chunk(cut(&segment.bytes, 0, half))
        .await
        .unwrap();
    until_taken(&world, half).await;
    let world = world.restart(Arc::new(SystemClock::new())).await;
    let work = peer.connect(&world, cameras).await;
    let (mut send, mut receive, answer) = work.offer(&meta).await.unwrap();
    let UploadAnswer::Want { from } = answer else {
        panic!("{answer:?}")
    };
    assert_eq!(from, half, "what had come was not kept");
    let rest = segment.bytes.len() as u64 - from;
    send.write_chunk(cut(&segment.bytes, from, rest))
        .await
        .unwrap();
    send.finish().unwrap();
    let result: UploadResult = crate::peer::read(&mut receive).await.unwrap();
    assert_eq!(result, UploadResult::Stored);
}

/// Waits until the coordinator has taken so many bytes of uploads from QUIC.
async fn until_taken(world: &World, bytes: u64) {
    let nobody = world.nobody();
    crate::world::until("the bytes to be taken", async || {
        let page = nobody.get("/metrics").await.bytes;
        let page = String::from_utf8(page.to_vec()).unwrap();
        let taken = page
            .lines()
            .find_map(|line| line.strip_prefix("cctv_coordinator_upload_received_bytes_total "))
            .and_then(|count| count.parse::<u64>().ok());
        (taken >= Some(bytes)).then_some(())
    })
    .await;
}
