//! Uploads that go well, and that do not.

use bytes::Bytes;
use shared::hash::Sha256;
use shared::testing::{Segment as Built, SegmentBuilder};
use shared::wire::segment::UploadResult;

use super::super::super::testing::{NOW, World, offer_of};
use super::super::*;
use super::{assert_stored, centre, listed};
use crate::domain::access::Deed;
use crate::domain::segment::CentreCopy;

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_is_stored_whole_and_only_once() {
    let world = World::new().await;
    let agent = world.agent().await;
    let first = SegmentBuilder::new(NOW);
    let (one, two) = (first.build(), first.next().build());
    world.report(&agent, &[&one, &two]).await;
    world.upload(&agent, &one).await;
    assert_stored(&world, &[&one]).await;
    assert!(matches!(world.offer(&agent, &one).await, Offered::Have));
    world.upload(&agent, &two).await;
    assert_stored(&world, &[&one, &two]).await;
    let figures = &world.services.figures;
    assert_eq!(figures.uploads_stored.get(), 2);
    assert_eq!(figures.uploads_active.get(), 0);
    assert_eq!(figures.upload_bytes.get(), one.meta.size + two.meta.size);
}

#[tokio::test]
async fn an_upload_goes_on_behind_the_last_right_fragment() {
    let world = World::new().await;
    let agent = world.agent().await;
    let built = SegmentBuilder::new(NOW).build();
    world.report(&agent, &[&built]).await;
    let boundary = built.meta.fragments[2].offset;
    let Offered::Want { from: 0, sink } = world.offer(&agent, &built).await else {
        panic!("nothing is here yet");
    };
    // The line breaks in the middle of the third fragment.
    let cut = usize::try_from(boundary).unwrap() + 10;
    let result = send(sink, built.bytes.slice(..cut)).await;
    assert!(matches!(result, UploadResult::Failed { .. }), "{result:?}");
    let world = world.restart().await;
    let Offered::Want { from, sink } = settled_offer(&world, &agent, &built).await else {
        panic!("it is not stored yet");
    };
    assert_eq!(from, boundary);
    let result = send(sink, built.bytes.slice(usize::try_from(from).unwrap()..)).await;
    assert_eq!(result, UploadResult::Stored);
    assert_stored(&world, &[&built]).await;
}

/// Offers until the upload before has let go.
pub(super) async fn settled_offer(world: &World, agent: &AgentGrant, built: &Built) -> Offered {
    for _ in 0..1_000 {
        match world.offer(agent, built).await {
            Offered::Later { .. } => tokio::task::yield_now().await,
            offered => return offered,
        }
    }
    panic!("an upload was put off a thousand times");
}

pub(super) async fn send(mut sink: UploadSink, bytes: Bytes) -> UploadResult {
    for piece in bytes.chunks(1_000) {
        if sink.write(Bytes::copy_from_slice(piece)).await == Written::Stop {
            break;
        }
    }
    sink.finish().await
}

#[tokio::test]
async fn a_wrong_byte_is_found_and_only_its_fragment_sent_again() {
    let world = World::new().await;
    let agent = world.agent().await;
    let built = SegmentBuilder::new(NOW).build();
    world.report(&agent, &[&built]).await;
    let fragment = &built.meta.fragments[3];
    let mut wrong = built.bytes.to_vec();
    wrong[usize::try_from(fragment.offset).unwrap() + 20] ^= 1;
    let Offered::Want { from: 0, sink } = world.offer(&agent, &built).await else {
        panic!("nothing is here yet");
    };
    let from = fragment.offset;
    assert_eq!(
        send(sink, wrong.into()).await,
        UploadResult::Corrupt { from }
    );
    assert_eq!(world.services.figures.uploads_corrupt.get(), 1);
    assert_eq!(centre(&world, &built).await, CentreCopy::Absent);
    let Offered::Want { from, sink } = settled_offer(&world, &agent, &built).await else {
        panic!("it is not stored yet");
    };
    assert_eq!(from, fragment.offset);
    let rest = built.bytes.slice(usize::try_from(from).unwrap()..);
    assert_eq!(send(sink, rest).await, UploadResult::Stored);
    assert_stored(&world, &[&built]).await;
}

#[tokio::test]
async fn too_many_and_too_few_bytes_are_not_stored() {
    let world = World::new().await;
    let agent = world.agent().await;
    let built = SegmentBuilder::new(NOW).build();
    world.report(&agent, &[&built]).await;
    for bytes in [
        Vec::new(),
        built.bytes[..built.bytes.len() - 1].to_vec(),
        [&built.bytes[..], b"more"].concat(),
    ] {
        let Offered::Want { from, sink } = settled_offer(&world, &agent, &built).await else {
            panic!("it is not stored yet");
        };
        let rest = Bytes::copy_from_slice(&bytes[usize::try_from(from).unwrap()..]);
        let result = send(sink, rest).await;
        assert!(matches!(result, UploadResult::Failed { .. }), "{result:?}");
        assert_eq!(centre(&world, &built).await, CentreCopy::Absent);
    }
    // All that was right is kept, so nothing has to be sent again.
    assert!(matches!(
        settled_offer(&world, &agent, &built).await,
        Offered::Have
    ));
    assert_stored(&world, &[&built]).await;
}

#[tokio::test]
async fn offers_that_make_no_sense_are_refused_and_too_many_put_off() {
    let mut world = World::new().await;
    world.config.uploads_per_agent = 2;
    let world = world.restart().await;
    let agent = world.agent().await;
    let mut next = SegmentBuilder::new(NOW);
    let mut segments = Vec::new();
    for _ in 0..4 {
        segments.push(next.build());
        next = next.next();
    }
    let unknown = next.build();
    world
        .report(&agent, &segments.iter().collect::<Vec<_>>())
        .await;
    assert!(matches!(
        world.offer(&agent, &unknown).await,
        Offered::Refused { .. }
    ));
    world.grow(&agent, &unknown, 0..2).await;
    assert!(matches!(
        world.offer(&agent, &unknown).await,
        Offered::Later { .. }
    ));
    let mut other = offer_of(&segments[0].meta);
    other.root = Sha256::of(b"other");
    let refused = world.services.ingest.offer(&agent, other).await.unwrap();
    assert!(matches!(refused, Offered::Refused { .. }));
    let Offered::Want { sink: first, .. } = world.offer(&agent, &segments[0]).await else {
        panic!("there is room");
    };
    assert!(matches!(
        world.offer(&agent, &segments[0]).await,
        Offered::Later { .. }
    ));
    let Offered::Want { sink: second, .. } = world.offer(&agent, &segments[1]).await else {
        panic!("there is room");
    };
    assert_eq!(world.services.figures.uploads_active.get(), 2);
    assert!(matches!(
        world.offer(&agent, &segments[2]).await,
        Offered::Later { .. }
    ));
    drop((first, second));
    assert!(matches!(
        world.offer(&agent, &segments[2]).await,
        Offered::Want { .. }
    ));
    assert_eq!(world.services.figures.uploads_put_off.get(), 3);
}

#[tokio::test]
async fn without_space_above_the_reserve_uploads_wait() {
    let mut world = World::new().await;
    world.config.reserve_bytes = u64::MAX / 2;
    let world = world.restart().await;
    let agent = world.agent().await;
    let built = SegmentBuilder::new(NOW).build();
    world.report(&agent, &[&built]).await;
    assert!(matches!(
        world.offer(&agent, &built).await,
        Offered::Later { .. }
    ));
}

#[tokio::test]
async fn an_object_that_disappeared_is_noticed_when_the_agent_offers_again() {
    let world = World::new().await;
    let agent = world.agent().await;
    let built = SegmentBuilder::new(NOW).build();
    world.report(&agent, &[&built]).await;
    world.upload(&agent, &built).await;
    let object = listed(&world).await.remove(0);
    std::fs::remove_file(world.object_file(&object.path)).unwrap();
    assert!(matches!(
        world.offer(&agent, &built).await,
        Offered::Want { .. }
    ));
    assert_eq!(world.services.figures.objects_lost.get(), 1);
    world.upload(&agent, &built).await;
    assert_stored(&world, &[&built]).await;
}

#[tokio::test]
async fn the_console_sees_what_is_stored() {
    let world = World::new().await;
    let agent = world.agent().await;
    let built = SegmentBuilder::new(NOW).build();
    world.report(&agent, &[&built]).await;
    world.upload(&agent, &built).await;
    let grant = world.services.access.console(Deed::ViewStorage);
    let stats = world.services.storage.stats(&grant).await.unwrap();
    assert_eq!((stats.objects, stats.bytes), (1, built.meta.size));
    assert!(stats.free_bytes > 0 && stats.free_bytes <= stats.total_bytes);
}
