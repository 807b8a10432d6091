//! A real TURN server, set up as `configs/turnserver.conf` says.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::Stdio;
use std::time::Duration;

use cctv_coordinator::webrtc::turn::Relays;
use shared::id::ViewerId;
use shared::time::WallTime;
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};

use crate::world::until;

const SETTINGS: &str = include_str!("../../../../configs/turnserver.conf");
const SECRET: &str = "a secret of two";

pub(crate) struct Coturn {
    address: SocketAddr,
    _process: Child,
    _directory: TempDir,
}

impl Coturn {
    pub(crate) async fn start() -> Self {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let directory = tempfile::tempdir().unwrap();
        let settings = SETTINGS
            .replace("=LISTENING_ADDRESS", "=127.0.0.1")
            .replace("=RELAY_ADDRESS", "=127.0.0.1")
            .replace("=COORDINATOR_ADDRESS", "=127.0.0.1")
            .replace("=SECRET", &format!("={SECRET}"))
            .replace("=3478", &format!("={}", address.port()));
        let path = directory.path().join("turnserver.conf");
        std::fs::write(&path, settings).unwrap();
        let process = Command::new("turnserver")
            .arg("-c")
            .arg(&path)
            .arg(format!(
                "--userdb={}",
                directory.path().join("db").display()
            ))
            .arg(format!(
                "--pidfile={}",
                directory.path().join("pid").display()
            ))
            // What is relayed to stays on this host here.
            .arg("--allow-loopback-peers")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("turnserver; packaging/build/debian-packages.sh test installs it");
        until("the relay", async || TcpStream::connect(address).await.ok()).await;
        Self {
            address,
            _process: process,
            _directory: directory,
        }
    }

    /// Address, name and password, as a viewer reads them in an answer.
    pub(crate) fn told(&self, now: WallTime) -> (String, String, String) {
        let relays = Relays {
            urls: vec![format!("turn:{}?transport=udp", self.address)],
            secret: Some(SECRET.to_owned().into()),
            lifetime: Duration::from_secs(60),
        };
        let links = relays.links(ViewerId::new(now), now);
        let link = links.first().unwrap();
        let quoted = |name: &str| {
            let (_, rest) = link.split_once(&format!("{name}=\"")).unwrap();
            rest.split('"').next().unwrap().to_owned()
        };
        let url = link.split(['<', '>']).nth(1).unwrap().to_owned();
        (url, quoted("username"), quoted("credential"))
    }
}
