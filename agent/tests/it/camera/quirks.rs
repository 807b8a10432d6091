//! Cameras that are odder than the simulator can be: a proxy in front of it changes what both sides
//! say. Each test is a quirk met in the field.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use camera_sim::{Audio, CameraConfig, Rendition, Simulator};
use cctv_agent::camera::quirks::Quirk;
use cctv_agent::camera::source::Source;
use shared::segment::StreamKind;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;
use tokio_util::task::AbortOnDropHandle;

use super::{Pull, assert_faithful, kinds, simulate, small};

/// What becomes of a request.
enum Fate {
    Forward,
    /// Nobody hears of it.
    Swallow,
    /// Answered with this status by the proxy.
    Refuse(&'static str),
}

/// How a camera is odd.
struct Oddity {
    fate: fn(&str) -> Fate,
    /// Replaced in the answers up to PLAY; of equal length, so that lengths stay right.
    rewrite: (&'static [u8], &'static [u8]),
    /// Sent once, by the first session, behind the answer to PLAY.
    ghost: Option<Vec<u8>>,
}

impl Default for Oddity {
    fn default() -> Self {
        Self {
            fate: |_| Fate::Forward,
            rewrite: (b"", b""),
            ghost: None,
        }
    }
}

struct Proxy {
    address: SocketAddr,
    _task: AbortOnDropHandle<()>,
}

impl Proxy {
    async fn before(simulator: &Simulator, oddity: Oddity) -> Self {
        let camera = simulator.address();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let ghost = Arc::new(Mutex::new(oddity.ghost));
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Ok(server) = TcpStream::connect(camera).await else {
                    continue;
                };
                let (from_client, to_client) = client.into_split();
                let (from_server, to_server) = server.into_split();
                let to_client = Arc::new(Mutex::new(to_client));
                let requests =
                    requests(from_client, to_server, Arc::clone(&to_client), oddity.fate);
                let answers = answers(from_server, to_client, oddity.rewrite, Arc::clone(&ghost));
                tokio::spawn(async move {
                    tokio::select! {
                        _ = requests => {}
                        _ = answers => {}
                    }
                });
            }
        });
        Self {
            address,
            _task: AbortOnDropHandle::new(task),
        }
    }

    fn pull(&self, simulator: &Simulator) -> Pull {
        let mut url = simulator.url("cam", Rendition::Main);
        url.set_port(Some(self.address.port())).expect("a port");
        let source = Source::new(url, None).expect("a source");
        Pull::of(source, StreamKind::Main, simulator.clock())
    }
}

async fn requests(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    back: Arc<Mutex<OwnedWriteHalf>>,
    fate: fn(&str) -> Fate,
) -> Option<()> {
    let mut buffer = Vec::new();
    loop {
        while let Some(end) = find(&buffer, b"\r\n\r\n") {
            let request: Vec<u8> = buffer.drain(..end + 4).collect();
            let text = String::from_utf8_lossy(&request).into_owned();
            match fate(&text) {
                Fate::Forward => to.write_all(&request).await.ok()?,
                Fate::Swallow => {}
                Fate::Refuse(status) => {
                    let number = text.lines().find(|line| line.starts_with("CSeq"))?;
                    let answer = format!("RTSP/1.0 {status}\r\n{number}\r\n\r\n");
                    back.lock().await.write_all(answer.as_bytes()).await.ok()?;
                }
            }
        }
        if from.read_buf(&mut buffer).await.ok()? == 0 {
            return None;
        }
    }
}

async fn answers(
    mut from: OwnedReadHalf,
    to: Arc<Mutex<OwnedWriteHalf>>,
    rewrite: (&'static [u8], &'static [u8]),
    ghost: Arc<Mutex<Option<Vec<u8>>>>,
) -> Option<()> {
    // The simulator writes an answer at once, so it is read at once.
    let mut buffer = Vec::with_capacity(1 << 16);
    let mut playing = false;
    while from.read_buf(&mut buffer).await.ok()? > 0 {
        let mut chunk = std::mem::replace(&mut buffer, Vec::with_capacity(1 << 16));
        if !playing {
            if let Some(at) = find(&chunk, rewrite.0).filter(|_| !rewrite.0.is_empty()) {
                chunk[at..at + rewrite.0.len()].copy_from_slice(rewrite.1);
            }
            if let (Some(_), Some(end)) = (find(&chunk, b"RTP-Info"), find(&chunk, b"\r\n\r\n")) {
                playing = true;
                let packet = ghost.lock().await.take().unwrap_or_default();
                chunk.splice(end + 4..end + 4, packet);
            }
        }
        to.lock().await.write_all(&chunk).await.ok()?;
    }
    None
}

fn find(data: &[u8], what: &[u8]) -> Option<usize> {
    data.windows(what.len().max(1))
        .position(|window| window == what)
}

#[tokio::test(flavor = "multi_thread")]
async fn sound_that_cannot_be_set_up_does_not_stop_the_video() {
    let simulator = simulate([CameraConfig {
        audio: Audio::Pcma,
        ..small("cam")
    }])
    .await;
    let oddity = Oddity {
        fate: |request| match request.starts_with("SETUP") && request.contains("trackID=1") {
            true => Fate::Refuse("500 Internal Server Error"),
            false => Fate::Forward,
        },
        ..Oddity::default()
    };
    let proxy = Proxy::before(&simulator, oddity).await;
    let mut pull = proxy.pull(&simulator);
    let run = pull.run().await;
    assert!(run.parameters.audio.is_none());
    assert_faithful(&pull.pictures(15).await, 150);
    let status = pull.stream.status().borrow().clone();
    assert!(status.quirks.has(Quirk::BrokenSound), "{:?}", status.quirks);
}

#[tokio::test(flavor = "multi_thread")]
async fn sound_of_an_unknown_kind_does_not_stop_the_video() {
    let simulator = simulate([CameraConfig {
        audio: Audio::Pcma,
        ..small("cam")
    }])
    .await;
    let oddity = Oddity {
        rewrite: (b"PCMA/8000", b"SPEEX/800"),
        ..Oddity::default()
    };
    let proxy = Proxy::before(&simulator, oddity).await;
    let mut pull = proxy.pull(&simulator);
    let run = pull.run().await;
    assert!(run.parameters.audio.is_none());
    assert_faithful(&pull.pictures(15).await, 150);
    assert!(!kinds(&pull.seen).contains("down"), "{}", kinds(&pull.seen));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_packet_of_a_session_long_gone_costs_one_session_and_is_remembered() {
    let simulator = simulate([small("cam")]).await;
    // Interleaved on channel 0: an RTP packet with an SSRC of its own.
    let mut ghost = vec![b'$', 0, 0, 14];
    ghost.extend_from_slice(&[
        0x80, 96, 0, 1, 0, 0, 0, 1, 0xde, 0xad, 0xbe, 0xef, 0x01, 0x00,
    ]);
    let oddity = Oddity {
        ghost: Some(ghost),
        ..Oddity::default()
    };
    let proxy = Proxy::before(&simulator, oddity).await;
    let mut pull = proxy.pull(&simulator);
    let (_, detail) = pull.down().await;
    assert!(detail.contains("an earlier session"), "{detail}");
    let waited = tokio::time::timeout(Duration::from_secs(5), pull.pictures(10)).await;
    assert_faithful(&waited.expect("the next session is tried at once"), 150);
    let status = pull.stream.status().borrow().clone();
    assert!(status.quirks.has(Quirk::StaleSession));
    assert_eq!(status.sessions, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_camera_that_never_answers_keep_alives_is_pulled_on() {
    let simulator = simulate([small("cam")]).await;
    let oddity = Oddity {
        // Keep-alives go out every two seconds; the camera itself would wait a minute.
        rewrite: (b"timeout=60", b"timeout=04"),
        fate: |request| match request.starts_with("OPTIONS") || request.starts_with("GET_") {
            true => Fate::Swallow,
            false => Fate::Forward,
        },
        ..Oddity::default()
    };
    let proxy = Proxy::before(&simulator, oddity).await;
    let mut pull = proxy.pull(&simulator);
    assert_faithful(&pull.pictures(120).await, 150);
    let status = pull.stream.status().borrow().clone();
    assert!(
        status.quirks.has(Quirk::SilentKeepAlive),
        "{:?}",
        status.quirks
    );
    assert_eq!(status.sessions, 1, "{}", kinds(&pull.seen));
}
