//! Playback over real stores, and what a player makes of a playlist.

mod live;
mod permission;
mod pictures;

use bytes::Bytes;
use futures::TryStreamExt;
use shared::id::PlaybackId;
use shared::testing::{Segment as Built, SegmentBuilder};
use shared::time::TimeRange;

use super::super::access::Actor;
use super::super::agents::AgentGrant;
use super::super::testing::{NOW, World};
use super::*;

/// One listed stretch: which file, which bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Listed {
    request: Address,
    start: u64,
    length: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Address {
    segment: SegmentId,
    expires: i64,
    signature: String,
}

impl Address {
    fn read(address: &str) -> Self {
        let (path, query) = address.split_once('?').unwrap();
        let segment = path.strip_prefix("segments/").unwrap();
        let (expires, signature) = query.split_once('&').unwrap();
        Self {
            segment: segment.strip_suffix(".mp4").unwrap().parse().unwrap(),
            expires: expires.strip_prefix("expires=").unwrap().parse().unwrap(),
            signature: signature.strip_prefix("signature=").unwrap().to_owned(),
        }
    }

    fn of(&self, playback: PlaybackId) -> SegmentRequest {
        SegmentRequest {
            playback,
            segment: self.segment,
            expires: self.expires,
            signature: self.signature.clone(),
        }
    }
}

/// Reads a playlist as a player does: the init segment and the entries.
fn read(playlist: &str) -> (Listed, Vec<Listed>) {
    let mut map = None;
    let mut entries = Vec::new();
    let mut range = (0, 0);
    let bytes = |text: &str| {
        let (length, start) = text.split_once('@').unwrap();
        (length.parse().unwrap(), start.parse().unwrap())
    };
    for line in playlist.lines() {
        if let Some(line) = line.strip_prefix("#EXT-X-MAP:URI=\"") {
            let (address, line) = line.split_once("\",BYTERANGE=\"").unwrap();
            let (length, start) = bytes(line.trim_end_matches('"'));
            let request = Address::read(address);
            map.get_or_insert(Listed {
                request,
                start,
                length,
            });
        } else if let Some(line) = line.strip_prefix("#EXT-X-BYTERANGE:") {
            range = bytes(line);
        } else if !line.starts_with('#') {
            entries.push(Listed {
                request: Address::read(line),
                start: range.1,
                length: range.0,
            });
        }
    }
    (map.unwrap(), entries)
}

struct Player<'a> {
    world: &'a World,
    actor: Option<&'a Actor>,
    playback: PlaybackId,
}

impl Player<'_> {
    async fn open(&self, listed: &Listed) -> Result<Vec<u8>, PlaybackError> {
        let wanted = Wanted::Between(listed.start, listed.start + listed.length);
        let request = listed.request.of(self.playback);
        let playback = &self.world.services.playback;
        let opened = playback.open(&request, self.actor, wanted).await?;
        assert_eq!(opened.range, listed.start..listed.start + listed.length);
        let pieces: Vec<Bytes> = opened.bytes.try_collect().await?;
        Ok(pieces.concat())
    }
}

/// A camera with three segments, known to a coordinator whose administrator is signed in.
struct Stage {
    world: World,
    agent: AgentGrant,
    actor: Actor,
    segments: Vec<Built>,
}

impl Stage {
    async fn new() -> Self {
        let world = World::new().await;
        let agent = world.agent().await;
        let actor = world.administrator().await;
        let first = SegmentBuilder::new(NOW);
        let segments: Vec<_> = std::iter::successors(Some(first), |last| Some(last.next()))
            .take(3)
            .map(|builder| builder.build())
            .collect();
        world
            .report(&agent, &segments.iter().collect::<Vec<_>>())
            .await;
        world.edges.connect(agent.id());
        for built in &segments {
            world.edges.has(built.meta.head.id, built.bytes.clone());
        }
        Self {
            world,
            agent,
            actor,
            segments,
        }
    }

    fn range(&self) -> TimeRange {
        let end = self.segments[2].meta.wall_range().unwrap().end();
        TimeRange::new(NOW, end).unwrap()
    }

    async fn prepare(&self, show: Show) -> PlaybackId {
        let grant = self
            .world
            .grant(&self.actor, &self.segments[0], Deed::PlayCamera)
            .await;
        let view = self
            .world
            .services
            .playback
            .prepare(&grant, StreamKind::Main, show)
            .await;
        view.unwrap().playback.id
    }

    async fn playlist(&self, id: PlaybackId) -> Result<String, PlaybackError> {
        let grant = self.world.services.access.playback(&self.actor, id).await?;
        self.world.services.playback.playlist(&grant).await
    }

    fn player(&self, playback: PlaybackId) -> Player<'_> {
        Player {
            world: &self.world,
            actor: None,
            playback,
        }
    }
}

/// That what a player fetched is every picture of the segments, once and in order.
fn assert_shows(fetched: &[Vec<u8>], segments: &[Built]) {
    let whole: Vec<u8> = segments
        .iter()
        .flat_map(|built| &built.bytes[built.meta.head.init_length as usize..])
        .copied()
        .collect();
    assert_eq!(fetched.concat(), whole);
}
