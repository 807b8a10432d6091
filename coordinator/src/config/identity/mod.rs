//! `[identity]`: what our access tokens call themselves, and who else vouches for people.

mod claims;
mod provider;
mod trusted;

pub use claims::{ClaimName, Claims, UnknownPeople, WebAddress};
pub use provider::{Provider, ProviderName, ProviderSettings, PublicOrigin, Scope};
pub use trusted::{KeySource, SignatureAlgorithm, Trusted, TrustedSettings};

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Bounded;
use crate::domain::text::Line;
use crate::domain::user::Login;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Identity {
    /// `iss` of our access tokens.
    pub issuer: TokenName,
    /// `aud` of our access tokens.
    pub audience: TokenName,
    /// Who alone may sign in with a password of ours; empty for everybody.
    pub break_glass: Vec<KnownLogin>,
    pub provider: Provider,
    pub trusted: Issuers,
    pub webhook: Webhook,
}

/// `[identity.webhook]`: events of the authority's own identity management.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Webhook {
    /// Secrets that sign the events, one a line; empty when none come.
    pub secret_file: PathBuf,
    /// How far the time of an event may be from ours.
    pub window_seconds: Bounded<10, 3600>,
}

impl Default for Webhook {
    fn default() -> Self {
        Self {
            secret_file: PathBuf::new(),
            window_seconds: Bounded::new(300),
        }
    }
}

impl Default for Identity {
    fn default() -> Self {
        Self {
            issuer: TokenName::ours(),
            audience: TokenName::ours(),
            break_glass: Vec::new(),
            provider: Provider::default(),
            trusted: Issuers::default(),
            webhook: Webhook::default(),
        }
    }
}

/// A login as it is typed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KnownLogin(Login);

impl KnownLogin {
    pub const fn get(&self) -> &Login {
        &self.0
    }
}

impl TryFrom<String> for KnownLogin {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let login = Login::new(&text).map(Self);
        login.ok_or_else(|| format!("`{text}` cannot be a login"))
    }
}

impl From<KnownLogin> for String {
    fn from(login: KnownLogin) -> Self {
        login.0.as_str().to_owned()
    }
}

/// Issuers of access tokens, each once.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Trusted>", into = "Vec<Trusted>")]
pub struct Issuers(Vec<Trusted>);

impl Issuers {
    pub fn all(&self) -> &[Trusted] {
        &self.0
    }
}

impl TryFrom<Vec<Trusted>> for Issuers {
    type Error = String;

    fn try_from(issuers: Vec<Trusted>) -> Result<Self, String> {
        let mut seen = BTreeSet::new();
        for trusted in &issuers {
            let issuer = trusted.settings().issuer.as_str();
            if !seen.insert(issuer) {
                return Err(format!("the issuer `{issuer}` is there twice"));
            }
        }
        Ok(Self(issuers))
    }
}

impl From<Issuers> for Vec<Trusted> {
    fn from(issuers: Issuers) -> Self {
        issuers.0
    }
}

/// A name in a token: of who signed it, or of whom it is for (`StringOrURI`, RFC 7519, section 2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TokenName(Line<200>);

impl TokenName {
    fn ours() -> Self {
        Self::try_from("rta-cctv".to_owned()).unwrap_or_else(|error| unreachable!("{error}"))
    }

    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl TryFrom<String> for TokenName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let line: Option<Line<200>> = text.parse().ok();
        // Compared byte by byte with what stands in tokens, so nothing is mended here.
        line.filter(|line| line.as_str() == text && !text.contains(char::is_whitespace))
            .map(Self)
            .ok_or_else(|| {
                format!("`{text}` is not a name in tokens, such as \"rta-cctv\" or \"https://cctv.example\": 1 to 200 characters without spaces")
            })
    }
}

impl From<TokenName> for String {
    fn from(name: TokenName) -> Self {
        name.0.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_tokens_are_taken_as_they_are_or_not_at_all() {
        let name = |text: &str| TokenName::try_from(text.to_owned());
        assert_eq!(
            name("https://cctv.example").unwrap().as_str(),
            "https://cctv.example"
        );
        for bad in ["", " rta", "rta cctv", "rta\n", &"x".repeat(201)] {
            assert!(name(bad).is_err(), "{bad:?}");
        }
    }
}
