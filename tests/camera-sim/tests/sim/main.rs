//! What a real client sees of simulated cameras.

mod client;
mod streams;
