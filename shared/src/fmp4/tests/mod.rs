//! Tests of writing and reading together.

mod players;
