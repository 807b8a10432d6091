//! Upload: an agent that recorded while the centre was away catches up over loopback. Beside it the same number of bytes over bare
//! QUIC and over TLS on TCP.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use camera_sim::{CameraConfig, Simulator, SimulatorConfig, Source};
use support::wait;
use support::world::{CameraSettings, Centre, Site, SiteSettings};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;

use crate::account::Usage;
use crate::peers::Transport;
use crate::table::Table;

const CAMERAS: u32 = 20;
const BITS_PER_SECOND: u32 = 20_000_000;

/// How often is asked whether everything is uploaded, and for how long.
const LOOK: Duration = Duration::from_secs(1);
const LIMIT: Duration = Duration::from_secs(600);

/// Records `megabytes`, uploads them, and sends as many bytes in the two other ways.
pub(crate) async fn compare(megabytes: u64) -> Result<Table> {
    let columns = [
        "",
        "MB",
        "MB/s",
        "CPU s per GB sent",
        "CPU s per GB received",
    ];
    let mut table = Table::new("Upload over loopback", columns);
    let directory = TempDir::new()?;
    ours(&mut table, directory.path(), megabytes).await?;
    for transport in [Transport::Quic, Transport::Tls] {
        yardstick(&mut table, directory.path(), transport, megabytes).await?;
    }
    Ok(table)
}

async fn ours(table: &mut Table, directory: &Path, megabytes: u64) -> Result<()> {
    let camera = |n: u32| CameraConfig {
        source: Source::Loop {
            seed: 1,
            seconds: 10,
        },
        width: 1_920,
        height: 1_080,
        bitrate: BITS_PER_SECOND,
        noise: 16,
        ..CameraConfig::looped(format!("cam{n}"))
    };
    let simulator = Simulator::start(SimulatorConfig::of((1..=CAMERAS).map(camera))).await?;
    let cameras: Vec<_> = simulator
        .cameras()
        .iter()
        .map(|camera| CameraSettings::simulated(&simulator, camera.name()))
        .collect();
    let mut centre = Centre::start(&directory.join("centre")).await?;
    let settings = SiteSettings {
        segment_seconds: 60,
        direct: true,
        ..SiteSettings::default()
    };
    let mut site = Site::start(
        "site",
        &directory.join("site"),
        &centre,
        &cameras,
        &settings,
    )
    .await?;
    centre.stop().await?;
    let wanted = megabytes * 1_000_000;
    wait::until(
        "enough to be recorded",
        Duration::from_secs(600),
        async || {
            let status = site.status().await?;
            let unsent = status["buffer"]["unsent_bytes"].as_u64().unwrap_or(0);
            ensure!(unsent >= wanted, "{unsent} of {wanted} bytes");
            Ok(())
        },
    )
    .await?;
    // Segments that are still open count only once they are closed, and the simulator's work would disturb.
    simulator.shutdown().await;
    site.stop().await?;
    site.write_settings(&[], &settings)?;
    site.resume().await?;

    let agent = site.program()?.pid().context("the agent has ended")?;
    let before = Usage::of(agent)?;
    let unsent = site.status().await?["buffer"]["unsent_bytes"]
        .as_u64()
        .context("no unsent_bytes")?;
    centre.resume().await?;
    let coordinator = centre
        .program()?
        .pid()
        .context("the coordinator has ended")?;
    let started = Usage::of(coordinator)?;
    let began = Instant::now();
    until_uploaded(&site).await?;
    let elapsed = began.elapsed();
    let sender = Usage::of(agent)?.since(&before).cpu;
    let receiver = Usage::of(coordinator)?.since(&started).cpu;
    row(
        table,
        "cctv-agent → cctv-coordinator, stored and indexed",
        unsent,
        elapsed,
        sender.as_secs_f64(),
        receiver.as_secs_f64(),
    );
    table.note(
        "ours includes the agent's waiting for the coordinator, hashing, index, and storing with fsync"
            .to_owned(),
    );
    site.stop().await?;
    centre.stop().await
}

/// Looks seldom: every look is work that the agent would be charged with.
async fn until_uploaded(site: &Site) -> Result<()> {
    let mut looks = tokio::time::interval(LOOK);
    let deadline = Instant::now() + LIMIT;
    loop {
        looks.tick().await;
        let left = &site.status().await?["buffer"]["unsent_bytes"];
        if left == 0 {
            return Ok(());
        }
        ensure!(
            Instant::now() < deadline,
            "{left} bytes left after {LIMIT:?}"
        );
    }
}

async fn yardstick(
    table: &mut Table,
    directory: &Path,
    transport: Transport,
    megabytes: u64,
) -> Result<()> {
    let (name, argument) = match transport {
        Transport::Quic => ("bare quinn, one stream, written to a file", "quic"),
        Transport::Tls => ("TLS over TCP, written to a file", "tls"),
    };
    let source = directory.join("source");
    fill(&source, megabytes)?;
    let program = std::env::current_exe()?;
    let mut receiver = Command::new(&program)
        .args(["receive", argument])
        .arg(directory.join("target"))
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let mut lines = BufReader::new(receiver.stdout.take().context("no output")?).lines();
    let address = lines
        .next_line()
        .await?
        .context("the receiver gave no address")?;
    let certificate = lines
        .next_line()
        .await?
        .context("the receiver gave no certificate")?;
    let began = Instant::now();
    let sent = Command::new(&program)
        .args(["send", argument])
        .arg(&source)
        .args([&address, &certificate])
        .output()
        .await?;
    let elapsed = began.elapsed();
    ensure!(
        sent.status.success(),
        "the sender failed: {}",
        String::from_utf8_lossy(&sent.stderr)
    );
    let (bytes, sender_cpu) = figures(&String::from_utf8_lossy(&sent.stdout))?;
    let (received, receiver_cpu) = figures(
        &lines
            .next_line()
            .await?
            .context("the receiver gave no figures")?,
    )?;
    ensure!(bytes == received, "{bytes} bytes sent, {received} received");
    row(table, name, bytes, elapsed, sender_cpu, receiver_cpu);
    Ok(())
}

fn row(table: &mut Table, name: &str, bytes: u64, elapsed: Duration, sender: f64, receiver: f64) {
    let gigabytes = bytes as f64 / 1e9;
    table.row([
        name.to_owned(),
        format!("{:.0}", gigabytes * 1e3),
        format!("{:.0}", gigabytes * 1e3 / elapsed.as_secs_f64()),
        format!("{:.2}", sender / gigabytes),
        format!("{:.2}", receiver / gigabytes),
    ]);
}

fn figures(line: &str) -> Result<(u64, f64)> {
    let (bytes, cpu) = line
        .trim()
        .split_once(' ')
        .with_context(|| format!("no figures in `{line}`"))?;
    Ok((bytes.parse()?, cpu.parse()?))
}

fn fill(path: &Path, megabytes: u64) -> Result<()> {
    if path.exists() {
        return Ok(());
    }
    let mut random = rand::rng();
    let mut megabyte = vec![0_u8; 1_000_000];
    rand::Rng::fill_bytes(&mut random, &mut megabyte);
    let mut file = std::fs::File::create(path)?;
    (0..megabytes).try_for_each(|_| std::io::Write::write_all(&mut file, &megabyte))?;
    Ok(())
}
