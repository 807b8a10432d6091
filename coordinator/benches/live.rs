//! What a viewer by WebRTC costs the coordinator: `cargo bench -p cctv-coordinator --bench live`, or with
//! a number of viewers and their bit/s behind `--` for one run only.
//!
//! Viewers run in a process of their own; what is measured is the CPU time of this one, which cuts,
//! seals and sends, and on loopback also pays for the kernel's half of the receiving. Every twentieth
//! viewer decrypts what it gets and looks for holes; the others only count.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use cctv_coordinator::services::live_hub::{Event, Feed, Picture, Run};
use cctv_coordinator::webrtc::{Offer, Settings, Viewers, Wanted};
use rtc::ice::mdns::MulticastDnsMode;
use rtc::peer_connection::configuration::media_engine::MediaEngine;
use rtc::peer_connection::configuration::setting_engine::SettingEngineBuilder;
use rtc::peer_connection::event::RTCPeerConnectionEvent;
use rtc::peer_connection::message::RTCMessage;
use rtc::peer_connection::sdp::RTCSessionDescription;
use rtc::peer_connection::state::RTCPeerConnectionState;
use rtc::peer_connection::transport::RTCIceCandidateInit;
use rtc::peer_connection::{RTCPeerConnection, RTCPeerConnectionBuilder};
use rtc::rtp_transceiver::rtp_sender::RtpCodecKind;
use rtc::rtp_transceiver::{RTCRtpTransceiverDirection, RTCRtpTransceiverInit};
use rtc::sansio::Protocol as _;
use rtc::shared::{TaggedBytesMut, TransportContext, TransportProtocol};
use shared::clock::{Clock as _, SystemClock};
use shared::id::{RunId, UserId};
use shared::testing;
use shared::time::{Ticks90k, WallTime};
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::time::{Instant, interval, sleep_until};
use tokio_util::sync::CancellationToken;

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const FPS: u64 = 25;
const GOP: u64 = 50;
/// A sync picture is so many times as large as others.
const SYNC: u64 = 6;
const MEASURED: Duration = Duration::from_secs(10);
/// Until the viewers' first GOP has been sent and the clocks of the CPU have risen.
const SETTLING: Duration = Duration::from_secs(5);
const DECRYPTING: usize = 20;
const VIEWERS: &str = "viewers";

fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let numbers: Vec<u64> = arguments
        .iter()
        .filter_map(|text| text.parse().ok())
        .collect();
    if arguments.first().is_some_and(|first| first == VIEWERS) {
        runtime().block_on(be_viewers(
            numbers.first().map_or(1, |count| *count as usize),
        ));
        return;
    }
    match numbers.as_slice() {
        [viewers, bits] => runtime().block_on(measure(*viewers as usize, *bits)),
        _ => {
            for (viewers, bits) in [(50, 2_000_000), (200, 2_000_000), (1_000, 250_000)] {
                runtime().block_on(measure(viewers, bits));
            }
        }
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Runtime::new().expect("a runtime")
}

// ---- The coordinator's side ------------------------------------------------------------------------------------------

async fn measure(count: usize, bits: u64) {
    let clock = Arc::new(SystemClock::new());
    let settings = Settings {
        listen: (HERE, 0).into(),
        tcp_listen: None,
        public_addresses: Vec::new(),
        socket_buffer_bytes: 64 << 20,
        sessions: count,
        sessions_per_person: count,
    };
    let viewers = Viewers::bind(settings, clock.clone())
        .await
        .expect("a port");
    let stop = CancellationToken::new();
    let serving = tokio::spawn({
        let (viewers, stop) = (viewers.clone(), stop.clone());
        async move { viewers.run(stop).await }
    });
    let feed = Arc::new(Feed::new());
    let publishing = tokio::spawn(publish(feed.clone(), bits));
    let (mut load, mut input, mut lines) = start_load(count);
    let holder = UserId::new(clock.wall());
    let wanted = Wanted::of(&testing::parameters()).expect("H.264");
    let mut connected = 0;
    while connected < count {
        let line = lines.recv().await.expect("the viewers ended");
        let Some(offer) = line.strip_prefix("offer ") else {
            connected += usize::from(line == "connected");
            continue;
        };
        let offer: String = serde_json::from_str(offer).expect("an offer");
        let offer = Offer::read(&offer).expect("an offer");
        let (watch, pending) = (feed.watch(), std::future::pending());
        let answered = viewers.open((holder, HERE), &offer, wanted, watch, pending);
        let answer = serde_json::to_string(&answered.expect("an answer").answer);
        writeln!(input, "{}", answer.expect("a string")).expect("the viewers listen");
    }
    tokio::time::sleep(SETTLING).await;
    let (before, cpu) = (viewers.tally().counted(), cpu_time());
    let begun = Instant::now();
    writeln!(input, "count").expect("the viewers listen");
    tokio::time::sleep(MEASURED).await;
    let (after, cpu) = (viewers.tally().counted(), cpu_time().saturating_sub(cpu));
    writeln!(input, "count").expect("the viewers listen");
    let elapsed = begun.elapsed().as_secs_f64();
    let mut counts = Vec::new();
    while counts.len() < 2 {
        let line = lines.recv().await.expect("the viewers ended");
        if let Some(count) = line.strip_prefix("count ") {
            counts.push(
                count
                    .split(' ')
                    .filter_map(|n| n.parse::<u64>().ok())
                    .collect::<Vec<_>>(),
            );
        }
    }
    let received = counts[1][0] - counts[0][0];
    let sent = after.packets - before.packets;
    let viewer_seconds = elapsed * count as f64;
    let each = cpu.as_secs_f64() * 1e3 / viewer_seconds;
    let rate = (after.bytes - before.bytes) as f64 * 8.0 / viewer_seconds / 1e3;
    show(&format!(
        "{count} viewers at {rate:.0} kbit/s: {each:.2} ms CPU each a second, {:.0} viewers per core; sent {sent} packets, \
         received {received}, {} decrypted, {} holes in them; sent again {}",
        1e3 / each,
        counts[1][1] - counts[0][1],
        counts[1][2] - counts[0][2],
        after.packets_again - before.packets_again,
    ));
    publishing.abort();
    stop.cancel();
    let _ = load.kill();
    let _ = load.wait();
    serving.await.expect("the ports end");
}

/// A camera of random bytes, `bits` a second.
async fn publish(feed: Arc<Feed>, bits: u64) {
    let bytes = bits / 8 * GOP / FPS / (GOP - 1 + SYNC);
    let run = Arc::new(Run {
        id: RunId::new(WallTime::from_secs(1)),
        parameters: testing::parameters(),
    });
    let clock = SystemClock::new();
    let mut ticks = interval(Duration::from_millis(1_000 / FPS));
    for number in 0_u64.. {
        ticks.tick().await;
        let sync = number % GOP == 0;
        let size = usize::try_from(if sync { bytes * SYNC } else { bytes })
            .unwrap_or(1)
            .max(2);
        let mut payload = Vec::with_capacity(size + 4);
        payload.extend(u32::try_from(size).unwrap_or(0).to_be_bytes());
        payload.push(if sync { 0x65 } else { 0x41 });
        payload.extend((1..size).map(|at| (at as u64 * 31 + number) as u8));
        let ticks = Ticks90k::from_millis(i64::try_from(number * 1_000 / FPS).unwrap_or(0));
        feed.publish(Event::Picture(Arc::new(Picture {
            run: run.clone(),
            pts: ticks,
            dts: ticks,
            wall: clock.wall(),
            sync,
            payload: Bytes::from(payload),
            packets: OnceLock::new(),
        })));
    }
}

fn start_load(count: usize) -> (Child, ChildStdin, mpsc::UnboundedReceiver<String>) {
    let program = std::env::current_exe().expect("this program");
    let mut child = Command::new(program)
        .args([VIEWERS, &count.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the viewers start");
    let input = child.stdin.take().expect("piped");
    let output = child.stdout.take().expect("piped");
    let (sender, lines) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    (child, input, lines)
}

/// Of this process, user and system.
fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    let fields = stat.rsplit(") ").next().unwrap_or_default().split(' ');
    let ticks: u64 = fields
        .skip(11)
        .take(2)
        .filter_map(|n| n.parse::<u64>().ok())
        .sum();
    // USER_HZ is 100 on every Linux.
    Duration::from_millis(ticks * 10)
}

// ---- The viewers' side -----------------------------------------------------------------------------------------------

#[derive(Default)]
struct Count {
    packets: AtomicU64,
    decrypted: AtomicU64,
    holes: AtomicU64,
}

async fn be_viewers(count: usize) {
    let (sender, mut answers) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    let total = Arc::<Count>::default();
    for number in 0..count {
        let mut viewer = Viewer::new(number % DECRYPTING == 0, total.clone()).await;
        let offer = serde_json::to_string(&viewer.offer()).expect("a string");
        show(&format!("offer {offer}"));
        let answer = answers.recv().await.expect("an answer");
        viewer.accept(&serde_json::from_str::<String>(&answer).expect("an answer"));
        let (connected, mut is_connected) = mpsc::unbounded_channel();
        tokio::spawn(async move { viewer.run(connected).await });
        is_connected.recv().await.expect("a connection");
        show("connected");
    }
    while let Some(line) = answers.recv().await {
        if line == "count" {
            let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
            show(&format!(
                "count {} {} {}",
                read(&total.packets),
                read(&total.decrypted),
                read(&total.holes)
            ));
        }
    }
}

struct Viewer {
    connection: RTCPeerConnection,
    socket: UdpSocket,
    address: SocketAddr,
    decrypts: bool,
    next: Option<u16>,
    total: Arc<Count>,
}

impl Viewer {
    async fn new(decrypts: bool, total: Arc<Count>) -> Self {
        let mut media = MediaEngine::default();
        media.register_default_codecs().expect("codecs");
        let settings = SettingEngineBuilder::new()
            .with_include_loopback_candidate(true)
            .with_multicast_dns_mode(MulticastDnsMode::Disabled)
            .build();
        let mut connection = RTCPeerConnectionBuilder::new()
            .with_media_engine(media)
            .with_setting_engine(settings)
            .build(std::time::Instant::now())
            .expect("a connection");
        let init = RTCRtpTransceiverInit {
            direction: RTCRtpTransceiverDirection::Recvonly,
            ..RTCRtpTransceiverInit::default()
        };
        let added = connection.add_transceiver_from_kind(RtpCodecKind::Video, Some(init));
        added.expect("a transceiver");
        let socket = UdpSocket::bind((HERE, 0)).await.expect("a socket");
        let address = socket.local_addr().expect("an address");
        Self {
            connection,
            socket,
            address,
            decrypts,
            next: None,
            total,
        }
    }

    fn offer(&mut self) -> String {
        let offer = self.connection.create_offer(None).expect("an offer");
        let now = std::time::Instant::now();
        self.connection
            .set_local_description(now, offer)
            .expect("an offer");
        let candidate = format!(
            "candidate:1 1 udp 2130706431 {} {} typ host",
            HERE,
            self.address.port()
        );
        let candidate = RTCIceCandidateInit {
            candidate,
            ..RTCIceCandidateInit::default()
        };
        self.connection
            .add_local_candidate(candidate)
            .expect("a candidate");
        self.connection.local_description().expect("an offer").sdp
    }

    fn accept(&mut self, answer: &str) {
        let answer = RTCSessionDescription::answer(answer.to_owned()).expect("an answer");
        let now = std::time::Instant::now();
        self.connection
            .set_remote_description(now, answer)
            .expect("an answer");
    }

    async fn run(mut self, connected: mpsc::UnboundedSender<()>) {
        let mut buffer = vec![0; 2_048];
        let mut due = Instant::now();
        loop {
            while let Some(out) = self.connection.poll_write() {
                let _ = self
                    .socket
                    .send_to(&out.message, out.transport.peer_addr)
                    .await;
            }
            while let Some(event) = self.connection.poll_event() {
                if matches!(
                    event,
                    RTCPeerConnectionEvent::OnConnectionStateChangeEvent(
                        RTCPeerConnectionState::Connected
                    )
                ) {
                    let _ = connected.send(());
                }
            }
            while let Some(message) = self.connection.poll_read() {
                if let RTCMessage::RtpPacket(_, packet) = message.message {
                    self.decrypted(packet.header.sequence_number);
                }
            }
            // Media alone is counted without bothering the connection.
            loop {
                let received = tokio::select! {
                    received = self.socket.recv_from(&mut buffer) => Some(received.expect("a datagram")),
                    () = sleep_until(due) => None,
                };
                let now = std::time::Instant::now();
                let Some((length, from)) = received else {
                    self.connection.handle_timeout(now).expect("time passes");
                    let wanted = self.connection.poll_timeout().map(Instant::from_std);
                    let soonest = Instant::now() + Duration::from_millis(20);
                    due = wanted.map_or(soonest, |wanted| wanted.max(soonest));
                    break;
                };
                let media = (128..192).contains(&buffer[0]) && !(192..224).contains(&buffer[1]);
                if media {
                    self.total.packets.fetch_add(1, Ordering::Relaxed);
                    if !self.decrypts {
                        continue;
                    }
                }
                let message = TaggedBytesMut {
                    now,
                    transport: TransportContext {
                        local_addr: self.address,
                        peer_addr: from,
                        ecn: None,
                        transport_protocol: TransportProtocol::UDP,
                    },
                    message: BytesMut::from(&buffer[..length]),
                };
                let _ = self.connection.handle_read(message);
                break;
            }
        }
    }

    fn decrypted(&mut self, number: u16) {
        self.total.decrypted.fetch_add(1, Ordering::Relaxed);
        if self.next.is_some_and(|next| next != number) {
            self.total.holes.fetch_add(1, Ordering::Relaxed);
        }
        self.next = Some(number.wrapping_add(1));
    }
}

fn show(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}
