//! People whom somebody else vouches for: an identity provider, or the issuer of an access token.
//!
//! What a vouch says is foreign text; a mapping from the settings turns it into what somebody is
//! here, and never into more than the mapping names. An identity is the pair of issuer and subject:
//! a login or an address for mail that looks the same is nobody's proof of anything.

mod arrival;
mod local_path;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};
use shared::hash::{Hasher, Sha256};
use shared::id::GroupId;

pub use arrival::{Arrival, ArrivalRefusal, arrive};
pub use local_path::{LocalPath, LocalPathError};

use super::agency::AgencyCode;
use super::text::{Email, Line};

/// Groups of one vouch that are looked at; providers that have more say so in another way.
const MAX_GROUPS: usize = 1_000;

/// Somebody at an issuer (OpenID Connect Core 1.0, section 2: `iss` and `sub` together).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity {
    issuer: String,
    subject: String,
}

impl Identity {
    /// Longest issuer or subject, in bytes.
    pub const MAX: usize = 255;

    /// Compared byte by byte, so nothing is mended. `None` for what is empty, too long or has
    /// control characters.
    pub fn new(issuer: &str, subject: &str) -> Option<Self> {
        let fits = |text: &str| {
            !text.is_empty() && text.len() <= Self::MAX && !text.chars().any(char::is_control)
        };
        (fits(issuer) && fits(subject)).then(|| Self {
            issuer: issuer.to_owned(),
            subject: subject.to_owned(),
        })
    }

    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// What the one session that tokens of this identity stand for is found by.
    pub fn session_token(&self) -> Sha256 {
        let mut hash = Hasher::new();
        hash.update(b"outside session");
        for part in [&self.issuer, &self.subject] {
            hash.update(&(part.len() as u64).to_be_bytes());
            hash.update(part.as_bytes());
        }
        hash.finish()
    }
}

/// Where the parts of a person stand among the claims; empty for a part that is not taken. A name
/// that begins with `/` is a path (RFC 6901), as in `/realm_access/roles`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClaimNames {
    pub login: String,
    pub email: String,
    pub display_name: String,
    pub arabic_name: String,
    pub employee_number: String,
    pub agency: String,
    pub department: String,
    pub section: String,
    pub groups: String,
}

/// How the claims of one issuer are read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mapping {
    pub claims: ClaimNames,
    /// Values of the agency's claim, and whom they mean here. Others are refused.
    pub agencies: BTreeMap<String, AgencyCode>,
    /// Values of the groups' claim, and what they mean here. Others mean nothing.
    pub groups: BTreeMap<String, GroupId>,
    /// Whether somebody who was never here gets an account.
    pub create: bool,
}

/// What an issuer says of somebody, in our terms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vouched {
    pub identity: Identity,
    pub login: Option<String>,
    pub email: Option<Email>,
    pub display_name: Option<Line<128>>,
    pub arabic_name: Option<Line<128>>,
    pub employee_number: Option<Line<32>>,
    /// `None` where the issuer does not say which.
    pub agency: Option<AgencyCode>,
    pub department: Option<Line<128>>,
    pub section: Option<Line<128>>,
    /// Of those that the mapping names.
    pub groups: BTreeSet<GroupId>,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClaimsError {
    #[error("the issuer does not name anybody that can be told from others (`sub`)")]
    NoSubject,
    #[error("the agency `{value}` is not in the settings")]
    UnknownAgency { value: String },
    #[error("the issuer does not say which agency the person belongs to (`{claim}`)")]
    NoAgency { claim: String },
    /// Too many for the token, so it has none of them.
    #[error(
        "the issuer tells of groups elsewhere than in the token; give it fewer, or those of this system alone"
    )]
    GroupsElsewhere,
}

impl Mapping {
    /// What `claims` of `issuer` say. A part that is malformed is left out; only what decides about
    /// rights is refused.
    ///
    /// # Errors
    /// The person cannot be told from others, or their agency or groups cannot be told.
    pub fn read(&self, issuer: &str, claims: &Map<String, Value>) -> Result<Vouched, ClaimsError> {
        let names = &self.claims;
        let subject = claims.get("sub").and_then(Value::as_str);
        let identity = subject.and_then(|subject| Identity::new(issuer, subject));
        let unverified = claims.get("email_verified") == Some(&Value::Bool(false));
        let email = text(claims, &names.email).filter(|_| !unverified);
        Ok(Vouched {
            identity: identity.ok_or(ClaimsError::NoSubject)?,
            login: text(claims, &names.login).map(str::to_owned),
            email: email.and_then(|text| text.parse().ok()),
            display_name: line(claims, &names.display_name),
            arabic_name: line(claims, &names.arabic_name),
            employee_number: line(claims, &names.employee_number),
            agency: self.agency(claims)?,
            department: line(claims, &names.department),
            section: line(claims, &names.section),
            groups: self.groups(claims)?,
        })
    }

    fn agency(&self, claims: &Map<String, Value>) -> Result<Option<AgencyCode>, ClaimsError> {
        let name = &self.claims.agency;
        if name.is_empty() {
            return Ok(None);
        }
        let missing = || ClaimsError::NoAgency {
            claim: name.clone(),
        };
        let value = text(claims, name).ok_or_else(missing)?;
        let unknown = || ClaimsError::UnknownAgency {
            value: value.chars().take(64).collect(),
        };
        let code = self.agencies.get(value).ok_or_else(unknown)?;
        Ok(Some(code.clone()))
    }

    /// No claim means no groups, unless the issuer says that they are elsewhere (OpenID Connect
    /// Core 1.0, section 5.6.2): a group may as well forbid something.
    fn groups(&self, claims: &Map<String, Value>) -> Result<BTreeSet<GroupId>, ClaimsError> {
        let name = &self.claims.groups;
        if name.is_empty() || self.groups.is_empty() {
            return Ok(BTreeSet::new());
        }
        let elsewhere = claims.get("_claim_names").and_then(|names| names.get(name));
        let many = |values: &Vec<Value>| values.len() > MAX_GROUPS;
        let found = find(claims, name);
        if elsewhere.is_some() || found.and_then(Value::as_array).is_some_and(many) {
            return Err(ClaimsError::GroupsElsewhere);
        }
        let values: &[Value] = match found {
            Some(Value::Array(values)) => values,
            Some(value) => std::slice::from_ref(value),
            None => &[],
        };
        let names = values.iter().filter_map(Value::as_str);
        let known = names.filter_map(|name| self.groups.get(name));
        Ok(known.copied().collect())
    }
}

fn find<'a>(claims: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    let Some(path) = name.strip_prefix('/') else {
        return claims.get(name);
    };
    let (first, rest) = path.split_once('/').unwrap_or((path, ""));
    let first = claims.get(&first.replace("~1", "/").replace("~0", "~"))?;
    if rest.is_empty() {
        Some(first)
    } else {
        first.pointer(&format!("/{rest}"))
    }
}

fn text<'a>(claims: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    let text = find(claims, name).and_then(Value::as_str)?;
    let text = text.trim();
    (!name.is_empty() && !text.is_empty()).then_some(text)
}

fn line<const MAX: usize>(claims: &Map<String, Value>, name: &str) -> Option<Line<MAX>> {
    text(claims, name)?.parse().ok()
}
