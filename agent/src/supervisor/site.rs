//! The cameras of this agent as the outside sees them: what they are, how they are doing, and what
//! may be asked of them.

use std::sync::{Mutex, PoisonError};

use shared::wire::control::{Action, CameraInfo, CameraPolicy, CommandOutcome, StreamStatus};
use tokio::sync::watch;

use super::policy::{Central, CentralFile};

/// Shared by the uplink, the health page and the supervisor.
#[derive(Debug)]
pub struct Site {
    central: Mutex<Central>,
    central_file: CentralFile,
    changes: watch::Sender<u64>,
}

impl Site {
    pub(crate) fn new(central_file: CentralFile) -> Self {
        Self {
            central: Mutex::new(central_file.load()),
            central_file,
            changes: watch::Sender::new(0),
        }
    }

    /// All cameras that are configured.
    pub fn cameras(&self) -> Vec<CameraInfo> {
        Vec::new()
    }

    /// How each stream is doing now.
    pub fn streams(&self) -> Vec<StreamStatus> {
        Vec::new()
    }

    /// Changes with every change of a stream's state or of the list of cameras.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Does what the centre asks.
    pub(crate) async fn carry_out(&self, action: Action) -> CommandOutcome {
        match action {
            Action::Configure { revision, policies } => self.configure(revision, policies),
            Action::Probe { .. } | Action::RestartCamera { .. } | Action::Unknown => {
                CommandOutcome::Unsupported
            }
        }
    }

    fn configure(&self, revision: u64, policies: Vec<CameraPolicy>) -> CommandOutcome {
        let mut central = self.central.lock().unwrap_or_else(PoisonError::into_inner);
        if revision > central.revision {
            let next = Central { revision, policies };
            if let Err(error) = self.central_file.store(&next) {
                return CommandOutcome::Failed {
                    message: error.to_string(),
                };
            }
            *central = next;
        }
        CommandOutcome::Done { report: None }
    }
}
