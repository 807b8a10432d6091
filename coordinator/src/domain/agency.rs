//! Agencies: organisations whose people see some cameras and not others. Data, never code: nothing
//! in the product knows an agency by name.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::text::Name;

/// The short name of an agency in permissions, paths of objects and the API, such as `METRO`.
///
/// Letters, digits and `_`, in capitals, at most 32: safe in a path and in a permission without
/// any quoting.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AgencyCode(String);

impl AgencyCode {
    pub const MAX_LENGTH: usize = 32;

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The agency of a camera that nobody has assigned yet.
    pub fn other() -> Self {
        Self("OTHER".to_owned())
    }
}

impl FromStr for AgencyCode {
    type Err = AgencyCodeError;

    fn from_str(text: &str) -> Result<Self, AgencyCodeError> {
        let valid = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
        if text.is_empty() || text.len() > Self::MAX_LENGTH || !text.chars().all(valid) {
            return Err(AgencyCodeError {
                text: text.chars().take(Self::MAX_LENGTH).collect(),
            });
        }
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for AgencyCode {
    type Error = AgencyCodeError;
    fn try_from(text: String) -> Result<Self, AgencyCodeError> {
        text.parse()
    }
}

impl From<AgencyCode> for String {
    fn from(code: AgencyCode) -> Self {
        code.0
    }
}

impl fmt::Display for AgencyCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{text}` is not an agency code: capitals, digits and `_`, at most 32, such as METRO")]
pub struct AgencyCodeError {
    text: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agency {
    pub code: AgencyCode,
    pub name: Name,
    /// Counts its changes.
    pub revision: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_that_could_leave_a_path_or_a_permission_are_refused() {
        assert_eq!(
            "DUBAI_POLICE".parse::<AgencyCode>().unwrap().as_str(),
            "DUBAI_POLICE"
        );
        for bad in ["", "..", "a/b", "metro", "A:B", "*", &"A".repeat(33), "ÄB"] {
            assert!(bad.parse::<AgencyCode>().is_err(), "{bad}");
            let json = serde_json::to_string(bad).unwrap();
            assert!(serde_json::from_str::<AgencyCode>(&json).is_err(), "{bad}");
        }
    }
}
