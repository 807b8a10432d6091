//! The camera module against the simulator: transports, sign-in, codecs, every fault, and the wall
//! time of pictures against the stamp in them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use camera_sim::stamp::{self, SeiStamp};
use camera_sim::{
    Audio, AuthScheme, CameraConfig, CameraHandle, Codec, Credentials as SimCredentials, Fault,
    KeepAliveRefusal, OddSdp, Rendition, Simulator, SimulatorConfig, SubConfig,
};
use cctv_agent::camera::fanout::{QueueLimits, Subscription};
use cctv_agent::camera::media::{Event, Run, RunStart};
use cctv_agent::camera::quirks::Quirk;
use cctv_agent::camera::source::{Credentials, Source, Transport};
use cctv_agent::camera::{Stream, StreamConfig, Surroundings, stream};
use secrecy::SecretString;
use shared::clock::Clock;
use shared::codec::{AudioCodec, VideoCodec};
use shared::id::CameraId;
use shared::sample::{AudioFrame, Sample};
use shared::segment::StreamKind;
use shared::time::WallTime;
use shared::timeline::Reason;
use shared::wire::control::StreamState;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

/// Longer than anything here should ever take.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a promise of the product allows from the end of a fault to the next picture.
const BACK_WITHIN: Duration = Duration::from_secs(10);

const LIMITS: QueueLimits = QueueLimits {
    bytes: 32 << 20,
    events: 10_000,
};

/// Small pictures with a key frame a second: cheap to encode.
fn small(name: &str) -> CameraConfig {
    CameraConfig {
        width: 320,
        height: 192,
        fps: 10,
        gop_frames: 10,
        bitrate: 200_000,
        ..CameraConfig::scene(name)
    }
}

async fn simulate(cameras: impl IntoIterator<Item = CameraConfig>) -> Simulator {
    Simulator::start(SimulatorConfig::of(cameras))
        .await
        .expect("the simulator starts")
}

/// One stream being pulled, and what it has said so far.
struct Pull {
    stream: Stream,
    subscription: Subscription,
    seen: Vec<Event>,
    /// Says when a fault is over.
    clock: Arc<dyn Clock>,
    cancel: CancellationToken,
    _task: AbortOnDropHandle<()>,
}

impl Pull {
    fn of(source: Source, kind: StreamKind, clock: Arc<dyn Clock>) -> Self {
        let config = StreamConfig {
            camera: CameraId::new(clock.wall()),
            stream: kind,
            name: source.shown(),
            source,
            on_request: kind == StreamKind::Sub,
        };
        let (stream, puller) = stream(config, &Surroundings::new(Arc::clone(&clock)));
        let cancel = CancellationToken::new();
        let task = tokio::spawn(puller.run(cancel.clone()));
        Self {
            subscription: stream.subscribe(LIMITS),
            stream,
            seen: Vec::new(),
            clock,
            cancel,
            _task: AbortOnDropHandle::new(task),
        }
    }

    fn main(simulator: &Simulator, camera: &str) -> Self {
        let url = simulator.url(camera, Rendition::Main);
        let source = Source::new(url, None).expect("a source");
        Self::of(source, StreamKind::Main, simulator.clock())
    }

    async fn next(&mut self) -> Event {
        let event = tokio::time::timeout(PATIENCE, self.subscription.next())
            .await
            .unwrap_or_else(|_| panic!("nothing for {PATIENCE:?} after {}", kinds(&self.seen)))
            .expect("the stream lives on");
        self.seen.push(event.clone());
        event
    }

    /// The first event that `pick` accepts.
    async fn first<T>(&mut self, mut pick: impl FnMut(&Event) -> Option<T>) -> T {
        let give_up = Instant::now() + PATIENCE;
        loop {
            let event = self.next().await;
            if let Some(found) = pick(&event) {
                return found;
            }
            assert!(
                Instant::now() < give_up,
                "not within {PATIENCE:?}, only {}",
                kinds(&self.seen)
            );
        }
    }

    async fn pictures(&mut self, count: usize) -> Vec<(Sample, WallTime)> {
        let mut pictures = Vec::new();
        while pictures.len() < count {
            pictures.push(self.first(picture).await);
        }
        pictures
    }

    async fn run(&mut self) -> Arc<Run> {
        self.first(|event| match event {
            Event::RunStarted(run) => Some(Arc::clone(run)),
            _ => None,
        })
        .await
    }

    async fn run_end(&mut self) -> (Reason, Option<String>) {
        self.first(|event| match event {
            Event::RunEnded { reason, detail, .. } => Some((*reason, detail.clone())),
            _ => None,
        })
        .await
    }

    async fn down(&mut self) -> (Reason, String) {
        self.first(|event| match event {
            Event::Down { reason, detail, .. } => {
                Some((*reason, detail.clone().unwrap_or_default()))
            }
            _ => None,
        })
        .await
    }

    /// Waits for a picture made after `fault` was over, and says how long after that it came.
    async fn back_after(
        &mut self,
        camera: &CameraHandle,
        fault: Fault,
        lasts: Duration,
    ) -> Duration {
        let over = self.clock.wall() + lasts;
        camera.fault_for(fault, lasts).expect("a fault");
        self.first(|event| picture(event).filter(|(_, wall)| *wall >= over))
            .await;
        self.clock.wall().saturating_duration_since(over)
    }
}

fn picture(event: &Event) -> Option<(Sample, WallTime)> {
    match event {
        Event::Video { sample, wall } => Some((sample.clone(), *wall)),
        _ => None,
    }
}

fn sound(event: &Event) -> Option<AudioFrame> {
    match event {
        Event::Audio(frame) => Some(frame.clone()),
        _ => None,
    }
}

fn sei(sample: &Sample) -> SeiStamp {
    stamp::read_sei(&sample.payload).expect("every picture of the simulator is stamped")
}

/// One letter per event, repeated ones counted.
fn kinds(events: &[Event]) -> String {
    let mut kinds: Vec<(String, usize)> = Vec::new();
    for event in events {
        let kind = match event {
            Event::RunStarted(run) => format!("start({:?})", run.started_because),
            Event::Video { .. } => "video".to_owned(),
            Event::Audio(_) => "audio".to_owned(),
            Event::Lost { reason, .. } => format!("lost({reason:?})"),
            Event::RunEnded { reason, detail, .. } => format!("end({reason:?}: {detail:?})"),
            Event::Down { reason, detail, .. } => format!("down({reason:?}: {detail:?})"),
            Event::Skipped { .. } => "skipped".to_owned(),
        };
        match kinds.last_mut() {
            Some((last, count)) if *last == kind => *count += 1,
            _ => kinds.push((kind, 1)),
        }
    }
    let parts: Vec<_> = kinds
        .iter()
        .map(|(kind, count)| format!("{kind}×{count}"))
        .collect();
    parts.join(" ")
}

/// Frame numbers are consecutive, decoding times rise, and wall times are those of the stamps.
fn assert_faithful(pictures: &[(Sample, WallTime)], late_by_at_most_ms: i64) {
    let mut numbers: Vec<_> = pictures
        .iter()
        .map(|(sample, _)| sei(sample).frame)
        .collect();
    assert!(
        pictures
            .windows(2)
            .all(|pair| pair[0].0.dts < pair[1].0.dts)
    );
    assert!(pictures.iter().all(|(sample, _)| sample.dts <= sample.pts));
    numbers.sort_unstable();
    assert!(
        numbers.windows(2).all(|pair| pair[1] == pair[0] + 1),
        "{numbers:?}"
    );
    for (sample, wall) in pictures {
        let late_us = wall.micros_since(WallTime::from_micros(sei(sample).wall_us));
        assert!(
            (-5_000..late_by_at_most_ms * 1_000).contains(&late_us),
            "a picture's wall time is {late_us} µs after it was made"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn h264_over_tcp_is_complete_and_says_when_it_was() {
    let simulator = simulate([small("cam")]).await;
    let mut pull = Pull::main(&simulator, "cam");
    let run = pull.run().await;
    assert_eq!(run.started_because, RunStart::Connected);
    assert_eq!(run.parameters.video.codec, VideoCodec::H264);
    assert_eq!(
        (run.parameters.video.width, run.parameters.video.height),
        (320, 192)
    );
    assert!(run.parameters.video.rfc6381.starts_with("avc1."));
    assert!(run.parameters.audio.is_none());
    assert!(run.wall_uncertainty_us.is_some());
    let pictures = pull.pictures(60).await;
    assert!(pictures[0].0.sync);
    assert_eq!(pictures.iter().filter(|(sample, _)| sample.sync).count(), 6);
    assert_faithful(&pictures, 150);

    let mut status = pull.stream.status();
    let status = tokio::time::timeout(PATIENCE, status.wait_for(|status| status.milli_fps > 9_000))
        .await
        .expect("in time")
        .expect("the task lives");
    assert_eq!(status.state, StreamState::Live);
    assert_eq!(status.run, Some(run.id));
    let offset = status.clock_offset_us.expect("the simulator reports");
    assert!(offset.abs() < 150_000, "{offset}");
    assert!(status.bits_per_second > 10_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn h265_with_reordered_pictures_and_aac_is_complete_and_aligned() {
    let camera = CameraConfig {
        codec: Codec::H265,
        b_frames: 2,
        audio: Audio::Aac,
        ..small("cam")
    };
    let simulator = simulate([camera]).await;
    let mut pull = Pull::main(&simulator, "cam");
    let run = pull.run().await;
    assert_eq!(run.parameters.video.codec, VideoCodec::H265);
    assert!(run.parameters.video.rfc6381.starts_with("hvc1."));
    let audio = run.parameters.audio.clone().expect("sound");
    assert_eq!(audio.codec, AudioCodec::Aac);
    let mut pictures = pull.pictures(61).await;
    // Pictures that are shown after the last one received have holes before them.
    pictures.sort_by_key(|(sample, _)| sample.pts);
    pictures.truncate(56);
    pictures.sort_by_key(|(sample, _)| sample.dts);
    assert!(pictures.iter().any(|(sample, _)| sample.dts < sample.pts));
    let numbers: BTreeSet<_> = pictures
        .iter()
        .map(|(sample, _)| sei(sample).frame)
        .collect();
    assert_eq!(numbers.len(), 56);
    let sounds: Vec<_> = pull.seen.iter().filter_map(sound).collect();
    assert!(sounds.len() > 50, "{} frames of sound", sounds.len());
    assert!(
        sounds
            .windows(2)
            .all(|pair| pair[1].start == pair[0].start + i64::from(pair[0].duration))
    );
    // Sound that came before a picture was also made about then.
    let last_picture_s = pictures.last().expect("pictures").0.pts.as_secs_f64();
    let last_sound = sounds.last().expect("sounds");
    let last_sound_s = last_sound.start as f64 / f64::from(audio.sample_rate);
    assert!(
        (last_picture_s - last_sound_s).abs() < 1.5,
        "{last_picture_s} and {last_sound_s}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn transports_and_ways_to_sign_in() {
    let credentials = || SimCredentials {
        user: "viewer".to_owned(),
        password: "not-in-any-log".to_owned(),
    };
    let digest = CameraConfig {
        credentials: Some(credentials()),
        audio: Audio::Pcma,
        ..small("digest")
    };
    let basic = CameraConfig {
        credentials: Some(credentials()),
        auth: AuthScheme::Basic,
        ..small("basic")
    };
    let simulator = simulate([digest, basic]).await;
    let source = |camera, password: &str| {
        let credentials = Credentials {
            username: "viewer".to_owned(),
            password: SecretString::from(password),
        };
        Source::new(simulator.url(camera, Rendition::Main), Some(credentials)).expect("a source")
    };
    for (camera, transport) in [
        ("digest", Transport::Tcp),
        ("digest", Transport::Udp),
        ("basic", Transport::Tcp),
    ] {
        let source = source(camera, "not-in-any-log").over(transport);
        let mut pull = Pull::of(source, StreamKind::Main, simulator.clock());
        let run = pull.run().await;
        if camera == "digest" {
            let audio = run.parameters.audio.as_ref().expect("sound");
            assert_eq!((audio.codec, audio.sample_rate), (AudioCodec::Pcma, 8_000));
            pull.first(sound).await;
        }
        assert_faithful(&pull.pictures(20).await, 150);
    }

    for camera in ["digest", "basic"] {
        let mut pull = Pull::of(
            source(camera, "wrong-secret"),
            StreamKind::Main,
            simulator.clock(),
        );
        let (reason, detail) = pull.down().await;
        assert_eq!(reason, Reason::CameraRefusedCredentials, "{detail}");
        assert!(detail.contains("check user name and password"), "{detail}");
        assert!(!detail.contains("wrong-secret"), "{detail}");
        let status = pull.stream.status().borrow().clone();
        assert!(matches!(status.state, StreamState::Down { .. }));
    }
    let mut pull = Pull::main(&simulator, "digest");
    let (reason, detail) = pull.down().await;
    assert_eq!(reason, Reason::CameraRefusedCredentials);
    assert!(detail.contains("none is configured"), "{detail}");
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_addresses_are_told_apart() {
    let simulator = simulate([small("cam")]).await;
    let clock: Arc<dyn Clock> = simulator.clock();
    let down = |address: String| {
        let source = Source::new(address.parse().expect("an address"), None).expect("a source");
        let mut pull = Pull::of(source, StreamKind::Main, Arc::clone(&clock));
        async move { pull.down().await }
    };

    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = free.local_addr().unwrap();
    drop(free);
    let (reason, detail) = down(format!("rtsp://{nobody}/cam")).await;
    assert_eq!(reason, Reason::CameraUnreachable, "{detail}");

    let (reason, detail) = down(format!("rtsp://{}/nowhere", simulator.address())).await;
    assert_eq!(reason, Reason::CameraProtocolError, "{detail}");
    assert!(detail.contains("no stream at this path"), "{detail}");

    let web = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = web.local_addr().unwrap();
    let server = tokio::spawn(async move {
        while let Ok((mut connection, _)) = web.accept().await {
            use tokio::io::AsyncWriteExt;
            let _ = connection
                .write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
                .await;
        }
    });
    let (reason, detail) = down(format!("rtsp://{address}/cam")).await;
    assert_eq!(reason, Reason::CameraProtocolError, "{detail}");
    server.abort();

    let (reason, detail) = down(format!("rtsps://{}/cam/main", simulator.address())).await;
    assert_eq!(reason, Reason::CameraProtocolError, "{detail}");
    assert!(detail.contains("TLS"), "{detail}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sub_stream_is_pulled_once_and_only_while_it_is_held() {
    let camera = CameraConfig {
        sub: Some(SubConfig::default()),
        ..small("cam")
    };
    let simulator = simulate([camera]).await;
    let viewers = || simulator.camera("cam").expect("it").viewers();
    let source = Source::new(simulator.url("cam", Rendition::Sub), None).expect("a source");
    let mut pull = Pull::of(source, StreamKind::Sub, simulator.clock());
    let mut status = pull.stream.status();
    assert_eq!(status.borrow_and_update().state, StreamState::Off);
    assert_eq!(viewers(), 0);
    let holds = [pull.stream.hold(), pull.stream.hold()];
    let mut second = pull.stream.subscribe(LIMITS);
    pull.pictures(3).await;
    assert_eq!(viewers(), 1);
    assert!(second.try_next().is_some());
    drop(holds);
    let (reason, _) = pull.run_end().await;
    assert_eq!(reason, Reason::RecordingOff);
    tokio::time::timeout(
        PATIENCE,
        status.wait_for(|status| status.state == StreamState::Off),
    )
    .await
    .expect("in time")
    .expect("the task lives");
    let _again = pull.stream.hold();
    pull.run().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_and_restarting_end_the_run_with_their_reasons() {
    let simulator = simulate([small("cam")]).await;
    let mut pull = Pull::main(&simulator, "cam");
    let first = pull.run().await;
    pull.pictures(3).await;
    pull.stream.restart();
    assert_eq!(pull.run_end().await.0, Reason::OperatorRestart);
    assert_eq!(pull.down().await.0, Reason::OperatorRestart);
    let second = pull.run().await;
    assert_ne!(first.id, second.id);
    pull.pictures(3).await;
    pull.cancel.cancel();
    assert_eq!(pull.run_end().await.0, Reason::AgentStopped);
}

/// What must be seen during a fault besides the return of pictures.
type Check = fn(&[Event]) -> bool;

fn ended_with(reason: Reason) -> impl Fn(&[Event]) -> bool {
    move |events| {
        events
            .iter()
            .any(|event| matches!(event, Event::RunEnded { reason: r, .. } if *r == reason))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_camera_is_back_within_ten_seconds_of_the_end_of_every_fault() {
    struct Case {
        name: &'static str,
        fault: Fault,
        lasts: Duration,
        /// Sessions that run do not notice the fault.
        restart: bool,
        check: Check,
    }
    let seconds = Duration::from_secs;
    // Every check names the entry that the ledger will have.
    let cases = [
        Case {
            name: "cut",
            fault: Fault::Cut,
            lasts: seconds(12),
            restart: false,
            check: |events| ended_with(Reason::CameraDisconnected)(events),
        },
        Case {
            name: "refuse",
            fault: Fault::Refuse,
            lasts: seconds(12),
            restart: true,
            check: |events| ended_with(Reason::OperatorRestart)(events),
        },
        Case {
            name: "short-stall",
            fault: Fault::Stall,
            lasts: seconds(5),
            restart: false,
            check: |events| {
                let lost = |event: &&Event| {
                    matches!(event, Event::Lost { from, to, reason: Reason::CameraStalled }
                        if to.micros_since(*from) > 4_000_000)
                };
                events.iter().filter(lost).count() == 1
            },
        },
        Case {
            name: "long-stall",
            fault: Fault::Stall,
            lasts: seconds(18),
            restart: false,
            check: |events| ended_with(Reason::CameraStalled)(events),
        },
        Case {
            name: "audio-only",
            fault: Fault::AudioOnly,
            lasts: seconds(15),
            restart: true,
            check: |events| {
                events.iter().any(|event| {
                    matches!(event, Event::Down { reason: Reason::CameraProtocolError, detail: Some(detail), .. }
                        if detail.contains("describes no video"))
                })
            },
        },
        Case {
            name: "unknown-codec",
            fault: Fault::UnknownCodec {
                encoding: "X-SECRET".to_owned(),
            },
            lasts: seconds(15),
            restart: true,
            check: |events| {
                events.iter().any(|event| {
                    matches!(event, Event::Down { reason: Reason::CameraCodecUnsupported, detail: Some(detail), .. }
                        if detail.contains("x-secret"))
                })
            },
        },
        Case {
            name: "loss",
            fault: Fault::Loss { fraction: 0.2 },
            lasts: seconds(4),
            restart: false,
            check: |events| {
                events.iter().any(|event| {
                    matches!(
                        event,
                        Event::Lost {
                            reason: Reason::PacketsLost,
                            ..
                        }
                    )
                })
            },
        },
    ];
    let cameras = cases.iter().map(|case| CameraConfig {
        audio: Audio::Pcmu,
        ..small(case.name)
    });
    let simulator = simulate(cameras).await;
    let runs = cases.iter().map(|case| {
        let simulator = &simulator;
        async move {
            let camera = simulator.camera(case.name).expect("it");
            let mut pull = Pull::main(simulator, case.name);
            pull.pictures(5).await;
            if case.restart {
                pull.stream.restart();
            }
            let after = pull
                .back_after(&camera, case.fault.clone(), case.lasts)
                .await;
            assert!(
                after <= BACK_WITHIN,
                "{}: back {after:?} after its end; {}",
                case.name,
                kinds(&pull.seen)
            );
            assert!(
                (case.check)(&pull.seen),
                "{}: {}",
                case.name,
                kinds(&pull.seen)
            );
        }
    });
    futures::future::join_all(runs).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_that_need_no_new_session_begin_a_run_or_nothing() {
    let names = ["jump-ahead", "jump-back", "wrap", "sps", "long-gop", "skew"];
    let simulator = simulate(names.map(small)).await;
    let camera = |name: &str| simulator.camera(name).expect("it");
    camera("wrap")
        .fault(Fault::RtpWrap { after_ms: 3_000 })
        .expect("a fault");
    camera("long-gop").fault(Fault::LongGop).expect("a fault");

    let jump = |name: &'static str, ticks: i64| {
        let (simulator, camera) = (&simulator, camera(name));
        async move {
            let mut pull = Pull::main(simulator, name);
            pull.pictures(15).await;
            camera.fault(Fault::RtpJump { ticks }).expect("a fault");
            let (reason, detail) = pull.run_end().await;
            assert_eq!(reason, Reason::CameraClockJumped, "{name}: {detail:?}");
            let run = pull.run().await;
            assert_eq!(run.started_because, RunStart::ClockJumped);
            pull.pictures(20).await;
            let pictures: Vec<_> = pull.seen.iter().filter_map(picture).collect();
            let numbers: Vec<_> = pictures
                .iter()
                .map(|(sample, _)| sei(sample).frame)
                .collect();
            assert!(
                numbers.windows(2).all(|pair| pair[1] == pair[0] + 1),
                "{numbers:?}"
            );
            let tail = &pictures[pictures.len() - 20..];
            assert_faithful(tail, 200);
        }
    };
    let wrap = async {
        let mut pull = Pull::main(&simulator, "wrap");
        assert_faithful(&pull.pictures(60).await, 150);
        assert!(!kinds(&pull.seen).contains("end("), "{}", kinds(&pull.seen));
    };
    let sps = async {
        let mut pull = Pull::main(&simulator, "sps");
        pull.pictures(15).await;
        let fault = Fault::SpsChange {
            width: 480,
            height: 272,
        };
        camera("sps").fault(fault).expect("a fault");
        let (reason, detail) = pull.run_end().await;
        assert_eq!(reason, Reason::CameraParametersChanged, "{detail:?}");
        let run = pull.run().await;
        assert_eq!(run.started_because, RunStart::ParametersChanged);
        assert_eq!(run.parameters.video.width, 480);
        assert!(pull.pictures(10).await[0].0.sync);
        let status = pull.stream.status().borrow().clone();
        assert_eq!(status.sessions, 1, "no new session is needed");
    };
    let long_gop = async {
        let mut pull = Pull::main(&simulator, "long-gop");
        let pictures = pull.pictures(150).await;
        assert_eq!(pictures.iter().filter(|(sample, _)| sample.sync).count(), 1);
        assert_faithful(&pictures, 150);
        // A newcomer is given the GOP from its beginning.
        let mut late = pull.stream.subscribe(LIMITS);
        assert!(matches!(late.try_next(), Some(Event::RunStarted(_))));
        let first = late.try_next().as_ref().and_then(picture);
        assert!(first.is_some_and(|(sample, _)| sample.sync));
    };
    let skew = async {
        let mut pull = Pull::main(&simulator, "skew");
        pull.pictures(5).await;
        // A hundred times what a bad crystal does would be cut; 400 ppm must be followed.
        camera("skew")
            .fault(Fault::ClockSkew { ppm: 400.0 })
            .expect("a fault");
        assert_faithful(&pull.pictures(150).await, 150);
        assert!(!kinds(&pull.seen).contains("end("), "{}", kinds(&pull.seen));
    };
    tokio::join!(
        jump("jump-ahead", 90_000 * 3_600),
        jump("jump-back", -90_000 * 7),
        wrap,
        sps,
        long_gop,
        skew
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_descriptions_are_understood() {
    let odd = [
        (OddSdp::NoParameterSets, "a"),
        (OddSdp::ExtraWhitespace, "b"),
        (OddSdp::AbsoluteControl, "c"),
        (OddSdp::OddSession, "d"),
        (OddSdp::BareLineFeeds, "e"),
    ];
    let cameras = odd.map(|(_, name)| CameraConfig {
        audio: Audio::Pcma,
        codec: if name < "c" { Codec::H265 } else { Codec::H264 },
        ..small(name)
    });
    let simulator = simulate(cameras).await;
    let runs = odd.map(|(variant, name)| {
        let simulator = &simulator;
        async move {
            let camera = simulator.camera(name).expect("it");
            camera.fault(Fault::OddSdp { variant }).expect("a fault");
            let mut pull = Pull::main(simulator, name);
            assert_faithful(&pull.pictures(15).await, 200);
            pull.first(sound).await;
        }
    });
    futures::future::join_all(runs).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keep_alives_may_be_refused_and_pictures_go_on() {
    let ways = [
        (KeepAliveRefusal::NotAllowed, "a", None),
        (KeepAliveRefusal::NotUnderstood, "b", None),
        (
            KeepAliveRefusal::WrongSequence,
            "c",
            Some(Quirk::MisnumberedKeepAlive),
        ),
        // Ends the session in the moment in which the silence would be noticed.
        (KeepAliveRefusal::Silence, "d", None),
        (KeepAliveRefusal::Close, "e", None),
    ];
    let cameras = ways.map(|(_, name, _)| CameraConfig {
        // Keep-alives go out every 5.5 seconds.
        session_timeout_s: 11,
        ..small(name)
    });
    let simulator = simulate(cameras).await;
    let runs = ways.map(|(how, name, quirk)| {
        let simulator = &simulator;
        async move {
            let camera = simulator.camera(name).expect("it");
            camera
                .fault(Fault::RefuseKeepAlive { how })
                .expect("a fault");
            let mut pull = Pull::main(simulator, name);
            let pictures = pull.pictures(160).await;
            let status = pull.stream.status().borrow().clone();
            // A camera may end the session for want of a keep-alive; then the next begins at once.
            let numbers = pictures.iter().map(|(sample, _)| sei(sample).frame);
            let numbers: BTreeSet<_> = numbers.collect();
            let (first, last) = (numbers.first().unwrap(), numbers.last().unwrap());
            let missing = last - first + 1 - 160;
            assert!(
                missing <= 20 * (status.sessions - 1),
                "{name}: {missing} pictures are missing: {}",
                kinds(&pull.seen)
            );
            assert!(status.sessions <= 3, "{name}: {}", kinds(&pull.seen));
            if let Some(quirk) = quirk {
                assert!(status.quirks.has(quirk), "{name}: {:?}", status.quirks);
            }
        }
    });
    futures::future::join_all(runs).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_password_is_not_tried_again_until_somebody_asks() {
    let camera = CameraConfig {
        credentials: Some(SimCredentials {
            user: "viewer".to_owned(),
            password: "right".to_owned(),
        }),
        ..small("cam")
    };
    let simulator = simulate([camera]).await;
    let handle = simulator.camera("cam").expect("it");
    handle.fault(Fault::WrongPassword).expect("a fault");
    let credentials = Credentials {
        username: "viewer".to_owned(),
        password: SecretString::from("right"),
    };
    let url = simulator.url("cam", Rendition::Main);
    let source = Source::new(url, Some(credentials)).expect("a source");
    let mut pull = Pull::of(source, StreamKind::Main, simulator.clock());
    assert_eq!(pull.down().await.0, Reason::CameraRefusedCredentials);
    handle.clear();
    let quiet = tokio::time::timeout(Duration::from_secs(5), pull.subscription.next()).await;
    assert!(quiet.is_err(), "tried again at once: {quiet:?}");
    pull.stream.restart();
    pull.pictures(3).await;
}
