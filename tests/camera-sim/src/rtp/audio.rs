//! RTP payloads of audio: AAC-hbr (RFC 3640 section 3.3.6); G.711 goes as it is (RFC 3551).

use bytes::{BufMut, Bytes, BytesMut};

use crate::media::{Audio, Payload};

/// One frame as one payload; `None` for an AAC frame too long for its 13-bit length.
pub(crate) fn packetise(audio: Audio, frame: &[u8]) -> Option<Payload> {
    let bytes = match audio {
        Audio::Aac => aac_hbr(frame)?,
        Audio::None | Audio::Pcma | Audio::Pcmu => Bytes::copy_from_slice(frame),
    };
    Some(Payload {
        bytes,
        marker: audio == Audio::Aac,
    })
}

/// One access unit behind one 16-bit AU header: 13 bits of length, 3 bits of index.
fn aac_hbr(frame: &[u8]) -> Option<Bytes> {
    let length = u16::try_from(frame.len())
        .ok()
        .filter(|length| *length < 1 << 13)?;
    let mut packet = BytesMut::with_capacity(4 + frame.len());
    packet.put_u16(16);
    packet.put_u16(length << 3);
    packet.put_slice(frame);
    Some(packet.freeze())
}
