//! The command line: one file per subcommand.

mod audit_head;
mod check_config;
mod drill;
mod enroll;
mod probe;
mod run;
mod status;

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Parser, Subcommand};
use shared::clock::{Clock, SystemClock};

use crate::config::{Config, LogFormat};

/// Records cameras near where they are and brings what it recorded to the centre.
#[derive(Debug, Parser)]
#[command(name = "cctv-agent", version)]
pub struct Cli {
    /// The file of settings.
    #[arg(
        long,
        short,
        global = true,
        env = "CCTV_AGENT_CONFIG",
        default_value = "/etc/cctv/agent.toml"
    )]
    config: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Record, until stopped.
    Run,
    /// Tie this agent to a coordinator with an enrolment code.
    Enroll(enroll::Enroll),
    /// Measure a camera and say what to improve.
    Probe(probe::Probe),
    /// Prove that recordings survive, or see what other limits would delete.
    Drill(drill::Drill),
    /// Ask the running agent how it is doing.
    Status(status::Status),
    /// Print what this site keeps of the coordinator's audit, for whoever doubts it.
    AuditHead,
    /// Check the file of settings and say what is wrong with it.
    CheckConfig,
}

/// Runs the subcommand; problems are told on standard error, one line each.
pub fn main(cli: Cli) -> ExitCode {
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&anyhow::Error::new(error).context("cannot start")),
    };
    let result = runtime.block_on(dispatch(cli));
    // A disk that does not answer must not keep the program from ending.
    runtime.shutdown_timeout(std::time::Duration::from_secs(2));
    result.unwrap_or_else(|error| fail(&error))
}

async fn dispatch(cli: Cli) -> anyhow::Result<ExitCode> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    match cli.command {
        Command::Run => run::run(load(&cli.config)?, clock).await,
        Command::Enroll(enroll) => enroll.run(load(&cli.config)?, clock).await,
        Command::Probe(probe) => probe.run(&cli.config, clock.as_ref()).await,
        Command::Drill(drill) => drill.run(&cli.config, clock).await,
        Command::Status(status) => status.run(&load(&cli.config)?).await,
        Command::AuditHead => audit_head::run(&load(&cli.config)?),
        Command::CheckConfig => check_config::run(&cli.config),
    }
}

fn load(path: &Path) -> anyhow::Result<Config> {
    Ok(Config::load(path)?)
}

fn fail(error: &anyhow::Error) -> ExitCode {
    // Nobody can be told when this fails.
    let _ = writeln!(
        std::io::stderr(),
        "cctv-agent: {}",
        shared::cause::in_one_line(error.as_ref())
    );
    ExitCode::FAILURE
}

/// A line on standard output; a closed pipe is no reason to fail.
fn say(text: impl std::fmt::Display) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

fn start_logging(config: &Config) -> anyhow::Result<()> {
    let filter = tracing_subscriber::EnvFilter::try_new(&config.log.filter)
        .map_err(|error| anyhow::anyhow!("`log.filter` = \"{}\": {error}", config.log.filter))?
        // Its messages quote addresses and descriptions of cameras, where passwords may stand; what
        // matters of them is said by `camera` without.
        .add_directive("retina=off".parse()?)
        // Takes the end of a tunnel for an error; `uplink` says what it means.
        .add_directive("quinn::endpoint=off".parse()?);
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    match config.log.format {
        LogFormat::Text => builder.init(),
        LogFormat::Json => builder.json().init(),
    }
    Ok(())
}
