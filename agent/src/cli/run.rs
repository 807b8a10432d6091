//! `cctv-agent run`.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use shared::clock::Clock;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::Agent;
use crate::config::Config;

/// Until SIGTERM or SIGINT.
pub(super) async fn run(config: Config, clock: Arc<dyn Clock>) -> anyhow::Result<ExitCode> {
    super::start_logging(&config)?;
    let cancel = CancellationToken::new();
    stop_on_signal(cancel.clone())?;
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        cameras = config.cameras.len(),
        data_dir = %config.agent.data_dir.display(),
        "starting"
    );
    let agent = Agent::load(config, clock).await?;
    if let Some(address) = agent.handle().status_address {
        tracing::info!(%address, "the health page is at http://{address}/");
    }
    agent.run(cancel).await?;
    Ok(ExitCode::SUCCESS)
}

/// The first signal asks for an orderly stop; a second one does not wait for it.
fn stop_on_signal(cancel: CancellationToken) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for signals")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for signals")?;
    tokio::spawn(async move {
        let mut asked = 0;
        loop {
            tokio::select! {
                Some(()) = terminate.recv() => {}
                Some(()) = interrupt.recv() => {}
                else => return,
            }
            asked += 1;
            cancel.cancel();
            if asked > 1 {
                tracing::warn!("stopped without waiting");
                std::process::exit(130);
            }
        }
    });
    Ok(())
}
