//! What a report of an agent does to the catalogue.

use std::sync::Arc;

use serde_json::json;
use shared::id::{AgentId, CameraId, LedgerId};
use shared::segment::StreamKind;
use shared::testing::{Segment as Built, SegmentBuilder};
use shared::time::TimeRange;
use shared::timeline::{LedgerEntry, Reason};
use shared::wire::segment::Watermark;

use super::{NOW, Under, after, agent, apply, around, closed, grown, store_object};
use crate::domain::segment::{CentreCopy, EdgeCopy, MAX_SPAN};
use crate::stores::{Applied, Change, Numbered, Piece};

pub(crate) async fn repeating_a_report_changes_nothing(store: Under) {
    let agent = agent(&*store, 1).await;
    let first = SegmentBuilder::new(NOW);
    let (one, two) = (first.build(), first.next().build());
    let camera = one.meta.head.camera;
    let gap = LedgerEntry {
        id: LedgerId::new(NOW),
        camera,
        stream: StreamKind::Main,
        range: TimeRange::starting_at(NOW + after(60), after(5)),
        reason: Reason::CameraStalled,
        detail: Some("no picture for 5 s".into()),
    };
    let report = vec![
        grown(&one.meta, 0, 3),
        closed(&one),
        Change::Gap(gap),
        closed(&two),
        Change::Watermark(Watermark {
            camera,
            stream: StreamKind::Main,
            reported_until: NOW + after(65),
        }),
    ];
    let facts = || {
        let store = Arc::clone(&store);
        async move {
            let range = around(NOW, 3_000);
            store.facts(camera, StreamKind::Main, range).await.unwrap()
        }
    };
    apply(&*store, agent, report.clone()).await;
    let once = facts().await;
    assert_eq!((once.pieces.len(), once.missing.len()), (2, 1));
    for _ in 0..3 {
        assert_eq!(
            apply(&*store, agent, report.clone()).await,
            Applied::default()
        );
    }
    assert_eq!(facts().await, once);
    assert_eq!(store.set_aside().await.unwrap(), 0);
    let fragments = store.fragments(one.meta.head.id).await.unwrap();
    assert_eq!(fragments, one.meta.fragments);
}

pub(crate) async fn a_segment_grows_and_closes(store: Under) {
    let agent = agent(&*store, 1).await;
    let built = SegmentBuilder::new(NOW).build();
    let (id, meta) = (built.meta.head.id, &built.meta);
    apply(&*store, agent, vec![grown(meta, 0, 2)]).await;
    // A reconnection tells everything since the opening once more.
    apply(&*store, agent, vec![grown(meta, 0, 3), grown(meta, 3, 1)]).await;
    let segment = store.segment(id).await.unwrap().unwrap();
    assert_eq!((segment.edge, segment.root), (EdgeCopy::Growing, None));
    assert_eq!(segment.size, meta.fragments[3].end_offset());
    assert_eq!(segment.range.end(), meta.fragments[3].wall_range().end());
    assert_eq!(store.fragments(id).await.unwrap(), meta.fragments[..4]);
    let whole = around(NOW, 60);
    let facts = store.facts(meta.head.camera, StreamKind::Main, whole);
    assert_eq!(
        facts.await.unwrap().pieces,
        [Piece {
            range: segment.range,
            edge: EdgeCopy::Growing,
            centre: CentreCopy::Absent
        }]
    );
    apply(&*store, agent, vec![closed(&built)]).await;
    let segment = store.segment(id).await.unwrap().unwrap();
    assert_eq!(
        (segment.edge, segment.root),
        (EdgeCopy::Present, Some(meta.root))
    );
    assert_eq!(store.fragments(id).await.unwrap(), meta.fragments);
    // One that turned out to hold nothing disappears; a closed one cannot.
    let next = SegmentBuilder::new(NOW).next().build();
    let discarded = |built: &Built| Change::Discarded {
        segment: built.meta.head.id,
    };
    let changes = vec![grown(&next.meta, 0, 1), discarded(&next), discarded(&built)];
    apply(&*store, agent, changes).await;
    assert_eq!(store.segment(next.meta.head.id).await.unwrap(), None);
    assert!(store.segment(id).await.unwrap().is_some());
}

pub(crate) async fn growth_that_does_not_connect_is_ignored(store: Under) {
    let agent = agent(&*store, 1).await;
    let built = SegmentBuilder::new(NOW).build();
    let id = built.meta.head.id;
    let applied = apply(&*store, agent, vec![grown(&built.meta, 2, 1)]).await;
    assert_eq!(applied.unconnected, [id]);
    assert_eq!(store.segment(id).await.unwrap(), None);
    apply(&*store, agent, vec![grown(&built.meta, 0, 1)]).await;
    let applied = apply(&*store, agent, vec![grown(&built.meta, 3, 1)]).await;
    assert_eq!(applied.unconnected, [id]);
    let mut wrong = built.meta.clone();
    wrong.fragments[1].offset += 1;
    let applied = apply(&*store, agent, vec![grown(&wrong, 0, 2)]).await;
    assert_eq!(applied.unconnected, [id]);
    let mut long = built.meta.clone();
    long.fragments[1].wall_start = NOW + MAX_SPAN;
    let applied = apply(&*store, agent, vec![grown(&long, 0, 2)]).await;
    assert_eq!(applied.unconnected, [id]);
    assert_eq!(
        store.fragments(id).await.unwrap(),
        built.meta.fragments[..1]
    );
}

pub(crate) async fn growth_of_a_closed_segment_is_ignored(store: Under) {
    let agent = agent(&*store, 1).await;
    let built = SegmentBuilder::new(NOW).build();
    apply(
        &*store,
        agent,
        vec![closed(&built), grown(&built.meta, 0, 2)],
    )
    .await;
    let segment = store.segment(built.meta.head.id).await.unwrap().unwrap();
    assert_eq!(
        (segment.edge, segment.size),
        (EdgeCopy::Present, built.meta.size)
    );
}

pub(crate) async fn what_belongs_to_another_agent_is_set_aside(store: Under) {
    let (one, two) = (agent(&*store, 1).await, agent(&*store, 2).await);
    let first = SegmentBuilder::new(NOW);
    let built = first.build();
    let gap = LedgerEntry {
        id: LedgerId::new(NOW),
        camera: first.camera,
        stream: StreamKind::Main,
        range: TimeRange::starting_at(NOW, after(1)),
        reason: Reason::HostDown,
        detail: None,
    };
    apply(&*store, one, vec![closed(&built), Change::Gap(gap.clone())]).await;
    let before = store
        .facts(first.camera, StreamKind::Main, around(NOW, 60))
        .await
        .unwrap();
    // The other agent's own camera, but a segment and an entry of the first one's.
    let mut stolen = built.clone();
    stolen.meta.head.camera = CameraId::new(NOW);
    let moved = LedgerEntry {
        camera: CameraId::new(NOW),
        ..gap.clone()
    };
    let changes = vec![
        closed(&first.next().build()),
        closed(&stolen),
        Change::Gap(gap),
        Change::Gap(moved),
        Change::Evicted {
            segment: built.meta.head.id,
            at: NOW,
        },
        Change::Discarded {
            segment: built.meta.head.id,
        },
        grown(&first.next().build().meta, 0, 1),
        Change::Watermark(Watermark {
            camera: first.camera,
            stream: StreamKind::Main,
            reported_until: NOW + after(1_000),
        }),
        Change::SetAside {
            reason: "the signature is not the agent's".into(),
            body: json!({}),
        },
    ];
    let applied = apply(&*store, two, changes).await;
    assert_eq!(applied.foreign, [0, 1, 2, 3, 4, 5, 6, 7]);
    // News (growth, watermark) is not kept; records are, and the one the service refused.
    assert_eq!(store.set_aside().await.unwrap(), 7);
    let after = store
        .facts(first.camera, StreamKind::Main, around(NOW, 60))
        .await
        .unwrap();
    assert_eq!(after, before);
}

pub(crate) async fn a_failing_change_takes_no_other_along(store: Under) {
    let id = agent(&*store, 1).await;
    let built = SegmentBuilder::new(NOW).build();
    let unknown = AgentId::new(NOW);
    let failing = (0..8).map(|_| {
        let (store, built) = (Arc::clone(&store), built.clone());
        tokio::spawn(async move {
            let change = Numbered {
                seq: Some(1),
                change: closed(&built),
            };
            store.apply(unknown, vec![change], Some(1), NOW).await
        })
    });
    let failing: Vec<_> = failing.collect();
    let mut working = Vec::new();
    for n in 0..8_u64 {
        let (store, start) = (Arc::clone(&store), NOW + after(n * 10));
        working.push(tokio::spawn(async move {
            let built = SegmentBuilder::new(start).build();
            apply(&*store, id, vec![closed(&built)]).await;
            built.meta.head.id
        }));
    }
    for task in failing {
        assert!(
            task.await.unwrap().is_err(),
            "an unknown agent has no segments"
        );
    }
    for task in working {
        let id = task.await.unwrap();
        assert!(store.segment(id).await.unwrap().is_some());
    }
    assert_eq!(store.segment(built.meta.head.id).await.unwrap(), None);
}

pub(crate) async fn a_deleted_segment_does_not_come_back(store: Under) {
    let agent = agent(&*store, 1).await;
    let first = SegmentBuilder::new(NOW);
    let (gone, kept) = (first.build(), first.next().build());
    let evicted = |built: &Built| Change::Evicted {
        segment: built.meta.head.id,
        at: NOW + after(100),
    };
    apply(&*store, agent, vec![closed(&gone), closed(&kept)]).await;
    store_object(&*store, &kept.meta).await;
    let end = vec![evicted(&gone), evicted(&kept)];
    apply(&*store, agent, end.clone()).await;
    let segment = store.segment(kept.meta.head.id).await.unwrap().unwrap();
    assert_eq!(
        (segment.edge, segment.centre),
        (EdgeCopy::Deleted, CentreCopy::Stored)
    );
    // The whole history once more.
    let again = [vec![closed(&gone), closed(&kept)], end].concat();
    apply(&*store, agent, again).await;
    let facts = store
        .facts(first.camera, StreamKind::Main, around(NOW, 60))
        .await
        .unwrap();
    assert_eq!(
        facts.pieces,
        [Piece {
            range: kept.meta.wall_range().unwrap(),
            edge: EdgeCopy::Deleted,
            centre: CentreCopy::Stored
        }]
    );
}

pub(crate) async fn the_ledger_entry_of_an_outage_grows(store: Under) {
    let agent = agent(&*store, 1).await;
    let camera = CameraId::new(NOW);
    let id = LedgerId::new(NOW);
    let told = |seconds, reason| {
        Change::Gap(LedgerEntry {
            id,
            camera,
            stream: StreamKind::Sub,
            range: TimeRange::starting_at(NOW, after(seconds)),
            reason,
            detail: None,
        })
    };
    apply(&*store, agent, vec![told(5, Reason::CameraStalled)]).await;
    apply(&*store, agent, vec![told(50, Reason::CameraUnreachable)]).await;
    let of = |stream| store.facts(camera, stream, around(NOW, 60));
    assert_eq!(
        of(StreamKind::Sub).await.unwrap().missing,
        [(
            TimeRange::starting_at(NOW, after(50)),
            Reason::CameraUnreachable
        )]
    );
    assert_eq!(of(StreamKind::Main).await.unwrap().missing, []);
}
