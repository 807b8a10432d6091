//! Signing in and out, as a browser sees it.

use reqwest::Method;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use crate::world::{Answer, PASSWORD, World};

#[tokio::test]
async fn the_first_administrator_signs_in_looks_around_and_signs_out() {
    let world = World::start().await;
    let browser = world.nobody();
    assert_eq!(browser.get("/api/v1/session").await.status, 401);

    let signed_in = browser
        .sign_in("admin", world.password.expose_secret())
        .await;
    assert_eq!(signed_in.status, 200);
    let cookie = signed_in.header("set-cookie");
    for attribute in ["HttpOnly", "SameSite=Strict", "Path=/"] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    assert_eq!(signed_in.body["permissions"], json!(["*"]));
    let me = browser.get("/api/v1/session").await;
    assert_eq!(me.body, signed_in.body);

    let out = browser
        .send(Method::DELETE, "/api/v1/session", None, &[])
        .await;
    assert_eq!(out.status, 204);
    assert_eq!(browser.get("/api/v1/session").await.status, 401);
}

#[tokio::test]
async fn a_session_that_was_ended_is_refused_even_by_whoever_kept_the_cookie() {
    let world = World::start().await;
    let browser = world.nobody();
    let signed_in = browser
        .sign_in("admin", world.password.expose_secret())
        .await;
    let cookie = signed_in
        .header("set-cookie")
        .split(';')
        .next()
        .unwrap()
        .to_owned();
    let thief = world.nobody();
    let with_cookie = [("cookie", cookie.as_str())];
    let path = "/api/v1/session";
    assert_eq!(
        thief
            .send(Method::GET, path, None, &with_cookie)
            .await
            .status,
        200
    );
    browser.send(Method::DELETE, path, None, &[]).await;
    assert_eq!(
        thief
            .send(Method::GET, path, None, &with_cookie)
            .await
            .status,
        401
    );
}

/// The first cookie that an answer sets, as a browser sends it back.
fn cookie_of(answer: &Answer) -> String {
    let cookie = answer.header("set-cookie").split(';').next();
    cookie.unwrap_or_default().to_owned()
}

#[tokio::test]
async fn signing_in_ends_what_the_browser_was_signed_in_with_before() {
    let world = World::start().await;
    let admin = world.admin().await;
    world.person("layla", "METRO", "operator").await;
    let browser = world.nobody();
    let first = cookie_of(&browser.sign_in("layla", PASSWORD).await);
    let again = browser.sign_in("layla", PASSWORD).await;
    let second = cookie_of(&again);
    assert_ne!(first, second);
    let path = "/api/v1/session";
    let with = async |cookie: &str| {
        let nobody = world.nobody();
        let answer = nobody
            .send(Method::GET, path, None, &[("cookie", cookie)])
            .await;
        answer.status.as_u16()
    };
    assert_eq!((with(&first).await, with(&second).await), (401, 200));
    // Also when it is somebody else who signs in; a wrong password ends nothing.
    browser.sign_in("admin", "not the password").await;
    assert_eq!(with(&second).await, 200);
    browser
        .sign_in("admin", world.password.expose_secret())
        .await;
    assert_eq!(with(&second).await, 401);
    let ended = admin.get("/api/v1/audit?what=signed_out").await;
    let ended = ended.body["items"].as_array().unwrap();
    assert_eq!(ended.len(), 2, "{ended:?}");
    for entry in ended {
        assert_eq!(entry["agency"], "METRO", "{entry}");
        assert_eq!(entry["who"]["name"], "Somebody", "{entry}");
        let anew = entry["details"]["signed_in_anew"].as_str().unwrap();
        let signed_in = admin
            .get(&format!("/api/v1/audit?what=signed_in&object={anew}"))
            .await;
        assert_eq!(signed_in.body["items"].as_array().unwrap().len(), 1);
    }
}

#[tokio::test]
async fn a_session_that_an_attacker_planted_does_not_become_the_victims() {
    let world = World::start().await;
    world.person("mallory", "METRO", "operator").await;
    world.person("layla", "METRO", "operator").await;
    // A real session of the attacker's own, put into the victim's browser.
    let attacker = world.nobody();
    let planted = cookie_of(&attacker.sign_in("mallory", PASSWORD).await);
    let body = json!({ "login": "layla", "password": PASSWORD });
    let path = "/api/v1/session";
    let victim = world.nobody();
    let with_planted = [("cookie", planted.as_str())];
    let signed_in = victim
        .send(Method::POST, path, Some(&body), &with_planted)
        .await;
    assert_eq!(signed_in.body["login"], "layla");
    assert_ne!(cookie_of(&signed_in), planted);
    // What the attacker kept is nobody's now.
    assert_eq!(attacker.get(path).await.status, 401);
}

#[tokio::test]
async fn wrong_credentials_are_told_apart_from_nothing_and_in_two_languages() {
    let world = World::start().await;
    let browser = world.nobody();
    let wrong = browser.sign_in("admin", "not the password").await;
    let unknown = browser
        .sign_in("nobody-of-that-name", "not the password")
        .await;
    for answer in [&wrong, &unknown] {
        assert_eq!(
            (answer.status.as_u16(), answer.code()),
            (401, "wrong_credentials")
        );
        let error = &answer.body["error"];
        assert!(error["message_en"].as_str().unwrap().contains("password"));
        assert!(
            error["message_ar"]
                .as_str()
                .unwrap()
                .contains("كلمة المرور")
        );
        assert_eq!(error["correlation_id"], answer.header("x-request-id"));
    }
    assert!(wrong.header("set-cookie").is_empty());
}

#[tokio::test]
async fn pages_of_other_sites_cannot_act_for_somebody() {
    let world = World::start().await;
    let admin = world.admin().await;
    let path = "/api/v1/agents/invites";
    let body = json!({ "site_name": "Depot" });
    let foreign = [("origin", "http://evil.example")];
    let refused = admin.send(Method::POST, path, Some(&body), &foreign).await;
    assert_eq!(
        (refused.status.as_u16(), refused.code()),
        (403, "cross_site")
    );
    let program = [("origin", ""), ("x-requested-with", "cctv")];
    let allowed = admin.send(Method::POST, path, Some(&body), &program).await;
    assert_eq!(allowed.status, 201);
}

#[tokio::test]
async fn programs_get_and_use_tokens_without_saying_where_from_and_pages_of_others_do_not() {
    let world = World::start().await;
    let admin = world.admin().await;
    let cookie = cookie_of(
        &world
            .nobody()
            .sign_in("admin", world.password.expose_secret())
            .await,
    );
    let credentials = json!({ "login": "admin", "password": world.password.expose_secret() });
    let ask = async |path: &str, body: &Value, headers: &[(&str, &str)]| {
        let nobody = world.nobody();
        let answer = nobody.send(Method::POST, path, Some(body), headers).await;
        (
            answer.status.as_u16(),
            answer.code().to_owned(),
            answer.body,
        )
    };
    let (quiet, foreign) = (("origin", ""), ("origin", "http://evil.example"));
    let (status, _, tokens) = ask("/api/v1/token", &credentials, &[quiet]).await;
    assert_eq!(status, 200, "{tokens:?}");
    let refresh = json!({ "refresh_token": tokens["refresh_token"] });
    let refreshed = ask("/api/v1/token/refresh", &refresh, &[quiet]).await;
    assert_eq!(refreshed.0, 200, "{refreshed:?}");
    // Signing in sets a cookie, so it is not among them; nor is a page of somebody else, or what
    // comes with a cookie as a browser's request does.
    let (with_cookie, invites) = (("cookie", cookie.as_str()), "/api/v1/agents/invites");
    for (path, headers) in [
        ("/api/v1/session", &[quiet][..]),
        ("/api/v1/token", &[foreign]),
        ("/api/v1/token", &[quiet, with_cookie]),
        ("/api/v1/token/refresh", &[("origin", "null")]),
    ] {
        let (status, code, _) = ask(path, &credentials, headers).await;
        assert_eq!((status, &*code), (403, "cross_site"), "{path} {headers:?}");
    }
    let bearer = format!("Bearer {}", tokens["access_token"].as_str().unwrap());
    let bearer = ("authorization", bearer.as_str());
    let depot = json!({ "site_name": "Depot" });
    let made = ask(invites, &depot, &[quiet, bearer]).await;
    assert_eq!(made.0, 201, "{made:?}");
    for headers in [
        &[quiet][..],
        &[quiet, with_cookie],
        &[foreign, bearer],
        &[foreign, bearer, with_cookie],
    ] {
        let (status, code, _) = ask(invites, &depot, headers).await;
        assert_eq!((status, &*code), (403, "cross_site"), "{headers:?}");
    }
    // With a token no cookie counts, be it that of an administrator.
    let bad = ("authorization", "Bearer x");
    let (status, code, _) = ask(invites, &depot, &[quiet, bad, with_cookie]).await;
    assert_eq!((status, &*code), (401, "unauthenticated"));
    let made = admin.get("/api/v1/audit?what=invite_created").await;
    assert_eq!(made.body["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_chosen_language_is_there_wherever_one_signs_in_next() {
    let world = World::start().await;
    let (here, admin) = (world.operator("METRO").await, world.admin().await);
    let me = here.get("/api/v1/session").await.body;
    assert_eq!(me["language"], Value::Null);
    let path = "/api/v1/iam/me";
    let choose = async |body: Value| here.send(Method::PUT, path, Some(&body), &[]).await;
    let chosen = choose(json!({ "language": "ar" })).await;
    assert_eq!(chosen.status, 200, "{:?}", chosen.body);
    assert_eq!(chosen.body["language"], "ar");
    assert_eq!(here.get(path).await.body, chosen.body);
    assert_eq!(choose(json!({ "language": "ar" })).await.status, 200);
    for bad in [
        json!({ "language": "fr" }),
        json!({}),
        json!({ "language": "ar", "roles": ["administrator"] }),
    ] {
        assert_eq!(choose(bad.clone()).await.status, 422, "{bad}");
    }

    let there = world.nobody();
    let login = me["login"].as_str().unwrap();
    let signed_in = there.sign_in(login, PASSWORD).await;
    assert_eq!(signed_in.body["language"], "ar");
    assert_eq!(there.get("/api/v1/session").await.body, signed_in.body);
    let other = admin.get("/api/v1/session").await.body;
    assert_eq!(other["language"], Value::Null);

    let id = me["user_id"].as_str().unwrap();
    let search = format!("/api/v1/audit?what=user_changed&object={id}");
    let entries = admin.get(&search).await.body;
    assert_eq!(entries["items"].as_array().unwrap().len(), 1, "{entries}");
    let entry = &entries["items"][0];
    let language = json!({ "language": { "from": null, "to": "ar" } });
    assert_eq!(entry["details"], language);
    assert_eq!(
        (&entry["who"]["id"], &entry["agency"]),
        (&json!(id), &json!("METRO"))
    );
}

#[tokio::test]
async fn a_correlation_id_is_taken_over_when_it_is_fit_and_replaced_when_not() {
    let world = World::start().await;
    let browser = world.nobody();
    let path = "/api/v1/session";
    let kept = browser
        .send(Method::GET, path, None, &[("x-request-id", "call-7.a_b")])
        .await;
    assert_eq!(kept.header("x-request-id"), "call-7.a_b");
    assert_eq!(kept.body["error"]["correlation_id"], "call-7.a_b");
    let forged = "a\" level=ERROR";
    let replaced = browser
        .send(Method::GET, path, None, &[("x-request-id", forged)])
        .await;
    assert_eq!(replaced.header("x-request-id").len(), 32);
}

#[tokio::test]
async fn the_first_password_is_kept_where_only_the_owner_reads_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let world = World::start().await;
    let path = world.config.data_dir.join("first-password.txt");
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(text.trim(), world.password.expose_secret());
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}
