//! Fragments as compact bytes, for back ends that keep them in one column.
//!
//! Two columns: the *figures* (where and when, about eleven bytes a fragment), which timeline and
//! playlist read, and the *hashes* (32 bytes a fragment), which only uploads and proofs read. Every
//! figure is stored as its difference from what the fragment before makes one expect, as
//! variable-length integers (LEB128, signed ones zigzag), so that a regular stream costs one byte
//! for most of them. The first byte is the version of this format.

use shared::hash::Sha256;
use shared::segment::FragmentMeta;
use shared::time::{Ticks90k, WallTime};

use crate::domain::segment::Fragment;

const VERSION: u8 = 1;
const HASH_BYTES: usize = 32;
/// Bytes of the figures of a fragment, in most streams.
const USUAL_FIGURES: usize = 10;

/// What was read cannot have been written by [`pack`].
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum PackedError {
    #[error("fragments in format {0}, which this version does not know")]
    Version(u8),
    #[error("fragments end in the middle of one")]
    Truncated,
    #[error("{fragments} fragments with {hashes} bytes of hashes")]
    Hashes { fragments: usize, hashes: usize },
}

/// Figures and hashes of fragments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packed {
    pub figures: Vec<u8>,
    pub hashes: Vec<u8>,
}

pub fn pack(fragments: &[FragmentMeta]) -> Packed {
    let mut figures = Vec::with_capacity(2 + fragments.len() * 12);
    let mut hashes = Vec::with_capacity(fragments.len() * HASH_BYTES);
    figures.push(VERSION);
    put(&mut figures, fragments.len() as u64);
    let mut expected = Expected::default();
    for fragment in fragments {
        put(
            &mut figures,
            zigzag(fragment.offset.wrapping_sub(expected.offset).cast_signed()),
        );
        put(&mut figures, fragment.length.into());
        put(
            &mut figures,
            zigzag(fragment.media_start.get().wrapping_sub(expected.media_90k)),
        );
        put(&mut figures, zigzag(fragment.duration.get()));
        put(
            &mut figures,
            zigzag(
                fragment
                    .wall_start
                    .as_micros()
                    .wrapping_sub(expected.wall_us),
            ),
        );
        put(
            &mut figures,
            u64::from(fragment.samples) << 1 | u64::from(fragment.sync),
        );
        expected.advance(&Fragment::from(fragment));
        hashes.extend_from_slice(fragment.sha256.as_bytes());
    }
    Packed { figures, hashes }
}

/// Appends the fragments to `into`, without their hashes.
///
/// # Errors
/// The bytes are damaged or of a newer format.
pub fn unpack_figures(figures: &[u8], into: &mut Vec<Fragment>) -> Result<(), PackedError> {
    // As far as it is true; what is damaged must not cost memory.
    let fragments = figures.len() / USUAL_FIGURES;
    into.reserve_exact(fragments + 1);
    unpack_each(figures, |fragment, _| into.push(fragment))
}

/// # Errors
/// The bytes are damaged or of a newer format.
pub fn unpack(packed: &Packed) -> Result<Vec<FragmentMeta>, PackedError> {
    let mut fragments = Vec::with_capacity(packed.hashes.len() / HASH_BYTES);
    let (hashes, rest) = packed.hashes.as_chunks::<HASH_BYTES>();
    let mut hashes = hashes.iter().copied().map(Sha256::from_bytes);
    let mut missing = 0;
    unpack_each(&packed.figures, |fragment, samples| match hashes.next() {
        Some(sha256) => fragments.push(FragmentMeta {
            offset: fragment.offset,
            length: fragment.length,
            media_start: fragment.media_start,
            duration: fragment.duration,
            wall_start: fragment.wall_start,
            sync: fragment.sync,
            samples,
            sha256,
        }),
        None => missing += 1,
    })?;
    if missing > 0 || hashes.next().is_some() || !rest.is_empty() {
        return Err(PackedError::Hashes {
            fragments: fragments.len() + missing,
            hashes: packed.hashes.len(),
        });
    }
    Ok(fragments)
}

fn unpack_each(figures: &[u8], mut each: impl FnMut(Fragment, u32)) -> Result<(), PackedError> {
    let (&version, rest) = figures.split_first().ok_or(PackedError::Truncated)?;
    if version != VERSION {
        return Err(PackedError::Version(version));
    }
    let mut bytes = Reader(rest);
    let count = bytes.take()?;
    let mut expected = Expected::default();
    for _ in 0..count {
        let offset = expected
            .offset
            .wrapping_add(unzigzag(bytes.take()?).cast_unsigned());
        let length = bytes.take_u32()?;
        let media_start = expected.media_90k.wrapping_add(unzigzag(bytes.take()?));
        let duration = unzigzag(bytes.take()?);
        let wall_start = expected.wall_us.wrapping_add(unzigzag(bytes.take()?));
        let samples = bytes.take()?;
        let fragment = Fragment {
            offset,
            length,
            media_start: Ticks90k::new(media_start),
            duration: Ticks90k::new(duration),
            wall_start: WallTime::from_micros(wall_start),
            sync: samples & 1 == 1,
        };
        expected.advance(&fragment);
        let samples = u32::try_from(samples >> 1).map_err(|_| PackedError::Truncated)?;
        each(fragment, samples);
    }
    if bytes.0.is_empty() {
        Ok(())
    } else {
        Err(PackedError::Truncated)
    }
}

/// Where and when the next fragment begins in a stream without surprises.
#[derive(Default)]
struct Expected {
    offset: u64,
    media_90k: i64,
    wall_us: i64,
}

impl Expected {
    fn advance(&mut self, fragment: &Fragment) {
        self.offset = fragment.offset.wrapping_add(fragment.length.into());
        self.media_90k = fragment
            .media_start
            .get()
            .wrapping_add(fragment.duration.get());
        self.wall_us = fragment
            .wall_start
            .as_micros()
            .wrapping_add(fragment.duration.to_micros());
    }
}

const fn zigzag(value: i64) -> u64 {
    (value.cast_unsigned() << 1) ^ (value >> 63).cast_unsigned()
}

const fn unzigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -(value & 1).cast_signed()
}

fn put(into: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        into.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    into.push(value as u8);
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    /// A day of a camera has a million figures, and most of them are a byte.
    #[inline]
    fn take(&mut self) -> Result<u64, PackedError> {
        match self.0 {
            [byte @ 0..0x80, rest @ ..] => {
                self.0 = rest;
                Ok((*byte).into())
            }
            _ => self.take_long(),
        }
    }

    fn take_long(&mut self) -> Result<u64, PackedError> {
        let mut value = 0;
        for (index, &byte) in self.0.iter().take(10).enumerate() {
            value |= u64::from(byte & 0x7f) << (7 * index);
            if byte < 0x80 {
                self.0 = &self.0[index + 1..];
                return Ok(value);
            }
        }
        Err(PackedError::Truncated)
    }

    #[inline]
    fn take_u32(&mut self) -> Result<u32, PackedError> {
        u32::try_from(self.take()?).map_err(|_| PackedError::Truncated)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_fragment() -> impl Strategy<Value = FragmentMeta> {
        (
            any::<u64>(),
            any::<u32>(),
            any::<i64>(),
            any::<i64>(),
            any::<i64>(),
            any::<bool>(),
            any::<u32>(),
            any::<[u8; 32]>(),
        )
            .prop_map(
                |(offset, length, media, duration, wall, sync, samples, hash)| FragmentMeta {
                    offset,
                    length,
                    media_start: Ticks90k::new(media),
                    duration: Ticks90k::new(duration),
                    wall_start: WallTime::from_micros(wall),
                    sync,
                    samples,
                    sha256: Sha256::from_bytes(hash),
                },
            )
    }

    fn regular(count: u32) -> Vec<FragmentMeta> {
        (0..count)
            .map(|index| FragmentMeta {
                offset: 1_000 + u64::from(index) * 500_000,
                length: 500_000,
                media_start: Ticks90k::new(i64::from(index) * 90_000),
                duration: Ticks90k::SECOND,
                wall_start: WallTime::from_micros(1_800_000_000_000_000)
                    + std::time::Duration::from_micros(u64::from(index) * 1_000_100),
                sync: true,
                samples: 25,
                sha256: Sha256::of(&index.to_be_bytes()),
            })
            .collect()
    }

    #[test]
    fn a_regular_minute_takes_eleven_bytes_a_fragment() {
        let packed = pack(&regular(60));
        assert!(
            packed.figures.len() <= 60 * 11 + 25,
            "{}",
            packed.figures.len()
        );
        assert_eq!(packed.hashes.len(), 60 * 32);
    }

    #[test]
    fn the_first_format_stays_readable() {
        let packed = Packed {
            figures: vec![
                1, 2, 0xd0, 0x0f, 0xf4, 0x03, 0, 0xa0, 0xfe, 0x0a, 0x80, 0x89, 0x7a, 0x33, 0, 0x64,
                0, 0xa0, 0xfe, 0x0a, 0xc8, 0x01, 0x32,
            ],
            hashes: vec![7; 64],
        };
        let fragments = unpack(&packed).unwrap();
        let figures: Vec<_> = fragments
            .iter()
            .map(|fragment| {
                (
                    fragment.offset,
                    fragment.length,
                    fragment.media_start.get(),
                    fragment.wall_start.as_micros(),
                    fragment.sync,
                    fragment.samples,
                )
            })
            .collect();
        assert_eq!(
            figures,
            [
                (1_000, 500, 0, 1_000_000, true, 25),
                (1_500, 100, 90_000, 2_000_100, false, 25)
            ]
        );
        assert_eq!(pack(&fragments), packed);
    }

    #[test]
    fn damage_is_an_error_and_not_a_panic() {
        let packed = pack(&regular(3));
        for length in 0..packed.figures.len() {
            let mut fragments = Vec::new();
            assert!(unpack_figures(&packed.figures[..length], &mut fragments).is_err());
        }
        let newer = Packed {
            figures: vec![2, 0],
            hashes: Vec::new(),
        };
        assert_eq!(unpack(&newer), Err(PackedError::Version(2)));
        let without = Packed {
            hashes: packed.hashes[..64].to_vec(),
            ..packed
        };
        assert_eq!(
            unpack(&without),
            Err(PackedError::Hashes {
                fragments: 3,
                hashes: 64
            })
        );
    }

    proptest! {
        #[test]
        fn whatever_was_packed_comes_out_again(fragments in prop::collection::vec(any_fragment(), 0..20)) {
            let packed = pack(&fragments);
            prop_assert_eq!(&unpack(&packed).unwrap(), &fragments);
            let mut figures = Vec::new();
            unpack_figures(&packed.figures, &mut figures).unwrap();
            prop_assert_eq!(figures, fragments.iter().map(Fragment::from).collect::<Vec<_>>());
        }

        #[test]
        fn foreign_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let mut figures = Vec::new();
            let _ = unpack_figures(&bytes, &mut figures);
        }
    }
}
