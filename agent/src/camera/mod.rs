//! From a URL to samples with wall times: one supervised task per stream, one fan-out for all its
//! consumers.
//!
//! [`stream()`] gives the handle for consumers and the task to run. The recorder, the detector and the
//! live relay subscribe; nothing outside this module speaks to a camera. `design/time.md` says how
//! wall time is made.
//!
//! ```text
//! source → rtsp (session) → runs (clock_map, decoding times, sound) → fanout → subscriptions
//!            ↑ session.rs opens, watches and ends it; retry, starts and demand say when
//! ```

mod clock_map;
pub mod demand;
pub mod fanout;
pub mod media;
pub mod probe;
pub mod quirks;
mod retry;
mod rtsp;
mod runs;
mod session;
pub mod source;
pub mod starts;
pub mod status;
mod stream;

pub use session::Puller;
pub use stream::{Stream, StreamConfig, Surroundings, stream};
