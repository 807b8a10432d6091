//! What a person would look for in the demo, looked for by a program.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use shared::clock::{Clock as _, SystemClock};
use shared::time::TimeRange;
use support::api::Api;
use support::footage::Footage;
use support::wait;

use crate::{Demo, say};

/// Footage to fetch of each camera.
const STRETCH: Duration = Duration::from_secs(12);

/// From the start of the demo until that much of every camera is in its playlist.
const LIMIT: Duration = Duration::from_secs(120);

/// Succeeds when of every camera a stretch of video was fetched through its playlist and decoded, with every picture there once.
pub(crate) async fn every_camera(demo: &Demo) -> Result<()> {
    let cameras = wait::until("all eight cameras to be known", LIMIT, async || {
        let cameras = demo.api.cameras().await?;
        ensure!(cameras.len() == 8, "{} cameras", cameras.len());
        Ok(cameras)
    })
    .await?;
    let began = SystemClock::new().wall();
    for camera in &cameras {
        let name = camera["name"].as_str().context("a camera without a name")?;
        let id = camera["id"].as_str().context("a camera without an id")?;
        let pictures = wait::until(&format!("footage of {name}"), LIMIT, async || {
            decoded(&demo.api, id, TimeRange::starting_at(began, STRETCH)).await
        })
        .await?;
        say(&format!(
            "  {name}: {pictures} pictures decoded, none missing, none twice"
        ));
    }
    Ok(())
}

/// Number of pictures in `range`, once all of it can be played.
async fn decoded(api: &Api, camera: &str, range: TimeRange) -> Result<usize> {
    let timeline = api.timeline(camera, range).await?;
    ensure!(
        timeline["complete"] == true,
        "not complete: {}",
        timeline["seconds"]
    );
    let footage = Footage::fetch(api, camera, range).await?;
    footage.expect_every_picture_once()?;
    let seconds = range.duration().as_secs() as usize;
    ensure!(
        footage.pictures() >= seconds * 11,
        "only {} pictures in {seconds} s",
        footage.pictures()
    );
    Ok(footage.pictures())
}
