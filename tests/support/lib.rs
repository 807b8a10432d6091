//! The world that the tests of promises run in: the real programs, the camera simulator, and a bad network.

pub mod api;
pub mod footage;
pub mod group;
pub mod net;
pub mod ports;
pub mod process;
pub mod wait;
pub mod world;
