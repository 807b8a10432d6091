//! The coordinator: everything the control room talks to. See `design/` for its decisions.

pub mod domain;
pub mod services;
pub mod stores;
