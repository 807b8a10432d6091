//! A site with a bad link, or none, catches up without losing or sending much twice.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use camera_sim::{CameraConfig, Fault, Source};
use shared::time::{TimeRange, WallTime};
use support::net::Conditions;
use support::wait;
use support::world::SiteSettings;
use tempfile::TempDir;

use crate::scenes::{Scene, camera, files, now, short_or};

/// Radio over a long way: 5 % loss, 300 ms there and back, and 24 Mbit/s. When the coordinator is killed, what is on its way
/// on such a link is as much as half a second carries, and as much again waits behind holes.
const BAD: Conditions = Conditions {
    bits_per_second: Some(24_000_000),
    ..Conditions::new(0.05, Duration::from_millis(150))
};

/// Cameras whose pictures are read one by one.
const READ: [&str; 2] = ["gate", "hall"];
/// Cameras that bring the bytes, so that what a killed coordinator had not written is little beside all of it.
const HEAVY: [&str; 2] = ["yard", "ramp"];

#[tokio::test(flavor = "multi_thread")]
async fn after_an_outage_everything_is_there_and_little_was_sent_twice() -> Result<()> {
    let directory = TempDir::new()?;
    let cameras = READ
        .into_iter()
        .zip(1..)
        .map(|(name, seed)| camera(name, seed))
        .chain(HEAVY.map(heavy));
    let settings = SiteSettings::default();
    let mut scene = Scene::start(directory.path(), cameras.collect(), &settings).await?;
    let outage = short_or(Duration::from_secs(30), Duration::from_secs(600));
    let written_before = written(&scene)?;
    scene.site.link().set(Conditions::CUT);
    recorded_alone(&scene, now() + outage, outage).await?;
    // So that there is an end to what is owed.
    for name in HEAVY {
        let camera = scene.simulator.camera(name)?;
        camera.fault(Fault::Refuse)?;
        camera.fault(Fault::Cut)?;
    }
    let heavy_until = now();
    let resent_before = resent(&scene).await?;
    let owed = written(&scene)? - written_before;
    let passed_before = scene.site.link().up_bytes();
    scene.site.link().set(BAD);

    // In the middle of the catching up, the coordinator goes as well.
    let passed = || scene.site.link().up_bytes() - passed_before;
    let limit = Duration::from_secs(240) + outage;
    wait::until("a third to be sent", limit, async || {
        ensure!(
            passed() * 3 > owed,
            "{} of {owed}: {}",
            passed(),
            scene.site.status().await?["uplink"]
        );
        anyhow::Ok(())
    })
    .await?;
    let passed = passed();
    ensure!(
        passed < owed,
        "all {owed} bytes were sent before anything could happen"
    );
    scene.centre.kill_nine().await?;
    scene.centre.resume().await?;
    scene.api = scene.centre.sign_in().await?;

    let read = TimeRange::new(scene.began, now())?;
    for name in READ {
        scene.recorded(name, read, limit).await?;
    }
    for name in HEAVY {
        // The last second may not have left the camera yet when it was cut off.
        let until = heavy_until - Duration::from_secs(2);
        let range = TimeRange::new(scene.began, until)?;
        scene.recorded(name, range, limit).await?;
    }
    scene.uploaded(limit).await?;
    for name in READ {
        scene
            .footage(name, read)
            .await?
            .expect_every_picture_once()
            .context(name)?;
    }
    let resent = resent(&scene).await? - resent_before;
    let passed = scene.site.link().up_bytes() - passed_before;
    eprintln!(
        "after {} s without a link {owed} bytes were owed; killed the coordinator in the middle: \
         {resent} bytes of recordings were sent again, {passed} bytes passed the link in all",
        outage.as_secs()
    );
    ensure!(
        resent * 20 < owed,
        "{resent} of {owed} bytes were sent twice"
    );
    scene.stop().await
}

/// A camera that costs this machine next to nothing and brings 45 MB in the short outage, 225 MB in the long one.
fn heavy(name: &str) -> CameraConfig {
    CameraConfig {
        source: Source::Loop {
            seed: 9,
            seconds: 4,
        },
        width: 640,
        height: 360,
        fps: 12,
        gop_frames: 12,
        bitrate: short_or(12_000_000, 3_000_000),
        noise: 24,
        ..CameraConfig::scene(name)
    }
}

/// Waits until the site has recorded every camera up to `until`, as its own page says: the centre cannot know.
async fn recorded_alone(scene: &Scene, until: WallTime, outage: Duration) -> Result<()> {
    let limit = outage + Duration::from_secs(60);
    wait::until("the site to record by itself", limit, async || {
        let status = scene.site.status().await?;
        let cameras = status["cameras"].as_array().context("no cameras")?;
        for camera in cameras {
            let recorded = camera["recorded_until"]
                .as_str()
                .context("nothing recorded")?;
            ensure!(WallTime::from_rfc3339(recorded)? >= until, "{recorded}");
        }
        ensure!(!cameras.is_empty(), "no cameras");
        Ok(())
    })
    .await
}

/// Bytes of all recordings at the agent.
fn written(scene: &Scene) -> Result<u64> {
    let mut bytes = 0;
    for file in files(&scene.site.segments_directory())? {
        bytes += file.metadata()?.len();
    }
    Ok(bytes)
}

/// Bytes of recordings that the agent has sent more than once.
async fn resent(scene: &Scene) -> Result<u64> {
    let status = scene.site.status().await?;
    status["uplink"]["resent_bytes"]
        .as_u64()
        .with_context(|| status["uplink"].to_string())
}
