//! The cameras of the demo: what a real estate has, in small.

use camera_sim::Simulator;
use camera_sim::{Audio, CameraConfig, Codec, Credentials, SimulatorConfig, Source, SubConfig};
use support::world::{CameraSettings, SiteSettings};

/// One site of the demo.
pub(crate) struct DemoSite {
    pub(crate) name: &'static str,
    pub(crate) directory: &'static str,
    cameras: &'static [&'static str],
}

pub(crate) const SITES: [DemoSite; 2] = [
    DemoSite {
        name: "Harbour Road",
        directory: "harbour-road",
        cameras: &[
            "harbour-gate",
            "harbour-bridge",
            "harbour-tunnel",
            "harbour-square",
        ],
    },
    DemoSite {
        name: "Airport Station",
        directory: "airport-station",
        cameras: &[
            "station-hall",
            "station-platform",
            "station-ramp",
            "station-roof",
        ],
    },
];

/// The camera whose footage stays at the edge until somebody looks at it.
pub(crate) const EDGE_ONLY: &str = "station-roof";

/// The camera that sends H.265, which not every browser plays.
pub(crate) const H265: &str = "station-ramp";

const USER: &str = "recorder";
const PASSWORD: &str = "street-demo";

impl DemoSite {
    pub(crate) fn settings(&self, simulator: &Simulator) -> Vec<CameraSettings> {
        self.cameras
            .iter()
            .map(|name| {
                let settings = CameraSettings::simulated(simulator, name)
                    .with_small(simulator)
                    .with(&format!("username = {USER:?}\npassword = {PASSWORD:?}"));
                if *name == EDGE_ONLY {
                    settings.with("upload = \"on-demand\"")
                } else {
                    settings
                }
            })
            .collect()
    }
}

pub(crate) fn agent() -> SiteSettings {
    SiteSettings {
        segment_seconds: 20,
        ..SiteSettings::default()
    }
}

pub(crate) fn simulator() -> SimulatorConfig {
    let names = SITES.iter().flat_map(|site| site.cameras);
    SimulatorConfig::of(names.enumerate().map(|(n, name)| camera(n as u64, name)))
}

fn camera(seed: u64, name: &str) -> CameraConfig {
    CameraConfig {
        source: Source::Scene { seed },
        // H.265 is costly to encode live; a small picture keeps the demo light.
        width: if name == H265 { 320 } else { 640 },
        height: if name == H265 { 192 } else { 360 },
        fps: 12,
        gop_frames: 24,
        bitrate: 600_000,
        codec: if name == H265 {
            Codec::H265
        } else {
            Codec::H264
        },
        b_frames: if name == "harbour-bridge" { 2 } else { 0 },
        audio: match name {
            "harbour-gate" => Audio::Aac,
            "station-hall" => Audio::Pcma,
            _ => Audio::None,
        },
        credentials: Some(Credentials {
            user: USER.to_owned(),
            password: PASSWORD.to_owned(),
        }),
        sub: Some(SubConfig {
            width: 320,
            height: 192,
            ..SubConfig::default()
        }),
        ..CameraConfig::scene(name)
    }
}
