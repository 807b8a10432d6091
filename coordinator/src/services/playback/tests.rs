use std::time::Duration;

use bytes::Bytes;
use futures::TryStreamExt;
use shared::fmp4::contents::Contents;
use shared::hash::Sha256;
use shared::id::PlaybackId;
use shared::testing::{Segment as Built, SegmentBuilder};
use shared::time::TimeRange;
use shared::wire::segment::RecordBody;

use super::super::access::Actor;
use super::super::agents::AgentGrant;
use super::super::testing::{NOW, World, until};
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

#[tokio::test]
async fn a_player_gets_every_picture_wherever_it_is() {
    let stage = Stage::new().await;
    // The middle one is at the centre only, the others at the edge only.
    stage.world.upload(&stage.agent, &stage.segments[1]).await;
    let evicted = RecordBody::Evicted {
        segment: stage.segments[1].meta.head.id,
        at: NOW,
    };
    stage
        .world
        .report_records(&stage.agent, vec![evicted])
        .await;
    let id = stage.prepare(Show::Range(stage.range())).await;
    let playlist = stage.playlist(id).await.unwrap();
    let (map, entries) = read(&playlist);
    // What is here serves for the init segment of all.
    assert_eq!(map.request.segment, stage.segments[1].meta.head.id);
    let player = stage.player(id);
    let init = player.open(&map).await.unwrap();
    assert_eq!(Sha256::of(&init), stage.segments[0].meta.head.init_sha256);
    let mut fetched = Vec::new();
    for entry in &entries {
        fetched.push(player.open(entry).await.unwrap());
    }
    assert_shows(&fetched, &stage.segments);
    let first = &stage.segments[0].meta.fragments[0];
    Contents::of(&fetched[0][..first.length as usize]).unwrap();
    let figures = &stage.world.services.figures;
    assert_eq!(figures.edge_pulls.get(), 2);
    assert_eq!(figures.playlists.get(), 1);
    let sent: usize = fetched.iter().map(Vec::len).sum::<usize>() + init.len();
    assert_eq!(figures.playback_bytes.get(), sent as u64);
    // Once more: nothing travels again.
    for entry in &entries {
        player.open(entry).await.unwrap();
    }
    assert_eq!(figures.edge_pulls.get(), 2);
    assert!(figures.edge_cache_hits.get() > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_players_cause_one_pull() {
    let stage = Stage::new().await;
    let id = stage.prepare(Show::Range(stage.range())).await;
    let (_, entries) = read(&stage.playlist(id).await.unwrap());
    stage.world.edges.hold();
    let player = stage.player(id);
    let all = futures::future::join_all((0..10).map(|_| player.open(&entries[0])));
    let release = async {
        let joined = &stage.world.services.figures.edge_joined;
        let pieces = stage.segments[0].meta.fragments.len() as u64;
        until("nine have joined the first", || joined.get() == 9 * pieces).await;
        stage.world.edges.release();
    };
    let (opened, ()) = futures::future::join(all, release).await;
    for bytes in &opened {
        assert_eq!(bytes.as_ref().unwrap(), opened[0].as_ref().unwrap());
    }
    assert_eq!(stage.world.edges.fetched().len(), 1);
    let entry = &entries[0];
    let asked = entry.start..entry.start + entry.length;
    assert_eq!(
        stage.world.edges.fetched()[0],
        (entry.request.segment, asked)
    );
}

#[tokio::test]
async fn a_player_that_leaves_keeps_nobody_waiting() {
    let stage = Stage::new().await;
    let id = stage.prepare(Show::Range(stage.range())).await;
    let (_, entries) = read(&stage.playlist(id).await.unwrap());
    stage.world.edges.hold();
    let player = stage.player(id);
    let asked = until("the agent is asked", || {
        !stage.world.edges.fetched().is_empty()
    });
    tokio::select! {
        opened = player.open(&entries[0]) => panic!("the agent was held: {opened:?}"),
        () = asked => {}
    }
    stage.world.edges.release();
    let bytes = player.open(&entries[0]).await.unwrap();
    assert_eq!(bytes.len() as u64, entries[0].length);
}

#[tokio::test]
async fn what_goes_wrong_at_the_edge_is_said() {
    let stage = Stage::new().await;
    let id = stage.prepare(Show::Range(stage.range())).await;
    let (map, entries) = read(&stage.playlist(id).await.unwrap());
    let player = stage.player(id);
    let agent = stage.agent.id();
    stage.world.edges.cut(agent);
    let offline = player.open(&entries[0]).await.unwrap_err();
    assert!(
        matches!(offline, PlaybackError::Edge(EdgeError::Offline)),
        "{offline}"
    );
    stage.world.edges.connect(agent);
    stage.world.edges.break_after(Some(100));
    let broken = player.open(&entries[0]).await.unwrap_err();
    assert!(
        matches!(broken, PlaybackError::Edge(EdgeError::Offline)),
        "{broken}"
    );
    stage.world.edges.break_after(None);
    let built = &stage.segments[0];
    let mut wrong = built.bytes.to_vec();
    wrong[entries[0].start as usize + 50] ^= 1;
    stage.world.edges.has(built.meta.head.id, wrong.into());
    let corrupt = player.open(&entries[0]).await.unwrap_err();
    assert!(
        matches!(corrupt, PlaybackError::Edge(EdgeError::Corrupt { .. })),
        "{corrupt}"
    );
    player.open(&map).await.unwrap();
    // None of it is remembered.
    stage
        .world
        .edges
        .has(built.meta.head.id, built.bytes.clone());
    player.open(&entries[0]).await.unwrap();
}

#[tokio::test]
async fn an_address_is_good_for_five_minutes_and_then_only_for_its_owner() {
    let stage = Stage::new().await;
    let operator = stage.world.operator("METRO").await;
    let id = stage.prepare(Show::Range(stage.range())).await;
    let (_, entries) = read(&stage.playlist(id).await.unwrap());
    let stranger = stage.player(id);
    stranger.open(&entries[0]).await.unwrap();
    stage.world.clock.advance(Duration::from_secs(5 * 60));
    let expired = stranger.open(&entries[0]).await.unwrap_err();
    assert!(matches!(expired, PlaybackError::LinkExpired), "{expired}");
    let as_actor = |actor| Player {
        actor: Some(actor),
        ..stage.player(id)
    };
    as_actor(&stage.actor).open(&entries[0]).await.unwrap();
    let other = as_actor(&operator).open(&entries[0]).await.unwrap_err();
    assert!(matches!(other, PlaybackError::Hidden), "{other}");
    // A signature that was never ours opens nothing, also for the owner.
    let mut forged = entries[0].clone();
    forged.request.expires += 1_000;
    for player in [stage.player(id), as_actor(&stage.actor)] {
        let invalid = player.open(&forged).await.unwrap_err();
        assert!(matches!(invalid, PlaybackError::LinkInvalid), "{invalid}");
    }
    let elsewhere = Player {
        playback: stage.prepare(Show::Live).await,
        ..stage.player(id)
    };
    let invalid = elsewhere.open(&entries[0]).await.unwrap_err();
    assert!(matches!(invalid, PlaybackError::LinkInvalid), "{invalid}");
}

#[tokio::test]
async fn signing_out_ends_what_was_prepared() {
    let stage = Stage::new().await;
    let id = stage.prepare(Show::Range(stage.range())).await;
    let (_, entries) = read(&stage.playlist(id).await.unwrap());
    stage
        .world
        .services
        .access
        .sign_out(&stage.actor)
        .await
        .unwrap();
    let gone = stage.player(id).open(&entries[0]).await.unwrap_err();
    assert!(matches!(gone, PlaybackError::Hidden), "{gone}");
    assert!(matches!(
        stage.playlist(id).await.unwrap_err(),
        PlaybackError::Hidden
    ));
}

#[tokio::test]
async fn a_playback_nobody_uses_ends() {
    let stage = Stage::new().await;
    let id = stage.prepare(Show::Range(stage.range())).await;
    for _ in 0..3 {
        stage.world.clock.advance(Duration::from_secs(90 * 60));
        stage.playlist(id).await.unwrap();
    }
    stage.world.clock.advance(Duration::from_secs(2 * 3600));
    assert!(matches!(
        stage.playlist(id).await.unwrap_err(),
        PlaybackError::Hidden
    ));
}

#[tokio::test]
async fn ranges_that_make_no_sense_are_refused() {
    let stage = Stage::new().await;
    let grant = stage
        .world
        .grant(&stage.actor, &stage.segments[0], Deed::PlayCamera)
        .await;
    for seconds in [0, 24 * 3600 + 1] {
        let range = TimeRange::starting_at(NOW, Duration::from_secs(seconds));
        let refused =
            stage
                .world
                .services
                .playback
                .prepare(&grant, StreamKind::Main, Show::Range(range));
        assert!(matches!(refused.await.unwrap_err(), PlaybackError::Range));
    }
    let viewing = stage
        .world
        .grant(&stage.actor, &stage.segments[0], Deed::ViewCamera)
        .await;
    let range = Show::Range(stage.range());
    let refused = stage
        .world
        .services
        .playback
        .prepare(&viewing, StreamKind::Main, range)
        .await;
    assert!(matches!(refused.unwrap_err(), PlaybackError::Forbidden));
    let before = TimeRange::new(NOW - Duration::from_secs(60), NOW).unwrap();
    let id = stage.prepare(Show::Range(before)).await;
    assert!(matches!(
        stage.playlist(id).await.unwrap_err(),
        PlaybackError::Gone
    ));
}

#[tokio::test]
async fn bytes_that_are_not_there_are_refused() {
    let stage = Stage::new().await;
    let id = stage.prepare(Show::Range(stage.range())).await;
    let (_, entries) = read(&stage.playlist(id).await.unwrap());
    let request = entries[0].request.of(id);
    let playback = &stage.world.services.playback;
    let size = stage.segments[0].meta.size;
    let beyond = playback.open(&request, None, Wanted::From(size)).await;
    assert!(matches!(beyond, Err(PlaybackError::OutOfRange { size: said }) if said == size));
    let whole = playback.open(&request, None, Wanted::All).await.unwrap();
    assert_eq!((whole.total, whole.range.clone()), (Some(size), 0..size));
    let bytes: Vec<Bytes> = whole.bytes.try_collect().await.unwrap();
    assert_eq!(bytes.concat(), stage.segments[0].bytes);
    let evicted = RecordBody::Evicted {
        segment: stage.segments[0].meta.head.id,
        at: NOW,
    };
    stage
        .world
        .report_records(&stage.agent, vec![evicted])
        .await;
    let gone = playback.open(&request, None, Wanted::All).await;
    assert!(matches!(gone, Err(PlaybackError::Gone)));
}

#[tokio::test]
async fn an_object_that_disappeared_is_fetched_from_the_edge() {
    let stage = Stage::new().await;
    stage.world.upload(&stage.agent, &stage.segments[0]).await;
    let id = stage.prepare(Show::Range(stage.range())).await;
    let (_, entries) = read(&stage.playlist(id).await.unwrap());
    let segment = stage
        .world
        .services
        .playback
        .store
        .segment(entries[0].request.segment)
        .await;
    let path = segment.unwrap().unwrap().object.unwrap();
    std::fs::remove_file(stage.world.object_file(&path)).unwrap();
    let bytes = stage.player(id).open(&entries[0]).await.unwrap();
    assert_eq!(bytes.len() as u64, entries[0].length);
    assert_eq!(stage.world.services.figures.objects_lost.get(), 1);
    assert_eq!(stage.world.edges.fetched().len(), 1);
}

#[tokio::test]
async fn the_live_edge_follows_a_growing_segment() {
    let stage = Stage::new().await;
    let mut next = SegmentBuilder {
        fragments: 40,
        ..SegmentBuilder::new(NOW + Duration::from_secs(600))
    };
    next.camera = stage.segments[0].meta.head.camera;
    let growing = next.build();
    stage
        .world
        .edges
        .has(growing.meta.head.id, growing.bytes.clone());
    let id = stage.prepare(Show::Live).await;
    // Everything so far is the past.
    let nothing = stage.playlist(id).await.unwrap_err();
    assert!(matches!(nothing, PlaybackError::NothingYet), "{nothing}");
    stage.world.grow(&stage.agent, &growing, 0..20).await;
    let first = stage.playlist(id).await.unwrap();
    assert!(!first.contains("ENDLIST") && first.contains("#EXT-X-MEDIA-SEQUENCE:0\n"));
    assert_eq!(stage.playlist(id).await.unwrap(), first);
    stage.world.grow(&stage.agent, &growing, 20..30).await;
    let second = stage.playlist(id).await.unwrap();
    let (map, entries) = read(&second);
    let (_, before) = read(&first);
    assert!(entries.len() > before.len() && entries.starts_with(&before));
    let player = stage.player(id);
    player.open(&map).await.unwrap();
    let newest = entries.last().unwrap();
    let bytes = player.open(newest).await.unwrap();
    let at = newest.start as usize;
    assert_eq!(bytes, growing.bytes[at..at + bytes.len()]);
    let access = &stage.world.services.access;
    let grant = access.playback(&stage.actor, id).await.unwrap();
    let view = stage.world.services.playback.status(&grant).await.unwrap();
    assert!(view.from.is_some() && view.to.is_none());
    // It goes on after a restart of the coordinator, under the same numbers.
    let Stage {
        world,
        agent,
        actor,
        segments,
    } = stage;
    let world = world.restart().await;
    let stage = Stage {
        world,
        agent,
        actor,
        segments,
    };
    stage.world.report(&stage.agent, &[&growing]).await;
    let (_, after) = read(&stage.playlist(id).await.unwrap());
    assert!(after.starts_with(&entries) && after.len() > entries.len());
}

#[tokio::test]
async fn a_site_that_went_away_is_not_live() {
    let stage = Stage::new().await;
    let next = SegmentBuilder {
        camera: stage.segments[0].meta.head.camera,
        ..SegmentBuilder::new(NOW)
    };
    stage.world.grow(&stage.agent, &next.build(), 0..5).await;
    stage.world.edges.cut(stage.agent.id());
    let id = stage.prepare(Show::Live).await;
    assert!(matches!(
        stage.playlist(id).await.unwrap_err(),
        PlaybackError::NothingYet
    ));
}
