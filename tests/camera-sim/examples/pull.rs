//! Pulls simulated cameras as cheaply as possible and says what that costs the simulator.
//!
//! `pull <simulator's process id> <seconds> <URL>...` plays every URL over TCP, throws the media away, and prints bytes per second
//! received and CPU seconds per second used by the simulator, as the kernel counts them.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use url::Url;

/// Ticks per second in which the kernel counts (`USER_HZ`), the same on every Linux since 2.6.
const TICKS_PER_SECOND: f64 = 100.0;

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let process = arguments.next().context("which process?")?;
    let seconds: u64 = arguments.next().context("how long?")?.parse()?;
    let received = Arc::new(AtomicU64::new(0));
    let mut cameras = 0;
    for url in arguments {
        let stream = play(&Url::parse(&url)?)?;
        let received = received.clone();
        std::thread::Builder::new()
            .stack_size(64 * 1024)
            .spawn(move || drain(stream, &received))?;
        cameras += 1;
    }
    std::thread::sleep(Duration::from_secs(2));
    let (begun, cpu, bytes) = (
        Instant::now(),
        cpu_seconds(&process)?,
        received.load(Ordering::Relaxed),
    );
    std::thread::sleep(Duration::from_secs(seconds));
    let elapsed = begun.elapsed().as_secs_f64();
    let cpu = cpu_seconds(&process)? - cpu;
    let bits = (received.load(Ordering::Relaxed) - bytes) as f64 * 8.0;
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "{cameras} cameras, {:.1} Mbit/s, {:.3} CPU seconds per second",
        bits / elapsed / 1e6,
        cpu / elapsed
    )?;
    Ok(())
}

fn play(url: &Url) -> anyhow::Result<TcpStream> {
    let address = format!(
        "{}:{}",
        url.host_str().context("no host")?,
        url.port().unwrap_or(554)
    );
    let mut stream = TcpStream::connect(address)?;
    let setup = format!(
        "SETUP {url}/trackID=0 RTSP/1.0\r\nCSeq: 1\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n\r\n"
    );
    let answer = ask(&mut stream, &setup)?;
    let session = answer
        .lines()
        .find_map(|line| line.strip_prefix("Session: "))
        .context("no session")?;
    let session = session.split(';').next().unwrap_or_default();
    ask(
        &mut stream,
        &format!("PLAY {url} RTSP/1.0\r\nCSeq: 2\r\nSession: {session}\r\n\r\n"),
    )?;
    Ok(stream)
}

fn ask(stream: &mut TcpStream, request: &str) -> anyhow::Result<String> {
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        answer.extend(byte);
    }
    let answer = String::from_utf8(answer)?;
    if !answer.starts_with("RTSP/1.0 200") {
        bail!("refused: {answer}");
    }
    Ok(answer)
}

fn drain(mut stream: TcpStream, received: &AtomicU64) {
    let mut buffer = vec![0; 256 * 1024];
    while let Ok(count @ 1..) = stream.read(&mut buffer) {
        received.fetch_add(count as u64, Ordering::Relaxed);
    }
}

/// User and system time of a process, fields 14 and 15 of `/proc/<pid>/stat`; the name before them may have blanks.
fn cpu_seconds(process: &str) -> anyhow::Result<f64> {
    let stat =
        std::fs::read_to_string(format!("/proc/{process}/stat")).context("no such process")?;
    let (_, fields) = stat.rsplit_once(')').context("not a stat file")?;
    let ticks: u64 = fields
        .split_whitespace()
        .skip(11)
        .take(2)
        .map(|field| field.parse().unwrap_or(0))
        .sum();
    Ok(ticks as f64 / TICKS_PER_SECOND)
}
