//! The coordinator: everything the control room talks to. See `design/` for its decisions.

pub mod app;
pub mod ca;
pub mod cli;
pub mod config;
pub mod domain;
pub mod enrolment;
pub mod http;
pub mod metrics;
pub mod outbound;
pub mod quic;
pub mod services;
pub mod sockets;
pub mod stores;
pub mod webrtc;
