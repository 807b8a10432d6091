//! `make bench`: what recording, uploading and looking at footage cost, beside what others need for the same, in one run.
//!
//! Processor time and bytes are the kernel's own figures for each process. The machine may be noisy: compare ratios.

mod account;
mod edge;
mod peers;

mod recording;
mod table;
mod upload;

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Result;
use clap::{Parser, Subcommand};

use self::peers::Transport;
use self::table::Table;

/// Measures recording, upload, playlists and edge playback; prints tables.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Recording 10 and 50 cameras, beside ffmpeg.
    Recording {
        #[arg(long, default_value_t = 120)]
        seconds: u64,
        #[arg(long, value_delimiter = ',', default_value = "10,50")]
        cameras: Vec<usize>,
    },
    /// Upload over loopback, beside bare QUIC and TLS over TCP.
    Upload {
        #[arg(long, default_value_t = 2_000)]
        megabytes: u64,
    },
    /// First picture of footage that is only at the edge, at 80 ms round trip.
    Edge,
    #[command(hide = true)]
    Receive {
        transport: Transport,
        target: PathBuf,
    },
    #[command(hide = true)]
    Send {
        transport: Transport,
        source: PathBuf,
        address: SocketAddr,
        certificate: String,
    },
}

#[tokio::main]
async fn main() -> Result<()> {
    match Arguments::parse().what {
        Some(What::Receive { transport, target }) => peers::receive(transport, &target).await,
        Some(What::Send {
            transport,
            source,
            address,
            certificate,
        }) => peers::send(transport, &source, address, &certificate).await,
        Some(What::Recording { seconds, cameras }) => recording(&cameras, seconds).await,
        Some(What::Upload { megabytes }) => print(&upload::compare(megabytes).await?),
        Some(What::Edge) => print(&edge::measure().await?),
        None => {
            recording(&[10, 50], 120).await?;
            print(&upload::compare(2_000).await?)?;
            print(&edge::measure().await?)
        }
    }
}

async fn recording(counts: &[usize], seconds: u64) -> Result<()> {
    let columns = [
        "",
        "CPU s per camera-hour",
        "own memory MB a camera",
        "written per byte read",
        "calls a camera-second",
    ];
    let mut table = Table::new(
        &format!("Recording 1080p at 4 Mbit/s over RTSP/TCP, {seconds} s"),
        columns,
    );
    for count in counts {
        recording::compare(&mut table, *count, seconds).await?;
    }
    print(&table)
}

fn print(table: &Table) -> Result<()> {
    Ok(writeln!(std::io::stdout().lock(), "{table}")?)
}
