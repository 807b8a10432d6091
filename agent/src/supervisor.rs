//! Keeps the parts of the agent running and apart: one task for each stream, whose trouble is
//! nobody else's, and what people and the centre may ask of them.
//!
//! What a stream's task does is in [`crate::camera`] and [`crate::recorder`].

pub(crate) mod keep;
pub(crate) mod policy;
mod site;

pub use site::Site;
