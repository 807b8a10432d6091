//! What a killed coordinator leaves behind: each change with its entry, or neither.

use std::time::Duration;

use reqwest::Method;
use rusqlite::Connection;
use serde_json::{Value, json};
use shared::clock::{Clock as _, SystemClock};
use shared::id::CameraId;

use super::database;
use crate::cli::{Installed, Running, enrolled};
use crate::peer::{Work, camera};
use crate::world::LIMIT;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_leaves_both_the_change_and_its_entry_or_neither() {
    let soak = std::env::var_os("CCTV_SOAK").is_some();
    let rounds: u64 = if soak { 100 } else { 4 };
    let installed = Installed::new();
    let running = Running::start(&installed).await;
    let password = running.word_after("the password ").to_owned();
    let camera = camera_of_an_agent(&installed, &running).await;
    running.terminate().await;
    let mut before = 0;
    for round in 0..rounds {
        let running = Running::start(&installed).await;
        let base = running.word_after("pages and API: ").to_owned();
        // A kill in the middle of a sign-in counts as a wrong password, and the next would have to wait.
        let client = administrator(&base, &password).await;
        let people = tokio::spawn(make_people(client.clone(), base.clone(), round));
        let invites = tokio::spawn(make_invites(client.clone(), base.clone()));
        let changes = change_camera(client.clone(), base.clone(), camera, round);
        let cameras = tokio::spawn(changes);
        let playbacks = tokio::spawn(prepare_playbacks(client, base, camera));
        let pause = rand::random_range(200..900);
        tokio::time::sleep(Duration::from_millis(pause)).await;
        running.kill_nine().await;
        people.await.unwrap();
        invites.await.unwrap();
        cameras.await.unwrap();
        playbacks.await.unwrap();
        let changes = compare_changes(&installed);
        let new = changes - before;
        eprintln!("round {round}: killed after {pause} ms and {new} changes");
        before = changes;
        installed.text(&["audit", "verify"]).await;
    }
    assert!(before > rounds, "nothing was changed: {before}");
}

/// A request that changes something; `None` when the coordinator is gone.
async fn order(
    client: &reqwest::Client,
    method: Method,
    address: String,
    body: Value,
) -> Option<Value> {
    let request = client.request(method, address).json(&body);
    let answer = request.header("x-requested-with", "test").send().await;
    let answer = answer.ok()?;
    if answer.status() == 429 {
        // The others go on meanwhile.
        tokio::task::yield_now().await;
        return Some(Value::Null);
    }
    assert!(answer.status().is_success(), "{answer:?}");
    answer.json().await.ok()
}

async fn administrator(base: &str, password: &str) -> reqwest::Client {
    let client = reqwest::Client::builder().cookie_store(true);
    let client = client.timeout(LIMIT).build().unwrap();
    let body = json!({ "login": "admin", "password": password });
    let address = format!("{base}/api/v1/session");
    let me = order(&client, Method::POST, address, body).await.unwrap();
    assert_eq!(me["login"], "admin", "{me}");
    client
}

/// Makes people and disables them, until the coordinator is gone.
async fn make_people(client: reqwest::Client, base: String, round: u64) -> Option<()> {
    for number in 0_u64.. {
        let login = format!("person-{round}-{number}");
        let body = json!({ "login": login, "display_name": "Person", "agency": "METRO" });
        let address = format!("{base}/api/v1/iam/users");
        let made = order(&client, Method::POST, address, body).await?;
        if let Some(id) = made["id"].as_str() {
            let address = format!("{base}/api/v1/iam/users/{id}/status");
            let body = json!({ "status": "DISABLED" });
            order(&client, Method::PATCH, address, body).await?;
        }
    }
    None
}

async fn make_invites(client: reqwest::Client, base: String) -> Option<()> {
    loop {
        let address = format!("{base}/api/v1/agents/invites");
        let body = json!({ "site_name": "Depot" });
        order(&client, Method::POST, address, body).await?;
    }
}

/// A camera that an agent has told of; it is there without the agent.
async fn camera_of_an_agent(installed: &Installed, running: &Running) -> CameraId {
    let address = running.word_after("agents: UDP ").to_owned();
    let invite = [
        "agent", "invite", "--site", "Depot", "--name", "a", "--quiet",
    ];
    let invite = [&invite[..], &["--address", &address]].concat();
    let code = installed.text(&invite).await;
    let peer = enrolled(installed, code.trim(), address.parse().unwrap()).await;
    let gate = camera("gate", SystemClock::new().wall());
    let connection = peer.dial(address.parse().unwrap()).await.unwrap();
    let hello = peer.hello(std::slice::from_ref(&gate));
    Work::greet(connection, hello).await.unwrap();
    gate.id
}

/// Gives the camera one name after the other.
async fn change_camera(
    client: reqwest::Client,
    base: String,
    camera: CameraId,
    round: u64,
) -> Option<()> {
    for number in 0_u64.. {
        let address = format!("{base}/api/v1/cameras/{camera}");
        let body = json!({ "display_name": format!("gate {round} {number}") });
        order(&client, Method::PATCH, address, body).await?;
    }
    None
}

async fn prepare_playbacks(client: reqwest::Client, base: String, camera: CameraId) -> Option<()> {
    loop {
        let address = format!("{base}/api/v1/playback/prepare");
        let body = json!({ "camera_id": camera, "live": true });
        order(&client, Method::POST, address, body).await?;
    }
}

/// Compares what is there with what the audit says was done; gives the number of changes.
fn compare_changes(installed: &Installed) -> u64 {
    let sql = Connection::open(database(installed)).unwrap();
    let ids = |query: &str| {
        let mut query = sql.prepare(query).unwrap();
        let ids = query.query_map([], |row| row.get::<_, String>(0)).unwrap();
        let mut ids: Vec<String> = ids.map(|id| id.unwrap().replace('-', "")).collect();
        ids.sort();
        ids
    };
    let mut changes = 0;
    for (query, what) in [
        ("select lower(hex(id)) from users", "user_created"),
        (
            "select lower(hex(id)) from users where disabled = 1",
            "user_disabled",
        ),
        ("select lower(hex(id)) from invites", "invite_created"),
    ] {
        let there = ids(query);
        let said = ids(&format!("select object from audit where what = '{what}'"));
        assert_eq!(there, said, "{what}");
        changes += there.len() as u64;
    }
    let prepared = "select json_extract(details, '$.playback') from audit
        where what = 'playback_prepared'";
    let playbacks = ids("select lower(hex(id)) from playbacks");
    assert_eq!(playbacks, ids(prepared), "playbacks");
    // The camera has the name that the last of its entries says, and all before it were written.
    let named = "from audit where what = 'camera_changed' order by number";
    let names = ids(&format!(
        "select json_extract(details, '$.display_name') {named}"
    ));
    let last = ids(&format!(
        "select json_extract(details, '$.display_name') {named} desc limit 1"
    ));
    let is = ids("select display_name from cameras where display_name is not null");
    assert_eq!(is, last, "the camera's name");
    changes + playbacks.len() as u64 + names.len() as u64
}
