//! An agent with a good certificate that speaks of what is not its own. The protocol has to refuse what it cannot check
//! in TLS: whose cameras and whose recordings they are.

use std::time::Duration;

use serde_json::Value;
use shared::clock::{Clock as _, SystemClock};
use shared::id::LedgerId;
use shared::segment::{SegmentMeta, StreamKind};
use shared::testing::{Segment, SegmentBuilder};
use shared::time::{TimeRange, WallTime};
use shared::timeline::{LedgerEntry, Reason};
use shared::wire::control::CameraInfo;
use shared::wire::segment::{Growth, Record, RecordBody, Report, UploadAnswer, Watermark};

use crate::peer::{Peer, Work, camera};
use crate::world::{Browser, World, until};

/// A camera of one agent with a recording that is only at the edge, and another agent.
struct Scene {
    world: World,
    admin: Browser,
    gate: CameraInfo,
    meta: SegmentMeta,
    segment: Segment,
    owner: Work,
    thief: Peer,
}

impl Scene {
    async fn new() -> Self {
        let world = World::start().await;
        let start = SystemClock::new().wall() - Duration::from_secs(60);
        let gate = camera("gate", start);
        let peer = Peer::enrolled(&world, "Depot").await;
        let mut owner = peer.connect(&world, std::slice::from_ref(&gate)).await;
        let segment = recording(&gate, start);
        let meta = peer.sign(&segment);
        let reported = owner.report_segments(1, std::slice::from_ref(&meta)).await;
        assert_eq!(reported.unwrap().through, 1);
        Self {
            admin: world.admin().await,
            thief: Peer::enrolled(&world, "Harbour").await,
            world,
            gate,
            meta,
            segment,
            owner,
        }
    }

    /// What an operator sees of the camera: itself without its age, and its past.
    async fn seen(&self) -> (Value, Value) {
        let path = format!("/api/v1/cameras/{}", self.gate.id);
        let mut camera = self.admin.get(&path).await.body;
        camera["health"] = camera["health"]["state"].take();
        let (from, to) = (self.gate.since, self.gate.since + Duration::from_secs(50));
        let (from, to) = (from.to_rfc3339(), to.to_rfc3339());
        let timeline = format!("{path}/timeline?stream=main&from={from}&to={to}");
        (camera, self.admin.get(&timeline).await.body)
    }
}

fn recording(camera: &CameraInfo, start: WallTime) -> Segment {
    let mut builder = SegmentBuilder::new(start);
    builder.camera = camera.id;
    builder.build()
}

/// Records one after the other, and what goes beside them.
fn report(bodies: Vec<RecordBody>, growing: Vec<Growth>, watermarks: Vec<Watermark>) -> Report {
    let records = bodies.into_iter().zip(1..);
    Report {
        records: records.map(|(body, seq)| Record { seq, body }).collect(),
        growing,
        watermarks,
    }
}

#[tokio::test]
async fn what_an_agent_says_of_the_camera_of_another_changes_nothing() {
    let scene = Scene::new().await;
    let before = scene.seen().await;
    assert_eq!(before.0["name"], "gate");
    let mut stolen = scene.gate.clone();
    stolen.name = "mine".into();
    let quay = camera("quay", scene.gate.since);
    let mut work = scene
        .thief
        .connect(&scene.world, &[stolen, quay.clone()])
        .await;

    let now = SystemClock::new().wall();
    work.heartbeat(scene.gate.id, now).await.unwrap();
    work.heartbeat(quay.id, now).await.unwrap();
    let path = format!("/api/v1/cameras/{}", quay.id);
    until("the second heartbeat to be heard", async || {
        let camera = scene.admin.get(&path).await.body;
        (camera["health"]["state"] == "live").then_some(())
    })
    .await;

    let own = recording(&scene.gate, scene.gate.since + Duration::from_secs(30));
    let gap = LedgerEntry {
        id: LedgerId::new(now),
        camera: scene.gate.id,
        stream: StreamKind::Main,
        range: TimeRange::new(scene.gate.since, now).unwrap(),
        reason: Reason::OperatorDeleted,
        detail: None,
    };
    let segment = scene.meta.head.id;
    let claims = report(
        vec![
            RecordBody::Segment(scene.thief.sign(&own)),
            RecordBody::Gap(gap),
            RecordBody::Evicted { segment, at: now },
            RecordBody::Discarded { segment },
        ],
        vec![Growth {
            head: own.meta.head.clone(),
            first: 0,
            fragments: own.meta.fragments.clone(),
        }],
        vec![Watermark {
            camera: scene.gate.id,
            stream: StreamKind::Main,
            reported_until: now,
        }],
    );
    // Acknowledged, so that an agent that is merely mistaken does not repeat it for ever; and set aside.
    assert_eq!(work.report(&claims).await.unwrap().through, 4);
    assert_eq!(scene.seen().await, before);
}

#[tokio::test]
async fn nobody_uploads_the_recording_of_another() {
    let scene = Scene::new().await;
    let work = scene.thief.connect(&scene.world, &[]).await;
    let (_send, _receive, answer) = work.offer(&scene.meta).await.unwrap();
    assert!(matches!(answer, UploadAnswer::Refused { .. }), "{answer:?}");
    // Also not by claiming it first: its id is taken.
    let mut work = scene.thief.connect(&scene.world, &[]).await;
    let claimed = scene.thief.sign(&scene.segment);
    work.report_segments(1, &[claimed]).await.unwrap();
    let (_send, _receive, answer) = work.offer(&scene.meta).await.unwrap();
    assert!(matches!(answer, UploadAnswer::Refused { .. }), "{answer:?}");
    // The owner is not disturbed.
    let (_send, _receive, answer) = scene.owner.offer(&scene.meta).await.unwrap();
    assert_eq!(answer, UploadAnswer::Want { from: 0 });
}

#[tokio::test]
async fn a_recording_signed_by_another_key_is_not_believed() {
    let scene = Scene::new().await;
    let quay = camera("quay", scene.gate.since);
    let mut work = scene
        .thief
        .connect(&scene.world, std::slice::from_ref(&quay))
        .await;
    let other = Peer::enrolled(&scene.world, "Airport").await;
    let segment = recording(&quay, scene.gate.since);
    let forged = other.sign(&segment);
    work.report_segments(1, std::slice::from_ref(&forged))
        .await
        .unwrap();
    let (_send, _receive, answer) = work.offer(&forged).await.unwrap();
    assert!(!matches!(answer, UploadAnswer::Want { .. }), "{answer:?}");
    let range = segment.meta.wall_range().unwrap();
    let (from, to) = (range.start().to_rfc3339(), range.end().to_rfc3339());
    let path = format!(
        "/api/v1/cameras/{}/timeline?stream=main&from={from}&to={to}",
        quay.id
    );
    let timeline = scene.admin.get(&path).await.body;
    assert_eq!(timeline["seconds"]["recorded"], 0.0, "{timeline}");
}
