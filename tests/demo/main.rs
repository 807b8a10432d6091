//! `make demo`: two sites with four simulated cameras each, their agents, and the coordinator, on this machine.
//!
//! With `--check` nobody needs to watch: it succeeds only when video of every camera was fetched through its playlist and
//! decoded. With `--browser-tests` the pages are tested against it.

mod browser;
mod check;
mod sign_on;
mod street;

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use camera_sim::Simulator;
use clap::Parser;
use support::api::Api;
use support::net::Conditions;
use support::world::{Centre, Site};
use tempfile::TempDir;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Eight simulated cameras on two sites, two agents and a coordinator.
#[derive(Debug, Parser)]
struct Arguments {
    /// Fetch and decode video of every camera, then stop; exit code 0 means that all of it was there.
    #[arg(long)]
    check: bool,
    /// Test the pages in Chromium, then stop.
    #[arg(long, conflicts_with = "check")]
    browser_tests: bool,
    /// Where pages and API are served. Tests take a free port.
    #[arg(long, default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Keep everything in this directory instead of a temporary one.
    #[arg(long)]
    data: Option<PathBuf>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("\ndemo: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn run(arguments: &Arguments) -> Result<()> {
    let mut stop = Stop::new()?;
    let temporary =
        TempDir::with_prefix("cctv-demo-").context("making a directory for the demo")?;
    let directory = arguments
        .data
        .as_deref()
        .unwrap_or_else(|| temporary.path());
    let listen = if arguments.unattended() {
        SocketAddr::from(([127, 0, 0, 1], 0))
    } else {
        arguments.listen
    };
    let mut demo = tokio::select! {
        // What has been started by then ends with its handle.
        () = stop.asked() => return arguments.interrupted(),
        demo = Demo::start(directory, listen) => demo?,
    };
    let result = tokio::select! {
        () = stop.asked() => arguments.interrupted(),
        result = demo.purpose(arguments) => result,
    };
    if result.is_err() {
        demo.show_logs();
    }
    say("\nStopping …");
    tokio::select! {
        () = stop.asked() => bail!("stopped without waiting"),
        stopped = demo.stop() => stopped?,
    }
    result
}

impl Arguments {
    const fn unattended(&self) -> bool {
        self.check || self.browser_tests
    }

    /// What it means to be told to stop: a person has seen enough, a test has not.
    fn interrupted(&self) -> Result<()> {
        ensure!(!self.unattended(), "interrupted");
        Ok(())
    }
}

/// Ctrl-C, or what a service manager or script sends.
struct Stop {
    interrupt: Signal,
    terminate: Signal,
}

impl Stop {
    fn new() -> Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt()).context("listening for Ctrl-C")?,
            terminate: signal(SignalKind::terminate()).context("listening for SIGTERM")?,
        })
    }

    async fn asked(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// Everything that runs.
struct Demo {
    simulator: Simulator,
    centre: Centre,
    sites: Vec<Site>,
    api: Api,
}

impl Demo {
    async fn start(directory: &Path, listen: SocketAddr) -> Result<Self> {
        say("Starting eight simulated cameras …");
        let simulator = Simulator::start(street::simulator())
            .await
            .context("starting the camera simulator")?;
        say("Starting the coordinator …");
        let centre = Centre::start_at(&directory.join("centre"), listen, "").await?;
        let mut sites = Vec::new();
        for site in street::SITES {
            say(&format!(
                "Enrolling and starting the agent of {} …",
                site.name
            ));
            let cameras = site.settings(&simulator);
            sites.push(
                Site::start(
                    site.name,
                    &directory.join(site.directory),
                    &centre,
                    &cameras,
                    &street::agent(),
                )
                .await?,
            );
        }
        let api = centre.sign_in().await?;
        Ok(Self {
            simulator,
            centre,
            sites,
            api,
        })
    }

    async fn purpose(&self, arguments: &Arguments) -> Result<()> {
        if arguments.check {
            check::every_camera(self).await
        } else if arguments.browser_tests {
            browser::test_pages(self).await
        } else {
            self.show().await
        }
    }

    /// For a person: says where to look, cuts one site off for a while, and goes on until told to stop.
    async fn show(&self) -> Result<()> {
        let password = self.centre.first_password()?;
        say(&format!(
            "\n  Open      {}\n  Sign in   admin\n  Password  {password}\n\n  Ctrl-C ends the demo and removes what it recorded.\n",
            self.centre.url()
        ));
        self.outage().await?;
        std::future::pending().await
    }

    /// What the product is for: a site without a link goes on recording, and catches up.
    async fn outage(&self) -> Result<()> {
        let site = self.sites.last().context("no site")?;
        tokio::time::sleep(Duration::from_secs(30)).await;
        say(&format!(
            "  {}: link to the centre cut for 45 s; the agent goes on recording",
            site.name()
        ));
        site.link().set(Conditions::CUT);
        tokio::time::sleep(Duration::from_secs(45)).await;
        site.link().set(Conditions::PERFECT);
        say(&format!(
            "  {}: link restored; watch its timeline fill up",
            site.name()
        ));
        Ok(())
    }

    fn show_logs(&mut self) {
        if let Ok(program) = self.centre.program() {
            say(&format!("--- coordinator\n{}", program.log_tail()));
        }
        for site in &mut self.sites {
            let name = site.name().to_owned();
            if let Ok(program) = site.program() {
                say(&format!("--- agent of {name}\n{}", program.log_tail()));
            }
        }
    }

    async fn stop(mut self) -> Result<()> {
        for site in &mut self.sites {
            site.stop().await?;
        }
        self.centre.stop().await?;
        self.simulator.shutdown().await;
        Ok(())
    }
}

/// A line on standard output; nobody listening is no reason to fail.
fn say(line: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}
