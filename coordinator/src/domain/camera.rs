//! A camera as the centre knows it: what its agent told, and what the centre decided.

use shared::id::{AgentId, CameraId, SiteId};
use shared::segment::StreamKind;
use shared::time::WallTime;
use shared::wire::control::{CameraPolicy, RecordingMode, UploadPolicy};

use super::access::Object;
use super::agency::AgencyCode;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Camera {
    pub id: CameraId,
    pub agent: AgentId,
    pub agent_name: String,
    pub site: SiteId,
    pub site_name: String,
    /// IANA name of the zone in which people at the site read their clocks; `None` until its agent
    /// told.
    pub time_zone: Option<String>,
    /// As the installer called it; the id's text until the agent told.
    pub name: String,
    /// As the centre calls it.
    pub display_name: Option<String>,
    pub agency: AgencyCode,
    pub streams: Vec<StreamKind>,
    /// Whether the agent's own configuration asks for recordings.
    pub recording: bool,
    /// Since when the agent knows it; nothing is expected before.
    pub since: WallTime,
    /// Whether its agent still lists it. Footage of a camera that was taken away stays.
    pub present: bool,
    pub settings: CameraSettings,
}

impl Camera {
    /// As the policy sees it.
    pub const fn object(&self) -> Object<'_> {
        Object::Camera {
            agency: &self.agency,
            id: self.id,
        }
    }

    /// The name for operators.
    pub fn title(&self) -> &str {
        self.display_name.as_deref().unwrap_or(&self.name)
    }
}

/// What the centre decided; `None` leaves it to the agent's file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CameraSettings {
    pub recording: Option<RecordingMode>,
    pub upload: Option<UploadPolicy>,
    pub retention_hours: Option<u32>,
}

impl CameraSettings {
    /// As the agent is told; `None` when there is nothing to tell.
    pub fn policy(&self, camera: CameraId) -> Option<CameraPolicy> {
        (*self != Self::default()).then_some(CameraPolicy {
            camera,
            recording: self.recording,
            upload: self.upload,
            retention_hours: self.retention_hours,
        })
    }
}

/// What to change of a camera; `None` leaves it as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CameraChange {
    pub agency: Option<AgencyCode>,
    pub display_name: Option<String>,
    pub recording: Option<RecordingMode>,
    pub upload: Option<UploadPolicy>,
    pub retention_hours: Option<u32>,
}

impl CameraChange {
    pub const MAX_NAME_LENGTH: usize = 100;
    pub const MAX_RETENTION_HOURS: u32 = 87_600;

    /// # Errors
    /// A value that makes no sense, with what would.
    pub fn check(&self) -> Result<(), CameraChangeError> {
        if let Some(name) = &self.display_name {
            let length = name.chars().count();
            if name.trim().is_empty()
                || length > Self::MAX_NAME_LENGTH
                || name.chars().any(char::is_control)
            {
                return Err(CameraChangeError::Name);
            }
        }
        match self.retention_hours {
            Some(hours) if hours == 0 || hours > Self::MAX_RETENTION_HOURS => {
                Err(CameraChangeError::Retention { hours })
            }
            _ => Ok(()),
        }
    }

    /// Whether the agent has to be told.
    pub const fn concerns_agent(&self) -> bool {
        self.recording.is_some() || self.upload.is_some() || self.retention_hours.is_some()
    }
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum CameraChangeError {
    #[error("a camera's name has 1 to 100 characters and no control characters")]
    Name,
    #[error("recordings cannot be kept {hours} hours; it goes from 1 to 87600")]
    Retention { hours: u32 },
    #[error("there is no agency `{code}`")]
    UnknownAgency { code: AgencyCode },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_retention_are_checked() {
        let change = |name: &str, hours| CameraChange {
            display_name: Some(name.to_owned()),
            retention_hours: hours,
            ..CameraChange::default()
        };
        assert_eq!(change("البوابة 3", Some(1)).check(), Ok(()));
        for bad in ["", "  ", "a\nb", &"x".repeat(101)] {
            assert_eq!(change(bad, None).check(), Err(CameraChangeError::Name));
        }
        assert_eq!(
            change("x", Some(0)).check(),
            Err(CameraChangeError::Retention { hours: 0 })
        );
    }
}
