//! What agents remember of the audit, and where that is not what stands in it.

use shared::hash::Sha256;
use shared::id::AgentId;
use shared::time::WallTime;

use super::chain::Head;

/// The newest head that an agent has told it keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Witness {
    pub agent: AgentId,
    pub agent_name: String,
    pub head: Head,
    pub told_at: WallTime,
}

/// A head that an agent keeps and the audit does not contain. Kept for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dispute {
    pub agent: AgentId,
    pub agent_name: String,
    pub head: Head,
    /// What stood there; `None` where the audit was shorter.
    pub ours: Option<Sha256>,
    pub found_at: WallTime,
    /// When somebody at the console said what had happened.
    pub explained_at: Option<WallTime>,
}

/// How a remembered head compares with the audit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compared {
    /// It is in there.
    Agrees,
    Disputed {
        ours: Option<Sha256>,
        /// Whether it was found for the first time, and noted.
        new: bool,
        explained: bool,
    },
}

/// Disputes noted for one agent. One that tells something else each time is not heard for ever.
pub const MAX_DISPUTES: u32 = 16;
