//! The program itself: its commands, beside a coordinator that runs, and its end on a signal.

mod refused;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Output, Stdio};
use std::time::Duration;

use quinn::ConnectionError;
use rcgen::{KeyPair, PKCS_ED25519};
use rustix::process::{Pid, Signal, kill_process};
use shared::clock::{Clock as _, SystemClock};
use shared::id::CameraId;
use shared::wire::CloseCode;
use shared::wire::enrol::{EnrolAnswer, EnrolCode};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::peer::{Peer, Work, certificates, enrol_at};
use crate::world::{LIMIT, until};

/// A configuration in a directory of its own.
pub(crate) struct Installed {
    pub(crate) directory: TempDir,
    config: PathBuf,
}

impl Installed {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let config = directory.path().join("coordinator.toml");
        let text = format!(
            "data_dir = {:?}\n[http]\nlisten = \"127.0.0.1:0\"\n[agents]\nlisten = \"127.0.0.1:0\"\n[live]\nlisten = \"127.0.0.1:0\"\n",
            directory.path().join("data")
        );
        std::fs::write(&config, text).unwrap();
        Self { directory, config }
    }

    pub(crate) fn program(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cctv-coordinator"));
        command.args(arguments).arg("--config").arg(&self.config);
        command.stdin(Stdio::null()).kill_on_drop(true);
        command
    }

    pub(crate) async fn output(&self, arguments: &[&str]) -> Output {
        let output = self.program(arguments).output();
        timeout(LIMIT, output).await.unwrap().unwrap()
    }

    pub(crate) async fn text(&self, arguments: &[&str]) -> String {
        let output = self.output(arguments).await;
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {errors}");
        String::from_utf8(output.stdout).unwrap()
    }
}

/// A coordinator as a process, and what it said as it started.
pub(crate) struct Running {
    process: Child,
    greeting: String,
}

impl Running {
    pub(crate) async fn start(installed: &Installed) -> Self {
        let mut process = installed
            .program(&["run"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let mut greeting = String::new();
        while !greeting.contains("agents: UDP") {
            let line = timeout(LIMIT, lines.next_line()).await.unwrap().unwrap();
            greeting.push_str(&line.expect("a greeting"));
            greeting.push('\n');
        }
        while let Ok(Ok(Some(line))) = timeout(Duration::from_millis(300), lines.next_line()).await
        {
            greeting.push_str(&line);
            greeting.push('\n');
        }
        Self { process, greeting }
    }

    pub(crate) fn word_after(&self, marker: &str) -> &str {
        let rest = self.greeting.split(marker).nth(1).unwrap();
        rest.split_whitespace().next().unwrap()
    }

    pub(crate) async fn kill_nine(mut self) {
        self.process.start_kill().unwrap();
        self.process.wait().await.unwrap();
    }

    pub(crate) async fn terminate(self) -> String {
        let pid = i32::try_from(self.process.id().unwrap()).unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), Signal::TERM).unwrap();
        let output = timeout(LIMIT, self.process.wait_with_output())
            .await
            .unwrap()
            .unwrap();
        assert!(output.status.success(), "{:?}", output.status);
        String::from_utf8(output.stderr).unwrap()
    }
}

#[tokio::test]
async fn agents_are_invited_listed_and_revoked_beside_a_running_coordinator() {
    let installed = Installed::new();
    let running = Running::start(&installed).await;
    let address = running.word_after("agents: UDP ").to_owned();
    let password = running.word_after("the password ").to_owned();

    let invite = [
        "agent",
        "invite",
        "--site",
        "Depot",
        "--name",
        "nvr-1",
        "--quiet",
        "--address",
    ];
    let code = installed.text(&[&invite[..], &[&address]].concat()).await;
    let dialled: EnrolCode = code.trim().parse().unwrap();
    assert_eq!(format!("{}:{}", dialled.host, dialled.port), address);
    let address = address.parse().unwrap();
    let peer = enrolled(&installed, code.trim(), address).await;
    let agent = peer.id;
    let connection = peer.dial(address).await.unwrap();
    let work = Work::begin(&peer, connection, &[]).await.unwrap();

    let list = installed.text(&["agent", "list"]).await;
    assert!(
        list.contains(&agent.to_string()) && list.contains("nvr-1"),
        "{list}"
    );
    assert!(list.contains("enrolled"), "{list}");

    installed
        .text(&["agent", "revoke", &agent.to_string()])
        .await;
    let error = timeout(LIMIT, work.connection.closed()).await.unwrap();
    let ConnectionError::ApplicationClosed(close) = error else {
        panic!("{error}")
    };
    let code = CloseCode::from_u64(close.error_code.into_inner());
    assert_eq!(code, Some(CloseCode::Revoked));
    assert!(installed.text(&["agent", "list"]).await.contains("revoked"));

    let log = running.terminate().await;
    assert!(
        !log.contains(&password),
        "the log shows the password: {log}"
    );
}

#[tokio::test]
async fn a_forgotten_password_is_set_anew_and_the_first_one_is_shown_once() {
    let installed = Installed::new();
    let running = Running::start(&installed).await;
    let first = running.word_after("the password ").to_owned();
    running.terminate().await;

    let running = Running::start(&installed).await;
    assert!(
        !running.greeting.contains("password"),
        "{}",
        running.greeting
    );
    let base = running.word_after("pages and API: ").to_owned();
    assert!(sign_in(&base, &first).await);

    let made_up = installed.text(&["user", "reset-password"]).await;
    let made_up = made_up.split_whitespace().last().unwrap().to_owned();
    assert!(!sign_in(&base, &first).await);
    assert!(sign_in(&base, &made_up).await);

    let own = "correct horse battery staple";
    let mut command = installed.program(&["user", "reset-password", "admin", "--stdin"]);
    let mut process = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = process.stdin.take().unwrap();
    input
        .write_all(format!("{own}\n").as_bytes())
        .await
        .unwrap();
    drop(input);
    let output = process.wait_with_output().await.unwrap();
    assert!(output.status.success());
    assert!(!String::from_utf8_lossy(&output.stdout).contains(own));
    assert!(sign_in(&base, own).await);
    running.terminate().await;
}

#[tokio::test]
async fn people_are_created_and_disabled_beside_a_running_coordinator() {
    let installed = Installed::new();
    let running = Running::start(&installed).await;
    let base = running.word_after("pages and API: ").to_owned();
    let create = [
        "user", "create", "Mona", "--name", "Mona Ali", "--agency", "METRO", "--role", "operator",
    ];
    let created = installed.text(&create).await;
    assert!(created.starts_with("mona is created"), "{created}");
    let password = created.split_whitespace().last().unwrap().to_owned();
    let mona = async || sign_in_as(&base, "mona", &password).await;
    assert!(mona().await);
    let again = installed.output(&create).await;
    let errors = String::from_utf8_lossy(&again.stderr).into_owned();
    assert!(
        !again.status.success() && errors.contains("taken"),
        "{errors}"
    );
    let mut nowhere = create;
    (nowhere[2], nowhere[6]) = ("badr", "TAXI");
    let nowhere = installed.output(&nowhere).await;
    let errors = String::from_utf8_lossy(&nowhere.stderr).into_owned();
    assert!(errors.contains("TAXI"), "{errors}");

    installed.text(&["user", "disable", "mona"]).await;
    assert!(!mona().await);
    let list = installed.text(&["user", "list"]).await;
    let line = list.lines().find(|line| line.starts_with("mona")).unwrap();
    for word in ["disabled", "METRO", "operator", "Mona Ali"] {
        assert!(line.contains(word), "{line}");
    }
    installed.text(&["user", "enable", "mona"]).await;
    assert!(mona().await);
    let last = installed.output(&["user", "disable", "admin"]).await;
    let errors = String::from_utf8_lossy(&last.stderr).into_owned();
    assert!(errors.contains("must remain"), "{errors}");
    running.terminate().await;
}

#[tokio::test]
async fn whoever_waits_after_wrong_passwords_is_let_in_by_hand() {
    let installed = Installed::new();
    let running = Running::start(&installed).await;
    let base = running.word_after("pages and API: ").to_owned();
    let password = running.word_after("the password ").to_owned();
    let none = installed.text(&["user", "unlock"]).await;
    assert!(none.contains("did not have to wait"), "{none}");
    let mut tries = 0;
    while sign_in_status(&base, "admin", "wrong").await != 429 {
        tries += 1;
        assert!(tries < 20, "nobody has to wait");
    }
    assert!(!sign_in(&base, &password).await);
    let unlocked = installed.text(&["user", "unlock"]).await;
    assert!(unlocked.contains("may try again"), "{unlocked}");
    assert!(sign_in(&base, &password).await);
    let unknown = installed.output(&["user", "unlock", "nobody"]).await;
    let errors = String::from_utf8_lossy(&unknown.stderr).into_owned();
    assert!(
        !unknown.status.success() && errors.contains("nobody"),
        "{errors}"
    );
    running.terminate().await;
}

#[tokio::test]
async fn a_stolen_key_is_worth_nothing_and_a_planned_rotation_signs_nobody_out() {
    let installed = Installed::new();
    let running = Running::start(&installed).await;
    let base = running.word_after("pages and API: ").to_owned();
    let password = running.word_after("the password ").to_owned();
    let client = reqwest::Client::new();
    let issued = client.post(format!("{base}/api/v1/token"));
    let issued = issued
        .header("x-requested-with", "test")
        .json(&serde_json::json!({ "login": "admin", "password": password }));
    let issued: serde_json::Value = issued.send().await.unwrap().json().await.unwrap();
    let token = issued["access_token"].as_str().unwrap();
    let status = async || {
        let asked = client.get(format!("{base}/api/v1/session"));
        asked.bearer_auth(token).send().await.unwrap().status()
    };
    assert_eq!(status().await, 200);
    let keys = async || {
        let list = installed.text(&["keys", "list"]).await;
        let kids = list
            .lines()
            .map(|line| line.split(' ').next().unwrap().to_owned());
        kids.collect::<Vec<_>>()
    };
    let first = keys().await;
    assert_eq!(first.len(), 1);
    installed.text(&["keys", "rotate"]).await;
    let both = keys().await;
    assert!(both.len() == 2 && both.contains(&first[0]), "{both:?}");
    until("both keys to be published", async || {
        let published = client.get(format!("{base}/.well-known/jwks.json"));
        let published = published.send().await.unwrap().text().await.unwrap();
        both.iter().all(|kid| published.contains(kid)).then_some(())
    })
    .await;
    assert_eq!(status().await, 200);
    let replaced = installed.text(&["keys", "rotate", "--stolen"]).await;
    assert!(both.iter().all(|kid| !replaced.contains(kid)), "{replaced}");
    until("the token to be refused", async || {
        (status().await == 401).then_some(())
    })
    .await;
    running.terminate().await;
}

#[tokio::test]
async fn a_signal_reads_the_certificate_again_and_ends_nothing() {
    let installed = Installed::new();
    let running = Running::start(&installed).await;
    let pid = i32::try_from(running.process.id().unwrap()).unwrap();
    kill_process(Pid::from_raw(pid).unwrap(), Signal::HUP).unwrap();
    let base = running.word_after("pages and API: ").to_owned();
    let answer = reqwest::get(format!("{base}/healthz")).await.unwrap();
    assert_eq!(answer.status(), 200);
    running.terminate().await;
}

#[tokio::test]
async fn every_log_line_of_a_request_has_its_correlation_id() {
    let installed = Installed::new();
    let mut text = std::fs::read_to_string(&installed.config).unwrap();
    text.push_str("[log]\nfilter = \"cctv_coordinator=trace\"\nformat = \"json\"\n");
    std::fs::write(&installed.config, text).unwrap();
    let running = Running::start(&installed).await;
    let base = running.word_after("pages and API: ").to_owned();
    let answer = reqwest::Client::new()
        .post(format!("{base}/api/v1/session"))
        .header("x-requested-with", "test")
        .header("x-request-id", "from-outside-1")
        .json(&serde_json::json!({ "login": "nobody", "password": "wrong" }))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.headers()["x-request-id"], "from-outside-1");
    let body: serde_json::Value = answer.json().await.unwrap();
    assert_eq!(body["error"]["correlation_id"], "from-outside-1");
    let forged = reqwest::Client::new()
        .get(format!("{base}/healthz"))
        .header("x-request-id", "forged\tINFO all is well")
        .send()
        .await
        .unwrap();
    assert_eq!(forged.headers()["x-request-id"].len(), 32);

    let log = running.terminate().await;
    assert!(!log.contains("all is well"), "{log}");
    let lines = log.lines().map(|line| serde_json::from_str(line).unwrap());
    let of_request = |line: &serde_json::Value| line["span"]["request.id"] == "from-outside-1";
    let lines: Vec<_> = lines.filter(of_request).collect();
    // The edge, and the database's own threads.
    for part in [
        "http::middleware::observe",
        "sqlite::readers",
        "sqlite::writer",
    ] {
        let of_part = |line: &serde_json::Value| {
            let target = line["target"].as_str().unwrap_or_default();
            target.ends_with(part)
        };
        assert!(lines.iter().any(of_part), "{part}: {log}");
    }
}

async fn sign_in(base: &str, password: &str) -> bool {
    sign_in_as(base, "admin", password).await
}

async fn sign_in_as(base: &str, login: &str, password: &str) -> bool {
    sign_in_status(base, login, password).await == 200
}

async fn sign_in_status(base: &str, login: &str, password: &str) -> u16 {
    let answer = reqwest::Client::new()
        .post(format!("{base}/api/v1/session"))
        .header("x-requested-with", "test")
        .json(&serde_json::json!({ "login": login, "password": password }))
        .send()
        .await
        .unwrap();
    answer.status().as_u16()
}

#[tokio::test]
async fn agents_learn_at_once_that_a_killed_coordinator_has_forgotten_their_connection() {
    let installed = Installed::new();
    let running = Running::start(&installed).await;
    let address = running.word_after("agents: UDP ").to_owned();
    // The next one listens where the first did.
    let text = std::fs::read_to_string(&installed.config).unwrap();
    let text = text.replacen(
        "[agents]\nlisten = \"127.0.0.1:0\"",
        &format!("[agents]\nlisten = \"{address}\""),
        1,
    );
    std::fs::write(&installed.config, text).unwrap();
    let code = installed
        .text(&["agent", "invite", "--site", "Depot", "--quiet"])
        .await;
    let peer = enrolled(&installed, code.trim(), address.parse().unwrap()).await;
    let connection = peer.dial(address.parse().unwrap()).await.unwrap();
    let mut work = Work::begin(&peer, connection, &[]).await.unwrap();

    running.kill_nine().await;
    let _running = Running::start(&installed).await;
    let now = SystemClock::new().wall();
    let camera = CameraId::new(now);
    let _ = work.heartbeat(camera, now).await;
    let error = timeout(LIMIT, work.connection.closed()).await.unwrap();
    assert!(matches!(error, ConnectionError::Reset), "{error}");
}

pub(crate) async fn enrolled(installed: &Installed, code: &str, address: SocketAddr) -> Peer {
    let key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
    let authority = installed.directory.path().join("data/authority.pem");
    let code: EnrolCode = code.parse().unwrap();
    match enrol_at(address, &authority, &code, &key).await.unwrap() {
        EnrolAnswer::Enrolled {
            agent,
            certificate_chain,
            authority,
            ..
        } => Peer {
            id: agent,
            key,
            chain: certificates(&certificate_chain),
            authority: certificates(&authority).remove(0),
        },
        answer => panic!("{answer:?}"),
    }
}
