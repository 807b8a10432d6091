//! Every picture of every camera is in what the playlist serves, once.

use std::time::Duration;

use anyhow::{Result, ensure};
use camera_sim::{Audio, CameraConfig, Codec};
use shared::time::TimeRange;
use support::world::SiteSettings;
use tempfile::TempDir;

use crate::scenes::{Scene, camera, now, short_or};

#[tokio::test(flavor = "multi_thread")]
async fn every_picture_of_every_camera_is_served_once() -> Result<()> {
    let directory = TempDir::new()?;
    let cameras = vec![
        camera("plain", 1),
        CameraConfig {
            audio: Audio::Aac,
            ..camera("with-sound", 2)
        },
        CameraConfig {
            b_frames: 2,
            ..camera("reordered", 3)
        },
        CameraConfig {
            codec: Codec::H265,
            ..camera("h265", 4)
        },
    ];
    let names: Vec<_> = cameras.iter().map(|camera| camera.name.clone()).collect();
    let scene = Scene::start(directory.path(), cameras, &SiteSettings::default()).await?;
    let length = short_or(Duration::from_secs(25), Duration::from_secs(600));
    let range = TimeRange::starting_at(now(), length);
    for name in &names {
        scene
            .recorded(name, range, length + Duration::from_secs(60))
            .await?;
        let footage = scene.footage(name, range).await?;
        footage.expect_every_picture_once()?;
        let expected = usize::try_from(length.as_secs())? * 12;
        ensure!(
            footage.pictures() >= expected,
            "{name}: {} of {expected} pictures",
            footage.pictures()
        );
        // A host that has other things to do sees every picture late, which is not an error of the clock.
        let error = footage.largest_clock_error_ms();
        ensure!(
            error < 1_000,
            "{name}: playlist and picture disagree by {error} ms about the time"
        );
    }
    scene.stop().await
}
