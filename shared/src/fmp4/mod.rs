//! Segment files: fragmented MP4 (ISO/IEC 14496-12) that an ordinary player opens.
//!
//! ```text
//! ftyp moov                                 init: the same bytes in every file of a run
//! [uuid head] prft moof mdat uuid seal      fragment 0: says which segment this is
//!             prft moof mdat uuid seal      fragment 1 ..
//! ```
//!
//! A fragment is everything from the end of the one before it to the end of its seal. `prft` holds
//! the wall time of its first picture, so that a file alone tells when it was recorded. The seal is
//! the SHA-256 of the fragment's bytes before it: what lacks a valid seal was not written whole.
//! Players skip `prft` and `uuid`.
//!
//! [`init`] and [`fragment`] make these bytes, [`read`] and [`contents`] find them again. Nothing here touches a
//! file: the recorder writes, the walker is given a reader. Cutting (where a fragment or a segment
//! ends) belongs to the recorder.

mod boxes;
pub mod contents;
pub mod fragment;
pub mod init;
mod moof;
mod moov;
pub mod read;
mod source;
#[cfg(test)]
mod tests;

/// Track id of the video, whose timescale is 90 kHz.
pub const VIDEO_TRACK: u32 = 1;
/// Track id of the audio, whose timescale is the sample rate.
pub const AUDIO_TRACK: u32 = 2;
