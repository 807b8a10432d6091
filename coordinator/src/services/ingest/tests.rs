use std::time::Duration;

use bytes::Bytes;
use futures::TryStreamExt;
use proptest::prelude::*;
use shared::hash::Sha256;
use shared::id::{BootId, CameraId, LedgerId};
use shared::segment::StreamKind;
use shared::testing::{Segment as Built, SegmentBuilder, seal};
use shared::time::{TimeRange, WallTime};
use shared::timeline::{LedgerEntry, Reason};
use shared::wire::control::{CameraInfo, Hello};
use shared::wire::segment::{Record, RecordBody, UploadResult, Watermark};

use super::super::testing::{NOW, World, cut_short, offer_of, record_of};
use super::*;
use crate::domain::access::Deed;
use crate::domain::segment::{CentreCopy, EdgeCopy};
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
    let hello = Hello {
        protocol_min: 1,
        protocol_max: 1,
        agent: agent.id(),
        boot: BootId::new(NOW),
        version: "0.1.0".into(),
        host: "x".into(),
        now: NOW,
        cameras: Vec::new(),
    };
    let refused = world.services.ingest.hello(&other, &hello).await;
    assert!(matches!(refused, Err(IngestError::WrongAgent { .. })));
}

#[tokio::test]
async fn a_greeting_brings_the_cameras_and_texts_are_made_harmless() {
    let world = World::new().await;
    let agent = world.agent().await;
    let camera = CameraId::new(NOW);
    let hello = Hello {
        protocol_min: 1,
        protocol_max: 1,
        agent: agent.id(),
        boot: BootId::new(NOW),
        version: "0.1.0".into(),
        host: "Debian\n12".into(),
        now: NOW,
        cameras: vec![CameraInfo {
            id: camera,
            name: format!("gate\u{0}{}", "x".repeat(1_000)),
            streams: vec![StreamKind::Main],
            recording: true,
            since: NOW,
        }],
    };
    let pending = world.services.ingest.hello(&agent, &hello).await.unwrap();
    assert_eq!(pending, None);
    let store = &world.services.ingest.store;
    let known = store.camera(camera).await.unwrap().unwrap();
    assert!(known.name.starts_with("gate x") && known.name.chars().count() == 200);
    let known = store.agent(agent.id()).await.unwrap().unwrap();
    assert_eq!(known.greeting.unwrap().host, "Debian 12");
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
async fn settled_offer(world: &World, agent: &AgentGrant, built: &Built) -> Offered {
    for _ in 0..1_000 {
        match world.offer(agent, built).await {
            Offered::Later { .. } => tokio::task::yield_now().await,
            offered => return offered,
        }
    }
    panic!("an upload was put off a thousand times");
}

async fn send(mut sink: UploadSink, bytes: Bytes) -> UploadResult {
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

#[tokio::test(flavor = "multi_thread")]
async fn the_coordinator_may_end_at_any_instant_of_an_upload() {
    let mut world = World::new().await;
    let agent = world.agent().await;
    let mut next = SegmentBuilder::new(NOW);
    next.fragments = 40;
    let mut stored: Vec<Built> = Vec::new();
    let mut completed = 0;
    // Until three uploads in a row were over before they could be cut short.
    for polls in 1..200 {
        let built = next.build();
        next = next.next();
        let attempt = async {
            world.report(&agent, &[&built]).await;
            let Offered::Want { mut sink, .. } = world.offer(&agent, &built).await else {
                panic!("nothing is here yet");
            };
            for piece in built.bytes.chunks(1_000) {
                sink.write(Bytes::copy_from_slice(piece)).await;
                sink.flush().await;
            }
            sink.finish().await
        };
        let over = cut_short(polls, attempt).await;
        world = world.restart().await;
        // The report may not have been acknowledged; the agent repeats it.
        world.report(&agent, &[&built]).await;
        if over == Some(UploadResult::Stored) {
            assert_eq!(centre(&world, &built).await, CentreCopy::Stored);
            completed += 1;
        } else {
            completed = 0;
        }
        world.upload(&agent, &built).await;
        stored.push(built);
        if completed == 3 {
            break;
        }
    }
    assert_eq!(completed, 3);
    assert!(
        stored.len() > 10,
        "only {} instants were tried",
        stored.len()
    );
    assert_stored(&world, &stored.iter().collect::<Vec<_>>()).await;
    let done = world.services.storage.reconcile().await.unwrap();
    assert_eq!(done, crate::services::storage::Reconciled::default());
}

/// What happens to an upload.
#[derive(Clone, Debug)]
enum Step {
    /// So much of the rest is sent, then the line breaks.
    Send(prop::sample::Index),
    /// The same, with a byte that is wrong.
    SendWrong(prop::sample::Index),
    Restart,
    /// A power cut took the end of what was written.
    Tear(prop::sample::Index),
    /// It turned a byte of what was written, or left nonsense behind it.
    Damage(prop::sample::Index),
    Repeat,
}

fn any_step() -> impl Strategy<Value = Step> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        4 => index().prop_map(Step::Send),
        1 => index().prop_map(Step::SendWrong),
        1 => Just(Step::Restart),
        1 => index().prop_map(Step::Tear),
        1 => index().prop_map(Step::Damage),
        1 => Just(Step::Repeat),
    ]
}

async fn history(steps: Vec<Step>) {
    let mut world = World::new().await;
    let agent = world.agent().await;
    let mut builder = SegmentBuilder::new(NOW);
    builder.fragments = 8;
    let built = builder.build();
    world.report(&agent, &[&built]).await;
    let mut is_stored = false;
    for step in steps {
        let partial = listed(&world)
            .await
            .into_iter()
            .find(|object| object.partial);
        let partial = partial.map(|object| {
            let mut file = world.object_file(&object.path).into_os_string();
            file.push(".part");
            file
        });
        match step {
            Step::Send(length) => is_stored |= attempt(&world, &agent, &built, length, false).await,
            Step::SendWrong(length) => {
                is_stored |= attempt(&world, &agent, &built, length, true).await;
            }
            Step::Restart => world = world.restart().await,
            Step::Repeat => world.report(&agent, &[&built]).await,
            Step::Tear(length) => {
                if let Some(file) = partial {
                    let bytes = std::fs::read(&file).unwrap();
                    std::fs::write(&file, &bytes[..length.index(bytes.len() + 1)]).unwrap();
                }
            }
            Step::Damage(place) => {
                if let Some(file) = partial {
                    let mut bytes = std::fs::read(&file).unwrap();
                    bytes.extend_from_slice(b"left behind");
                    let place = place.index(bytes.len());
                    bytes[place] ^= 1;
                    std::fs::write(&file, bytes).unwrap();
                }
            }
        }
        // Stored is said only of what is there, and is never taken back.
        assert_eq!(
            centre(&world, &built).await == CentreCopy::Stored,
            is_stored
        );
    }
    world.upload(&agent, &built).await;
    assert_stored(&world, &[&built]).await;
}

/// One attempt; whether it is stored afterwards.
async fn attempt(
    world: &World,
    agent: &AgentGrant,
    built: &Built,
    length: prop::sample::Index,
    wrong: bool,
) -> bool {
    let (from, sink) = match settled_offer(world, agent, built).await {
        Offered::Want { from, sink } => (usize::try_from(from).unwrap(), sink),
        Offered::Have => return true,
        other => panic!("{other:?}"),
    };
    let mut rest = built.bytes[from..].to_vec();
    rest.truncate(length.index(rest.len() + 1));
    let whole = from + rest.len() == built.bytes.len();
    if wrong && let Some(last) = rest.last_mut() {
        *last ^= 1;
    }
    let result = send(sink, rest.into()).await;
    let expected = whole && !wrong;
    assert_eq!(result == UploadResult::Stored, expected, "{result:?}");
    expected
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    /// Whatever happens on the way, in the end the segment is stored, once and whole.
    #[test]
    fn an_upload_ends_well_after_any_history(steps in prop::collection::vec(any_step(), 0..12)) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_time().build().unwrap();
        runtime.block_on(history(steps));
    }
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
