//! What people and machines sign in with, as they meet it: second factors, tokens, waits.

use std::time::Duration;

use cctv_coordinator::domain::second_factor::SecondFactor;
use data_encoding::BASE32_NOPAD;
use reqwest::Method;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use shared::clock::{Clock, SimulatedClock};
use shared::id::UserId;
use shared::time::WallTime;
use std::sync::Arc;

use crate::world::{Answer, Browser, World};

const START: WallTime = WallTime::from_secs(1_900_000_000);

struct Stand {
    world: World,
    clock: Arc<SimulatedClock>,
}

impl Stand {
    async fn new() -> Self {
        let clock = Arc::new(SimulatedClock::new(START));
        let world = World::start_with(clock.clone(), |_| {}).await;
        Self { world, clock }
    }

    fn password(&self) -> &str {
        self.world.password.expose_secret()
    }

    /// What the app would show, for a secret in base32.
    fn code(&self, secret: &str) -> String {
        let secret = BASE32_NOPAD.decode(secret.as_bytes()).unwrap();
        let factor = SecondFactor {
            user: UserId::new(START),
            secret: secret.try_into().unwrap(),
            confirmed: true,
            last_step: None,
        };
        factor.code_at(self.clock.wall())
    }

    /// Gives the administrator a second factor: its secret, and recovery codes.
    async fn enrol(&self, admin: &Browser) -> (String, Vec<String>) {
        let offered = admin.post("/api/v1/iam/me/second-factor", &json!({})).await;
        assert_eq!(offered.status, 200, "{:?}", offered.body);
        let secret = offered.body["secret"].as_str().unwrap().to_owned();
        assert!(offered.body["qr_svg"].as_str().unwrap().contains("<svg"));
        let body = json!({ "code": self.code(&secret) });
        let path = "/api/v1/iam/me/second-factor/confirm";
        let confirmed = admin.post(path, &body).await;
        assert_eq!(confirmed.status, 200, "{:?}", confirmed.body);
        let codes: Vec<String> = serde_json::from_value(confirmed.body["codes"].clone()).unwrap();
        (secret, codes)
    }
}

async fn give_code(browser: &Browser, code: &str) -> Answer {
    let body = json!({ "code": code });
    browser.post("/api/v1/session/second-factor", &body).await
}

fn cookie(answer: &Answer, name: &str) -> Option<String> {
    let cookies = answer.headers.get_all("set-cookie").iter();
    let values = cookies.filter_map(|value| value.to_str().ok());
    let mut values = values.filter_map(|value| value.split(';').next()?.split_once('='));
    values
        .find(|(found, _)| *found == name)
        .map(|(_, value)| value.to_owned())
}

async fn bearer(world: &World, token: &str, method: Method, path: &str) -> Answer {
    let header = format!("Bearer {token}");
    let headers = [("origin", ""), ("authorization", header.as_str())];
    world.nobody().send(method, path, None, &headers).await
}

#[tokio::test]
async fn a_second_factor_is_asked_for_and_each_code_opens_once() {
    let stand = Stand::new().await;
    let admin = stand.world.admin().await;
    let (secret, recovery) = stand.enrol(&admin).await;
    assert_eq!(recovery.len(), 10);
    let browser = stand.world.nobody();
    let asked = browser.sign_in("admin", stand.password()).await;
    assert_eq!(asked.status, 200);
    assert_eq!(asked.body, json!({ "second_factor": "totp" }));
    assert!(cookie(&asked, "cctv_session").is_none());
    let begun = cookie(&asked, "cctv_sign_in").unwrap();
    assert_eq!(browser.get("/api/v1/session").await.status, 401);

    let used = stand.code(&secret);
    let again = give_code(&browser, &used).await;
    assert_eq!(
        (again.status.as_u16(), again.code()),
        (401, "wrong_code"),
        "used to confirm"
    );
    stand.clock.advance(Duration::from_secs(30));
    let code = stand.code(&secret);
    let signed_in = give_code(&browser, &code).await;
    assert_eq!(signed_in.status, 200, "{:?}", signed_in.body);
    assert_eq!(signed_in.body["login"], "admin");
    let session = cookie(&signed_in, "cctv_session").unwrap();
    assert_ne!(session, begun);
    assert_eq!(browser.get("/api/v1/session").await.status, 200);

    // The same cookie and code again, as somebody who watched would.
    let thief = stand.world.nobody();
    let kept = format!("cctv_sign_in={begun}");
    let body = json!({ "code": code });
    let path = "/api/v1/session/second-factor";
    let replayed = thief
        .send(Method::POST, path, Some(&body), &[("cookie", &kept)])
        .await;
    assert_eq!(
        (replayed.status.as_u16(), replayed.code()),
        (401, "sign_in_expired")
    );

    // A recovery code, once.
    for (expected, attempt) in [(200, "the first time"), (401, "the second")] {
        let other = stand.world.nobody();
        other.sign_in("admin", stand.password()).await;
        let recovered = give_code(&other, &recovery[3]).await;
        assert_eq!(
            recovered.status, expected,
            "{attempt}: {:?}",
            recovered.body
        );
    }
    let state = browser.get("/api/v1/iam/me/second-factor").await;
    assert_eq!(
        state.body,
        json!({ "enabled": true, "recovery_codes_left": 9 })
    );

    // Too late.
    let slow = stand.world.nobody();
    slow.sign_in("admin", stand.password()).await;
    stand.clock.advance(Duration::from_secs(301));
    let late = give_code(&slow, &stand.code(&secret)).await;
    assert_eq!(late.code(), "sign_in_expired");
}

#[tokio::test]
async fn codes_cannot_be_guessed() {
    let stand = Stand::new().await;
    let admin = stand.world.admin().await;
    let (secret, _) = stand.enrol(&admin).await;
    stand.clock.advance(Duration::from_secs(30));
    let browser = stand.world.nobody();
    browser.sign_in("admin", stand.password()).await;
    let mut statuses = Vec::new();
    for guess in 0..8 {
        let answer = give_code(&browser, &format!("{guess:06}")).await;
        statuses.push(answer.status.as_u16());
    }
    assert_eq!(statuses, [401, 401, 401, 401, 429, 429, 429, 429]);
    let locked = give_code(&browser, &stand.code(&secret)).await;
    assert_eq!(locked.code(), "too_many_attempts", "even the right one");
    assert_eq!(locked.header("retry-after"), "1");
    stand.clock.advance(Duration::from_secs(2));
    let right = give_code(&browser, &stand.code(&secret)).await;
    assert_eq!(right.status, 200, "{:?}", right.body);
}

#[tokio::test]
async fn wrong_passwords_make_everybody_wait_but_not_where_the_account_is_at_home() {
    let stand = Stand::new().await;
    for login in ["admin", "nobody-of-that-name"] {
        let browser = stand.world.nobody();
        let mut statuses = Vec::new();
        for _ in 0..7 {
            let wrong = browser.sign_in(login, "not the password").await;
            statuses.push(wrong.status.as_u16());
        }
        assert_eq!(statuses, [401, 401, 401, 401, 401, 429, 429], "{login}");
        let locked = browser.sign_in(login, stand.password()).await;
        assert_eq!(locked.code(), "too_many_attempts");
        assert_eq!(locked.header("retry-after"), "1");
    }
    stand.clock.advance(Duration::from_secs(1));
    let right = stand
        .world
        .nobody()
        .sign_in("admin", stand.password())
        .await;
    assert_eq!(right.status, 200);
    // Now the account is at home here, and right passwords have cleared its count.
    for _ in 0..4 {
        let browser = stand.world.nobody();
        assert_eq!(browser.sign_in("admin", "wrong again").await.status, 401);
        assert_eq!(browser.sign_in("admin", stand.password()).await.status, 200);
    }
}

#[tokio::test]
async fn a_program_refreshes_its_tokens_and_a_stolen_one_ends_them_all() {
    let stand = Stand::new().await;
    let program = stand.world.nobody();
    let body = json!({ "login": "admin", "password": stand.password() });
    let issued = program.post("/api/v1/token", &body).await;
    assert_eq!(issued.status, 200, "{:?}", issued.body);
    assert!(issued.headers.get("set-cookie").is_none());
    let text = |answer: &Answer, name: &str| answer.body[name].as_str().unwrap().to_owned();
    let access = text(&issued, "access_token");
    let me = "/api/v1/session";
    let get = async |token: &str| {
        bearer(&stand.world, token, Method::GET, me)
            .await
            .status
            .as_u16()
    };
    assert_eq!(get(&access).await, 200);
    let refresh = async |token: &str| {
        let body = json!({ "refresh_token": token });
        program.post("/api/v1/token/refresh", &body).await
    };
    let first = text(&issued, "refresh_token");
    let second = refresh(&first).await;
    assert_eq!(second.status, 200);
    // Its answer was lost: asked again at once.
    let repeated = refresh(&first).await;
    assert_eq!(repeated.status, 200);
    stand.clock.advance(Duration::from_secs(299));
    assert_eq!(get(&access).await, 200);
    stand.clock.advance(Duration::from_secs(1));
    assert_eq!(get(&access).await, 401, "five minutes are over");
    let newest = refresh(&text(&repeated, "refresh_token")).await;
    let live = text(&newest, "access_token");
    assert_eq!(get(&live).await, 200);
    // Somebody presents what was exchanged long ago.
    assert_eq!(refresh(&first).await.status, 401);
    assert_eq!(get(&live).await, 401, "access tokens end with the session");
    assert_eq!(refresh(&text(&newest, "refresh_token")).await.status, 401);

    let again = program.post("/api/v1/token", &body).await;
    let (access, token) = (text(&again, "access_token"), text(&again, "refresh_token"));
    let revoke = json!({ "refresh_token": token });
    assert_eq!(
        program.post("/api/v1/token/revoke", &revoke).await.status,
        204
    );
    assert_eq!(get(&access).await, 401);
    assert_eq!(refresh(&token).await.status, 401);
}

#[tokio::test]
async fn others_check_our_tokens_by_the_published_keys() {
    let stand = Stand::new().await;
    let body = json!({ "login": "admin", "password": stand.password() });
    let issued = stand.world.nobody().post("/api/v1/token", &body).await;
    let token = issued.body["access_token"].as_str().unwrap();
    let keys = stand.world.nobody().get("/.well-known/jwks.json").await;
    assert_eq!(keys.header("cache-control"), "public, max-age=300");
    let keys: jsonwebtoken::jwk::JwkSet = serde_json::from_value(keys.body).unwrap();
    let kid = jsonwebtoken::decode_header(token).unwrap().kid.unwrap();
    let key = jsonwebtoken::DecodingKey::from_jwk(keys.find(&kid).unwrap()).unwrap();
    let mut rules = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::RS256);
    rules.set_audience(&["rta-cctv"]);
    rules.set_issuer(&["rta-cctv"]);
    let claims = jsonwebtoken::decode::<Value>(token, &key, &rules)
        .unwrap()
        .claims;
    assert_eq!(claims["login_id"], "admin");
    assert_eq!(claims["permissions"], json!(["*"]));
    assert_eq!(claims["camera_sources"], json!(["*"]));
    assert_eq!(claims["exp"], json!(1_900_000_300));
}

#[tokio::test]
async fn a_machine_may_do_what_its_scopes_and_its_owner_may() {
    let stand = Stand::new().await;
    let admin = stand.world.admin().await;
    let make = async |scopes: Value| {
        let body = json!({ "name": "wall", "scopes": scopes, "valid_for_days": 1 });
        admin.post("/api/v1/iam/api-tokens", &body).await
    };
    let made = make(json!(["camera:*:view"])).await;
    assert_eq!(made.status, 201, "{:?}", made.body);
    let token = made.body["text"].as_str().unwrap().to_owned();
    let ask = async |method, path: &str| {
        let answer = bearer(&stand.world, &token, method, path).await;
        answer.status.as_u16()
    };
    assert_eq!(ask(Method::GET, "/api/v1/cameras").await, 200);
    assert_eq!(ask(Method::GET, "/api/v1/agents").await, 403);
    assert_eq!(ask(Method::GET, "/api/v1/storage/stats").await, 403);
    // A machine changes nothing of what somebody signs in with.
    let body = json!({ "name": "wider", "valid_for_days": 1 });
    let header = format!("Bearer {token}");
    let headers = [("origin", ""), ("authorization", header.as_str())];
    for path in ["/api/v1/iam/api-tokens", "/api/v1/iam/me/second-factor"] {
        let nobody = stand.world.nobody();
        let refused = nobody.send(Method::POST, path, Some(&body), &headers).await;
        assert_eq!(refused.status, 403, "{path}");
    }
    let (nobody, path) = (stand.world.nobody(), "/api/v1/iam/me");
    let language = json!({ "language": "ar" });
    let refused = nobody.send(Method::PUT, path, Some(&language), &headers);
    assert_eq!(refused.await.status, 403, "{path}");
    for bad in [json!(["!camera:*:view"]), json!(["nonsense"]), json!("*")] {
        assert_eq!(make(bad.clone()).await.status, 422, "{bad}");
    }
    // It is not a cookie, and a cookie is not it.
    let cookie = format!("cctv_session={token}");
    let path = "/api/v1/session";
    let nobody = stand.world.nobody();
    let as_cookie = nobody
        .send(Method::GET, path, None, &[("cookie", &cookie)])
        .await;
    assert_eq!(as_cookie.status, 401);
    // A bad token beside a good cookie is a bad token.
    let beside = admin
        .send(Method::GET, path, None, &[("authorization", "Bearer x")])
        .await;
    assert_eq!(beside.status, 401);

    let id = made.body["id"].as_str().unwrap();
    let listed = admin.get("/api/v1/iam/api-tokens").await;
    assert_eq!(listed.body["items"][0]["id"], id);
    assert!(!listed.body.to_string().contains(&token));
    let path = format!("/api/v1/iam/api-tokens/{id}");
    let revoked = admin.send(Method::DELETE, &path, None, &[]).await;
    assert_eq!(revoked.status, 204);
    assert_eq!(ask(Method::GET, "/api/v1/cameras").await, 401);
    let soon = make(json!([])).await;
    let token = soon.body["text"].as_str().unwrap();
    stand.clock.advance(Duration::from_secs(24 * 3600));
    let over = bearer(&stand.world, token, Method::GET, "/api/v1/cameras").await;
    assert_eq!(over.status, 401);
}

#[tokio::test]
async fn sessions_are_listed_and_ended_one_by_one() {
    let stand = Stand::new().await;
    let (one, two) = (stand.world.admin().await, stand.world.admin().await);
    let listed = one.get("/api/v1/iam/me/sessions").await;
    let items = listed.body["items"].as_array().unwrap();
    assert_eq!(items.len(), 2);
    assert!(
        items
            .iter()
            .all(|item| item["kind"] == "browser" && item["address"] == "127.0.0.1")
    );
    let other = items.iter().find(|item| item["current"] == false).unwrap();
    let path = format!("/api/v1/iam/me/sessions/{}", other["id"].as_str().unwrap());
    assert_eq!(one.send(Method::DELETE, &path, None, &[]).await.status, 204);
    assert_eq!(two.get("/api/v1/session").await.status, 401);
    assert_eq!(one.get("/api/v1/session").await.status, 200);
    assert_eq!(one.send(Method::DELETE, &path, None, &[]).await.status, 404);
}

#[tokio::test]
async fn a_session_that_somebody_planted_is_not_taken_over() {
    let stand = Stand::new().await;
    let victim = stand.world.nobody();
    let planted = "A".repeat(43);
    let headers = [(
        "cookie",
        &*format!("cctv_session={planted}; cctv_sign_in={planted}"),
    )];
    let body = json!({ "login": "admin", "password": stand.password() });
    let path = "/api/v1/session";
    let signed_in = victim.send(Method::POST, path, Some(&body), &headers).await;
    assert_ne!(cookie(&signed_in, "cctv_session").unwrap(), planted);
    let attacker = stand.world.nobody();
    let tried = attacker.send(Method::GET, path, None, &headers).await;
    assert_eq!(tried.status, 401);
}
