//! A viewer on the `webrtc` crate: decrypts, asks again for what was lost, and puts pictures together.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use rtc::ice::network_type::NetworkType;
use rtc::rtp::codec::h264::H264Packet;
use rtc::rtp::packetizer::Depacketizer as _;
use rtc::rtp_transceiver::rtp_sender::RtpCodecKind;
use rtc::rtp_transceiver::{RTCRtpTransceiverDirection, RTCRtpTransceiverInit};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use webrtc::media_stream::track_remote::{TrackRemote, TrackRemoteEvent};
use webrtc::peer_connection::{
    MediaEngine, PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler,
    RTCConfiguration, RTCConfigurationBuilder, RTCIceCandidateInit, RTCIceGatheringState,
    RTCIceServer, RTCIceTransportPolicy, RTCPeerConnectionState, RTCSessionDescription, Registry,
    SettingEngineBuilder, register_default_interceptors,
};
use webrtc::runtime::TokioRuntime;

use crate::world::LIMIT;

pub(crate) type RtpPacket = rtc::rtp::Packet;

pub(crate) struct Viewer {
    connection: Box<dyn PeerConnection>,
    pub(crate) packets: mpsc::UnboundedReceiver<(RtpCodecKind, RtpPacket)>,
    tracks: mpsc::UnboundedReceiver<Arc<dyn TrackRemote>>,
    state: watch::Receiver<RTCPeerConnectionState>,
    gathered: watch::Receiver<bool>,
}

struct Handler {
    packets: mpsc::UnboundedSender<(RtpCodecKind, RtpPacket)>,
    tracks: mpsc::UnboundedSender<Arc<dyn TrackRemote>>,
    state: watch::Sender<RTCPeerConnectionState>,
    gathered: watch::Sender<bool>,
}

#[async_trait::async_trait]
impl PeerConnectionEventHandler for Handler {
    async fn on_ice_gathering_state_change(&self, state: RTCIceGatheringState) {
        if state == RTCIceGatheringState::Complete {
            self.gathered.send_replace(true);
        }
    }

    async fn on_connection_state_change(&self, state: RTCPeerConnectionState) {
        self.state.send_replace(state);
    }

    async fn on_track(&self, track: Arc<dyn TrackRemote>) {
        let kind = track.kind().await;
        let _ = self.tracks.send(track.clone());
        let packets = self.packets.clone();
        tokio::spawn(async move {
            while let Some(event) = track.poll().await {
                if let TrackRemoteEvent::OnRtpPacket(packet) = event {
                    let _ = packets.send((kind, packet));
                }
            }
        });
    }
}

/// How a viewer comes to the coordinator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Udp,
    Tcp,
}

impl Viewer {
    pub(crate) async fn new(way: Way) -> Self {
        Self::with(way, RTCConfiguration::default()).await
    }

    /// One who reaches the coordinator through this relay alone.
    pub(crate) async fn relayed(url: String, username: String, credential: String) -> Self {
        let server = RTCIceServer {
            urls: vec![url],
            username,
            credential,
        };
        let configuration = RTCConfigurationBuilder::new()
            .with_ice_servers(vec![server])
            .with_ice_transport_policy(RTCIceTransportPolicy::Relay)
            .build();
        Self::with(Way::Udp, configuration).await
    }

    async fn with(way: Way, configuration: RTCConfiguration) -> Self {
        let mut media = MediaEngine::default();
        media.register_default_codecs().unwrap();
        let registry = register_default_interceptors(Registry::new(), &mut media).unwrap();
        let network = match way {
            Way::Udp => NetworkType::Udp4,
            Way::Tcp => NetworkType::Tcp4,
        };
        let settings = SettingEngineBuilder::new()
            .with_network_types(vec![network])
            .with_include_loopback_candidate(true)
            .with_multicast_dns_mode(rtc::ice::mdns::MulticastDnsMode::Disabled)
            .build();
        let (packet_sender, packets) = mpsc::unbounded_channel();
        let (track_sender, tracks) = mpsc::unbounded_channel();
        let (state_sender, state) = watch::channel(RTCPeerConnectionState::New);
        let (gathered_sender, gathered) = watch::channel(false);
        let handler = Handler {
            packets: packet_sender,
            tracks: track_sender,
            state: state_sender,
            gathered: gathered_sender,
        };
        let builder = PeerConnectionBuilder::new()
            .with_configuration(configuration)
            .with_media_engine(media)
            .with_setting_engine(settings)
            .with_interceptor_registry(registry)
            .with_runtime(Arc::new(TokioRuntime))
            .with_handler(Arc::new(handler));
        let own = vec!["127.0.0.1:0".to_owned()];
        let builder = match way {
            Way::Udp => builder.with_udp_addrs(own),
            Way::Tcp => builder.with_tcp_addrs(own),
        };
        let connection: Box<dyn PeerConnection> = Box::new(builder.build().await.unwrap());
        for kind in [RtpCodecKind::Video, RtpCodecKind::Audio] {
            let init = RTCRtpTransceiverInit {
                direction: RTCRtpTransceiverDirection::Recvonly,
                ..RTCRtpTransceiverInit::default()
            };
            let added = connection.add_transceiver_from_kind(kind, Some(init));
            added.await.unwrap();
        }
        Self {
            connection,
            packets,
            tracks,
            state,
            gathered,
        }
    }

    pub(crate) async fn offer(&mut self) -> String {
        let offer = self.connection.create_offer(None).await.unwrap();
        self.connection.set_local_description(offer).await.unwrap();
        let gathered = self.gathered.wait_for(|gathered| *gathered);
        timeout(LIMIT, gathered).await.unwrap().unwrap();
        self.connection.local_description().await.unwrap().sdp
    }

    /// Candidates go in one by one: only so does this stack open TCP connections.
    pub(crate) async fn accept(&self, answer: &str) {
        let candidate = |line: &str| {
            line.strip_prefix("a=")
                .filter(|rest| rest.starts_with("candidate:"))
                .map(str::to_owned)
        };
        let rest: String = answer
            .lines()
            .filter(|line| candidate(line).is_none())
            .flat_map(|line| [line, "\r\n"])
            .collect();
        let description = RTCSessionDescription::answer(rest).unwrap();
        let connection = &self.connection;
        connection
            .set_remote_description(description)
            .await
            .unwrap();
        for candidate in answer.lines().filter_map(candidate) {
            let init = RTCIceCandidateInit {
                candidate,
                ..RTCIceCandidateInit::default()
            };
            connection.add_ice_candidate(init).await.unwrap();
        }
    }

    pub(crate) async fn reaches(&mut self, wanted: RTCPeerConnectionState) {
        let reached = self.state.wait_for(|state| *state == wanted);
        timeout(LIMIT, reached)
            .await
            .unwrap_or_else(|_| panic!("never {wanted}"))
            .unwrap();
    }

    /// The next packet of pictures.
    pub(crate) async fn packet(&mut self) -> RtpPacket {
        loop {
            let packet = timeout(LIMIT, self.packets.recv())
                .await
                .expect("nothing came");
            if let Some((RtpCodecKind::Video, packet)) = packet {
                return packet;
            }
        }
    }

    /// Says that nothing of what came can be decoded.
    pub(crate) async fn cannot_decode(&mut self) {
        let track = timeout(LIMIT, self.tracks.recv()).await.unwrap().unwrap();
        let loss = rtc::rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication {
            sender_ssrc: 0,
            media_ssrc: track.ssrcs().await[0],
        };
        track.write_rtcp(vec![Box::new(loss)]).await.unwrap();
    }

    pub(crate) async fn close(&self) {
        self.connection.close().await.unwrap();
    }
}

/// Pictures out of packets, however they are mixed up.
#[derive(Default)]
pub(crate) struct Pictures {
    waiting: BTreeMap<u64, RtpPacket>,
    next: Option<u64>,
}

/// One picture with the time in its packets.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) timestamp: u32,
    /// NAL units behind four-byte lengths.
    pub(crate) units: Vec<u8>,
}

impl Pictures {
    /// The first packet is the first of a picture.
    pub(crate) fn put(&mut self, packet: RtpPacket) -> Option<Received> {
        let near = self
            .next
            .unwrap_or_else(|| u64::from(packet.header.sequence_number) + (1 << 16));
        let number = u64::from(packet.header.sequence_number);
        // The number nearest to the one that is waited for.
        let number = [(near >> 16).saturating_sub(1), near >> 16, (near >> 16) + 1]
            .map(|high| (high << 16) | number)
            .into_iter()
            .min_by_key(|candidate| candidate.abs_diff(near))?;
        let next = *self.next.get_or_insert(number);
        if number >= next {
            self.waiting.insert(number, packet);
        }
        let mut end = next;
        while let Some(packet) = self.waiting.get(&end) {
            end += 1;
            if packet.header.marker {
                return Some(self.take(end));
            }
        }
        None
    }

    fn take(&mut self, end: u64) -> Received {
        let rest = self.waiting.split_off(&end);
        let packets = std::mem::replace(&mut self.waiting, rest);
        self.next = Some(end);
        let mut depacketizer = H264Packet::default();
        depacketizer.is_avc = true;
        let timestamp = packets
            .values()
            .next()
            .map_or(0, |packet| packet.header.timestamp);
        let units = packets.values().flat_map(|packet| {
            assert_eq!(packet.header.timestamp, timestamp, "two pictures in one");
            let payload: Bytes = packet.payload.clone();
            depacketizer.depacketize(&payload).unwrap()
        });
        let units = units.collect();
        Received { timestamp, units }
    }
}
