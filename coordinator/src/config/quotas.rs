//! `[quotas]`: reservations of streams. How many there may be is set by administrators, not here.

use serde::{Deserialize, Serialize};

use super::Bounded;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Quotas {
    pub store: QuotaStore,
    pub when_lost: WhenLost,
    /// How long a reservation lives without a heartbeat.
    pub lease_seconds: Bounded<5, 3600>,
}

impl Default for Quotas {
    fn default() -> Self {
        Self {
            store: QuotaStore::Auto,
            when_lost: WhenLost::Refuse,
            lease_seconds: Bounded::new(30),
        }
    }
}

/// Where streams are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QuotaStore {
    /// In `[valkey]` where that has a server, in this process otherwise.
    Auto,
    InProcess,
    /// Only in `[valkey]`; the coordinator does not start without one.
    Valkey,
}

/// What may begin while the server does not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhenLost {
    Refuse,
    CountOwn,
}
