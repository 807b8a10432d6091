//! QUIC through TCP, for sites where UDP is blocked.
//!
//! The agent opens a TLS connection (ALPN [`ALPN_TUNNEL`], server name
//! [`SERVER_NAME`](super::SERVER_NAME), no client certificate) to the coordinator's TCP port and
//! sends its QUIC datagrams through it, each behind its length as two bytes, big endian; the
//! coordinator does the same back. A length of zero carries nothing and only keeps middleboxes
//! awake. Nothing in the tunnel is trusted because it came through it: the QUIC connection inside
//! authenticates both sides as it does over UDP.
//!
//! A datagram may be dropped by either side when the TCP connection cannot take it; QUIC repairs
//! that as it repairs any loss. One tunnel carries one agent; when it closes, its datagrams are
//! lost and the agent opens another.

use bytes::{Buf, Bytes, BytesMut};

/// TLS application protocol of the tunnel.
pub const ALPN_TUNNEL: &[u8] = b"cctv-tunnel/1";

/// Bytes of the length in front of every datagram.
pub const LENGTH_BYTES: usize = 2;

/// Appends one datagram with its length. Nothing is appended, and `false` returned, for one longer
/// than the length can say.
pub fn put_datagram(buffer: &mut BytesMut, datagram: &[u8]) -> bool {
    let Ok(length) = u16::try_from(datagram.len()) else {
        return false;
    };
    buffer.reserve(LENGTH_BYTES + datagram.len());
    buffer.extend_from_slice(&length.to_be_bytes());
    buffer.extend_from_slice(datagram);
    true
}

/// Takes the first whole datagram out of what has arrived, skipping empty ones; `None` until more
/// bytes come. The buffer never has to hold more than one frame of 65,537 bytes.
pub fn take_datagram(arrived: &mut BytesMut) -> Option<Bytes> {
    loop {
        let length = match arrived.get(..LENGTH_BYTES)? {
            [high, low] => usize::from(u16::from_be_bytes([*high, *low])),
            _ => return None,
        };
        if arrived.len() < LENGTH_BYTES + length {
            return None;
        }
        arrived.advance(LENGTH_BYTES);
        if length > 0 {
            return Some(arrived.split_to(length).freeze());
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_datagram_too_long_for_its_length_is_not_sent() {
        let mut buffer = BytesMut::new();
        assert!(!put_datagram(&mut buffer, &[0; 65_536]));
        assert!(buffer.is_empty());
        assert!(put_datagram(&mut buffer, &[0; 65_535]));
    }

    proptest! {
        #[test]
        fn datagrams_come_out_as_they_went_in_however_the_bytes_are_cut(
            datagrams in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..20),
            piece in 1_usize..50,
        ) {
            let mut sent = BytesMut::new();
            for datagram in &datagrams {
                prop_assert!(put_datagram(&mut sent, datagram));
            }
            let mut arrived = BytesMut::new();
            let mut received = Vec::new();
            for piece in sent.chunks(piece) {
                arrived.extend_from_slice(piece);
                while let Some(datagram) = take_datagram(&mut arrived) {
                    received.push(datagram.to_vec());
                }
            }
            let expected: Vec<_> = datagrams.into_iter().filter(|datagram| !datagram.is_empty()).collect();
            prop_assert_eq!(received, expected);
            prop_assert!(arrived.is_empty());
        }
    }
}
