//! `camera-sim`: simulated cameras on the command line. Prints their URLs and serves until Ctrl-C.

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use anyhow::Context;
use camera_sim::{
    Audio, CameraConfig, Codec, Credentials, Rendition, Simulator, SimulatorConfig, Source,
    SubConfig,
};
use clap::{Parser, ValueEnum};
use tokio::signal::unix::{SignalKind, signal};

/// Simulated cameras: an RTSP server with a street that moves, for demos, tests and benchmarks.
#[derive(Parser, Debug)]
#[command(version)]
struct Arguments {
    /// Settings as TOML, as in the sample `cameras.toml`; of the options below only the addresses then count.
    #[arg(long)]
    config: Option<PathBuf>,
    /// Where RTSP is served; port 0 picks a free one. 127.0.0.1:8554 unless the settings say otherwise.
    #[arg(long)]
    listen: Option<SocketAddr>,
    /// Where the control API is served.
    #[arg(long)]
    control: Option<SocketAddr>,
    /// Simulated seconds per real second.
    #[arg(long, default_value_t = 1.0)]
    speed: f64,
    /// How many cameras, called cam1, cam2 and so on.
    #[arg(long, default_value_t = 1)]
    cameras: u16,
    /// Video codec.
    #[arg(long, value_enum, default_value_t = CodecArgument::H264)]
    codec: CodecArgument,
    /// Width in pixels.
    #[arg(long, default_value_t = 1280)]
    width: u32,
    /// Height in pixels.
    #[arg(long, default_value_t = 720)]
    height: u32,
    /// Frames per second.
    #[arg(long, default_value_t = 25)]
    fps: u32,
    /// Bits per second.
    #[arg(long, default_value_t = 2_000_000)]
    bitrate: u32,
    /// Frames from one key frame to the next.
    #[arg(long, default_value_t = 50)]
    gop: u32,
    /// B-frames between two other frames.
    #[arg(long, default_value_t = 0)]
    b_frames: u32,
    /// Sensor noise in luma steps; a loop needs about 6 to reach its bit rate.
    #[arg(long, default_value_t = 0)]
    noise: u8,
    /// Audio of all cameras.
    #[arg(long, value_enum, default_value_t = AudioArgument::None)]
    audio: AudioArgument,
    /// Encode once and replay for ever: all cameras show the same and cost next to nothing.
    #[arg(long = "loop", value_name = "SECONDS", num_args = 0..=1, default_missing_value = "10")]
    loop_seconds: Option<u32>,
    /// Replay this MP4 file instead of a scene.
    #[arg(long, conflicts_with = "loop_seconds")]
    file: Option<PathBuf>,
    /// Give each camera a sub stream of 320 × 192.
    #[arg(long)]
    sub: bool,
    /// User the cameras ask for.
    #[arg(long, requires = "password")]
    user: Option<String>,
    /// Password the cameras ask for.
    #[arg(long, env = "CAMERA_SIM_PASSWORD", hide_env_values = true)]
    password: Option<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum CodecArgument {
    H264,
    H265,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum AudioArgument {
    None,
    Aac,
    Pcma,
    Pcmu,
}

fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt()
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into()),
        )
        .with_writer(std::io::stderr)
        .init();
    let config = Arguments::parse().into_config()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the async runtime")?;
    let result = runtime.block_on(run(config));
    // A loop that is still being rendered need not be finished.
    runtime.shutdown_background();
    result
}

async fn run(config: SimulatorConfig) -> anyhow::Result<()> {
    let stop = stop_signal();
    tokio::pin!(stop);
    let simulator = tokio::select! {
        started = Simulator::start(config) => started?,
        stopped = &mut stop => return stopped,
    };
    print_addresses(&simulator).context("cannot print the URLs")?;
    stop.await?;
    simulator.shutdown().await;
    Ok(())
}

/// Ctrl-C, or what a service manager or script sends.
async fn stop_signal() -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted.context("cannot wait for Ctrl-C"),
        _ = terminate.recv() => Ok(()),
    }
}

fn print_addresses(simulator: &Simulator) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    for camera in simulator.cameras() {
        writeln!(out, "{}", simulator.url(camera.name(), Rendition::Main))?;
        if camera.config().sub.is_some() {
            writeln!(out, "{}", simulator.url(camera.name(), Rendition::Sub))?;
        }
    }
    if let Some(address) = simulator.control_address() {
        writeln!(out, "control API: http://{address}/cameras")?;
    }
    out.flush()
}

impl Arguments {
    fn into_config(self) -> anyhow::Result<SimulatorConfig> {
        let Some(path) = &self.config else {
            let cameras = (1..=self.cameras)
                .map(|number| self.camera(number))
                .collect();
            let defaults = SimulatorConfig::default();
            let listen = self
                .listen
                .unwrap_or_else(|| SocketAddr::from((Ipv4Addr::LOCALHOST, 8554)));
            return Ok(SimulatorConfig {
                listen,
                control: self.control,
                speed: self.speed,
                cameras,
                ..defaults
            });
        };
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read the settings {}", path.display()))?;
        let config: SimulatorConfig = toml::from_str(&text)
            .with_context(|| format!("the settings {} are wrong", path.display()))?;
        Ok(SimulatorConfig {
            listen: self.listen.unwrap_or(config.listen),
            control: self.control.or(config.control),
            ..config
        })
    }

    fn camera(&self, number: u16) -> CameraConfig {
        let seed = number.into();
        let source = match (&self.file, self.loop_seconds) {
            (Some(path), _) => Source::File { path: path.clone() },
            (None, Some(seconds)) => Source::Loop { seed: 0, seconds },
            (None, None) => Source::Scene { seed },
        };
        let credentials = self.user.clone().zip(self.password.clone());
        CameraConfig {
            name: format!("cam{number}"),
            source,
            codec: match self.codec {
                CodecArgument::H264 => Codec::H264,
                CodecArgument::H265 => Codec::H265,
            },
            width: self.width,
            height: self.height,
            fps: self.fps,
            bitrate: self.bitrate,
            gop_frames: self.gop,
            b_frames: self.b_frames,
            noise: self.noise,
            audio: match self.audio {
                AudioArgument::None => Audio::None,
                AudioArgument::Aac => Audio::Aac,
                AudioArgument::Pcma => Audio::Pcma,
                AudioArgument::Pcmu => Audio::Pcmu,
            },
            credentials: credentials.map(|(user, password)| Credentials { user, password }),
            sub: self.sub.then(SubConfig::default),
            ..CameraConfig::default()
        }
    }
}
