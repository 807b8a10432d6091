//! `cctv-agent drill kill`: records a camera in a child process, ends that with SIGKILL at random
//! instants, and compares what it had seen with what is there afterwards.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use serde::Serialize;
use shared::clock::Clock;
use shared::id::CameraId;
use shared::segment::StreamKind;
use shared::time::{TimeRange, WallTime};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use url::Url;

use crate::buffer::inspect::{Audit, Inspection};
use crate::buffer::{Buffer, BufferConfig, Limits, RecoveryReport};
use crate::cli::say;
use crate::identity::Key;
use crate::supervisor::camera_id;

/// What a kill may cost, by the product's promise.
const ALLOWED: Duration = Duration::from_secs(1);
/// How long the camera may take until its first picture is recorded.
const FIRST_PICTURE: Duration = Duration::from_secs(60);
/// The name of a camera that is given by its address.
const NAME: &str = "drill";

#[derive(Debug, Args)]
pub(super) struct Kill {
    /// An address such as rtsp://192.0.2.7/stream1, or the name of a camera in the settings.
    camera: String,
    /// How often to kill.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    times: u32,
    /// Each recording lasts at least so many seconds after its first picture,
    #[arg(long, default_value_t = 2.0)]
    min_seconds: f64,
    /// and at most so many.
    #[arg(long, default_value_t = 10.0)]
    max_seconds: f64,
    /// User name at the camera, when it is given by its address.
    #[arg(long)]
    user: Option<String>,
    /// A file whose first line is the password.
    #[arg(long, requires = "user")]
    password_file: Option<PathBuf>,
    /// Receive RTP in datagrams, when the camera is given by its address.
    #[arg(long)]
    udp: bool,
    /// An empty directory for the recordings, best on the disk that is used otherwise. Deleted
    /// afterwards; by default one beside the temporary files of the system.
    #[arg(long)]
    directory: Option<PathBuf>,
    /// Leave the recordings where they are.
    #[arg(long)]
    keep: bool,
    /// Print the report as JSON.
    #[arg(long)]
    json: bool,
}

/// One recording and its end.
#[derive(Clone, Debug, Serialize)]
struct Round {
    /// From the first picture to the last that was seen.
    filmed_ms: u64,
    /// Pictures seen and not there afterwards.
    lost_ms: u64,
    /// What had not been made durable: what a power cut instead of the kill could have cost.
    not_durable_ms: u64,
    recovery: RecoveryReport,
}

#[derive(Debug, Serialize)]
struct Report {
    rounds: Vec<Round>,
    worst_lost_ms: u64,
    worst_not_durable_ms: u64,
    audit: Audit,
    passed: bool,
}

/// What the recording said last.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    picture: WallTime,
    /// Only what was recorded becomes durable, while what is explained may also be a gap.
    durable: WallTime,
}

impl Seen {
    fn parse(line: &str) -> Option<Self> {
        let mut times = line
            .split(' ')
            .map(|part| part.parse().map(WallTime::from_micros));
        Some(Self {
            picture: times.next()?.ok()?,
            durable: times.next()?.ok()?,
        })
    }
}

impl Kill {
    /// Succeeds when no kill cost more than a second and everything left is sound.
    pub(super) async fn run(
        self,
        settings: &Path,
        clock: Arc<dyn Clock>,
    ) -> anyhow::Result<ExitCode> {
        if !(self.min_seconds >= 0.0 && self.max_seconds >= self.min_seconds) {
            bail!("--min-seconds and --max-seconds are no range");
        }
        let scratch = Scratch::prepare(&self, settings)?;
        let mut rounds = Vec::new();
        for number in 1..=self.times {
            let round = self.round(&scratch, &clock).await;
            let round = round.with_context(|| {
                format!(
                    "in recording {number}; its log is {}",
                    scratch.log().display()
                )
            })?;
            if !self.json {
                tell(number, &round);
            }
            rounds.push(round);
        }
        let report = scratch.judge(rounds, clock.wall())?;
        if self.json {
            say(serde_json::to_string_pretty(&report)?);
        } else {
            conclude(&report);
        }
        if !self.keep {
            fs::remove_dir_all(&scratch.directory)
                .with_context(|| format!("cannot delete {}", scratch.directory.display()))?;
        }
        Ok(if report.passed {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }

    async fn round(&self, scratch: &Scratch, clock: &Arc<dyn Clock>) -> anyhow::Result<Round> {
        let (mut child, mut said) = scratch.record()?;
        let began = clock.wall();
        let first = tokio::time::timeout(FIRST_PICTURE, first_recorded(&mut said, began))
            .await
            .context("nothing was recorded within a minute")??;
        let lasts = self.min_seconds
            + (self.max_seconds - self.min_seconds) * f64::from(rand::random::<u16>()) / 65_535.0;
        let until = tokio::time::Instant::now() + Duration::from_secs_f64(lasts);
        let mut last = first;
        while let Ok(line) = tokio::time::timeout_at(until, said.next_line()).await {
            let line = line?.context("the recording ended by itself")?;
            last = Seen::parse(&line).unwrap_or(last);
        }
        child.start_kill().context("cannot kill the recording")?;
        // What it still said before it was hit.
        while let Some(line) = said.next_line().await? {
            last = Seen::parse(&line).unwrap_or(last);
        }
        child.wait().await?;
        let (recovery, recorded_until) = scratch.recover(began, clock).await?;
        let millis = |later: WallTime, earlier| {
            u64::try_from(later.saturating_duration_since(earlier).as_millis()).unwrap_or(u64::MAX)
        };
        Ok(Round {
            filmed_ms: millis(last.picture, first.picture),
            lost_ms: millis(last.picture, recorded_until),
            not_durable_ms: millis(last.picture, last.durable),
            recovery,
        })
    }
}

/// Waits until something of this run is in a file.
async fn first_recorded(
    said: &mut Lines<BufReader<ChildStdout>>,
    began: WallTime,
) -> anyhow::Result<Seen> {
    while let Some(line) = said.next_line().await? {
        if let Some(seen) = Seen::parse(&line)
            && seen.durable > began
        {
            return Ok(seen);
        }
    }
    bail!("the recording ended by itself")
}

/// The directory that is recorded to, and how.
struct Scratch {
    directory: PathBuf,
    settings: PathBuf,
    /// In the settings.
    camera: String,
}

impl Scratch {
    fn prepare(kill: &Kill, settings: &Path) -> anyhow::Result<Self> {
        let directory = kill.directory.clone().unwrap_or_else(|| {
            std::env::temp_dir().join(format!("cctv-drill-{}", std::process::id()))
        });
        fs::create_dir_all(&directory)
            .with_context(|| format!("cannot make {}", directory.display()))?;
        if fs::read_dir(&directory)?.next().is_some() {
            bail!("{} is not empty", directory.display());
        }
        let by_address = kill.camera.parse::<Url>().is_ok_and(|url| url.has_host());
        let (settings, camera) = if by_address {
            let path = directory.join("drill.toml");
            fs::write(&path, own_settings(kill)?)?;
            (path, NAME.to_owned())
        } else {
            crate::cli::load(settings)?
                .cameras
                .iter()
                .find(|camera| camera.name == kill.camera)
                .with_context(|| {
                    format!(
                        "there is no camera `{}` in {}",
                        kill.camera,
                        settings.display()
                    )
                })?;
            (settings.to_owned(), kill.camera.clone())
        };
        Ok(Self {
            settings: std::path::absolute(settings)?,
            directory,
            camera,
        })
    }

    fn log(&self) -> PathBuf {
        self.directory.join("log")
    }

    /// Below the scratch directory, so that settings and log are not taken for recordings.
    fn data_dir(&self) -> PathBuf {
        self.directory.join("data")
    }

    fn record(&self) -> anyhow::Result<(Child, Lines<BufReader<ChildStdout>>)> {
        let log = File::options().create(true).append(true).open(self.log())?;
        let program = std::env::current_exe().context("cannot find this program")?;
        let mut child = Command::new(program)
            .arg("--config")
            .arg(&self.settings)
            .args(["drill", "record", "--camera", &self.camera, "--directory"])
            .arg(self.data_dir())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .context("cannot start the recording")?;
        let said = child.stdout.take().context("the recording has no output")?;
        Ok((child, BufReader::new(said).lines()))
    }

    fn buffer(&self) -> BufferConfig {
        BufferConfig {
            index: self.data_dir().join("index.sqlite"),
            segments: self.data_dir().join("segments"),
            limits: Limits {
                max_bytes: None,
                reserve_bytes: 0,
                max_age: None,
            },
        }
    }

    fn key(&self) -> anyhow::Result<Key> {
        Ok(Key::load_or_create(&self.data_dir())?)
    }

    fn camera(&self, key: &Key) -> CameraId {
        camera_id(key.public_key(), &self.camera)
    }

    /// Settles the directory as the next start of an agent would; until when is there something?
    async fn recover(
        &self,
        began: WallTime,
        clock: &Arc<dyn Clock>,
    ) -> anyhow::Result<(RecoveryReport, WallTime)> {
        let key = self.key()?;
        let camera = self.camera(&key);
        let sign = Arc::new(move |statement: &[u8]| key.sign(statement));
        let (buffer, report) = Buffer::open(self.buffer(), Arc::clone(clock), sign)?;
        let range = TimeRange::new(began, WallTime::MAX)?;
        let facts = buffer.facts(camera, StreamKind::Main, range).await?;
        let until = facts.coverage.iter().map(|piece| piece.range.end()).max();
        Ok((report, until.unwrap_or(began)))
    }

    fn judge(&self, rounds: Vec<Round>, now: WallTime) -> anyhow::Result<Report> {
        let key = self.key()?;
        let inspection = Inspection::open(self.buffer())?;
        let audit = inspection.audit(Some(key.public_key()), WallTime::MIN, now)?;
        let worst = |of: fn(&Round) -> u64| rounds.iter().map(of).max().unwrap_or(0);
        let worst_lost_ms = worst(|round| round.lost_ms);
        Ok(Report {
            worst_lost_ms,
            worst_not_durable_ms: worst(|round| round.not_durable_ms),
            passed: u128::from(worst_lost_ms) <= ALLOWED.as_millis() && audit.is_sound(),
            audit,
            rounds,
        })
    }
}

/// Settings for a camera that is given by its address.
fn own_settings(kill: &Kill) -> anyhow::Result<String> {
    let mut camera = toml::Table::new();
    camera.insert("name".to_owned(), NAME.into());
    camera.insert("url".to_owned(), kill.camera.clone().into());
    if let Some(user) = &kill.user {
        camera.insert("username".to_owned(), user.clone().into());
    }
    if let Some(path) = &kill.password_file {
        let path = std::path::absolute(path)?;
        let path = path
            .to_str()
            .context("the path of the password file is not text")?;
        camera.insert("password_file".to_owned(), path.into());
    }
    if kill.udp {
        camera.insert("transport".to_owned(), "udp".into());
    }
    let mut settings = toml::Table::new();
    settings.insert("camera".to_owned(), vec![toml::Value::Table(camera)].into());
    Ok(toml::to_string(&settings)?)
}

fn tell(number: u32, round: &Round) {
    say(format_args!(
        "{number:>4}: filmed {:>6} ms, lost {:>4} ms, {} bytes cut off; a power cut could have cost {} ms",
        round.filmed_ms, round.lost_ms, round.recovery.cut_bytes, round.not_durable_ms
    ));
}

fn conclude(report: &Report) {
    for problem in &report.audit.problems {
        say(format_args!(
            "PROBLEM {}: {}",
            problem.path, problem.problem
        ));
    }
    for hole in report
        .audit
        .streams
        .iter()
        .flat_map(|stream| &stream.unexplained)
    {
        say(format_args!(
            "PROBLEM nothing explains {} to {}",
            hole.start(),
            hole.end()
        ));
    }
    say(format_args!(
        "{} kills cost at most {} ms each; {} segments are {}",
        report.rounds.len(),
        report.worst_lost_ms,
        report.audit.closed_segments,
        if report.audit.is_sound() {
            "sound and every second is explained"
        } else {
            "not all sound"
        }
    ));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_two_times_and_anything_else_is_not_believed() {
        let seen = Seen::parse("3 1").unwrap();
        assert_eq!(seen.picture, WallTime::from_micros(3));
        assert_eq!(seen.durable, WallTime::from_micros(1));
        assert!(Seen::parse("3").is_none());
        assert!(Seen::parse("a b").is_none());
    }
}
