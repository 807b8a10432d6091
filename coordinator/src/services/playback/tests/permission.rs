//! Whose playback it is, and until when.

use std::time::Duration;

use shared::time::TimeRange;

use super::super::super::testing::NOW;
use super::super::*;
use super::{Player, Stage, read};
use crate::domain::audit::Who;
use crate::domain::audit::search::Search;

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
async fn what_is_watched_is_an_entry_and_watching_on_is_none() {
    let stage = Stage::new().await;
    let id = stage.prepare(Show::Range(stage.range())).await;
    let (_, entries) = read(&stage.playlist(id).await.unwrap());
    stage.playlist(id).await.unwrap();
    stage.player(id).open(&entries[0]).await.unwrap();
    stage.player(id).open(&entries[0]).await.unwrap();
    // Of somebody else's agency: hidden, and refused each time.
    let operator = stage.world.operator("METRO").await;
    let access = &stage.world.services.access;
    for _ in 0..5 {
        let hidden = access.playback(&operator, id).await;
        assert!(matches!(hidden.unwrap_err(), AccessError::Hidden));
    }
    let audit = &stage.world.services.audit;
    audit.finish().await;
    let grant = access.console(Deed::ViewAudit);
    let found = async |what| {
        let search = Search {
            what: vec![what],
            ..Search::default()
        };
        audit.search(&grant, &search, None, 10).await.unwrap().items
    };
    let viewed = found(What::PlaybackViewed).await;
    assert_eq!(viewed.len(), 1, "{viewed:?}");
    assert_eq!(viewed[0].agency.as_deref(), Some("OTHER"));
    assert_eq!(viewed[0].who, Some(Who::User(stage.actor.user_id())));
    assert!(found(What::PlaybackSought).await.is_empty());
    let refused = found(What::AccessRefused).await;
    assert_eq!(refused.len(), 2, "the first and the number of the rest");
    let details: Value = serde_json::from_str(refused[0].details.as_ref().unwrap()).unwrap();
    assert_eq!(
        (&details["deed"], &details["more"]),
        (&json!("PlayCamera"), &json!(4))
    );
}
