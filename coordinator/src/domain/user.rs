//! People.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use shared::id::{GroupId, UserId};
use shared::time::WallTime;

use super::access::Rule;
use super::agency::AgencyCode;
use super::group::RoleCode;
pub use super::login::Login;
pub use super::password::{MAX_PASSWORD_BYTES, MIN_PASSWORD_CHARS};
pub use super::session::{SESSION_ABSOLUTE, SESSION_IDLE, Session, SessionKind};
use super::text::{Email, Line};

/// A person with an account. What they may do comes from their roles, their groups and their own
/// rules; see [`super::directory`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    pub id: UserId,
    pub login: Login,
    pub display_name: Line<128>,
    /// The full name in Arabic.
    pub arabic_name: Option<Line<128>>,
    pub email: Option<Email>,
    pub employee_number: Option<Line<32>>,
    /// What `own` means in a rule; `None` for people of the whole authority.
    pub agency: Option<AgencyCode>,
    pub department: Option<Line<128>>,
    pub section: Option<Line<128>>,
    pub status: Status,
    pub roles: BTreeSet<RoleCode>,
    pub groups: BTreeSet<GroupId>,
    /// Exceptions: what this person may, or may not, beside what roles and groups say.
    pub rules: Vec<Rule>,
    pub created_at: WallTime,
    /// Counts the changes of this person.
    pub revision: u64,
}

impl User {
    /// Rules of one person, group or role.
    pub const MAX_RULES: usize = 200;
    /// Roles, or groups, of one person.
    pub const MAX_MEMBERSHIPS: usize = 100;
}

/// Of the pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    En,
    Ar,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Status {
    Active,
    /// May not sign in; everything they had open has ended.
    Disabled,
}
