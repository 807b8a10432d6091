//! Sign-ins that are not what they seem to be.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use shared::clock::{Clock as _, SimulatedClock, SystemClock};

use super::provider::{Got, Person, between, provider};
use super::{layla, world, world_with};

#[tokio::test]
async fn a_sign_in_counts_once_in_its_browser_and_for_minutes() {
    let provider = provider().await;
    provider.accounts(layla()).await;
    let clock = Arc::new(SimulatedClock::new(SystemClock::new().wall()));
    let world = world_with(
        &provider,
        clock.clone(),
        json!({ "unknown_people": "create", "leeway_seconds": 600 }),
    )
    .await;
    let expired = (401, "sign_in_expired".to_owned());
    let outcome = |got: Got| (got.status.as_u16(), got.code());

    // Another browser with the address: who sends somebody a link signs them in as nobody.
    let (person, other) = (Person::at(&world), Person::at(&world));
    let at = person.start("/").await;
    let back = person.at_provider(&at, "layla").await;
    assert_eq!(outcome(other.get(&back).await), expired);
    other.start("/").await;
    assert_eq!(
        outcome(other.get(&back).await),
        expired,
        "with a sign-in of its own"
    );
    // The one that began it, once: the cookie is taken back, and does not count again either.
    let kept = person.start("/").await;
    assert_eq!(
        outcome(person.get(&back).await),
        expired,
        "a newer sign-in replaced it"
    );
    let back = person.at_provider(&kept, "layla").await;
    let cookie = {
        let fresh = Person::at(&world);
        let at = fresh.start("/").await;
        let back = fresh.at_provider(&at, "layla").await;
        assert_eq!(fresh.get(&back).await.status, 200);
        assert_eq!(outcome(fresh.get(&back).await), expired, "replayed");
        back
    };
    assert_ne!(cookie, back);
    // Too late.
    let late = Person::at(&world);
    let at = late.start("/").await;
    let back = late.at_provider(&at, "layla").await;
    clock.advance(Duration::from_secs(601));
    assert_eq!(outcome(late.get(&back).await), expired);
    // What is no answer at all.
    for query in [
        "",
        "?state=x",
        "?code=x",
        "?code=x&state=y",
        "?error=access_denied&state=z",
    ] {
        let path = format!("/api/v1/session/oidc/callback{query}");
        assert_eq!(
            outcome(Person::at(&world).get(&path).await),
            expired,
            "{query}"
        );
    }
    let denied = Person::at(&world);
    let at = denied.start("/").await;
    let state = between(&at, "state=", "&").unwrap().to_owned();
    let path = format!("/api/v1/session/oidc/callback?error=access_denied&state={state}");
    assert_eq!(
        outcome(denied.get(&path).await),
        (401, "not_confirmed".to_owned())
    );
    let mixed = Person::at(&world);
    let at = mixed.start("/").await;
    let back = mixed.at_provider(&at, "layla").await;
    let back = back.split("&iss=").next().unwrap();
    let mixed = mixed
        .get(&format!("{back}&iss=https://other.example"))
        .await;
    assert_eq!(
        outcome(mixed),
        (401, "not_confirmed".to_owned()),
        "another provider's answer"
    );
}

#[tokio::test]
async fn a_code_of_another_sign_in_is_worth_nothing() {
    let provider = provider().await;
    provider.accounts(layla()).await;
    let world = world(&provider).await;
    let (victim, thief) = (Person::at(&world), Person::at(&world));
    let at = victim.start("/").await;
    let stolen = victim.at_provider(&at, "layla").await;
    let code = between(&stolen, "code=", "&").unwrap();
    let own = thief.start("/").await;
    let state = between(&own, "state=", "&").unwrap();
    // PKCE: the code belongs to a verifier that only the victim's sign-in has.
    let path = format!("/api/v1/session/oidc/callback?code={code}&state={state}");
    let refused = thief.get(&path).await;
    assert_eq!(
        (refused.status.as_u16(), refused.code()),
        (401, "not_confirmed".to_owned())
    );
}

#[tokio::test]
async fn what_the_provider_did_not_say_so_is_not_believed() {
    let provider = provider().await;
    provider.accounts(layla()).await;
    let world = world(&provider).await;
    for (spoilt, spoil) in [
        (
            "the nonce of another sign-in",
            json!({ "claims": { "nonce": "another" } }),
        ),
        ("no nonce", json!({ "claims": { "nonce": null } })),
        (
            "another audience",
            json!({ "claims": { "aud": "another" } }),
        ),
        (
            "one audience more",
            json!({ "claims": { "aud": ["cctv", "another"] } }),
        ),
        (
            "another issuer",
            json!({ "claims": { "iss": "https://other.example" } }),
        ),
        ("ended", json!({ "claims": { "exp": "-600" } })),
        (
            "issued in the future",
            json!({ "claims": { "iat": "+600" } }),
        ),
        ("issued long ago", json!({ "claims": { "iat": "-7200" } })),
        ("nobody's signature", json!({ "algorithm": "none" })),
        (
            "the public key as a secret",
            json!({ "algorithm": "HS256" }),
        ),
        ("a key that it has not", json!({ "kid": "another" })),
        (
            "about somebody else than its user info",
            json!({ "claims": { "sub": "1" } }),
        ),
        ("about nobody", json!({ "claims": { "sub": "" } })),
    ] {
        provider.spoil(spoil).await;
        let person = Person::at(&world);
        let refused = person.sign_in("layla").await;
        assert_eq!(
            (refused.status.as_u16(), refused.code()),
            (401, "not_confirmed".to_owned()),
            "{spoilt}: {}",
            refused.text
        );
        assert_eq!(person.get("/api/v1/session").await.status, 401, "{spoilt}");
    }
    // The same way without anything spoilt leads in.
    provider
        .spoil(json!({ "claims": {}, "algorithm": "RS256" }))
        .await;
    assert_eq!(Person::at(&world).sign_in("layla").await.status, 200);
}

#[tokio::test]
async fn where_a_browser_comes_back_to_is_a_page_of_ours() {
    let provider = provider().await;
    let world = world(&provider).await;
    let person = Person::at(&world);
    for next in [
        "https://evil.example",
        "//evil.example",
        "/%5Cevil.example",
        "/%09/evil.example",
        "javascript:alert(1)",
        "/api/v1/session",
    ] {
        let refused = person
            .get(&format!("/api/v1/session/oidc/start?next={next}"))
            .await;
        assert_eq!(
            (refused.status.as_u16(), refused.code()),
            (422, "invalid_value".to_owned()),
            "{next}"
        );
        assert!(refused.location.is_none() && refused.cookies.is_empty());
    }
}
