//! Uploads that are cut off or wrong.

use std::sync::Arc;

use shared::clock::{Clock as _, SystemClock};
use shared::testing::SegmentBuilder;
use shared::wire::segment::{UploadAnswer, UploadResult};

use super::{Scene, cut};
use crate::peer::{Peer, camera};
use crate::world::World;

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
