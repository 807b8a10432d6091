//! Signing in and out, as a browser sees it.

use reqwest::Method;
use secrecy::ExposeSecret as _;
use serde_json::json;

use crate::world::World;

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
