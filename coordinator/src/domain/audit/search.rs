//! Asking the audit: what somebody looks for, and what they may see of it.

use std::net::IpAddr;

use shared::id::UserId;
use shared::time::WallTime;

use super::{What, Who};
use crate::domain::agency::AgencyCode;

/// What is looked for; everything that is left out matches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Search {
    pub from: Option<WallTime>,
    /// Exclusive.
    pub to: Option<WallTime>,
    /// Any of these.
    pub what: Vec<What>,
    pub user: Option<UserId>,
    pub agency: Option<AgencyCode>,
    pub object: Option<String>,
    pub address: Option<IpAddr>,
    /// In the details, the user agent or the correlation id, in any case of letters.
    pub text: Option<String>,
}

/// Whose entries are shown at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Visible {
    /// Those of these agencies are not, all others are.
    AllBut(Vec<AgencyCode>),
    /// Those of these agencies are, and nothing that concerns none.
    Only(Vec<AgencyCode>),
}

/// An entry's place in the order of a search: newest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub at: WallTime,
    pub number: u64,
}

/// Some of what was found. `next` may be there without any items: looking for text stops after so
/// many entries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    pub items: Vec<Written>,
    /// Where to go on; `None` at the end.
    pub next: Option<Place>,
}

/// An entry as it is read back. Text that is none was made one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    pub number: u64,
    pub at: WallTime,
    /// `None` where it is nobody that this program knows.
    pub who: Option<Who>,
    /// The person's or the agent's present name.
    pub who_name: Option<String>,
    /// The name of a [`What`], perhaps of a newer program.
    pub what: String,
    pub agency: Option<String>,
    pub object: Option<String>,
    /// JSON.
    pub details: Option<String>,
    pub address: Option<String>,
    pub user_agent: Option<String>,
    pub correlation_id: Option<String>,
    pub hash: Vec<u8>,
}

impl Written {
    pub const fn place(&self) -> Place {
        Place {
            at: self.at,
            number: self.number,
        }
    }

    /// Whether `text`, in lower case, stands in it.
    pub fn contains(&self, text: &str) -> bool {
        [&self.details, &self.user_agent, &self.correlation_id]
            .into_iter()
            .flatten()
            .any(|field| field.to_lowercase().contains(text))
    }
}
