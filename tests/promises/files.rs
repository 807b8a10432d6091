//! Whatever lies on the disks of agent and centre opens in programs that know nothing of us, without a complaint.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use camera_sim::{Audio, CameraConfig, Codec, Source};
use shared::time::TimeRange;
use support::wait;
use support::world::SiteSettings;
use tempfile::TempDir;
use tokio::process::Command;

use crate::scenes::{Scene, camera, files, now};

/// Real footage with AAC and B-frames, beside the checkout where there is some.
const REAL: &str = "../shared/testdata/car-gate-768x432-aac.mp4";

/// What a file has to contain: codec of the pictures, of the sound.
type Streams = (&'static str, Option<&'static str>);

#[tokio::test(flavor = "multi_thread")]
async fn ffprobe_reads_every_recording_at_both_ends_without_a_warning() -> Result<()> {
    let directory = TempDir::new()?;
    let (cameras, expected): (Vec<_>, Vec<_>) = cameras().into_iter().unzip();
    let names: Vec<_> = cameras.iter().map(|camera| camera.name.clone()).collect();
    let settings = SiteSettings::default();
    let mut scene = Scene::start(directory.path(), cameras, &settings).await?;
    // A segment that was closed when it was full, and the one that the stop closes.
    let range = TimeRange::starting_at(now(), Duration::from_secs(13));
    let mut folders = BTreeMap::new();
    for (name, streams) in names.iter().zip(expected) {
        scene.recorded(name, range, Duration::from_secs(90)).await?;
        folders.insert(scene.camera_id(name).await?, streams);
    }
    scene.site.stop().await?;

    let here = files(&scene.site.segments_directory())?;
    ensure!(here.len() >= 2 * names.len(), "only {here:?}");
    for file in &here {
        let camera = file
            .components()
            .rev()
            .nth(2)
            .context("no camera's folder")?;
        let camera = camera.as_os_str().to_string_lossy();
        let streams = folders
            .get(&*camera)
            .context("an unknown camera's folder")?;
        expect(file, *streams).await?;
    }

    scene.site.resume().await?;
    let objects = scene.centre.data_directory().join("objects");
    let wanted = ids(&here);
    let there = wait::until("all to be uploaded", Duration::from_secs(90), async || {
        let there = files(&objects)?;
        let missing = wanted.difference(&ids(&there)).count();
        ensure!(missing == 0, "{missing} of {} are missing", wanted.len());
        Ok(there)
    })
    .await?;
    for file in &there {
        complaints("ffprobe", &["-v", "warning", "-show_frames"], file).await?;
    }
    eprintln!(
        "{} files at the agent and {} at the centre, none with a complaint",
        here.len(),
        there.len()
    );
    scene.stop().await
}

fn cameras() -> Vec<(CameraConfig, Streams)> {
    let video = |name: &str, seed, codec, b_frames, audio| CameraConfig {
        codec,
        b_frames,
        audio,
        ..camera(name, seed)
    };
    let mut cameras = vec![
        (
            video("reordered-aac", 1, Codec::H264, 2, Audio::Aac),
            ("h264", Some("aac")),
        ),
        (
            video("h265", 2, Codec::H265, 0, Audio::None),
            ("hevc", None),
        ),
        (
            video("h265-reordered", 3, Codec::H265, 2, Audio::Aac),
            ("hevc", Some("aac")),
        ),
        (
            video("a-law", 4, Codec::H264, 0, Audio::Pcma),
            ("h264", Some("pcm_alaw")),
        ),
        (
            video("mu-law", 5, Codec::H264, 0, Audio::Pcmu),
            ("h264", Some("pcm_mulaw")),
        ),
    ];
    let path = support::repository().join(REAL);
    if path.exists() {
        let real = CameraConfig {
            source: Source::File { path },
            ..CameraConfig::scene("real")
        };
        cameras.push((real, ("h264", Some("aac"))));
    } else {
        eprintln!(
            "SKIPPED: {} is absent; no real footage was recorded",
            path.display()
        );
    }
    cameras
}

/// Both streams are there, every packet of them can be decoded, and nothing is remarked on.
async fn expect(file: &Path, (video, sound): Streams) -> Result<()> {
    let arguments = [
        "-v",
        "warning",
        "-show_frames",
        "-show_entries",
        "stream=codec_name:frame=stream_index",
        "-of",
        "default=nw=1",
    ];
    let said = complaints("ffprobe", &arguments, file).await?;
    let sound = sound.map(|codec| format!("codec_name={codec}"));
    let wanted = [
        Some(format!("codec_name={video}")),
        sound,
        Some("stream_index=0".to_owned()),
    ];
    for wanted in wanted.into_iter().flatten() {
        ensure!(
            said.lines().any(|line| line == wanted),
            "no {wanted} in {}",
            file.display()
        );
    }
    Ok(())
}

/// Runs a program of FFmpeg over a file; gives what it prints, and fails when it complains of anything.
async fn complaints(program: &str, arguments: &[&str], file: &Path) -> Result<String> {
    let output = Command::new(program)
        .args(arguments)
        .arg(file)
        .kill_on_drop(true)
        .output()
        .await
        .with_context(|| format!("running {program}; Debian's package `ffmpeg` has it"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success() && said.is_empty(),
        "{program} says of {}: {said}",
        file.display()
    );
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Agent and centre name a recording's file after it.
fn ids(files: &[PathBuf]) -> BTreeSet<String> {
    let stems = files.iter().filter_map(|file| file.file_stem());
    stems
        .map(|stem| stem.to_string_lossy().into_owned())
        .collect()
}
