//! Pictures of H.264 as RTP payloads (RFC 6184, packetization-mode 1). A picture is cut once; all its
//! viewers send the same bytes. Headers, numbers and encryption are each viewer's own.

use bytes::{BufMut as _, Bytes, BytesMut};
use shared::codec::{h264, nal};

/// Longest payload: with the headers of RTP, UDP and IPv6 and the seal of SRTP, and a relay's header
/// around it, it still fits the 1,280 bytes that every path carries.
pub(super) const MAX_PAYLOAD: usize = 1_160;

const STAP_A: u8 = 24;
const FU_A: u8 = 28;
const FU_HEADER: usize = 2;
const FU_START: u8 = 0x80;
const FU_END: u8 = 0x40;

const NRI: u8 = 0x60;
const TYPE: u8 = 0x1f;
const SPS: u8 = 7;

/// The payloads of a picture in the order they are sent; the last one carries the marker.
///
/// `units` are NAL units behind four-byte lengths, and `config` the `avcC` of their stream: its
/// parameter sets go in front of a sync picture that does not bring its own, so that a viewer can
/// begin with any sync picture. What is cut off inside a unit is left out; the agent has counted it.
pub(super) fn payloads(config: &[u8], units: &[u8], sync: bool) -> Vec<Bytes> {
    let listed = || nal::units(units).map_while(Result::ok);
    let mut all = Payloads::new(units.len());
    if sync && !listed().any(|unit| kind(unit) == SPS) {
        all.aggregate(&h264::parameter_sets(config).unwrap_or_default());
    }
    for unit in listed() {
        all.put(unit);
    }
    all.finish()
}

fn kind(unit: &[u8]) -> u8 {
    unit.first().map_or(0, |header| header & TYPE)
}

/// Payloads in one piece of memory, cut apart at the end.
struct Payloads {
    bytes: BytesMut,
    ends: Vec<usize>,
}

impl Payloads {
    fn new(picture: usize) -> Self {
        let payloads = picture / MAX_PAYLOAD + 4;
        Self {
            bytes: BytesMut::with_capacity(picture + payloads * FU_HEADER + MAX_PAYLOAD),
            ends: Vec::with_capacity(payloads),
        }
    }

    fn end(&mut self) {
        self.ends.push(self.bytes.len());
    }

    /// Small units in one packet (section 5.7.1), or one by one where they are not small.
    fn aggregate(&mut self, units: &[Bytes]) {
        let together = units.iter().map(|unit| 2 + unit.len()).sum::<usize>() + 1;
        if units.len() < 2 || together > MAX_PAYLOAD {
            units.iter().for_each(|unit| self.put(unit));
            return;
        }
        let importance = units.iter().filter_map(|unit| unit.first());
        let importance = importance.map(|header| header & NRI).max();
        self.bytes.put_u8(STAP_A | importance.unwrap_or(0));
        for unit in units {
            // Fits: together they are shorter than a packet.
            self.bytes
                .put_u16(u16::try_from(unit.len()).unwrap_or(u16::MAX));
            self.bytes.put_slice(unit);
        }
        self.end();
    }

    /// One unit: as it is (section 5.6), or in fragments (section 5.8).
    fn put(&mut self, unit: &[u8]) {
        let Some((header, body)) = unit.split_first() else {
            return;
        };
        if unit.len() <= MAX_PAYLOAD {
            self.bytes.put_slice(unit);
            return self.end();
        }
        let most = MAX_PAYLOAD - FU_HEADER;
        // Of one length, so that the kernel can be handed all of them at once.
        let pieces = body.len().div_ceil(most);
        for (index, piece) in body.chunks(most).enumerate() {
            let start = if index == 0 { FU_START } else { 0 };
            let end = if index + 1 == pieces { FU_END } else { 0 };
            self.bytes.put_u8(header & !TYPE | FU_A);
            self.bytes.put_u8(start | end | header & TYPE);
            self.bytes.put_slice(piece);
            self.end();
        }
    }

    fn finish(self) -> Vec<Bytes> {
        let bytes = self.bytes.freeze();
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts
            .zip(&self.ends)
            .map(|(start, end)| bytes.slice(start..*end))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use shared::testing;

    use super::*;

    /// What a receiver makes of it, by the letter of the RFC.
    fn units(payloads: &[Bytes]) -> Vec<Vec<u8>> {
        let mut units: Vec<Vec<u8>> = Vec::new();
        for payload in payloads {
            match payload[0] & TYPE {
                STAP_A => {
                    let mut rest = &payload[1..];
                    while !rest.is_empty() {
                        let length = usize::from(u16::from_be_bytes([rest[0], rest[1]]));
                        units.push(rest[2..2 + length].to_vec());
                        rest = &rest[2 + length..];
                    }
                }
                FU_A if payload[1] & FU_START != 0 => {
                    let header = payload[0] & !TYPE | payload[1] & TYPE;
                    units.push([&[header], &payload[2..]].concat());
                }
                FU_A => units.last_mut().unwrap().extend(&payload[2..]),
                _ => units.push(payload.to_vec()),
            }
        }
        units
    }

    fn access_unit(units: &[Vec<u8>]) -> Vec<u8> {
        units
            .iter()
            .flat_map(|unit| {
                let length = u32::try_from(unit.len()).unwrap().to_be_bytes();
                [&length[..], unit].concat()
            })
            .collect()
    }

    proptest! {
        #[test]
        fn what_is_cut_can_be_put_together(
            sizes in prop::collection::vec((1_u8..24, 0_usize..6 * MAX_PAYLOAD), 1..6)
        ) {
            let sent: Vec<Vec<u8>> = sizes
                .iter()
                .map(|(kind, size)| {
                    let body = (0..*size).map(|n| u8::try_from(n % 251).unwrap());
                    std::iter::once(0x60 | kind).chain(body).collect()
                })
                .collect();
            let payloads = payloads(&[], &access_unit(&sent), false);
            prop_assert!(payloads.iter().all(|payload| (1..=MAX_PAYLOAD).contains(&payload.len())));
            prop_assert_eq!(units(&payloads), sent);
        }

        #[test]
        fn whatever_comes_it_ends(bytes in prop::collection::vec(any::<u8>(), 0..200), sync: bool) {
            let payloads = payloads(&bytes, &bytes, sync);
            prop_assert!(payloads.iter().all(|payload| !payload.is_empty()));
        }
    }

    #[test]
    fn a_sync_picture_brings_its_parameter_sets() {
        let config = testing::parameters().video.config;
        let gop = testing::gop(Default::default());
        let sets = h264::parameter_sets(&config).unwrap();
        let packets = payloads(&config, &gop[0].payload, gop[0].sync);
        assert_eq!(packets[0][0] & TYPE, STAP_A);
        let found = units(&packets);
        assert_eq!(found[..2], sets);
        assert_eq!(found[2], gop[0].payload[nal::LENGTH_BYTES..]);
        // Another picture does not, and neither does one that has them already.
        let packets = payloads(&config, &gop[1].payload, gop[1].sync);
        assert_eq!(
            units(&packets),
            [gop[1].payload[nal::LENGTH_BYTES..].to_vec()]
        );
        let with_sets = access_unit(&found);
        assert_eq!(units(&payloads(&config, &with_sets, true)), found);
    }
}
