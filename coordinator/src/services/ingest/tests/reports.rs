//! What of a report is believed.

use std::time::Duration;

use shared::id::{CameraId, LedgerId};
use shared::segment::StreamKind;
use shared::testing::{SegmentBuilder, seal};
use shared::time::{TimeRange, WallTime};
use shared::timeline::{LedgerEntry, Reason};
use shared::wire::control::Hello;
use shared::wire::segment::{Record, RecordBody, Watermark};

use super::super::super::testing::{NOW, World, hello_of, record_of};
use super::super::*;
use crate::domain::segment::EdgeCopy;

#[tokio::test]
async fn a_report_is_acknowledged_and_what_cannot_be_believed_set_aside() {
    let world = World::new().await;
    let agent = world.agent().await;
    let first = SegmentBuilder::new(NOW);
    let built = first.build();
    let mut forged = first.next().build().meta;
    forged.head.wall_uncertainty_us = None;
    forged.signature = built.meta.signature;
    let mut torn = first.next().build().meta;
    torn.fragments.pop();
    let empty = seal(
        built.meta.head.clone(),
        built.meta.head.init_length.into(),
        Vec::new(),
    );
    let mut spoofed = first.next().build().meta;
    spoofed.head.tracks[0].codec = "avc1\"\n#EXT-X-MAP:URI=\"x".to_owned();
    let spoofed = seal(spoofed.head, spoofed.size, spoofed.fragments);
    let records = [&forged, &torn, &empty, &spoofed].map(record_of);
    let records = [
        vec![record_of(&built.meta)],
        records.to_vec(),
        vec![RecordBody::Unknown],
    ];
    world.report_records(&agent, records.concat()).await;
    let store = &world.services.ingest.store;
    assert_eq!(store.set_aside().await.unwrap(), 4);
    assert_eq!(world.services.figures.records_set_aside.get(), 4);
    assert_eq!(world.services.figures.records.get(), 6);
    let known = store.segment(built.meta.head.id).await.unwrap().unwrap();
    assert_eq!((known.edge, known.agent), (EdgeCopy::Present, agent.id()));
    for refused in [&forged, &torn, &spoofed] {
        assert_eq!(store.segment(refused.head.id).await.unwrap(), None);
    }
}

#[tokio::test]
async fn impossible_times_and_sizes_are_not_believed() {
    let world = World::new().await;
    let agent = world.agent().await;
    let meta = SegmentBuilder::new(NOW).build().meta;
    let changed = |change: &dyn Fn(&mut shared::segment::SegmentMeta)| {
        let mut meta = meta.clone();
        change(&mut meta);
        record_of(&seal(meta.head, meta.size, meta.fragments))
    };
    let far = |us| {
        move |meta: &mut shared::segment::SegmentMeta| {
            meta.fragments[2].wall_start = WallTime::from_micros(us);
        }
    };
    let records = vec![
        changed(&far(i64::MIN)),
        changed(&far(i64::MAX)),
        changed(&far(NOW.as_micros() + 3_600_000_000)),
        changed(&|meta| meta.fragments[0].duration = shared::time::Ticks90k::new(i64::MAX)),
        changed(&|meta| meta.fragments[0].duration = shared::time::Ticks90k::new(-1)),
        changed(&|meta| meta.fragments[0].length = u32::MAX),
        changed(&|meta| meta.size = u64::MAX),
        changed(&|meta| meta.head.init_length = u32::MAX),
        changed(&|meta| meta.head.tracks = vec![meta.head.tracks[0].clone(); 9]),
        changed(&|meta| meta.fragments = vec![meta.fragments[0].clone(); 6_001]),
    ];
    let count = records.len() as u64;
    world.report_records(&agent, records).await;
    let store = &world.services.ingest.store;
    assert_eq!(store.set_aside().await.unwrap(), count);
    assert_eq!(store.segment(meta.head.id).await.unwrap(), None);
}

#[tokio::test]
async fn one_agent_cannot_speak_for_another() {
    let world = World::new().await;
    let (agent, other) = (world.agent().await, world.agent_with([9; 32]).await);
    let built = SegmentBuilder::new(NOW).build();
    world.report(&agent, &[&built]).await;
    let gap = RecordBody::Gap(LedgerEntry {
        id: LedgerId::new(NOW),
        camera: built.meta.head.camera,
        stream: StreamKind::Main,
        range: TimeRange::starting_at(NOW, Duration::from_secs(1)),
        reason: Reason::OperatorDeleted,
        detail: None,
    });
    let evicted = RecordBody::Evicted {
        segment: built.meta.head.id,
        at: NOW,
    };
    world.report_records(&other, vec![gap, evicted]).await;
    assert_eq!(world.services.ingest.store.set_aside().await.unwrap(), 2);
    let known = world
        .services
        .ingest
        .store
        .segment(built.meta.head.id)
        .await;
    assert_eq!(known.unwrap().unwrap().edge, EdgeCopy::Present);
    assert!(matches!(
        world.offer(&other, &built).await,
        Offered::Refused { .. }
    ));
    let hello = hello_of(&agent, &[]);
    let refused = world.services.ingest.hello(&other, &hello).await;
    assert!(matches!(refused, Err(IngestError::WrongAgent { .. })));
}

#[tokio::test]
async fn a_greeting_brings_the_cameras_and_texts_are_made_harmless() {
    let world = World::new().await;
    let agent = world.agent().await;
    let camera = CameraId::new(NOW);
    let long = format!("gate\u{0}{}", "x".repeat(1_000));
    let hello = Hello {
        host: "Debian\n12".into(),
        time_zone: Some("Asia/Dubai".into()),
        ..hello_of(&agent, &[(camera, &long)])
    };
    let pending = world.services.ingest.hello(&agent, &hello).await.unwrap();
    assert_eq!(pending, None);
    let store = &world.services.ingest.store;
    let known = store.camera(camera).await.unwrap().unwrap();
    assert!(known.name.starts_with("gate x") && known.name.chars().count() == 200);
    let known = store.agent(agent.id()).await.unwrap().unwrap();
    let greeting = known.greeting.unwrap();
    assert_eq!(greeting.host, "Debian 12");
    assert_eq!(greeting.time_zone.as_deref(), Some("Asia/Dubai"));
    let known = store.camera(camera).await.unwrap().unwrap();
    assert_eq!(known.time_zone.as_deref(), Some("Asia/Dubai"));
    for unlikely in ["", "+04:00", "Asia/Dubai\n", "<b>", &"x".repeat(65)] {
        let hello = Hello {
            time_zone: Some(unlikely.to_owned()),
            ..hello.clone()
        };
        world.services.ingest.hello(&agent, &hello).await.unwrap();
        let known = store.camera(camera).await.unwrap().unwrap();
        assert_eq!(known.time_zone, None, "{unlikely}");
    }
    let report = Report {
        records: Vec::new(),
        growing: Vec::new(),
        watermarks: vec![Watermark {
            camera,
            stream: StreamKind::Main,
            reported_until: NOW,
        }],
    };
    let ack = world.services.ingest.report(&agent, report).await.unwrap();
    assert_eq!(ack, None);
    let empty = Report {
        records: vec![Record {
            seq: 7,
            body: RecordBody::Unknown,
        }],
        growing: Vec::new(),
        watermarks: Vec::new(),
    };
    let ack = world.services.ingest.report(&agent, empty).await.unwrap();
    assert_eq!(ack.unwrap().through, 7);
}
