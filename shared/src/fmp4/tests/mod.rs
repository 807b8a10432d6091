//! Tests of writing and reading together.

mod damage;
mod players;
mod roundtrip;
