//! A coordinator and its sites, as processes with directories of their own.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use camera_sim::Rendition;
use camera_sim::Simulator;

use crate::api::Api;
use crate::net::Link;
use crate::ports;
use crate::process::Program;
use crate::wait;

/// How long a program may take until it answers; generous, because two cores may be building as well.
const START_LIMIT: Duration = Duration::from_secs(60);

/// The coordinator, its directory and its addresses, which stay the same over restarts.
pub struct Centre {
    directory: PathBuf,
    http: SocketAddr,
    quic: SocketAddr,
    program: Option<Program>,
}

impl Centre {
    /// Makes a directory with settings, starts the coordinator and waits until it is ready.
    ///
    /// # Errors
    /// It ends, or is not ready in time; the error shows its log.
    pub async fn start(directory: &Path) -> Result<Self> {
        Self::start_at(directory, ports::free()?, "").await
    }

    /// The same at a given address (port 0 for one that is free), with `more` settings as TOML.
    ///
    /// # Errors
    /// As [`Centre::start`].
    pub async fn start_at(directory: &Path, http: SocketAddr, more: &str) -> Result<Self> {
        std::fs::create_dir_all(directory)?;
        let http = if http.port() == 0 {
            ports::free()?
        } else {
            http
        };
        let quic = ports::free()?;
        let live = SocketAddr::new(http.ip(), 0);
        let data = directory.join("data");
        let ui = ui_directory();
        let settings = format!(
            "data_dir = {data:?}\n[http]\nlisten = \"{http}\"\nui_dir = {ui:?}\n[agents]\nlisten = \"{quic}\"\n\
             heartbeat_ms = 500\n[live]\nlisten = \"{live}\"\n[storage]\nreserve_bytes = 500_000_000\n{more}"
        );
        std::fs::write(directory.join("coordinator.toml"), settings)?;
        let mut centre = Self {
            directory: directory.to_owned(),
            http,
            quic,
            program: None,
        };
        centre.resume().await?;
        Ok(centre)
    }

    /// Starts the program again where it left off.
    ///
    /// # Errors
    /// As [`Centre::start`].
    pub async fn resume(&mut self) -> Result<()> {
        let settings = self.settings();
        let mut program = Program::start(
            "cctv-coordinator",
            "coordinator",
            &["run", "--config", &settings],
            &self.directory,
        )?;
        let ready = format!("{}/readyz", self.url());
        wait::until("the coordinator to be ready", START_LIMIT, async || {
            program.expect_running()?;
            reqwest::get(&ready)
                .await?
                .error_for_status()
                .map_err(anyhow::Error::from)
        })
        .await
        .with_context(|| program.log_tail())?;
        self.program = Some(program);
        Ok(())
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.http)
    }

    /// Where agents connect.
    pub const fn agents_address(&self) -> SocketAddr {
        self.quic
    }

    pub fn data_directory(&self) -> PathBuf {
        self.directory.join("data")
    }

    /// # Errors
    /// It is not running.
    pub fn program(&mut self) -> Result<&mut Program> {
        self.program
            .as_mut()
            .context("the coordinator is not running")
    }

    /// The password printed at the first start.
    ///
    /// # Errors
    /// The file is gone.
    pub fn first_password(&self) -> Result<String> {
        let path = self
            .data_directory()
            .join(cctv_coordinator::app::FIRST_PASSWORD_FILE);
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("reading {}", path.display()))?;
        Ok(text.trim().to_owned())
    }

    /// Signs in as the first administrator.
    ///
    /// # Errors
    /// Nobody answers, or the password is refused.
    pub async fn sign_in(&self) -> Result<Api> {
        Api::sign_in(&self.url(), "admin", &self.first_password()?).await
    }

    /// # Errors
    /// It is not running, or did not stop.
    pub async fn stop(&mut self) -> Result<()> {
        self.program
            .take()
            .context("the coordinator is not running")?
            .stop()
            .await?;
        Ok(())
    }

    /// # Errors
    /// It is not running.
    pub async fn kill_nine(&mut self) -> Result<()> {
        self.program
            .take()
            .context("the coordinator is not running")?
            .kill_nine()
            .await
    }

    /// An enrolment code for one agent of `site`, made at the command line.
    ///
    /// # Errors
    /// The command failed; the error shows what it printed.
    pub async fn invite(&self, site: &str, agent: &str) -> Result<String> {
        let settings = self.settings();
        let arguments = [
            "agent", "invite", "--config", &settings, "--site", site, "--name", agent, "--quiet",
        ];
        Ok(Program::run("cctv-coordinator", &arguments)
            .await?
            .trim()
            .to_owned())
    }

    fn settings(&self) -> String {
        self.directory
            .join("coordinator.toml")
            .display()
            .to_string()
    }
}

/// One camera of a site's settings.
#[derive(Clone, Debug)]
pub struct CameraSettings {
    pub name: String,
    pub url: String,
    /// Further lines of its `[[camera]]` section.
    pub more: String,
}

impl CameraSettings {
    /// The main stream of a simulated camera.
    pub fn simulated(simulator: &Simulator, camera: &str) -> Self {
        let url = simulator.url(camera, Rendition::Main).to_string();
        Self {
            name: camera.to_owned(),
            url,
            more: String::new(),
        }
    }

    /// With the small stream of a simulated camera that has one.
    #[must_use]
    pub fn with_small(self, simulator: &Simulator) -> Self {
        let url = simulator.url(&self.name, Rendition::Sub);
        self.with(&format!("sub_url = {:?}", url.as_str()))
    }

    #[must_use]
    pub fn with(mut self, line: &str) -> Self {
        self.more.push_str(line);
        self.more.push('\n');
        self
    }
}

/// Settings of an agent beyond its cameras.
#[derive(Clone, Debug)]
pub struct SiteSettings {
    pub segment_seconds: u32,
    /// Connects to the centre without a [`Link`] in between, for measurements.
    pub direct: bool,
    /// Further sections as TOML.
    pub more: String,
}

impl Default for SiteSettings {
    fn default() -> Self {
        Self {
            segment_seconds: 10,
            direct: false,
            more: String::new(),
        }
    }
}

/// An agent and the network between it and the centre.
pub struct Site {
    name: String,
    directory: PathBuf,
    status: SocketAddr,
    link: Link,
    centre: SocketAddr,
    program: Option<Program>,
}

impl Site {
    /// Makes a directory with settings, enrols the agent and starts it. Its connection passes a [`Link`].
    ///
    /// # Errors
    /// Enrolment failed, or the agent ended; the error shows what it said.
    pub async fn start(
        name: &str,
        directory: &Path,
        centre: &Centre,
        cameras: &[CameraSettings],
        settings: &SiteSettings,
    ) -> Result<Self> {
        std::fs::create_dir_all(directory)?;
        let link = Link::to(centre.agents_address(), 1).await?;
        let mut site = Self {
            name: name.to_owned(),
            directory: directory.to_owned(),
            status: ports::free()?,
            link,
            centre: centre.agents_address(),
            program: None,
        };
        site.write_settings(cameras, settings)?;
        let code = centre.invite(name, name).await?;
        Program::run(
            "cctv-agent",
            &["enroll", "--config", &site.settings(), &code],
        )
        .await?;
        site.resume().await?;
        Ok(site)
    }

    /// Replaces the file of settings; they count from the next start on.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write_settings(
        &self,
        cameras: &[CameraSettings],
        settings: &SiteSettings,
    ) -> Result<()> {
        let data = self.directory.join("data");
        let mut text = format!(
            "[agent]\nname = {:?}\ndata_dir = {data:?}\n[coordinator]\naddress = \"{}\"\ntcp_fallback = \"never\"\n\
             [recording]\nsegment_seconds = {}\n[status]\nlisten = \"{}\"\n",
            self.name,
            if settings.direct {
                self.centre
            } else {
                self.link.address()
            },
            settings.segment_seconds,
            self.status,
        );
        if !settings.more.contains("[buffer]") {
            text.push_str("[buffer]\nreserve_bytes = 500_000_000\n");
        }
        text.push_str(&settings.more);
        for camera in cameras {
            writeln!(
                text,
                "\n[[camera]]\nname = {:?}\nurl = {:?}\n{}",
                camera.name, camera.url, camera.more
            )?;
        }
        let path = self.directory.join("agent.toml");
        std::fs::write(&path, text).with_context(|| format!("writing {}", path.display()))
    }

    /// Starts the agent again where it left off.
    ///
    /// # Errors
    /// It ended, or does not answer; the error shows its log.
    pub async fn resume(&mut self) -> Result<()> {
        let mut program = Program::start(
            "cctv-agent",
            &self.name,
            &["run", "--config", &self.settings()],
            &self.directory,
        )?;
        let status = format!("http://{}/api/status", self.status);
        wait::until("the agent to answer", START_LIMIT, async || {
            program.expect_running()?;
            reqwest::get(&status)
                .await?
                .error_for_status()
                .map_err(anyhow::Error::from)
        })
        .await
        .with_context(|| program.log_tail())?;
        self.program = Some(program);
        Ok(())
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub const fn link(&self) -> &Link {
        &self.link
    }

    /// Where its recordings are.
    pub fn segments_directory(&self) -> PathBuf {
        self.directory.join("data").join("segments")
    }

    pub fn status_url(&self) -> String {
        format!("http://{}", self.status)
    }

    /// What its health page knows.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn status(&self) -> Result<serde_json::Value> {
        Ok(reqwest::get(format!("{}/api/status", self.status_url()))
            .await?
            .error_for_status()?
            .json()
            .await?)
    }

    /// # Errors
    /// It is not running.
    pub fn program(&mut self) -> Result<&mut Program> {
        self.program
            .as_mut()
            .ok_or_else(|| anyhow!("the agent of {} is not running", self.name))
    }

    /// # Errors
    /// It is not running, or did not stop.
    pub async fn stop(&mut self) -> Result<()> {
        self.program()?;
        if let Some(program) = self.program.take() {
            program.stop().await?;
        }
        Ok(())
    }

    /// # Errors
    /// It is not running.
    pub async fn kill_nine(&mut self) -> Result<()> {
        self.program()?;
        match self.program.take() {
            Some(program) => program.kill_nine().await,
            None => Ok(()),
        }
    }

    pub fn settings(&self) -> String {
        self.directory.join("agent.toml").display().to_string()
    }
}

/// The built pages of this checkout.
fn ui_directory() -> PathBuf {
    crate::repository().join("ui/dist")
}
