//! How claims of others become people here, and how their servers are reached; the same for an
//! identity provider and for issuers of access tokens.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use shared::id::GroupId;
use url::{Host, Url};

use crate::domain::agency::AgencyCode;
use crate::domain::outside::{self, Mapping};

/// Names of claims; empty for what is not taken.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Claims {
    pub login: ClaimName,
    pub email: ClaimName,
    pub display_name: ClaimName,
    pub arabic_name: ClaimName,
    pub employee_number: ClaimName,
    pub agency: ClaimName,
    pub department: ClaimName,
    pub section: ClaimName,
    pub groups: ClaimName,
}

impl Default for Claims {
    fn default() -> Self {
        let claim = |text: &str| ClaimName(text.to_owned());
        Self {
            login: claim("preferred_username"),
            email: claim("email"),
            display_name: claim("name"),
            arabic_name: claim(""),
            employee_number: claim(""),
            agency: claim(""),
            department: claim(""),
            section: claim(""),
            groups: claim(""),
        }
    }
}

/// `email`, `https://rta.example/agency`, or `/realm_access/roles` for one inside another.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ClaimName(String);

impl TryFrom<String> for ClaimName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text.len() > 200 || text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err(format!(
                "`{text}` is not the name of a claim, such as \"email\" or \"/realm_access/roles\"; empty for what is not taken"
            ));
        }
        Ok(Self(text))
    }
}

impl From<ClaimName> for String {
    fn from(name: ClaimName) -> Self {
        name.0
    }
}

/// What happens to somebody who was never here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnknownPeople {
    /// Only who was linked to an account here comes in.
    #[default]
    Refuse,
    /// Gets an account with what the mapping gives.
    Create,
}

pub(super) fn mapping(
    claims: &Claims,
    agencies: &BTreeMap<String, AgencyCode>,
    groups: &BTreeMap<String, GroupId>,
    unknown: UnknownPeople,
) -> Mapping {
    let name = |claim: &ClaimName| claim.0.clone();
    Mapping {
        claims: outside::ClaimNames {
            login: name(&claims.login),
            email: name(&claims.email),
            display_name: name(&claims.display_name),
            arabic_name: name(&claims.arabic_name),
            employee_number: name(&claims.employee_number),
            agency: name(&claims.agency),
            department: name(&claims.department),
            section: name(&claims.section),
            groups: name(&claims.groups),
        },
        agencies: agencies.clone(),
        groups: groups.clone(),
        create: unknown == UnknownPeople::Create,
    }
}

/// # Errors
/// A claim is mapped, and none of its values.
pub(super) fn check(
    claims: &Claims,
    agencies: &BTreeMap<String, AgencyCode>,
    groups: &BTreeMap<String, GroupId>,
) -> Result<(), &'static str> {
    match (
        claims.agency.0.is_empty() == agencies.is_empty(),
        claims.groups.0.is_empty() == groups.is_empty(),
    ) {
        (true, true) => Ok(()),
        (false, _) => Err(
            "`claims.agency` and `agencies` need each other: which claim, and which value means which agency",
        ),
        (_, false) => Err(
            "`claims.groups` and `groups` need each other: which claim, and which value means which group",
        ),
    }
}

/// An address that we fetch from: `https`, or `http` on this host.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct WebAddress(Option<(String, Url)>);

impl WebAddress {
    /// `None` for an empty one.
    pub fn url(&self) -> Option<&Url> {
        self.0.as_ref().map(|(_, url)| url)
    }

    /// As it was written: issuers are compared byte by byte.
    pub fn as_str(&self) -> &str {
        self.0.as_ref().map_or("", |(text, _)| text)
    }
}

impl fmt::Debug for WebAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.as_str())
    }
}

impl TryFrom<String> for WebAddress {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        if text.is_empty() {
            return Ok(Self(None));
        }
        // The text may hold a password, so the error does not repeat it.
        let bad = "not an address to fetch from, such as \"https://sso.example/realms/rta\": \
            https (http only for this host), no user, no query, no fragment";
        let url = Url::parse(&text).map_err(|_| bad)?;
        let here = match url.host() {
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            Some(Host::Domain(_)) | None => false,
        };
        let plain = url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none();
        let scheme = url.scheme() == "https" || url.scheme() == "http" && here;
        if plain && scheme && text.len() <= outside::Identity::MAX {
            Ok(Self(Some((text, url))))
        } else {
            Err(bad)
        }
    }
}

impl From<WebAddress> for String {
    fn from(address: WebAddress) -> Self {
        address.as_str().to_owned()
    }
}
