//! What attackers try first, at every operation of the document: text that means something to a
//! database, a log, a page or a header; paths; fields that nobody offered; sizes; foreign addresses.
//! A new operation is included by itself.

use std::sync::Arc;

use cctv_coordinator::config::{Allowance, Bounded};
use reqwest::Method;
use serde_json::{Value, json};
use shared::clock::SystemClock;

use crate::world::{Answer, Browser, PASSWORD, World};

/// Text that does harm where it is not treated as text.
const HOSTILE: [&str; 12] = [
    "' OR '1'='1' --",
    "\"; DROP TABLE users; --",
    "x' UNION SELECT login, password FROM users --",
    "\r\nSet-Cookie: cctv_session=stolen",
    "first\nERROR all is lost",
    "\u{1b}[2J\u{1b}[31mERROR",
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "../../../../etc/passwd",
    "{{7*7}}${jndi:ldap://evil.example/a}",
    "\u{202e}evil\u{0}",
    "https://evil.example/",
];

/// Would end the session that asks, or make it somebody else's.
const ENDS_SESSION: [&str; 2] = ["sign_out", "set_own_password"];

struct Operation {
    id: String,
    method: Method,
    path: String,
    parameters: Vec<Value>,
    body: Option<Value>,
}

fn operations() -> Vec<Operation> {
    let document: Value = serde_json::from_str(include_str!("../../openapi.json")).unwrap();
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let id = operation["operationId"].as_str().unwrap().to_owned();
            let json = &operation["requestBody"]["content"]["application/json"];
            let body = json.get("example").cloned();
            let parameters = operation["parameters"].as_array().cloned();
            if !ENDS_SESSION.contains(&id.as_str()) {
                found.push(Operation {
                    id,
                    method: method.to_uppercase().parse().unwrap(),
                    path: path.clone(),
                    parameters: parameters.unwrap_or_default(),
                    body,
                });
            }
        }
    }
    assert!(found.len() > 15, "{}", found.len());
    found
}

impl Operation {
    /// The path with `text` in every place, percent-encoded.
    fn path_with(&self, text: &str) -> String {
        let mut path = self.path.clone();
        while let Some((before, rest)) = path.split_once('{') {
            let (_, after) = rest.split_once('}').unwrap();
            path = format!("{before}{}{after}", encoded(text));
        }
        path
    }

    fn has_path_parameter(&self) -> bool {
        self.path.contains('{')
    }

    async fn send(&self, browser: &Browser, path: &str, body: Option<&Value>) -> Answer {
        browser.send(self.method.clone(), path, body, &[]).await
    }
}

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// Every string of the body in turn replaced by `text`.
fn with_text(body: &Value, text: &str) -> Vec<Value> {
    let mut pointers = Vec::new();
    strings(body, String::new(), &mut pointers);
    let replaced = pointers.into_iter().map(|pointer| {
        let mut changed = body.clone();
        *changed.pointer_mut(&pointer).unwrap() = text.into();
        changed
    });
    replaced.collect()
}

fn strings(value: &Value, at: String, found: &mut Vec<String>) {
    match value {
        Value::String(_) => found.push(at),
        Value::Array(items) => (items.iter().enumerate())
            .for_each(|(index, item)| strings(item, format!("{at}/{index}"), found)),
        Value::Object(fields) => {
            (fields.iter()).for_each(|(name, field)| strings(field, format!("{at}/{name}"), found))
        }
        _ => {}
    }
}

/// Nobody limits these tests; limits have their own.
async fn world() -> World {
    World::start_with(Arc::new(SystemClock::new()), |config| {
        let plenty = Allowance {
            per_second: Bounded::new(1_000_000),
            burst: Bounded::new(1_000_000),
        };
        config.limits.user = plenty;
        config.limits.address = plenty;
        config.limits.media = plenty;
    })
    .await
}

/// Refused in our envelope or answered, but never broken, redirected or of another kind.
fn is_sane(what: &str, answer: &Answer) {
    let status = answer.status.as_u16();
    // 503 is what an agent that is not connected gives.
    assert!(
        status < 500 || status == 503,
        "{what}: {status} {:?}",
        answer.body
    );
    assert!(!answer.status.is_redirection(), "{what}: {status}");
    if answer.status.is_client_error() {
        assert!(!answer.code().is_empty(), "{what}: {status}");
        assert_eq!(answer.header("content-type"), "application/json", "{what}");
    }
    // A browser takes nothing of it for a page.
    assert!(!answer.header("content-type").contains("html"), "{what}");
    assert_eq!(answer.header("x-content-type-options"), "nosniff", "{what}");
    assert!(!answer.header("set-cookie").contains("stolen"), "{what}");
}

#[tokio::test]
async fn hostile_text_is_text_in_every_path_query_and_body() {
    let world = world().await;
    let admin = world.admin().await;
    // Wrong passwords for the names of the examples, from this address, make others wait; not who has
    // signed in here before.
    let other = async || world.signed_in("other", PASSWORD).await;
    world.person("other", "METRO", "administrator").await;
    other().await;
    for operation in operations() {
        for text in HOSTILE {
            let what = format!("{} {text:?}", operation.id);
            if operation.has_path_parameter() {
                let path = operation.path_with(text);
                let answer = operation.send(&admin, &path, operation.body.as_ref()).await;
                is_sane(&what, &answer);
                assert!(answer.status.is_client_error(), "{what}: {}", answer.status);
            }
            let path = operation.path_with("00000000-0000-0000-0000-000000000000");
            for parameter in operation.parameters.iter().filter(|it| it["in"] == "query") {
                let name = parameter["name"].as_str().unwrap();
                let path = format!("{path}?{name}={}", encoded(text));
                is_sane(&what, &operation.send(&admin, &path, None).await);
            }
            for body in operation.body.iter().flat_map(|body| with_text(body, text)) {
                is_sane(&what, &operation.send(&admin, &path, Some(&body)).await);
            }
        }
    }
    // All of it left everything as it was.
    assert_eq!(admin.get("/api/v1/session").await.status, 200);
    assert_eq!(other().await.get("/api/v1/cameras").await.status, 200);
}

#[tokio::test]
async fn fields_that_nobody_offered_are_refused() {
    let world = world().await;
    let admin = world.admin().await;
    for operation in operations() {
        let Some(Value::Object(fields)) = &operation.body else {
            continue;
        };
        for (name, value) in [
            ("role", json!("administrator")),
            ("is_admin", json!(true)),
            ("password_hash", json!("x")),
            ("__proto__", json!({ "admin": true })),
        ] {
            if fields.contains_key(name) {
                continue;
            }
            let mut body = operation.body.clone().unwrap();
            body[name] = value;
            let path = operation.path_with("00000000-0000-0000-0000-000000000000");
            let answer = operation.send(&admin, &path, Some(&body)).await;
            let what = format!("{} took `{name}`: {}", operation.id, answer.status);
            assert!(answer.status.is_client_error(), "{what}");
        }
    }
}

#[tokio::test]
async fn what_is_oversized_is_refused_before_it_is_worked_on() {
    let world = world().await;
    let admin = world.admin().await;
    let long = "x".repeat(1_000_000);
    for operation in operations() {
        let path = operation.path_with("00000000-0000-0000-0000-000000000000");
        for body in operation
            .body
            .iter()
            .flat_map(|body| with_text(body, &long))
        {
            let answer = operation.send(&admin, &path, Some(&body)).await;
            // A path that names nothing is noticed first.
            let refused = ["payload_too_large", "not_found"].contains(&answer.code());
            assert!(refused, "{}: {}", operation.id, answer.code());
        }
        if operation.has_path_parameter() {
            let path = operation.path_with(&long[..10_000]);
            let answer = operation.send(&admin, &path, None).await;
            assert!(answer.status.is_client_error(), "{}", operation.id);
        }
    }
    let deep = format!("{}{}", "[".repeat(30_000), "]".repeat(30_000));
    let head = format!(
        "POST /api/v1/session HTTP/1.1\r\nhost: x\r\nx-requested-with: test\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{deep}",
        deep.len()
    );
    let (status, answer) = world.raw(head.as_bytes()).await;
    assert!((400..500).contains(&status), "{answer}");
}

#[tokio::test]
async fn nothing_leads_to_another_host() {
    let world = world().await;
    for request in [
        "GET //evil.example/ HTTP/1.1\r\nhost: x",
        "GET /\\evil.example HTTP/1.1\r\nhost: x",
        "GET /%2f%2fevil.example/.. HTTP/1.1\r\nhost: x",
        "GET /api/docs HTTP/1.1\r\nhost: evil.example",
        "GET /api/docs//evil.example HTTP/1.1\r\nhost: x",
        "GET /assets//evil.example/ HTTP/1.1\r\nhost: x",
        "GET /?next=https://evil.example/ HTTP/1.1\r\nhost: x",
        "GET / HTTP/1.1\r\nhost: x\r\nx-forwarded-host: evil.example",
    ] {
        let text = format!("{request}\r\nconnection: close\r\n\r\n");
        let (_, answer) = world.raw(text.as_bytes()).await;
        let head = answer.split("\r\n\r\n").next().unwrap_or_default();
        let location = head.lines().find(|line| line.starts_with("location:"));
        assert!(
            location.is_none_or(|line| line == "location: /api/docs/"),
            "{request}: {location:?}"
        );
        assert!(!head.contains("evil.example"), "{request}: {head}");
    }
}

#[tokio::test]
async fn what_people_typed_cannot_pass_for_a_line_of_the_audit_or_a_header() {
    let world = world().await;
    let admin = world.admin().await;
    let path = "/api/v1/session";
    let login = "admin\r\nSet-Cookie: cctv_session=stolen";
    let answer = world.nobody().sign_in(login, "<script>").await;
    assert!(answer.status.is_client_error());
    assert_eq!(answer.header("set-cookie"), "");
    // A header that is no header does not get as far as an answer of ours.
    let request = format!(
        "GET {path} HTTP/1.1\r\nhost: x\r\nx-request-id: a\rb\r\nconnection: close\r\n\r\n"
    );
    let (status, _) = world.raw(request.as_bytes()).await;
    assert_eq!(status, 400);
    assert_eq!(admin.get(path).await.status, 200);
}
