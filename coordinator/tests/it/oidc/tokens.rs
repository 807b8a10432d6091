//! Access tokens of somebody else.

use std::sync::Arc;
use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use shared::clock::{Clock, SimulatedClock, SystemClock};

use super::audit_of;
use super::provider::{Provider, provider};
use crate::world::{Answer, World, until};

async fn world(provider: &Provider, more: Value) -> (World, Arc<SimulatedClock>) {
    let clock = Arc::new(SimulatedClock::new(SystemClock::new().wall()));
    let world = World::start_with(clock.clone(), |config| {
        let issuers = vec![provider.trusted(more)];
        config.identity.trusted = issuers.try_into().unwrap();
    })
    .await;
    (world, clock)
}

fn claims(more: Value) -> Value {
    let mut claims = json!({ "sub": "robot-1", "preferred_username": "robot" });
    for (name, value) in more.as_object().unwrap() {
        claims[name] = value.clone();
    }
    json!({ "claims": claims })
}

async fn ask(
    world: &World,
    token: &str,
    method: Method,
    path: &str,
    body: Option<&Value>,
) -> Answer {
    let header = format!("Bearer {token}");
    let headers = [("origin", ""), ("authorization", header.as_str())];
    world.nobody().send(method, path, body, &headers).await
}

async fn who(world: &World, token: &str) -> Answer {
    ask(world, token, Method::GET, "/api/v1/session", None).await
}

#[tokio::test]
async fn a_token_of_a_trusted_issuer_is_its_subject_here() {
    let provider = provider().await;
    let (world, clock) = world(&provider, json!({ "unknown_people": "create" })).await;
    let token = provider
        .token(claims(
            json!({ "permissions": ["*"], "roles": ["administrator"] }),
        ))
        .await;
    let me = who(&world, &token).await;
    assert_eq!(me.status, 200, "{:?}", me.body);
    assert_eq!(
        (&me.body["login"], &me.body["permissions"]),
        (&json!("robot"), &json!([]))
    );
    // Changes need no proof of the same site, because nobody's browser sends this by itself.
    let cameras = ask(&world, &token, Method::GET, "/api/v1/cameras", None).await;
    assert_eq!(cameras.status, 200);
    // What one signs in with is for people at a browser.
    let body = json!({ "name": "more", "valid_for_days": 1 });
    let more = ask(
        &world,
        &token,
        Method::POST,
        "/api/v1/iam/api-tokens",
        Some(&body),
    )
    .await;
    assert_eq!(more.status, 403);
    // One session for all its tokens, which others see.
    for _ in 0..3 {
        let next = provider.token(claims(json!({}))).await;
        assert_eq!(who(&world, &next).await.status, 200);
    }
    let admin = world.admin().await;
    let path = format!(
        "/api/v1/iam/users/{}/sessions",
        me.body["user_id"].as_str().unwrap()
    );
    let sessions = admin.get(&path).await;
    assert_eq!(sessions.body["items"].as_array().unwrap().len(), 1);
    let entries = audit_of(&world, "signed_in").await;
    let by_token = entries
        .iter()
        .filter(|entry| entry["details"]["by"] == "token");
    assert_eq!(by_token.count(), 1);
    // It ends when it says so, the leeway included; it was made a little later than the clock stands.
    clock.advance(Duration::from_secs(300 + 60 + 120));
    assert_eq!(who(&world, &token).await.status, 401);
}

#[tokio::test]
async fn what_was_open_ends_and_older_tokens_with_it() {
    let provider = provider().await;
    let (world, clock) = world(&provider, json!({ "unknown_people": "create" })).await;
    let token = provider.token(claims(json!({}))).await;
    let me = who(&world, &token).await;
    assert_eq!(me.status, 200, "{:?}", me.body);
    let unused = provider.token(claims(json!({ "jti": "never used" }))).await;
    let admin = world.admin().await;
    let user = format!("/api/v1/iam/users/{}", me.body["user_id"].as_str().unwrap());
    clock.advance(Duration::from_secs(2));
    let ended = admin
        .send(Method::DELETE, &format!("{user}/sessions"), None, &[])
        .await;
    assert_eq!(ended.status, 204);
    assert_eq!(who(&world, &token).await.status, 401);
    assert_eq!(who(&world, &unused).await.status, 401, "issued before");
    let newer = provider.token(claims(json!({ "iat": "+5" }))).await;
    assert_eq!(who(&world, &newer).await.status, 200);
    assert_eq!(who(&world, &token).await.status, 401, "still");

    let status = async |status: &str| {
        let body = json!({ "status": status });
        let path = format!("{user}/status");
        let answer = admin.send(Method::PATCH, &path, Some(&body), &[]).await;
        assert_eq!(answer.status, 200, "{:?}", answer.body);
    };
    clock.advance(Duration::from_secs(10));
    status("DISABLED").await;
    for token in [
        &newer,
        &provider.token(claims(json!({ "iat": "+50" }))).await,
    ] {
        assert_eq!(who(&world, token).await.status, 401);
    }
    status("ACTIVE").await;
    assert_eq!(
        who(&world, &newer).await.status,
        401,
        "what had ended stays ended"
    );
    let last = provider.token(claims(json!({ "iat": "+30" }))).await;
    assert_eq!(who(&world, &last).await.status, 200);
}

#[tokio::test]
async fn what_the_issuer_did_not_sign_for_us_is_nothing() {
    let provider = provider().await;
    let (world, _) = world(&provider, json!({ "unknown_people": "create" })).await;
    assert_eq!(
        who(&world, &provider.token(claims(json!({}))).await)
            .await
            .status,
        200
    );
    let with = |what: Value| {
        let mut token = claims(json!({}));
        for (name, value) in what.as_object().unwrap() {
            token[name] = value.clone();
        }
        token
    };
    for (wrong, token) in [
        ("nobody's signature", with(json!({ "algorithm": "none" }))),
        (
            "the public key as a secret",
            with(json!({ "algorithm": "HS256" })),
        ),
        (
            "an algorithm that it is not to use",
            with(json!({ "algorithm": "PS256" })),
        ),
        ("a key that it has not", with(json!({ "kid": "another" }))),
        ("another purpose", with(json!({ "type": "logout+jwt" }))),
        ("another audience", claims(json!({ "aud": "another" }))),
        ("no audience", claims(json!({ "aud": null }))),
        (
            "another issuer",
            claims(json!({ "iss": "https://other.example" })),
        ),
        ("no issuer", claims(json!({ "iss": null }))),
        ("our name", claims(json!({ "iss": "rta-cctv" }))),
        ("ended", claims(json!({ "exp": "-600" }))),
        ("no end", claims(json!({ "exp": null }))),
        ("no beginning", claims(json!({ "iat": null }))),
        ("an end that is no time", claims(json!({ "exp": "never" }))),
        ("not yet", claims(json!({ "nbf": 99_999_999_999_i64 }))),
        ("from the future", claims(json!({ "iat": "+600" }))),
        ("bound to a key", claims(json!({ "cnf": { "jkt": "x" } }))),
        ("about nobody", claims(json!({ "sub": null }))),
        ("about a number", claims(json!({ "sub": 7 }))),
    ] {
        let token = provider.token(token).await;
        let answer = who(&world, &token).await;
        assert_eq!(
            (answer.status, answer.code()),
            (StatusCode::UNAUTHORIZED, "unauthenticated"),
            "{wrong}"
        );
    }
    let good = provider.token(claims(json!({}))).await;
    let parts: Vec<_> = good.split('.').collect();
    let long = format!("{}.{}.{}", parts[0], parts[1], "A".repeat(20_000));
    let huge = "x".repeat(20_000);
    for broken in [
        format!("{}.{}.", parts[0], parts[1]),
        format!("{}.{}", parts[0], parts[1]),
        format!("{good}.x"),
        format!("{}.{}.{}", parts[0], parts[1], "A".repeat(342)),
        long,
        huge,
    ] {
        // The head of a request that is too long is refused before anybody looks at it.
        let status = who(&world, &broken).await.status.as_u16();
        assert!([401, 431].contains(&status), "{status}: {broken:.40}");
    }
    let entries = until("the entry", async || {
        let entries = audit_of(&world, "token_refused").await;
        let of_issuer = entries
            .iter()
            .filter(|entry| entry["details"]["issuer"] == provider.issuer.as_str());
        let of_issuer: Vec<_> = of_issuer.cloned().collect();
        (!of_issuer.is_empty()).then_some(of_issuer)
    })
    .await;
    assert!(entries.len() <= 2, "gathered: {entries:?}");
}

#[tokio::test]
async fn new_keys_and_an_issuer_that_is_gone() {
    let mut provider = provider().await;
    let (world, clock) = world(
        &provider,
        json!({ "unknown_people": "create", "leeway_seconds": 600 }),
    )
    .await;
    let old = provider.token(claims(json!({}))).await;
    assert_eq!(who(&world, &old).await.status, 200);
    provider.rotate_keys().await;
    let new = provider.token(claims(json!({}))).await;
    assert_eq!(
        who(&world, &new).await.status,
        401,
        "just now they were fetched"
    );
    clock.advance(Duration::from_secs(16));
    assert_eq!(who(&world, &new).await.status, 200);
    assert_eq!(
        who(&world, &old).await.status,
        401,
        "its key is no longer published"
    );
    provider.kill().await;
    clock.advance(Duration::from_secs(200));
    assert_eq!(who(&world, &new).await.status, 200, "the keys are known");
    // Our own tokens and passwords do not depend on it.
    world.admin().await;
}

#[tokio::test]
async fn subjects_that_nobody_linked_are_refused_unless_the_settings_create_them() {
    let provider = provider().await;
    let (world, _) = world(&provider, json!({})).await;
    let token = provider.token(claims(json!({}))).await;
    let refused = who(&world, &token).await;
    assert_eq!(
        (refused.status, refused.code()),
        (StatusCode::UNAUTHORIZED, "unauthenticated")
    );
    let entries = until("the entry", async || {
        let entries = audit_of(&world, "token_refused").await;
        (!entries.is_empty()).then_some(entries)
    })
    .await;
    assert_eq!(entries[0]["details"]["wrong"], "not admitted");
}
