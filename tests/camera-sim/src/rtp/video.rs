//! Cutting access units into RTP payloads: H.264 by RFC 6184 (single, STAP-A, FU-A), H.265 by RFC 7798 (single, AP, FU).

use bytes::{BufMut, Bytes, BytesMut};

use crate::media::Codec;
use crate::media::Payload;
use crate::media::nal::ParameterSets;

/// Largest RTP payload, so that a packet fits an Ethernet frame with room for tunnels.
pub(crate) const MAX_PAYLOAD: usize = 1400;

const STAP_A: u8 = 24;
const FU_A: u8 = 28;
const AGGREGATION: u8 = 48;
const FRAGMENTATION: u8 = 49;
const FIRST_FRAGMENT: u8 = 0x80;
const LAST_FRAGMENT: u8 = 0x40;

/// Payloads of NAL units that are not the end of their access unit.
pub(crate) fn packetise(codec: Codec, nals: &[Bytes]) -> Vec<Payload> {
    nals.iter()
        .flat_map(|nal| payloads_of(codec, nal))
        .map(|bytes| Payload {
            bytes,
            marker: false,
        })
        .collect()
}

/// Payloads of the NAL units that end an access unit: the last one carries the marker.
pub(crate) fn packetise_end(codec: Codec, nals: &[Bytes]) -> Vec<Payload> {
    let mut payloads = packetise(codec, nals);
    if let Some(last) = payloads.last_mut() {
        last.marker = true;
    }
    payloads
}

/// All parameter sets in one aggregation packet, or one by one where they do not fit.
pub(crate) fn packetise_parameter_sets(codec: Codec, sets: &ParameterSets) -> Vec<Payload> {
    let nals: Vec<Bytes> = sets.all().cloned().collect();
    let size: usize = 2 + nals.iter().map(|nal| 2 + nal.len()).sum::<usize>();
    if nals.len() < 2 || size > MAX_PAYLOAD {
        return packetise(codec, &nals);
    }
    let mut packet = BytesMut::with_capacity(size);
    match codec {
        // The highest importance of the aggregated units; parameter sets have the highest there is.
        Codec::H264 => packet.put_u8(STAP_A | 0x60),
        Codec::H265 => packet.put_slice(&[AGGREGATION << 1, 1]),
    }
    for nal in &nals {
        packet.put_u16(nal.len() as u16);
        packet.put_slice(nal);
    }
    vec![Payload {
        bytes: packet.freeze(),
        marker: false,
    }]
}

fn payloads_of(codec: Codec, nal: &Bytes) -> Vec<Bytes> {
    let header_len = match codec {
        Codec::H264 => 1,
        Codec::H265 => 2,
    };
    if nal.len() <= MAX_PAYLOAD || nal.len() <= header_len {
        return vec![nal.clone()];
    }
    let (header, rest) = nal.split_at(header_len);
    let chunks = rest.chunks(MAX_PAYLOAD - header_len - 1);
    let count = chunks.len();
    let fragment = |(index, chunk): (usize, &[u8])| {
        let mut flags = 0;
        flags |= if index == 0 { FIRST_FRAGMENT } else { 0 };
        flags |= if index + 1 == count { LAST_FRAGMENT } else { 0 };
        let mut packet = BytesMut::with_capacity(header_len + 1 + chunk.len());
        put_fragment_header(&mut packet, codec, header, flags);
        packet.put_slice(chunk);
        packet.freeze()
    };
    chunks.enumerate().map(fragment).collect()
}

/// RFC 6184 section 5.8, RFC 7798 section 4.4.3.
fn put_fragment_header(packet: &mut BytesMut, codec: Codec, header: &[u8], flags: u8) {
    let first = header.first().copied().unwrap_or_default();
    match codec {
        Codec::H264 => packet.put_slice(&[first & 0xe0 | FU_A, flags | first & 0x1f]),
        Codec::H265 => {
            let second = header.get(1).copied().unwrap_or(1);
            packet.put_slice(&[
                first & 0x81 | FRAGMENTATION << 1,
                second,
                flags | first >> 1 & 0x3f,
            ]);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The reverse of packetising, as a receiver does it.
    fn reassemble(codec: Codec, payloads: &[Payload]) -> Vec<Vec<u8>> {
        let mut units: Vec<Vec<u8>> = Vec::new();
        for payload in payloads {
            let bytes = &payload.bytes;
            match codec {
                Codec::H264 if bytes[0] & 0x1f == FU_A => {
                    if bytes[1] & FIRST_FRAGMENT != 0 {
                        units.push(vec![bytes[0] & 0xe0 | bytes[1] & 0x1f]);
                    }
                    units
                        .last_mut()
                        .expect("a fragment follows its first")
                        .extend_from_slice(&bytes[2..]);
                }
                Codec::H265 if bytes[0] >> 1 & 0x3f == FRAGMENTATION => {
                    if bytes[2] & FIRST_FRAGMENT != 0 {
                        units.push(vec![bytes[0] & 0x81 | (bytes[2] & 0x3f) << 1, bytes[1]]);
                    }
                    units
                        .last_mut()
                        .expect("a fragment follows its first")
                        .extend_from_slice(&bytes[3..]);
                }
                _ => units.push(bytes.to_vec()),
            }
        }
        units
    }

    proptest! {
        #[test]
        fn packetising_loses_nothing(sizes in prop::collection::vec(3usize..9000, 1..5), h265: bool) {
            let codec = if h265 { Codec::H265 } else { Codec::H264 };
            let first = if h265 { 19 << 1 } else { 0x65 };
            let nals: Vec<Bytes> = sizes.iter().map(|size| {
                let mut nal: Vec<u8> = (0..*size).map(|index| index as u8).collect();
                nal[0] = first;
                nal[1] = 1;
                Bytes::from(nal)
            }).collect();
            let payloads = packetise_end(codec, &nals);
            prop_assert!(payloads.iter().all(|payload| payload.bytes.len() <= MAX_PAYLOAD));
            prop_assert_eq!(payloads.iter().filter(|payload| payload.marker).count(), 1);
            prop_assert!(payloads.last().is_some_and(|payload| payload.marker));
            prop_assert_eq!(reassemble(codec, &payloads), nals);
        }
    }

    #[test]
    fn parameter_sets_share_a_packet() {
        let sets = ParameterSets {
            vps: vec![],
            sps: vec![Bytes::from_static(&[0x67, 1, 2])],
            pps: vec![Bytes::from_static(&[0x68, 3])],
        };
        let payloads = packetise_parameter_sets(Codec::H264, &sets);
        assert_eq!(payloads.len(), 1);
        assert_eq!(
            payloads[0].bytes[..],
            [0x78, 0, 3, 0x67, 1, 2, 0, 2, 0x68, 3]
        );
        assert!(!payloads[0].marker);
    }
}
