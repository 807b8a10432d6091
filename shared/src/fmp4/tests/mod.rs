//! Tests of writing and reading together.

mod damage;
mod footage;
mod players;
mod roundtrip;
