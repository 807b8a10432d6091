//! From a URL to samples with wall times: one supervised task per stream, one fan-out for all its
//! consumers.
//!
//! The recorder, the detector and the live relay subscribe to the [`fanout`]; nothing outside this
//! module speaks to a camera. `design/time.md` says how wall time is made.

pub mod clock_map;
pub mod fanout;
pub mod media;
pub mod quirks;
pub mod rtsp;
pub mod runs;
pub mod source;
