//! Tokens of ours and of forgers.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use proptest::prelude::*;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use shared::clock::SimulatedClock;

use super::*;
use crate::domain::signing_key::{KEY_LIFE, PUBLISHED_BEFORE_ASKED};

const NOW: WallTime = WallTime::from_secs(1_800_000_000);

/// Keys in memory, shared by several coordinators; the real store has tests of its own.
#[derive(Debug, Default)]
struct Shelf(Mutex<Vec<StoredKey>>);

#[async_trait]
impl SigningKeys for Shelf {
    async fn signing_keys(&self) -> Result<Vec<StoredKey>, StoreError> {
        Ok(self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone())
    }

    async fn change_signing_keys(
        &self,
        seen: Vec<String>,
        made: Option<StoredKey>,
        remove: Vec<String>,
        _: Entry,
    ) -> Result<bool, StoreError> {
        let mut keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let kids: Vec<_> = keys.iter().map(|key| key.dates.kid.clone()).collect();
        if kids != seen {
            return Ok(false);
        }
        keys.retain(|key| !remove.contains(&key.dates.kid));
        keys.extend(made);
        Ok(true)
    }
}

struct Stand {
    shelf: Arc<Shelf>,
    clock: Arc<SimulatedClock>,
    tokens: Tokens,
}

impl Stand {
    async fn new() -> Self {
        let (shelf, clock) = (
            Arc::new(Shelf::default()),
            Arc::new(SimulatedClock::new(NOW)),
        );
        let tokens = open(&shelf, &clock, "https://cctv.example").await;
        Self {
            shelf,
            clock,
            tokens,
        }
    }

    fn sign(&self) -> String {
        let (user, family) = (UserId::new(NOW), SessionId::new(NOW));
        let (token, _) = self.tokens.sign(user, family, bearer()).unwrap();
        token.expose_secret().to_owned()
    }
}

async fn open(shelf: &Arc<Shelf>, clock: &Arc<SimulatedClock>, issuer: &str) -> Tokens {
    let (store, clock): (Arc<dyn SigningKeys>, Arc<dyn Clock>) = (shelf.clone(), clock.clone());
    let names = TokenNames {
        issuer: issuer.to_owned(),
        audience: "cctv".to_owned(),
    };
    let tokens = Tokens::over(store, clock, names).unwrap();
    tokens.rotate_when_due().await.unwrap();
    tokens
}

fn entry() -> Entry {
    Entry::new(NOW, Who::System, What::KeysRotated)
}

fn bearer() -> Bearer {
    Bearer {
        login_id: "layla".into(),
        display_name: "ليلى".into(),
        employee_number: Some("E-1001".into()),
        permissions: vec!["camera:METRO:view".into()],
        camera_sources: vec!["METRO".into()],
        ..Bearer::default()
    }
}

#[tokio::test]
async fn a_token_says_who_it_is_for_until_it_ends() {
    let stand = Stand::new().await;
    let (user, family) = (UserId::new(NOW), SessionId::new(NOW));
    let (token, ends) = stand.tokens.sign(user, family, bearer()).unwrap();
    let token = token.expose_secret();
    let claims = stand.tokens.check(token).await.unwrap();
    assert_eq!(
        (claims.sub, claims.sid, ends),
        (user, family, NOW + ACCESS_LIFE)
    );
    assert_eq!(claims.permissions, ["camera:METRO:view"]);
    let body = token.split('.').nth(1).unwrap();
    let body: Value =
        serde_json::from_slice(&BASE64URL_NOPAD.decode(body.as_bytes()).unwrap()).unwrap();
    assert_eq!(body["exp"], json!(1_800_000_300));
    assert_eq!(body.get("email"), None);
    stand.clock.advance(ACCESS_LIFE - Duration::from_secs(1));
    assert!(stand.tokens.check(token).await.is_ok());
    stand.clock.advance(Duration::from_secs(1));
    assert!(matches!(
        stand.tokens.check(token).await,
        Err(TokenError::Ended)
    ));
    // The clock was set back: a token from the future is none.
    stand.clock.step_wall_to(NOW - Duration::from_secs(60));
    assert!(matches!(
        stand.tokens.check(token).await,
        Err(TokenError::Ended)
    ));
}

#[tokio::test]
async fn a_rotation_signs_nobody_out() {
    let stand = Stand::new().await;
    let before = stand.sign();
    stand
        .tokens
        .change_keys(Rotation::Asked, entry())
        .await
        .unwrap();
    assert_eq!(stand.tokens.keys().len(), 2);
    let first = kid(&before);
    assert_eq!(kid(&stand.sign()), first, "the new key is published first");
    stand
        .clock
        .advance(PUBLISHED_BEFORE_ASKED - Duration::from_secs(1));
    let last = stand.sign();
    stand.clock.advance(Duration::from_secs(1));
    assert_ne!(kid(&stand.sign()), first);
    assert!(stand.tokens.check(&last).await.is_ok());
    stand.clock.advance(Duration::from_secs(2 * 3600));
    stand.tokens.rotate_when_due().await.unwrap();
    assert_eq!(
        stand.tokens.keys().len(),
        1,
        "the old key is gone with its tokens"
    );
    stand.clock.advance(KEY_LIFE);
    stand.tokens.rotate_when_due().await.unwrap();
    assert_eq!(stand.tokens.keys().len(), 2, "age rotates by itself");
    let signed = stand.sign();
    stand
        .tokens
        .change_keys(Rotation::Replacement, entry())
        .await
        .unwrap();
    let void = stand.tokens.check(&signed).await;
    assert!(matches!(void, Err(TokenError::UnknownKey)));
    assert!(stand.tokens.check(&stand.sign()).await.is_ok());
}

#[tokio::test]
async fn another_coordinator_knows_a_new_key_at_once() {
    let stand = Stand::new().await;
    let other = open(&stand.shelf, &stand.clock, "https://cctv.example").await;
    assert_eq!(other.list(), stand.tokens.list());
    other
        .change_keys(Rotation::Replacement, entry())
        .await
        .unwrap();
    let (token, _) = other
        .sign(UserId::new(NOW), SessionId::new(NOW), bearer())
        .unwrap();
    assert!(stand.tokens.check(token.expose_secret()).await.is_ok());
    let (one, two) = tokio::join!(
        stand.tokens.change_keys(Rotation::Asked, entry()),
        other.change_keys(Rotation::Asked, entry())
    );
    one.unwrap();
    two.unwrap();
    assert_eq!(stand.shelf.signing_keys().await.unwrap().len(), 3);
}

#[tokio::test]
async fn the_list_has_what_others_need_and_no_more() {
    let stand = Stand::new().await;
    let list: Value = serde_json::from_str(&stand.tokens.list()).unwrap();
    let key = &list["keys"][0];
    let names: Vec<_> = key
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    assert_eq!(names, ["alg", "e", "kid", "kty", "n", "use"]);
    assert_eq!(
        (&key["alg"], &key["kty"], &key["use"]),
        (&json!("RS256"), &json!("RSA"), &json!("sig"))
    );
    let modulus = BASE64URL_NOPAD.decode(key["n"].as_str().unwrap().as_bytes());
    assert_eq!(modulus.unwrap().len(), 256);
}

fn kid(token: &str) -> String {
    TokenHeader::read(token).unwrap().kid
}

fn part(value: &Value) -> String {
    BASE64URL_NOPAD.encode(value.to_string().as_bytes())
}

/// A token made by whoever knows everything but the private key.
#[tokio::test]
async fn forged_tokens_are_refused() {
    let stand = Stand::new().await;
    let good = stand.sign();
    let (header, rest) = good.split_once('.').unwrap();
    let (body, signature) = rest.split_once('.').unwrap();
    let kid = kid(&good);
    let claims: Value =
        serde_json::from_slice(&BASE64URL_NOPAD.decode(body.as_bytes()).unwrap()).unwrap();
    let mut raised = claims.clone();
    raised["permissions"] = json!(["*"]);

    let stored = stand.shelf.signing_keys().await.unwrap().remove(0);
    let own = keys::generate(NOW).unwrap();
    let own = EncodingKey::from_rsa_der(own.private.expose_secret());
    let ours = EncodingKey::from_rsa_der(stored.private.expose_secret());
    let signed = |header: Value, claims: &Value, key: &EncodingKey| {
        let header: Header = serde_json::from_value(header).unwrap();
        jsonwebtoken::encode(&header, claims, key).unwrap()
    };
    let proper = json!({"alg": "RS256", "typ": "at+jwt", "kid": kid});
    assert!(
        stand
            .tokens
            .check(&signed(proper.clone(), &raised, &ours))
            .await
            .is_ok(),
        "the tool forges well"
    );

    let list: Value = serde_json::from_str(&stand.tokens.list()).unwrap();
    let modulus = BASE64URL_NOPAD
        .decode(list["keys"][0]["n"].as_str().unwrap().as_bytes())
        .unwrap();
    let as_secret = |secret: &[u8]| {
        signed(
            json!({"alg": "HS256", "typ": "at+jwt", "kid": kid}),
            &raised,
            &EncodingKey::from_secret(secret),
        )
    };
    let with = |name: &str, value: Value| {
        let mut header = proper.clone();
        header[name] = value;
        header
    };
    let unsigned = |alg: &str| {
        format!(
            "{}.{}.",
            part(&json!({"alg": alg, "typ": "at+jwt", "kid": kid})),
            part(&raised)
        )
    };
    let own_key = jsonwebtoken::jwk::Jwk::from_encoding_key(&own, Algorithm::RS256).unwrap();
    let forged = [
        ("no signature", unsigned("none")),
        ("none in capitals", unsigned("NONE")),
        ("RS256 and no signature", unsigned("RS256")),
        (
            "the list as a secret",
            as_secret(stand.tokens.list().as_bytes()),
        ),
        ("the modulus as a secret", as_secret(&modulus)),
        ("an empty secret", as_secret(b"")),
        (
            "another key under our name",
            signed(proper.clone(), &raised, &own),
        ),
        (
            "another key by its own name",
            signed(with("kid", json!("mine")), &raised, &own),
        ),
        (
            "a key by its address",
            signed(with("jku", json!("http://127.0.0.1:1/keys")), &raised, &own),
        ),
        (
            "a certificate by its address",
            signed(with("x5u", json!("http://127.0.0.1:1/c")), &raised, &own),
        ),
        (
            "a key in the header",
            signed(
                with("jwk", serde_json::to_value(own_key).unwrap()),
                &raised,
                &own,
            ),
        ),
        (
            "a path as a key's name",
            signed(with("kid", json!("../../../dev/null")), &raised, &own),
        ),
        (
            "SQL as a key's name",
            signed(with("kid", json!("' or 1=1 --")), &raised, &own),
        ),
        (
            "an empty name",
            signed(with("kid", json!("")), &raised, &own),
        ),
        (
            "another kind of token",
            signed(with("typ", json!("JWT")), &claims, &ours),
        ),
        (
            "an extension we do not know",
            signed(with("crit", json!(["exp"])), &claims, &ours),
        ),
        (
            "another algorithm of the same key",
            signed(with("alg", json!("RS512")), &claims, &ours),
        ),
        (
            "a padded signature",
            signed(with("alg", json!("PS256")), &claims, &ours),
        ),
        (
            "changed claims",
            format!("{header}.{}.{signature}", part(&raised)),
        ),
        (
            "a changed header",
            format!("{}.{body}.{signature}", part(&with("jku", json!("x")))),
        ),
        (
            "half a signature",
            format!("{header}.{body}.{}", &signature[..100]),
        ),
        ("four parts", format!("{good}.{body}")),
        ("two parts", format!("{header}.{body}")),
        (
            "a bracket bomb",
            format!(
                "{}.{body}.{signature}",
                BASE64URL_NOPAD.encode("[".repeat(700).as_bytes())
            ),
        ),
        ("megabytes", format!("{good}{}", "A".repeat(1 << 20))),
    ];
    for (what, token) in forged {
        assert!(stand.tokens.check(&token).await.is_err(), "{what}");
    }
    for (name, value) in [
        ("iss", json!("https://elsewhere.example")),
        ("aud", json!("another")),
        ("aud", json!(["cctv", "another"])),
        ("exp", json!("never")),
        ("exp", json!(1e300)),
        ("exp", json!(-1)),
        ("nbf", json!(1_900_000_000)),
        ("sub", json!("admin")),
        ("exp", Value::Null),
        ("sid", Value::Null),
    ] {
        let mut claims = claims.clone();
        claims[name] = value.clone();
        let token = signed(proper.clone(), &claims, &ours);
        assert!(stand.tokens.check(&token).await.is_err(), "{name} {value}");
    }
    // Another system with the same keys.
    let elsewhere = open(&stand.shelf, &stand.clock, "https://elsewhere.example").await;
    assert!(matches!(
        elsewhere.check(&good).await,
        Err(TokenError::Ended)
    ));
}

proptest! {
    #[test]
    fn whatever_is_presented_is_answered(text in prop_oneof![any::<String>(), "[A-Za-z0-9_-]{0,60}(\\.[A-Za-z0-9_-]{0,60}){0,4}"]) {
        prop_assert!(TokenHeader::read(&text).is_none());
    }
}
