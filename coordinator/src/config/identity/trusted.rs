//! `[[identity.trusted]]`: whose access tokens are taken besides our own.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use shared::id::GroupId;

use super::TokenName;
use super::claims::{self, Claims, UnknownPeople, WebAddress};
use crate::config::{Bounded, Networks};
use crate::domain::agency::AgencyCode;
use crate::domain::outside::Mapping;

/// An issuer of access tokens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "TrustedSettings", into = "TrustedSettings")]
pub struct Trusted(TrustedSettings);

impl Trusted {
    pub const fn settings(&self) -> &TrustedSettings {
        &self.0
    }

    /// Where its keys are.
    pub fn keys(&self) -> KeySource<'_> {
        match self.0.jwks_url.url() {
            Some(_) => KeySource::Jwks(&self.0.jwks_url),
            None => KeySource::File(&self.0.public_key_file),
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub enum KeySource<'a> {
    Jwks(&'a WebAddress),
    /// PEM of one public key.
    File(&'a PathBuf),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrustedSettings {
    /// `iss` of its tokens.
    pub issuer: TokenName,
    /// `aud` that tokens for us have.
    pub audience: TokenName,
    #[serde(default)]
    pub jwks_url: WebAddress,
    #[serde(default)]
    pub public_key_file: PathBuf,
    #[serde(default = "rs256")]
    pub algorithms: Vec<SignatureAlgorithm>,
    #[serde(default)]
    pub authority: PathBuf,
    #[serde(default)]
    pub allowed_networks: Networks,
    #[serde(default = "a_minute")]
    pub leeway_seconds: Bounded<0, 600>,
    #[serde(default)]
    pub unknown_people: UnknownPeople,
    #[serde(default)]
    pub claims: Claims,
    #[serde(default)]
    pub agencies: BTreeMap<String, AgencyCode>,
    #[serde(default)]
    pub groups: BTreeMap<String, GroupId>,
}

impl TrustedSettings {
    pub fn mapping(&self) -> Mapping {
        claims::mapping(
            &self.claims,
            &self.agencies,
            &self.groups,
            self.unknown_people,
        )
    }
}

fn rs256() -> Vec<SignatureAlgorithm> {
    vec![SignatureAlgorithm::Rs256]
}

const fn a_minute() -> Bounded<0, 600> {
    Bounded::new(60)
}

/// Signatures with a public key (RFC 7518, RFC 8037). Those with a shared secret are not among them:
/// whoever can check such a token can make one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SignatureAlgorithm {
    #[serde(rename = "RS256")]
    Rs256,
    #[serde(rename = "RS384")]
    Rs384,
    #[serde(rename = "RS512")]
    Rs512,
    #[serde(rename = "PS256")]
    Ps256,
    #[serde(rename = "PS384")]
    Ps384,
    #[serde(rename = "PS512")]
    Ps512,
    #[serde(rename = "ES256")]
    Es256,
    #[serde(rename = "ES384")]
    Es384,
    #[serde(rename = "EdDSA")]
    EdDsa,
}

impl TryFrom<TrustedSettings> for Trusted {
    type Error = &'static str;

    fn try_from(settings: TrustedSettings) -> Result<Self, &'static str> {
        claims::check(&settings.claims, &settings.agencies, &settings.groups)?;
        let file = !settings.public_key_file.as_os_str().is_empty();
        if settings.jwks_url.url().is_some() == file {
            return Err("a trusted issuer needs either `jwks_url` or `public_key_file`");
        }
        if settings.algorithms.is_empty() {
            return Err(
                "a trusted issuer needs at least one of the `algorithms`, such as \"RS256\"",
            );
        }
        Ok(Self(settings))
    }
}

impl From<Trusted> for TrustedSettings {
    fn from(trusted: Trusted) -> Self {
        trusted.0
    }
}
