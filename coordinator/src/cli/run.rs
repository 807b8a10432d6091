//! `run`: the coordinator, until SIGTERM or SIGINT. SIGHUP reads the certificate for browsers again.

use std::io::IsTerminal as _;
use std::sync::Arc;

use anyhow::Context as _;
use secrecy::ExposeSecret as _;
use shared::clock::SystemClock;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer as _, fmt};

use super::print;
use crate::app::{Coordinator, FIRST_PASSWORD_FILE};
use crate::config::{Config, Format, Log};

#[tokio::main]
pub(super) async fn run(config: Config) -> anyhow::Result<()> {
    start_log(&config.log)?;
    let stop = CancellationToken::new();
    let mut terminate = signal(SignalKind::terminate()).context("listening for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("listening for SIGINT")?;
    // From the beginning, because a SIGHUP that nobody listens to would end the program.
    let mut hang_up = signal(SignalKind::hangup()).context("listening for SIGHUP")?;
    let on_signal = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping");
        on_signal.cancel();
    });
    let coordinator = Coordinator::load(config, Arc::new(SystemClock::new())).await?;
    print(&greeting(&coordinator))?;
    let reload = coordinator.reload().clone();
    tokio::spawn(async move {
        while hang_up.recv().await.is_some() {
            reload.notify_one();
        }
    });
    coordinator.run(stop).await
}

/// What the first start says once, and every start says. Goes to standard output, not to the log,
/// which others read.
fn greeting(coordinator: &Coordinator) -> String {
    let scheme = if coordinator.has_tls() {
        "https"
    } else {
        "http"
    };
    let mut text = format!(
        "pages and API: {scheme}://{}\nagents: UDP {}\n",
        coordinator.http_address(),
        coordinator.agent_address()
    );
    if let Some(tunnel) = coordinator.tunnel_address() {
        text.push_str(&format!("agents where UDP is blocked: TCP {tunnel}\n"));
    }
    text.push_str(&format!(
        "viewers of live pictures: UDP {}\n",
        coordinator.viewer_address()
    ));
    if let Some(first) = coordinator.first_administrator() {
        text.push_str(&format!(
            "\nfirst start: sign in as {} with the password {}\nIt is not shown again; until you delete \
             it, it is also in {FIRST_PASSWORD_FILE} in the data directory.\n",
            first.login,
            first.password.expose_secret()
        ));
    }
    text
}

fn start_log(log: &Log) -> anyhow::Result<()> {
    let lines = fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    let lines = match log.format {
        Format::Text => lines.boxed(),
        Format::Json => lines.json().flatten_event(true).boxed(),
    };
    tracing_subscriber::registry()
        .with(lines.with_filter(log.filter.targets()))
        .try_init()
        .context("starting the log")
}
