//! `cctv-agent status`.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use serde_json::Value;

use crate::config::Config;

/// The agent is on this host or does not run.
const TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Debug, Args)]
pub(super) struct Status {
    /// Print the whole report as JSON.
    #[arg(long)]
    json: bool,
}

impl Status {
    /// Succeeds when all is well, so that scripts can ask.
    pub(super) async fn run(self, config: &Config) -> anyhow::Result<ExitCode> {
        anyhow::ensure!(
            config.status.enabled,
            "the health page is disabled in the settings (`status.enabled`)"
        );
        let mut address = config.status.listen;
        if address.ip().is_unspecified() {
            address.set_ip(match address {
                std::net::SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
                std::net::SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
            });
        }
        let report = ask(&format!("http://{address}/api/status")).await?;
        if self.json {
            super::say(serde_json::to_string_pretty(&report)?);
        } else {
            print(&report);
        }
        Ok(if report["health"] == "good" {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }
}

async fn ask(url: &str) -> anyhow::Result<Value> {
    let client = reqwest::Client::builder()
        .timeout(TIMEOUT)
        .no_proxy()
        .build()?;
    let answer = client.get(url).send().await.with_context(|| {
        format!("no agent answers at {url}; is it running, with these settings?")
    })?;
    answer
        .error_for_status()?
        .json()
        .await
        .with_context(|| format!("{url} is not the health page of an agent"))
}

fn print(report: &Value) {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    super::say(format_args!(
        "{} {}: {}",
        text(&report["agent"]["name"]),
        text(&report["agent"]["version"]),
        text(&report["health"])
    ));
    for part in ["uplink", "buffer"] {
        super::say(format_args!(
            "{part}: {}",
            text(&report[part]["message"]["en"])
        ));
        if let Some(detail) = report[part]["detail"].as_str() {
            super::say(format_args!("  {detail}"));
        }
    }
    for camera in report["cameras"].as_array().into_iter().flatten() {
        super::say(format_args!(
            "camera {}: {}",
            text(&camera["name"]),
            text(&camera["message"]["en"])
        ));
        if let Some(detail) = camera["detail"].as_str() {
            super::say(format_args!("  {detail}"));
        }
    }
}
