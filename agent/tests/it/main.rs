//! The agent's parts against real counterparts: one binary, one module per part.

mod camera;
mod recorder;
mod uplink;
