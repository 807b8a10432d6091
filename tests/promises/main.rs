//! One file per promise of the product, kept through the real programs.

mod repository;
