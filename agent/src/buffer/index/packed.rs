//! Fragment indexes as the database keeps them: 73 bytes a fragment instead of 250 in JSON, so that
//! the index of a small stream stays small beside its media.

use shared::hash::Sha256;
use shared::segment::FragmentMeta;
use shared::time::{Ticks90k, WallTime};

const VERSION: u8 = 1;
const RECORD_BYTES: usize = 73;

/// A version byte, then the fields of each fragment in big-endian order.
pub(super) fn pack(fragments: &[FragmentMeta]) -> Vec<u8> {
    let mut packed = Vec::with_capacity(1 + fragments.len() * RECORD_BYTES);
    packed.push(VERSION);
    for fragment in fragments {
        packed.extend_from_slice(&fragment.offset.to_be_bytes());
        packed.extend_from_slice(&fragment.length.to_be_bytes());
        packed.extend_from_slice(&fragment.media_start.get().to_be_bytes());
        packed.extend_from_slice(&fragment.duration.get().to_be_bytes());
        packed.extend_from_slice(&fragment.wall_start.as_micros().to_be_bytes());
        packed.push(u8::from(fragment.sync));
        packed.extend_from_slice(&fragment.samples.to_be_bytes());
        packed.extend_from_slice(fragment.sha256.as_bytes());
    }
    packed
}

/// `None` unless [`pack`] of this or an older version made it.
pub(super) fn unpack(packed: &[u8]) -> Option<Vec<FragmentMeta>> {
    let (&VERSION, records) = packed.split_first()? else {
        return None;
    };
    let (records, []) = records.as_chunks::<RECORD_BYTES>() else {
        return None;
    };
    records.iter().map(unpack_one).collect()
}

fn unpack_one(record: &[u8; RECORD_BYTES]) -> Option<FragmentMeta> {
    let mut rest = record.as_slice();
    Some(FragmentMeta {
        offset: u64::from_be_bytes(take(&mut rest)?),
        length: u32::from_be_bytes(take(&mut rest)?),
        media_start: Ticks90k::new(i64::from_be_bytes(take(&mut rest)?)),
        duration: Ticks90k::new(i64::from_be_bytes(take(&mut rest)?)),
        wall_start: WallTime::from_micros(i64::from_be_bytes(take(&mut rest)?)),
        sync: take::<1>(&mut rest)? != [0],
        samples: u32::from_be_bytes(take(&mut rest)?),
        sha256: Sha256::from_bytes(take(&mut rest)?),
    })
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (field, left) = rest.split_first_chunk::<N>()?;
    *rest = left;
    Some(*field)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_fragment() -> impl Strategy<Value = FragmentMeta> {
        (
            any::<u64>(),
            any::<u32>(),
            any::<[i64; 3]>(),
            any::<bool>(),
            any::<u32>(),
            any::<[u8; 32]>(),
        )
            .prop_map(
                |(offset, length, times, sync, samples, hash)| FragmentMeta {
                    offset,
                    length,
                    media_start: Ticks90k::new(times[0]),
                    duration: Ticks90k::new(times[1]),
                    wall_start: WallTime::from_micros(times[2]),
                    sync,
                    samples,
                    sha256: Sha256::from_bytes(hash),
                },
            )
    }

    proptest! {
        #[test]
        fn what_was_packed_is_unpacked_and_nothing_shorter(fragments in prop::collection::vec(any_fragment(), 0..5)) {
            let packed = pack(&fragments);
            prop_assert_eq!(unpack(&packed[..packed.len() - 1]).map_or(0, |short| short.len()), 0);
            prop_assert_eq!(unpack(&packed), Some(fragments));
        }
    }

    #[test]
    fn another_version_is_not_guessed_at() {
        assert_eq!(unpack(&[]), None);
        assert_eq!(unpack(&[VERSION + 1]), None);
        assert_eq!(unpack(&[VERSION, 0]), None);
    }
}
