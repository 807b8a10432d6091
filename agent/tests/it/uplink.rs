//! The whole agent against a coordinator's end of the protocol: real QUIC, real files, real time.

mod enrolment;
mod live;
mod page;
mod peer;
mod place;

use cctv_agent::identity::Key;
use cctv_agent::uplink::witness;
use serde_json::json;
use shared::hash::Sha256;
use shared::id::{CameraId, CommandId};
use shared::testing::Segment;
use shared::time::WallTime;
use shared::wire::CloseCode;
use shared::wire::control::{
    Action, AuditHead, CameraPolicy, Command, CommandOutcome, FromAgent, RecordingMode, ToAgent,
};
use shared::wire::segment::{FetchAnswer, FetchRequest, UploadAnswer, UploadResult};

use self::peer::{Peer, Seen};
use self::place::{PATIENCE, Place, until};

fn all_stored(segments: &[Segment]) -> impl FnMut(&Seen) -> bool {
    let expected: Vec<_> = segments
        .iter()
        .map(|segment| segment.meta.head.id)
        .collect();
    move |seen| expected.iter().all(|id| seen.stored.contains_key(id))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_enrolled_agent_reports_first_and_uploads_what_it_has() {
    let (peer, place) = (Peer::start(), Place::new(""));
    let segments = place.leave_recordings(6, 20);
    let enrolment = place.enrol(&peer).await.unwrap();
    assert_eq!(enrolment.site_name, "North");
    let agent = place.run().await;
    let seen = until(&mut peer.seen(), "all recordings", all_stored(&segments)).await;
    for segment in &segments {
        assert_eq!(seen.stored[&segment.meta.head.id], segment.bytes);
        let reported = &seen.segments()[&segment.meta.head.id];
        reported.check().unwrap();
        assert_eq!(reported.root, segment.meta.root);
        let key = Key::load_or_create(place.path()).unwrap();
        assert!(
            reported
                .signature
                .verify(key.public_key(), &reported.statement())
        );
    }
    assert_eq!(seen.early_offers, 0, "bytes before their record");
    let hello = &seen.hellos[0];
    assert_eq!(hello.agent, enrolment.agent);
    let enrolled = &seen.enrolled[0];
    assert_eq!(
        (enrolled.name.as_str(), enrolled.secret.as_str()),
        ("gate house", "secret")
    );
    until(
        &mut peer.seen(),
        "an empty backlog in a heartbeat",
        |seen| {
            seen.heartbeats.last().is_some_and(|beat| {
                beat.uplink.metadata_backlog == 0
                    && beat.uplink.upload_backlog == 0
                    && beat
                        .uplink
                        .clock_offset_us
                        .is_some_and(|offset| offset.abs() < 1_000_000)
            })
        },
    )
    .await;
    agent.stop().await;
    // What was uploaded once is not offered again after a restart.
    let offers = peer.seen().borrow().offers.len();
    let agent = place.run().await;
    until(&mut peer.seen(), "another hello", |seen| {
        seen.hellos.len() == 2
    })
    .await;
    until(&mut peer.seen(), "heartbeats after it", |seen| {
        seen.heartbeats.len() > 6
    })
    .await;
    assert_eq!(peer.seen().borrow().offers.len(), offers);
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_that_is_cut_goes_on_at_the_byte() {
    let (peer, place) = (Peer::start(), Place::new("[upload]\nparallel = 1\n"));
    let segments = place.leave_recordings(1, 5_000);
    let size = segments[0].meta.size;
    assert!(size > 2_000_000, "{size}");
    peer.behave(|behaviour| behaviour.cuts = vec![size / 4, size / 2, size * 3 / 4]);
    place.enrol(&peer).await.unwrap();
    let agent = place.run().await;
    let seen = until(&mut peer.seen(), "the recording", all_stored(&segments)).await;
    assert_eq!(seen.stored[&segments[0].meta.head.id], segments[0].bytes);
    assert_eq!(seen.hellos.len(), 4, "three cuts");
    assert!(
        seen.received * 100 <= size * 105,
        "{} bytes came in for {size}",
        seen.received
    );
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_the_coordinator_answers_the_recording_arrives_unless_refused() {
    let (peer, place) = (Peer::start(), Place::new("[upload]\nparallel = 1\n"));
    let segments = place.leave_recordings(3, 10);
    peer.behave(|behaviour| {
        behaviour.answers = vec![
            UploadAnswer::Refused {
                message: "never heard of it".to_owned(),
            },
            UploadAnswer::Later { after_ms: 200 },
        ];
        behaviour.results = vec![
            UploadResult::Corrupt { from: 0 },
            UploadResult::Failed {
                message: "no space".to_owned(),
            },
        ];
    });
    place.enrol(&peer).await.unwrap();
    let agent = place.run().await;
    let seen = until(&mut peer.seen(), "two of three", |seen| {
        seen.stored.len() == 2
    })
    .await;
    let refused = seen.offers[0].segment;
    assert!(!seen.stored.contains_key(&refused));
    assert_eq!(
        seen.offers
            .iter()
            .filter(|offer| offer.segment == refused)
            .count(),
        1,
        "a refusal is final"
    );
    assert!(
        segments
            .iter()
            .any(|segment| segment.meta.head.id == refused)
    );
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_file_is_not_offered_for_ever() {
    let (peer, place) = (Peer::start(), Place::new(""));
    let segments = place.leave_recordings(2, 10);
    place.enrol(&peer).await.unwrap();
    // Put off, so that the file is damaged before anything is read of it.
    peer.behave(|behaviour| {
        behaviour.first_answer = Some(UploadAnswer::Later { after_ms: 3_000 });
    });
    let agent = place.run().await;
    let seen = until(&mut peer.seen(), "an offer", |seen| !seen.offers.is_empty()).await;
    let damaged = seen.offers[0].segment;
    let camera = segments[0].meta.head.camera;
    let file = place
        .path()
        .join(format!("segments/{camera}/2026-02-02/{damaged}.mp4"));
    let mut bytes = std::fs::read(&file).unwrap();
    let last = bytes.len() - 10;
    bytes[last] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    let offers = |seen: &Seen| {
        let offers = seen.offers.iter();
        offers.filter(|offer| offer.segment == damaged).count()
    };
    until(
        &mut peer.seen(),
        "the other one, and a second offer",
        |seen| seen.stored.len() == 1 && offers(seen) == 2,
    )
    .await;
    let beats = peer.seen().borrow().heartbeats.len();
    let seen = until(&mut peer.seen(), "some time to pass", |seen| {
        seen.heartbeats.len() > beats + 8
    })
    .await;
    assert_eq!(offers(&seen), 2, "the agent has looked at its file");
    assert!(!peer.seen().borrow().stored.contains_key(&damaged));
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn things_from_a_newer_coordinator_are_answered_and_ignored() {
    let (peer, place) = (Peer::start(), Place::new(""));
    place.enrol(&peer).await.unwrap();
    let agent = place.run().await;
    let connection = peer.connection().await;
    peer.say(&json!({"type": "fly_to_the_moon", "altitude_km": 384_400}))
        .await;
    let (mut send, mut receive) = connection.open_bi().await.unwrap();
    peer::write(&mut send, &json!({"kind": "hologram", "depth": 3}))
        .await
        .unwrap();
    let mut buffer = [0; 1];
    let error = receive.read(&mut buffer).await.unwrap_err();
    let quinn::ReadError::Reset(code) = error else {
        panic!("{error}");
    };
    assert_eq!(
        code.into_inner(),
        u64::from(CloseCode::UnknownKind.as_u32())
    );
    let id = CommandId::new(WallTime::from_secs(1));
    let command = json!({"type": "command", "id": id, "action": {"action": "make_coffee"}});
    peer.say(&command).await;
    let seen = until(&mut peer.seen(), "an answer", |seen| {
        !seen.outcomes.is_empty()
    })
    .await;
    let expected = FromAgent::CommandResult {
        id,
        outcome: CommandOutcome::Unsupported,
    };
    assert_eq!(seen.outcomes[0], expected);
    assert!(connection.close_reason().is_none());
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_breaks_the_protocol_is_left_and_tried_again() {
    let (peer, place) = (Peer::start(), Place::new(""));
    let segments = place.leave_recordings(1, 10);
    place.enrol(&peer).await.unwrap();
    let agent = place.run().await;
    let connection = peer.connection().await;
    peer.say(&"this is not a message").await;
    let closed = tokio::time::timeout(PATIENCE, connection.closed())
        .await
        .unwrap();
    let quinn::ConnectionError::ApplicationClosed(close) = closed else {
        panic!("{closed}");
    };
    assert_eq!(
        close.error_code.into_inner(),
        u64::from(CloseCode::ProtocolError.as_u32())
    );
    until(&mut peer.seen(), "another try", |seen| {
        seen.hellos.len() == 2
    })
    .await;
    until(&mut peer.seen(), "the recording", all_stored(&segments)).await;
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeated_command_is_carried_out_once_and_settings_outlive_a_restart() {
    let settings = "[[camera]]\nname = \"gate\"\nurl = \"rtsp://127.0.0.1:9/none\"\n";
    let (peer, place) = (Peer::start(), Place::new(settings));
    place.enrol(&peer).await.unwrap();
    let agent = place.run().await;
    let camera: CameraId = agent.handle.site.cameras()[0].id;
    let command = |revision, recording| {
        ToAgent::Command(Command {
            id: CommandId::new(WallTime::from_secs(revision)),
            action: Action::Configure {
                revision: revision.cast_unsigned(),
                policies: vec![CameraPolicy {
                    camera,
                    recording: Some(recording),
                    upload: None,
                    retention_hours: None,
                }],
            },
        })
    };
    let newer = command(7, RecordingMode::Off);
    peer.say(&newer).await;
    peer.say(&newer).await;
    peer.say(&command(6, RecordingMode::Continuous)).await;
    let seen = until(&mut peer.seen(), "three answers", |seen| {
        seen.outcomes.len() == 3
    })
    .await;
    for outcome in &seen.outcomes {
        let FromAgent::CommandResult { outcome, .. } = outcome else {
            panic!("{outcome:?}");
        };
        assert_eq!(*outcome, CommandOutcome::Done { report: None });
    }
    assert!(
        !agent.handle.site.cameras()[0].recording,
        "an older revision changes nothing"
    );
    agent.stop().await;
    let agent = place.run().await;
    assert!(!agent.handle.site.cameras()[0].recording);
    assert_eq!(agent.handle.site.cameras()[0].id, camera);
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_are_served_to_whoever_looks_at_them() {
    let (peer, place) = (
        Peer::start(),
        Place::new("[upload]\npolicy = \"on-demand\"\n"),
    );
    let segments = place.leave_recordings(1, 500);
    place.enrol(&peer).await.unwrap();
    let agent = place.run().await;
    let segment = &segments[0];
    let id = segment.meta.head.id;
    until(&mut peer.seen(), "the record", |seen| {
        seen.segments().contains_key(&id)
    })
    .await;
    let connection = peer.connection().await;
    let fetch = async |segment, start, end| {
        let (mut send, mut receive) = connection.open_bi().await.unwrap();
        let header = shared::wire::StreamHeader::Fetch(FetchRequest {
            segment,
            start,
            end,
        });
        peer::write(&mut send, &header).await.unwrap();
        let answer: FetchAnswer = peer::read(&mut receive).await.unwrap();
        (answer, receive.read_to_end(10_000_000).await.unwrap())
    };
    let fragment = &segment.meta.fragments[123];
    let (answer, bytes) = fetch(id, fragment.offset, fragment.end_offset()).await;
    assert_eq!(
        answer,
        FetchAnswer::Bytes {
            length: fragment.length.into()
        }
    );
    assert_eq!(Sha256::of(&bytes), fragment.sha256);
    let (answer, bytes) = fetch(id, 0, segment.meta.size).await;
    assert_eq!(
        (answer, bytes.as_slice()),
        (
            FetchAnswer::Bytes {
                length: segment.meta.size
            },
            &*segment.bytes
        )
    );
    for (id, start, end) in [
        (id, 0, segment.meta.size + 1),
        (id, 5, 4),
        (shared::id::SegmentId::new(WallTime::from_secs(5)), 0, 1),
    ] {
        let (answer, bytes) = fetch(id, start, end).await;
        assert!(matches!(answer, FetchAnswer::NotFound { .. }), "{answer:?}");
        assert!(bytes.is_empty());
    }
    assert!(
        peer.seen().borrow().offers.is_empty(),
        "nothing leaves by itself"
    );
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_keeps_the_head_of_the_audit_and_tells_it_at_the_next_hello() {
    let (peer, place) = (Peer::start(), Place::new(""));
    place.enrol(&peer).await.unwrap();
    let agent = place.run().await;
    let seen = until(&mut peer.seen(), "a heartbeat", |seen| {
        !seen.heartbeats.is_empty()
    })
    .await;
    assert_eq!(seen.hellos[0].audit_head, None);
    let head = |number, hash| AuditHead {
        chain: 1,
        number,
        hash: Sha256::of(&[hash]),
        at: WallTime::from_secs(1_800_000_000),
    };
    // A later one replaces the newest; an older one, or another under the same number, never does.
    for head in [head(7, 7), head(9, 9), head(8, 8), head(9, 1)] {
        peer.say(&ToAgent::AuditHead(head)).await;
    }
    // Messages are heard in order: with the answer to this one the heads have been taken.
    let id = CommandId::new(WallTime::from_secs(1));
    let action = Action::Unknown;
    peer.say(&ToAgent::Command(Command { id, action })).await;
    until(&mut peer.seen(), "an answer", |seen| {
        !seen.outcomes.is_empty()
    })
    .await;
    agent.stop().await;
    let kept = witness::all(place.path()).unwrap();
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0].1[0].head, head(9, 9));
    let agent = place.run().await;
    let seen = until(&mut peer.seen(), "another hello", |seen| {
        seen.hellos.len() == 2
    })
    .await;
    assert_eq!(seen.hellos[1].audit_head, Some(head(9, 9)));
    agent.stop().await;
}
