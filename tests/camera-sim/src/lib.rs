//! A camera simulator: a real RTSP server with H.264 and H.265, audio, many cameras, and faults on demand.
//!
//! The demo, the integration tests and the benchmarks use it in place of cameras. [`Simulator::start`] takes a
//! [`SimulatorConfig`]; [`stamp`] reads from a picture or an access unit which frame it is and when it was made.

mod camera;
mod clock;
mod config;
mod control;
pub mod decode;
mod encode;
mod fault;
mod media;
mod preparation;
mod rtp;
mod rtsp;
mod scene;
mod simulator;
mod source;
pub mod stamp;

pub use camera::Rendition;
pub use clock::SimClock;
pub use config::{
    AuthScheme, CameraConfig, ConfigError, Credentials, SimulatorConfig, Source, SubConfig,
    Transports,
};
pub use encode::EncodeError;
pub use fault::{ActiveFault, Fault, FaultError, KeepAliveRefusal, OddSdp};
pub use media::{Audio, Codec};
pub use scene::{Class, SceneObject};
pub use simulator::{CameraHandle, Simulator, StartError};
pub use source::file::FileError;
