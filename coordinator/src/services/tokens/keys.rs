//! RSA keys for access tokens: making them, signing with the one whose turn it is, checking with
//! all that are published. The only place where `jsonwebtoken` and `aws-lc-rs` are used.

use std::collections::HashMap;
use std::sync::Arc;

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use data_encoding::BASE64URL_NOPAD;
use jsonwebtoken::jwk::{Jwk, JwkSet, KeyAlgorithm, PublicKeyUse, ThumbprintHash};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use secrecy::ExposeSecret as _;
use shared::time::WallTime;
use x509_parser::asn1_rs::{Any, FromDer as _, Integer, OctetString, Sequence};

use super::TokenError;
use super::claims::Claims;
use crate::domain::signing_key::{self, KeyDates, StoredKey};

/// Media type of our tokens in their header (RFC 9068, section 2.1), so that no other token of the
/// same issuer passes for one.
const TYPE: &str = "at+jwt";

/// Makes a key of 2048 bits. Takes a tenth of a second of a core, or several: never on a thread of
/// the runtime.
///
/// # Errors
/// The library failed.
pub fn generate(signs_from: WallTime) -> Result<StoredKey, TokenError> {
    let failed = |_| TokenError::Key("could not make an RSA key");
    let pair = KeyPair::generate(KeySize::Rsa2048).map_err(failed)?;
    let wrapped = pair.as_der().map_err(failed)?;
    let private = unwrap_pkcs8(wrapped.as_ref())?;
    let jwk = public_of(&EncodingKey::from_rsa_der(&private))?;
    let kid = jwk
        .thumbprint(ThumbprintHash::SHA256)
        .map_err(TokenError::Library)?;
    Ok(StoredKey {
        dates: KeyDates { kid, signs_from },
        private: private.into(),
    })
}

/// The `RSAPrivateKey` within a `PrivateKeyInfo` (RFC 5208), which is what JWS signers want.
fn unwrap_pkcs8(wrapped: &[u8]) -> Result<Vec<u8>, TokenError> {
    let failed = |_| TokenError::Key("could not read back an RSA key");
    let (_, outer) = Sequence::from_der(wrapped).map_err(failed)?;
    let (rest, _version) = Integer::from_der(&outer.content).map_err(failed)?;
    let (rest, _algorithm) = Any::from_der(rest).map_err(failed)?;
    let (_, key) = OctetString::from_der(rest).map_err(failed)?;
    Ok(key.as_ref().to_vec())
}

fn public_of(key: &EncodingKey) -> Result<Jwk, TokenError> {
    Jwk::from_encoding_key(key, Algorithm::RS256).map_err(TokenError::Library)
}

/// The keys of one moment, ready for use.
pub(super) struct Ring {
    keys: Vec<Ready>,
    by_kid: HashMap<String, usize>,
    /// The published list (RFC 7517), as JSON.
    list: Arc<str>,
}

struct Ready {
    dates: KeyDates,
    private: EncodingKey,
    public: DecodingKey,
}

impl Ring {
    /// # Errors
    /// A stored key is damaged.
    pub(super) fn new(stored: &[StoredKey]) -> Result<Self, TokenError> {
        let mut keys = Vec::with_capacity(stored.len());
        let mut list = JwkSet { keys: Vec::new() };
        for key in stored {
            let private = EncodingKey::from_rsa_der(key.private.expose_secret());
            let mut jwk = public_of(&private)?;
            jwk.common.key_id = Some(key.dates.kid.clone());
            jwk.common.public_key_use = Some(PublicKeyUse::Signature);
            jwk.common.key_algorithm = Some(KeyAlgorithm::RS256);
            let public = DecodingKey::from_jwk(&jwk).map_err(TokenError::Library)?;
            list.keys.push(jwk);
            keys.push(Ready {
                dates: key.dates.clone(),
                private,
                public,
            });
        }
        let kids = keys.iter().map(|key| key.dates.kid.clone());
        Ok(Self {
            by_kid: kids.zip(0..).collect(),
            list: serde_json::to_string(&list)
                .map_err(|_| TokenError::Key("could not write the list of keys"))?
                .into(),
            keys,
        })
    }

    pub(super) fn list(&self) -> Arc<str> {
        Arc::clone(&self.list)
    }

    pub(super) fn dates(&self) -> Vec<KeyDates> {
        self.keys.iter().map(|key| key.dates.clone()).collect()
    }

    pub(super) fn knows(&self, kid: &str) -> bool {
        self.by_kid.contains_key(kid)
    }

    /// # Errors
    /// There is no key, or the library failed.
    pub(super) fn sign(&self, claims: &Claims, now: WallTime) -> Result<String, TokenError> {
        let dates = self.dates();
        let key = signing_key::signing(&dates, now)
            .and_then(|signing| self.key(&signing.kid))
            .ok_or(TokenError::Key("there is no key to sign with"))?;
        let mut header = Header::new(Algorithm::RS256);
        header.typ = Some(TYPE.to_owned());
        header.kid = Some(key.dates.kid.clone());
        jsonwebtoken::encode(&header, claims, &key.private).map_err(TokenError::Library)
    }

    /// Signature and form; times, issuer and audience are the caller's. The algorithm and the key
    /// are ours to choose: whatever else the header says (`jku`, `jwk`, `x5u`, `x5c`) is not looked
    /// at.
    ///
    /// # Errors
    /// It is not a token of ours, or was signed with a key that is not published (any more).
    pub(super) fn open(&self, token: &str, header: &TokenHeader) -> Result<Claims, TokenError> {
        let key = self.key(&header.kid).ok_or(TokenError::UnknownKey)?;
        let mut rules = Validation::new(Algorithm::RS256);
        // By our own clock, and with errors of our own.
        rules.validate_exp = false;
        rules.validate_nbf = false;
        rules.validate_aud = false;
        rules.required_spec_claims.clear();
        let opened = jsonwebtoken::decode(token, &key.public, &rules);
        Ok(opened.map_err(|_| TokenError::Invalid)?.claims)
    }

    fn key(&self, kid: &str) -> Option<&Ready> {
        self.by_kid.get(kid).and_then(|place| self.keys.get(*place))
    }
}

impl std::fmt::Debug for Ring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list()
            .entries(self.keys.iter().map(|key| &key.dates))
            .finish()
    }
}

/// What is read of a token before its signature is checked.
#[derive(Debug, serde::Deserialize)]
pub(super) struct TokenHeader {
    alg: String,
    typ: String,
    pub(super) kid: String,
    crit: Option<serde_json::Value>,
}

impl TokenHeader {
    /// Longest header that is looked at.
    const MAX: usize = 1024;

    /// `None` unless the header is one of ours.
    pub(super) fn read(token: &str) -> Option<Self> {
        let (header, rest) = token.split_once('.')?;
        if header.len() > Self::MAX || rest.split('.').count() != 2 {
            return None;
        }
        let header = BASE64URL_NOPAD.decode(header.as_bytes()).ok()?;
        let header: Self = serde_json::from_slice(&header).ok()?;
        let ours = header.alg == "RS256" && header.typ == TYPE && header.crit.is_none();
        ours.then_some(header)
    }
}
