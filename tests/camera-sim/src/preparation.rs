//! From settings to cameras and their sources: everything that can be done before anything runs. Renders, encodes and reads
//! files, so it belongs on a thread that may block.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::camera::Camera;
use crate::clock::SimClock;
use crate::config::{CameraConfig, Source};
use crate::encode::{EncodeError, VideoSettings};
use crate::fault::FaultBoard;
use crate::media::Audio;
use crate::simulator::StartError;
use crate::source::Feed;
use crate::source::clip::{Clip, ClipPlan};
use crate::source::file;
use crate::source::live::LiveScene;
use crate::source::playback::Playback;
use crate::source::sound::Sound;

/// A source that waits for its thread or task.
pub(crate) enum Prepared {
    Live(LiveScene, Arc<Feed>),
    Clip(Playback, Arc<Feed>),
}

impl Prepared {
    /// Sets it going; a live scene has a thread of its own.
    pub(crate) fn start(
        self,
        stop: &CancellationToken,
        tasks: &TaskTracker,
    ) -> Result<Option<JoinHandle<()>>, StartError> {
        match self {
            Self::Live(live, feed) => {
                let name = format!("camera-{}", live.number);
                let builder = std::thread::Builder::new().name(name);
                let thread = builder.spawn(move || live.run(&feed));
                thread
                    .map(Some)
                    .map_err(|error| StartError::Thread(error.to_string()))
            }
            Self::Clip(playback, feed) => {
                let stop = stop.clone();
                tasks.spawn(async move { stop.run_until_cancelled(playback.run(feed)).await });
                Ok(None)
            }
        }
    }
}

/// Cameras, and the sources that feed them.
pub(crate) struct Preparation {
    clock: Arc<SimClock>,
    pub(crate) cameras: HashMap<String, Arc<Camera>>,
    pub(crate) sources: Vec<Prepared>,
    /// Feeds of loops, shared by cameras with equal plans.
    loops: HashMap<ClipPlan, Arc<Feed>>,
    /// Contents of files, shared by cameras that replay the same one.
    files: HashMap<PathBuf, Arc<Clip>>,
}

impl Preparation {
    pub(crate) fn of(configs: &[CameraConfig], clock: &Arc<SimClock>) -> Result<Self, StartError> {
        let mut preparation = Self {
            clock: clock.clone(),
            cameras: HashMap::new(),
            sources: Vec::new(),
            loops: HashMap::new(),
            files: HashMap::new(),
        };
        for (index, config) in configs.iter().enumerate() {
            config.check()?;
            let number = u16::try_from(index + 1).map_err(|_| StartError::TooMany)?;
            if preparation.cameras.contains_key(&config.name) {
                return Err(StartError::DuplicateName(config.name.clone()));
            }
            let camera = Arc::new(preparation.camera(number, config)?);
            preparation.cameras.insert(config.name.clone(), camera);
        }
        Ok(preparation)
    }

    fn camera(&mut self, number: u16, config: &CameraConfig) -> Result<Camera, StartError> {
        let faults = FaultBoard::new(self.clock.clone());
        let main = self.feed(number, config, config.main_settings(), &faults)?;
        let sub = match config.sub_settings() {
            Some(settings) => Some(self.feed(number, config, settings, &faults)?),
            None => None,
        };
        let config = config.clone();
        Ok(Camera {
            number,
            config,
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
    ) -> Result<Arc<Feed>, StartError> {
        let name = || config.name.clone();
        let (noise, audio) = (config.noise, config.audio);
        let unencoded = |source| StartError::Encode {
            camera: name(),
            source,
        };
        match &config.source {
            Source::Scene { seed } => {
                let live = LiveScene {
                    settings,
                    seed: *seed,
                    noise,
                    number,
                    name: name(),
                    sound: None,
                    clock: self.clock.clone(),
                    faults: faults.clone(),
                };
                self.live(live, audio).map_err(unencoded)
            }
            Source::Loop { seed, seconds } => {
                let (seed, seconds) = (*seed, *seconds);
                let plan = ClipPlan {
                    settings,
                    seed,
                    noise,
                    seconds,
                    audio,
                };
                self.looped(plan).map_err(unencoded)
            }
            Source::File { path } => {
                let unread = |source| StartError::File {
                    camera: name(),
                    source,
                };
                let clip = match self.files.get(path) {
                    Some(clip) => clip.clone(),
                    None => Arc::new(file::read(path).map_err(unread)?),
                };
                self.files.insert(path.clone(), clip.clone());
                Ok(self.replayed(clip, number))
            }
        }
    }

    fn live(&mut self, mut live: LiveScene, audio: Audio) -> Result<Arc<Feed>, EncodeError> {
        live.sound = Sound::tone(audio)?.map(Arc::new);
        let feed = Arc::new(Feed::new(live.describe()?, self.clock.speed()));
        self.sources.push(Prepared::Live(live, feed.clone()));
        Ok(feed)
    }

    fn looped(&mut self, plan: ClipPlan) -> Result<Arc<Feed>, EncodeError> {
        if let Some(feed) = self.loops.get(&plan) {
            return Ok(feed.clone());
        }
        let feed = self.replayed(Arc::new(plan.render()?), 0);
        self.loops.insert(plan, feed.clone());
        Ok(feed)
    }

    fn replayed(&mut self, clip: Arc<Clip>, camera: u16) -> Arc<Feed> {
        let feed = Arc::new(Feed::new(clip.description.clone(), self.clock.speed()));
        let clock = self.clock.clone();
        let playback = Playback {
            clip,
            camera,
            clock,
        };
        self.sources.push(Prepared::Clip(playback, feed.clone()));
        feed
    }
}
