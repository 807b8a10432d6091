//! The recording that `drill kill` kills: a whole agent on a directory of its own, which says on
//! standard output which picture it saw last and how far it is durable.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use shared::clock::Clock;
use shared::time::WallTime;
use tokio_util::sync::CancellationToken;

use crate::Agent;
use crate::config::{BufferSection, Config};
use crate::supervisor::Site;

/// How often it says how far it is.
const SAY_EVERY: Duration = Duration::from_millis(10);

#[derive(Debug, Args)]
pub(super) struct Record {
    /// Where key, index and recordings go.
    #[arg(long)]
    directory: PathBuf,
    /// Name of the camera in the settings.
    #[arg(long)]
    camera: String,
}

impl Record {
    /// Until it is killed, or nobody listens any more.
    pub(super) async fn run(
        self,
        settings: &Path,
        clock: Arc<dyn Clock>,
    ) -> anyhow::Result<ExitCode> {
        let agent = Agent::load(self.config(crate::cli::load(settings)?), clock).await?;
        let cancel = CancellationToken::new();
        let teller = tokio::spawn(tell(agent.handle().site, cancel.clone()));
        agent.run(cancel).await?;
        teller.await??;
        Ok(ExitCode::SUCCESS)
    }

    /// The settings, for this camera and this directory alone.
    fn config(&self, mut config: Config) -> Config {
        config.cameras.retain(|camera| camera.name == self.camera);
        config.agent.data_dir.clone_from(&self.directory);
        config.buffer = BufferSection {
            reserve_bytes: 0,
            ..BufferSection::default()
        };
        config.status.enabled = false;
        config
    }
}

/// One line whenever something changed: the newest picture and how far recordings are durable, in
/// microseconds.
async fn tell(site: Arc<Site>, cancel: CancellationToken) -> std::io::Result<()> {
    let mut ticks = tokio::time::interval(SAY_EVERY);
    let mut last = None;
    loop {
        tokio::select! {
            () = cancel.cancelled() => return Ok(()),
            _ = ticks.tick() => {}
        }
        let Some(stream) = site.streams().pop() else {
            continue;
        };
        let now = (stream.last_picture, stream.durable_until);
        if last != Some(now) {
            last = Some(now);
            let micros = |time: Option<WallTime>| time.map_or(0, WallTime::as_micros);
            let line = format!("{} {}\n", micros(now.0), micros(now.1));
            let mut out = std::io::stdout().lock();
            if out
                .write_all(line.as_bytes())
                .and_then(|()| out.flush())
                .is_err()
            {
                cancel.cancel();
                return Ok(());
            }
        }
    }
}
