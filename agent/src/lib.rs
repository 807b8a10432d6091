//! The CCTV agent: records cameras near where they are and brings what it recorded to the centre.
//!
//! This module puts the parts together; what they do is theirs. Tests start here what production
//! starts.

pub mod backoff;
pub mod buffer;
pub mod camera;
pub mod cli;
pub mod config;
pub mod identity;
pub mod metrics;
pub mod recorder;
pub mod status;
pub mod supervisor;
pub mod uplink;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use prometheus_client::metrics::counter::Counter;
use shared::clock::Clock;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::buffer::{Buffer, RecoveryReport};
use crate::config::Config;
use crate::identity::Key;
use crate::metrics::Metrics;
use crate::recorder::{Disk, DiskConfig};
use crate::supervisor::keep::keep;
use crate::supervisor::{Site, Supervisor};
use crate::uplink::Uplink;

/// How long the uplink may still report what stopping left in the outbox.
const LAST_REPORT: Duration = Duration::from_secs(2);

/// An agent that is ready to run.
pub struct Agent {
    supervisor: Supervisor,
    uplink: Uplink,
    buffer: Buffer,
    disk: Disk,
    status: Option<(TcpListener, status::Page)>,
    handle: Handle,
    faults: Counter,
}

impl std::fmt::Debug for Agent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Agent").finish_non_exhaustive()
    }
}

/// What can be seen of an agent from within its process.
#[derive(Clone, Debug)]
pub struct Handle {
    /// Of the health page; known also when the settings say port 0. `None` when it is disabled.
    pub status_address: Option<SocketAddr>,
    pub site: Arc<Site>,
    pub uplink: watch::Receiver<uplink::status::Status>,
    /// What opening the buffer found.
    pub recovery: RecoveryReport,
}

impl Agent {
    /// Opens the buffer (which settles what the end of the last run left behind), makes the key if
    /// there is none, and binds the health page. Nothing is recorded or sent before
    /// [`Agent::run`].
    ///
    /// # Errors
    /// A directory, the index, the key or the port cannot be used.
    pub async fn load(config: Config, clock: Arc<dyn Clock>) -> anyhow::Result<Self> {
        let data_dir = config.agent.data_dir.clone();
        let key = tokio::task::spawn_blocking(move || Key::load_or_create(&data_dir)).await??;
        let key = Arc::new(key);
        let (buffer, recovery) = open_buffer(&config, &clock, &key).await?;
        let disk = Disk::start(&buffer, DiskConfig::default(), Arc::clone(&clock))
            .context("cannot start writing recordings")?;
        let metrics = Metrics::default();
        let supervisor = Supervisor::new(
            config.clone(),
            key.public_key(),
            buffer.clone(),
            disk.clone(),
            Arc::clone(&clock),
            metrics.task_faults.clone(),
        )
        .await?;
        let site = supervisor.site();
        let uplink = Uplink::new(
            config.uplink(),
            key,
            Arc::clone(&clock),
            Arc::clone(&site),
            buffer.clone(),
            metrics.uplink.clone(),
        );
        let faults = metrics.task_faults.clone();
        let page = status::Page::new(
            Arc::clone(&site),
            buffer.clone(),
            uplink.status(),
            metrics,
            clock,
        );
        let status = bind_status(&config, page).await?;
        let handle = Handle {
            status_address: match &status {
                Some((listener, _)) => Some(listener.local_addr()?),
                None => None,
            },
            site,
            uplink: uplink.status(),
            recovery,
        };
        Ok(Self {
            supervisor,
            uplink,
            buffer,
            disk,
            status,
            handle,
            faults,
        })
    }

    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Records and reports until `cancel`; then closes every segment, tells the coordinator what it
    /// can in a moment, and notes that the stop was orderly.
    ///
    /// # Errors
    /// The note could not be made; the next start takes this stop for a crash.
    pub async fn run(self, cancel: CancellationToken) -> anyhow::Result<()> {
        let outlive = CancellationToken::new();
        let page = self.status.map(|(listener, page)| {
            tokio::spawn(status::serve(listener, page, outlive.child_token()))
        });
        let stop_uplink = outlive.child_token();
        let uplink = tokio::spawn(keep_uplink(self.uplink, self.faults, stop_uplink));
        self.supervisor.run(cancel).await;
        tracing::info!("stopping: closing segments");
        self.disk.shutdown().await;
        report_the_rest(&self.buffer, &self.handle).await;
        outlive.cancel();
        uplink.await.context("the uplink failed")?;
        if let Some(page) = page {
            page.await.context("the health page failed")?;
        }
        self.buffer
            .close()
            .await
            .context("cannot note the orderly stop")?;
        tracing::info!("stopped");
        Ok(())
    }
}

/// A fault in the uplink must not end it for good: nobody would notice for as long as recording
/// goes on.
async fn keep_uplink(uplink: Uplink, faults: Counter, stop: CancellationToken) {
    let start = || {
        let (uplink, stop) = (uplink.clone(), stop.clone());
        async move { uplink.run(stop).await }
    };
    keep("uplink", &stop, start, || {
        faults.inc();
    })
    .await;
}

async fn open_buffer(
    config: &Config,
    clock: &Arc<dyn Clock>,
    key: &Arc<Key>,
) -> anyhow::Result<(Buffer, RecoveryReport)> {
    let (settings, clock, key) = (config.buffer(), Arc::clone(clock), Arc::clone(key));
    let opening = tokio::task::spawn_blocking(move || {
        Buffer::open(
            settings,
            clock,
            Arc::new(move |statement| key.sign(statement)),
        )
    });
    Ok(opening.await??)
}

async fn bind_status(
    config: &Config,
    page: status::Page,
) -> anyhow::Result<Option<(TcpListener, status::Page)>> {
    if !config.status.enabled {
        return Ok(None);
    }
    let listen = config.status.listen;
    let listener = TcpListener::bind(listen).await.with_context(|| {
        format!("cannot listen on {listen} for the health page (`status.listen`); is another agent running?")
    })?;
    Ok(Some((listener, page)))
}

/// Gives a connected uplink a moment to empty the outbox, so that the centre knows at once what was
/// recorded to the end and why it ended.
async fn report_the_rest(buffer: &Buffer, handle: &Handle) {
    let connected = || handle.uplink.borrow().state == uplink::status::State::Connected;
    let emptied = async {
        while connected() && buffer.outbox_backlog().await.is_ok_and(|left| left > 0) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    // What is left then is told at the next start.
    let _ = tokio::time::timeout(LAST_REPORT, emptied).await;
}
