//! What a viewer offers (SDP, RFC 8866) and what it is answered: which codecs, which of our addresses,
//! and the connection that comes of it. Nothing is sent or received here.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rtc::ice::mdns::MulticastDnsMode;
use rtc::interceptor::{Registry, Slot};
use rtc::media_stream::MediaStreamTrack;
use rtc::peer_connection::configuration::media_engine::{
    MIME_TYPE_H264, MIME_TYPE_OPUS, MIME_TYPE_PCMA, MIME_TYPE_PCMU, MediaEngine,
};
use rtc::peer_connection::configuration::setting_engine::SettingEngineBuilder;
use rtc::peer_connection::sdp::RTCSessionDescription;
use rtc::peer_connection::transport::RTCIceCandidateInit;
use rtc::peer_connection::{RTCPeerConnection, RTCPeerConnectionBuilder};
use rtc::rtp_transceiver::RTCRtpTransceiverDirection;
use rtc::rtp_transceiver::rtp_sender::{
    RTCPFeedback, RTCRtpCodec, RTCRtpCodecParameters, RTCRtpCodingParameters,
    RTCRtpEncodingParameters, RtpCodecKind,
};
use shared::codec::{AudioCodec, StreamParameters, VideoCodec};

use super::feedback::{Listener, Reports};

/// Longest offer; those of browsers have 2 to 8 KiB.
pub const MAX_OFFER: usize = 32 * 1024;

/// Most media sections of an offer; ours have two.
const MAX_SECTIONS: usize = 8;

/// Without a sign of life for so long the viewer may be gone, and after as much again it is.
const SILENCE: Duration = Duration::from_secs(6);

/// `a=…` lines with addresses at which the viewer says it can be reached.
const CANDIDATES: [&str; 2] = ["a=candidate", "a=remote-candidates"];

/// Why an offer is not taken up.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OfferError {
    #[error("an offer of {0} bytes is longer than {MAX_OFFER}")]
    TooLong(usize),
    #[error("the offer cannot be read: {0}")]
    Unreadable(String),
    /// It has no codec in which the stream could be sent as it is.
    #[error("the offer has no {0}, in which the camera sends")]
    NoCodec(&'static str),
    #[error("the offer cannot be answered: {0}")]
    Refused(String),
}

/// One codec of an offer.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Format {
    kind: RtpCodecKind,
    payload_type: u8,
    /// `H264`, in capitals.
    encoding: String,
    clock_rate: u32,
    channels: u16,
    parameters: String,
}

/// An offer that can be read.
#[derive(Clone, Debug)]
pub struct Offer {
    text: String,
    formats: Vec<Format>,
}

/// What a stream is sent as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// `profile_idc` of the stream, where it is known yet.
    pub profile: Option<u8>,
    pub audio: Option<AudioCodec>,
}

/// Where the coordinator can be reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Reachable {
    pub udp: Vec<SocketAddr>,
    pub tcp: Vec<SocketAddr>,
}

/// Names the connection in every connectivity check that a viewer makes (RFC 8445 section 7.1).
#[derive(Clone, Debug)]
pub(super) struct Credentials {
    pub ufrag: String,
    pub password: String,
}

/// How a track is marked in RTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TrackLabel {
    pub(super) id: String,
    pub(super) ssrc: u32,
    pub(super) payload_type: u8,
    pub(super) clock_rate: u32,
}

/// A connection that waits for its viewer.
pub(super) struct Negotiated {
    pub(super) connection: RTCPeerConnection,
    pub(super) reports: Reports,
    pub(super) answer: String,
    pub(super) video: TrackLabel,
    /// With its codec.
    pub(super) audio: Option<(AudioCodec, TrackLabel)>,
}

impl Wanted {
    /// What is known of a camera that has not sent anything yet.
    pub const UNKNOWN: Self = Self {
        profile: None,
        audio: None,
    };

    /// # Errors
    /// The codec cannot be sent by WebRTC.
    pub fn of(parameters: &StreamParameters) -> Result<Self, OfferError> {
        if parameters.video.codec != VideoCodec::H264 {
            return Err(OfferError::NoCodec("H.265"));
        }
        let audio = parameters.audio.as_ref();
        let sendable = audio.filter(|audio| match audio.codec {
            AudioCodec::Pcma | AudioCodec::Pcmu => audio.sample_rate == 8_000,
            AudioCodec::Opus => true,
            AudioCodec::Aac => false,
        });
        Ok(Self {
            // Behind the record's version (ISO/IEC 14496-15 section 5.3.3.1).
            profile: parameters.video.config.get(1).copied(),
            audio: sendable.map(|audio| audio.codec),
        })
    }
}

impl Offer {
    /// # Errors
    /// It is too long, or not SDP.
    pub fn read(text: &str) -> Result<Self, OfferError> {
        if text.len() > MAX_OFFER {
            return Err(OfferError::TooLong(text.len()));
        }
        // We never look for a viewer, so it does not matter where it says that it is.
        let is_kept = |line: &&str| !CANDIDATES.iter().any(|prefix| line.starts_with(prefix));
        let lines = text.lines().filter(is_kept);
        let text: String = lines.flat_map(|line| [line, "\r\n"]).collect();
        let unreadable =
            |error: rtc::shared::error::Error| OfferError::Unreadable(error.to_string());
        let offer = RTCSessionDescription::offer(text.clone()).map_err(unreadable)?;
        let description = offer.unmarshal().map_err(unreadable)?;
        let sections = &description.media_descriptions;
        if sections.len() > MAX_SECTIONS {
            let error = format!("{} media sections", sections.len());
            return Err(OfferError::Unreadable(error));
        }
        let formats = sections.iter().flat_map(|section| {
            let kind = RtpCodecKind::from(section.media_name.media.as_str());
            let values = |key: &'static str| {
                let attributes = section.attributes.iter();
                attributes.filter_map(move |attribute| {
                    let value = attribute.value.as_deref();
                    value.filter(|_| attribute.key == key)?.split_once(' ')
                })
            };
            values("rtpmap").filter_map(move |(payload_type, codec)| {
                let parameters = values("fmtp").find(|(of, _)| *of == payload_type);
                let parameters = parameters.map_or("", |(_, parameters)| parameters);
                Format::read(kind, payload_type, codec, parameters)
            })
        });
        Ok(Self {
            formats: formats.collect(),
            text,
        })
    }

    /// The format for H.264 of this profile: the same where it is offered, or else any, because
    /// decoders take what comes.
    fn h264(&self, profile: Option<u8>) -> Option<&Format> {
        let formats = || {
            let h264 = |format: &&Format| format.encoding == "H264" && format.interleaves();
            self.formats.iter().filter(h264)
        };
        formats()
            .find(|format| profile.is_some() && format.profile() == profile)
            .or_else(|| formats().next())
    }

    fn audio(&self, codec: AudioCodec) -> Option<&Format> {
        let (encoding, clock_rate) = match codec {
            AudioCodec::Pcma => ("PCMA", 8_000),
            AudioCodec::Pcmu => ("PCMU", 8_000),
            AudioCodec::Opus => ("OPUS", 48_000),
            AudioCodec::Aac => return None,
        };
        self.formats.iter().find(|format| {
            format.kind == RtpCodecKind::Audio
                && format.encoding == encoding
                && format.clock_rate == clock_rate
        })
    }

    /// Answers it with a connection that sends `wanted`.
    ///
    /// # Errors
    /// No codec fits, or the offer is no good otherwise.
    pub(super) fn answer(
        &self,
        now: Instant,
        wanted: Wanted,
        credentials: &Credentials,
        reachable: &Reachable,
    ) -> Result<Negotiated, OfferError> {
        let video = self
            .h264(wanted.profile)
            .ok_or(OfferError::NoCodec("H.264"))?;
        let audio = wanted
            .audio
            .and_then(|codec| Some((codec, self.audio(codec)?)));
        let sent = std::iter::once(video).chain(audio.map(|(_, format)| format));
        // Without sound its section stays, inactive: a rejected one lacks what some clients look for.
        let known = [AudioCodec::Opus, AudioCodec::Pcmu, AudioCodec::Pcma];
        let silent = known.into_iter().find_map(|codec| self.audio(codec));
        let silent = silent.filter(|_| audio.is_none());
        let build = || -> rtc::shared::error::Result<_> {
            let (mut connection, reports) =
                connection(now, sent.clone().chain(silent), credentials)?;
            let offer = RTCSessionDescription::offer(self.text.clone())?;
            let mut labels = Vec::new();
            for format in sent.clone() {
                labels.push(format.add_to(&mut connection)?);
            }
            connection.set_remote_description(now, offer)?;
            // Sections for which nothing is sent; the core would promise to send.
            let idle: Vec<_> = connection.get_transceivers().skip(labels.len()).collect();
            for id in idle {
                if let Some(mut transceiver) = connection.rtp_transceiver(id) {
                    transceiver.set_direction(RTCRtpTransceiverDirection::Inactive);
                }
            }
            for candidate in reachable.candidates() {
                connection.add_local_candidate(candidate)?;
            }
            connection.add_local_candidate(RTCIceCandidateInit::default())?;
            let answer = connection.create_answer(None)?;
            connection.set_local_description(now, answer)?;
            let answer = connection.local_description().map(|answer| answer.sdp);
            Ok((connection, reports, labels, answer.unwrap_or_default()))
        };
        let built = build().map_err(|error| OfferError::Refused(error.to_string()))?;
        let (connection, reports, labels, answer) = built;
        let mut labels = labels.into_iter();
        let video = labels.next().ok_or(OfferError::NoCodec("H.264"))?;
        Ok(Negotiated {
            connection,
            reports,
            answer,
            video,
            audio: audio.map(|(codec, _)| codec).zip(labels.next()),
        })
    }
}

impl Format {
    fn read(kind: RtpCodecKind, payload_type: &str, codec: &str, parameters: &str) -> Option<Self> {
        let mut parts = codec.trim().split('/');
        let encoding = parts.next()?.to_ascii_uppercase();
        let clock_rate = parts.next()?.parse().ok()?;
        let channels = parts
            .next()
            .map_or(Some(0), |channels| channels.parse().ok());
        Some(Self {
            kind,
            payload_type: payload_type.parse().ok().filter(|number| *number < 128)?,
            encoding,
            clock_rate,
            channels: channels?,
            parameters: parameters.trim().to_owned(),
        })
    }

    fn parameter(&self, name: &str) -> Option<&str> {
        let pairs = self.parameters.split(';');
        pairs
            .filter_map(|pair| pair.trim().split_once('='))
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// Whether pictures may be cut into fragments (RFC 6184 section 6.3).
    fn interleaves(&self) -> bool {
        self.kind == RtpCodecKind::Video
            && self.clock_rate == 90_000
            && self.parameter("packetization-mode") == Some("1")
            // Without it a connection would not know it again.
            && self.profile().is_some()
    }

    fn profile(&self) -> Option<u8> {
        let id = self.parameter("profile-level-id")?;
        u8::from_str_radix(id.get(..2)?, 16).ok()
    }

    fn codec(&self) -> RTCRtpCodecParameters {
        let mime_type = match self.encoding.as_str() {
            "PCMA" => MIME_TYPE_PCMA,
            "PCMU" => MIME_TYPE_PCMU,
            "OPUS" => MIME_TYPE_OPUS,
            _ => MIME_TYPE_H264,
        };
        let feedback = |typ: &str, parameter: &str| RTCPFeedback {
            typ: typ.to_owned(),
            parameter: parameter.to_owned(),
        };
        let rtcp_feedback = match self.kind {
            RtpCodecKind::Video => vec![
                feedback("nack", ""),
                feedback("nack", "pli"),
                feedback("ccm", "fir"),
            ],
            _ => Vec::new(),
        };
        RTCRtpCodecParameters {
            rtp_codec: RTCRtpCodec {
                mime_type: mime_type.to_owned(),
                clock_rate: self.clock_rate,
                channels: self.channels,
                sdp_fmtp_line: self.parameters.clone(),
                rtcp_feedback,
            },
            payload_type: self.payload_type,
        }
    }

    fn add_to(&self, connection: &mut RTCPeerConnection) -> rtc::shared::error::Result<TrackLabel> {
        let label = TrackLabel {
            id: self.kind.to_string(),
            ssrc: rand::random(),
            payload_type: self.payload_type,
            clock_rate: self.clock_rate,
        };
        let encoding = RTCRtpEncodingParameters {
            rtp_coding_parameters: RTCRtpCodingParameters {
                ssrc: Some(label.ssrc),
                ..RTCRtpCodingParameters::default()
            },
            codec: self.codec().rtp_codec,
            ..RTCRtpEncodingParameters::default()
        };
        // Picture and sound in one stream, so that a player keeps them together.
        let (stream, name) = ("camera".to_owned(), label.id.clone());
        let track =
            MediaStreamTrack::new(stream, label.id.clone(), name, self.kind, vec![encoding]);
        connection.add_track(track)?;
        Ok(label)
    }
}

impl Reachable {
    /// As SDP tells them (RFC 8445 section 5.1, RFC 6544 section 4.5): UDP before TCP, and what
    /// stands first before what stands later.
    fn candidates(&self) -> impl Iterator<Item = RTCIceCandidateInit> {
        let udp = self.udp.iter().map(|address| (address, "udp", 126, ""));
        let tcp = self.tcp.iter();
        let tcp = tcp.map(|address| (address, "tcp", 90, " tcptype passive"));
        udp.chain(tcp)
            .zip(1_u32..)
            .map(|((address, protocol, preference, role), number)| {
                let local = 65_536_u32.saturating_sub(number).min(65_535);
                let priority = (preference << 24) + (local << 8) + 255;
                let (ip, port) = (address.ip(), address.port());
                RTCIceCandidateInit {
                    candidate: format!(
                        "candidate:{number} 1 {protocol} {priority} {ip} {port} typ host{role}"
                    ),
                    ..RTCIceCandidateInit::default()
                }
            })
    }
}

/// A connection that knows these formats and nothing else. It never looks for its viewer (ICE lite,
/// RFC 8445 section 2.5), nor for names in the network.
fn connection<'a>(
    now: Instant,
    formats: impl Iterator<Item = &'a Format>,
    credentials: &Credentials,
) -> rtc::shared::error::Result<(RTCPeerConnection, Reports)> {
    let mut media = MediaEngine::default();
    for format in formats {
        media.register_codec(format.codec(), format.kind)?;
    }
    let settings = SettingEngineBuilder::new()
        .with_lite(true)
        .with_multicast_dns_mode(MulticastDnsMode::Disabled)
        .with_include_loopback_candidate(true)
        .with_ice_credentials(credentials.ufrag.clone(), credentials.password.clone())
        .with_ice_timeouts(Some(SILENCE), Some(SILENCE), Some(SILENCE))
        .build();
    let (listener, reports) = Listener::new();
    let connection = RTCPeerConnectionBuilder::new()
        .with_media_engine(media)
        .with_setting_engine(settings)
        .with_interceptor_registry(Registry::new().with(Slot::from(0), listener))
        .build(now)?;
    Ok((connection, reports))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer(video: &[&str], audio: &[&str]) -> String {
        let mut text = String::from(
            "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1\r\n",
        );
        let mut section = |kind: &str, mid: u8, lines: &[&str]| {
            let numbers: Vec<_> = lines
                .iter()
                .filter_map(|line| line.strip_prefix("rtpmap:")?.split_once(' '))
                .map(|(number, _)| number)
                .collect();
            text += &format!(
                "m={kind} 9 UDP/TLS/RTP/SAVPF {}\r\nc=IN IP4 0.0.0.0\r\na=mid:{mid}\r\na=recvonly\r\n\
                 a=rtcp-mux\r\na=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuvwx\r\na=setup:actpass\r\n\
                 a=fingerprint:sha-256 {}\r\na=candidate:1 1 udp 2122260223 10.1.2.3 50000 typ host\r\n",
                numbers.join(" "),
                ["AB"; 32].join(":"),
            );
            for line in lines {
                text += &format!("a={line}\r\n");
            }
        };
        section("video", 0, video);
        section("audio", 1, audio);
        text
    }

    const BASELINE: [&str; 2] = [
        "rtpmap:102 H264/90000",
        "fmtp:102 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f",
    ];
    const HIGH: [&str; 2] = [
        "rtpmap:108 H264/90000",
        "fmtp:108 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=64001f",
    ];
    const SINGLE_UNITS: [&str; 2] = [
        "rtpmap:104 H264/90000",
        "fmtp:104 packetization-mode=0;profile-level-id=42e01f",
    ];
    const SOUND: [&str; 3] = [
        "rtpmap:0 PCMU/8000",
        "rtpmap:8 PCMA/8000",
        "rtpmap:111 opus/48000/2",
    ];

    fn answer(offer: &str, wanted: Wanted) -> Result<Negotiated, OfferError> {
        let credentials = Credentials {
            ufrag: "0123456789abcdef".to_owned(),
            password: "0123456789abcdef0123456789abcdef".to_owned(),
        };
        let reachable = Reachable {
            udp: vec![
                "192.0.2.1:7444".parse().unwrap(),
                "[2001:db8::1]:7444".parse().unwrap(),
            ],
            tcp: vec!["192.0.2.1:7444".parse().unwrap()],
        };
        Offer::read(offer)?.answer(Instant::now(), wanted, &credentials, &reachable)
    }

    fn wanted(profile: u8, audio: Option<AudioCodec>) -> Wanted {
        Wanted {
            profile: Some(profile),
            audio,
        }
    }

    #[test]
    fn the_format_nearest_to_the_stream_is_taken() {
        let offered = offer(&[SINGLE_UNITS, BASELINE, HIGH].concat(), &SOUND);
        for (profile, payload_type) in [(0x42, 102), (0x64, 108), (0x4d, 102)] {
            let found = answer(&offered, wanted(profile, None)).unwrap();
            assert_eq!(found.video.payload_type, payload_type);
            assert!(
                found
                    .answer
                    .contains(&format!("a=rtpmap:{payload_type} H264/90000"))
            );
            assert!(found.audio.is_none());
            assert!(found.answer.contains("a=inactive"), "{}", found.answer);
        }
        assert_eq!(
            answer(&offered, Wanted::UNKNOWN)
                .unwrap()
                .video
                .payload_type,
            102
        );
    }

    #[test]
    fn sound_goes_along_as_it_is() {
        let offered = offer(&BASELINE, &SOUND);
        for (codec, payload_type) in [
            (AudioCodec::Pcmu, 0),
            (AudioCodec::Pcma, 8),
            (AudioCodec::Opus, 111),
        ] {
            let found = answer(&offered, wanted(0x42, Some(codec))).unwrap();
            let (found_codec, label) = found.audio.unwrap();
            assert_eq!((found_codec, label.payload_type), (codec, payload_type));
            assert_ne!(label.ssrc, found.video.ssrc);
        }
        // Whoever cannot hear it sees the picture.
        let deaf = offer(&BASELINE, &["rtpmap:9 G722/8000"]);
        let found = answer(&deaf, wanted(0x42, Some(AudioCodec::Pcmu))).unwrap();
        assert!(found.audio.is_none());
    }

    #[test]
    fn the_answer_tells_our_addresses_and_that_we_look_for_nobody() {
        let found = answer(&offer(&BASELINE, &SOUND), Wanted::UNKNOWN).unwrap();
        let lines: Vec<_> = found.answer.lines().collect();
        assert!(lines.contains(&"a=ice-lite"), "{}", found.answer);
        assert!(lines.contains(&"a=ice-ufrag:0123456789abcdef"));
        for address in ["192.0.2.1 7444 typ host", "2001:db8::1 7444 typ host"] {
            let told = |line: &&&str| line.starts_with("a=candidate:") && line.contains(address);
            assert!(lines.iter().any(|line| told(&line)), "{}", found.answer);
        }
        assert!(found.answer.contains("tcptype passive"), "{}", found.answer);
        assert!(!found.answer.contains("10.1.2.3"));
        let offer = Offer::read(&offer(&BASELINE, &SOUND)).unwrap();
        assert!(!offer.text.contains("10.1.2.3"));
    }

    #[test]
    fn what_cannot_be_carried_or_read_is_refused_with_the_reason() {
        let vp8 = offer(&["rtpmap:96 VP8/90000"], &SOUND);
        let refused = |offer: &str| answer(offer, Wanted::UNKNOWN).err();
        assert_eq!(refused(&vp8), Some(OfferError::NoCodec("H.264")));
        assert_eq!(
            refused(&offer(&SINGLE_UNITS, &SOUND)),
            Some(OfferError::NoCodec("H.264"))
        );
        let long = offer(&BASELINE, &SOUND) + &"a=x:y\r\n".repeat(5_000);
        assert!(matches!(refused(&long), Some(OfferError::TooLong(_))));
        for bad in ["", "hello", "v=0\r\nm=video", "{\"sdp\":\"v=0\"}"] {
            assert!(
                matches!(
                    refused(bad),
                    Some(OfferError::Unreadable(_) | OfferError::NoCodec(_))
                ),
                "{bad}"
            );
        }
        let crowd = offer(&BASELINE, &SOUND) + &"m=audio 9 UDP/TLS/RTP/SAVPF 0\r\n".repeat(8);
        assert!(matches!(refused(&crowd), Some(OfferError::Unreadable(_))));
        // Half an offer: no fingerprint, so nobody could be told from anybody.
        let bare = offer(&BASELINE, &SOUND);
        let bare: String = bare
            .lines()
            .filter(|line| !line.starts_with("a=fingerprint"))
            .flat_map(|line| [line, "\r\n"])
            .collect();
        assert!(matches!(refused(&bare), Some(OfferError::Refused(_))));
    }
}
