//! SETUP: which of the client's offers is taken, and how the answer says so.

use std::net::IpAddr;

use rtsp_types::headers::{
    self, RtpLowerTransport, RtpProfile, RtpTransport, RtpTransportParameters, Transports,
};

use super::sdp;
use super::transport::{Transport, UdpPair};
use crate::config;
use crate::media::{Track, VIDEO_CLOCK};
use crate::rtp::VIDEO_PAYLOAD_TYPE;
use crate::source::Feed;

/// The first of the client's offers this camera supports.
pub(super) async fn choose(
    offers: &Transports,
    track: Track,
    allowed: config::Transports,
    local: IpAddr,
    peer: IpAddr,
) -> Option<(Transport, RtpTransportParameters)> {
    for offer in offers.iter() {
        let headers::Transport::Rtp(offer) = offer else {
            continue;
        };
        if offer.params.multicast {
            continue;
        }
        let tcp = offer.lower_transport == Some(RtpLowerTransport::Tcp);
        match offer.params.client_port {
            _ if tcp && allowed != config::Transports::Udp => {
                let fallback = 2 * track.index() as u8;
                let (rtp, rtcp) = offer.params.interleaved.unwrap_or((fallback, None));
                let rtcp = rtcp.unwrap_or_else(|| rtp.wrapping_add(1));
                let parameters = RtpTransportParameters {
                    interleaved: Some((rtp, Some(rtcp))),
                    ..Default::default()
                };
                return Some((Transport::Interleaved { rtp, rtcp }, parameters));
            }
            Some((rtp, rtcp)) if !tcp && allowed != config::Transports::Tcp => {
                let client = (rtp, rtcp.unwrap_or_else(|| rtp.wrapping_add(1)));
                let pair = UdpPair::connect(local, peer, client).await;
                let pair = pair
                    .inspect_err(|error| tracing::warn!(%error, "no UDP ports for a client"))
                    .ok()?;
                let parameters = RtpTransportParameters {
                    client_port: Some((client.0, Some(client.1))),
                    server_port: Some((pair.ports.0, Some(pair.ports.1))),
                    ..Default::default()
                };
                return Some((Transport::Udp(pair), parameters));
            }
            _ => {}
        }
    }
    None
}

/// The `Transport` header of the answer.
pub(super) fn transport_header(parameters: RtpTransportParameters, ssrc: u32) -> Transports {
    let lower = match parameters.interleaved {
        Some(_) => RtpLowerTransport::Tcp,
        None => RtpLowerTransport::Udp,
    };
    let params = RtpTransportParameters {
        unicast: true,
        ssrc: vec![ssrc],
        ..parameters
    };
    Transports::from(vec![headers::Transport::Rtp(RtpTransport {
        profile: RtpProfile::Avp,
        lower_transport: Some(lower),
        params,
    })])
}

/// RTP payload type and clock rate of a track; `None` where the rendition has no such track.
pub(super) fn rtp_format(feed: &Feed, track: Track) -> Option<(u8, u32)> {
    match track {
        Track::Video => Some((VIDEO_PAYLOAD_TYPE, VIDEO_CLOCK)),
        Track::Audio => {
            let description = feed.description();
            let audio = description.audio.as_ref()?;
            Some((sdp::audio_payload_type(audio.audio), audio.rate))
        }
    }
}
