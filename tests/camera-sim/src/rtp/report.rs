//! RTCP sender reports (RFC 3550 section 6.4.1): which RTP timestamp belongs to which wall time.

/// Seconds between the NTP era (1900) and the Unix epoch (1970).
const NTP_UNIX_OFFSET_SECONDS: i64 = 2_208_988_800;

const SENDER_REPORT: u8 = 200;
const SOURCE_DESCRIPTION: u8 = 202;
const GOODBYE: u8 = 203;

/// What a sender says about its clock and its output so far.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SenderReport {
    pub(crate) ssrc: u32,
    /// Microseconds since 1970 by the camera's clock.
    pub(crate) wall_us: i64,
    /// RTP timestamp of that very instant.
    pub(crate) timestamp: u32,
    pub(crate) packets: u32,
    pub(crate) octets: u32,
}

impl SenderReport {
    /// A compound packet: the report and the mandatory source description with a canonical name.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&[0x80, SENDER_REPORT, 0, 6]);
        out.extend_from_slice(&self.ssrc.to_be_bytes());
        out.extend_from_slice(&ntp(self.wall_us).to_be_bytes());
        for word in [self.timestamp, self.packets, self.octets] {
            out.extend_from_slice(&word.to_be_bytes());
        }
        out.extend_from_slice(&[0x81, SOURCE_DESCRIPTION, 0, 4]);
        out.extend_from_slice(&self.ssrc.to_be_bytes());
        out.extend_from_slice(b"\x01\x08camerasi\0\0");
    }
}

/// A BYE packet, RFC 3550 section 6.6.
pub(crate) fn goodbye(ssrc: u32) -> [u8; 8] {
    let [a, b, c, d] = ssrc.to_be_bytes();
    [0x81, GOODBYE, 0, 1, a, b, c, d]
}

/// 32.32 fixed-point seconds since 1900.
fn ntp(wall_us: i64) -> u64 {
    let seconds = wall_us.div_euclid(1_000_000) + NTP_UNIX_OFFSET_SECONDS;
    let fraction = ((wall_us.rem_euclid(1_000_000) as u64) << 32) / 1_000_000;
    (seconds as u64) << 32 | fraction
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ntp_of_the_unix_epoch_and_half_a_second_later() {
        assert_eq!(ntp(0), 2_208_988_800 << 32);
        assert_eq!(ntp(500_000), 2_208_988_800 << 32 | 1 << 31);
        assert_eq!(ntp(-500_000), 2_208_988_799 << 32 | 1 << 31);
    }

    #[test]
    fn lengths_in_the_headers_match_the_bytes() {
        let mut bytes = Vec::new();
        SenderReport {
            ssrc: 1,
            wall_us: 0,
            timestamp: 2,
            packets: 3,
            octets: 4,
        }
        .write(&mut bytes);
        let mut at = 0;
        while at < bytes.len() {
            at += 4 * (usize::from(u16::from_be_bytes([bytes[at + 2], bytes[at + 3]])) + 1);
        }
        assert_eq!(at, bytes.len());
    }
}
