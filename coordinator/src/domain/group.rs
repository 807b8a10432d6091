//! Groups and roles: named sets of rules that people have.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use shared::id::GroupId;

use super::access::Rule;
use super::agency::AgencyCode;
use super::text::Name;

/// People of one agency, or of all, who have some rules and roles in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    pub id: GroupId,
    pub name: Name,
    /// Only its people can be members; `None` for people of every agency.
    pub agency: Option<AgencyCode>,
    pub roles: BTreeSet<RoleCode>,
    /// `own` means the agency of each member.
    pub rules: Vec<Rule>,
    pub revision: u64,
}

/// What somebody with a certain job may do, in every agency alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    pub code: RoleCode,
    pub name: Name,
    /// `own` means the agency of whoever has the role.
    pub rules: Vec<Rule>,
    /// Comes with the product; cannot be changed.
    pub built_in: bool,
    pub revision: u64,
}

/// The short name of a role in the API and on the command line, such as `operator`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RoleCode(String);

impl RoleCode {
    pub const MAX_LENGTH: usize = 32;

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Everything, for every agency.
    pub fn administrator() -> Self {
        Self("administrator".to_owned())
    }

    /// Watches the cameras of the own agency.
    pub fn operator() -> Self {
        Self("operator".to_owned())
    }
}

#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "`{text}` is not the code of a role: small letters, digits and `_`, beginning with a letter, at most 32, such as shift_leader"
)]
pub struct RoleCodeError {
    text: String,
}

impl FromStr for RoleCode {
    type Err = RoleCodeError;

    fn from_str(text: &str) -> Result<Self, RoleCodeError> {
        let valid = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        let begins = text.starts_with(|c: char| c.is_ascii_lowercase());
        if !begins || text.len() > Self::MAX_LENGTH || !text.chars().all(valid) {
            return Err(RoleCodeError {
                text: text.chars().take(Self::MAX_LENGTH).collect(),
            });
        }
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for RoleCode {
    type Error = RoleCodeError;
    fn try_from(text: String) -> Result<Self, RoleCodeError> {
        text.parse()
    }
}

impl From<RoleCode> for String {
    fn from(code: RoleCode) -> Self {
        code.0
    }
}

impl fmt::Display for RoleCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
