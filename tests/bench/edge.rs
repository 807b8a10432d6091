//! Footage that is only at the edge, over a long and lossy link: from the request to the first picture.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use camera_sim::{CameraConfig, Simulator, SimulatorConfig, Source};
use shared::clock::{Clock as _, SystemClock};
use shared::time::TimeRange;
use support::footage::Footage;
use support::net::Conditions;
use support::wait;
use support::world::{CameraSettings, Centre, Site, SiteSettings};
use tempfile::TempDir;

use crate::table::Table;

/// Each at another moment of the recording, so that nothing is played twice.
const ROUNDS: u32 = 10;

/// From `prepare` until a picture of the first playlist entry is decoded, as a player would do it.
pub(crate) async fn measure() -> Result<Table> {
    let directory = TempDir::new()?;
    let camera = CameraConfig {
        source: Source::Loop {
            seed: 1,
            seconds: 10,
        },
        width: 1_920,
        height: 1_080,
        bitrate: 4_000_000,
        noise: 6,
        ..CameraConfig::looped("gate")
    };
    let simulator = Simulator::start(SimulatorConfig::of([camera])).await?;
    let centre = Centre::start(&directory.path().join("centre")).await?;
    let cameras = [CameraSettings::simulated(&simulator, "gate").with("upload = \"on-demand\"")];
    let mut site = Site::start(
        "site",
        &directory.path().join("site"),
        &centre,
        &cameras,
        &SiteSettings::default(),
    )
    .await?;
    let api = centre.sign_in().await?;
    let began = SystemClock::new().wall() + Duration::from_secs(2);
    let id = wait::until(
        "the camera to be known",
        Duration::from_secs(60),
        async || api.camera_id("gate").await,
    )
    .await?;
    let range = TimeRange::starting_at(began, Duration::from_secs(6 * u64::from(ROUNDS)));
    wait::until(
        "a recording to look at",
        Duration::from_secs(120),
        async || {
            let timeline = api.timeline(&id, range).await?;
            ensure!(timeline["complete"] == true, "not complete yet");
            Ok(())
        },
    )
    .await?;

    let mut table = Table::new(
        "First picture of edge-only footage, 1080p at 4 Mbit/s",
        ["link", "median ms", "slowest ms"],
    );
    let links = [
        ("80 ms round trip", 0.0),
        ("80 ms round trip, 1 % loss", 0.01),
    ];
    for (half, (name, loss)) in links.into_iter().enumerate() {
        dial_anew(&mut site, Conditions::new(loss, Duration::from_millis(40))).await?;
        let mut times = Vec::new();
        for round in 0..ROUNDS / 2 {
            let at = began + Duration::from_secs(6) * (round + u32::try_from(half)? * ROUNDS / 2);
            let asked = Instant::now();
            let entries = api
                .playlist(&id, TimeRange::starting_at(at, Duration::from_secs(5)))
                .await?;
            let first = entries.into_iter().next().context("an empty playlist")?;
            let footage = Footage::of(&api, vec![first]).await?;
            ensure!(footage.pictures() > 0, "nothing to see");
            times.push(asked.elapsed());
        }
        times.sort();
        let milliseconds = |time: Duration| format!("{:.0}", time.as_secs_f64() * 1e3);
        table.row([
            name.to_owned(),
            milliseconds(times[times.len() / 2]),
            milliseconds(times[times.len() - 1]),
        ]);
    }
    table.note(
        "from the request to prepare until the first playlist entry is fetched and decoded"
            .to_owned(),
    );
    Ok(table)
}

/// Starts the agent again, so that its connection knows the link under no other conditions.
async fn dial_anew(site: &mut Site, conditions: Conditions) -> Result<()> {
    site.stop().await?;
    site.link().set(conditions);
    site.resume().await?;
    wait::until(
        "the site to be connected",
        Duration::from_secs(60),
        async || {
            let status = site.status().await?;
            let state = &status["uplink"]["state"];
            ensure!(*state == "connected", "{state}");
            Ok(())
        },
    )
    .await
}
