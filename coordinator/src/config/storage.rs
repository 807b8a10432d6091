//! `[storage]`: what the centre keeps.

use serde::{Deserialize, Serialize};

use super::Bounded;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Storage {
    /// Uploads are put off while less than this is free.
    pub reserve_bytes: Bounded<0, { 1 << 50 }>,
    /// Uploads that are received at once, of all agents; more are asked to come later.
    pub max_uploads: Bounded<1, 10_000>,
    /// And of one agent.
    pub max_uploads_per_agent: Bounded<1, 60>,
    /// Memory for footage that was fetched from sites, for others who look at the same.
    pub edge_cache_bytes: Bounded<0, { 1 << 40 }>,
}

impl Default for Storage {
    fn default() -> Self {
        Self {
            reserve_bytes: Bounded::new(2 << 30),
            max_uploads: Bounded::new(128),
            max_uploads_per_agent: Bounded::new(8),
            edge_cache_bytes: Bounded::new(256 << 20),
        }
    }
}
