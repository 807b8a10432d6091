//! MP4 files as cameras. The files are made here with the `ffmpeg` program; real footage is used where it is present.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use camera_sim::{CameraConfig, Codec, Rendition, SimClock, Simulator, SimulatorConfig, decode};
use shared::time::WallTime;
use tempfile::TempDir;

use crate::client::{Client, Options};

/// Two seconds of test picture and a tone.
fn make(folder: &TempDir, name: &str, video: &[&str]) -> PathBuf {
    let path = folder.path().join(name);
    let inputs = [
        "-f",
        "lavfi",
        "-i",
        "testsrc2=size=320x192:rate=25",
        "-f",
        "lavfi",
        "-i",
        "sine",
    ];
    let made = Command::new("ffmpeg")
        .args(["-hide_banner", "-loglevel", "error", "-y"])
        .args(inputs)
        .args(["-t", "2", "-pix_fmt", "yuv420p", "-c:a", "aac"])
        .args(video)
        .arg(&path)
        .status()
        .expect("the ffmpeg program is installed");
    assert!(made.success());
    path
}

/// Plays a file at thirty times the speed for more than two rounds and checks the seams.
async fn check(path: &Path, codec: Codec, frames_per_round: usize, ticks_per_frame: i64) {
    let clock = Arc::new(SimClock::accelerated(
        WallTime::from_secs(1_900_000_000),
        30.0,
    ));
    let config = SimulatorConfig {
        clock: Some(clock),
        ..SimulatorConfig::of([CameraConfig::file("cam1", path)])
    };
    let simulator = Simulator::start(config).await.expect("starts");
    let url = simulator.url("cam1", Rendition::Main);
    let mut client = Client::play(&url, &Options::default())
        .await
        .expect("plays");
    client
        .frames(frames_per_round * 5 / 2)
        .await
        .expect("frames");
    let received = &client.received;
    let mut frames: Vec<_> = received
        .frames
        .iter()
        .map(|f| (f.sei.expect("SEI").frame, f.timestamp))
        .collect();
    frames.sort_unstable();
    frames.truncate(frames.len() - 4);
    for pair in frames.windows(2) {
        assert_eq!(pair[1].0, pair[0].0 + 1, "no frame is missing");
        assert_eq!(
            pair[1].1 - pair[0].1,
            ticks_per_frame,
            "a break at frame {}",
            pair[1].0
        );
    }
    let pictures = received.stamps(codec).len();
    assert!(
        pictures + 4 >= received.frames.len(),
        "{pictures} of {} decode",
        received.frames.len()
    );
    let sound: Vec<_> = received
        .audio
        .iter()
        .map(|(timestamp, _)| *timestamp)
        .collect();
    assert!(sound.len() > frames_per_round, "has sound");
    assert!(
        sound.windows(2).all(|pair| pair[1] - pair[0] == 1024),
        "sound without a break"
    );
    simulator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_h264_file_with_b_frames_and_sound_loops_without_a_break() {
    let folder = TempDir::new().expect("a folder");
    let path = make(
        &folder,
        "h264.mp4",
        &["-c:v", "libx264", "-bf", "2", "-g", "25"],
    );
    check(&path, Codec::H264, 50, 3600).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn h265_files_of_both_kinds_loop_without_a_break() {
    let folder = TempDir::new().expect("a folder");
    for tag in ["hvc1", "hev1"] {
        let video = [
            "-c:v",
            "libx265",
            "-x265-params",
            "log-level=error:bframes=2:open-gop=0",
            "-tag:v",
            tag,
        ];
        let path = make(&folder, &format!("{tag}.mp4"), &video);
        check(&path, Codec::H265, 50, 3600).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn real_footage_plays() {
    let folder = Path::new("../../../shared/testdata");
    if !folder.exists() {
        eprintln!(
            "SKIPPED: no real footage, because {} does not exist",
            folder.display()
        );
        return;
    }
    check(
        &folder.join("car-gate-768x432-aac.mp4"),
        Codec::H264,
        375,
        7200,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_mp4_is_refused_with_its_name() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("text.mp4");
    std::fs::write(&path, "this is no film").expect("written");
    for path in [path, folder.path().join("missing.mp4")] {
        let config = SimulatorConfig::of([CameraConfig::file("cam1", &path)]);
        let error = Simulator::start(config)
            .await
            .expect_err("is refused")
            .to_string();
        assert!(error.contains("cam1") && error.contains(".mp4"), "{error}");
    }
}

#[test]
fn an_mp4_is_decoded_from_a_file_and_from_bytes() {
    let folder = TempDir::new().expect("a folder");
    let path = make(&folder, "plain.mp4", &["-c:v", "libx264", "-bf", "2"]);
    let from_file = decode::stamps_of_mp4(path.as_path()).expect("decodes");
    let bytes = std::fs::read(&path).expect("read");
    assert_eq!(from_file, decode::stamps_of_mp4(&bytes).expect("decodes"));
    assert_eq!(from_file.len(), 50);
    assert!(
        from_file.iter().all(|(_, stamp)| stamp.is_none()),
        "no stamps in a test picture"
    );
    assert!(
        from_file
            .windows(2)
            .all(|pair| pair[1].0 - pair[0].0 == 3600)
    );
    assert_eq!(decode::sei_stamps_of_mp4(&bytes).expect("reads").len(), 50);
    assert!(decode::stamps_of_mp4(&b"nonsense"[..]).is_err());
}
