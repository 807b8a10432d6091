//! The simulator as a whole: builds cameras from their settings, starts sources and servers, and ends them.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use url::Url;

use crate::camera::{Camera, Rendition};
use crate::clock::SimClock;
use crate::config::{CameraConfig, ConfigError, SimulatorConfig, Source};
use crate::encode::{EncodeError, VideoSettings};
use crate::fault::{ActiveFault, Fault, FaultBoard, FaultError};
use crate::rtsp::{self, Server};
use crate::scene::{Scene, SceneObject};
use crate::source::Feed;
use crate::source::clip::{Clip, ClipPlan};
use crate::source::live::LiveScene;
use crate::source::playback::Playback;
use crate::source::sound::Sound;

/// Why a simulator did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Settings that make no sense.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Two cameras have one name.
    #[error("two cameras are called {0:?}; names must differ because they are the path of the URL")]
    DuplicateName(String),
    /// More cameras than the stamp can number.
    #[error("at most 65535 cameras can be simulated")]
    TooMany,
    /// The address is taken or not ours.
    #[error("cannot listen on {address}: {source}; choose another address or port 0")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// Pictures or sound could not be encoded.
    #[error("camera {camera:?}: {source}")]
    Encode {
        /// Which camera.
        camera: String,
        /// What went wrong.
        source: EncodeError,
    },
    /// A thread could not be started, or died.
    #[error("cannot start a source: {0}")]
    Thread(String),
}

/// Running cameras. Dropping it ends them; [`Simulator::shutdown`] also waits until they are gone.
#[derive(Debug)]
pub struct Simulator {
    server: Arc<Server>,
    address: SocketAddr,
    stop: CancellationToken,
    tasks: TaskTracker,
    threads: Vec<JoinHandle<()>>,
}

impl Simulator {
    /// Prepares all sources, binds the listener and begins to serve. Loops are rendered first, which takes a while.
    pub async fn start(config: SimulatorConfig) -> Result<Self, StartError> {
        let clock = match &config.clock {
            Some(clock) => clock.clone(),
            None if config.speed == 1.0 => Arc::new(SimClock::real_time()),
            None => Arc::new(SimClock::accelerated(
                SimClock::real_time().wall_start(),
                config.speed,
            )),
        };
        let address = config.listen;
        let listening = async {
            TcpListener::bind(address)
                .await
                .and_then(|listener| Ok((listener.local_addr()?, listener)))
        };
        let (address, listener) = listening
            .await
            .map_err(|source| StartError::Listen { address, source })?;
        let preparing = tokio::task::spawn_blocking({
            let clock = clock.clone();
            move || Preparation::of(&config.cameras, &clock)
        });
        let prepared = preparing
            .await
            .map_err(|error| StartError::Thread(error.to_string()))??;
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let mut threads = Vec::new();
        for source in prepared.sources {
            match source {
                Prepared::Live(live, feed) => {
                    let name = format!("camera-{}", live.number);
                    let thread = std::thread::Builder::new()
                        .name(name)
                        .spawn(move || live.run(&feed));
                    threads.push(thread.map_err(|error| StartError::Thread(error.to_string()))?);
                }
                Prepared::Clip(playback, feed) => {
                    let stop = stop.clone();
                    tasks.spawn(async move { stop.run_until_cancelled(playback.run(feed)).await });
                }
            }
        }
        let server = Arc::new(Server {
            cameras: prepared.cameras,
            clock,
        });
        tasks.spawn(rtsp::serve(server.clone(), listener, stop.clone()));
        Ok(Self {
            server,
            address,
            stop,
            tasks,
            threads,
        })
    }

    /// Where RTSP is served.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The clock of all cameras.
    pub fn clock(&self) -> Arc<SimClock> {
        self.server.clock.clone()
    }

    /// A camera by name.
    pub fn camera(&self, name: &str) -> Result<CameraHandle, FaultError> {
        match self.server.cameras.get(name) {
            Some(camera) => Ok(CameraHandle {
                camera: camera.clone(),
            }),
            None => Err(FaultError::NoSuchCamera(name.to_owned())),
        }
    }

    /// All cameras, by number.
    pub fn cameras(&self) -> Vec<CameraHandle> {
        let mut cameras: Vec<_> = self
            .server
            .cameras
            .values()
            .map(|camera| CameraHandle {
                camera: camera.clone(),
            })
            .collect();
        cameras.sort_by_key(CameraHandle::number);
        cameras
    }

    /// The RTSP URL of a rendition, without user and password; whether that exists is not asked.
    pub fn url(&self, camera: &str, rendition: Rendition) -> Url {
        let text = format!("rtsp://{}/{camera}/{rendition}", self.address);
        Url::parse(&text).unwrap_or_else(|error| unreachable!("{text} is a URL: {error}"))
    }

    /// Ends all connections and sources and waits until they are gone.
    pub async fn shutdown(mut self) {
        self.signal_stop();
        self.tasks.wait().await;
        let threads = std::mem::take(&mut self.threads);
        let joined =
            tokio::task::spawn_blocking(move || threads.into_iter().try_for_each(JoinHandle::join));
        if !matches!(joined.await, Ok(Ok(()))) {
            tracing::error!("a camera's thread panicked");
        }
    }

    fn signal_stop(&self) {
        self.stop.cancel();
        self.tasks.close();
        for camera in self.server.cameras.values() {
            camera.main.stop();
            camera.sub.iter().for_each(|feed| feed.stop());
        }
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.signal_stop();
    }
}

/// One camera of a running simulator.
#[derive(Clone, Debug)]
pub struct CameraHandle {
    camera: Arc<Camera>,
}

impl CameraHandle {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.camera.config.name
    }

    /// Its number, as in the stamps.
    pub fn number(&self) -> u16 {
        self.camera.number
    }

    /// Its settings.
    pub fn config(&self) -> &CameraConfig {
        &self.camera.config
    }

    /// Makes it misbehave until [`clear`](Self::clear)ed.
    pub fn fault(&self, fault: Fault) -> Result<(), FaultError> {
        self.set_fault(fault, None)
    }

    /// Makes it misbehave for a while of simulated time.
    pub fn fault_for(&self, fault: Fault, duration: Duration) -> Result<(), FaultError> {
        self.set_fault(fault, Some(duration))
    }

    fn set_fault(&self, fault: Fault, duration: Option<Duration>) -> Result<(), FaultError> {
        fault.check()?;
        let is_live = matches!(self.camera.config.source, Source::Scene { .. });
        match fault.needs_live_scene().filter(|_| !is_live) {
            Some(fault) => Err(FaultError::NeedsLiveScene {
                camera: self.name().to_owned(),
                fault,
            }),
            None => {
                self.camera.faults.set(fault, duration);
                Ok(())
            }
        }
    }

    /// Ends all its faults.
    pub fn clear(&self) {
        self.camera.faults.clear();
    }

    /// What is wrong with it now.
    pub fn faults(&self) -> Vec<ActiveFault> {
        self.camera.faults.active()
    }

    /// Clients that receive its media now, over both renditions. Cameras that share a loop count together.
    pub fn viewers(&self) -> usize {
        self.camera.main.listeners() + self.camera.sub.as_ref().map_or(0, |feed| feed.listeners())
    }

    /// What is truly to be seen in a frame of the main rendition: running number for a scene, number within the loop for a loop.
    /// Empty for a file.
    pub fn objects(&self, frame: u64) -> Vec<SceneObject> {
        let config = &self.camera.config;
        let (Source::Scene { seed } | Source::Loop { seed, .. }) = config.source else {
            return Vec::new();
        };
        let scene = Scene::new(seed, config.width as usize, config.height as usize, 0);
        scene.objects(frame as f64 / f64::from(config.fps))
    }
}

/// A source that waits for its thread or task.
enum Prepared {
    Live(LiveScene, Arc<Feed>),
    Clip(Playback, Arc<Feed>),
}

/// Everything that can be done before anything runs.
struct Preparation {
    clock: Arc<SimClock>,
    cameras: HashMap<String, Arc<Camera>>,
    sources: Vec<Prepared>,
    /// Feeds of loops, shared by cameras with equal plans.
    loops: HashMap<ClipPlan, Arc<Feed>>,
}

impl Preparation {
    fn of(configs: &[CameraConfig], clock: &Arc<SimClock>) -> Result<Self, StartError> {
        let mut preparation = Self {
            clock: clock.clone(),
            cameras: HashMap::new(),
            sources: Vec::new(),
            loops: HashMap::new(),
        };
        for (index, config) in configs.iter().enumerate() {
            config.check()?;
            let number = u16::try_from(index + 1).map_err(|_| StartError::TooMany)?;
            if preparation.cameras.contains_key(&config.name) {
                return Err(StartError::DuplicateName(config.name.clone()));
            }
            let camera = preparation.camera(number, config)?;
            preparation
                .cameras
                .insert(config.name.clone(), Arc::new(camera));
        }
        Ok(preparation)
    }

    fn camera(&mut self, number: u16, config: &CameraConfig) -> Result<Camera, StartError> {
        let faults = FaultBoard::new(self.clock.clone());
        let failed = |source| StartError::Encode {
            camera: config.name.clone(),
            source,
        };
        let main = self
            .feed(number, config, config.main_settings(), &faults)
            .map_err(failed)?;
        let sub = match config.sub_settings() {
            Some(settings) => Some(
                self.feed(number, config, settings, &faults)
                    .map_err(failed)?,
            ),
            None => None,
        };
        Ok(Camera {
            number,
            config: config.clone(),
            main,
            sub,
            faults,
        })
    }

    fn feed(
        &mut self,
        number: u16,
        config: &CameraConfig,
        settings: VideoSettings,
        faults: &FaultBoard,
    ) -> Result<Arc<Feed>, EncodeError> {
        match &config.source {
            Source::Scene { seed } => self.live(number, config, settings, *seed, faults),
            Source::Loop { seed, seconds } => self.looped(ClipPlan {
                settings,
                seed: *seed,
                noise: config.noise,
                seconds: *seconds,
                audio: config.audio,
            }),
            Source::File { .. } => Err(EncodeError::NoEncoder("for files yet")),
        }
    }

    fn live(
        &mut self,
        number: u16,
        config: &CameraConfig,
        settings: VideoSettings,
        seed: u64,
        faults: &FaultBoard,
    ) -> Result<Arc<Feed>, EncodeError> {
        let live = LiveScene {
            settings,
            seed,
            noise: config.noise,
            number,
            name: config.name.clone(),
            sound: Sound::tone(config.audio)?.map(Arc::new),
            clock: self.clock.clone(),
            faults: faults.clone(),
        };
        let feed = Arc::new(Feed::new(live.describe()?, self.clock.speed()));
        self.sources.push(Prepared::Live(live, feed.clone()));
        Ok(feed)
    }

    fn looped(&mut self, plan: ClipPlan) -> Result<Arc<Feed>, EncodeError> {
        if let Some(feed) = self.loops.get(&plan) {
            return Ok(feed.clone());
        }
        let feed = self.replayed(plan.render()?, 0);
        self.loops.insert(plan, feed.clone());
        Ok(feed)
    }

    fn replayed(&mut self, clip: Clip, camera: u16) -> Arc<Feed> {
        let feed = Arc::new(Feed::new(clip.description.clone(), self.clock.speed()));
        let playback = Playback {
            clip: Arc::new(clip),
            camera,
            clock: self.clock.clone(),
        };
        self.sources.push(Prepared::Clip(playback, feed.clone()));
        feed
    }
}
