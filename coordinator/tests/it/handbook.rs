//! The commands of `docs/administration.md`, run in their order beside a coordinator, and what each is
//! there for: somebody who is locked out gets in again.

use std::path::Path;

use cctv_coordinator::domain::second_factor::SecondFactor;
use data_encoding::BASE32_NOPAD;
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use shared::clock::{Clock as _, SystemClock};
use shared::id::UserId;

use crate::cli::{Installed, Running};
use crate::world::LIMIT;

/// Every command for the coordinator in the blocks of a document.
fn commands() -> Vec<Vec<String>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/administration.md");
    let text = std::fs::read_to_string(path).unwrap();
    let mut found = Vec::new();
    for (index, block) in text.split("```").enumerate() {
        if index % 2 == 1 && block.starts_with("sh\n") {
            let lines = block.lines().map(str::trim);
            let lines = lines.map(|line| line.trim_start_matches("sudo -u cctv-coordinator "));
            found.extend(
                lines
                    .filter_map(|line| line.strip_prefix("cctv-coordinator "))
                    .map(words),
            );
        }
    }
    assert!(found.len() > 12, "{found:?}");
    found
}

/// As a shell divides them; only double quotes are used.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (index, part) in line.split('"').enumerate() {
        if index % 2 == 1 {
            words.push(part.to_owned());
        } else {
            words.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    words
}

struct Door {
    base: String,
    client: Client,
}

impl Door {
    fn of(running: &Running) -> Self {
        let client = Client::builder().cookie_store(true).timeout(LIMIT);
        Self {
            base: running.word_after("pages and API: ").to_owned(),
            client: client.build().unwrap(),
        }
    }

    async fn post(&self, path: &str, body: &Value) -> (StatusCode, Value) {
        let address = format!("{}{path}", self.base);
        let request = self.client.request(Method::POST, address).json(body);
        let answer = request.header("x-requested-with", "test").send().await;
        let answer = answer.unwrap();
        (answer.status(), answer.json().await.unwrap_or_default())
    }

    async fn sign_in(&self, login: &str, password: &str) -> (u16, Value) {
        let body = json!({ "login": login, "password": password });
        let (status, body) = self.post("/api/v1/session", &body).await;
        (status.as_u16(), body)
    }

    /// Gives whoever is signed in a second factor.
    async fn add_second_factor(&self) {
        let (_, offered) = self.post("/api/v1/iam/me/second-factor", &json!({})).await;
        let secret = BASE32_NOPAD.decode(offered["secret"].as_str().unwrap().as_bytes());
        let now = SystemClock::new().wall();
        let factor = SecondFactor {
            user: UserId::new(now),
            secret: secret.unwrap().try_into().unwrap(),
            confirmed: true,
            last_step: None,
        };
        let body = json!({ "code": factor.code_at(now) });
        let confirmed = self
            .post("/api/v1/iam/me/second-factor/confirm", &body)
            .await;
        assert_eq!(confirmed.0, 200, "{:?}", confirmed.1);
    }
}

#[tokio::test]
async fn the_commands_of_the_handbook_let_somebody_in_again() {
    let installed = Installed::new();
    let running = Running::start(&installed).await;
    let door = Door::of(&running);
    let mut password = running.word_after("with the password ").to_owned();
    assert_eq!(door.sign_in("admin", &password).await.0, 200);
    door.add_second_factor().await;
    let asked = json!({ "second_factor": "totp" });
    for command in commands() {
        let words: Vec<&str> = command.iter().map(String::as_str).collect();
        match words[..] {
            ["user", "unlock", "admin"] => {
                let wrong = "not the password";
                while door.sign_in("admin", wrong).await.0 != 429 {}
                let text = installed.text(&words).await;
                // A wrong one counts from the beginning: the next may be given at once.
                assert_eq!(door.sign_in("admin", wrong).await.0, 401, "{text}");
                let right = door.sign_in("admin", &password).await;
                assert_eq!(right, (200, asked.clone()));
            }
            ["user", "reset-password", "admin"] => {
                let text = installed.text(&words).await;
                let new = text.split_whitespace().last().unwrap().to_owned();
                assert_eq!(door.sign_in("admin", &password).await.0, 401);
                password = new;
                assert_eq!(door.sign_in("admin", &password).await, (200, asked.clone()));
            }
            ["user", "reset-second-factor", "admin"] => {
                installed.text(&words).await;
                let (status, body) = door.sign_in("admin", &password).await;
                assert_eq!((status, &body["login"]), (200, &json!("admin")));
            }
            ["user", "enable", "admin"] => {
                let second = ["user", "create", "second", "--role", "administrator"];
                installed.text(&second).await;
                installed.text(&["user", "disable", "admin"]).await;
                assert_eq!(door.sign_in("admin", &password).await.0, 401);
                installed.text(&words).await;
                assert_eq!(door.sign_in("admin", &password).await.0, 200);
            }
            ["user", "create", login, ..] => {
                let text = installed.text(&words).await;
                let made = text.split_whitespace().last().unwrap();
                let (status, body) = door.sign_in(login, made).await;
                assert_eq!(status, 200, "{body}");
                let all = body["permissions"] == json!(["*"]);
                assert_eq!(all, login == "rescue", "{body}");
            }
            // The head of another system.
            ["audit", "verify", "--head", _] => {
                let output = installed.output(&words).await;
                assert!(!output.status.success());
                let errors = String::from_utf8_lossy(&output.stderr);
                assert!(errors.contains("entry 4711 is remembered"), "{errors}");
            }
            _ => {
                let text = installed.text(&words).await;
                assert!(!text.is_empty(), "{words:?} says nothing");
            }
        }
    }
    running.terminate().await;
}
