//! Ingest over real stores.

mod histories;
mod reports;
mod uploads;

use futures::TryStreamExt;
use shared::testing::Segment as Built;

use super::super::testing::World;
use crate::domain::segment::CentreCopy;
use crate::stores::objects::Listed;

async fn centre(world: &World, built: &Built) -> CentreCopy {
    let segment = world
        .services
        .ingest
        .store
        .segment(built.meta.head.id)
        .await;
    segment.unwrap().unwrap().centre
}

async fn listed(world: &World) -> Vec<Listed> {
    let objects = world.services.ingest.objects.list().await.unwrap();
    objects.try_collect().await.unwrap()
}

/// That exactly these segments are stored, whole and once, and nothing else is.
async fn assert_stored(world: &World, segments: &[&Built]) {
    let mut listed = listed(world).await;
    listed.sort_by(|a, b| a.path.cmp(&b.path));
    assert_eq!(listed.len(), segments.len(), "{listed:?}");
    let mut bytes = 0;
    for built in segments {
        assert_eq!(centre(world, built).await, CentreCopy::Stored);
        let segment = world
            .services
            .ingest
            .store
            .segment(built.meta.head.id)
            .await;
        let path = segment.unwrap().unwrap().object.unwrap();
        assert!(
            listed
                .iter()
                .any(|object| object.path == path && !object.partial)
        );
        assert_eq!(
            std::fs::read(world.object_file(&path)).unwrap(),
            built.bytes
        );
        bytes += built.meta.size;
    }
    let totals = world.services.ingest.store.stored_totals().await.unwrap();
    assert_eq!(totals, (segments.len() as u64, bytes));
}
