//! From an agent's report to bytes at a player: uploaded, only at the edge, with ranges, with links
//! that are forged, old or somebody else's.

mod audited;
mod edge;
mod links;
mod uploads;

use bytes::Bytes;
use serde_json::json;
use shared::clock::{Clock as _, SystemClock};
use shared::segment::SegmentMeta;
use shared::testing::{Segment, SegmentBuilder};
use shared::time::WallTime;
use shared::wire::segment::{UploadAnswer, UploadResult};

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
