use shared::testing::{Segment as Built, SegmentBuilder};
use shared::wire::segment::RecordBody;

use super::super::super::testing::{NOW, World};
use super::*;
use crate::domain::audit::{Entry, What, Who};

async fn stored(world: &World) -> (Built, String) {
    let agent = world.agent().await;
    let built = SegmentBuilder::new(NOW).build();
    world.report(&agent, &[&built]).await;
    world.upload(&agent, &built).await;
    let segment = world
        .services
        .storage
        .store
        .segment(built.meta.head.id)
        .await;
    (built, segment.unwrap().unwrap().object.unwrap())
}

async fn centre(world: &World, built: &Built) -> CentreCopy {
    let segment = world
        .services
        .storage
        .store
        .segment(built.meta.head.id)
        .await;
    segment.unwrap().unwrap().centre
}

/// Takes back that the object is stored.
async fn lose(world: &World, built: &Built) {
    let entry = Entry::new(NOW, Who::System, What::ObjectLost);
    let store = &world.services.storage.store;
    let lost = store.mark_lost(built.meta.head.id, NOW, entry).await;
    lost.unwrap();
}

#[tokio::test]
async fn what_agrees_is_left_alone() {
    let world = World::new().await;
    stored(&world).await;
    assert_eq!(
        world.services.storage.settle().await.unwrap(),
        Reconciled::default()
    );
    assert_eq!(
        world.services.storage.reconcile().await.unwrap(),
        Reconciled::default()
    );
}

#[tokio::test]
async fn an_object_without_its_row_is_entered_at_the_next_start() {
    let world = World::new().await;
    let (built, path) = stored(&world).await;
    // As if the process had ended between the rename and the row.
    lose(&world, &built).await;
    let upload = crate::stores::NewUpload {
        segment: built.meta.head.id,
        path,
        owner: [1; 16],
        until: NOW,
    };
    let store = &world.services.storage.store;
    store.begin_upload(upload, NOW).await.unwrap();
    assert_eq!(centre(&world, &built).await, CentreCopy::Absent);
    let world = world.restart().await;
    assert_eq!(centre(&world, &built).await, CentreCopy::Stored);
    assert_eq!(
        world
            .services
            .storage
            .store
            .stored_totals()
            .await
            .unwrap()
            .0,
        1
    );
}

#[tokio::test]
async fn a_wrong_object_is_removed_while_the_agent_has_the_right_one() {
    let world = World::new().await;
    let (built, path) = stored(&world).await;
    lose(&world, &built).await;
    let mut wrong = built.bytes.to_vec();
    wrong[700] ^= 1;
    std::fs::write(world.object_file(&path), wrong).unwrap();
    let done = world.services.storage.reconcile().await.unwrap();
    assert_eq!((done.removed, done.adopted), (1, 0));
    assert!(!world.object_file(&path).exists());
}

#[tokio::test]
async fn a_row_without_its_object_is_lost_and_says_so() {
    let world = World::new().await;
    let (built, path) = stored(&world).await;
    std::fs::write(world.object_file(&path), b"cut off").unwrap();
    let done = world.services.storage.reconcile().await.unwrap();
    assert_eq!(done.lost, 1);
    assert_eq!(centre(&world, &built).await, CentreCopy::Lost);
    assert_eq!(world.services.figures.objects_lost.get(), 1);
}

#[tokio::test]
async fn what_nobody_knows_is_left_alone() {
    let world = World::new().await;
    let (_, path) = stored(&world).await;
    let unknown = world.object_file("recordings/BUS/somebody.mp4");
    std::fs::create_dir_all(unknown.parent().unwrap()).unwrap();
    std::fs::write(&unknown, b"footage of a database that was lost").unwrap();
    let partial = world.object_file(&format!("{path}.part"));
    std::fs::write(&partial, b"left behind").unwrap();
    let done = world.services.storage.reconcile().await.unwrap();
    assert_eq!((done.unknown, done.discarded), (1, 1));
    assert!(unknown.exists() && !partial.exists());
}

#[tokio::test]
async fn the_only_copy_is_kept_even_when_it_is_damaged() {
    let world = World::new().await;
    let agent = world.agent().await;
    let (built, path) = stored(&world).await;
    let evicted = RecordBody::Evicted {
        segment: built.meta.head.id,
        at: NOW,
    };
    world.report_records(&agent, vec![evicted]).await;
    let mut wrong = built.bytes.to_vec();
    wrong.pop();
    std::fs::write(world.object_file(&path), wrong).unwrap();
    let first = world.services.storage.reconcile().await.unwrap();
    assert_eq!((first.lost, first.removed), (1, 0));
    let again = world.services.storage.reconcile().await.unwrap();
    assert_eq!((again.lost, again.removed), (0, 0));
    assert!(world.object_file(&path).exists());
}
