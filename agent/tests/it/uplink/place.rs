//! An agent's place on the disk: its settings, its enrolment, what it left behind, and itself.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use cctv_agent::config::{Config, TcpFallback};
use cctv_agent::identity::{Enrolment, Key};
use cctv_agent::uplink::{EnrolError, Enroller};
use cctv_agent::{Agent, Handle};
use shared::clock::{Clock, SystemClock};
use shared::testing::{Segment, SegmentBuilder};
use shared::time::WallTime;
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::peer::Peer;

/// Longer than anything here takes on a slow and busy host.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// What a test waits for, or a failure that says what did not come.
pub(super) async fn until<T: Clone>(
    watched: &mut watch::Receiver<T>,
    what: &str,
    condition: impl FnMut(&T) -> bool,
) -> T {
    match tokio::time::timeout(PATIENCE, watched.wait_for(condition)).await {
        Ok(Ok(value)) => value.clone(),
        Ok(Err(_)) => panic!("gone while waiting for {what}"),
        Err(_) => panic!("waited in vain for {what}"),
    }
}

/// An agent's directory and settings.
pub(super) struct Place {
    directory: TempDir,
    settings: String,
}

pub(super) struct Running {
    pub(super) handle: Handle,
    stop: CancellationToken,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Running {
    pub(super) async fn stop(self) {
        self.stop.cancel();
        let ended = tokio::time::timeout(PATIENCE, self.task).await;
        ended.expect("the agent stops").unwrap().unwrap();
    }
}

impl Place {
    pub(super) fn new(settings: &str) -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
            settings: settings.to_owned(),
        }
    }

    pub(super) fn path(&self) -> &Path {
        self.directory.path()
    }

    pub(super) fn config(&self) -> Config {
        let text = format!(
            "[agent]\nname = \"gate house\"\ndata_dir = {:?}\n[buffer]\nreserve_bytes = 0\n[status]\nlisten = \"127.0.0.1:0\"\n{}",
            self.path(),
            self.settings
        );
        Config::from_toml(&text, "test.toml".as_ref()).unwrap()
    }

    pub(super) async fn enrol(&self, peer: &Peer) -> Result<Enrolment, EnrolError> {
        self.enrol_with(&peer.code(), TcpFallback::Never).await
    }

    pub(super) async fn enrol_with(
        &self,
        code: &shared::wire::enrol::EnrolCode,
        tcp_fallback: TcpFallback,
    ) -> Result<Enrolment, EnrolError> {
        let enroller = Enroller {
            key: &Key::load_or_create(self.path()).unwrap(),
            name: "gate house",
            tcp_address: None,
            tcp_fallback,
            clock: &SystemClock::new(),
        };
        enroller.enrol(code, self.path()).await
    }

    pub(super) async fn run(&self) -> Running {
        // Only the first test of a process installs it; RUST_LOG asks for more.
        let _ = tracing_subscriber::fmt()
            .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
            .with_test_writer()
            .try_init();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let agent = Agent::load(self.config(), clock).await.unwrap();
        let handle = agent.handle();
        let stop = CancellationToken::new();
        let task = tokio::spawn(agent.run(stop.clone()));
        Running { handle, stop, task }
    }

    /// Files as an earlier run of the agent left them; it finds them when it starts.
    pub(super) fn leave_recordings(&self, count: usize, fragments: u32) -> Vec<Segment> {
        let mut builder = SegmentBuilder::new(WallTime::from_secs(1_770_000_000));
        builder.fragments = fragments;
        let mut segments = Vec::new();
        for _ in 0..count {
            let segment = builder.build();
            let directory = self
                .path()
                .join("segments")
                .join(builder.camera.to_string())
                .join("2026-02-02");
            std::fs::create_dir_all(&directory).unwrap();
            let file = directory.join(format!("{}.mp4", builder.id));
            std::fs::write(file, &segment.bytes).unwrap();
            segments.push(segment);
            builder = builder.next();
        }
        segments
    }
}
