//! What to simulate. The same types are read from TOML by the program and built in code by tests.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::clock::SimClock;
use crate::encode::VideoSettings;
use crate::media::{Audio, Codec};
use crate::stamp;

/// All cameras of one simulator.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SimulatorConfig {
    /// Where RTSP is served; port 0 picks a free one.
    pub listen: SocketAddr,
    /// Where the control API is served; none where absent.
    pub control: Option<SocketAddr>,
    /// Simulated seconds per real second. Ignored where `clock` is given.
    pub speed: f64,
    /// Time of all cameras; the host's where absent.
    #[serde(skip)]
    pub clock: Option<Arc<SimClock>>,
    /// The cameras, numbered from 1 in this order.
    pub cameras: Vec<CameraConfig>,
}

impl Default for SimulatorConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            control: None,
            speed: 1.0,
            clock: None,
            cameras: Vec::new(),
        }
    }
}

impl SimulatorConfig {
    /// A simulator of these cameras on free ports of the loopback interface.
    pub fn of(cameras: impl IntoIterator<Item = CameraConfig>) -> Self {
        Self {
            cameras: cameras.into_iter().collect(),
            ..Self::default()
        }
    }
}

/// Where pictures come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Source {
    /// A street rendered and encoded live; every frame has its own number and time.
    Scene {
        /// Which street.
        #[serde(default)]
        seed: u64,
    },
    /// A street encoded once and replayed for ever; cameras with equal settings share the encoded bytes, so hundreds are cheap.
    Loop {
        /// Which street.
        #[serde(default)]
        seed: u64,
        /// Length of the loop.
        #[serde(default = "default_loop_seconds")]
        seconds: u32,
    },
    /// An MP4 file with H.264 or H.265 and perhaps AAC, replayed for ever as it is; size, codec, rate and audio are the file's.
    File {
        /// Where it is.
        path: PathBuf,
    },
}

const fn default_loop_seconds() -> u32 {
    10
}

/// How clients have to sign in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AuthScheme {
    /// RFC 2617 Digest with MD5, as nearly all cameras.
    #[default]
    Digest,
    /// RFC 7617 Basic.
    Basic,
}

/// Which RTP transports a camera offers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transports {
    /// Interleaved in the RTSP connection, and UDP.
    #[default]
    Any,
    /// Interleaved only; UDP is refused with 461.
    Tcp,
    /// UDP only; interleaved is refused with 461.
    Udp,
}

/// User and password a camera asks for.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    /// User name.
    pub user: String,
    /// Password; left out of debug output.
    pub password: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Credentials")
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

/// The second, smaller picture of a camera. Codec, source, B-frames and audio are the main one's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SubConfig {
    /// Pixels, even.
    pub width: u32,
    /// Pixels, even.
    pub height: u32,
    /// Frames per second.
    pub fps: u32,
    /// Bits per second.
    pub bitrate: u32,
    /// Frames from one key frame to the next.
    pub gop_frames: u32,
}

impl Default for SubConfig {
    fn default() -> Self {
        Self {
            width: 320,
            height: 192,
            fps: 10,
            bitrate: 150_000,
            gop_frames: 20,
        }
    }
}

/// One simulated camera.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CameraConfig {
    /// First part of the path of its URLs; letters, digits, `-`, `_` and `.`.
    pub name: String,
    /// Where its pictures come from.
    pub source: Source,
    /// Video codec.
    pub codec: Codec,
    /// Pixels, even, at least 320.
    pub width: u32,
    /// Pixels, even, at least 192.
    pub height: u32,
    /// Frames per second, 1 to 120.
    pub fps: u32,
    /// Bits per second the encoder aims at.
    pub bitrate: u32,
    /// Frames from one key frame to the next.
    pub gop_frames: u32,
    /// B-frames between two other frames; 0 for the low delay of most cameras.
    pub b_frames: u32,
    /// Amplitude of sensor noise in luma steps; without noise a still street needs far less than `bitrate`.
    pub noise: u8,
    /// Audio of both renditions.
    pub audio: Audio,
    /// Sign-in the camera demands; none where absent.
    pub credentials: Option<Credentials>,
    /// How it demands it.
    pub auth: AuthScheme,
    /// RTP transports it offers.
    pub transports: Transports,
    /// Its second rendition; a file has none.
    pub sub: Option<SubConfig>,
    /// Seconds without a sign of life after which it ends a session.
    pub session_timeout_s: u64,
}

impl Default for CameraConfig {
    fn default() -> Self {
        Self {
            name: "cam1".to_owned(),
            source: Source::Scene { seed: 0 },
            codec: Codec::H264,
            width: 640,
            height: 360,
            fps: 25,
            bitrate: 800_000,
            gop_frames: 50,
            b_frames: 0,
            noise: 0,
            audio: Audio::None,
            credentials: None,
            auth: AuthScheme::Digest,
            transports: Transports::Any,
            sub: None,
            session_timeout_s: 60,
        }
    }
}

impl CameraConfig {
    /// A live scene; small, H.264, without audio or sign-in.
    pub fn scene(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            ..Self::default()
        }
    }

    /// The same as an endless loop.
    pub fn looped(name: impl Into<String>) -> Self {
        let source = Source::Loop {
            seed: 0,
            seconds: default_loop_seconds(),
        };
        Self {
            name: name.into(),
            source,
            ..Self::default()
        }
    }

    /// An endlessly replayed file.
    pub fn file(name: impl Into<String>, path: impl Into<PathBuf>) -> Self {
        Self {
            name: name.into(),
            source: Source::File { path: path.into() },
            ..Self::default()
        }
    }

    pub(crate) fn main_settings(&self) -> VideoSettings {
        VideoSettings {
            codec: self.codec,
            width: self.width,
            height: self.height,
            fps: self.fps,
            bitrate: self.bitrate,
            gop_frames: self.gop_frames,
            b_frames: self.b_frames,
        }
    }

    pub(crate) fn sub_settings(&self) -> Option<VideoSettings> {
        let sub = self.sub.as_ref()?;
        Some(VideoSettings {
            width: sub.width,
            height: sub.height,
            fps: sub.fps,
            bitrate: sub.bitrate,
            gop_frames: sub.gop_frames,
            ..self.main_settings()
        })
    }

    /// Says what is wrong with the settings and what would be right.
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let fail = |what: String| {
            Err(ConfigError {
                camera: self.name.clone(),
                what,
            })
        };
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if self.name.is_empty() || !self.name.chars().all(plain) {
            return fail("the name may have only letters, digits, '-', '_' and '.'".to_owned());
        }
        if matches!(self.source, Source::File { .. }) {
            return match self.sub {
                Some(_) => {
                    fail("a camera that replays a file has no sub stream; remove `sub`".to_owned())
                }
                None => Ok(()),
            };
        }
        if matches!(
            self.source,
            Source::Loop {
                seconds: 0 | 601..,
                ..
            }
        ) {
            return fail("a loop is 1 to 600 seconds long".to_owned());
        }
        [Some(self.main_settings()), self.sub_settings()]
            .iter()
            .flatten()
            .try_for_each(|video| match check_video(video) {
                Some(what) => fail(what),
                None => Ok(()),
            })
    }
}

fn check_video(video: &VideoSettings) -> Option<String> {
    let min_height = (stamp::ROWS * stamp::block_size(video.width as usize)).max(192) as u32;
    let sizes = (stamp::MIN_WIDTH as u32..=7680, min_height..=4320);
    if !sizes.0.contains(&video.width)
        || !sizes.1.contains(&video.height)
        || (video.width | video.height) & 1 == 1
    {
        return Some(format!(
            "{} × {} is no picture size: even numbers from 320 × {min_height}",
            video.width, video.height
        ));
    }
    if !(1..=120).contains(&video.fps) || video.gop_frames == 0 {
        return Some(format!(
            "{} frames/s, a key frame every {}: 1 to 120, and at least 1",
            video.fps, video.gop_frames
        ));
    }
    if !(10_000..=200_000_000).contains(&video.bitrate) || video.b_frames > 8 {
        return Some(format!(
            "{} bit/s, {} B-frames: 10 kbit/s to 200 Mbit/s, at most 8",
            video.bitrate, video.b_frames
        ));
    }
    None
}

/// Settings of a camera that cannot be simulated.
#[derive(Debug, thiserror::Error)]
#[error("camera {camera:?}: {what}")]
pub struct ConfigError {
    /// Its name.
    pub camera: String,
    /// What is wrong, and what would be right.
    pub what: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_valid_and_nonsense_is_refused() {
        CameraConfig::default().check().expect("defaults are valid");
        CameraConfig {
            sub: Some(SubConfig::default()),
            ..CameraConfig::default()
        }
        .check()
        .expect("sub defaults are valid");
        let wrong = [
            CameraConfig {
                name: "a/b".into(),
                ..CameraConfig::default()
            },
            CameraConfig {
                width: 100,
                ..CameraConfig::default()
            },
            CameraConfig {
                height: 361,
                ..CameraConfig::default()
            },
            CameraConfig {
                fps: 0,
                ..CameraConfig::default()
            },
            CameraConfig {
                gop_frames: 0,
                ..CameraConfig::default()
            },
            CameraConfig {
                source: Source::Loop {
                    seed: 0,
                    seconds: 0,
                },
                ..CameraConfig::default()
            },
        ];
        for config in wrong {
            assert!(config.check().is_err(), "{config:?}");
        }
    }

    #[test]
    fn a_password_is_not_printed() {
        let credentials = Credentials {
            user: "admin".into(),
            password: "hunter2".into(),
        };
        assert!(!format!("{credentials:?}").contains("hunter2"));
    }

    #[test]
    fn toml_is_read_and_unknown_keys_are_refused() {
        let text = "speed = 2.0\n[[cameras]]\nname = \"a\"\nsource = { kind = \"loop\", seconds = 4 }\ncodec = \"h265\"\naudio = \"aac\"\n";
        let config: SimulatorConfig = toml::from_str(text).expect("valid");
        assert_eq!(
            config.cameras[0].source,
            Source::Loop {
                seed: 0,
                seconds: 4
            }
        );
        assert!(toml::from_str::<SimulatorConfig>("[[cameras]]\nnmae = \"a\"\n").is_err());
    }

    #[test]
    fn the_sample_settings_are_valid() {
        let config: SimulatorConfig =
            toml::from_str(include_str!("../cameras.toml")).expect("is read");
        for camera in &config.cameras {
            camera.check().expect("is valid");
        }
        assert_eq!(config.cameras.len(), 3);
    }
}
