//! One of our programs as a process: started as an installation would start it, killed as a power cut would.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};

use crate::group;

/// A running program. It ends when this is dropped, and with the program that started it.
pub struct Program {
    name: String,
    child: Child,
    log: PathBuf,
}

/// Where cargo puts the binaries of this build.
///
/// # Errors
/// The program has not been built.
pub fn binary(name: &str) -> Result<PathBuf> {
    let here = std::env::current_exe().context("asking for the path of this program")?;
    let directory = here.parent().context("this program has no directory")?;
    let directory = if directory.ends_with("deps") {
        directory.parent().unwrap_or(directory)
    } else {
        directory
    };
    let path = directory.join(name);
    ensure!(
        path.exists(),
        "{} is missing; run `cargo build --workspace --bins` first",
        path.display()
    );
    Ok(path)
}

impl Program {
    /// Starts `name` with `arguments`; what it prints goes to `<log_directory>/<label>.log`, after what is there.
    ///
    /// # Errors
    /// The program is missing or cannot be started.
    pub fn start(
        name: &str,
        label: &str,
        arguments: &[&str],
        log_directory: &Path,
    ) -> Result<Self> {
        let log = log_directory.join(format!("{label}.log"));
        let output = File::options()
            .create(true)
            .append(true)
            .open(&log)
            .with_context(|| format!("opening {}", log.display()))?;
        let mut command = Command::new(binary(name)?);
        let child = group::join(&mut command)?
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .with_context(|| format!("starting {name}"))?;
        Ok(Self {
            name: label.to_owned(),
            child,
            log,
        })
    }

    pub fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// Everything it has printed so far, over all its starts.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// The last lines of its log, for an error message.
    pub fn log_tail(&self) -> String {
        let log = self.log();
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }

    /// Fails with the end of the log when the program has ended by itself.
    pub fn expect_running(&mut self) -> Result<()> {
        if let Some(status) = self.child.try_wait()? {
            bail!("{} ended with {status}:\n{}", self.name, self.log_tail());
        }
        Ok(())
    }

    /// SIGKILL: no chance to tidy up.
    pub async fn kill_nine(mut self) -> Result<()> {
        self.signal(Signal::KILL)?;
        self.child.wait().await?;
        Ok(())
    }

    /// SIGTERM, as systemd would, and wait.
    pub async fn stop(self) -> Result<ExitStatus> {
        self.signal(Signal::TERM)?;
        self.ended().await
    }

    /// Waits until it has ended after something that should end it.
    ///
    /// # Errors
    /// It goes on for 20 s; the error shows its log.
    pub async fn ended(mut self) -> Result<ExitStatus> {
        match tokio::time::timeout(Duration::from_secs(20), self.child.wait()).await {
            Ok(status) => Ok(status?),
            Err(_) => bail!(
                "{} did not stop within 20 s:\n{}",
                self.name,
                self.log_tail()
            ),
        }
    }

    /// Any other signal, such as STOP and CONT.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        let pid = self
            .child
            .id()
            .and_then(|id| i32::try_from(id).ok())
            .and_then(Pid::from_raw);
        let pid = pid.with_context(|| format!("{} has ended already", self.name))?;
        kill_process(pid, signal).with_context(|| format!("sending a signal to {}", self.name))
    }

    /// Runs a program to its end and returns what it printed.
    ///
    /// # Errors
    /// It cannot be started, or ends with a failure; the error shows its output.
    pub async fn run(name: &str, arguments: &[&str]) -> Result<String> {
        let mut command = Command::new(binary(name)?);
        let output = group::join(&mut command)?
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .await
            .with_context(|| format!("running {name}"))?;
        let printed = format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        ensure!(
            output.status.success(),
            "{name} {arguments:?} ended with {}:\n{printed}",
            output.status
        );
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}
