//! People and tokens of an outside identity provider, against a real one.

mod provider;
mod tokens;

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use shared::clock::{Clock, SimulatedClock, SystemClock};
use shared::time::WallTime;

use self::provider::{Person, Provider, provider};
use crate::world::{World, until};

/// A coordinator whose provider is `provider`; unknown people get an account.
async fn world(provider: &Provider) -> World {
    world_with(
        provider,
        Arc::new(SystemClock::new()),
        json!({ "unknown_people": "create" }),
    )
    .await
}

async fn world_with(provider: &Provider, clock: Arc<dyn Clock>, more: Value) -> World {
    World::start_with(clock, |config| {
        config.identity.provider = provider.settings(more);
    })
    .await
}

fn layla() -> Value {
    json!({ "layla": {
        "preferred_username": "layla", "name": "Layla Hassan",
        "email": "layla@example.org", "email_verified": true, "agency": "Metro Department",
        "groups": ["watch", "administrators"],
    } })
}

async fn audit_of(world: &World, what: &str) -> Vec<Value> {
    let admin = world.admin().await;
    let found = admin.get(&format!("/api/v1/audit?what={what}")).await;
    assert_eq!(found.status, 200, "{:?}", found.body);
    found.body["items"].as_array().unwrap().clone()
}

#[tokio::test]
async fn somebody_signs_in_at_the_provider_and_is_somebody_here() {
    let provider = provider().await;
    provider.accounts(layla()).await;
    let world = world(&provider).await;
    let person = Person::at(&world);
    let methods = person.get("/api/v1/session/methods").await.body();
    assert_eq!(methods["password"], json!({ "for_everybody": true }));
    assert_eq!(
        methods["oidc"]["name"],
        json!({ "en": "Authority", "ar": "الهيئة" })
    );
    assert_eq!(methods["oidc"]["start_url"], "/api/v1/session/oidc/start");
    until("the provider is found", async || {
        let methods = person.get("/api/v1/session/methods").await.body();
        (methods["oidc"]["state"] == "reachable").then_some(())
    })
    .await;

    let at = person.start("/cameras?site=1").await;
    assert!(
        at.contains("code_challenge_method=S256") && at.contains("nonce="),
        "{at}"
    );
    let back = person.at_provider(&at, "layla").await;
    let entered = person.open(&back).await;
    assert_eq!(entered.status, 200, "{}", entered.text);
    assert_eq!(entered.leads_to(), "/cameras?site=1");
    let session = entered
        .cookies
        .iter()
        .find(|it| it.starts_with("cctv_session="));
    let session = session.unwrap();
    assert!(
        session.contains("SameSite=Strict") && session.contains("HttpOnly"),
        "{session}"
    );
    let me = person.get("/api/v1/session").await.body();
    assert_eq!(
        (&me["login"], &me["display_name"]),
        (&json!("layla"), &json!("Layla Hassan"))
    );
    assert_eq!(me["permissions"], json!([]), "nothing that nobody gave");

    // The same person the next time, with what the provider says by then.
    let mut moved = layla();
    moved["layla"]["name"] = json!("Layla Salem");
    moved["layla"]["preferred_username"] = json!("layla.salem");
    provider.accounts(moved).await;
    let again = Person::at(&world);
    assert_eq!(again.sign_in("layla").await.status, 200);
    let renamed = again.get("/api/v1/session").await.body();
    assert_eq!(renamed["user_id"], me["user_id"]);
    assert_eq!(
        (&renamed["login"], &renamed["display_name"]),
        (&json!("layla"), &json!("Layla Salem"))
    );

    let created = &audit_of(&world, "user_created").await[0];
    assert_eq!(created["details"]["subject"], "layla");
    let signed_in = audit_of(&world, "signed_in").await;
    let by_provider = signed_in
        .iter()
        .filter(|entry| entry["details"]["by"] == "oidc");
    assert_eq!(by_provider.count(), 2);
    let changed = &audit_of(&world, "user_changed").await[0];
    assert_eq!(changed["details"]["changed"], json!(["display_name"]));
}

#[tokio::test]
async fn groups_and_agency_follow_the_provider_as_far_as_the_settings_go() {
    let provider = provider().await;
    provider.accounts(layla()).await;
    let mut world = world(&provider).await;
    let admin = world.admin().await;
    let name = json!({ "en": "Watch", "ar": "مراقبة" });
    let agency = json!({ "code": "METRO", "name": name });
    let agency = admin.post("/api/v1/iam/agencies", &agency).await;
    assert!(
        agency.status == 201 || agency.status == 409,
        "{:?}",
        agency.body
    );
    let group = json!({ "name": name, "agency": "METRO", "roles": ["operator"] });
    let group = admin.post("/api/v1/iam/groups", &group).await;
    assert_eq!(group.status, 201, "{:?}", group.body);
    world.config.identity.provider = provider.settings(json!({
        "unknown_people": "create",
        "claims": { "agency": "agency", "groups": "groups" },
        "agencies": { "Metro Department": "METRO" },
        "groups": { "watch": group.body["id"] },
    }));
    let world = world.restart(Arc::new(SystemClock::new())).await;
    let person = Person::at(&world);
    assert_eq!(person.sign_in("layla").await.status, 200);
    let me = person.get("/api/v1/session").await.body();
    assert_eq!(me["agency"], "METRO");
    let permissions = json!(["camera:METRO:view", "camera:METRO:playback"]);
    let mut given = me["permissions"].as_array().unwrap().clone();
    given.sort_by_key(|rule| rule.as_str().map(str::len));
    assert_eq!(
        json!(given),
        permissions,
        "of the group alone, whatever else the token names"
    );

    // Out of the group at the provider: what comes of it is gone here, also for who is signed in.
    let mut out = layla();
    out["layla"]["groups"] = json!(["administrators", "admin", "*"]);
    provider.accounts(out.clone()).await;
    let again = Person::at(&world);
    assert_eq!(again.sign_in("layla").await.status, 200);
    for browser in [&again, &person] {
        let me = browser.get("/api/v1/session").await.body();
        assert_eq!(me["permissions"], json!([]));
    }
    // Of an agency that nobody has named here: not at all.
    out["layla"]["agency"] = json!("METRO");
    provider.accounts(out).await;
    let refused = Person::at(&world).sign_in("layla").await;
    assert_eq!(
        (refused.status.as_u16(), refused.code()),
        (403, "not_admitted".to_owned())
    );
    assert!(
        refused
            .cookies
            .iter()
            .all(|cookie| !cookie.starts_with("cctv_session="))
    );
    let entries = until("the entry", async || {
        let entries = audit_of(&world, "sign_in_refused").await;
        (!entries.is_empty()).then_some(entries)
    })
    .await;
    assert_eq!(entries[0]["details"]["wrong"], "claims");
}

#[tokio::test]
async fn nobody_becomes_somebody_else_by_having_their_name() {
    let provider = provider().await;
    let mut accounts = layla();
    accounts["layla"]["preferred_username"] = json!("admin");
    accounts["layla"]["email"] = json!("admin@example.org");
    provider.accounts(accounts).await;
    let world = world(&provider).await;
    let person = Person::at(&world);
    let refused = person.sign_in("layla").await;
    assert_eq!(
        (refused.status.as_u16(), refused.code()),
        (403, "not_admitted".to_owned())
    );
    assert_eq!(person.get("/api/v1/session").await.status, 401);
    // Shown to a browser on the sign-in page.
    let at = person.start("/").await;
    let back = person.at_provider(&at, "layla").await;
    let shown = person.open(&back).await;
    assert_eq!(shown.status, 403);
    assert!(
        shown.leads_to().starts_with("/sign-in?error=not_admitted&"),
        "{}",
        shown.text
    );

    // Disabled here is disabled, whatever the provider says; and who is there stays out.
    provider.accounts(layla()).await;
    assert_eq!(person.sign_in("layla").await.status, 200);
    let me = person.get("/api/v1/session").await.body();
    let admin = world.admin().await;
    let path = format!(
        "/api/v1/iam/users/{}/status",
        me["user_id"].as_str().unwrap()
    );
    let disabled = json!({ "status": "DISABLED" });
    let disabled = admin.send(reqwest::Method::PATCH, &path, Some(&disabled), &[]);
    assert_eq!(disabled.await.status, 200);
    assert_eq!(person.get("/api/v1/session").await.status, 401);
    let refused = person.sign_in("layla").await;
    assert_eq!(
        (refused.status.as_u16(), refused.code()),
        (403, "not_admitted".to_owned())
    );
}

#[tokio::test]
async fn strangers_are_refused_unless_the_settings_create_them() {
    let provider = provider().await;
    provider.accounts(layla()).await;
    let clock = Arc::new(SystemClock::new());
    let world = world_with(&provider, clock, json!({})).await;
    let refused = Person::at(&world).sign_in("layla").await;
    assert_eq!(
        (refused.status.as_u16(), refused.code()),
        (403, "not_admitted".to_owned())
    );
    // Until an administrator says who it is.
    let user = world.person("l.hassan", "METRO", "operator").await;
    let admin = world.admin().await;
    let path = format!("/api/v1/iam/users/{user}/identities");
    let identity = json!({ "issuer": provider.issuer, "subject": "layla" });
    assert_eq!(admin.post(&path, &identity).await.status, 204);
    let again = admin.post(&path, &identity).await;
    assert_eq!((again.status.as_u16(), again.code()), (409, "taken"));
    let listed = admin.get(&path).await;
    assert_eq!(listed.body["items"][0]["subject"], "layla");
    let person = Person::at(&world);
    assert_eq!(person.sign_in("layla").await.status, 200);
    let me = person.get("/api/v1/session").await.body();
    assert_eq!(
        (&me["login"], &me["user_id"]),
        (&json!("l.hassan"), &json!(user))
    );
    assert_eq!(
        me["agency"], "METRO",
        "roles and agency are those given here"
    );
    // And until one says otherwise.
    let unlinked = admin.send(reqwest::Method::DELETE, &path, None, &[]).await;
    assert_eq!(unlinked.status, 204);
    assert_eq!(person.get("/api/v1/session").await.status, 401);
    assert_eq!(person.sign_in("layla").await.status, 403);
}

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
    let outcome = |got: provider::Got| (got.status.as_u16(), got.code());

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
    let state = provider::between(&at, "state=", "&").unwrap().to_owned();
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
    let code = provider::between(&stolen, "code=", "&").unwrap();
    let own = thief.start("/").await;
    let state = provider::between(&own, "state=", "&").unwrap();
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
