//! A program that is killed loses at most the last second, at the centre nothing, and leaves no gap without a reason.

use std::time::Duration;

use anyhow::{Result, ensure};
use rand::RngExt as _;
use serde_json::Value;
use shared::time::{TimeRange, WallTime};
use support::world::SiteSettings;
use tempfile::TempDir;

use crate::scenes::{Scene, camera, files, now, short_or};

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
    for _ in 0..short_or(10, 200) {
        wait_randomly().await;
        let killed = now();
        scene.site.kill_nine().await?;
        scene.site.resume().await?;
        scene.recorded_since("gate", now()).await?;
        scene.recorded_since("hall", now()).await?;
        kills.push(killed);
    }
    let range = TimeRange::new(scene.began, now())?;
    for name in ["gate", "hall"] {
        let timeline = scene
            .accounted(name, range, Duration::from_secs(60))
            .await?;
        for killed in &kills {
            let lost = recorded_end_before(&timeline, *killed)?;
            ensure!(
                lost <= LOST_BEFORE_KILL,
                "{name}: {lost:?} before the kill at {killed} are gone: {}",
                timeline["spans"]
            );
        }
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
    for _ in 0..short_or(10, 200) {
        wait_randomly().await;
        scene.centre.kill_nine().await?;
        wait_randomly().await;
        scene.centre.resume().await?;
    }
    scene.api = scene.centre.sign_in().await?;
    let range = TimeRange::new(scene.began, now())?;
    for name in ["gate", "hall"] {
        let timeline = scene
            .accounted(name, range, Duration::from_secs(60))
            .await?;
        ensure!(timeline["complete"] == true, "{name}: {timeline}");
        scene
            .footage(name, range)
            .await?
            .expect_every_picture_once()?;
    }
    scene.uploaded(Duration::from_secs(60)).await?;
    scene.stop().await
}

/// Up to three seconds of going on.
async fn wait_randomly() {
    let milliseconds = rand::rng().random_range(200..3_000);
    tokio::time::sleep(Duration::from_millis(milliseconds)).await;
}

/// How much of the time just before `killed` is not recorded.
fn recorded_end_before(timeline: &Value, killed: WallTime) -> Result<Duration> {
    let mut end = WallTime::MIN;
    for span in timeline["spans"].as_array().into_iter().flatten() {
        let from = WallTime::from_rfc3339(span["from"].as_str().unwrap_or_default())?;
        let to = WallTime::from_rfc3339(span["to"].as_str().unwrap_or_default())?;
        if span["state"] == "recorded" && from < killed {
            end = end.max(to.min(killed));
        }
    }
    Ok(killed.saturating_duration_since(end))
}

/// Every file ends with a whole fragment: another program opens it.
fn no_unreadable_file(directory: &std::path::Path) -> Result<()> {
    for file in files(directory)? {
        let pictures = camera_sim::decode::stamps_of_mp4(file.as_path())?;
        ensure!(!pictures.is_empty(), "nothing to see in {}", file.display());
    }
    Ok(())
}
