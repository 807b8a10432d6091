//! An hour of recording in a few minutes, and every picture of it is served once.
//!
//! Cameras, agent and coordinator run in this process on one clock that is faster than the host's; between them are RTSP,
//! QUIC and HTTP as ever.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use camera_sim::{CameraConfig, Rendition, SimClock, Simulator, SimulatorConfig};
use cctv_agent::Agent;
use cctv_coordinator::app::Coordinator;
use secrecy::ExposeSecret as _;
use serde_json::json;
use shared::clock::Clock;
use shared::time::{TimeRange, WallTime};
use support::api::Api;
use support::footage::{Footage, Picture};
use support::process::Program;
use support::wait;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::scenes::{accounted, camera, expect_recorded, now, short_or};

/// Seconds of recording in one second: what two cores that are also building can do.
const SPEED: f64 = 20.0;

/// What is asked for in one playlist. Its links are good for five minutes by the same fast clock.
const STRETCH: Duration = Duration::from_secs(150);

/// Wall time is slewed, so that two playlists may differ about when a picture was seen.
const OVERLAP: Duration = Duration::from_secs(2);

/// For a host that has other things to do as well.
const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_picture_of_an_hour_is_served_once() -> Result<()> {
    let hour = short_or(Duration::from_secs(3_600), Duration::from_secs(4 * 3_600));
    let directory = TempDir::new()?;
    let cameras = [
        CameraConfig {
            fps: 4,
            gop_frames: 8,
            ..camera("slow", 1)
        },
        CameraConfig {
            fps: 5,
            gop_frames: 5,
            b_frames: 2,
            ..camera("reordered", 2)
        },
    ];
    let world = World::start(directory.path(), &cameras).await?;
    let began = world.recording(&cameras).await?;
    let watched = cameras
        .iter()
        .map(|camera| world.watch(camera, TimeRange::starting_at(began, hour)));
    for (camera, pictures) in cameras
        .iter()
        .zip(futures::future::try_join_all(watched).await?)
    {
        let expected = usize::try_from(hour.as_secs())? * camera.fps as usize;
        eprintln!(
            "{}: {} pictures of {} s, each once",
            camera.name,
            pictures.len(),
            hour.as_secs()
        );
        ensure!(
            pictures.len().abs_diff(expected) <= 2 * camera.fps as usize + 1,
            "{}: {} pictures instead of {expected}",
            camera.name,
            pictures.len()
        );
    }
    world.stop().await
}

/// Everything on one clock.
struct World {
    clock: Arc<SimClock>,
    simulator: Simulator,
    api: Api,
    stop: CancellationToken,
    agent: JoinHandle<Result<()>>,
    coordinator: JoinHandle<Result<()>>,
}

impl World {
    async fn start(directory: &Path, cameras: &[CameraConfig]) -> Result<Self> {
        // So that nothing is ever in the future of those who do not know this clock.
        let start = now() - Duration::from_secs(6 * 3_600);
        let clock = Arc::new(SimClock::accelerated(start, SPEED));
        let simulator = Simulator::start(SimulatorConfig {
            clock: Some(clock.clone()),
            ..SimulatorConfig::of(cameras.iter().cloned())
        })
        .await?;
        let stop = CancellationToken::new();
        let (api, coordinator) = centre(&directory.join("centre"), clock.clone(), &stop).await?;
        let agent = agent(
            &directory.join("site"),
            &simulator,
            &api,
            clock.clone(),
            &stop,
        )
        .await?;
        Ok(Self {
            clock,
            simulator,
            api,
            stop,
            agent,
            coordinator,
        })
    }

    /// A moment from which on every camera is recorded.
    async fn recording(&self, cameras: &[CameraConfig]) -> Result<WallTime> {
        let since = self.clock.wall();
        let range = TimeRange::starting_at(since, Duration::from_secs(3_600));
        for camera in cameras {
            wait::until(
                &format!("{} to be recorded", camera.name),
                PATIENCE,
                async || {
                    let id = self.api.camera_id(&camera.name).await?;
                    let timeline = self.api.timeline(&id, range).await?;
                    let recorded = timeline["seconds"]["recorded"].as_f64().unwrap_or(0.0);
                    ensure!(recorded > 1.0, "{timeline}");
                    Ok(())
                },
            )
            .await?;
        }
        Ok(self.clock.wall())
    }

    /// Fetches `range` stretch by stretch as it is recorded; every picture must be there once.
    async fn watch(&self, camera: &CameraConfig, range: TimeRange) -> Result<Vec<Picture>> {
        let id = self.api.camera_id(&camera.name).await?;
        let mut all: Vec<Picture> = Vec::new();
        let mut from = range.start();
        while from < range.end() {
            let stretch = TimeRange::new(from, range.end().min(from + STRETCH))?;
            let limit = PATIENCE + stretch.duration().div_f64(SPEED);
            let timeline = accounted(&self.api, &id, &camera.name, stretch, limit).await?;
            expect_recorded(&camera.name, &timeline).with_context(|| {
                format!("the host could not keep up with {SPEED} times real time")
            })?;
            let overlapping = TimeRange::new(from - OVERLAP, stretch.end())?;
            let footage = Footage::fetch(&self.api, &id, overlapping).await?;
            footage
                .expect_every_picture_once()
                .with_context(|| camera.name.clone())?;
            let known = all.last().map(|picture| picture.number);
            let first = footage.stamps.first().context("a playlist of nothing")?;
            ensure!(
                known.is_none_or(|known| first.number <= known + 1),
                "{}: picture {known:?} is followed by {}",
                camera.name,
                first.number
            );
            let news = footage.stamps.iter();
            all.extend(news.filter(|picture| known.is_none_or(|known| known < picture.number)));
            from = stretch.end();
        }
        Ok(all)
    }

    async fn stop(self) -> Result<()> {
        self.stop.cancel();
        self.agent.await??;
        self.coordinator.await??;
        self.simulator.shutdown().await;
        Ok(())
    }
}

async fn centre(
    directory: &Path,
    clock: Arc<dyn Clock>,
    stop: &CancellationToken,
) -> Result<(Api, JoinHandle<Result<()>>)> {
    std::fs::create_dir_all(directory)?;
    let path = directory.join("coordinator.toml");
    let data = directory.join("data");
    let settings = format!(
        "data_dir = {data:?}\n[http]\nlisten = \"127.0.0.1:0\"\nui_dir = {directory:?}\n\
         [agents]\nlisten = \"127.0.0.1:0\"\nheartbeat_ms = 500\n[live]\nlisten = \"127.0.0.1:0\"\n[storage]\nreserve_bytes = 500_000_000\n"
    );
    std::fs::write(&path, settings)?;
    let config = cctv_coordinator::config::Config::load(&path)?;
    let coordinator = Coordinator::load(config, clock).await?;
    let url = format!("http://{}", coordinator.http_address());
    let password = coordinator
        .first_administrator()
        .context("this is not the first start")?
        .password
        .expose_secret()
        .to_owned();
    let running = tokio::spawn(coordinator.run(stop.clone()));
    Ok((Api::sign_in(&url, "admin", &password).await?, running))
}

async fn agent(
    directory: &Path,
    simulator: &Simulator,
    api: &Api,
    clock: Arc<dyn Clock>,
    stop: &CancellationToken,
) -> Result<JoinHandle<Result<()>>> {
    std::fs::create_dir_all(directory)?;
    let path = directory.join("agent.toml");
    let data = directory.join("data");
    let mut settings = format!(
        "[agent]\nname = \"site\"\ndata_dir = {data:?}\n[coordinator]\ntcp_fallback = \"never\"\n\
         [status]\nlisten = \"127.0.0.1:0\"\n[buffer]\nreserve_bytes = 500_000_000\n"
    );
    for camera in simulator.cameras() {
        let (name, url) = (camera.name(), simulator.url(camera.name(), Rendition::Main));
        write!(
            settings,
            "[[camera]]\nname = {name:?}\nurl = {:?}\n",
            url.as_str()
        )?;
    }
    std::fs::write(&path, settings)?;
    let invite = json!({ "site_name": "site", "agent_name": "site" });
    let invite = api.post("/api/v1/agents/invites", &invite).await?;
    let code = invite["code"]
        .as_str()
        .context("an invite without a code")?;
    let path = path.display().to_string();
    Program::run("cctv-agent", &["enroll", "--config", &path, code]).await?;
    let config = cctv_agent::config::Config::load(Path::new(&path))?;
    let agent = Agent::load(config, clock).await?;
    Ok(tokio::spawn(agent.run(stop.clone())))
}
