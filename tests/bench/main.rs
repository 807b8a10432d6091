//! `make bench`: what recording, uploading and looking at footage cost, beside what others need for the same, in one run.
//!
//! Processor time and bytes are the kernel's own figures for each process. The machine may be noisy: compare ratios.

mod account;
mod edge;
mod peers;
mod playlist;
mod recording;
mod table;
mod upload;

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Result;
use clap::{Parser, Subcommand};

use self::peers::Transport;
use self::recording::Load;
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
        /// Of each camera, in Mbit/s.
        #[arg(long, value_delimiter = ',', default_value = "4")]
        rates: Vec<u32>,
    },
    /// Upload over loopback, beside bare QUIC and TLS over TCP.
    Upload {
        #[arg(long, default_value_t = 2_000)]
        megabytes: u64,
    },
    /// Playlist of a day of one camera.
    Playlist {
        /// Whose day the catalogue holds.
        #[arg(long, default_value_t = 10)]
        cameras: u32,
        #[arg(long, default_value_t = 200)]
        requests: usize,
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
        Some(What::Recording {
            seconds,
            cameras,
            rates,
        }) => recording(&rates, &cameras, seconds).await,
        Some(What::Upload { megabytes }) => print(&upload::compare(megabytes).await?),
        Some(What::Playlist { cameras, requests }) => {
            print(&playlist::measure(cameras, requests).await?)
        }
        Some(What::Edge) => print(&edge::measure().await?),
        None => {
            recording(&[4, 2], &[10, 50], 120).await?;
            print(&upload::compare(2_000).await?)?;
            print(&playlist::measure(10, 200).await?)?;
            print(&edge::measure().await?)
        }
    }
}

async fn recording(rates: &[u32], counts: &[usize], seconds: u64) -> Result<()> {
    let columns = [
        "",
        "CPU s per camera-hour",
        "own memory MB a camera",
        "written per byte received",
        "to disk per byte received",
        "reads and writes a camera-second",
    ];
    for rate in rates {
        let title = format!("Recording 1080p at {rate} Mbit/s over RTSP/TCP, {seconds} s");
        let mut table = Table::new(&title, columns);
        for &cameras in counts {
            let load = Load {
                cameras,
                bits_per_second: rate * 1_000_000,
                seconds,
            };
            recording::compare(&mut table, load).await?;
        }
        print(&table)?;
    }
    Ok(())
}

fn print(table: &Table) -> Result<()> {
    Ok(writeln!(std::io::stdout().lock(), "{table}")?)
}
