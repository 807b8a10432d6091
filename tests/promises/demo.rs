//! The demo leaves nothing behind, whether it is asked to stop or killed.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use rustix::process::Signal;
use support::ports;
use support::process::Program;
use support::wait;
use tempfile::TempDir;
use tokio::net::TcpStream;

#[tokio::test(flavor = "multi_thread")]
async fn a_demo_that_is_asked_to_stop_stops_everything() -> Result<()> {
    let directory = TempDir::new()?;
    let (demo, addresses) = running(directory.path()).await?;
    demo.signal(Signal::TERM)?;
    let status = demo.ended().await?;
    ensure!(status.success(), "the demo ended with {status}");
    nobody_at(&addresses).await
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_survives_a_killed_demo() -> Result<()> {
    let directory = TempDir::new()?;
    let (demo, addresses) = running(directory.path()).await?;
    demo.kill_nine().await?;
    nobody_at(&addresses).await
}

/// A demo that has started all its programs, and where they listen.
async fn running(directory: &Path) -> Result<(Program, Vec<SocketAddr>)> {
    let centre = ports::free()?;
    let data = directory.join("data");
    let arguments = [
        "--listen",
        &centre.to_string(),
        "--data",
        &data.display().to_string(),
    ];
    let mut demo = Program::start("demo", "demo", &arguments, directory)?;
    wait::until("the demo to run", Duration::from_secs(120), async || {
        demo.expect_running()?;
        ensure!(demo.log().contains("Sign in"), "{}", demo.log());
        Ok(())
    })
    .await?;
    let mut addresses = vec![centre];
    for site in ["harbour-road", "airport-station"] {
        addresses.push(health_page(&data.join(site).join("agent.toml"))?);
    }
    for address in &addresses {
        TcpStream::connect(address)
            .await
            .with_context(|| format!("nobody answers at {address}"))?;
    }
    Ok((demo, addresses))
}

fn health_page(settings: &Path) -> Result<SocketAddr> {
    let text = std::fs::read_to_string(settings)
        .with_context(|| format!("reading {}", settings.display()))?;
    let settings: toml::Table = text.parse()?;
    let listen = settings["status"]["listen"].as_str();
    Ok(listen.context("no address")?.parse()?)
}

async fn nobody_at(addresses: &[SocketAddr]) -> Result<()> {
    for address in addresses {
        let what = format!("whoever is at {address} to be gone");
        wait::until(&what, Duration::from_secs(20), async || {
            let answer = TcpStream::connect(address).await;
            ensure!(answer.is_err(), "still there");
            Ok(())
        })
        .await?;
    }
    Ok(())
}
