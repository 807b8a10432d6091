//! One viewer: its connection, and what it is sent from a feed. A task of its own, so that a viewer who
//! is slow, loses packets or vanishes is nobody else's matter.
//!
//! All that it holds is bounded: the feed keeps its place and lets it skip, datagrams wait in a short
//! queue, and what left is remembered for a few seconds.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use rtc::peer_connection::RTCPeerConnection;
use rtc::peer_connection::event::RTCPeerConnectionEvent;
use rtc::peer_connection::message::{RTCMessage, TaggedRTCMessage};
use rtc::peer_connection::state::RTCPeerConnectionState;
use rtc::rtcp;
use rtc::rtcp::payload_feedbacks::full_intra_request::FullIntraRequest;
use rtc::rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use rtc::rtcp::transport_feedbacks::transport_layer_nack::TransportLayerNack;
use rtc::rtp::Packet;
use rtc::sansio::Protocol as _;
use rtc::shared::{TaggedBytesMut, TransportContext, TransportProtocol};
use shared::codec::{AudioCodec, VideoCodec};
use shared::id::RunId;
use shared::time::{Ticks90k, WallTime};
use tokio::time::{Instant, sleep_until};

use super::feedback::Reports;
use super::negotiation::{Negotiated, Reachable};
use super::outgoing::{Outgoing, timestamp};
use super::packets::{self, MAX_PAYLOAD};
use super::port::{Inbound, Over, Port, Registration};
use super::tally::Tally;
use super::tcp::Sink;
use crate::services::live_hub::{Event, Picture, Sound, Watch};

/// How long a viewer may take to come after it was answered.
const ARRIVAL: Duration = Duration::from_secs(15);
/// How often the connection is looked after when nothing happens.
const LOOK: Duration = Duration::from_secs(1);
/// Packets in one go; then others have their turn, also on the way: a kept GOP is hundreds.
const BURST: usize = 128;
const PAUSE: Duration = Duration::from_millis(4);
/// A viewer who cannot decode is not begun with anew more often than this.
const AGAIN: Duration = Duration::from_millis(500);
/// How often a viewer is told which moment a picture and a sound belong to.
const REPORT: Duration = Duration::from_secs(2);
/// TCP connections of one viewer.
const SINKS: usize = 4;
/// Datagrams looked at before something is sent again.
const READ_AT_ONCE: usize = 32;

/// Why a viewer is not sent to any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum End {
    /// It was answered and never came.
    NeverCame,
    /// It ended the connection.
    Left,
    /// Nothing came from it any more.
    Vanished,
    /// There will be no more pictures, or none that it can take.
    NoMore,
}

pub(super) struct Peer {
    connection: RTCPeerConnection,
    reports: Reports,
    port: Arc<Port>,
    registration: Registration,
    reachable: Reachable,
    watch: Watch,
    tally: Arc<Tally>,
    video: Outgoing,
    audio: Option<Voice>,
    anchor: Option<Anchor>,
    sinks: HashMap<SocketAddr, Sink>,
    connected: bool,
    end: Option<End>,
    /// Packets since the last pause, and until when it lasts.
    burst: usize,
    pause: Instant,
    began_again: Option<Instant>,
    reported: Option<Instant>,
}

/// Sound, and the times of the run that it belongs to.
struct Voice {
    codec: AudioCodec,
    outgoing: Outgoing,
    /// A sound of the run: where it lies in the run, and in RTP.
    base: Option<(RunId, i64, u32)>,
}

/// A moment of a run.
#[derive(Clone, Copy)]
struct Anchor {
    run: RunId,
    pts: Ticks90k,
    wall: WallTime,
}

impl Peer {
    pub(super) fn new(
        negotiated: Negotiated,
        port: Arc<Port>,
        registration: Registration,
        reachable: Reachable,
        watch: Watch,
        tally: Arc<Tally>,
    ) -> Self {
        let now = Instant::now();
        // Half the numbers are left until they begin anew, as RFC 3711 section 3.3.1 advises.
        let first = || rand::random::<u16>() >> 1;
        let voice = |(codec, label)| Voice {
            codec,
            outgoing: Outgoing::new(label, first()),
            base: None,
        };
        Self {
            connection: negotiated.connection,
            reports: negotiated.reports,
            port,
            registration,
            reachable,
            watch,
            tally,
            video: Outgoing::new(negotiated.video, first()),
            audio: negotiated.audio.map(voice),
            anchor: None,
            sinks: HashMap::new(),
            connected: false,
            end: None,
            burst: 0,
            pause: now,
            began_again: None,
            reported: None,
        }
    }

    /// Until the viewer or the feed has gone. Dropped before, it leaves without a word.
    pub(super) async fn run(&mut self) -> End {
        let arrival = Instant::now() + ARRIVAL;
        loop {
            self.flush().await;
            self.look(arrival);
            if let Some(end) = self.end {
                return end;
            }
            let due = self.due(arrival);
            tokio::select! {
                biased;
                inbound = self.registration.inbox.recv() => {
                    if let Some(inbound) = inbound {
                        self.read(inbound);
                    }
                    for _ in 0..READ_AT_ONCE {
                        let Ok(inbound) = self.registration.inbox.try_recv() else { break };
                        self.read(inbound);
                    }
                }
                () = sleep_until(due) => {
                    if let Err(error) = self.connection.handle_timeout(Instant::now().into_std()) {
                        tracing::debug!(%error, "a viewer's connection could not go on");
                        self.end = Some(End::Vanished);
                    }
                }
                event = self.watch.next(), if self.connected && self.pause <= Instant::now() => {
                    match event {
                        Some(event) => self.send(event),
                        None => self.end = Some(End::NoMore),
                    }
                }
            }
        }
    }

    /// Says goodbye (a `close_notify` of DTLS), so that the viewer need not wait for silence.
    pub(super) async fn close(&mut self) {
        if let Err(error) = self.connection.close() {
            tracing::debug!(%error, "a viewer's connection could not be closed");
        }
        self.flush().await;
    }

    fn due(&mut self, arrival: Instant) -> Instant {
        let now = Instant::now();
        let wanted = self.connection.poll_timeout().map(Instant::from_std);
        if self.connected {
            // It would like to be asked five times a second, for nothing.
            let due = wanted.map_or(now + LOOK, |due| due.max(now + LOOK));
            return if self.pause > now { self.pause } else { due };
        }
        wanted.map_or(arrival, |due| due.min(arrival))
    }

    /// What has become of the connection.
    fn look(&mut self, arrival: Instant) {
        while let Some(event) = self.connection.poll_event() {
            let RTCPeerConnectionEvent::OnConnectionStateChangeEvent(state) = event else {
                continue;
            };
            match state {
                RTCPeerConnectionState::Connected if !self.connected => {
                    self.connected = true;
                    self.watch.again();
                }
                RTCPeerConnectionState::Failed => self.end = Some(End::Vanished),
                RTCPeerConnectionState::Closed => self.end = Some(End::Left),
                _ => {}
            }
        }
        if !self.connected && Instant::now() >= arrival {
            self.end = Some(End::NeverCame);
        }
        // Viewers send us nothing but reports; whatever else it is goes.
        while self.connection.poll_read().is_some() {}
        while let Ok(report) = self.reports.try_recv() {
            self.heed(report.as_ref());
        }
    }

    fn read(&mut self, inbound: Inbound) {
        let (protocol, ours) = match &inbound.over {
            Over::Udp => (TransportProtocol::UDP, &self.reachable.udp),
            Over::Tcp(_) => (TransportProtocol::TCP, &self.reachable.tcp),
        };
        // Whichever of our addresses it came to: one of the family stands for all of them.
        let alike = |address: &&SocketAddr| address.is_ipv4() == inbound.from.is_ipv4();
        let Some(local_addr) = ours.iter().find(alike).copied() else {
            return;
        };
        if let Over::Tcp(sink) = inbound.over
            && (self.sinks.len() < SINKS || self.sinks.contains_key(&inbound.from))
        {
            self.sinks.insert(inbound.from, sink);
        }
        let message = TaggedBytesMut {
            now: Instant::now().into_std(),
            transport: TransportContext {
                local_addr,
                peer_addr: inbound.from,
                ecn: None,
                transport_protocol: protocol,
            },
            message: inbound.data,
        };
        if let Err(error) = self.connection.handle_read(message) {
            tracing::debug!(%error, "a viewer sent what cannot be read");
        }
    }

    /// What the viewer says about what it got.
    fn heed(&mut self, packet: &dyn rtcp::Packet) {
        let packet = packet.as_any();
        if let Some(lost) = packet.downcast_ref::<TransportLayerNack>() {
            if lost.media_ssrc == self.video.label().ssrc {
                let numbers = lost.nacks.iter().flat_map(|pair| *pair);
                let again: Vec<_> = numbers
                    .filter_map(|number| self.video.again(number))
                    .collect();
                self.tally.sent_again(again.len());
                again.into_iter().for_each(|packet| self.put(packet));
            }
        } else if packet.is::<PictureLossIndication>() || packet.is::<FullIntraRequest>() {
            let now = Instant::now();
            if self.began_again.is_none_or(|before| now >= before + AGAIN) {
                self.began_again = Some(now);
                self.watch.again();
                self.tally.began_again();
            }
        }
    }

    fn send(&mut self, event: Event) {
        match event {
            Event::Picture(picture) => self.picture(&picture),
            Event::Sound(sound) => self.sound(&sound),
            // The page is told by the hub; here pictures just stop, or go on with a sync picture.
            Event::Down(_) => {}
            Event::Skipped => self.tally.skipped(),
        }
        if self.burst >= BURST {
            self.burst = 0;
            self.pause = Instant::now() + PAUSE;
        }
    }

    fn picture(&mut self, picture: &Picture) {
        let parameters = &picture.run.parameters.video;
        if parameters.codec != VideoCodec::H264 {
            self.end = Some(End::NoMore);
            return;
        }
        // Browsers show pictures in the order in which they come (B pictures are for MP4).
        let before = self
            .anchor
            .filter(|anchor| anchor.run == picture.run.id && !picture.sync);
        if before.is_some_and(|before| picture.pts < before.pts) {
            self.end = Some(End::NoMore);
            return;
        }
        let payloads = picture.packets.get_or_init(|| {
            packets::payloads(&parameters.config, &picture.payload, picture.sync).into()
        });
        let taken = timestamp(picture.wall, self.video.label().clock_rate);
        // Within a run only what is sent again goes back; between runs the site's clock may have.
        let same = self.anchor.filter(|anchor| anchor.run == picture.run.id);
        let time = same.map_or(taken, |_| self.video.onwards(taken));
        let last = payloads.len().saturating_sub(1);
        for (index, payload) in payloads.iter().enumerate() {
            let packet = self.video.packet(time, index == last, payload.clone());
            self.put(packet);
        }
        self.anchor = Some(Anchor {
            run: picture.run.id,
            pts: picture.pts,
            wall: picture.wall,
        });
        let now = Instant::now();
        if time == taken && self.reported.is_none_or(|before| now >= before + REPORT) {
            self.reported = Some(now);
            self.report(picture.wall, time);
        }
    }

    fn report(&mut self, wall: WallTime, time: u32) {
        let report: Box<dyn rtcp::Packet> = Box::new(self.video.report(wall, time));
        self.write(RTCMessage::RtcpPacket(String::new(), vec![report]));
    }

    fn sound(&mut self, sound: &Sound) {
        let Some(voice) = &mut self.audio else { return };
        let parameters = sound.run.parameters.audio.as_ref();
        let Some(parameters) = parameters.filter(|found| found.codec == voice.codec) else {
            return;
        };
        // Its moment follows from a picture's; there is none yet where sound comes first.
        let Some(anchor) = self.anchor.filter(|anchor| anchor.run == sound.run.id) else {
            return;
        };
        let rate = i64::from(parameters.sample_rate.max(1));
        let micros = |ticks: i64| ticks.saturating_mul(1_000_000) / rate;
        let after = micros(sound.start).saturating_sub(anchor.pts.to_micros());
        let wall = anchor.wall.offset_micros(after);
        let (start, time) = match voice.base {
            Some((run, start, time)) if run == sound.run.id => (start, time),
            _ => {
                let time = timestamp(wall, voice.outgoing.label().clock_rate);
                voice.base = Some((sound.run.id, sound.start, time));
                (sound.start, time)
            }
        };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "time in RTP begins anew"
        )]
        let mut time = time.wrapping_add(sound.start.wrapping_sub(start) as u32);
        for piece in pieces(voice.codec, &sound.payload) {
            let length = u32::try_from(piece.len()).unwrap_or(0);
            let packet = voice.outgoing.packet(time, false, piece);
            // A sample of G.711 is a byte.
            time = time.wrapping_add(length);
            self.burst += 1;
            self.tally.sent(packet.payload.len());
            let message = RTCMessage::RtpPacket(String::new(), packet);
            write(&mut self.connection, message);
        }
    }

    fn put(&mut self, packet: Packet) {
        self.burst += 1;
        self.tally.sent(packet.payload.len());
        self.write(RTCMessage::RtpPacket(String::new(), packet));
    }

    fn write(&mut self, message: RTCMessage) {
        write(&mut self.connection, message);
    }

    /// Lets out what the connection has to say.
    async fn flush(&mut self) {
        let mut packets: Vec<BytesMut> = Vec::new();
        let mut to = None;
        while let Some(outbound) = self.connection.poll_write() {
            let transport = &outbound.transport;
            let next = (transport.peer_addr, transport.transport_protocol);
            if let Some(to) = to.replace(next)
                && to != next
            {
                self.transmit(to, std::mem::take(&mut packets)).await;
            }
            packets.push(outbound.message);
        }
        if let Some(to) = to {
            self.transmit(to, packets).await;
        }
    }

    async fn transmit(
        &mut self,
        (to, protocol): (SocketAddr, TransportProtocol),
        packets: Vec<BytesMut>,
    ) {
        // The connection writes only where it was written to by somebody who knows its password.
        if protocol == TransportProtocol::UDP {
            self.registration.answers_at(to);
            let sent = self.port.send(to, &packets).await;
            self.tally.lost(packets.len().saturating_sub(sent));
            return;
        }
        let Some(sink) = self.sinks.get(&to).cloned() else {
            return;
        };
        for packet in packets {
            if sink.send(packet).await.is_none() {
                self.sinks.remove(&to);
                return;
            }
        }
    }
}

fn write(connection: &mut RTCPeerConnection, message: RTCMessage) {
    let now = Instant::now().into_std();
    if let Err(error) = connection.handle_write(TaggedRTCMessage { now, message }) {
        tracing::debug!(%error, "a packet for a viewer could not be sealed");
    }
}

/// Sound in packets: a frame of Opus is one, samples of G.711 are as many as it takes.
fn pieces(codec: AudioCodec, payload: &Bytes) -> Vec<Bytes> {
    match codec {
        AudioCodec::Pcma | AudioCodec::Pcmu => (0..payload.len())
            .step_by(MAX_PAYLOAD)
            .map(|start| payload.slice(start..payload.len().min(start + MAX_PAYLOAD)))
            .collect(),
        AudioCodec::Opus | AudioCodec::Aac if payload.len() <= MAX_PAYLOAD => vec![payload.clone()],
        AudioCodec::Opus | AudioCodec::Aac => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_stretches_of_g711_are_cut_and_opus_is_not() {
        let long = Bytes::from(vec![7; 2 * MAX_PAYLOAD + 5]);
        let lengths = |codec| {
            let pieces = pieces(codec, &long);
            pieces.iter().map(Bytes::len).collect::<Vec<_>>()
        };
        assert_eq!(lengths(AudioCodec::Pcmu), [MAX_PAYLOAD, MAX_PAYLOAD, 5]);
        assert!(lengths(AudioCodec::Opus).is_empty());
        assert_eq!(pieces(AudioCodec::Opus, &long.slice(..100)).len(), 1);
    }
}
