//! NAL units behind four-byte lengths, as samples carry them (ISO/IEC 14496-15 section 4.3.2), and
//! what H.264 and H.265 share in reading parameter sets.

use std::io::BufRead;
use std::num::NonZeroUsize;

use h264_reader::rbsp::{BitReader, ByteReader};

/// Bytes of the length in front of every NAL unit. Other lengths are legal and never sent by
/// cameras we know; such a configuration is refused.
pub const LENGTH_BYTES: usize = 4;

/// A payload whose lengths do not add up to its size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the access unit of {bytes} bytes is cut off inside the NAL unit at byte {at}")]
pub struct Truncated {
    pub at: usize,
    pub bytes: usize,
}

/// The NAL units of an access unit, without their lengths. Empty units are passed over.
pub fn units(payload: &[u8]) -> Units<'_> {
    Units { payload, at: 0 }
}

/// See [`units`]. Ends after the first error.
#[derive(Clone, Debug)]
pub struct Units<'a> {
    payload: &'a [u8],
    at: usize,
}

impl<'a> Units<'a> {
    fn split(&self) -> Option<(&'a [u8], usize)> {
        let (length, rest) = self.payload.get(self.at..)?.split_first_chunk()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        let unit = rest.get(..length)?;
        Some((unit, self.at + LENGTH_BYTES + length))
    }
}

impl<'a> Iterator for Units<'a> {
    type Item = Result<&'a [u8], Truncated>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.at < self.payload.len() {
            let at = self.at;
            let Some((unit, next)) = self.split() else {
                self.at = self.payload.len();
                return Some(Err(Truncated {
                    at,
                    bytes: self.payload.len(),
                }));
            };
            self.at = next;
            if !unit.is_empty() {
                return Some(Ok(unit));
            }
        }
        None
    }
}

/// The unit without zero bytes at its end, which some cameras append and no unit ends with (H.264
/// section 7.4.1, H.265 section 7.4.2.1).
pub(super) fn trimmed(unit: &[u8]) -> &[u8] {
    let end = unit.iter().rposition(|byte| *byte != 0);
    unit.get(..=end.unwrap_or(0)).unwrap_or(unit)
}

/// Reads the bits of a unit behind its header, without emulation prevention bytes and zeros at its
/// end.
pub(super) fn bits(unit: &[u8], header: NonZeroUsize) -> BitReader<impl BufRead + Clone> {
    BitReader::new(ByteReader::skipping_bytes(trimmed(unit), header))
}

/// Parameter sets of one type, by their id, in the order they were first seen.
#[derive(Debug, Default)]
pub(super) struct Sets {
    sets: Vec<(u32, Vec<u8>)>,
    settled: Vec<(u32, Vec<u8>)>,
}

impl Sets {
    /// Most sets of one type that are kept; more than any standard has ids for.
    const MOST: usize = 256;

    /// Takes a set into account; the later one of an id counts.
    pub(super) fn put(&mut self, id: u32, unit: &[u8]) {
        let unit = trimmed(unit).to_vec();
        let full = self.sets.len() >= Self::MOST;
        match self.sets.iter_mut().find(|(known, _)| *known == id) {
            Some((_, known)) => *known = unit,
            None if full => {}
            None => self.sets.push((id, unit)),
        }
    }

    /// What there is now is what [`Sets::changed`] compares with.
    pub(super) fn settle(&mut self) {
        self.settled.clone_from(&self.sets);
    }

    pub(super) fn changed(&self) -> bool {
        self.sets != self.settled
    }

    pub(super) fn first(&self) -> Option<&[u8]> {
        self.sets.first().map(|(_, unit)| unit.as_slice())
    }

    pub(super) fn into_units(self) -> Vec<Vec<u8>> {
        self.sets.into_iter().map(|(_, unit)| unit).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_listed_and_a_cut_is_told() {
        let payload = [0, 0, 0, 2, 7, 8, 0, 0, 0, 0, 0, 0, 0, 1, 9];
        let whole: Result<Vec<_>, _> = units(&payload).collect();
        assert_eq!(whole, Ok(vec![&[7, 8][..], &[9]]));
        for cut in [1, 3, 5, 7, 9, 12, 14] {
            let last = units(&payload[..cut]).last();
            let at = if cut < 6 {
                0
            } else if cut < 10 {
                6
            } else {
                10
            };
            assert_eq!(last, Some(Err(Truncated { at, bytes: cut })), "{cut}");
        }
        assert_eq!(units(&[]).next(), None);
    }

    #[test]
    fn zeros_at_the_end_are_not_a_change() {
        let mut sets = Sets::default();
        sets.put(0, &[7, 1, 2]);
        sets.settle();
        sets.put(0, &[7, 1, 2, 0, 0]);
        assert!(!sets.changed());
        sets.put(0, &[7, 1, 3]);
        assert!(sets.changed());
        sets.put(0, &[7, 1, 2]);
        assert!(!sets.changed(), "the later set of an id counts");
        sets.put(0, &[7, 1, 3]);
        assert_eq!(sets.into_units(), [vec![7, 1, 3]]);
    }
}
