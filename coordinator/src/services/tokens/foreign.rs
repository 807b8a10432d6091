//! Access tokens of issuers outside: which of their keys signed one, and what it says.
//!
//! Whom the issuer means, and whether they may come in, is the business of `services::outside`.

use std::collections::HashMap;
use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use jsonwebtoken::jwk::{AlgorithmParameters, Jwk, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::Deserialize;
use serde_json::{Map, Value};
use shared::time::WallTime;

use super::{MAX_TOKEN, seconds};
use crate::config::SignatureAlgorithm;

/// Keys of one issuer that are looked at.
const MAX_KEYS: usize = 100;
/// Longest header that is looked at.
const MAX_HEADER: usize = 2048;
/// Header types of what may be an access token; others are for something else (RFC 8725, section
/// 3.11).
const TYPES: [&str; 3] = ["jwt", "at+jwt", "application/at+jwt"];

/// Keys that one issuer signs with.
pub struct ForeignKeys {
    by_kid: HashMap<String, ForeignKey>,
    /// Those without a name, and the one of a file.
    nameless: Vec<ForeignKey>,
}

struct ForeignKey {
    key: DecodingKey,
    /// The only algorithm it is for, where the issuer says so.
    only: Option<String>,
}

/// What tokens of one issuer have to say.
#[derive(Clone, Debug)]
pub struct ForeignRules {
    pub issuer: String,
    pub audience: String,
    pub algorithms: Vec<SignatureAlgorithm>,
    /// How far the issuer's clock may be from ours.
    pub leeway: Duration,
}

/// A token that an issuer signed, and that is good now.
#[derive(Clone, Debug)]
pub struct ForeignClaims {
    pub claims: Map<String, Value>,
    pub issued_at: WallTime,
    pub ends_at: WallTime,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ForeignError {
    #[error("it is not a token")]
    Malformed,
    #[error("it is a token for another purpose")]
    Purpose,
    #[error("its algorithm is not one of the issuer's")]
    Algorithm,
    #[error("it is signed with a key that the issuer does not publish")]
    UnknownKey,
    #[error("its signature is wrong")]
    Signature,
    #[error("it is of another issuer")]
    Issuer,
    #[error("it is for another system")]
    Audience,
    #[error("it does not say when it was issued and when it ends")]
    Times,
    #[error("it has ended")]
    Ended,
    #[error("it is not good yet; the clocks may differ")]
    NotYet,
}

/// Keys that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no public key in it that can check a signature")]
pub struct NoKeys;

#[derive(Deserialize)]
struct ForeignHeader {
    alg: String,
    typ: Option<String>,
    kid: Option<String>,
    crit: Option<Value>,
}

impl ForeignKeys {
    /// A set of keys (RFC 7517). What is not for signatures, or of a kind that we do not know, is
    /// passed over.
    ///
    /// # Errors
    /// It is no set, or has no key that we can use.
    pub fn from_jwks(text: &[u8]) -> Result<Self, NoKeys> {
        #[derive(Deserialize)]
        struct Keys {
            keys: Vec<Value>,
        }
        let found: Keys = serde_json::from_slice(text).map_err(|_| NoKeys)?;
        let mut keys = Self {
            by_kid: HashMap::new(),
            nameless: Vec::new(),
        };
        for key in found.keys.into_iter().take(MAX_KEYS) {
            let Ok(jwk) = serde_json::from_value::<Jwk>(key) else {
                continue;
            };
            keys.add(&jwk);
        }
        if keys.by_kid.is_empty() && keys.nameless.is_empty() {
            return Err(NoKeys);
        }
        Ok(keys)
    }

    fn add(&mut self, jwk: &Jwk) {
        let usage = jwk.common.public_key_use.as_ref();
        let signs = usage.is_none_or(|usage| *usage == PublicKeyUse::Signature);
        // A shared secret does not belong in a public list, and checks nothing here.
        let public = !matches!(jwk.algorithm, AlgorithmParameters::OctetKey(_));
        if !signs || !public {
            return;
        }
        let Ok(key) = DecodingKey::from_jwk(jwk) else {
            return;
        };
        let named = jwk.common.key_algorithm;
        let only = named.map(|algorithm| format!("{algorithm:?}"));
        let key = ForeignKey { key, only };
        match &jwk.common.key_id {
            Some(kid) => drop(self.by_kid.insert(kid.clone(), key)),
            None => self.nameless.push(key),
        }
    }

    /// One public key as PEM (`PUBLIC KEY` or `RSA PUBLIC KEY`).
    ///
    /// # Errors
    /// It is none.
    pub fn from_pem(text: &[u8]) -> Result<Self, NoKeys> {
        let key = DecodingKey::from_rsa_pem(text)
            .or_else(|_| DecodingKey::from_ec_pem(text))
            .or_else(|_| DecodingKey::from_ed_pem(text))
            .map_err(|_| NoKeys)?;
        Ok(Self {
            by_kid: HashMap::new(),
            nameless: vec![ForeignKey { key, only: None }],
        })
    }

    /// The key of that name; without names on one side or both, the only one there is.
    fn find(&self, kid: Option<&str>) -> Option<&ForeignKey> {
        if let Some(key) = kid.and_then(|kid| self.by_kid.get(kid)) {
            return Some(key);
        }
        match (kid, self.by_kid.len(), self.nameless.as_slice()) {
            (_, 0, [key]) => Some(key),
            (None, 1, []) => self.by_kid.values().next(),
            _ => None,
        }
    }
}

impl std::fmt::Debug for ForeignKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.by_kid.keys()).finish()
    }
}

/// Whose token it says it is, to know who has to check it. Nothing is proven by that.
pub fn claimed_issuer(token: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Issued {
        iss: String,
    }
    if token.len() > MAX_TOKEN {
        return None;
    }
    let mut parts = token.split('.');
    let (_, payload, _) = (parts.next()?, parts.next()?, parts.next()?);
    let payload = BASE64URL_NOPAD.decode(payload.as_bytes()).ok()?;
    let issued: Issued = serde_json::from_slice(&payload).ok()?;
    Some(issued.iss)
}

impl ForeignRules {
    /// What a token says, if the issuer signed it for us and now is its time. The algorithm is one
    /// of the settings', and the key one of the issuer's, whatever the header says of either.
    ///
    /// # Errors
    /// Why it is not taken.
    pub fn open(
        &self,
        keys: &ForeignKeys,
        token: &str,
        now: WallTime,
    ) -> Result<ForeignClaims, ForeignError> {
        let header = read_header(token).ok_or(ForeignError::Malformed)?;
        let typed = header.typ.as_deref().map(str::to_ascii_lowercase);
        let purpose = typed.is_none_or(|typed| TYPES.contains(&typed.as_str()));
        if !purpose || header.crit.is_some() {
            return Err(ForeignError::Purpose);
        }
        let algorithm = self.algorithms.iter().copied().map(algorithm);
        let algorithm = algorithm
            .into_iter()
            .find(|algorithm| name(*algorithm) == header.alg);
        let algorithm = algorithm.ok_or(ForeignError::Algorithm)?;
        let found = keys.find(header.kid.as_deref());
        let key = found.ok_or(ForeignError::UnknownKey)?;
        if key.only.as_ref().is_some_and(|only| *only != header.alg) {
            return Err(ForeignError::Algorithm);
        }
        let mut rules = Validation::new(algorithm);
        // By our own clock, and with errors of our own.
        rules.validate_exp = false;
        rules.validate_nbf = false;
        rules.validate_aud = false;
        rules.required_spec_claims.clear();
        let opened = jsonwebtoken::decode::<Map<String, Value>>(token, &key.key, &rules);
        let claims = opened.map_err(|_| ForeignError::Signature)?.claims;
        self.check(claims, now)
    }

    fn check(
        &self,
        claims: Map<String, Value>,
        now: WallTime,
    ) -> Result<ForeignClaims, ForeignError> {
        if claims.get("iss").and_then(Value::as_str) != Some(&self.issuer) {
            return Err(ForeignError::Issuer);
        }
        let ours = |value: &Value| value.as_str() == Some(&self.audience);
        let audience = match claims.get("aud") {
            Some(Value::Array(all)) => all.iter().any(ours),
            Some(value) => ours(value),
            None => false,
        };
        if !audience {
            return Err(ForeignError::Audience);
        }
        // Bound to a key that whoever presents it would have to prove (RFC 7800): not for bearers.
        if claims.contains_key("cnf") {
            return Err(ForeignError::Purpose);
        }
        let (exp, iat) = (time(&claims, "exp")?, time(&claims, "iat")?);
        let nbf = time(&claims, "nbf")?;
        let (exp, iat) = exp.zip(iat).ok_or(ForeignError::Times)?;
        let leeway = i64::try_from(self.leeway.as_secs()).unwrap_or(i64::MAX);
        let now = seconds(now);
        if now >= exp.saturating_add(leeway) {
            return Err(ForeignError::Ended);
        }
        let latest = now.saturating_add(leeway);
        if iat > latest || nbf.is_some_and(|nbf| nbf > latest) {
            return Err(ForeignError::NotYet);
        }
        Ok(ForeignClaims {
            claims,
            issued_at: WallTime::from_secs(iat),
            ends_at: WallTime::from_secs(exp.saturating_add(leeway)),
        })
    }
}

/// Seconds since 1970, within what a wall time can be.
fn time(claims: &Map<String, Value>, name: &str) -> Result<Option<i64>, ForeignError> {
    let Some(value) = claims.get(name) else {
        return Ok(None);
    };
    // Some issuers write fractions.
    let seconds = value.as_i64().or_else(|| {
        let seconds = value.as_f64()?;
        (seconds.abs() < 1e12).then_some(seconds as i64)
    });
    let seconds = seconds.filter(|seconds| (0..100_000_000_000).contains(seconds));
    seconds.map(Some).ok_or(ForeignError::Times)
}

fn read_header(token: &str) -> Option<ForeignHeader> {
    let (header, rest) = token.split_once('.')?;
    if token.len() > MAX_TOKEN || header.len() > MAX_HEADER || rest.split('.').count() != 2 {
        return None;
    }
    let header = BASE64URL_NOPAD.decode(header.as_bytes()).ok()?;
    serde_json::from_slice(&header).ok()
}

const fn algorithm(setting: SignatureAlgorithm) -> Algorithm {
    match setting {
        SignatureAlgorithm::Rs256 => Algorithm::RS256,
        SignatureAlgorithm::Rs384 => Algorithm::RS384,
        SignatureAlgorithm::Rs512 => Algorithm::RS512,
        SignatureAlgorithm::Ps256 => Algorithm::PS256,
        SignatureAlgorithm::Ps384 => Algorithm::PS384,
        SignatureAlgorithm::Ps512 => Algorithm::PS512,
        SignatureAlgorithm::Es256 => Algorithm::ES256,
        SignatureAlgorithm::Es384 => Algorithm::ES384,
        SignatureAlgorithm::EdDsa => Algorithm::EdDSA,
    }
}

/// As in the header of a token.
fn name(algorithm: Algorithm) -> String {
    format!("{algorithm:?}")
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::{EncodingKey, Header, encode};
    use proptest::prelude::*;
    use rcgen::{KeyPair, PublicKeyData as _};
    use serde_json::json;

    use super::*;

    const NOW: WallTime = WallTime::from_secs(1_800_000_000);

    fn rules() -> ForeignRules {
        ForeignRules {
            issuer: "https://iam.example".to_owned(),
            audience: "cctv".to_owned(),
            algorithms: vec![SignatureAlgorithm::Es256],
            leeway: Duration::from_secs(60),
        }
    }

    fn claims() -> Value {
        json!({ "iss": "https://iam.example", "aud": ["other", "cctv"], "sub": "1",
            "iat": 1_799_999_990, "exp": 1_800_000_290.5 })
    }

    fn sign(key: &KeyPair, header: &Header, claims: &Value) -> String {
        let der = key.serialize_der();
        encode(header, claims, &EncodingKey::from_ec_der(&der)).unwrap()
    }

    /// A P-256 key as an issuer publishes it.
    fn jwk(key: &KeyPair, more: Value) -> Value {
        let point = key.der_bytes();
        let (x, y) = point[1..].split_at(32);
        let text = |bytes| BASE64URL_NOPAD.encode(bytes);
        let mut jwk = json!({ "kty": "EC", "crv": "P-256", "x": text(x), "y": text(y) });
        for (name, value) in more.as_object().unwrap() {
            jwk[name] = value.clone();
        }
        jwk
    }

    fn key() -> KeyPair {
        KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap()
    }

    #[test]
    fn the_key_of_a_file_opens_what_it_signed_and_nothing_else() {
        let (key, other) = (key(), key());
        let keys = ForeignKeys::from_pem(key.public_key_pem().as_bytes()).unwrap();
        let header = Header::new(Algorithm::ES256);
        let token = sign(&key, &header, &claims());
        let opened = rules().open(&keys, &token, NOW).unwrap();
        assert_eq!(opened.claims["sub"], "1");
        assert_eq!(opened.issued_at, WallTime::from_secs(1_799_999_990));
        assert_eq!(opened.ends_at, WallTime::from_secs(1_800_000_350));
        assert_eq!(claimed_issuer(&token).unwrap(), "https://iam.example");
        let open = |token: &str| rules().open(&keys, token, NOW).unwrap_err();
        assert_eq!(
            open(&sign(&other, &header, &claims())),
            ForeignError::Signature
        );
        // The public key as a secret, which everybody has.
        let secret = EncodingKey::from_secret(key.public_key_pem().as_bytes());
        let confused = encode(&Header::new(Algorithm::HS256), &claims(), &secret).unwrap();
        assert_eq!(open(&confused), ForeignError::Algorithm);
        let (_, signature) = token.rsplit_once('.').unwrap();
        let relabelled = BASE64URL_NOPAD.encode(br#"{"alg":"none"}"#);
        let payload = token.split('.').nth(1).unwrap();
        let none = open(&format!("{relabelled}.{payload}.{signature}"));
        assert_eq!(none, ForeignError::Algorithm);
        for none in [
            &b"-----BEGIN PUBLIC KEY-----"[..],
            b"",
            key.serialize_pem().as_bytes(),
        ] {
            assert!(ForeignKeys::from_pem(none).is_err());
        }
    }

    #[test]
    fn keys_of_a_set_are_for_what_they_are_published() {
        let key = key();
        let named = |kid: &str| Header {
            kid: Some(kid.to_owned()),
            ..Header::new(Algorithm::ES256)
        };
        let open = |set: Value, header: &Header| {
            let keys = ForeignKeys::from_jwks(set.to_string().as_bytes()).unwrap();
            let opened = rules().open(&keys, &sign(&key, header, &claims()), NOW);
            opened.map(|_| ())
        };
        let one = |more| json!({ "keys": [{ "kty": "new", "kid": "b" }, 7, jwk(&key, more)] });
        assert_eq!(open(one(json!({ "kid": "a" })), &named("a")), Ok(()));
        assert_eq!(
            open(one(json!({ "kid": "a" })), &named("b")),
            Err(ForeignError::UnknownKey)
        );
        assert_eq!(
            open(one(json!({ "kid": "a" })), &Header::new(Algorithm::ES256)),
            Ok(())
        );
        assert_eq!(
            open(one(json!({})), &named("a")),
            Ok(()),
            "the only one there is"
        );
        let other = one(json!({ "kid": "a", "alg": "RS256" }));
        assert_eq!(open(other, &named("a")), Err(ForeignError::Algorithm));
        for none in [
            json!({}),
            json!({ "keys": [] }),
            json!({ "keys": [{ "kty": "oct", "k": "c2VjcmV0", "kid": "a" }] }),
            json!({ "keys": [jwk(&key, json!({ "use": "enc" }))] }),
        ] {
            assert!(
                ForeignKeys::from_jwks(none.to_string().as_bytes()).is_err(),
                "{none}"
            );
        }
    }

    proptest! {
        #[test]
        fn what_strangers_write_is_no_token(text: String, parts in prop::collection::vec("[A-Za-z0-9_-]{0,80}", 0..5)) {
            let keys = ForeignKeys::from_pem(key().public_key_pem().as_bytes()).unwrap();
            for token in [text, parts.join(".")] {
                prop_assert!(rules().open(&keys, &token, NOW).is_err());
                let _ = claimed_issuer(&token);
            }
        }
    }
}
