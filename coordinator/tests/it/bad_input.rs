//! What is presented to get in and cannot be right: passwords, logins and tokens of every wrong size
//! and shape. Each time a clear refusal, nothing granted, and the audit says so.

use std::sync::Arc;
use std::time::Duration;

use cctv_coordinator::config::{Allowance, Bounded};
use reqwest::Method;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use shared::clock::{SimulatedClock, SystemClock};
use shared::time::WallTime;

use crate::world::{Answer, Browser, PASSWORD, World, until};

/// Entries of one kind as an administrator finds them, newest first.
async fn entries(admin: &Browser, what: &str) -> Vec<Value> {
    let found = admin.get(&format!("/api/v1/audit?what={what}")).await;
    found.body["items"].as_array().unwrap().clone()
}

fn assert_refused(what: &str, answer: &Answer, status: u16, code: &str) {
    assert_eq!(
        (answer.status.as_u16(), answer.code()),
        (status, code),
        "{what}: {:?}",
        answer.body
    );
    assert!(answer.headers.get("set-cookie").is_none(), "{what}");
    let error = &answer.body["error"];
    assert!(error["message_en"].is_string() && error["message_ar"].is_string());
}

#[tokio::test]
async fn passwords_of_every_wrong_size_open_nothing() {
    let clock = Arc::new(SimulatedClock::new(WallTime::from_secs(1_900_000_000)));
    let world = World::start_with(clock.clone(), |_| {}).await;
    let right = world.password.expose_secret();
    let nobody = world.nobody();
    // Larger than any request that is read, and than any password that is looked at.
    for length in [1_000_000, 100_000] {
        let answer = nobody.sign_in("admin", &"x".repeat(length)).await;
        assert_refused("huge", &answer, 413, "payload_too_large");
    }
    for password in [
        "x".repeat(10_000),
        // The right one, and something behind it.
        format!("{right}{}", "x".repeat(2_000)),
        format!("{right}\u{0}"),
        format!("{right} "),
        String::new(),
        "\u{0}".to_owned(),
    ] {
        // Every wait and every count is over.
        clock.advance(Duration::from_secs(16 * 3600));
        let answer = nobody.sign_in("admin", &password).await;
        let what = format!("{} bytes", password.len());
        assert_refused(&what, &answer, 401, "wrong_credentials");
    }
    let admin = world.admin().await;
    let refused = entries(&admin, "sign_in_refused").await;
    assert!(!refused.is_empty());
    for entry in refused {
        assert_eq!(entry["address"], "127.0.0.1", "{entry}");
        assert!(!entry.to_string().contains(right), "{entry}");
    }
    // As a new password the huge ones are refused by name.
    let id = admin.get("/api/v1/session").await.body["user_id"].clone();
    let path = format!("/api/v1/iam/users/{}/password", id.as_str().unwrap());
    let body = json!({ "password": "x".repeat(10_000) });
    let answer = admin.send(Method::PUT, &path, Some(&body), &[]).await;
    assert!(answer.status.is_client_error(), "{:?}", answer.body);
    assert_eq!(
        world
            .signed_in("admin", right)
            .await
            .get("/api/v1/session")
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn logins_that_only_look_like_somebodys_are_nobodys() {
    let world = World::start().await;
    let admin = world.admin().await;
    world.person("omar", "METRO", "operator").await;
    let create = async |login: &str| {
        let body = json!({ "login": login, "display_name": "Omar", "agency": "METRO", "password": PASSWORD });
        admin.post("/api/v1/iam/users", &body).await
    };
    // Cyrillic, Greek, zero for o, capitals, full width, invisible between.
    for look_alike in [
        "\u{43e}mar",
        "\u{3bf}mar",
        "0mar",
        "OMAR",
        "ｏｍａｒ",
        "o\u{200b}mar",
    ] {
        let answer = create(look_alike).await;
        let refused = ["taken", "invalid_value", "invalid_login"].contains(&answer.code());
        assert!(
            refused && answer.status.is_client_error(),
            "{look_alike}: {:?}",
            answer.body
        );
    }
    // What is the same login typed otherwise is the same person; what only looks the same is nobody.
    for same in ["OMAR", " omar ", "ｏｍａｒ"] {
        let answer = world.nobody().sign_in(same, PASSWORD).await;
        assert_eq!(answer.body["login"], "omar", "{same}");
    }
    for other in ["\u{43e}mar", "0mar", "o\u{200b}mar", "omar\u{202e}"] {
        let answer = world.nobody().sign_in(other, PASSWORD).await;
        assert_refused(other, &answer, 401, "wrong_credentials");
    }
    let typed: Vec<_> = entries(&admin, "sign_in_refused").await;
    let typed: Vec<_> = typed
        .iter()
        .map(|entry| &entry["details"]["login"])
        .collect();
    assert!(typed.contains(&&json!("\u{43e}mar")), "{typed:?}");
    let people = admin.get("/api/v1/iam/users").await;
    assert_eq!(people.body["items"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn bearer_tokens_of_every_wrong_shape_are_nobodys_and_noted() {
    let world = World::start_with(Arc::new(SystemClock::new()), |config| {
        config.limits.address = Allowance {
            per_second: Bounded::new(1_000_000),
            burst: Bounded::new(1_000_000),
        };
    })
    .await;
    let admin = world.admin().await;
    let body = json!({ "login": "admin", "password": world.password.expose_secret() });
    let issued = world.nobody().post("/api/v1/token", &body).await;
    let good = issued.body["access_token"].as_str().unwrap();
    let refresh = issued.body["refresh_token"].as_str().unwrap();
    let (head, rest) = good.split_once('.').unwrap();
    let (claims, signature) = rest.split_once('.').unwrap();
    let none = data_encoding::BASE64URL_NOPAD.encode(br#"{"alg":"none","typ":"at+jwt"}"#);
    let ask = async |header: &str| {
        let headers = [("origin", ""), ("authorization", header)];
        world
            .nobody()
            .send(Method::GET, "/api/v1/session", None, &headers)
            .await
    };
    assert_eq!(ask(&format!("Bearer {good}")).await.status, 200);
    let long = "A".repeat(8_000);
    let longest = "A".repeat(30_000);
    for (what, header) in [
        ("nothing", "Bearer".to_owned()),
        ("empty", "Bearer  ".to_owned()),
        ("another scheme", "Basic YWRtaW46YWRtaW4=".to_owned()),
        ("no scheme", good.to_owned()),
        ("rubbish", "Bearer x".to_owned()),
        ("dots", "Bearer ...".to_owned()),
        ("a refresh token", format!("Bearer {refresh}")),
        (
            "an API token nobody has",
            "Bearer cctv_AAAAAAAAAAAA".to_owned(),
        ),
        ("unsigned", format!("Bearer {none}.{claims}.")),
        (
            "unsigned with the signature",
            format!("Bearer {none}.{claims}.{signature}"),
        ),
        ("without the signature", format!("Bearer {head}.{claims}.")),
        ("cut", format!("Bearer {}", &good[..good.len() - 10])),
        ("a part more", format!("Bearer {good}.{signature}")),
        ("two", format!("Bearer {good}, Bearer {good}")),
        ("long", format!("Bearer {long}")),
        ("long parts", format!("Bearer {long}.{long}.{long}")),
        ("longest", format!("Bearer {longest}")),
        ("an API token that long", format!("Bearer cctv_{longest}")),
    ] {
        assert_refused(what, &ask(&header).await, 401, "unauthenticated");
    }
    // A head that is larger than any is not read to its end.
    let request = format!(
        "GET /api/v1/session HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n\r\n",
        "A".repeat(200_000)
    );
    let (status, answer) = world.raw(request.as_bytes()).await;
    assert!(matches!(status, 0 | 431), "{status} {answer}");
    // Neither does it help to send a good one beside a bad one.
    let two = format!(
        "GET /api/v1/session HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
         authorization: Bearer {good}\r\nauthorization: Bearer x\r\n\r\n"
    );
    assert_eq!(world.raw(two.as_bytes()).await.0, 401);

    let noted = until("the entries to be written", async || {
        let entries = entries(&admin, "token_refused").await;
        (entries.len() == 2).then_some(entries)
    })
    .await;
    let mut wrong: Vec<_> = noted
        .iter()
        .map(|entry| entry["details"]["wrong"].clone())
        .collect();
    wrong.sort_by_key(Value::to_string);
    assert_eq!(wrong, ["malformed", "unknown"]);
    for entry in &noted {
        assert_eq!(entry["address"], "127.0.0.1");
        assert!(!entry.to_string().contains(signature), "{entry}");
    }
    let refreshed = json!({ "refresh_token": "cctvr_AAAA" });
    let answer = world
        .nobody()
        .post("/api/v1/token/refresh", &refreshed)
        .await;
    assert_refused("refresh", &answer, 401, "unauthenticated");
}
