//! A real identity provider (tests/oidc) as a process, and a person's browser that signs in there.

use std::path::Path;
use std::process::Stdio;

use cctv_coordinator::config::{Provider as ProviderConfig, ProviderSettings, Trusted};
use reqwest::StatusCode;
use reqwest::redirect::Policy;
use serde_json::{Value, json};
use tempfile::NamedTempFile;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;
use url::Url;

use crate::world::{LIMIT, World};

const PROGRAM: &str = "../tests/oidc/provider.mjs";
const PACKAGES: &str = "../tests/oidc/node_modules/oidc-provider";
/// As the provider knows it; nobody has to reach it.
const PUBLIC: &str = "https://cctv.example";
const SECRET: &str = "a-secret-for-tests-of-the-coordinator";

pub(super) struct Provider {
    pub(super) issuer: String,
    client: reqwest::Client,
    secret: NamedTempFile,
    process: Child,
}

pub(super) async fn provider() -> Provider {
    assert!(
        Path::new(PACKAGES).exists(),
        "the identity provider of these tests is not installed; `make test-oidc` installs it and runs them"
    );
    Provider::start(0).await
}

impl Provider {
    async fn start(port: u16) -> Self {
        let mut process = Command::new("node")
            .args([PROGRAM, &port.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("Node 20 or newer runs the provider");
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let issuer = timeout(LIMIT, lines.next_line()).await.unwrap();
        let issuer = issuer.unwrap().expect("the provider names itself");
        let secret = NamedTempFile::new().unwrap();
        std::fs::write(secret.path(), format!("{SECRET}\n")).unwrap();
        let client = reqwest::Client::builder().timeout(LIMIT).build().unwrap();
        Self {
            issuer,
            client,
            secret,
            process,
        }
    }

    /// Nobody answers at its address any more.
    pub(super) async fn kill(&mut self) {
        self.process.kill().await.unwrap();
    }

    /// At the same address, with new keys and without accounts.
    pub(super) async fn restart(&mut self) {
        let port = Url::parse(&self.issuer).unwrap().port().unwrap();
        *self = Self::start(port).await;
    }

    async fn tell(&self, method: reqwest::Method, what: &str, told: &Value) -> Value {
        let url = format!("{}/test/{what}", self.issuer);
        let answer = self.client.request(method, url).json(told).send().await;
        let answer = answer.unwrap().error_for_status().unwrap();
        answer.json().await.unwrap()
    }

    /// Its people by login, and what it says of them.
    pub(super) async fn accounts(&self, accounts: Value) {
        self.tell(reqwest::Method::PUT, "accounts", &accounts).await;
    }

    /// How what it signs is spoilt from now on.
    pub(super) async fn spoil(&self, spoil: Value) {
        self.tell(reqwest::Method::PUT, "spoil", &spoil).await;
    }

    pub(super) async fn rotate_keys(&self) {
        let nothing = json!({});
        self.tell(reqwest::Method::POST, "keys", &nothing).await;
    }

    /// An access token with these claims.
    pub(super) async fn token(&self, asked: Value) -> String {
        let token = self.tell(reqwest::Method::POST, "token", &asked).await;
        token["token"].as_str().unwrap().to_owned()
    }

    /// Settings in which it is the provider; with what the test adds.
    pub(super) fn settings(&self, more: Value) -> ProviderConfig {
        let mut settings = json!({
            "issuer": self.issuer,
            "name": { "en": "Authority", "ar": "الهيئة" },
            "client_id": "cctv",
            "client_secret_file": self.secret.path(),
            "redirect_base": PUBLIC,
            "allowed_networks": ["127.0.0.1"],
        });
        merge(&mut settings, more);
        let settings: ProviderSettings = serde_json::from_value(settings).unwrap();
        settings.try_into().unwrap()
    }

    /// Settings in which its access tokens are taken; with what the test adds.
    pub(super) fn trusted(&self, more: Value) -> Trusted {
        let mut settings = json!({
            "issuer": self.issuer,
            "audience": "cctv-api",
            "jwks_url": format!("{}/jwks", self.issuer),
            "allowed_networks": ["127.0.0.1"],
        });
        merge(&mut settings, more);
        serde_json::from_value(settings).unwrap()
    }
}

fn merge(settings: &mut Value, more: Value) {
    for (name, value) in more.as_object().unwrap() {
        settings[name] = value.clone();
    }
}

/// A person's browser, which follows where it is led, one step at a time.
pub(super) struct Person {
    client: reqwest::Client,
    base: String,
}

/// What a browser gets.
pub(super) struct Got {
    pub(super) status: StatusCode,
    pub(super) text: String,
    pub(super) location: Option<String>,
    pub(super) cookies: Vec<String>,
}

impl Got {
    /// Where the page leads on to.
    pub(super) fn leads_to(&self) -> &str {
        between(&self.text, "content=\"0;url=", "\"").unwrap_or_default()
    }

    pub(super) fn body(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or(Value::Null)
    }

    pub(super) fn code(&self) -> String {
        let body = self.body();
        body["error"]["code"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }
}

pub(super) fn between<'a>(text: &'a str, from: &str, to: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(from)?;
    Some(rest.split_once(to)?.0)
}

impl Person {
    pub(super) fn at(world: &World) -> Self {
        let client = reqwest::Client::builder()
            .cookie_store(true)
            .redirect(Policy::none())
            .timeout(LIMIT);
        Self {
            client: client.build().unwrap(),
            base: world.base.clone(),
        }
    }

    /// As a program; pages are asked for with [`Person::open`].
    pub(super) async fn get(&self, path: &str) -> Got {
        let url = format!("{}{path}", self.base);
        got(self.client.get(url)).await
    }

    /// As a browser that shows what it gets.
    pub(super) async fn open(&self, path: &str) -> Got {
        let url = format!("{}{path}", self.base);
        got(self.client.get(url).header("accept", "text/html,*/*;q=0.8")).await
    }

    /// Begins a sign-in; where the provider is.
    pub(super) async fn start(&self, next: &str) -> String {
        let got = self
            .open(&format!("/api/v1/session/oidc/start?next={next}"))
            .await;
        assert_eq!(got.status, 303, "{}", got.text);
        got.location.unwrap()
    }

    /// Signs in at the provider as `login` and agrees to everything; the path and query with which
    /// the provider sends the browser back.
    pub(super) async fn at_provider(&self, url: &str, login: &str) -> String {
        let mut url = Url::parse(url).unwrap();
        let mut form = None;
        for _ in 0..20 {
            if url.as_str().starts_with(PUBLIC) {
                return url[url::Position::BeforePath..].to_owned();
            }
            let request = match form.take() {
                Some(form) => self
                    .client
                    .post(url.clone())
                    .header("content-type", "application/x-www-form-urlencoded")
                    .body::<String>(form),
                None => self.client.get(url.clone()),
            };
            let got = got(request).await;
            if let Some(location) = got.location {
                url = url.join(&location).unwrap();
                continue;
            }
            assert_eq!(got.status, 200, "{url}: {}", got.text);
            let action = between(&got.text, "action=\"", "\"").expect(&got.text);
            let prompt = between(&got.text, "name=\"prompt\" value=\"", "\"").expect(&got.text);
            form = Some(format!("prompt={prompt}&login={login}&password=anything"));
            url = url.join(action).unwrap();
        }
        panic!("the provider leads in circles, last to {url}");
    }

    /// All of it; what the coordinator answers in the end.
    pub(super) async fn sign_in(&self, login: &str) -> Got {
        let at = self.start("/cameras").await;
        let back = self.at_provider(&at, login).await;
        self.get(&back).await
    }
}

async fn got(request: reqwest::RequestBuilder) -> Got {
    let response = request.send().await.unwrap();
    let header = |name: &str| {
        let values = response.headers().get_all(name).iter();
        let values = values.filter_map(|value| value.to_str().ok());
        values.map(str::to_owned).collect::<Vec<_>>()
    };
    Got {
        status: response.status(),
        location: header("location").pop(),
        cookies: header("set-cookie"),
        text: response.text().await.unwrap(),
    }
}
