//! Objects on their way in and at rest.

use shared::hash::Sha256;
use shared::id::SegmentId;
use shared::testing::SegmentBuilder;

use super::{NOW, Under, after, agent, apply, closed, entry, grown, new_upload, store_object};
use crate::domain::segment::CentreCopy;
use crate::stores::{Change, UploadBegun};

pub(crate) async fn one_coordinator_at_a_time_receives_an_upload(store: Under) {
    let agent = agent(&*store, 1).await;
    let built = SegmentBuilder::new(NOW).build();
    let id = built.meta.head.id;
    let begin = |owner, now| store.begin_upload(new_upload(id, owner), now);
    assert_eq!(begin(1, NOW).await.unwrap(), UploadBegun::NoSegment);
    apply(&*store, agent, vec![grown(&built.meta, 0, 1)]).await;
    assert_eq!(begin(1, NOW).await.unwrap(), UploadBegun::NoSegment);
    apply(&*store, agent, vec![closed(&built)]).await;
    let path = new_upload(id, 1).path;
    let yes = UploadBegun::Yes { path };
    assert_eq!(begin(1, NOW).await.unwrap(), yes);
    assert_eq!(begin(1, NOW).await.unwrap(), yes);
    let until = NOW + after(60);
    assert_eq!(begin(2, NOW).await.unwrap(), UploadBegun::Held { until });
    assert!(!store.renew_upload(id, [2; 16], until).await.unwrap());
    assert!(
        store
            .renew_upload(id, [1; 16], until + after(60))
            .await
            .unwrap()
    );
    assert!(matches!(
        begin(2, until).await.unwrap(),
        UploadBegun::Held { .. }
    ));
    // The lease expires; the path stays that of the first attempt.
    assert_eq!(begin(2, until + after(60)).await.unwrap(), yes);
    store.end_upload(id, [1; 16]).await.unwrap();
    assert!(matches!(
        begin(1, NOW).await.unwrap(),
        UploadBegun::Held { .. }
    ));
    store.end_upload(id, [2; 16]).await.unwrap();
    assert_eq!(begin(1, NOW).await.unwrap(), yes);
}

pub(crate) async fn stored_means_stored_with_that_root(store: Under) {
    let agent = agent(&*store, 1).await;
    let built = SegmentBuilder::new(NOW).build();
    let (id, root) = (built.meta.head.id, built.meta.root);
    apply(&*store, agent, vec![closed(&built)]).await;
    assert!(
        !store.mark_stored(id, root, NOW).await.unwrap(),
        "no upload was begun"
    );
    store.begin_upload(new_upload(id, 1), NOW).await.unwrap();
    let unfinished = async || {
        let segments = store.unfinished_uploads(10).await.unwrap();
        segments
            .iter()
            .map(crate::domain::segment::Segment::id)
            .collect::<Vec<_>>()
    };
    assert_eq!(unfinished().await, [id]);
    assert!(!store.mark_stored(id, Sha256::of(b"x"), NOW).await.unwrap());
    assert!(
        !store
            .mark_stored(SegmentId::new(NOW), root, NOW)
            .await
            .unwrap()
    );
    for _ in 0..2 {
        assert!(store.mark_stored(id, root, NOW).await.unwrap());
        assert_eq!(store.stored_totals().await.unwrap(), (1, built.meta.size));
    }
    assert_eq!(unfinished().await, []);
    // What the agent says later of a file that was verified here does not change our copy.
    let mut shorter = built.meta.clone();
    shorter.fragments.pop();
    let size = shorter.fragments.last().unwrap().end_offset();
    let shorter = shared::testing::seal(shorter.head, size, shorter.fragments);
    apply(&*store, agent, vec![Change::Closed(Box::new(shorter))]).await;
    let segment = store.segment(id).await.unwrap().unwrap();
    assert_eq!((segment.root, segment.size), (Some(root), built.meta.size));
    assert_eq!(store.fragments(id).await.unwrap(), built.meta.fragments);
}

pub(crate) async fn a_lost_object_can_be_uploaded_again(store: Under) {
    let agent = agent(&*store, 1).await;
    let built = SegmentBuilder::new(NOW).build();
    let id = built.meta.head.id;
    apply(&*store, agent, vec![closed(&built)]).await;
    store_object(&*store, &built.meta).await;
    for _ in 0..2 {
        store.mark_lost(id, NOW, entry()).await.unwrap();
        assert_eq!(store.stored_totals().await.unwrap(), (0, 0));
    }
    let centre = async || store.segment(id).await.unwrap().unwrap().centre;
    assert_eq!(centre().await, CentreCopy::Lost);
    store.begin_upload(new_upload(id, 1), NOW).await.unwrap();
    assert_eq!(centre().await, CentreCopy::Absent);
    assert_eq!(store.unfinished_uploads(10).await.unwrap().len(), 1);
    assert!(store.mark_stored(id, built.meta.root, NOW).await.unwrap());
    assert_eq!(centre().await, CentreCopy::Stored);
    assert_eq!(store.stored_totals().await.unwrap(), (1, built.meta.size));
}

pub(crate) async fn stored_segments_are_listed_page_by_page(store: Under) {
    let agent = agent(&*store, 1).await;
    let mut ids = Vec::new();
    let mut next = SegmentBuilder::new(NOW);
    for index in 0..7 {
        let built = next.build();
        apply(&*store, agent, vec![closed(&built)]).await;
        if index != 3 {
            store_object(&*store, &built.meta).await;
            ids.push(built.meta.head.id);
        }
        next = next.next();
    }
    ids.sort();
    let mut seen: Vec<SegmentId> = Vec::new();
    loop {
        let page = store.stored_after(seen.last().copied(), 2).await.unwrap();
        if page.is_empty() {
            break;
        }
        seen.extend(page.iter().map(crate::domain::segment::Segment::id));
    }
    assert_eq!(seen, ids);
}
