//! A real server for tests: a process on a free port, which can be killed and started again there.

use std::net::{Ipv4Addr, TcpListener};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::time::{Instant, interval};

use super::{Server, Valkey};

pub(crate) const PASSWORD: &str = "a-password-for-tests";
const LIMIT: Duration = Duration::from_secs(20);

/// Below the range of outgoing connections, so that none holds the port while the server is down.
const FIRST: u16 = 30_000;
const COUNT: u16 = 2_000;
static NEXT: AtomicU16 = AtomicU16::new(0);

pub(crate) struct Process {
    directory: TempDir,
    port: u16,
    tls: bool,
    child: Option<Child>,
}

impl Process {
    pub(crate) async fn start(tls: bool) -> Self {
        let directory = tempfile::tempdir().unwrap();
        if tls {
            write_certificates(&directory);
        }
        let mut process = Self {
            directory,
            port: free_port(),
            tls,
            child: None,
        };
        process.restart().await;
        process
    }

    /// As after a crash: nothing of what it knew is left.
    pub(crate) async fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().await.unwrap();
        }
    }

    /// Starts it at the same address and waits until it answers.
    pub(crate) async fn restart(&mut self) {
        self.kill().await;
        let path = |name: &str| self.directory.path().join(name);
        let mut command = Command::new(program());
        command
            .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
            .args(["--requirepass", PASSWORD])
            .arg("--dir")
            .arg(self.directory.path());
        let port = self.port.to_string();
        if self.tls {
            command
                .args([
                    "--port",
                    "0",
                    "--tls-port",
                    &port,
                    "--tls-auth-clients",
                    "no",
                ])
                .arg("--tls-cert-file")
                .arg(path("server.pem"))
                .arg("--tls-key-file")
                .arg(path("server.key"))
                .arg("--tls-ca-cert-file")
                .arg(path("authority.pem"));
        } else {
            command.args(["--port", &port]);
        }
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn();
        self.child = Some(child.expect("a Valkey or Redis server that starts"));
        let client = self.client();
        let deadline = Instant::now() + LIMIT;
        let mut ticks = interval(Duration::from_millis(20));
        while let Err(error) = client.connect().await {
            assert!(
                Instant::now() < deadline,
                "the server does not answer: {error}"
            );
            ticks.tick().await;
        }
    }

    /// Not connected yet.
    pub(crate) fn client(&self) -> Arc<Valkey> {
        self.client_with(PASSWORD)
    }

    pub(crate) fn client_with(&self, password: &str) -> Arc<Valkey> {
        let scheme = if self.tls { "valkeys" } else { "valkey" };
        let name = format!("{scheme}://127.0.0.1:{}", self.port);
        let authority = self
            .tls
            .then(|| std::fs::read(self.directory.path().join("authority.pem")).unwrap());
        let server = Server {
            url: format!("{scheme}://:{password}@127.0.0.1:{}/1", self.port).into(),
            name,
            authority,
            // A busy host is no server that is lost.
            patience: Duration::from_secs(10),
        };
        Arc::new(Valkey::new(server).unwrap())
    }
}

/// Debian 13 has Valkey, Debian 12 Redis; the script runs in both.
fn program() -> &'static str {
    let has = |name: &str| {
        let paths = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&paths).any(|path| path.join(name).exists())
    };
    ["valkey-server", "redis-server"]
        .into_iter()
        .find(|name| has(name))
        .expect("valkey-server or redis-server: packaging/build/debian-packages.sh test")
}

fn free_port() -> u16 {
    let offset = u16::try_from(std::process::id() % u32::from(COUNT)).unwrap();
    (0..COUNT)
        .map(|_| FIRST + (offset + NEXT.fetch_add(1, Ordering::Relaxed)) % COUNT)
        .find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
        .expect("a free port")
}

fn write_certificates(directory: &TempDir) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = params.self_signed(&key).unwrap();
    let issuer = Issuer::new(params, key);
    let server_key = KeyPair::generate().unwrap();
    let server = CertificateParams::new(["127.0.0.1".to_owned()])
        .unwrap()
        .signed_by(&server_key, &issuer)
        .unwrap();
    for (name, text) in [
        ("authority.pem", authority.pem()),
        ("server.pem", server.pem()),
        ("server.key", server_key.serialize_pem()),
    ] {
        std::fs::write(directory.path().join(name), text).unwrap();
    }
}
