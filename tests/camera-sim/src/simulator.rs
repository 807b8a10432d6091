//! The simulator as a whole: builds cameras from their settings, starts sources and servers, and ends them.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
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
use crate::control;
use crate::encode::EncodeError;
use crate::fault::{ActiveFault, Fault, FaultError};
use crate::preparation::Preparation;
use crate::rtsp::{self, Server};
use crate::scene::{self, SceneObject};
use crate::source::file::FileError;

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
    /// A file cannot be replayed.
    #[error("camera {camera:?}: {source}")]
    File {
        /// Which camera.
        camera: String,
        /// What is wrong with it.
        source: FileError,
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
    control_address: Option<SocketAddr>,
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
        let (address, listener) = bind(config.listen).await?;
        let control = match config.control {
            Some(address) => Some(bind(address).await?),
            None => None,
        };
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
            threads.extend(source.start(&stop, &tasks)?);
        }
        let server = Arc::new(Server {
            cameras: prepared.cameras,
            clock,
        });
        tasks.spawn(rtsp::serve(server.clone(), listener, stop.clone()));
        let control_address = control.map(|(control_address, listener)| {
            tasks.spawn(control::serve(
                server.clone(),
                address,
                listener,
                stop.clone(),
            ));
            control_address
        });
        Ok(Self {
            server,
            address,
            control_address,
            stop,
            tasks,
            threads,
        })
    }

    /// Where RTSP is served.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where the control API is served.
    pub const fn control_address(&self) -> Option<SocketAddr> {
        self.control_address
    }

    /// The clock of all cameras.
    pub fn clock(&self) -> Arc<SimClock> {
        self.server.clock.clone()
    }

    /// A camera by name.
    pub fn camera(&self, name: &str) -> Result<CameraHandle, FaultError> {
        match self.server.cameras.get(name) {
            Some(camera) => Ok(CameraHandle::of(camera.clone())),
            None => Err(FaultError::NoSuchCamera(name.to_owned())),
        }
    }

    /// All cameras, by number.
    pub fn cameras(&self) -> Vec<CameraHandle> {
        let mut cameras: Vec<_> = self
            .server
            .cameras
            .values()
            .map(|camera| CameraHandle::of(camera.clone()))
            .collect();
        cameras.sort_by_key(CameraHandle::number);
        cameras
    }

    /// The RTSP URL of a rendition, without user and password; whether that exists is not asked.
    pub fn url(&self, camera: &str, rendition: Rendition) -> Url {
        rtsp_url(self.address, camera, rendition)
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

async fn bind(address: SocketAddr) -> Result<(SocketAddr, TcpListener), StartError> {
    let failed = |source| StartError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    Ok((listener.local_addr().map_err(failed)?, listener))
}

/// Names have only characters that a path may have, so this is always a URL.
pub(crate) fn rtsp_url(mut address: SocketAddr, camera: &str, rendition: Rendition) -> Url {
    // Who listens on all interfaces can be asked on this one.
    if address.ip().is_unspecified() {
        address.set_ip(if address.is_ipv4() {
            Ipv4Addr::LOCALHOST.into()
        } else {
            Ipv6Addr::LOCALHOST.into()
        });
    }
    let text = format!("rtsp://{address}/{camera}/{rendition}");
    Url::parse(&text).unwrap_or_else(|error| unreachable!("{text} is a URL: {error}"))
}

/// One camera of a running simulator.
#[derive(Clone, Debug)]
pub struct CameraHandle {
    camera: Arc<Camera>,
}

impl CameraHandle {
    pub(crate) const fn of(camera: Arc<Camera>) -> Self {
        Self { camera }
    }

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
        let aspect = f64::from(config.width) / f64::from(config.height);
        scene::objects_at(seed, aspect, frame as f64 / f64::from(config.fps))
    }
}
