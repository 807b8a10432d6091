//! People and tokens of an outside identity provider, against a real one.

mod forged;
mod gone;
mod provider;
mod tokens;

use std::sync::Arc;

use serde_json::{Value, json};
use shared::clock::{Clock, SystemClock};

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
