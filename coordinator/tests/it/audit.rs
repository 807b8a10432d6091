//! The audit as somebody meets it who may have to doubt it.

mod kill;

use std::path::PathBuf;

use cctv_coordinator::domain::audit::chain::Record;
use rusqlite::Connection;
use serde_json::{Value, json};
use shared::hash::Sha256;
use shared::wire::control::{AuditHead, Hello};

use crate::cli::{Installed, Running, enrolled};
use crate::peer::{Peer, Work};
use crate::world::{PASSWORD, World, until};

fn database(installed: &Installed) -> PathBuf {
    installed.directory.path().join("data/coordinator.sqlite")
}

/// What `audit verify` says, which has to fail.
async fn broken(installed: &Installed, arguments: &[&str]) -> String {
    let arguments = [&["audit", "verify"], arguments].concat();
    let output = installed.output(&arguments).await;
    assert!(!output.status.success());
    String::from_utf8(output.stderr).unwrap()
}

#[tokio::test]
async fn the_console_verifies_the_audit_beside_a_coordinator_and_names_what_was_touched() {
    let installed = Installed::new();
    let running = Running::start(&installed).await;
    for _ in 0..3 {
        installed.text(&["user", "reset-password"]).await;
    }
    let whole = installed.text(&["audit", "verify"]).await;
    // The first administrator, the settings, the key of tokens, and what the console did.
    assert!(whole.contains("6 entries"), "{whole}");
    let head = whole.split_whitespace().last().unwrap();
    installed.text(&["user", "reset-password"]).await;
    let later = installed.text(&["audit", "verify", "--head", head]).await;
    assert!(later.contains("1 noted heads compared"), "{later}");
    running.terminate().await;

    let sql = Connection::open(database(&installed)).unwrap();
    let last = sql.query_row("select max(number) from audit", [], |row| {
        row.get::<_, i64>(0)
    });
    let last = last.unwrap();
    sql.execute("delete from audit where number = ?1", [last])
        .unwrap();
    installed.text(&["audit", "verify"]).await;
    let later = later.split_whitespace().last().unwrap();
    let errors = broken(&installed, &["--head", head, "--head", later]).await;
    assert!(
        errors.contains(&format!("entry {last} is missing")),
        "{errors}"
    );
    sql.execute("update audit set what = 'signed_in' where number = 2", [])
        .unwrap();
    let errors = broken(&installed, &[]).await;
    assert!(errors.contains("entry 2 was changed"), "{errors}");
    let errors = broken(&installed, &["--head", "nonsense"]).await;
    assert!(errors.contains("NUMBER:HASH"), "{errors}");
}

/// Rewrites the chain from an entry on, as somebody would who has read the documentation.
fn rewrite(installed: &Installed, from: i64) {
    let sql = Connection::open(database(installed)).unwrap();
    sql.execute(
        "update audit set what = 'signed_in', who = 'system' where number = ?1",
        [from],
    )
    .unwrap();
    let known = records(&sql, from - 1);
    let mut head = known.first().and_then(Record::head);
    for record in known.into_iter().skip(1) {
        let salt = record.salt.clone().try_into().unwrap();
        let record = record.chained(head, salt);
        sql.execute(
            "update audit set previous = ?1, hash = ?2 where number = ?3",
            rusqlite::params![record.previous, record.hash, record.number],
        )
        .unwrap();
        head = record.head();
    }
}

fn records(sql: &Connection, from: i64) -> Vec<Record> {
    let mut query = sql
        .prepare(
            "select chain, number, at_us, who, who_id, what, agency, object, correlation_id, details,
            address, user_agent, salt, previous, hash from audit where number >= ?1 order by number",
        )
        .unwrap();
    let text = |row: &rusqlite::Row<'_>, column| {
        let text: Option<String> = row.get(column)?;
        Ok::<_, rusqlite::Error>(text.map(String::into_bytes))
    };
    let rows = query.query_map([from], |row| {
        Ok(Record {
            chain: row.get(0)?,
            number: row.get(1)?,
            at_us: row.get(2)?,
            who: text(row, 3)?.unwrap(),
            who_id: row.get(4)?,
            what: text(row, 5)?.unwrap(),
            agency: text(row, 6)?,
            object: text(row, 7)?,
            correlation_id: text(row, 8)?,
            details: text(row, 9)?,
            address: text(row, 10)?,
            user_agent: text(row, 11)?,
            salt: row.get(12)?,
            previous: row.get(13)?,
            hash: row.get(14)?,
        })
    });
    rows.unwrap().collect::<Result<_, _>>().unwrap()
}

async fn connect(running: &Running, peer: &Peer, remembered: Option<AuditHead>) -> Work {
    let address = running.word_after("agents: UDP ").parse().unwrap();
    let connection = peer.dial(address).await.unwrap();
    let hello = Hello {
        audit_head: remembered,
        ..peer.hello(&[])
    };
    Work::greet(connection, hello).await.unwrap()
}

#[tokio::test]
async fn what_one_agent_remembers_catches_a_perfectly_rewritten_audit() {
    let installed = Installed::new();
    let running = Running::start(&installed).await;
    let invite = [
        "agent", "invite", "--site", "Depot", "--name", "a", "--quiet",
    ];
    let address = running.word_after("agents: UDP ").to_owned();
    let dial = [&invite[..], &["--address", &address]].concat();
    let code = installed.text(&dial).await;
    let peer = enrolled(&installed, code.trim(), address.parse().unwrap()).await;
    let mut work = connect(&running, &peer, None).await;
    let early = work.audit_head(1).await.unwrap();
    installed.text(&["user", "reset-password"]).await;
    let head = work.audit_head(early.number + 1).await.unwrap();
    let noted = format!("{}:{}", head.number, head.hash);
    installed.text(&["audit", "verify", "--head", &noted]).await;
    running.terminate().await;

    rewrite(&installed, 2);
    installed.text(&["audit", "verify"]).await;
    let errors = broken(&installed, &["--head", &noted]).await;
    assert!(
        errors.contains("is not the one that was remembered"),
        "{errors}"
    );

    let running = Running::start(&installed).await;
    let base = running.word_after("pages and API: ").to_owned();
    assert_eq!(metric(&base, "audit_chain_broken").await, 0);
    // An agent that remembers nothing later than what was left alone notices nothing.
    let first = AuditHead {
        number: 1,
        hash: hash_of(&installed, 1),
        ..head
    };
    drop(connect(&running, &peer, Some(first)).await);
    assert_eq!(metric(&base, "audit_chain_broken").await, 0);
    for _ in 0..2 {
        drop(connect(&running, &peer, Some(head)).await);
        assert_eq!(metric(&base, "audit_chain_broken").await, 1);
    }
    assert_eq!(metric(&base, "audit_disputes").await, 1);
    let log = running.terminate().await;
    assert!(log.contains("the audit was rewritten"), "{log}");

    // It is not forgotten by a restart, and ends when somebody says why.
    let running = Running::start(&installed).await;
    let base = running.word_after("pages and API: ").to_owned();
    until_metric(&base, "audit_chain_broken", 1).await;
    let explained = installed
        .text(&["audit", "explain", "a test rewrote it"])
        .await;
    assert!(explained.contains("1 remembered"), "{explained}");
    until_metric(&base, "audit_chain_broken", 0).await;
    drop(connect(&running, &peer, Some(head)).await);
    assert_eq!(metric(&base, "audit_chain_broken").await, 0);
    running.terminate().await;
    let sql = Connection::open(database(&installed)).unwrap();
    let count = |what: &str| {
        let query = "select count(*) from audit where what = ?1";
        let count = sql.query_row(query, [what], |row| row.get::<_, i64>(0));
        count.unwrap()
    };
    assert_eq!((count("audit_disputed"), count("audit_explained")), (1, 1));
}

fn hash_of(installed: &Installed, number: i64) -> Sha256 {
    let sql = Connection::open(database(installed)).unwrap();
    let hash = sql.query_row(
        "select hash from audit where number = ?1",
        [number],
        |row| row.get::<_, Vec<u8>>(0),
    );
    Sha256::from_slice(&hash.unwrap()).unwrap()
}

async fn metric(base: &str, name: &str) -> u64 {
    let page = reqwest::get(format!("{base}/metrics")).await.unwrap();
    let page = page.text().await.unwrap();
    let start = format!("cctv_coordinator_{name} ");
    let value = page.lines().find_map(|line| line.strip_prefix(&start));
    value.expect(name).parse().unwrap()
}

async fn until_metric(base: &str, name: &str, expected: u64) {
    until(name, async || {
        (metric(base, name).await == expected).then_some(())
    })
    .await;
}

#[tokio::test]
async fn people_find_the_entries_of_the_agencies_they_answer_for() {
    let world = World::start().await;
    let admin = world.admin().await;
    world.operator("METRO").await;
    world.operator("BUS").await;
    world.person("chief", "METRO", "agency_administrator").await;
    let metro = world.signed_in("chief", PASSWORD).await;
    let all = admin.get("/api/v1/audit").await;
    assert_eq!(all.status, 200, "{:?}", all.body);
    let items = all.body["items"].as_array().unwrap();
    let numbers: Vec<_> = items
        .iter()
        .map(|item| item["number"].as_u64().unwrap())
        .collect();
    assert!(
        numbers.len() > 6 && numbers.is_sorted_by(|one, other| one > other),
        "{numbers:?}"
    );
    let first = items.last().unwrap();
    assert_eq!(first["who"]["kind"], "system");
    assert!(
        first["message_ar"].as_str().unwrap().ends_with('.'),
        "{first}"
    );

    let signed_in = metro.get("/api/v1/audit?what=signed_in").await;
    let items = signed_in.body["items"].as_array().unwrap();
    assert!(!items.is_empty());
    for item in items {
        assert_eq!(item["agency"], "METRO", "{item}");
        assert_eq!(item["address"], "127.0.0.1", "{item}");
        assert!(
            item["correlation_id"].is_string() && item["who"]["name"].is_string(),
            "{item}"
        );
    }
    let others = metro.get("/api/v1/audit?agency=BUS").await;
    assert_eq!(others.body["items"], json!([]));
    // Global things, and taking the audit out, are not theirs.
    assert_eq!(metro.get("/api/v1/audit/chain").await.status, 403);
    assert_eq!(metro.get("/api/v1/audit/export").await.status, 403);

    let mut seen = Vec::new();
    let mut path = "/api/v1/audit?what=user_created,signed_in&limit=2".to_owned();
    loop {
        let page = admin.get(&path).await;
        seen.extend(
            page.body["items"]
                .as_array()
                .unwrap()
                .iter()
                .map(|item| item["number"].as_u64().unwrap()),
        );
        let Some(next) = page.body["next"].as_str() else {
            break;
        };
        path = format!("/api/v1/audit?what=user_created,signed_in&limit=2&after={next}");
    }
    // The first administrator and three people were created and signed in.
    assert_eq!(seen.len(), 8, "{seen:?}");
    for wrong in [
        "what=nonsense",
        "after=AAAA",
        "address=here",
        "user=me",
        "limit=0",
    ] {
        let refused = admin.get(&format!("/api/v1/audit?{wrong}")).await;
        assert!(
            refused.status.is_client_error(),
            "{wrong}: {:?}",
            refused.body
        );
    }
}

#[tokio::test]
async fn the_audit_is_taken_out_as_a_table_or_as_lines_and_says_so() {
    let world = World::start().await;
    let admin = world.admin().await;
    let formula = json!({ "login": "=cmd|' /C calc'!A0", "password": "x" });
    assert_eq!(
        world
            .nobody()
            .post("/api/v1/session", &formula)
            .await
            .status,
        401
    );
    let lines = admin.get("/api/v1/audit/export?format=jsonl").await;
    assert_eq!(lines.status, 200);
    let text = String::from_utf8(lines.bytes.to_vec()).unwrap();
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines[0]["what"], "audit_exported");
    assert_eq!(lines[0]["details"]["format"], "jsonl");
    let table = admin.get("/api/v1/audit/export").await;
    let disposition = table.headers["content-disposition"].to_str().unwrap();
    assert_eq!(disposition, "attachment; filename=\"audit.csv\"");
    let text = String::from_utf8(table.bytes.to_vec()).unwrap();
    assert_eq!(text.lines().count(), lines.len() + 2, "{text}");
    let mut table = csv::Reader::from_reader(text.trim_start_matches('\u{feff}').as_bytes());
    for row in table.records() {
        for cell in &row.unwrap() {
            assert!(!cell.starts_with(['=', '+', '-', '@']), "{cell}");
        }
    }
    let chain = admin.get("/api/v1/audit/chain").await;
    assert_eq!(chain.body["state"], "whole");
    assert_eq!(chain.body["head"]["number"], json!(lines.len() + 1));
}
