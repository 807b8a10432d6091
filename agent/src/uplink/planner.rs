//! What the uplink does next. Pure: no clock, no file, no socket; `now` comes in, decisions go out,
//! and the tasks beside this module carry them out.
//!
//! [`reports`] decides about metadata, [`uploads`] about recordings, [`budget`] about speed. Each is
//! tested with lists of operations against a model of the other side.

pub mod budget;
pub mod reports;
pub mod uploads;

use std::time::Duration;

use shared::time::WallTime;

/// Both clocks at one instant: the monotonic one for waiting, the wall for windows and days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    pub monotonic: Duration,
    pub wall: WallTime,
}
