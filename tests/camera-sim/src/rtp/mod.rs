//! RTP and RTCP as bytes: cutting media into payloads, headers, sender reports. No sockets, no clocks.

pub(crate) mod audio;
pub(crate) mod report;
pub(crate) mod video;

/// Payload type of every video stream.
pub(crate) const VIDEO_PAYLOAD_TYPE: u8 = 96;
/// Payload type of AAC; G.711 has its own fixed ones (RFC 3551).
pub(crate) const AAC_PAYLOAD_TYPE: u8 = 97;

/// Length of an RTP header without extensions.
pub(crate) const HEADER_LEN: usize = 12;

/// An RTP header, RFC 3550 section 5.1, without padding, extension or contributing sources.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Header {
    pub(crate) payload_type: u8,
    pub(crate) marker: bool,
    pub(crate) sequence: u16,
    pub(crate) timestamp: u32,
    pub(crate) ssrc: u32,
}

impl Header {
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        out.push(0x80);
        out.push(self.payload_type | u8::from(self.marker) << 7);
        out.extend_from_slice(&self.sequence.to_be_bytes());
        out.extend_from_slice(&self.timestamp.to_be_bytes());
        out.extend_from_slice(&self.ssrc.to_be_bytes());
    }
}
