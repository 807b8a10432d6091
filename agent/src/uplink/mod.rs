//! The one door to the coordinator: one outbound connection, reports before recordings, and a
//! planner that decides what leaves the site next.
//!
//! Only `lib.rs` and the command line come in here. `design/sync.md` tells the whole.

mod connection;
pub mod planner;
