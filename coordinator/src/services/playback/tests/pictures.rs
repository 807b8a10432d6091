//! Every picture, wherever its bytes are.

use bytes::Bytes;
use futures::TryStreamExt;
use shared::fmp4::contents::Contents;
use shared::hash::Sha256;
use shared::wire::segment::RecordBody;

use super::super::super::testing::{NOW, until};
use super::super::*;
use super::{Stage, assert_shows, read};

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
