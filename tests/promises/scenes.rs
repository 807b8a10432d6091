//! What several promises need: small cameras, a centre and a site, and the long or short form of a proof.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Result, ensure};
use camera_sim::{CameraConfig, Simulator, SimulatorConfig, Source};
use serde_json::Value;
use shared::clock::{Clock as _, SystemClock};
use shared::time::{TimeRange, WallTime};
use support::api::Api;
use support::footage::Footage;
use support::wait;
use support::world::{CameraSettings, Centre, Site, SiteSettings};

/// Whether `make soak` asked for the long form.
pub(crate) fn soak() -> bool {
    std::env::var_os("CCTV_SOAK").is_some()
}

/// `short` in the test command, `long` in the soak.
pub(crate) fn short_or<T>(short: T, long: T) -> T {
    if soak() { long } else { short }
}

pub(crate) fn now() -> WallTime {
    SystemClock::new().wall()
}

/// A live camera of 12 small pictures a second.
pub(crate) fn camera(name: &str, seed: u64) -> CameraConfig {
    CameraConfig {
        source: Source::Scene { seed },
        width: 320,
        height: 192,
        fps: 12,
        gop_frames: 12,
        bitrate: 200_000,
        ..CameraConfig::scene(name)
    }
}

/// One site with some cameras, its centre, and somebody who looks.
pub(crate) struct Scene {
    pub(crate) simulator: Simulator,
    pub(crate) centre: Centre,
    pub(crate) site: Site,
    pub(crate) api: Api,
    pub(crate) began: WallTime,
}

impl Scene {
    pub(crate) async fn start(
        directory: &Path,
        cameras: Vec<CameraConfig>,
        settings: &SiteSettings,
    ) -> Result<Self> {
        Self::start_with(directory, cameras, settings, |camera| camera).await
    }

    /// The same; `with` adds to the settings of each camera.
    pub(crate) async fn start_with(
        directory: &Path,
        cameras: Vec<CameraConfig>,
        settings: &SiteSettings,
        with: impl Fn(CameraSettings) -> CameraSettings,
    ) -> Result<Self> {
        let simulator = Simulator::start(SimulatorConfig::of(cameras)).await?;
        let centre = Centre::start(&directory.join("centre")).await?;
        let cameras: Vec<_> = simulator
            .cameras()
            .iter()
            .map(|camera| with(CameraSettings::simulated(&simulator, camera.name())))
            .collect();
        let site =
            Site::start("site", &directory.join("site"), &centre, &cameras, settings).await?;
        let api = centre.sign_in().await?;
        let scene = Self {
            simulator,
            centre,
            site,
            api,
            began: now(),
        };
        for camera in &cameras {
            scene.recorded_since(&camera.name, scene.began).await?;
        }
        Ok(Self {
            began: now(),
            ..scene
        })
    }

    /// The camera's id at the centre, once it is known.
    pub(crate) async fn camera_id(&self, name: &str) -> Result<String> {
        wait::until(
            "the camera to be known",
            Duration::from_secs(30),
            async || self.api.camera_id(name).await,
        )
        .await
    }

    /// Waits until pictures after `since` are known at the centre.
    pub(crate) async fn recorded_since(&self, name: &str, since: WallTime) -> Result<()> {
        let id = self.camera_id(name).await?;
        wait::until(
            &format!("{name} to be recorded"),
            Duration::from_secs(60),
            async || {
                let timeline = self
                    .api
                    .timeline(
                        &id,
                        TimeRange::starting_at(since, Duration::from_secs(3_600)),
                    )
                    .await?;
                let recorded = timeline["seconds"]["recorded"].as_f64().unwrap_or(0.0);
                ensure!(recorded > 1.0, "{}", timeline["spans"]);
                Ok(())
            },
        )
        .await
    }

    /// Waits until every instant of `range` is accounted for at the centre, and returns the timeline.
    pub(crate) async fn accounted(
        &self,
        name: &str,
        range: TimeRange,
        limit: Duration,
    ) -> Result<Value> {
        let id = self.camera_id(name).await?;
        accounted(&self.api, &id, name, range, limit).await
    }

    /// The same, and all of it is footage.
    pub(crate) async fn recorded(
        &self,
        name: &str,
        range: TimeRange,
        limit: Duration,
    ) -> Result<()> {
        expect_recorded(name, &self.accounted(name, range, limit).await?)
    }

    /// Waits until nothing is left to upload.
    pub(crate) async fn uploaded(&self, limit: Duration) -> Result<()> {
        wait::until("all closed segments to be uploaded", limit, async || {
            let status = self.site.status().await?;
            let backlog = &status["uplink"]["upload_backlog"];
            ensure!(*backlog == 0, "{backlog} segments left");
            Ok(())
        })
        .await
    }

    /// Fetches and decodes what the playlist of `range` lists.
    pub(crate) async fn footage(&self, name: &str, range: TimeRange) -> Result<Footage> {
        Footage::fetch(&self.api, &self.camera_id(name).await?, range).await
    }

    pub(crate) async fn stop(mut self) -> Result<()> {
        self.site.stop().await?;
        self.centre.stop().await?;
        self.simulator.shutdown().await;
        Ok(())
    }
}

/// The timeline of a camera once the site has reported all of `range`, and every instant is recorded or explained.
pub(crate) async fn accounted(
    api: &Api,
    id: &str,
    name: &str,
    range: TimeRange,
    limit: Duration,
) -> Result<Value> {
    wait::until(&format!("{name} to be accounted for"), limit, async || {
        let timeline = api.timeline(id, range).await?;
        let recorded = |span: &&Value| span["state"] != "recorded";
        let rest: Vec<_> = spans(&timeline).filter(recorded).collect();
        ensure!(timeline["complete"] == true, "{rest:?}");
        Ok(timeline)
    })
    .await
}

/// Nothing is missing, not even for a reason.
pub(crate) fn expect_recorded(name: &str, timeline: &Value) -> Result<()> {
    for span in spans(timeline) {
        ensure!(span["state"] == "recorded", "{name}: {span}");
    }
    Ok(())
}

pub(crate) fn spans(timeline: &Value) -> impl Iterator<Item = &Value> {
    timeline["spans"].as_array().into_iter().flatten()
}

/// Every recording under `directory`.
pub(crate) fn files(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "mp4") {
            found.push(path);
        }
    }
    Ok(found)
}
