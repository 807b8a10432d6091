//! One file per promise of the product, kept through the real programs.
//!
//! Most proofs have a short form for the test command and a long one for `make soak`.

mod continuity;
mod demo;
mod faults;
mod files;
mod hour;
mod kills;
mod link;
mod repository;
mod scenes;
