//! What the audit tells of somebody who watches.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use shared::clock::{Clock as _, SystemClock};
use shared::testing::SegmentBuilder;

use super::{Piece, Playlist};
use crate::peer::{Peer, camera};
use crate::world::{Browser, PASSWORD, World, until};

const AGENT: (&str, &str) = ("user-agent", "Wall/2.0 (control room)");

/// Fetches a piece as a player with a name does.
async fn fetch(browser: &Browser, (path, offset, length): &Piece) {
    let range = format!("bytes={offset}-{}", offset + length - 1);
    let headers = [AGENT, ("range", range.as_str())];
    let answer = browser.send(Method::GET, path, None, &headers).await;
    assert_eq!(answer.status, 206, "{:?}", answer.body);
}

#[tokio::test]
async fn who_watched_and_sought_what_when_and_from_where_is_told() {
    let world = World::start().await;
    let admin = world.admin().await;
    let start = SystemClock::new().wall() - Duration::from_secs(1_200);
    let peer = Peer::enrolled(&world, "Depot").await;
    let gate = camera("gate", start);
    let mut work = peer.connect(&world, std::slice::from_ref(&gate)).await;
    // Two recordings ten minutes apart, so that going from one to the other is a jump.
    let recordings = [start, start + Duration::from_secs(600)].map(|start| {
        let mut builder = SegmentBuilder::new(start);
        builder.camera = gate.id;
        builder.build()
    });
    let metas = recordings.each_ref().map(|recording| peer.sign(recording));
    work.report_segments(1, &metas).await.unwrap();
    for (meta, recording) in metas.iter().zip(&recordings) {
        work.upload(meta, &recording.bytes).await.unwrap();
    }
    let path = format!("/api/v1/cameras/{}", gate.id);
    let body = json!({ "agency": "METRO" });
    let moved = admin.send(Method::PATCH, &path, Some(&body), &[]).await;
    assert_eq!(moved.status, 200, "{:?}", moved.body);

    let layla = world.person("layla", "METRO", "operator").await;
    let browser = world.signed_in("layla", PASSWORD).await;
    let (from, to) = (start, start + Duration::from_secs(700));
    let order = json!({
        "camera_id": gate.id, "stream": "main", "from": from.to_rfc3339(), "to": to.to_rfc3339(),
    });
    let headers = [AGENT];
    let prepare = "/api/v1/playback/prepare";
    let prepared = browser
        .send(Method::POST, prepare, Some(&order), &headers)
        .await;
    assert_eq!(prepared.status, 201, "{:?}", prepared.body);
    let url = prepared.body["playlist_url"].as_str().unwrap();
    // A player asks again and again; that is one view.
    for _ in 0..3 {
        let listed = browser.send(Method::GET, url, None, &headers).await;
        assert_eq!(listed.status, 200);
    }
    let playlist = Playlist::read(&browser, url).await;
    let pieces = playlist.fragments();
    let in_first = pieces.iter().filter(|piece| piece.0 == pieces[0].0);
    for piece in in_first {
        fetch(&browser, piece).await;
    }
    // To the second, on within it, and back: two jumps.
    let (last, before) = (pieces.len() - 1, pieces.len() - 2);
    for index in [before, last, 0] {
        fetch(&browser, &pieces[index]).await;
    }

    // An auditor of the agency, and nobody of another, finds all of it.
    world.person("chief", "METRO", "agency_administrator").await;
    let chief = world.signed_in("chief", PASSWORD).await;
    world.person("other", "BUS", "agency_administrator").await;
    let other = world.signed_in("other", PASSWORD).await;
    let search = format!("/api/v1/audit?object={}&user={layla}", gate.id);
    let found = until("the views to be written", async || {
        let found = chief.get(&search).await;
        let items = found.body["items"].as_array().unwrap().clone();
        (items.len() >= 4).then_some(items)
    })
    .await;
    let whats: Vec<_> = found.iter().rev().map(|entry| &entry["what"]).collect();
    assert_eq!(
        whats,
        [
            "playback_prepared",
            "playback_viewed",
            "playback_sought",
            "playback_sought"
        ]
    );
    assert_eq!(other.get(&search).await.body["items"], json!([]));
    for entry in &found {
        assert_eq!(entry["who"]["id"], json!(layla), "{entry}");
        assert_eq!(entry["who"]["name"], "Somebody", "{entry}");
        assert_eq!(entry["object"], json!(gate.id), "{entry}");
        assert_eq!(entry["agency"], "METRO", "{entry}");
        assert_eq!(entry["address"], "127.0.0.1", "{entry}");
        assert_eq!(entry["user_agent"], AGENT.1, "{entry}");
        assert!(entry["correlation_id"].is_string(), "{entry}");
        assert_eq!(entry["details"]["playback"], prepared.body["id"], "{entry}");
        for text in ["message_en", "message_ar", "at"] {
            assert!(entry[text].is_string(), "{text}: {entry}");
        }
    }
    let stretch = |entry: &Value, end: &str| entry["details"][end].as_str().unwrap().to_owned();
    assert_eq!(stretch(&found[3], "from"), from.to_rfc3339());
    assert_eq!(stretch(&found[3], "to"), to.to_rfc3339());
    let began = recordings.each_ref().map(|recording| {
        let range = recording.meta.wall_range().unwrap();
        range.start().to_rfc3339()
    });
    let sought = [stretch(&found[1], "from"), stretch(&found[0], "from")];
    assert_eq!(sought, [began[1].clone(), began[0].clone()]);
}
