//! What things are and which decisions follow from them: values and pure functions.
//!
//! No I/O, no async, no clock: whatever needs the time takes `now`. Where a thing is kept is the
//! business of `stores`, combining things that of `services`.

pub mod access;
pub mod agency;
pub mod agent;
pub mod audit;
pub mod camera;
pub mod directory;
pub mod freshness;
pub mod group;
pub mod health;
pub mod iam_event;
pub mod lockout;
pub mod login;
pub mod outside;
pub mod password;
pub mod playback;
pub mod playlist;
pub mod quota;
pub mod rate;
pub mod second_factor;
pub mod segment;
pub mod session;
pub mod signing_key;
pub mod text;
pub mod token;
pub mod user;
pub mod verifier;
