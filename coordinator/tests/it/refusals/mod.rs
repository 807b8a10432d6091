//! Every operation of the API as everybody who should not get through, and as somebody who should.
//!
//! `table.txt` says what each is answered; it is read by people and compared as a whole, so a new
//! operation without a row fails. `UPDATE_REFUSALS=1` writes it anew; what may stand in a column is
//! checked beside, so that a hole is not written down and forgotten. `agents.txt` is the same for agents.

mod agents;
pub(crate) mod things;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use cctv_coordinator::config::{Allowance, Bounded};
use cctv_coordinator::domain::access::Deed;
use cctv_coordinator::domain::audit::What;
use cctv_coordinator::domain::audit::search::Search;
use reqwest::Method;
use serde_json::Value;
use things::Things;

use crate::world::{Browser, PASSWORD, World};

/// One operation of the document.
struct Operation {
    id: String,
    method: Method,
    path: String,
    has_body: bool,
}

/// Everybody who asks, in the order of the columns.
const COLUMNS: [&str; 7] = [
    "nobody", "expired", "disabled", "agency", "role", "unknown", "right",
];

/// Of a WebSocket (RFC 6455 section 1.3).
const HANDSHAKE: &[(&str, &str)] = &[
    ("connection", "upgrade"),
    ("upgrade", "websocket"),
    ("sec-websocket-version", "13"),
    ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
];

/// Open to everybody.
const PUBLIC: &[&str] = &[
    "finish_oidc_sign_in",
    "get_keys",
    "get_openapi",
    "get_postman",
    "get_sign_in_methods",
    "healthz",
    "list_errors",
    "metrics",
    "readyz",
    // Whether the token was good is not told.
    "revoke_tokens",
    // There is no provider here; `oidc` has one.
    "start_oidc_sign_in",
];
/// Take more than the right person: a password, a code, something begun before. Tested elsewhere.
const WITH_PROOF: &[&str] = &[
    "confirm_second_factor",
    "finish_oidc_sign_in",
    "finish_sign_in",
    "issue_tokens",
    "receive_iam_event",
    "refresh_tokens",
    "remove_second_factor",
    "replace_recovery_codes",
    "sign_in",
    "start_oidc_sign_in",
];
/// Answer with what the caller may see, be it nothing, or are about the caller alone.
const OWN: &[&str] = &[
    "confirm_second_factor",
    "create_api_token",
    "finish_sign_in",
    "get_own_user",
    "get_second_factor",
    "get_session",
    "get_stream_stats",
    "issue_tokens",
    "list_api_tokens",
    "list_cameras",
    "list_own_sessions",
    "list_sites",
    "offer_second_factor",
    "open_hub",
    "open_stream_stats",
    "receive_iam_event",
    "refresh_tokens",
    "remove_second_factor",
    "replace_recovery_codes",
    "set_own_password",
    "set_own_settings",
    "sign_in",
    "sign_out",
];

#[tokio::test]
async fn every_operation_answers_as_the_table_says() {
    // More than one address may ask in a time; `limits` has a look at that.
    let world = crate::iam_events::world_with(|config| {
        config.limits.address = Allowance::new(100_000, 100_000);
        config.limits.user = Allowance::new(100_000, 100_000);
        // Nobody keeps the reservation until it is asked about.
        config.quotas.lease_seconds = Bounded::new(3600);
    })
    .await;
    let admin = world.admin().await;
    let things = Things::make(&world, &admin).await;
    let nothing = things.nothing();
    let mut answers: BTreeMap<String, [u16; COLUMNS.len()]> = BTreeMap::new();
    for (column, who) in COLUMNS.iter().enumerate() {
        let mut browser = match *who {
            "expired" => things::expired(&world).await,
            "disabled" => things::disabled(&world, &admin).await,
            _ => world.nobody(),
        };
        let named = if *who == "unknown" { &nothing } else { &things };
        for operation in in_order() {
            if *who == "unknown" && !operation.path.contains('{') {
                continue;
            }
            // Some operations end the session of whoever asks.
            if let Some(login) = login(who)
                && browser.get("/api/v1/session").await.status != 200
            {
                browser = world.signed_in(login, PASSWORD).await;
            }
            let revision = named.revision(&operation.id, &admin).await;
            let body = operation
                .has_body
                .then(|| named.body(&operation.id, revision));
            let mut path = named.path(&operation.id, &operation.path, *who == "right");
            if path.starts_with("/api/v1/live/") && *who != "unknown" {
                // One who is answered and does not come has gone by the time of the next column.
                path = things.viewer().await;
            }
            let before = entries(&world).await;
            let answer = ask(&browser, &operation, &path, body.as_ref()).await;
            if *who == "right" {
                let written = entries(&world).await - before;
                let expected = expected_entries(&operation);
                assert_eq!(
                    written, expected,
                    "entries of the audit for {}",
                    operation.id
                );
            }
            answers.entry(operation.id).or_default()[column] = answer;
        }
    }
    let table = written(&answers);
    let path = Path::new("tests/it/refusals/table.txt");
    if std::env::var_os("UPDATE_REFUSALS").is_some() {
        std::fs::write(path, &table).unwrap();
    }
    for (operation, row) in &answers {
        check(operation, row);
    }
    let committed = std::fs::read_to_string(path).unwrap();
    assert!(
        table == committed,
        "the table is another; look at every difference, then UPDATE_REFUSALS=1:\n{table}"
    );
}

/// Entries of the audit, without those that are gathered and written later, and those that this makes.
async fn entries(world: &World) -> usize {
    let grant = world.services.access.console(Deed::ViewAudit);
    let later = [
        What::AccessRefused,
        What::AuditSearched,
        What::IamEventRefused,
        What::LiveClosed,
        What::LiveOpened,
        What::PlaybackSought,
        What::PlaybackViewed,
        What::RateLimited,
        What::StreamRefused,
        What::StreamTampered,
        What::TokenRefused,
    ];
    let what = What::ALL.iter().copied();
    let search = Search {
        what: what.filter(|what| !later.contains(what)).collect(),
        ..Search::default()
    };
    let found = world.services.audit.search(&grant, &search, None, 10_000);
    found.await.unwrap().items.len()
}

/// What changes something, or takes the audit out, is one entry; what only shows is none at once.
fn expected_entries(operation: &Operation) -> usize {
    let changes = operation.method != Method::GET || operation.id == "export_audit";
    usize::from(changes && !WITHOUT_ENTRY.contains(&operation.id.as_str()))
}

/// Asked here with a wrong code or a token that nobody has, so that nothing changes; and what takes
/// effect only when it is confirmed, or goes on with what a sign-in has begun. Reservations come and go
/// with what is watched, which has entries of its own.
const WITHOUT_ENTRY: &[&str] = &[
    "confirm_second_factor",
    "end_viewer",
    "finish_sign_in",
    "keep_stream",
    "offer_second_factor",
    // Unsigned, so it is a refusal, which is gathered.
    "receive_iam_event",
    "refresh_tokens",
    "release_stream",
    "replace_recovery_codes",
    "reserve_stream",
    "revoke_tokens",
    "trickle_candidates",
    "watch_camera",
];

/// What no table may say.
fn check(operation: &str, [nobody, expired, disabled, agency, role, unknown, right]: &[u16; 7]) {
    let through = WITH_PROOF.contains(&operation) || *right == 101 || (200..300).contains(right);
    assert!(through, "{operation} as somebody who may: {right}");
    if PUBLIC.contains(&operation) {
        return;
    }
    let shut = |status: &u16| matches!(status, 401 | 403);
    for (who, status) in [
        ("nobody", nobody),
        ("expired", expired),
        ("disabled", disabled),
    ] {
        assert!(shut(status), "{operation} as {who}: {status}");
    }
    if OWN.contains(&operation) {
        return;
    }
    for (who, status) in [("another agency", agency), ("another role", role)] {
        let viewing = who == "another role" && VIEWED.contains(&operation)
            || who == "another agency" && LISTED.contains(&operation);
        assert!(
            matches!(status, 403 | 404) || viewing,
            "{operation} as {who}: {status}"
        );
    }
    assert!(
        matches!(unknown, 0 | 403 | 404),
        "{operation} of what does not exist: {unknown}"
    );
}

/// An agency's administrators see their own; `access` looks at what is in them.
const LISTED: &[&str] = &[
    "get_stream_limits",
    "list_agencies",
    "list_groups",
    "list_roles",
    "list_users",
    "search_audit",
];
/// What operators do all day.
const VIEWED: &[&str] = &[
    "get_camera",
    "get_timeline",
    "prepare_playback",
    "reserve_stream",
    "watch_camera",
    "watch_camera_fragments",
];

/// Every operation of the document; those after which others would find nothing come last.
fn in_order() -> Vec<Operation> {
    let document: Value = serde_json::from_str(include_str!("../../../openapi.json")).unwrap();
    let mut operations = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            operations.push(Operation {
                id: operation["operationId"].as_str().unwrap().to_owned(),
                method: method.to_uppercase().parse().unwrap(),
                path: path.clone(),
                has_body: operation["requestBody"].is_object(),
            });
        }
    }
    let last = |operation: &Operation| {
        let ends =
            ["revoke_agent", "set_own_password", "sign_out"].contains(&operation.id.as_str());
        (
            // A viewer ends with the session that opened it.
            operation.method == Method::DELETE && operation.id != "end_viewer" || ends,
            Reverse(operation.path.len()),
            operation.id.clone(),
        )
    };
    operations.sort_by_key(last);
    let ids: BTreeSet<_> = operations.iter().map(|operation| &operation.id).collect();
    assert_eq!(ids.len(), operations.len(), "two operations have one id");
    operations
}

/// Who signs in for a column.
fn login(who: &str) -> Option<&'static str> {
    match who {
        "agency" => Some("chief-of-buses"),
        "role" => Some("operator-of-metro"),
        "unknown" => Some("administrator-of-nothing"),
        "right" => Some("administrator-too"),
        _ => None,
    }
}

async fn ask(browser: &Browser, operation: &Operation, path: &str, body: Option<&Value>) -> u16 {
    let method = operation.method.clone();
    let headers = match operation.id.as_str() {
        "open_hub" | "open_stream_stats" | "watch_camera_fragments" => HANDSHAKE,
        _ => &[],
    };
    let answer = match body {
        Some(Value::String(text)) => {
            let kind = match operation.id.as_str() {
                "trickle_candidates" => "application/trickle-ice-sdpfrag",
                _ => "application/sdp",
            };
            browser.send_text(method, path, kind, text).await
        }
        _ => browser.send(method, path, body, headers).await,
    };
    if answer.status.is_client_error() {
        let error = &answer.body["error"];
        for field in ["message_en", "message_ar", "correlation_id"] {
            assert!(
                error[field].is_string(),
                "{}: {:?}",
                operation.id,
                answer.body
            );
        }
    }
    assert!(
        !answer.status.is_server_error() || answer.status == 503,
        "{}: {:?}",
        operation.id,
        answer.body
    );
    answer.status.as_u16()
}

fn written(answers: &BTreeMap<String, [u16; COLUMNS.len()]>) -> String {
    let mut table = String::from(
        "# What each operation answers to whom: nobody signed in, an expired session, a disabled person,\n\
         # an administrator of another agency, an operator of the same agency, the administrator asking\n\
         # for what does not exist, and the administrator.\n",
    );
    let _ = write!(table, "{:<28}", "#");
    for column in COLUMNS {
        let _ = write!(table, "{column:>9}");
    }
    table.push('\n');
    for (operation, row) in answers {
        let _ = write!(table, "{operation:<28}");
        for status in row {
            let status = match status {
                0 => "-".to_owned(),
                status => status.to_string(),
            };
            let _ = write!(table, "{status:>9}");
        }
        table.push('\n');
    }
    table
}
