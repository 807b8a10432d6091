//! A provider that changes, is gone, or is not to be asked.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use shared::clock::{Clock as _, SimulatedClock, SystemClock};
use shared::time::WallTime;

use super::provider::{Person, provider};
use super::{layla, world_with};
use crate::world::{World, until};

#[tokio::test]
async fn new_keys_of_the_provider_are_found_when_they_are_used() {
    let provider = provider().await;
    provider.accounts(layla()).await;
    let clock = Arc::new(SimulatedClock::new(SystemClock::new().wall()));
    let world = world_with(
        &provider,
        clock.clone(),
        json!({ "unknown_people": "create", "leeway_seconds": 600 }),
    )
    .await;
    assert_eq!(Person::at(&world).sign_in("layla").await.status, 200);
    provider.rotate_keys().await;
    // Just now they were fetched; nobody makes us fetch again and again.
    let early = Person::at(&world).sign_in("layla").await;
    assert_eq!(early.code(), "not_confirmed");
    clock.advance(Duration::from_secs(16));
    assert_eq!(Person::at(&world).sign_in("layla").await.status, 200);
}

#[tokio::test]
async fn clocks_that_differ_are_borne_as_far_as_the_settings_say() {
    let provider = provider().await;
    provider.accounts(layla()).await;
    let now = SystemClock::new().wall();
    let skewed = async |ours: WallTime| {
        let clock = Arc::new(SimulatedClock::new(ours));
        let more = json!({ "unknown_people": "create", "leeway_seconds": 60 });
        let world = world_with(&provider, clock, more).await;
        Person::at(&world).sign_in("layla").await.status.as_u16()
    };
    let seconds = Duration::from_secs;
    assert_eq!(
        skewed(now - seconds(40)).await,
        200,
        "the provider is ahead"
    );
    assert_eq!(skewed(now + seconds(330)).await, 200, "and behind");
    assert_eq!(skewed(now - seconds(600)).await, 401, "far ahead");
    assert_eq!(skewed(now + seconds(3600)).await, 401, "far behind");
}

#[tokio::test]
async fn a_provider_that_is_gone_keeps_nobody_else_out() {
    let mut provider = provider().await;
    provider.kill().await;
    let clock = Arc::new(SimulatedClock::new(SystemClock::new().wall()));
    let more = json!({ "unknown_people": "create", "leeway_seconds": 600 });
    let world = world_with(&provider, clock.clone(), more).await;
    // The administrator's password opens, and readiness does not depend on others.
    world.admin().await;
    let person = Person::at(&world);
    assert_eq!(person.get("/readyz").await.status, 200);
    let gone = person.get("/api/v1/session/oidc/start").await;
    assert_eq!(
        (gone.status.as_u16(), gone.code()),
        (503, "provider_unreachable".to_owned())
    );
    let shown = person
        .open("/api/v1/session/oidc/start?next=/cameras")
        .await;
    assert!(
        shown
            .leads_to()
            .starts_with("/sign-in?error=provider_unreachable&")
    );
    let methods = person.get("/api/v1/session/methods").await.body();
    assert_eq!(methods["oidc"]["state"], "unreachable");
    assert!(methods["oidc"]["unreachable_since"].is_string());
    let metrics = person.get("/metrics").await.text;
    assert!(metrics.contains("cctv_coordinator_identity_issuers_away 1"));
    // It comes back, and is found without a restart.
    provider.restart().await;
    provider.accounts(layla()).await;
    clock.advance(Duration::from_secs(16));
    until("the provider is found again", async || {
        let methods = person.get("/api/v1/session/methods").await.body();
        (methods["oidc"]["state"] == "reachable").then_some(())
    })
    .await;
    assert!(methods_without_since(&person).await);
    assert_eq!(person.sign_in("layla").await.status, 200);
    // And goes again in the middle of a sign-in.
    let other = Person::at(&world);
    let at = other.start("/").await;
    let back = other.at_provider(&at, "layla").await;
    provider.kill().await;
    let gone = other.get(&back).await;
    assert_eq!(
        (gone.status.as_u16(), gone.code()),
        (503, "provider_unreachable".to_owned())
    );
    // Who is in stays in.
    assert_eq!(person.get("/api/v1/session").await.status, 200);
}

async fn methods_without_since(person: &Person) -> bool {
    let methods = person.get("/api/v1/session/methods").await.body();
    methods["oidc"].get("unreachable_since").is_none()
}

#[tokio::test]
async fn a_provider_inside_is_not_asked_unless_the_settings_name_its_network() {
    let provider = provider().await;
    let clock = Arc::new(SystemClock::new());
    let world = world_with(&provider, clock, json!({ "allowed_networks": [] })).await;
    let refused = Person::at(&world).get("/api/v1/session/oidc/start").await;
    assert_eq!(
        (refused.status.as_u16(), refused.code()),
        (503, "provider_unreachable".to_owned())
    );
    assert!(!refused.text.contains("127.0.0.1"), "{}", refused.text);
}

#[tokio::test]
async fn passwords_can_be_left_to_accounts_for_the_day_on_which_the_provider_is_gone() {
    let world = World::start_with(Arc::new(SystemClock::new()), |config| {
        config.identity.break_glass = vec!["admin".to_owned().try_into().unwrap()];
    })
    .await;
    world.admin().await;
    let password = crate::world::PASSWORD;
    world.person("layla", "METRO", "operator").await;
    let layla = world.nobody();
    let off = layla.sign_in("layla", password).await;
    assert_eq!(
        (off.status.as_u16(), off.code()),
        (403, "password_sign_in_off")
    );
    assert_eq!(layla.get("/api/v1/session").await.status, 401);
    let body = json!({ "login": "layla", "password": password });
    let off = layla.post("/api/v1/token", &body).await;
    assert_eq!(
        (off.status.as_u16(), off.code()),
        (403, "password_sign_in_off")
    );
    // Only who has the password is told so.
    let wrong = layla.sign_in("layla", "not this one at all").await;
    assert_eq!(
        (wrong.status.as_u16(), wrong.code()),
        (401, "wrong_credentials")
    );
    let methods = layla.get("/api/v1/session/methods").await;
    assert_eq!(
        methods.body,
        json!({ "password": { "for_everybody": false } })
    );
    // Without a provider there is nothing to go to.
    for path in ["start", "callback?code=x&state=y"] {
        let answer = layla.get(&format!("/api/v1/session/oidc/{path}")).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (404, "not_found"));
    }
}
