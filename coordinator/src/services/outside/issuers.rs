//! Issuers of access tokens besides ourselves, and their keys.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use hyper::Request;
use hyper::header::ACCEPT;
use shared::clock::Clock;

use super::OutsideSetupError;
use super::kept::{FetchError, Kept};
use super::provider::chain;
use crate::config::{KeySource, Trusted};
use crate::domain::freshness::Wanted;
use crate::domain::outside::Mapping;
use crate::outbound::Outbound;
use crate::services::Parts;
use crate::services::tokens::foreign::{
    ForeignClaims, ForeignError, ForeignKeys, ForeignRules, claimed_issuer,
};

/// By `iss`.
#[derive(Debug, Default)]
pub(super) struct Issuers(BTreeMap<String, Issuer>);

#[derive(Debug)]
pub(super) struct Issuer {
    rules: ForeignRules,
    pub(super) mapping: Mapping,
    keys: Keys,
    clock: Arc<dyn Clock>,
}

#[derive(Debug)]
enum Keys {
    File(ForeignKeys),
    Fetched(Arc<Kept<ForeignKeys>>),
}

/// Why a token of an issuer is not taken.
#[derive(Debug, thiserror::Error)]
pub enum IssuerError {
    #[error(transparent)]
    Token(#[from] ForeignError),
    #[error("the issuer's keys cannot be fetched at the moment")]
    Unreachable,
}

impl Issuers {
    pub(super) fn new(settings: &[Trusted], parts: &Parts) -> Result<Self, OutsideSetupError> {
        let mut issuers = BTreeMap::new();
        for trusted in settings {
            let issuer = Issuer::new(trusted, parts)?;
            issuers.insert(issuer.rules.issuer.clone(), issuer);
        }
        Ok(Self(issuers))
    }

    /// Who has to check a token, if it is anybody here.
    pub(super) fn of(&self, token: &str) -> Option<&Issuer> {
        if self.0.is_empty() {
            return None;
        }
        self.0.get(&claimed_issuer(token)?)
    }
}

impl Issuer {
    fn new(trusted: &Trusted, parts: &Parts) -> Result<Self, OutsideSetupError> {
        let settings = trusted.settings();
        let keys = match trusted.keys() {
            KeySource::File(path) => {
                let text = std::fs::read(path).map_err(|source| OutsideSetupError::Read {
                    path: path.clone(),
                    source,
                })?;
                let keys = ForeignKeys::from_pem(&text);
                let path = || path.clone();
                Keys::File(keys.map_err(|_| OutsideSetupError::Key { path: path() })?)
            }
            KeySource::Jwks(address) => {
                let (url, issuer) = (address.as_str().to_owned(), settings.issuer.as_str());
                let outbound =
                    Outbound::new(&settings.authority, settings.allowed_networks.clone());
                let outbound = outbound.map_err(|source| OutsideSetupError::Trust {
                    issuer: issuer.to_owned(),
                    source,
                })?;
                let fetch = move || fetch(outbound.clone(), url.clone()).boxed();
                let what = format!("the keys of {issuer}");
                Keys::Fetched(Kept::new(
                    what,
                    Arc::clone(&parts.clock),
                    Arc::clone(&parts.figures),
                    Box::new(fetch),
                ))
            }
        };
        Ok(Self {
            rules: ForeignRules {
                issuer: settings.issuer.as_str().to_owned(),
                audience: settings.audience.as_str().to_owned(),
                algorithms: settings.algorithms.clone(),
                leeway: Duration::from_secs(settings.leeway_seconds.get()),
            },
            mapping: settings.mapping(),
            keys,
            clock: Arc::clone(&parts.clock),
        })
    }

    pub(super) fn name(&self) -> &str {
        &self.rules.issuer
    }

    /// What a token says, if it is good.
    pub(super) async fn open(&self, token: &str) -> Result<ForeignClaims, IssuerError> {
        let now = self.clock.wall();
        let kept = match &self.keys {
            Keys::File(keys) => return Ok(self.rules.open(keys, token, now)?),
            Keys::Fetched(kept) => kept,
        };
        let keys = kept.get(Wanted::Any).await;
        let keys = keys.map_err(|_| IssuerError::Unreachable)?;
        match self.rules.open(&keys, token, now) {
            Err(ForeignError::UnknownKey) => {
                // The issuer may have new keys.
                let newer = kept.get(Wanted::Newer).await;
                let newer = newer.map_err(|_| IssuerError::Unreachable)?;
                Ok(self.rules.open(&newer, token, now)?)
            }
            opened => Ok(opened?),
        }
    }
}

async fn fetch(outbound: Outbound, url: String) -> Result<ForeignKeys, FetchError> {
    let request = Request::get(&url)
        .header(ACCEPT, "application/jwk-set+json, application/json")
        .body(Vec::new())
        .map_err(|error| FetchError(error.to_string()))?;
    let answer = outbound.send(request).await;
    let answer = answer.map_err(|error| FetchError(chain(&error)))?;
    if !answer.status().is_success() {
        return Err(FetchError(format!("{url} answers {}", answer.status())));
    }
    ForeignKeys::from_jwks(answer.body()).map_err(|error| FetchError(format!("{url}: {error}")))
}
