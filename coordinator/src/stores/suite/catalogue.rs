//! What is read back of the catalogue.

use shared::id::SegmentId;
use shared::segment::StreamKind;
use shared::testing::SegmentBuilder;
use shared::time::TimeRange;
use shared::wire::segment::Watermark;

use super::{NOW, Under, after, agent, apply, around, closed, grown, store_object};
use crate::domain::segment::{CentreCopy, EdgeCopy};
use crate::stores::Change;

pub(crate) async fn a_closed_segment_is_read_back_whole(store: Under) {
    let agent = agent(&*store, 1).await;
    let built = SegmentBuilder::new(NOW).build();
    apply(&*store, agent, vec![closed(&built)]).await;
    let segment = store.segment(built.meta.head.id).await.unwrap().unwrap();
    assert_eq!(segment.head, built.meta.head);
    assert_eq!(segment.root, Some(built.meta.root));
    assert_eq!((segment.agent, segment.size), (agent, built.meta.size));
    assert_eq!(Some(segment.range), built.meta.wall_range());
    assert_eq!(
        (segment.edge, segment.centre),
        (EdgeCopy::Present, CentreCopy::Absent)
    );
    assert_eq!(
        store.fragments(built.meta.head.id).await.unwrap(),
        built.meta.fragments
    );
    assert_eq!(store.segment(SegmentId::new(NOW)).await.unwrap(), None);
    assert_eq!(store.fragments(SegmentId::new(NOW)).await.unwrap(), []);
    let camera = store.camera(built.meta.head.camera).await.unwrap().unwrap();
    assert_eq!(camera.agent, agent);
}

pub(crate) async fn facts_are_those_of_the_range(store: Under) {
    let agent = agent(&*store, 1).await;
    let mut next = SegmentBuilder::new(NOW);
    let mut ranges = Vec::new();
    for _ in 0..10 {
        let built = next.build();
        ranges.push(built.meta.wall_range().unwrap());
        apply(&*store, agent, vec![closed(&built)]).await;
        next = next.next();
    }
    let camera = next.camera;
    let facts = |range| store.facts(camera, StreamKind::Main, range);
    assert_eq!(facts(around(NOW, 600)).await.unwrap().reported_until, None);
    let told = Change::Watermark(Watermark {
        camera,
        stream: StreamKind::Main,
        reported_until: NOW + after(20),
    });
    apply(&*store, agent, vec![told]).await;
    // From inside the third to the beginning of the sixth, which is not touched.
    let middle = TimeRange::new(ranges[2].start() + after(1), ranges[5].start()).unwrap();
    let found = facts(middle).await.unwrap();
    let pieces: Vec<_> = found.pieces.iter().map(|piece| piece.range).collect();
    assert_eq!(pieces, ranges[2..5]);
    assert_eq!(found.reported_until, Some(NOW + after(20)));
    let elsewhere = TimeRange::new(ranges[9].end(), ranges[9].end() + after(60)).unwrap();
    assert_eq!(facts(elsewhere).await.unwrap().pieces, []);
}

pub(crate) async fn a_segment_with_holes_covers_only_its_fragments(store: Under) {
    let agent = agent(&*store, 1).await;
    let built = SegmentBuilder::new(NOW).build();
    let mut meta = built.meta.clone();
    // Three seconds lost behind the second fragment.
    for fragment in &mut meta.fragments[2..] {
        fragment.wall_start = fragment.wall_start + after(3);
    }
    let meta = shared::testing::seal(meta.head, meta.size, meta.fragments);
    let covered = |end: usize| {
        let range = meta.fragments[end].wall_range();
        TimeRange::new(NOW, range.end()).unwrap()
    };
    let pieces = async || {
        let found = store
            .facts(meta.head.camera, StreamKind::Main, around(NOW, 60))
            .await;
        let ranges: Vec<_> = found
            .unwrap()
            .pieces
            .iter()
            .map(|piece| piece.range)
            .collect();
        ranges
    };
    let rest = TimeRange::new(meta.fragments[2].wall_start, covered(4).end()).unwrap();
    apply(&*store, agent, vec![grown(&meta, 0, 2), grown(&meta, 2, 3)]).await;
    assert_eq!(pieces().await, [covered(1), rest]);
    apply(&*store, agent, vec![Change::Closed(Box::new(meta.clone()))]).await;
    assert_eq!(pieces().await, [covered(1), rest]);
}

pub(crate) async fn footage_is_what_can_be_played(store: Under) {
    let agent = agent(&*store, 1).await;
    let first = SegmentBuilder::new(NOW);
    let built: Vec<_> = std::iter::successors(Some(first.clone()), |builder| Some(builder.next()))
        .take(4)
        .map(|builder| builder.build())
        .collect();
    // The last one is still growing, the second is gone, the third is only here.
    let mut changes: Vec<_> = built[..3].iter().map(closed).collect();
    changes.push(grown(&built[3].meta, 0, 2));
    changes.push(grown(&built[3].meta, 2, 1));
    apply(&*store, agent, changes).await;
    store_object(&*store, &built[2].meta).await;
    let evicted = built[1..3].iter().map(|built| Change::Evicted {
        segment: built.meta.head.id,
        at: NOW,
    });
    apply(&*store, agent, evicted.collect()).await;
    let range = around(NOW, 60);
    let footage = store
        .footage(first.camera, StreamKind::Main, range)
        .await
        .unwrap();
    let seen: Vec<_> = footage
        .iter()
        .map(|footage| {
            let count = footage.fragments.len();
            (footage.id, footage.stored, footage.growing, count)
        })
        .collect();
    let id = |index: usize| built[index].meta.head.id;
    assert_eq!(
        seen,
        [
            (id(0), false, false, 5),
            (id(2), true, false, 5),
            (id(3), false, true, 3)
        ]
    );
    assert_eq!(footage[0].run, first.run);
    assert_eq!(footage[0].init_length, built[0].meta.head.init_length);
    let fragments: Vec<_> = built[0].meta.fragments.iter().map(Into::into).collect();
    assert_eq!(footage[0].fragments, fragments);
    let before = store.footage_before(first.run, built[3].meta.fragments[0].wall_start, 2);
    let before: Vec<_> = before
        .await
        .unwrap()
        .iter()
        .map(|footage| footage.id)
        .collect();
    assert_eq!(before, [id(2), id(0)]);
}

pub(crate) async fn the_live_edge_follows_the_order_of_opening(store: Under) {
    let agent = agent(&*store, 1).await;
    let first = SegmentBuilder::new(NOW);
    let camera = first.camera;
    // The host's clock steps back an hour, and a backlog from yesterday arrives closed.
    let stepped = SegmentBuilder {
        camera,
        ..SegmentBuilder::new(NOW - after(3_600))
    };
    let backlog = SegmentBuilder {
        camera,
        ..SegmentBuilder::new(NOW - after(86_400))
    };
    let [first, second, stepped, backlog] =
        [first.clone(), first.next(), stepped, backlog].map(|builder| builder.build());
    let changes = vec![
        grown(&first.meta, 0, 5),
        closed(&first),
        grown(&second.meta, 0, 1),
        closed(&backlog),
        grown(&stepped.meta, 0, 2),
    ];
    apply(&*store, agent, changes).await;
    let live = async |from: Option<SegmentId>, limit| {
        let footage = store
            .live_footage(camera, StreamKind::Main, from, limit)
            .await;
        let ids: Vec<_> = footage.unwrap().iter().map(|footage| footage.id).collect();
        ids
    };
    let [first, second, stepped] = [&first, &second, &stepped].map(|built| built.meta.head.id);
    assert_eq!(live(None, 2).await, [second, stepped]);
    assert_eq!(live(Some(first), 9).await, [first, second, stepped]);
    assert_eq!(live(Some(second), 9).await, [second, stepped]);
    assert_eq!(live(Some(SegmentId::new(NOW)), 1).await, [stepped]);
}
