//! A camera as the RTSP server sees it: its renditions and what is wrong with it.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::config::CameraConfig;
use crate::fault::FaultBoard;
use crate::source::Feed;

/// Which of a camera's pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Rendition {
    /// The full picture.
    Main,
    /// The smaller one.
    Sub,
}

impl fmt::Display for Rendition {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Main => "main",
            Self::Sub => "sub",
        })
    }
}

impl FromStr for Rendition {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "main" => Ok(Self::Main),
            "sub" => Ok(Self::Sub),
            _ => Err(()),
        }
    }
}

#[derive(Debug)]
pub(crate) struct Camera {
    pub(crate) number: u16,
    pub(crate) config: CameraConfig,
    pub(crate) main: Arc<Feed>,
    pub(crate) sub: Option<Arc<Feed>>,
    pub(crate) faults: FaultBoard,
}

impl Camera {
    pub(crate) fn feed(&self, rendition: Rendition) -> Option<&Arc<Feed>> {
        match rendition {
            Rendition::Main => Some(&self.main),
            Rendition::Sub => self.sub.as_ref(),
        }
    }
}
