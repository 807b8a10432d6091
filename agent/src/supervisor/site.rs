//! The cameras of this agent as the outside sees them: what they are, how they are doing, and what
//! may be asked of them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use shared::clock::Clock;
use shared::id::CameraId;
use shared::segment::StreamKind;
use shared::time::WallTime;
use shared::wire::control::{
    Action, CameraInfo, CameraPolicy, CommandOutcome, RecordingMode, StreamStatus, UploadPolicy,
};
use tokio::sync::watch;

use super::policy::{Central, CentralFile, Effective};
use crate::buffer::{Buffer, CameraRule, Policies};
use crate::camera::Stream;
use crate::camera::probe;
use crate::camera::status::{CameraStatus, Recorded};
use crate::config::{CameraSection, Config};
use crate::recorder::{RecorderSettings, RecorderStatus};

/// How long a camera is watched when the centre asks for a probe.
const PROBE_LASTS: Duration = Duration::from_secs(10);

/// Shared by the uplink, the health page and the supervisor.
#[derive(Debug)]
pub struct Site {
    config: Config,
    cameras: Vec<Camera>,
    buffer: Buffer,
    central: Mutex<Central>,
    central_file: CentralFile,
    changes: watch::Sender<u64>,
    clock: Arc<dyn Clock>,
}

/// What is known of one configured camera, whether or not its task runs at the moment.
#[derive(Debug)]
pub(super) struct Camera {
    pub(super) id: CameraId,
    pub(super) section: CameraSection,
    /// When the agent first knew it.
    pub(super) since: WallTime,
    pub(super) settings: watch::Sender<RecorderSettings>,
    pub(super) recorder: watch::Sender<RecorderStatus>,
    /// The running stream; empty between two tries of its task.
    pub(super) stream: Mutex<Option<Stream>>,
    /// The small stream, which is pulled only while somebody watches it.
    pub(super) small: Mutex<Option<Stream>>,
}

/// Why a stream cannot be watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoStream {
    #[error("this agent has no camera {0}")]
    Camera(CameraId),
    #[error("the camera has no small stream")]
    Small,
    #[error("the stream is being started; ask again")]
    Starting,
}

/// One camera for the health page and the metrics.
#[derive(Clone, Debug)]
pub struct CameraView {
    pub id: CameraId,
    pub name: String,
    pub recording: RecordingMode,
    pub upload: UploadPolicy,
    pub retention_hours: Option<u32>,
    /// `None` while its task is not running.
    pub camera: Option<CameraStatus>,
    pub recorder: RecorderStatus,
}

impl Camera {
    pub(super) fn running(&self) -> MutexGuard<'_, Option<Stream>> {
        self.stream.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn small(&self) -> MutexGuard<'_, Option<Stream>> {
        self.small.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn streams(&self) -> Vec<StreamKind> {
        let small = self.section.sub_url.as_ref().map(|_| StreamKind::Sub);
        [StreamKind::Main].into_iter().chain(small).collect()
    }

    fn status(&self) -> Option<CameraStatus> {
        let running = self.running();
        let status = running.as_ref()?.status();
        drop(running);
        let status = status.borrow().clone();
        Some(status)
    }
}

impl Site {
    /// `cameras` are those of `config`, in its order, each with the instant it became known.
    pub(super) fn new(
        config: Config,
        known: Vec<(CameraId, WallTime)>,
        buffer: Buffer,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let central_file = CentralFile::new(&config.agent.data_dir);
        let central = central_file.load();
        let cameras = known
            .into_iter()
            .zip(&config.cameras)
            .map(|((id, since), section)| {
                let effective = central.effective(id, section, &config.upload);
                let settings = config.recorder(section, effective.recording);
                Camera {
                    id,
                    section: section.clone(),
                    since,
                    settings: watch::Sender::new(settings),
                    recorder: watch::Sender::default(),
                    stream: Mutex::default(),
                    small: Mutex::default(),
                }
            })
            .collect();
        let site = Self {
            cameras,
            buffer,
            central: Mutex::new(central),
            central_file,
            changes: watch::Sender::new(0),
            clock,
            config,
        };
        site.apply(&site.central());
        site
    }

    pub fn config(&self) -> &Config {
        &self.config
    }

    pub(super) fn all(&self) -> &[Camera] {
        &self.cameras
    }

    /// All cameras that are configured.
    pub fn cameras(&self) -> Vec<CameraInfo> {
        let central = self.central();
        self.cameras
            .iter()
            .map(|camera| CameraInfo {
                id: camera.id,
                name: camera.section.name.clone(),
                streams: camera.streams(),
                recording: self.effective(&central, camera).recording != RecordingMode::Off,
                since: camera.since,
            })
            .collect()
    }

    /// A stream to watch.
    pub(crate) fn stream(&self, id: CameraId, kind: StreamKind) -> Result<Stream, NoStream> {
        let camera = self.find(id).ok_or(NoStream::Camera(id))?;
        let running = match kind {
            StreamKind::Main => camera.running(),
            StreamKind::Sub if camera.section.sub_url.is_none() => return Err(NoStream::Small),
            StreamKind::Sub => camera.small(),
        };
        running.clone().ok_or(NoStream::Starting)
    }

    /// How each stream is doing now.
    pub fn streams(&self) -> Vec<StreamStatus> {
        self.cameras
            .iter()
            .filter_map(|camera| {
                let recorder = camera.recorder.borrow();
                let recorded = Recorded {
                    recorded_until: recorder.recorded_until,
                    durable_until: recorder.durable_until,
                    segment: recorder.segment,
                };
                drop(recorder);
                Some(camera.status()?.to_wire(recorded))
            })
            .collect()
    }

    /// Everything for people.
    pub fn views(&self) -> Vec<CameraView> {
        let central = self.central();
        self.cameras
            .iter()
            .map(|camera| {
                let effective = self.effective(&central, camera);
                CameraView {
                    id: camera.id,
                    name: camera.section.name.clone(),
                    recording: effective.recording,
                    upload: effective.upload,
                    retention_hours: effective.retention_hours,
                    camera: camera.status(),
                    recorder: camera.recorder.borrow().clone(),
                }
            })
            .collect()
    }

    /// Changes with every change of a stream's state or of the list of cameras.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    pub(super) fn changed(&self) {
        self.changes
            .send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Does what the centre asks.
    pub(crate) async fn carry_out(&self, action: Action) -> CommandOutcome {
        match action {
            Action::Configure { revision, policies } => self.configure(revision, policies),
            Action::RestartCamera { camera } => self.restart(camera),
            Action::Probe { camera, stream } => self.probe(camera, stream).await,
            Action::Unknown => CommandOutcome::Unsupported,
        }
    }

    /// A revision that is not newer changes nothing and is done already.
    fn configure(&self, revision: u64, policies: Vec<CameraPolicy>) -> CommandOutcome {
        let mut central = self.central();
        if revision > central.revision {
            let next = Central { revision, policies };
            if let Err(error) = self.central_file.store(&next) {
                return failed(error.to_string());
            }
            *central = next;
            self.apply(&central);
            drop(central);
            self.changed();
        }
        CommandOutcome::Done { report: None }
    }

    fn restart(&self, id: CameraId) -> CommandOutcome {
        let Some(camera) = self.find(id) else {
            return failed(format!("this agent has no camera {id}"));
        };
        match &*camera.running() {
            Some(stream) => {
                stream.restart();
                CommandOutcome::Done { report: None }
            }
            None => failed("the camera is being started already".to_owned()),
        }
    }

    async fn probe(&self, id: CameraId, stream: StreamKind) -> CommandOutcome {
        let Some(camera) = self.find(id) else {
            return failed(format!("this agent has no camera {id}"));
        };
        let source = match stream {
            StreamKind::Main => camera.section.source().map(Some),
            StreamKind::Sub => camera.section.sub_source(),
        };
        let source = match source {
            Ok(Some(source)) => source,
            Ok(None) => return failed("the camera has no small stream".to_owned()),
            Err(error) => return failed(error.to_string()),
        };
        match probe::measure(&source, PROBE_LASTS, self.clock.as_ref()).await {
            Ok(report) => CommandOutcome::Done {
                report: serde_json::to_value(report).ok(),
            },
            Err(error) => failed(error.to_string()),
        }
    }

    fn find(&self, id: CameraId) -> Option<&Camera> {
        self.cameras.iter().find(|camera| camera.id == id)
    }

    fn central(&self) -> MutexGuard<'_, Central> {
        self.central.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn effective(&self, central: &Central, camera: &Camera) -> Effective {
        central.effective(camera.id, &camera.section, &self.config.upload)
    }

    /// Makes recorders and buffer follow what counts now.
    fn apply(&self, central: &Central) {
        let mut rules = HashMap::new();
        for camera in &self.cameras {
            let effective = self.effective(central, camera);
            let settings = self.config.recorder(&camera.section, effective.recording);
            camera.settings.send_if_modified(|present| {
                let changed = *present != settings;
                *present = settings;
                changed
            });
            rules.insert(
                camera.id,
                CameraRule {
                    upload: effective.upload,
                    max_age: effective
                        .retention_hours
                        .map(|hours| Duration::from_secs(u64::from(hours) * 3_600)),
                },
            );
        }
        self.buffer.set_policies(Policies {
            default: CameraRule {
                upload: self.config.upload.policy,
                max_age: None,
            },
            cameras: rules,
            upload_schedule: Some(self.config.upload_schedule()),
        });
    }
}

const fn failed(message: String) -> CommandOutcome {
    CommandOutcome::Failed { message }
}
