//! The live edge.

use std::time::Duration;

use shared::testing::SegmentBuilder;

use super::super::super::testing::NOW;
use super::super::*;
use super::{Stage, read};

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
