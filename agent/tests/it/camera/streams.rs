//! What comes from a camera that does nothing wrong.

use std::collections::BTreeSet;

use camera_sim::{
    Audio, AuthScheme, CameraConfig, Codec, Credentials as SimCredentials, Fault, OddSdp,
    Rendition, SubConfig,
};
use cctv_agent::camera::media::RunStart;
use cctv_agent::camera::source::{Credentials, Source, Transport};
use secrecy::SecretString;
use shared::codec::{AudioCodec, VideoCodec};
use shared::segment::StreamKind;
use shared::timeline::Reason;
use shared::wire::control::StreamState;

use super::{LIMITS, PATIENCE, Pull, assert_faithful, sei, simulate, small, sound};

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
