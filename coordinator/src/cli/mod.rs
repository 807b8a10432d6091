//! The command line: what an administrator types on the coordinator's host. One file per command;
//! the commands that change something use the same services as the API, with the console's grants.

mod agent;
mod audit;
mod check_config;
mod keys;
mod run;
mod user;

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Parser, Subcommand};

use crate::config::{Config, DEFAULT_PATH};

/// The RTA CCTV coordinator: recordings, timelines and playback of all sites.
#[derive(Debug, Parser)]
#[command(name = "cctv-coordinator", version, propagate_version = true)]
pub struct Cli {
    /// The settings
    #[arg(long, global = true, value_name = "FILE", default_value = DEFAULT_PATH, env = "CCTV_COORDINATOR_CONFIG")]
    config: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve agents and browsers until told to stop
    Run,
    /// Invite, list and revoke agents
    #[command(subcommand)]
    Agent(agent::Command),
    /// Check the audit
    #[command(subcommand)]
    Audit(audit::Command),
    /// Look after people's accounts
    #[command(subcommand)]
    User(user::Command),
    /// Look after the keys that sign access tokens
    #[command(subcommand)]
    Keys(keys::Command),
    /// Say whether the settings are right, and show those that differ from the defaults
    CheckConfig,
    /// Print the description of the HTTP API (OpenAPI 3.1)
    Openapi,
    /// Print the HTTP API as a Postman collection (2.1)
    Postman,
    /// Print the reference of the API's errors (Markdown)
    Errors,
    /// Print the version
    Version,
}

impl Cli {
    /// # Errors
    /// What went wrong, for the person at the terminal.
    pub fn run(self) -> anyhow::Result<()> {
        let config = || Config::load(&self.config);
        match self.command {
            Command::Run => run::run(config()?),
            Command::Agent(command) => agent::run(&config()?, command),
            Command::Audit(command) => audit::run(&config()?, command),
            Command::User(command) => user::run(&config()?, command),
            Command::Keys(command) => keys::run(&config()?, &command),
            Command::CheckConfig => check_config::run(&config()?),
            Command::Openapi => print(&crate::http::openapi::document()),
            Command::Postman => print(&crate::http::postman::collection()),
            Command::Errors => print(&crate::http::errors::page()),
            Command::Version => print(&format!("{}\n", env!("CARGO_PKG_VERSION"))),
        }
    }
}

/// Writes to standard output; a closed pipe is an error, not a panic.
fn print(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .context("writing to standard output")
}
