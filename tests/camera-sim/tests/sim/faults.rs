//! Every fault does what it says, and the camera is well again afterwards.

use std::sync::Arc;
use std::time::{Duration, Instant};

use camera_sim::{
    Audio, CameraConfig, CameraHandle, Fault, FaultError, KeepAliveRefusal, OddSdp, Rendition,
    SimClock, Simulator, SimulatorConfig,
};
use rtsp_types::headers::CSEQ;
use rtsp_types::{Method, StatusCode};
use shared::time::WallTime;
use url::Url;

use crate::client::{Client, Options, until_viewers};
use crate::raw::Raw;
use crate::streams::{assert_consecutive, small, start};

struct World {
    simulator: Simulator,
    camera: CameraHandle,
    url: Url,
}

impl World {
    async fn of(config: CameraConfig) -> Self {
        Self::from(start(config).await)
    }

    fn from(simulator: Simulator) -> Self {
        let camera = simulator.camera("cam1").expect("exists");
        let url = simulator.url("cam1", Rendition::Main);
        Self {
            simulator,
            camera,
            url,
        }
    }

    async fn play(&self) -> Client {
        Client::play(&self.url, &Options::default())
            .await
            .expect("plays")
    }

    async fn play_udp(&self) -> Client {
        let options = Options {
            udp: true,
            ..Options::default()
        };
        Client::play(&self.url, &options).await.expect("plays")
    }

    async fn refuses(&self) -> String {
        let refusal = Client::play(&self.url, &Options::default()).await;
        refusal.err().expect("is refused").to_string()
    }

    async fn is_well(&self) {
        self.play().await.frames(3).await.expect("frames");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_resets_connections_and_refuses_new_ones_until_it_ends() {
    let world = World::of(small("cam1")).await;
    let mut client = world.play().await;
    client.frames(3).await.expect("frames");
    let mut raw = Raw::connect(world.simulator.address()).await;
    raw.play(&world.url).await;
    let begun = Instant::now();
    world
        .camera
        .fault_for(Fault::Cut, Duration::from_millis(700))
        .expect("possible");
    client.until_end().await;
    let error = crate::client::within(raw.next_answer())
        .await
        .expect_err("cut");
    let kind = error
        .downcast_ref::<std::io::Error>()
        .map(std::io::Error::kind);
    assert_eq!(kind, Some(std::io::ErrorKind::ConnectionReset));
    until_viewers(&world.camera, 0).await;
    while Client::play(&world.url, &Options::default()).await.is_err() {
        assert!(
            begun.elapsed() < Duration::from_secs(10),
            "does not come back"
        );
    }
    assert!(
        begun.elapsed() >= Duration::from_millis(700),
        "came back too early"
    );
    world.is_well().await;
    world.simulator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refusing_lets_running_sessions_go_on() {
    let world = World::of(small("cam1")).await;
    let mut client = world.play().await;
    client.frames(3).await.expect("frames");
    world.camera.fault(Fault::Refuse).expect("possible");
    world.refuses().await;
    client.frames(20).await.expect("goes on");
    assert_consecutive(&client.received.numbers());
    world.camera.clear();
    world.is_well().await;
    world.simulator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stall_sends_nothing_and_ends_with_a_key_frame() {
    let world = World::of(CameraConfig {
        gop_frames: 10,
        ..small("cam1")
    })
    .await;
    let mut client = world.play().await;
    client.frames(5).await.expect("frames");
    let before = client.received.frames.len();
    world
        .camera
        .fault_for(Fault::Stall, Duration::from_millis(1000))
        .expect("possible");
    client.frames(before + 30).await.expect("goes on");
    let numbers = client.received.numbers();
    let gap = numbers
        .windows(2)
        .position(|pair| pair[1] != pair[0] + 1)
        .expect("frames are missing");
    assert!(numbers[gap + 1] - numbers[gap] >= 28, "{numbers:?}");
    assert!(client.received.frames[gap + 1].key);
    assert_consecutive(&numbers[gap + 1..]);
    world.simulator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stalled_camera_answers_when_the_stall_is_over() {
    let world = World::of(small("cam1")).await;
    let mut raw = Raw::connect(world.simulator.address()).await;
    world.camera.fault(Fault::Stall).expect("possible");
    raw.send(Method::Options, &world.url).await.expect("sent");
    let early = tokio::time::timeout(Duration::from_millis(200), raw.next_answer()).await;
    assert!(early.is_err(), "answered during the stall");
    world.camera.clear();
    let answer = crate::client::within(raw.next_answer())
        .await
        .expect("an answer");
    assert_eq!(answer.status(), StatusCode::Ok);
    world.simulator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn loss_and_reordering_are_seen_by_the_client() {
    for fault in [
        Fault::Loss { fraction: 0.2 },
        Fault::Reorder { fraction: 0.3 },
    ] {
        let world = World::of(CameraConfig {
            bitrate: 2_000_000,
            noise: 8,
            gop_frames: 5,
            ..small("cam1")
        })
        .await;
        world.camera.fault(fault.clone()).expect("possible");
        let mut client = world.play_udp().await;
        let damaged = client
            .until(|received| received.frames.iter().any(|frame| frame.loss > 0))
            .await;
        damaged.unwrap_or_else(|error| panic!("{fault:?}: {error}"));
        world.simulator.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn timestamps_jump_once_and_reports_follow() {
    let world = World::of(small("cam1")).await;
    let mut client = world.play().await;
    client.frames(5).await.expect("frames");
    world
        .camera
        .fault(Fault::RtpJump { ticks: 900_000 })
        .expect("possible");
    let jumped = |pair: &[i64]| pair[1] - pair[0] == 903_000;
    client
        .until(|received| {
            let times: Vec<_> = received
                .frames
                .iter()
                .map(|frame| frame.timestamp)
                .collect();
            let reports: Vec<_> = received
                .reports
                .iter()
                .map(|report| report.timestamp)
                .collect();
            times.windows(2).any(jumped)
                && reports
                    .windows(2)
                    .any(|pair| pair[1] - pair[0] >= 1_080_000)
        })
        .await
        .expect("a jump in frames and reports");
    assert_consecutive(&client.received.numbers());
    let times: Vec<_> = client
        .received
        .frames
        .iter()
        .map(|frame| frame.timestamp)
        .collect();
    let others = times.windows(2).filter(|pair| !jumped(pair));
    assert!(
        others.clone().all(|pair| pair[1] - pair[0] == 3000),
        "one jump only"
    );
    assert_eq!(others.count() + 2, times.len());
    world.simulator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn timestamps_pass_the_wrap_in_a_new_session() {
    let world = World::of(small("cam1")).await;
    world
        .camera
        .fault(Fault::RtpWrap { after_ms: 800 })
        .expect("possible");
    let mut client = world.play().await;
    client.frames(45).await.expect("frames");
    let times: Vec<_> = client
        .received
        .frames
        .iter()
        .map(|frame| frame.timestamp)
        .collect();
    let wraps = times.iter().filter(|time| **time < 1 << 32).count();
    assert!(
        (10..40).contains(&wraps),
        "{wraps} of {} before the wrap",
        times.len()
    );
    assert!(
        times.windows(2).all(|pair| pair[1] - pair[0] == 3000),
        "a wrap is no jump"
    );
    world.simulator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_picture_changes_its_size_in_band() {
    let world = World::of(small("cam1")).await;
    let mut client = world.play().await;
    client.frames(5).await.expect("frames");
    assert_eq!(client.parameters(), Some((320, 192)));
    world
        .camera
        .fault(Fault::SpsChange {
            width: 640,
            height: 360,
        })
        .expect("possible");
    let count = client.received.frames.len();
    client.frames(count + 40).await.expect("frames");
    assert_eq!(client.parameters(), Some((640, 360)));
    let stamps = client.received.stamps(camera_sim::Codec::H264);
    assert!(stamps.iter().all(Option::is_some), "readable in both sizes");
    world.camera.clear();
    let count = client.received.frames.len();
    client.frames(count + 40).await.expect("frames");
    assert_eq!(client.parameters(), Some((320, 192)));
    world.simulator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_gop_has_one_key_frame() {
    let world = World::of(CameraConfig {
        gop_frames: 5,
        ..small("cam1")
    })
    .await;
    world.camera.fault(Fault::LongGop).expect("possible");
    let mut client = world.play().await;
    client.frames(40).await.expect("frames");
    let keys: Vec<_> = client
        .received
        .frames
        .iter()
        .map(|frame| frame.key)
        .collect();
    assert!(
        keys[0] && keys.iter().filter(|key| **key).count() == 1,
        "{keys:?}"
    );
    world.camera.clear();
    let count = client.received.frames.len();
    client.frames(count + 20).await.expect("frames");
    let keys = client.received.frames[count..]
        .iter()
        .filter(|frame| frame.key)
        .count();
    assert!(keys >= 3, "short GOPs again");
    world.simulator.shutdown().await;
}

/// Whether a description is odd in the way it should be.
type IsOdd = fn(&str) -> bool;

#[tokio::test(flavor = "multi_thread")]
async fn odd_sdps_differ_as_they_say_and_still_play() {
    let world = World::of(CameraConfig {
        audio: Audio::Aac,
        ..small("cam1")
    })
    .await;
    let mut raw = Raw::connect(world.simulator.address()).await;
    let variants: [(OddSdp, IsOdd); 5] = [
        (OddSdp::NoParameterSets, |sdp| !sdp.contains("sprop")),
        (OddSdp::ExtraWhitespace, |sdp| {
            sdp.contains(" ; ") && sdp.contains("  \r\n")
        }),
        (OddSdp::AbsoluteControl, |sdp| {
            sdp.matches("a=control:rtsp://").count() == 3
        }),
        (OddSdp::OddSession, |sdp| sdp.contains("sprop")),
        (OddSdp::BareLineFeeds, |sdp| !sdp.contains('\r')),
    ];
    for (variant, is_odd) in variants {
        world
            .camera
            .fault(Fault::OddSdp { variant })
            .expect("possible");
        let answer = raw
            .ask(Method::Describe, &world.url)
            .await
            .expect("an answer");
        let sdp = String::from_utf8(answer.body().clone()).expect("text");
        assert!(is_odd(&sdp), "{variant:?}: {sdp}");
        let mut client = world.play().await;
        client
            .frames(3)
            .await
            .unwrap_or_else(|error| panic!("{variant:?}: {error}"));
    }
    world.simulator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keep_alives_are_refused_in_every_way() {
    let world = World::of(small("cam1")).await;
    for how in [
        KeepAliveRefusal::NotAllowed,
        KeepAliveRefusal::NotUnderstood,
        KeepAliveRefusal::WrongSequence,
    ] {
        let mut raw = Raw::connect(world.simulator.address()).await;
        raw.play(&world.url).await;
        let answer = raw
            .ask(Method::GetParameter, &world.url)
            .await
            .expect("an answer");
        assert_eq!(answer.status(), StatusCode::Ok, "before the fault");
        world
            .camera
            .fault(Fault::RefuseKeepAlive { how })
            .expect("possible");
        for method in [Method::GetParameter, Method::SetParameter] {
            let answer = raw.ask(method, &world.url).await.expect("an answer");
            let expected = match how {
                KeepAliveRefusal::NotUnderstood => StatusCode::ParameterNotUnderstood,
                _ => StatusCode::MethodNotAllowed,
            };
            assert_eq!(answer.status(), expected);
            let right_sequence = answer
                .header(&CSEQ)
                .is_some_and(|sequence| sequence.as_str() != "0");
            assert_eq!(right_sequence, how != KeepAliveRefusal::WrongSequence);
        }
        let answer = raw
            .ask(Method::Options, &world.url)
            .await
            .expect("an answer");
        assert_eq!(answer.status(), StatusCode::Ok, "OPTIONS still works");
        world.camera.clear();
    }
    let mut raw = Raw::connect(world.simulator.address()).await;
    raw.play(&world.url).await;
    world
        .camera
        .fault(Fault::RefuseKeepAlive {
            how: KeepAliveRefusal::Silence,
        })
        .expect("possible");
    raw.send(Method::GetParameter, &world.url)
        .await
        .expect("sent");
    let answer = raw
        .ask(Method::Options, &world.url)
        .await
        .expect("an answer");
    assert_eq!(
        answer.header(&CSEQ).map(|sequence| sequence.as_str()),
        Some("4"),
        "the third was not answered"
    );
    world
        .camera
        .fault(Fault::RefuseKeepAlive {
            how: KeepAliveRefusal::Close,
        })
        .expect("possible");
    raw.ask(Method::GetParameter, &world.url)
        .await
        .expect_err("closed");
    world.simulator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_without_a_sign_of_life_ends_and_one_with_keep_alives_does_not() {
    let world = World::of(CameraConfig {
        session_timeout_s: 1,
        ..small("cam1")
    })
    .await;
    let mut silent = Raw::connect(world.simulator.address()).await;
    silent.play(&world.url).await;
    let mut lively = Raw::connect(world.simulator.address()).await;
    lively.play(&world.url).await;
    let begun = Instant::now();
    while world.camera.viewers() == 2 {
        assert!(
            begun.elapsed() < Duration::from_secs(10),
            "the silent session does not end"
        );
        lively
            .ask(Method::GetParameter, &world.url)
            .await
            .expect("an answer");
    }
    assert!(begun.elapsed() >= Duration::from_millis(900));
    let how = KeepAliveRefusal::NotAllowed;
    let refusal = Fault::RefuseKeepAlive { how };
    world.camera.fault(refusal).expect("possible");
    let begun = Instant::now();
    while lively.ask(Method::GetParameter, &world.url).await.is_ok() {
        assert!(
            begun.elapsed() < Duration::from_secs(10),
            "a refused keep-alive keeps alive"
        );
    }
    silent.next_answer().await.expect_err("closed");
    world.simulator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_always_401() {
    let world = World::of(small("cam1")).await;
    world.camera.fault(Fault::WrongPassword).expect("possible");
    assert!(world.refuses().await.contains("401") || world.refuses().await.contains("nauthorized"));
    world.camera.clear();
    world.is_well().await;
    world.simulator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn audio_only_has_no_video() {
    let world = World::of(CameraConfig {
        audio: Audio::Pcma,
        ..small("cam1")
    })
    .await;
    world.camera.fault(Fault::AudioOnly).expect("possible");
    let mut client = world.play().await;
    client
        .until(|received| received.audio.len() >= 10)
        .await
        .expect("sound");
    assert!(client.received.frames.is_empty());
    assert_eq!(client.parameters(), None);
    world.simulator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_codec_is_announced() {
    let world = World::of(small("cam1")).await;
    world
        .camera
        .fault(Fault::UnknownCodec {
            encoding: "X-SECRET".into(),
        })
        .expect("possible");
    let mut raw = Raw::connect(world.simulator.address()).await;
    let answer = raw
        .ask(Method::Describe, &world.url)
        .await
        .expect("an answer");
    let sdp = String::from_utf8(answer.body().clone()).expect("text");
    assert!(sdp.contains("a=rtpmap:96 X-SECRET/90000\r\n"), "{sdp}");
    world.simulator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fast_clock_shows_in_timestamps_and_reports() {
    const PPM: i64 = 20_000;
    let clock = Arc::new(SimClock::accelerated(
        WallTime::from_secs(1_900_000_000),
        5.0,
    ));
    let config = SimulatorConfig {
        clock: Some(clock),
        ..SimulatorConfig::of([small("cam1")])
    };
    let world = World::from(Simulator::start(config).await.expect("starts"));
    world
        .camera
        .fault(Fault::ClockSkew { ppm: PPM as f64 })
        .expect("possible");
    let mut client = world.play().await;
    client.frames(300).await.expect("frames");
    let frames = &client.received.frames;
    let (first, last) = (&frames[0], &frames[frames.len() - 1]);
    let true_us = last.sei.expect("SEI").wall_us - first.sei.expect("SEI").wall_us;
    let by_timestamps_us = (last.timestamp - first.timestamp) * 100 / 9;
    let excess_us = true_us * PPM / 1_000_000;
    assert!(
        (by_timestamps_us - true_us - excess_us).abs() < 100,
        "{by_timestamps_us} against {true_us}"
    );
    let reports = &client.received.reports;
    let (first, last) = (reports[0], reports[reports.len() - 1]);
    let by_reports_us = last.wall_us - first.wall_us;
    let by_timestamps_us = (last.timestamp - first.timestamp) * 100 / 9;
    assert!(
        (by_reports_us - by_timestamps_us).abs() < 100,
        "reports agree with timestamps"
    );
    let error_us = last.wall_us - frames[frames.len() - 1].sei.expect("SEI").wall_us;
    assert!(
        reports.len() >= 4 && error_us > -2_100_000,
        "reports run fast too: {error_us}"
    );
    world.simulator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn impossible_faults_are_refused() {
    let world = World::of(CameraConfig {
        width: 320,
        height: 192,
        ..CameraConfig::looped("cam1")
    })
    .await;
    assert!(matches!(
        world.camera.fault(Fault::LongGop),
        Err(FaultError::NeedsLiveScene { .. })
    ));
    assert!(matches!(
        world.camera.fault(Fault::Loss { fraction: 2.0 }),
        Err(FaultError::OutOfRange(_))
    ));
    assert!(matches!(
        world.simulator.camera("cam9"),
        Err(FaultError::NoSuchCamera(_))
    ));
    world.simulator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nonsense_ends_the_connection_and_nothing_else() {
    let world = World::of(small("cam1")).await;
    let mut client = world.play().await;
    let oversized = vec![b'A'; 100_000];
    for nonsense in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        b"\0\x01\x02\r\n\r\n",
        &oversized,
    ] {
        let mut raw = Raw::connect(world.simulator.address()).await;
        // The server may have closed before all of it was sent.
        let _ = raw.send_bytes(nonsense).await;
        crate::client::within(raw.next_answer())
            .await
            .expect_err("closed");
    }
    client.frames(10).await.expect("undisturbed");
    world.simulator.shutdown().await;
}
