//! The CCTV agent: records cameras near where they are and brings what it recorded to the centre.

pub mod backoff;
pub mod buffer;
pub mod camera;
pub mod config;
pub mod identity;
pub mod metrics;
pub mod recorder;
pub mod supervisor;
pub mod uplink;
