//! Events of the authority's identity management, as it sends them.

use std::time::Duration;

use cctv_coordinator::config::Config;
use cctv_coordinator::domain::access::Deed;
use cctv_coordinator::domain::audit::What;
use cctv_coordinator::domain::audit::search::Search;
use data_encoding::HEXLOWER;
use reqwest::Method;
use ring::hmac;
use serde_json::{Value, json};
use shared::clock::{Clock as _, SystemClock};

use crate::world::{Answer, PASSWORD, World, until};

const SECRET: &str = "the secret that the tests share with themselves";
const PATH: &str = "/api/v1/iam/events";

/// A coordinator that takes events.
pub(crate) async fn world() -> World {
    world_with(|_| {}).await
}

pub(crate) async fn world_with(change: impl FnOnce(&mut Config)) -> World {
    World::start_with(std::sync::Arc::new(SystemClock::new()), |config| {
        let file = config.data_dir.with_file_name("webhook-secret");
        // The old one is still there.
        std::fs::write(&file, format!("{}\n{SECRET}\n", "x".repeat(32))).unwrap();
        config.identity.webhook.secret_file = file;
        change(config);
    })
    .await
}

/// A signed event about somebody, of now.
pub(crate) async fn tell(world: &World, id: &str, event: &str, login: &str) -> Answer {
    let now = SystemClock::new().wall().to_rfc3339();
    let body = json!({ "event_id": id, "event": event, "occurred_at": now, "login_id": login });
    let body = body.to_string();
    send(world, &sign(&body), body).await
}

fn sign(body: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    let tag = hmac::sign(&key, body.as_bytes());
    format!("sha256={}", HEXLOWER.encode(tag.as_ref()))
}

/// As a program without a session, and from no page.
async fn send(world: &World, signature: &str, body: String) -> Answer {
    let request = reqwest::Client::new().post(format!("{}{PATH}", world.base));
    let request = request.header("x-iam-signature", signature).body(body);
    let response = request.send().await.unwrap();
    Answer {
        status: response.status(),
        headers: response.headers().clone(),
        body: response.json().await.unwrap(),
        bytes: bytes::Bytes::new(),
    }
}

fn told(answer: &Answer) -> (u16, &str) {
    (answer.status.as_u16(), answer.code())
}

async fn entries(world: &World, what: What) -> Vec<Value> {
    let grant = world.services.access.console(Deed::ViewAudit);
    let search = Search {
        what: [what].into(),
        ..Search::default()
    };
    let found = world.services.audit.search(&grant, &search, None, 100);
    let items = found.await.unwrap().items;
    let details = items.into_iter().map(|entry| entry.details);
    details
        .map(|text| text.map_or(Value::Null, |text| serde_json::from_str(&text).unwrap()))
        .collect()
}

#[tokio::test]
async fn whoever_is_disabled_over_there_is_disabled_here() {
    let world = world().await;
    let id = world.person("layla", "METRO", "operator").await;
    let browser = world.signed_in("layla", PASSWORD).await;
    let answer = tell(&world, "e-1", "USER_DISABLED", "Layla").await;
    assert_eq!(
        (answer.status.as_u16(), &answer.body["outcome"]),
        (200, &json!("applied"))
    );
    assert_eq!(browser.get("/api/v1/session").await.status, 401);
    let again = world.nobody().sign_in("layla", PASSWORD).await;
    assert_eq!(again.status, 401);
    let admin = world.admin().await;
    let person = admin.get(&format!("/api/v1/iam/users/{id}")).await;
    assert_eq!(person.body["status"], "DISABLED");
    let entry = entries(&world, What::IamEventReceived).await.remove(0);
    assert_eq!(
        (&entry["event"], &entry["outcome"]),
        (&json!("USER_DISABLED"), &json!("applied"))
    );
    assert_eq!(entries(&world, What::UserDisabled).await.len(), 1);
}

#[tokio::test]
async fn an_event_counts_once() {
    let world = world().await;
    let id = world.person("layla", "METRO", "operator").await;
    let now = SystemClock::new().wall().to_rfc3339();
    let body = json!({ "event_id": "e-1", "event": "USER_DISABLED", "occurred_at": now, "login_id": "layla" });
    let body = body.to_string();
    let first = send(&world, &sign(&body), body.clone()).await;
    assert_eq!(first.status, 200, "{:?}", first.body);
    let admin = world.admin().await;
    let path = format!("/api/v1/iam/users/{id}/status");
    let active = json!({ "status": "ACTIVE" });
    let enabled = admin.send(Method::PATCH, &path, Some(&active), &[]);
    assert_eq!(enabled.await.status, 200);
    let browser = world.signed_in("layla", PASSWORD).await;

    let replayed = send(&world, &sign(&body), body).await;
    assert_eq!(told(&replayed), (409, "event_repeated"));
    assert_eq!(browser.get("/api/v1/session").await.status, 200);
    let refused = until("an entry", async || {
        entries(&world, What::IamEventRefused).await.pop()
    });
    assert_eq!(refused.await["reason"], "repeated");
    // The same thing said anew is another event.
    let later = tell(&world, "e-2", "USER_DISABLED", "layla").await;
    assert_eq!(later.status, 200);
    assert_eq!(browser.get("/api/v1/session").await.status, 401);
}

#[tokio::test]
async fn what_does_not_count_says_why_and_changes_nothing() {
    let world = world().await;
    world.person("layla", "METRO", "operator").await;
    let browser = world.signed_in("layla", PASSWORD).await;
    let event = |at: shared::time::WallTime| {
        let at = at.to_rfc3339();
        json!({ "event_id": "e-1", "event": "USER_DISABLED", "occurred_at": at, "login_id": "layla" })
            .to_string()
    };
    let now = SystemClock::new().wall();
    let good = event(now);
    let hour = Duration::from_secs(3600);
    let forged = sign(&good).replace('0', "1");
    for (signature, body, expected) in [
        (String::new(), good.clone(), (401, "signature_invalid")),
        (
            "sha256=00".to_owned(),
            good.clone(),
            (401, "signature_invalid"),
        ),
        (forged, good.clone(), (401, "signature_invalid")),
        (sign(&good), format!("{good} "), (401, "signature_invalid")),
        (
            sign(&event(now - hour)),
            event(now - hour),
            (422, "event_stale"),
        ),
        (
            sign(&event(now + hour)),
            event(now + hour),
            (422, "event_stale"),
        ),
        (sign("{}"), "{}".to_owned(), (422, "invalid_value")),
        (
            sign("no JSON"),
            "no JSON".to_owned(),
            (422, "invalid_value"),
        ),
    ] {
        let answer = send(&world, &signature, body.clone()).await;
        assert_eq!(told(&answer), expected, "{body}");
    }
    let huge = "x".repeat(1 << 20);
    let answer = send(&world, &sign(&huge), huge).await;
    assert_eq!(told(&answer), (413, "payload_too_large"));
    // Nothing counted, so the good one still does; and two signatures are none.
    let client = reqwest::Client::new().post(format!("{}{PATH}", world.base));
    let twice = client
        .header("x-iam-signature", sign(&good))
        .header("x-iam-signature", sign(&good))
        .body(good.clone());
    assert_eq!(twice.send().await.unwrap().status(), 401);
    assert_eq!(browser.get("/api/v1/session").await.status, 200);
    let reasons = until("the entries", async || {
        let refused = entries(&world, What::IamEventRefused).await;
        let mut reasons: Vec<_> = refused
            .iter()
            .map(|entry| entry["reason"].as_str().unwrap().to_owned())
            .collect();
        reasons.sort();
        (reasons.len() == 3).then_some(reasons)
    });
    assert_eq!(reasons.await, ["malformed", "signature", "stale"]);
    assert_eq!(send(&world, &sign(&good), good).await.status, 200);
}

#[tokio::test]
async fn strangers_are_told_of_and_the_last_administrator_stays() {
    let world = world().await;
    for (event, login, outcome) in [
        ("USER_DISABLED", "nobody-here", "unknown_user"),
        ("GROUP_CHANGED", "nobody-here", "unknown_user"),
        ("USER_CREATED", "admin", "ignored"),
    ] {
        let answer = tell(&world, &format!("{event} {login}"), event, login).await;
        assert_eq!(answer.body["outcome"], outcome, "{:?}", answer.body);
    }
    let answer = tell(&world, "e-1", "USER_DISABLED", "admin").await;
    assert_eq!(told(&answer), (409, "last_administrator"));
    world.admin().await;
}

#[tokio::test]
async fn without_a_secret_nothing_is_taken() {
    let world = World::start().await;
    let answer = tell(&world, "e-1", "USER_DISABLED", "admin").await;
    assert_eq!(told(&answer), (404, "not_found"));
}
