//! The agent's parts against real counterparts: one binary, one module per part.

mod buffer;
mod camera;
mod drill;
mod recorder;
mod running;
mod uplink;
