//! What agent and coordinator both mean by a camera, a sample, a segment and a second.
//!
//! Pure: values and computations on them. No tokio, no sockets, no files, no SQL; whatever needs
//! the time takes `now`. The three times are explained in [`time`]; the protocol between the
//! programs is [`wire`] and `shared/PROTOCOL.md`.

pub mod cause;
pub mod clock;
pub mod codec;
pub mod dts;
pub mod fmp4;
pub mod hash;
pub mod id;
pub mod message;
pub mod sample;
pub mod segment;
pub mod time;
pub mod timeline;
pub mod wire;

#[cfg(any(test, feature = "testing"))]
pub mod testing;
