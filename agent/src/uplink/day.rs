//! Keeps what a day has taken of the budget across restarts.

use std::path::{Path, PathBuf};

use super::planner::budget::DayUse;
use crate::identity::write_atomically;

/// A file in the data directory.
pub(super) struct DayFile(PathBuf);

impl DayFile {
    pub(super) fn new(data_dir: &Path) -> Self {
        Self(data_dir.join("upload-day.json"))
    }

    /// `None` when there is none or it makes no sense; the day begins at zero then.
    pub(super) fn load(&self) -> Option<DayUse> {
        let text = std::fs::read(&self.0).ok()?;
        serde_json::from_slice(&text)
            .inspect_err(|error| {
                tracing::warn!(%error, path = %self.0.display(), "the sum of the day is unreadable; it begins at zero");
            })
            .ok()
    }

    /// Losing it costs a limit once, so a failure is only logged.
    pub(super) fn store(&self, day: DayUse) {
        let written = serde_json::to_vec(&day)
            .map_err(|error| error.to_string())
            .and_then(|text| write_atomically(&self.0, &text).map_err(|error| error.to_string()));
        if let Err(error) = written {
            tracing::warn!(%error, "the sum of the day is not kept");
        }
    }
}
