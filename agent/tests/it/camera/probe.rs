//! The report on a camera, against what the simulator was told to send.

use std::time::Duration;

use camera_sim::{Audio, CameraConfig, Codec, Credentials, Fault, Rendition, Simulator};
use cctv_agent::camera::probe::{Grade, Playability, ProbeError, ProbeReport, measure};
use cctv_agent::camera::source::Source;
use shared::codec::{AudioCodec, VideoCodec};
use shared::timeline::Reason;
use tokio::time::Instant;

use super::{simulate, small};

async fn probe(
    simulator: &Simulator,
    camera: &str,
    seconds: u64,
) -> Result<ProbeReport, ProbeError> {
    let source = Source::new(simulator.url(camera, Rendition::Main), None).expect("a source");
    let lasts = Duration::from_secs(seconds);
    measure(&source, lasts, simulator.clock().as_ref()).await
}

fn codes(report: &ProbeReport) -> Vec<&'static str> {
    report
        .verdicts
        .iter()
        .map(|verdict| verdict.message.code)
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plain_camera_is_measured_as_it_is() {
    let simulator = simulate([CameraConfig {
        audio: Audio::Aac,
        ..small("cam")
    }])
    .await;
    let report = probe(&simulator, "cam", 5).await.expect("a report");
    let video = &report.video;
    assert_eq!(video.codec, VideoCodec::H264);
    assert_eq!((video.width, video.height), (320, 192));
    assert!((9.0..11.0).contains(&video.frames_per_second), "{report}");
    assert!(video.profile.is_some() && video.level.is_some(), "{report}");
    assert!(!video.gop.longer_than_observed && !video.reordered);
    assert_eq!(
        (video.gop.pictures.least, video.gop.pictures.most),
        (10, 10)
    );
    assert!((0.9..1.1).contains(&video.gop.seconds.mean), "{report}");
    assert_eq!(video.browsers, Playability::All);
    assert!(video.bits_per_second > 10_000, "{report}");
    let audio = report.audio.as_ref().expect("sound");
    assert_eq!(audio.codec, Some(AudioCodec::Aac));
    assert!(audio.heard);
    assert_eq!(report.lost_packets, 0);
    assert!(
        report.clock.offset_ms.expect("reports").abs() < 150.0,
        "{report}"
    );
    assert_eq!(codes(&report), ["probe_all_good"], "{report}");
    let json = serde_json::to_value(&report).expect("JSON");
    assert_eq!(json["verdicts"][0]["grade"], "good");
    assert!(json["verdicts"][0]["ar"].is_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_installer_should_know_is_said() {
    let reordering = CameraConfig {
        codec: Codec::H265,
        b_frames: 2,
        audio: Audio::Pcmu,
        ..small("reordering")
    };
    let simulator = simulate([reordering, small("smart"), small("lossy")]).await;
    let camera = |name| simulator.camera(name).expect("it");
    camera("smart").fault(Fault::LongGop).expect("a fault");
    camera("lossy")
        .fault(Fault::Loss { fraction: 0.1 })
        .expect("a fault");
    let (reordering, smart, lossy) = tokio::join!(
        probe(&simulator, "reordering", 4),
        probe(&simulator, "smart", 4),
        probe(&simulator, "lossy", 4),
    );
    let reordering = reordering.expect("a report");
    assert!(reordering.video.reordered);
    assert_eq!(reordering.video.browsers, Playability::Some);
    for code in [
        "probe_reordered",
        "probe_h265_browsers",
        "probe_sound_not_in_browsers",
    ] {
        assert!(codes(&reordering).contains(&code), "{reordering}");
    }
    let smart = smart.expect("a report");
    assert!(smart.video.gop.longer_than_observed);
    assert!(smart.video.gop.pictures.most > 30, "{smart}");
    assert!(codes(&smart).contains(&"probe_gop_unknown"), "{smart}");
    let lossy = lossy.expect("a report");
    assert!(lossy.lost_packets > 0);
    assert_eq!(lossy.verdicts[0].grade, Grade::Problem, "{lossy}");
}

#[tokio::test(flavor = "multi_thread")]
async fn there_is_an_answer_within_twenty_seconds_whatever_the_camera_does() {
    let locked = CameraConfig {
        credentials: Some(Credentials {
            user: "viewer".to_owned(),
            password: "unknown".to_owned(),
        }),
        ..small("locked")
    };
    let simulator = simulate([small("dead"), locked]).await;
    simulator
        .camera("dead")
        .and_then(|camera| camera.fault(Fault::Stall))
        .expect("a fault");
    let began = Instant::now();
    let (dead, locked) = tokio::join!(
        probe(&simulator, "dead", 15),
        probe(&simulator, "locked", 15)
    );
    assert!(
        began.elapsed() < Duration::from_secs(20),
        "{:?}",
        began.elapsed()
    );
    // It is there, and silent.
    assert_eq!(dead.expect_err("no picture").reason, Reason::CameraStalled);
    let locked = locked.expect_err("no password");
    assert_eq!(locked.reason, Reason::CameraRefusedCredentials);
}
