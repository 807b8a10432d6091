//! Recording: one agent for all cameras against one ffmpeg for each, from the same simulator at the same time.

use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use camera_sim::{CameraConfig, SimulatorConfig, Source};
use support::process::Program;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::account::Usage;
use crate::table::Table;

/// Time for sessions to be set up and the first segments to be open, before anything is counted.
const SETTLE: Duration = Duration::from_secs(15);

/// What is recorded.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    pub(crate) cameras: usize,
    /// Nominal, of each.
    pub(crate) bits_per_second: u32,
    /// How long it is counted.
    pub(crate) seconds: u64,
}

/// Records it with both, and adds two rows.
pub(crate) async fn compare(table: &mut Table, load: Load) -> Result<()> {
    let directory = TempDir::new().context("making a directory for recordings")?;
    let (_simulator, urls) = simulator(load, directory.path()).await?;
    let agent_directory = directory.path().join("agent");
    std::fs::create_dir(&agent_directory)?;
    let agent = start_agent(&urls, &agent_directory)?;
    let peers: Vec<Child> = urls
        .iter()
        .enumerate()
        .map(|(n, url)| start_ffmpeg(n, url, directory.path()))
        .collect::<Result<_>>()?;
    tokio::time::sleep(SETTLE).await;

    let agent_pid = agent.pid().context("the agent has ended")?;
    let peer_pids: Vec<u32> = peers.iter().filter_map(Child::id).collect();
    ensure!(
        peer_pids.len() == load.cameras,
        "{} of {} ffmpeg processes have ended",
        load.cameras - peer_pids.len(),
        load.cameras
    );
    let before = (
        Usage::of(agent_pid)?,
        Usage::of_all(peer_pids.iter().copied())?,
        on_disk(&agent_directory)?,
    );
    tokio::time::sleep(Duration::from_secs(load.seconds)).await;
    let ours = Usage::of(agent_pid)?.since(&before.0);
    let theirs = Usage::of_all(peer_pids.iter().copied())?.since(&before.1);
    let recorded = on_disk(&agent_directory)?.saturating_sub(before.2);

    // ffmpeg receives with calls that the kernel does not count as reading; it is sent the same.
    let received = ours.read_bytes;
    let Load {
        cameras, seconds, ..
    } = load;
    let name = format!("cctv-agent, {cameras} cameras");
    row(table, &name, &ours, load, received);
    let name = format!("ffmpeg -c copy, {cameras} processes");
    row(table, &name, &theirs, load, received);
    table.note(format!(
        "{cameras} cameras: {:.2} of ffmpeg's CPU; {:.2} Mbit/s a camera on disk",
        ours.cpu.as_secs_f64() / theirs.cpu.as_secs_f64(),
        recorded as f64 * 8.0 / 1e6 / seconds as f64 / cameras as f64,
    ));
    agent.stop().await?;
    Ok(())
}

fn row(table: &mut Table, name: &str, usage: &Usage, load: Load, received: u64) {
    let cameras = load.cameras as f64;
    let camera_seconds = cameras * load.seconds as f64;
    let per_byte = |bytes: u64| format!("{:.3}", bytes as f64 / received.max(1) as f64);
    table.row([
        name.to_owned(),
        format!("{:.2}", usage.cpu.as_secs_f64() / camera_seconds * 3_600.0),
        format!("{:.2}", usage.own_memory_bytes as f64 / 1e6 / cameras),
        per_byte(usage.written_bytes),
        per_byte(usage.stored_bytes),
        format!("{:.1}", usage.calls as f64 / camera_seconds),
    ]);
}

/// The simulator in a process of its own, so that its work is not counted as anybody's.
async fn simulator(load: Load, directory: &Path) -> Result<(Child, Vec<String>)> {
    let cameras = load.cameras;
    let camera = |n: usize| CameraConfig {
        source: Source::Loop {
            seed: 1,
            seconds: 10,
        },
        width: 1_920,
        height: 1_080,
        bitrate: load.bits_per_second,
        noise: 6,
        ..CameraConfig::looped(format!("cam{n}"))
    };
    let config = SimulatorConfig::of((1..=cameras).map(camera));
    let path = directory.join("sim.toml");
    std::fs::write(&path, toml::to_string(&config)?)?;
    let mut child = Command::new(support::process::binary("camera-sim")?)
        .args([
            "--config".as_ref(),
            path.as_os_str(),
            "--listen".as_ref(),
            "127.0.0.1:0".as_ref(),
        ])
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context("starting camera-sim")?;
    let mut lines =
        BufReader::new(child.stdout.take().context("camera-sim has no output")?).lines();
    let mut urls = Vec::new();
    while urls.len() < cameras {
        let line = lines
            .next_line()
            .await?
            .context("camera-sim ended before it printed its addresses")?;
        urls.extend(line.starts_with("rtsp://").then_some(line));
    }
    Ok((child, urls))
}

fn start_agent(urls: &[String], directory: &Path) -> Result<Program> {
    let path = directory.join("agent.toml");
    let mut file = std::fs::File::create(&path)?;
    writeln!(
        file,
        "[agent]\ndata_dir = {:?}\n[buffer]\nreserve_bytes = 500_000_000\n[status]\nenabled = false",
        directory.display().to_string()
    )?;
    for (n, url) in urls.iter().enumerate() {
        writeln!(file, "[[camera]]\nname = \"cam{n}\"\nurl = \"{url}\"")?;
    }
    Program::start(
        "cctv-agent",
        "agent",
        &["run", "--config", &path.display().to_string()],
        directory,
    )
}

fn start_ffmpeg(n: usize, url: &str, directory: &Path) -> Result<Child> {
    let target = directory.join(format!("ffmpeg-{n}-%03d.mp4"));
    Command::new("ffmpeg")
        .args([
            "-nostdin",
            "-loglevel",
            "error",
            "-rtsp_transport",
            "tcp",
            "-i",
            url,
            "-c",
            "copy",
            "-f",
            "segment",
        ])
        .args(["-segment_time", "60", "-segment_format", "mp4"])
        .arg(target)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .context("starting ffmpeg; `make bench` installs it")
}

/// Bytes of all files below.
fn on_disk(directory: &Path) -> Result<u64> {
    let mut total = 0;
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        total += if metadata.is_dir() {
            on_disk(&entry.path())?
        } else {
            metadata.len()
        };
    }
    Ok(total)
}
