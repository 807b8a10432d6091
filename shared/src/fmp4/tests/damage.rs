//! Files that were torn, zeroed or flipped: what was written whole is found, nothing else is.

use std::io::{self, Cursor, Read, Seek, SeekFrom};

use proptest::prelude::*;

use crate::codec::AudioCodec;
use crate::fmp4::contents::Contents;
use crate::fmp4::init;
use crate::fmp4::read::{ReadError, Stop, Walk, walk};
use crate::segment::FragmentMeta;
use crate::testing::{Segment, SegmentBuilder};
use crate::time::WallTime;

fn segment() -> Segment {
    let mut builder = SegmentBuilder::new(WallTime::from_secs(1_800_000_000));
    builder.fragments = 4;
    builder.audio = Some(AudioCodec::Aac);
    builder.build()
}

fn init_end(segment: &Segment) -> usize {
    segment.meta.head.init_length as usize
}

/// All fragments that a walk found, before and behind the stop.
fn found(walk: &Walk) -> Vec<FragmentMeta> {
    walk.fragments.iter().chain(&walk.beyond).cloned().collect()
}

#[test]
fn a_file_cut_anywhere_gives_the_fragments_before_the_cut() {
    let segment = segment();
    for cut in 0..segment.bytes.len() {
        let walk = walk(Cursor::new(&segment.bytes[..cut]));
        if cut < init_end(&segment) {
            assert!(matches!(walk, Err(ReadError::NoInit)), "{cut}");
            continue;
        }
        let walk = walk.unwrap();
        let whole = segment
            .meta
            .fragments
            .iter()
            .filter(|fragment| fragment.end_offset() <= cut as u64);
        let whole: Vec<_> = whole.cloned().collect();
        assert_eq!(found(&walk), whole, "{cut}");
        let at = walk.end();
        let expected = if at == cut as u64 {
            Stop::EndOfFile
        } else {
            Stop::Torn { at }
        };
        assert_eq!(walk.stop, expected, "{cut}");
    }
}

#[test]
fn reserved_space_behind_the_last_fragment_is_no_damage() {
    let segment = segment();
    for cut in [init_end(&segment), segment.bytes.len()] {
        let reserved = [&segment.bytes[..cut], &[0; 10_000]].concat();
        let walk = walk(Cursor::new(reserved)).unwrap();
        assert_eq!(walk.stop, Stop::Unwritten { at: cut as u64 });
        assert_eq!(walk.end(), cut as u64);
    }
}

#[test]
fn a_fragment_torn_within_reserved_space_is_not_listed() {
    let segment = segment();
    let last = segment.meta.fragments.last().unwrap();
    for written in [4, 100, u64::from(last.length) - 40] {
        let mut file = segment.bytes.to_vec();
        file[(last.offset + written) as usize..].fill(0);
        file.extend_from_slice(&[0; 5_000]);
        let walk = walk(Cursor::new(file)).unwrap();
        assert_eq!(found(&walk), segment.meta.fragments[..3]);
        assert_eq!(walk.end(), last.offset);
        assert!(
            !matches!(walk.stop, Stop::EndOfFile | Stop::Unwritten { .. }),
            "{:?}",
            walk.stop
        );
    }
}

#[test]
fn a_flipped_bit_costs_the_fragment_it_is_in_and_no_other() {
    let segment = segment();
    let mut file = segment.bytes.to_vec();
    for place in 0..file.len() {
        for bit in 0..8 {
            file[place] ^= 1 << bit;
            let walk = walk(Cursor::new(&file));
            file[place] ^= 1 << bit;
            if place < init_end(&segment) {
                check_flipped_init(&segment, walk);
                continue;
            }
            let walk = walk.unwrap();
            let hit = |fragment: &&FragmentMeta| {
                (fragment.offset..fragment.end_offset()).contains(&(place as u64))
            };
            let spared = segment
                .meta
                .fragments
                .iter()
                .filter(|fragment| !hit(fragment));
            let spared: Vec<_> = spared.cloned().collect();
            assert_eq!(found(&walk), spared, "byte {place}, bit {bit}");
            assert_eq!(walk.init_is_intact(), walk.head.as_ref().map(|_| true));
        }
    }
}

/// A damaged init part is noticed, and no fragment is listed that is not one.
fn check_flipped_init(segment: &Segment, walk: Result<Walk, ReadError>) {
    let Ok(walk) = walk else { return };
    assert_ne!(walk.init_is_intact(), Some(true));
    let known = |fragment: &FragmentMeta| segment.meta.fragments.contains(fragment);
    assert!(found(&walk).iter().all(known));
}

#[test]
fn a_disk_that_refuses_gives_what_it_gave_before() {
    /// Fails when read at or behind `bad`.
    struct BadSector(Cursor<Vec<u8>>, u64);
    impl Read for BadSector {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let left = self.1.saturating_sub(self.0.position());
            let most = buffer.len().min(usize::try_from(left).unwrap());
            match most {
                0 => Err(io::Error::other("bad sector")),
                most => self.0.read(&mut buffer[..most]),
            }
        }
    }
    impl Seek for BadSector {
        fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
            self.0.seek(to)
        }
    }
    let segment = segment();
    let third = &segment.meta.fragments[2];
    let disk = BadSector(Cursor::new(segment.bytes.to_vec()), third.offset + 50);
    let walk = walk(disk).unwrap();
    assert_eq!(found(&walk), segment.meta.fragments[..2]);
    let error = io::ErrorKind::Other;
    assert_eq!(
        walk.stop,
        Stop::Unreadable {
            at: third.offset,
            error
        }
    );
}

#[test]
fn how_a_reader_cuts_its_reads_makes_no_difference() {
    struct Trickle(Cursor<Vec<u8>>);
    impl Read for Trickle {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let most = buffer.len().min(3);
            self.0.read(&mut buffer[..most])
        }
    }
    impl Seek for Trickle {
        fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
            self.0.seek(to)
        }
    }
    let segment = segment();
    let walk = walk(Trickle(Cursor::new(segment.bytes.to_vec()))).unwrap();
    assert_eq!(walk.fragments, segment.meta.fragments);
}

proptest! {
    #[test]
    fn lost_pages_cost_the_fragments_they_are_in_and_no_other(from in any::<prop::sample::Index>(), length in 1_usize..800) {
        let segment = segment();
        let mut file = segment.bytes.to_vec();
        let from = init_end(&segment) + from.index(file.len() - init_end(&segment));
        let end = (from + length).min(file.len());
        file[from..end].fill(0);
        let whole = |fragment: &&FragmentMeta| {
            let range = fragment.offset as usize..fragment.end_offset() as usize;
            file[range.clone()] == segment.bytes[range]
        };
        let spared: Vec<_> = segment.meta.fragments.iter().filter(whole).cloned().collect();
        prop_assert_eq!(found(&walk(Cursor::new(&file)).unwrap()), spared);
    }

    #[test]
    fn any_bytes_can_be_walked_and_listed(bytes in prop::collection::vec(any::<u8>(), 0..400), keep in any::<prop::sample::Index>()) {
        let segment = segment();
        let prefix = &segment.bytes[..keep.index(segment.bytes.len())];
        let file = [prefix, &bytes].concat();
        if let Ok(walk) = walk(Cursor::new(&file)) {
            prop_assert!(found(&walk).iter().all(|fragment| segment.meta.fragments.contains(fragment)));
        }
        let _ = (Contents::of(&bytes), init::read(&file));
    }

    #[test]
    fn damaged_fragments_and_inits_are_listed_within_bounds_or_refused(
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let segment = segment();
        let mut file = segment.bytes.to_vec();
        for (place, value) in flips {
            let place = place.index(file.len());
            file[place] = value;
        }
        let _ = init::read(&file[..init_end(&segment)]);
        for meta in &segment.meta.fragments {
            let fragment = &file[meta.offset as usize..meta.end_offset() as usize];
            if let Ok(contents) = Contents::of(fragment) {
                let mut ranges = contents.video.iter().map(|(_, range)| range);
                prop_assert!(ranges.all(|range| fragment.get(range.clone()).is_some()));
                let mut ranges = contents.audio.iter().map(|(_, range)| range);
                prop_assert!(ranges.all(|range| fragment.get(range.clone()).is_some()));
            }
        }
    }
}
