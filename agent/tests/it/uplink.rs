//! The whole agent against a coordinator's end of the protocol: real QUIC, real files, real time.

mod peer;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use cctv_agent::config::{Config, TcpFallback};
use cctv_agent::identity::{Enrolment, Key};
use cctv_agent::uplink::status::State;
use cctv_agent::uplink::{EnrolError, Enroller};
use cctv_agent::{Agent, Handle};
use serde_json::json;
use shared::clock::{Clock, SystemClock};
use shared::hash::Sha256;
use shared::id::{CameraId, CommandId};
use shared::testing::{Segment, SegmentBuilder};
use shared::time::WallTime;
use shared::wire::CloseCode;
use shared::wire::control::{
    Action, CameraPolicy, Command, CommandOutcome, FromAgent, RecordingMode, ToAgent,
};
use shared::wire::enrol::EnrolRefusal;
use shared::wire::segment::{FetchAnswer, FetchRequest, UploadAnswer, UploadResult};
use tempfile::TempDir;
use tokio::net::UdpSocket;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use self::peer::{Peer, Seen};

/// Longer than anything here takes on a slow and busy host.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a test waits for, or a failure that says what did not come.
async fn until<T: Clone>(
    watched: &mut watch::Receiver<T>,
    what: &str,
    condition: impl FnMut(&T) -> bool,
) -> T {
    match tokio::time::timeout(PATIENCE, watched.wait_for(condition)).await {
        Ok(Ok(value)) => value.clone(),
        Ok(Err(_)) => panic!("gone while waiting for {what}"),
        Err(_) => panic!("waited in vain for {what}"),
    }
}

/// An agent's directory and settings.
struct Place {
    directory: TempDir,
    settings: String,
}

struct Running {
    handle: Handle,
    stop: CancellationToken,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Running {
    async fn stop(self) {
        self.stop.cancel();
        let ended = tokio::time::timeout(PATIENCE, self.task).await;
        ended.expect("the agent stops").unwrap().unwrap();
    }
}

impl Place {
    fn new(settings: &str) -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
            settings: settings.to_owned(),
        }
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn config(&self) -> Config {
        let text = format!(
            "[agent]\nname = \"gate house\"\ndata_dir = {:?}\n[buffer]\nreserve_bytes = 0\n[status]\nlisten = \"127.0.0.1:0\"\n{}",
            self.path(),
            self.settings
        );
        Config::from_toml(&text, "test.toml".as_ref()).unwrap()
    }

    async fn enrol(&self, peer: &Peer) -> Result<Enrolment, EnrolError> {
        self.enrol_with(&peer.code()).await
    }

    async fn enrol_with(
        &self,
        code: &shared::wire::enrol::EnrolCode,
    ) -> Result<Enrolment, EnrolError> {
        let enroller = Enroller {
            key: &Key::load_or_create(self.path()).unwrap(),
            name: "gate house",
            tcp_address: None,
            tcp_fallback: TcpFallback::Never,
            clock: &SystemClock::new(),
        };
        enroller.enrol(code, self.path()).await
    }

    async fn run(&self) -> Running {
        // Only the first test of a process installs it; RUST_LOG asks for more.
        let _ = tracing_subscriber::fmt()
            .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
            .with_test_writer()
            .try_init();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let agent = Agent::load(self.config(), clock).await.unwrap();
        let handle = agent.handle();
        let stop = CancellationToken::new();
        let task = tokio::spawn(agent.run(stop.clone()));
        Running { handle, stop, task }
    }

    /// Files as an earlier run of the agent left them; it finds them when it starts.
    fn leave_recordings(&self, count: usize, fragments: u32) -> Vec<Segment> {
        let mut builder = SegmentBuilder::new(WallTime::from_secs(1_770_000_000));
        builder.fragments = fragments;
        let mut segments = Vec::new();
        for _ in 0..count {
            let segment = builder.build();
            let directory = self
                .path()
                .join("segments")
                .join(builder.camera.to_string())
                .join("2026-02-02");
            std::fs::create_dir_all(&directory).unwrap();
            let file = directory.join(format!("{}.mp4", builder.id));
            std::fs::write(file, &segment.bytes).unwrap();
            segments.push(segment);
            builder = builder.next();
        }
        segments
    }
}

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
async fn refusals_that_people_must_mend_are_shown_and_mended_by_enrolling_anew() {
    let (peer, place) = (Peer::start(), Place::new(""));
    place.enrol(&peer).await.unwrap();
    for (code, state) in [
        (CloseCode::Revoked, State::Revoked),
        (CloseCode::Version, State::Version),
        (CloseCode::Replaced, State::Replaced),
    ] {
        peer.behave(|behaviour| behaviour.turn_away = Some(code));
        let agent = place.run().await;
        let mut status = agent.handle.uplink.clone();
        until(&mut status, "the refusal", |status| status.state == state).await;
        agent.stop().await;
    }
    peer.behave(|behaviour| {
        behaviour.turn_away = None;
        behaviour.protocol = 99;
    });
    let agent = place.run().await;
    let mut status = agent.handle.uplink.clone();
    until(&mut status, "the version", |status| {
        status.state == State::Version
    })
    .await;
    peer.behave(|behaviour| behaviour.protocol = 1);
    // A new enrolment is noticed without a restart, and before the slow retry.
    place.enrol(&peer).await.unwrap();
    until(&mut status, "the connection", |status| {
        status.state == State::Connected
    })
    .await;
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_that_runs_is_enrolled_without_a_restart() {
    let (peer, place) = (Peer::start(), Place::new(""));
    let agent = place.run().await;
    let mut status = agent.handle.uplink.clone();
    until(&mut status, "being on its own", |status| {
        status.state == State::NotEnrolled
    })
    .await;
    place.enrol(&peer).await.unwrap();
    until(&mut status, "the connection", |status| {
        status.state == State::Connected
    })
    .await;
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
async fn each_way_an_enrolment_can_fail_has_its_own_sentence() {
    let (peer, place) = (Peer::start(), Place::new(""));
    for (refusal, words) in [
        (
            EnrolRefusal::UnknownCode,
            "does not know this enrolment code",
        ),
        (EnrolRefusal::CodeUsed, "already been used"),
        (EnrolRefusal::CodeExpired, "has expired"),
    ] {
        peer.behave(|behaviour| behaviour.enrolment = Err(refusal));
        let error = place.enrol(&peer).await.unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
    }
    peer.behave(|behaviour| behaviour.enrolment = Ok(()));
    let mut code = peer.code();
    code.authority = Sha256::of(b"another authority");
    let error = place.enrol_with(&code).await.unwrap_err().to_string();
    assert!(error.contains("cannot be trusted"), "{error}");

    let garbage = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let mut code = peer.code();
    code.port = garbage.local_addr().unwrap().port();
    let answering = tokio::spawn(async move {
        let mut buffer = [0; 2_000];
        while let Ok((length, from)) = garbage.recv_from(&mut buffer).await {
            garbage
                .send_to(&buffer[..length.min(100)], from)
                .await
                .unwrap();
        }
    });
    let error = place.enrol_with(&code).await.unwrap_err().to_string();
    assert!(error.contains("not a CCTV coordinator"), "{error}");
    answering.abort();
    assert_eq!(Enrolment::load(place.path()).unwrap(), None);
    place.enrol(&peer).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_health_page_tells_the_installer_without_a_coordinator() {
    let settings = "[[camera]]\nname = \"<gate & yard>\"\nurl = \"rtsp://127.0.0.1:9/none\"\n";
    let place = Place::new(settings);
    let agent = place.run().await;
    let base = format!("http://{}", agent.handle.status_address.unwrap());
    let client = reqwest::Client::new();
    let get = async |path: &str, language: &str| {
        let request = client
            .get(format!("{base}{path}"))
            .header("Accept-Language", language);
        let answer = request.send().await.unwrap();
        assert!(answer.status().is_success(), "{path}");
        let policy = answer.headers()["content-security-policy"]
            .to_str()
            .unwrap();
        assert!(policy.contains("default-src 'none'"));
        answer.text().await.unwrap()
    };
    let mut changes = agent.handle.site.changes();
    tokio::time::timeout(PATIENCE, async {
        while !agent.handle.site.streams().iter().any(|stream| {
            matches!(
                stream.state,
                shared::wire::control::StreamState::Down { .. }
            )
        }) {
            changes.changed().await.unwrap();
        }
    })
    .await
    .expect("the camera is known to be unreachable");
    let page = get("/", "en-GB,en;q=0.5").await;
    assert!(page.contains("<html lang=\"en\" dir=\"ltr\">"), "{page}");
    assert!(
        page.contains("&lt;gate &amp; yard&gt;"),
        "names are escaped: {page}"
    );
    assert!(page.contains("Nothing answers at the camera"), "{page}");
    assert!(page.contains("cctv-agent enroll"), "{page}");
    for page in [get("/", "ar-AE").await, get("/?lang=ar", "en").await] {
        assert!(page.contains("<html lang=\"ar\" dir=\"rtl\">"), "{page}");
        assert!(page.contains("لا يوجد ردّ من عنوان الكاميرا"), "{page}");
    }
    assert!(
        !get("/", "en").await.contains("http://www"),
        "nothing from elsewhere"
    );
    assert!(get("/page.css", "en").await.contains("inline-size"));
    let report: serde_json::Value = serde_json::from_str(&get("/api/status", "en").await).unwrap();
    assert_eq!(report["cameras"][0]["state"], "down");
    assert_eq!(
        report["cameras"][0]["message"]["code"],
        "camera_unreachable"
    );
    assert_eq!(report["uplink"]["state"], "not_enrolled");
    let metrics = get("/metrics", "en").await;
    assert!(
        metrics.contains("cctv_agent_camera_up{camera=\"<gate & yard>\"} 0"),
        "{metrics}"
    );
    assert!(
        metrics.contains("cctv_agent_uplink_connected 0"),
        "{metrics}"
    );
    assert!(metrics.ends_with("# EOF\n"), "{metrics}");
    agent.stop().await;
}
