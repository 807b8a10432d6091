//! A coordinator as production starts it, on free ports and in a directory of its own, and browsers
//! that talk to it.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use cctv_coordinator::app::Coordinator;
use cctv_coordinator::config::{Bounded, Config, TcpListen};
use cctv_coordinator::domain::access::Deed;
use cctv_coordinator::services::Services;
use cctv_coordinator::services::users::Profile;
use reqwest::{Method, StatusCode};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use shared::clock::{Clock, SystemClock};
use shared::id::UserId;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::{Instant, interval, timeout};
use tokio_util::sync::CancellationToken;

/// How long anything in these tests may take.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);

/// Of everybody whom [`World::person`] makes.
pub(crate) const PASSWORD: &str = "a password for tests";

pub(crate) struct World {
    pub(crate) base: String,
    pub(crate) http: SocketAddr,
    pub(crate) agents: SocketAddr,
    pub(crate) tunnel: SocketAddr,
    pub(crate) services: Arc<Services>,
    pub(crate) config: Config,
    pub(crate) password: SecretString,
    stop: CancellationToken,
    running: Option<JoinHandle<anyhow::Result<()>>>,
    directory: TempDir,
}

impl World {
    pub(crate) async fn start() -> Self {
        Self::start_with(Arc::new(SystemClock::new()), |_| {}).await
    }

    pub(crate) async fn start_with(
        clock: Arc<dyn Clock>,
        change: impl FnOnce(&mut Config),
    ) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let free: SocketAddr = (Ipv4Addr::LOCALHOST, 0).into();
        let mut config = Config {
            data_dir: directory.path().join("data"),
            ..Config::default()
        };
        config.http.listen = free;
        config.http.ui_dir = directory.path().join("ui");
        config.agents.listen = free;
        config.agents.tunnel_listen = TcpListen::At(free);
        config.live.listen = free;
        config.storage.reserve_bytes = Bounded::new(0);
        build_pages(&config.http.ui_dir);
        change(&mut config);
        let coordinator = Coordinator::load(config.clone(), clock).await.unwrap();
        let first = coordinator.first_administrator();
        let password = first.map(|first| first.password.clone());
        Self::run(coordinator, config, password.unwrap_or_default(), directory)
    }

    /// The same data under a new process, on new ports.
    pub(crate) async fn restart(mut self, clock: Arc<dyn Clock>) -> Self {
        self.stop().await;
        let Self {
            config,
            password,
            directory,
            services,
            ..
        } = self;
        // The services hold their data directory against others.
        drop(services);
        let coordinator = Coordinator::load(config.clone(), clock).await.unwrap();
        assert!(coordinator.first_administrator().is_none());
        Self::run(coordinator, config, password, directory)
    }

    fn run(
        coordinator: Coordinator,
        config: Config,
        password: SecretString,
        directory: TempDir,
    ) -> Self {
        let http = coordinator.http_address();
        let stop = CancellationToken::new();
        Self {
            base: format!("http://{http}"),
            http,
            agents: coordinator.agent_address(),
            tunnel: coordinator.tunnel_address().unwrap(),
            services: coordinator.services().clone(),
            config,
            password,
            running: Some(tokio::spawn(coordinator.run(stop.clone()))),
            stop,
            directory,
        }
    }

    /// Ends the coordinator as a signal would.
    pub(crate) async fn stop(&mut self) {
        self.stop.cancel();
        if let Some(running) = self.running.take() {
            timeout(LIMIT, running).await.unwrap().unwrap().unwrap();
        }
    }

    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Somebody without a session.
    pub(crate) fn nobody(&self) -> Browser {
        self.nobody_at(Ipv4Addr::LOCALHOST.into())
    }

    /// The same at another address of this host.
    pub(crate) fn nobody_at(&self, address: IpAddr) -> Browser {
        Browser {
            client: reqwest::Client::builder()
                .cookie_store(true)
                .local_address(address)
                .timeout(LIMIT)
                .build()
                .unwrap(),
            base: self.base.clone(),
        }
    }

    pub(crate) async fn admin(&self) -> Browser {
        self.signed_in("admin", self.password.expose_secret()).await
    }

    /// A new person who watches the cameras of one agency.
    pub(crate) async fn operator(&self, agency: &str) -> Browser {
        let login = format!("operator-{agency}").to_lowercase();
        self.person(&login, agency, "operator").await;
        self.signed_in(&login, PASSWORD).await
    }

    /// Somebody new with one role, who signs in with [`PASSWORD`].
    pub(crate) async fn person(&self, login: &str, agency: &str, role: &str) -> UserId {
        let grant = self.services.access.console(Deed::ManageUsers);
        let profile = Profile {
            agency: Some(agency.parse().unwrap()),
            roles: BTreeSet::from([role.parse().unwrap()]),
            ..Profile::new(login, "Somebody".parse().unwrap())
        };
        let users = &self.services.users;
        let user = users.create(&grant, profile, Some(PASSWORD.into()));
        user.await.unwrap().1.id
    }

    pub(crate) async fn signed_in(&self, login: &str, password: &str) -> Browser {
        let browser = self.nobody();
        let answer = browser.sign_in(login, password).await;
        assert_eq!(answer.status, StatusCode::OK, "{:?}", answer.body);
        browser
    }

    /// A request as it stands, for what a client library would put right.
    pub(crate) async fn raw(&self, request: &[u8]) -> (u16, String) {
        let mut stream = TcpStream::connect(self.http).await.unwrap();
        stream.write_all(request).await.unwrap();
        let mut answer = Vec::new();
        // A server that resets the connection has said what it had to say.
        let _ = timeout(LIMIT, stream.read_to_end(&mut answer))
            .await
            .unwrap();
        let text = String::from_utf8_lossy(&answer).into_owned();
        let status = text
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok());
        (status.unwrap_or(0), text)
    }
}

fn build_pages(directory: &Path) {
    std::fs::create_dir_all(directory.join("assets")).unwrap();
    std::fs::write(
        directory.join("index.html"),
        "<!doctype html><title>pages</title>",
    )
    .unwrap();
    std::fs::write(directory.join("assets/main-4f3a.js"), "export {};").unwrap();
    std::fs::write(directory.join("favicon.svg"), "<svg/>").unwrap();
}

/// A browser with one session at most.
pub(crate) struct Browser {
    client: reqwest::Client,
    base: String,
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) body: Value,
    pub(crate) bytes: bytes::Bytes,
}

impl Answer {
    pub(crate) fn code(&self) -> &str {
        self.body["error"]["code"].as_str().unwrap_or_default()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }
}

impl Browser {
    pub(crate) async fn sign_in(&self, login: &str, password: &str) -> Answer {
        let body = json!({ "login": login, "password": password });
        self.post("/api/v1/session", &body).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None, &[]).await
    }

    pub(crate) async fn get_range(&self, path: &str, range: &str) -> Answer {
        self.send(Method::GET, path, None, &[("range", range)])
            .await
    }

    /// The answer as it comes in, with this cookie instead of the browser's own.
    pub(crate) async fn open(&self, path: &str, cookie: &str, range: &str) -> reqwest::Response {
        let request = self.client.get(format!("{}{path}", self.base));
        let request = request.header("cookie", cookie).header("range", range);
        request.send().await.unwrap()
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::POST, path, Some(body), &[]).await
    }

    /// As one of our pages sends it, unless `headers` name another origin, or an empty one for none.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        headers: &[(&str, &str)],
    ) -> Answer {
        let mut request = self.client.request(method, format!("{}{path}", self.base));
        if !headers.iter().any(|(name, _)| *name == "origin") {
            request = request.header("origin", &self.base);
        }
        for (name, value) in headers.iter().filter(|(_, value)| !value.is_empty()) {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        Answer::to(request).await
    }

    /// The same with a body that is no JSON.
    pub(crate) async fn send_text(
        &self,
        method: Method,
        path: &str,
        kind: &str,
        text: &str,
    ) -> Answer {
        let request = self.client.request(method, format!("{}{path}", self.base));
        let request = request.header("origin", &self.base);
        let request = request.header("content-type", kind);
        Answer::to(request.body(text.to_owned())).await
    }
}

impl Answer {
    async fn to(request: reqwest::RequestBuilder) -> Self {
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let bytes = response.bytes().await.unwrap();
        Self {
            status,
            headers,
            body: serde_json::from_slice(&bytes).unwrap_or(Value::Null),
            bytes,
        }
    }
}

/// Asks again until there is an answer.
pub(crate) async fn until<T>(what: &str, mut check: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + LIMIT;
    let mut ticks = interval(Duration::from_millis(20));
    loop {
        ticks.tick().await;
        if let Some(found) = check().await {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}");
    }
}
