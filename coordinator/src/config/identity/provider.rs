//! `[identity.provider]`: where people sign in who have their password elsewhere.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use shared::id::GroupId;

use super::claims::{self, Claims, UnknownPeople, WebAddress};
use crate::config::{Bounded, Networks, WebOrigin};
use crate::domain::agency::AgencyCode;
use crate::domain::outside::Mapping;
use crate::domain::text::{Line, Name};

/// One provider, or none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "ProviderSettings", into = "ProviderSettings")]
pub struct Provider(ProviderSettings);

impl Provider {
    pub fn settings(&self) -> Option<&ProviderSettings> {
        self.0.issuer.url().map(|_| &self.0)
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ProviderSettings {
    /// Its address, below which its description is (OpenID Connect Discovery 1.0).
    pub issuer: WebAddress,
    /// On the button of the sign-in page.
    pub name: ProviderName,
    pub client_id: String,
    /// Empty for a client without a secret, which PKCE protects alone.
    pub client_secret_file: PathBuf,
    /// Where people reach the pages.
    pub redirect_base: PublicOrigin,
    /// Asked for besides `openid`.
    pub scopes: Vec<Scope>,
    /// PEM of who vouches for its certificate; empty for the host's own list.
    pub authority: PathBuf,
    /// Private networks in which it may be.
    pub allowed_networks: Networks,
    /// How far its clock may be from ours.
    pub leeway_seconds: Bounded<0, 600>,
    pub unknown_people: UnknownPeople,
    pub claims: Claims,
    pub agencies: BTreeMap<String, AgencyCode>,
    pub groups: BTreeMap<String, GroupId>,
}

impl ProviderSettings {
    pub fn mapping(&self) -> Mapping {
        claims::mapping(
            &self.claims,
            &self.agencies,
            &self.groups,
            self.unknown_people,
        )
    }
}

impl Default for ProviderSettings {
    fn default() -> Self {
        let scope = |text: &str| Scope(text.to_owned());
        Self {
            issuer: WebAddress::default(),
            name: ProviderName::default(),
            client_id: String::new(),
            client_secret_file: PathBuf::new(),
            redirect_base: PublicOrigin::default(),
            scopes: vec![scope("profile"), scope("email")],
            authority: PathBuf::new(),
            allowed_networks: Networks::default(),
            leeway_seconds: Bounded::new(60),
            unknown_people: UnknownPeople::default(),
            claims: Claims::default(),
            agencies: BTreeMap::new(),
            groups: BTreeMap::new(),
        }
    }
}

impl TryFrom<ProviderSettings> for Provider {
    type Error = &'static str;

    fn try_from(settings: ProviderSettings) -> Result<Self, &'static str> {
        claims::check(&settings.claims, &settings.agencies, &settings.groups)?;
        let complete = !settings.client_id.is_empty() && settings.redirect_base.get().is_some();
        if settings.issuer.url().is_some() && !complete {
            return Err(
                "a provider needs `issuer`, `client_id` and `redirect_base`; without `issuer` there is none",
            );
        }
        Ok(Self(settings))
    }
}

impl From<Provider> for ProviderSettings {
    fn from(provider: Provider) -> Self {
        provider.0
    }
}

/// What people call it, in both languages.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProviderName {
    pub en: Line<128>,
    pub ar: Line<128>,
}

impl Default for ProviderName {
    fn default() -> Self {
        let line = |text: &str| {
            let line = text.parse();
            line.unwrap_or_else(|error| unreachable!("{error}"))
        };
        Self {
            en: line("Single sign-on"),
            ar: line("الدخول الموحّد"),
        }
    }
}

impl From<ProviderName> for Name {
    fn from(ProviderName { en, ar }: ProviderName) -> Self {
        Self { en, ar }
    }
}

/// An origin as browsers write it, or none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PublicOrigin(Option<WebOrigin>);

impl PublicOrigin {
    pub const fn get(&self) -> Option<&WebOrigin> {
        self.0.as_ref()
    }
}

impl TryFrom<String> for PublicOrigin {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text.is_empty() {
            return Ok(Self(None));
        }
        text.parse().map(|origin| Self(Some(origin)))
    }
}

impl From<PublicOrigin> for String {
    fn from(origin: PublicOrigin) -> Self {
        origin.0.map(Self::from).unwrap_or_default()
    }
}

/// RFC 6749, section 3.3.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Scope(String);

impl Scope {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Scope {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let valid = |c: char| c.is_ascii_graphic() && c != '"' && c != '\\';
        if text.is_empty() || text.len() > 200 || !text.chars().all(valid) {
            return Err(format!("`{text}` is not a scope, such as \"profile\""));
        }
        Ok(Self(text))
    }
}

impl From<Scope> for String {
    fn from(scope: Scope) -> Self {
        scope.0
    }
}
