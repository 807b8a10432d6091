//! What the centre has decided for our cameras, and what counts together with the file.
//!
//! A policy of the centre outranks the file until a higher revision says otherwise, also after a
//! restart. Fields that it leaves out stay as the file has them.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use shared::id::CameraId;
use shared::wire::control::{CameraPolicy, RecordingMode, UploadPolicy};

use crate::config::{CameraSection, UploadSection};
use crate::identity::{IdentityError, write_atomically};

/// The last `configure` that was taken.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Central {
    pub(crate) revision: u64,
    pub(crate) policies: Vec<CameraPolicy>,
}

/// Its place on disk.
#[derive(Debug)]
pub(crate) struct CentralFile(PathBuf);

impl CentralFile {
    pub(crate) fn new(data_dir: &Path) -> Self {
        Self(data_dir.join("policies.json"))
    }

    /// What was taken last; the file's settings alone count when it is missing or unreadable.
    pub(crate) fn load(&self) -> Central {
        match std::fs::read(&self.0) {
            Ok(text) => serde_json::from_slice(&text).unwrap_or_else(|error| {
                tracing::error!(%error, path = %self.0.display(), "the centre's settings are unreadable; the file's count until it sends them again");
                Central::default()
            }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Central::default(),
            Err(error) => {
                tracing::error!(%error, path = %self.0.display(), "the centre's settings cannot be read; the file's count until it sends them again");
                Central::default()
            }
        }
    }

    pub(crate) fn store(&self, central: &Central) -> Result<(), IdentityError> {
        let text = serde_json::to_vec_pretty(central).map_err(|error| IdentityError::Answer {
            detail: error.to_string(),
        })?;
        write_atomically(&self.0, &text)
    }
}

/// What counts for one camera.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Effective {
    pub(crate) recording: RecordingMode,
    pub(crate) upload: UploadPolicy,
    /// `None`: as the buffer's settings say.
    pub(crate) retention_hours: Option<u32>,
}

impl Central {
    pub(crate) fn effective(
        &self,
        id: CameraId,
        camera: &CameraSection,
        upload: &UploadSection,
    ) -> Effective {
        let central = self.policies.iter().find(|policy| policy.camera == id);
        Effective {
            recording: central
                .and_then(|policy| policy.recording)
                .unwrap_or(camera.recording),
            upload: central
                .and_then(|policy| policy.upload)
                .or(camera.upload)
                .unwrap_or(upload.policy),
            retention_hours: central
                .and_then(|policy| policy.retention_hours)
                .or(camera.retention_hours)
                .filter(|hours| *hours > 0),
        }
    }
}

#[cfg(test)]
mod tests {
    use shared::time::WallTime;

    use super::*;
    use crate::config::Config;

    #[test]
    fn the_centre_outranks_the_file_field_by_field() {
        let text = "[upload]\npolicy = \"on-demand\"\n[[camera]]\nname = \"gate\"\nurl = \"rtsp://a/1\"\nretention_hours = 48\n";
        let config = Config::from_toml(text, "agent.toml".as_ref()).unwrap();
        let id = CameraId::new(WallTime::from_secs(1));
        let effective =
            |central: &Central| central.effective(id, &config.cameras[0], &config.upload);
        let file = effective(&Central::default());
        assert_eq!(
            file,
            Effective {
                recording: RecordingMode::Continuous,
                upload: UploadPolicy::OnDemand,
                retention_hours: Some(48),
            }
        );
        let central = Central {
            revision: 1,
            policies: vec![CameraPolicy {
                camera: id,
                recording: Some(RecordingMode::Off),
                upload: None,
                retention_hours: None,
            }],
        };
        let both = effective(&central);
        assert_eq!(
            (both.recording, both.upload),
            (RecordingMode::Off, UploadPolicy::OnDemand)
        );
    }

    #[test]
    fn what_the_centre_decided_survives_a_restart_and_damage_is_survived() {
        let directory = tempfile::tempdir().unwrap();
        let file = CentralFile::new(directory.path());
        assert_eq!(file.load(), Central::default());
        let central = Central {
            revision: 7,
            policies: Vec::new(),
        };
        file.store(&central).unwrap();
        assert_eq!(file.load(), central);
        std::fs::write(directory.path().join("policies.json"), "{").unwrap();
        assert_eq!(file.load(), Central::default());
    }
}
