//! What one viewer is sent of one track: numbers, times and a memory of what left. Pure.

use std::collections::VecDeque;

use bytes::Bytes;
use rtc::rtcp::sender_report::SenderReport;
use rtc::rtp::{Header, Packet};
use shared::time::WallTime;

use super::negotiation::TrackLabel;

/// Packets remembered for a viewer who lost some: about four seconds at 3 Mbit/s.
const REMEMBERED: usize = 1_024;

/// How many packets may be sent again before as many new ones have left. What somebody says was lost
/// must not make more traffic than the pictures themselves.
const MOST_AGAIN: u32 = 512;

pub(super) struct Outgoing {
    label: TrackLabel,
    next: u16,
    recent: VecDeque<Recent>,
    again: u32,
    packets: u32,
    octets: u32,
}

/// A packet without what is the same in all of them; the payload is everybody's.
struct Recent {
    timestamp: u32,
    marker: bool,
    payload: Bytes,
}

/// Time in RTP: the low 32 bits of the wall time in units of the clock. Not from a random beginning, as
/// RFC 3550 section 5.1 has it, so that a player can tell how old the picture is that it shows.
pub(super) const fn timestamp(wall: WallTime, clock_rate: u32) -> u32 {
    let ticks = wall.as_micros() as i128 * clock_rate as i128 / 1_000_000;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the low 32 bits are meant"
    )]
    let low = ticks as u32;
    low
}

impl Outgoing {
    /// `first` is the number of the first packet.
    pub(super) fn new(label: TrackLabel, first: u16) -> Self {
        Self {
            label,
            next: first,
            recent: VecDeque::new(),
            again: MOST_AGAIN,
            packets: 0,
            octets: 0,
        }
    }

    pub(super) const fn label(&self) -> &TrackLabel {
        &self.label
    }

    /// The time of the next picture: `taken`, or just after the one before. A browser throws away
    /// what is older than what it shows, also a sync picture that it has asked for.
    pub(super) fn onwards(&self, taken: u32) -> u32 {
        let Some(last) = self.recent.back() else {
            return taken;
        };
        // Halfway round the numbers is the past (RFC 1982).
        let is_later = taken.wrapping_sub(last.timestamp).wrapping_sub(1) < 1 << 31;
        if is_later {
            taken
        } else {
            last.timestamp.wrapping_add(1)
        }
    }

    pub(super) fn packet(&mut self, timestamp: u32, marker: bool, payload: Bytes) -> Packet {
        let sequence_number = self.next;
        self.next = self.next.wrapping_add(1);
        self.packets = self.packets.wrapping_add(1);
        let octets = u32::try_from(payload.len()).unwrap_or(u32::MAX);
        self.octets = self.octets.wrapping_add(octets);
        self.again = (self.again + 1).min(MOST_AGAIN);
        if self.recent.len() == REMEMBERED {
            self.recent.pop_front();
        }
        let recent = Recent {
            timestamp,
            marker,
            payload,
        };
        let packet = self.form(sequence_number, &recent);
        self.recent.push_back(recent);
        packet
    }

    /// A packet that left before, the same to the last bit; `None` when it is not remembered or too
    /// much was asked for.
    pub(super) fn again(&mut self, sequence_number: u16) -> Option<Packet> {
        let back = usize::from(self.next.wrapping_sub(sequence_number));
        let index = self.recent.len().checked_sub(back)?;
        let packet = self.form(sequence_number, self.recent.get(index)?);
        self.again = self.again.checked_sub(1)?;
        Some(packet)
    }

    fn form(&self, sequence_number: u16, recent: &Recent) -> Packet {
        Packet {
            header: Header {
                version: 2,
                marker: recent.marker,
                payload_type: self.label.payload_type,
                sequence_number,
                timestamp: recent.timestamp,
                ssrc: self.label.ssrc,
                ..Header::default()
            },
            payload: recent.payload.clone(),
        }
    }

    /// What belongs to `wall` in this track (RFC 3550 section 6.4.1), so that a player shows pictures
    /// and plays sound of the same moment together.
    pub(super) fn report(&self, wall: WallTime, timestamp: u32) -> SenderReport {
        SenderReport {
            ssrc: self.label.ssrc,
            ntp_time: wall.to_ntp().unwrap_or(0),
            rtp_time: timestamp,
            packet_count: self.packets,
            octet_count: self.octets,
            ..SenderReport::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn outgoing(first: u16) -> Outgoing {
        let label = TrackLabel {
            id: "video".to_owned(),
            ssrc: 7,
            payload_type: 102,
            clock_rate: 90_000,
        };
        Outgoing::new(label, first)
    }

    #[test]
    fn time_is_that_of_the_wall() {
        let wall = WallTime::from_rfc3339("2026-11-23T12:00:00.5Z").unwrap();
        let ticks = i128::from(wall.as_micros()) * 9 / 100;
        let low = u32::try_from(ticks.rem_euclid(1 << 32)).unwrap();
        assert_eq!(timestamp(wall, 90_000), low);
        assert_eq!(timestamp(WallTime::from_secs(1), 8_000), 8_000);
    }

    proptest! {
        #[test]
        fn the_time_of_pictures_never_goes_back(start: u32, steps in proptest::collection::vec(-200_000_i32..200_000, 1..50)) {
            let (mut outgoing, mut taken) = (outgoing(0), start);
            let mut last = outgoing.onwards(start);
            prop_assert_eq!(last, start);
            outgoing.packet(last, true, Bytes::new());
            for step in steps {
                taken = taken.wrapping_add_signed(step);
                let time = outgoing.onwards(taken);
                let ahead = time.wrapping_sub(last);
                prop_assert!(ahead > 0 && ahead < 1 << 31);
                prop_assert!(time == taken || ahead == 1);
                outgoing.packet(time, true, Bytes::new());
                last = time;
            }
        }

        #[test]
        fn a_lost_packet_leaves_again_as_it_was(first: u16, count in 1_usize..3_000, back in 1_u16..3_000) {
            let mut outgoing = outgoing(first);
            let mut all = Vec::new();
            for n in 0..count {
                let payload = Bytes::from(n.to_be_bytes().to_vec());
                all.push(outgoing.packet(u32::try_from(n).unwrap(), n % 3 == 0, payload));
            }
            let lost = outgoing.next.wrapping_sub(back);
            let found = outgoing.again(lost);
            let there = usize::from(back) <= count.min(REMEMBERED);
            prop_assert_eq!(found.is_some(), there);
            if let Some(found) = found {
                prop_assert_eq!(&found, &all[count - usize::from(back)]);
            }
            prop_assert!(outgoing.recent.len() <= REMEMBERED);
        }
    }

    #[test]
    fn nobody_is_sent_more_again_than_anew() {
        let mut outgoing = outgoing(0);
        for _ in 0..REMEMBERED {
            outgoing.packet(0, true, Bytes::from_static(b"x"));
        }
        let again = |outgoing: &mut Outgoing| {
            let asked = (0..10_000_u32).map(|n| outgoing.next.wrapping_sub((n % 1_000) as u16 + 1));
            asked
                .collect::<Vec<_>>()
                .into_iter()
                .filter(|n| outgoing.again(*n).is_some())
                .count()
        };
        assert_eq!(again(&mut outgoing), 512);
        assert_eq!(again(&mut outgoing), 0);
        for _ in 0..10 {
            outgoing.packet(0, true, Bytes::from_static(b"x"));
        }
        assert_eq!(again(&mut outgoing), 10);
    }
}
