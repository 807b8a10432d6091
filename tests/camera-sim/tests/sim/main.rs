//! What a real client sees of simulated cameras.

mod client;
mod control;
mod faults;
mod files;
mod loops;
mod raw;
mod streams;
