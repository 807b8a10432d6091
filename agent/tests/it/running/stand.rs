//! An agent in this process, its cameras, and what it says of itself.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use camera_sim::{Rendition, Simulator};
use cctv_agent::Agent;
use cctv_agent::buffer::BufferConfig;
use cctv_agent::buffer::inspect::{Audit, Inspection};
use cctv_agent::config::Config;
use cctv_agent::supervisor::CameraView;
use serde_json::Value;
use shared::clock::{Clock, SystemClock};
use shared::time::WallTime;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::camera::{simulate, small};

/// `[[camera]]` of the settings.
pub(super) fn camera(name: &str, url: &str) -> String {
    format!("[[camera]]\nname = \"{name}\"\nurl = \"{url}\"\n")
}

/// A camera that works, and its part of the settings.
pub(super) async fn good_camera(name: &str) -> (Simulator, String) {
    let simulator = simulate([small(name)]).await;
    let section = section_of(&simulator, name);
    (simulator, section)
}

pub(super) fn section_of(simulator: &Simulator, name: &str) -> String {
    let url = simulator.url(name, Rendition::Main);
    camera(name, url.as_str())
}

/// A server of the test's own: each connection is handed to `serve`. Ends with what is returned.
pub(super) async fn serving<F: Future<Output = ()> + Send + 'static>(
    serve: impl Fn(TcpStream) -> F + Send + 'static,
) -> (SocketAddr, AbortOnDropHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("its address");
    let accepting = tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            tokio::spawn(serve(connection));
        }
    });
    (address, AbortOnDropHandle::new(accepting))
}

/// Head and body of the next RTSP message; `None` at the end.
pub(super) async fn rtsp_message(
    stream: &mut (impl AsyncBufRead + Unpin),
) -> Option<(String, Vec<u8>)> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if stream.read_line(&mut head).await.ok()? == 0 {
            return None;
        }
    }
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let wanted = name.eq_ignore_ascii_case("content-length");
        wanted.then(|| value.trim().parse().ok()).flatten()
    });
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).await.ok()?;
    Some((head, body))
}

/// An agent that runs.
pub(super) struct Running {
    pub(super) handle: cctv_agent::Handle,
    buffer: BufferConfig,
    cancel: CancellationToken,
    task: AbortOnDropHandle<anyhow::Result<()>>,
}

impl Running {
    /// With the general settings of a small site in `directory`, and `more`.
    pub(super) async fn start(directory: &Path, more: &str, clock: Arc<dyn Clock>) -> Self {
        let _ = tracing_subscriber::fmt().with_test_writer().try_init();
        let text = format!(
            "[agent]\ndata_dir = {data:?}\n[status]\nlisten = \"127.0.0.1:0\"\n{more}",
            data = directory.display().to_string(),
        );
        let config = Config::from_toml(&text, &directory.join("agent.toml")).expect("settings");
        let buffer = config.buffer();
        let agent = Agent::load(config, clock).await.expect("the agent loads");
        let handle = agent.handle();
        let cancel = CancellationToken::new();
        let task = AbortOnDropHandle::new(tokio::spawn(agent.run(cancel.clone())));
        Self {
            handle,
            buffer,
            cancel,
            task,
        }
    }

    pub(super) fn view(&self, name: &str) -> CameraView {
        let views = self.handle.site.views();
        let view = views.into_iter().find(|view| view.name == name);
        view.expect("the camera is configured")
    }

    /// `/api/status`, as a program reads it.
    pub(super) async fn status(&self) -> Value {
        serde_json::from_str(&self.page("/api/status").await).expect("JSON")
    }

    /// What `/api/status` says of one camera.
    pub(super) async fn camera(&self, name: &str) -> Value {
        let status = self.status().await;
        let cameras = status["cameras"].as_array().cloned().unwrap_or_default();
        let camera = cameras.into_iter().find(|camera| camera["name"] == name);
        camera.expect("the camera is configured")
    }

    pub(super) async fn page(&self, path: &str) -> String {
        let address = self.handle.status_address.expect("a health page");
        let answer = reqwest::get(format!("http://{address}{path}")).await;
        let answer = answer.expect("the health page answers");
        assert!(answer.status().is_success(), "{}", answer.status());
        answer.text().await.expect("text")
    }

    /// What a thorough look at everything it holds says, after an orderly stop.
    pub(super) async fn stop_and_audit(self) -> Audit {
        self.cancel.cancel();
        let ended = self.task.await.expect("no fault in what holds it together");
        ended.expect("an orderly stop");
        let inspection = Inspection::open(self.buffer).expect("an index");
        let audit = inspection.audit(None, WallTime::MIN, SystemClock::new().wall());
        audit.expect("an audit")
    }
}
