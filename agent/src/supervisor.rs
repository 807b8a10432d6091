//! Keeps the parts of the agent running and apart: one task for each stream, whose trouble is
//! nobody else's, and what people and the centre may ask of them.
//!
//! What a stream's task does is in [`crate::camera`] and [`crate::recorder`].

pub(crate) mod keep;
mod lane;
mod policy;
mod site;

use std::sync::Arc;

use prometheus_client::metrics::counter::Counter;
use shared::clock::Clock;
use shared::hash::Sha256;
use shared::id::CameraId;
use shared::segment::StreamKind;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub(crate) use site::NoStream;
pub use site::{CameraView, Site};

use self::lane::Floor;
use crate::buffer::{Buffer, IndexError};
use crate::camera::Surroundings;
use crate::camera::source::{Source, SourceError};
use crate::config::Config;
use crate::recorder::Disk;

/// Why the cameras cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum SupervisorError {
    #[error("camera `{camera}`: {source}")]
    Source { camera: String, source: SourceError },
    #[error(transparent)]
    Index(#[from] IndexError),
}

/// All streams of the agent.
pub(crate) struct Supervisor {
    floor: Floor,
    /// Of each camera the main stream, and the small one where it has one.
    sources: Vec<(Source, Option<Source>)>,
}

impl Supervisor {
    /// Makes every configured camera known to the buffer. `public_key` is the agent's.
    pub(crate) async fn new(
        config: Config,
        public_key: &[u8],
        buffer: Buffer,
        disk: Disk,
        clock: Arc<dyn Clock>,
        faults: Counter,
    ) -> Result<Self, SupervisorError> {
        let mut sources = Vec::new();
        let mut known = Vec::new();
        for camera in &config.cameras {
            let unusable = |source| SupervisorError::Source {
                camera: camera.name.clone(),
                source,
            };
            let main = camera.source().map_err(unusable)?;
            sources.push((main, camera.sub_source().map_err(unusable)?));
            let id = camera_id(public_key, &camera.name);
            let history = buffer
                .register_stream(id, StreamKind::Main, clock.wall())
                .await?;
            known.push((id, history.since));
        }
        let site = Site::new(config, known, buffer.clone(), Arc::clone(&clock));
        let floor = Floor {
            site: Arc::new(site),
            buffer,
            disk,
            surroundings: Surroundings::new(Arc::clone(&clock)),
            clock,
            failed: Arc::new(move || {
                faults.inc();
            }),
        };
        Ok(Self { floor, sources })
    }

    pub(crate) fn site(&self) -> Arc<Site> {
        Arc::clone(&self.floor.site)
    }

    /// Runs all streams until `cancel`, and until what they had is handed to the disk.
    pub(crate) async fn run(self, cancel: CancellationToken) {
        let mut lanes = JoinSet::new();
        for (index, (main, small)) in self.sources.into_iter().enumerate() {
            lanes.spawn(lane::run(self.floor.clone(), index, main, cancel.clone()));
            if let Some(small) = small {
                lanes.spawn(lane::run_small(
                    self.floor.clone(),
                    index,
                    small,
                    cancel.clone(),
                ));
            }
        }
        cancel.cancelled().await;
        while let Some(ended) = lanes.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "a fault in the supervision of a stream");
            }
        }
    }
}

/// The id of the camera called `name` at the agent with this key: always the same, so that there is
/// no list that could be lost, and never that of another agent's camera. A UUIDv8 (RFC 9562 section
/// 5.8).
pub(crate) fn camera_id(public_key: &[u8], name: &str) -> CameraId {
    let mut text = b"cctv-camera-1\0".to_vec();
    text.extend_from_slice(public_key);
    text.extend_from_slice(name.as_bytes());
    let hash = Sha256::of(&text);
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash.as_bytes()[..16]);
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    CameraId::from_slice(&bytes).unwrap_or_else(|| CameraId::new(shared::time::WallTime::MIN))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_camera_keeps_its_id_and_shares_it_with_no_other() {
        let gate = camera_id(&[1; 32], "gate");
        assert_eq!(gate, camera_id(&[1; 32], "gate"));
        assert_ne!(gate, camera_id(&[1; 32], "Gate"));
        assert_ne!(gate, camera_id(&[2; 32], "gate"));
        assert_eq!(gate.as_uuid().get_version_num(), 8);
    }
}
