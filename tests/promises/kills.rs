//! A program that is killed loses at most the last second, at the centre nothing, and leaves no gap without a reason.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use rand::RngExt as _;
use serde_json::Value;
use shared::time::{TimeRange, WallTime};
use support::world::SiteSettings;
use tempfile::TempDir;

use crate::scenes::{Scene, camera, files, now, short_or, spans};

/// What a kill may cost at the agent: what was not on disk, and the time until it runs and is connected to the camera again.
const LOST_BEFORE_KILL: Duration = Duration::from_secs(1);

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_agent_loses_at_most_a_second_and_explains_it() -> Result<()> {
    let directory = TempDir::new()?;
    let mut scene = Scene::start(
        directory.path(),
        vec![camera("gate", 1), camera("hall", 2)],
        &SiteSettings::default(),
    )
    .await?;
    let mut kills = Vec::new();
    for _ in 0..rounds()? {
        wait_randomly().await;
        let killed = now();
        scene.site.kill_nine().await?;
        scene.site.resume().await?;
        scene.recorded_since("gate", now()).await?;
        scene.recorded_since("hall", now()).await?;
        kills.push(killed);
    }
    // The first kill may come so soon that the newest footage it left is from before the beginning.
    let range = TimeRange::new(scene.began - LOST_BEFORE_KILL, now())?;
    for name in ["gate", "hall"] {
        let timeline = scene
            .accounted(name, range, Duration::from_secs(60))
            .await?;
        let (mut lost, mut away) = (Vec::new(), Vec::new());
        for killed in &kills {
            let (end, again) = around(&timeline, *killed)?;
            lost.push(killed.saturating_duration_since(end));
            away.push(again.saturating_duration_since(*killed));
            ensure!(
                lost.last() <= Some(&LOST_BEFORE_KILL),
                "{name}: {lost:?} before the kill at {killed} are gone: {}",
                timeline["spans"]
            );
        }
        eprintln!(
            "{name}: {} kills of the agent; lost before the kill {}, recorded again after {}",
            kills.len(),
            figures(&mut lost),
            figures(&mut away)
        );
        let footage = scene.footage(name, range).await?;
        ensure!(
            footage.unreadable.is_empty(),
            "{name}: pictures at {:?} cannot be read",
            footage.unreadable
        );
        ensure!(
            footage
                .stamps
                .windows(2)
                .all(|pair| pair[0].number < pair[1].number),
            "{name}: a picture is there twice"
        );
    }
    no_unreadable_file(&scene.site.segments_directory())?;
    scene.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_coordinator_loses_and_doubles_nothing() -> Result<()> {
    let directory = TempDir::new()?;
    let settings = SiteSettings {
        segment_seconds: 10,
        ..SiteSettings::default()
    };
    let mut scene = Scene::start(
        directory.path(),
        vec![camera("gate", 1), camera("hall", 2)],
        &settings,
    )
    .await?;
    let rounds = rounds()?;
    for _ in 0..rounds {
        wait_randomly().await;
        scene.centre.kill_nine().await?;
        wait_randomly().await;
        scene.centre.resume().await?;
    }
    scene.api = scene.centre.sign_in().await?;
    let range = TimeRange::new(scene.began, now())?;
    for name in ["gate", "hall"] {
        scene.recorded(name, range, Duration::from_secs(60)).await?;
        scene
            .footage(name, range)
            .await?
            .expect_every_picture_once()?;
    }
    scene.uploaded(Duration::from_secs(60)).await?;
    eprintln!("{rounds} kills of the coordinator; every picture is there once");
    scene.stop().await
}

/// Up to three seconds of going on.
async fn wait_randomly() {
    let milliseconds = rand::rng().random_range(200..3_000);
    tokio::time::sleep(Duration::from_millis(milliseconds)).await;
}

/// How often to kill; `CCTV_KILLS` asks for another number than the usual ones.
fn rounds() -> Result<u32> {
    match std::env::var("CCTV_KILLS") {
        Ok(rounds) => Ok(rounds.parse()?),
        Err(_) => Ok(short_or(10, 200)),
    }
}

/// Where the recording before `killed` ends, and where the one after it begins.
fn around(timeline: &Value, killed: WallTime) -> Result<(WallTime, WallTime)> {
    let (mut end, mut again) = (WallTime::MIN, None);
    for span in spans(timeline) {
        let from = WallTime::from_rfc3339(span["from"].as_str().unwrap_or_default())?;
        let to = WallTime::from_rfc3339(span["to"].as_str().unwrap_or_default())?;
        if span["state"] != "recorded" {
            continue;
        }
        if from < killed {
            end = end.max(to.min(killed));
        }
        if to > killed {
            again.get_or_insert_with(|| from.max(killed));
        }
    }
    let again = again.with_context(|| format!("nothing is recorded after {killed}"))?;
    Ok((end, again))
}

fn figures(durations: &mut [Duration]) -> String {
    durations.sort();
    let median = durations.get(durations.len() / 2).copied();
    let most = durations.last().copied();
    format!(
        "median {:.2} s, most {:.2} s",
        median.unwrap_or_default().as_secs_f64(),
        most.unwrap_or_default().as_secs_f64()
    )
}

/// Every file ends with a whole fragment: another program opens it.
fn no_unreadable_file(directory: &std::path::Path) -> Result<()> {
    for file in files(directory)? {
        let pictures = camera_sim::decode::stamps_of_mp4(file.as_path())?;
        ensure!(!pictures.is_empty(), "nothing to see in {}", file.display());
    }
    Ok(())
}
