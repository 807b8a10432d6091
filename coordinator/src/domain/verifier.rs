//! Checking the bytes of a segment against its index while they arrive. Takes bytes, says how far
//! they are right; no I/O.

use std::ops::Range;

use shared::hash::{Hasher, Sha256};
use shared::segment::{FragmentMeta, SegmentHead};

/// A piece of a file with a hash of its own: the init segment or a fragment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    pub bytes: Range<u64>,
    pub sha256: Sha256,
}

/// The pieces of a segment in order: the init segment, then the fragments. Together they are the
/// whole file as far as it is known.
pub fn pieces(head: &SegmentHead, fragments: &[FragmentMeta]) -> Vec<Piece> {
    let init = Piece {
        bytes: 0..head.init_length.into(),
        sha256: head.init_sha256,
    };
    let fragments = fragments.iter().map(|fragment| Piece {
        bytes: fragment.offset..fragment.end_offset(),
        sha256: fragment.sha256,
    });
    std::iter::once(init)
        .filter(|init| !init.bytes.is_empty())
        .chain(fragments)
        .collect()
}

/// Why no further bytes are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The piece that begins at this byte does not have its hash.
    Corrupt { from: u64 },
    /// There are more bytes than the index knows.
    TooLong,
}

/// How far a file has been seen, and how far it has been found right.
#[derive(Clone, Debug)]
pub struct Verifier {
    pieces: Vec<Piece>,
    /// The piece being hashed.
    current: usize,
    hasher: Hasher,
    position: u64,
    fault: Option<Fault>,
}

impl Verifier {
    /// For the whole file, from its first byte.
    pub fn new(pieces: Vec<Piece>) -> Self {
        Self {
            pieces,
            current: 0,
            hasher: Hasher::new(),
            position: 0,
            fault: None,
        }
    }

    /// Takes the next bytes. Returns how many of them may be kept: all of them, or those before
    /// the first byte that is too many. What has been kept of a corrupt piece is to be dropped, see
    /// [`Verifier::verified`].
    pub fn update(&mut self, mut bytes: &[u8]) -> usize {
        let mut kept = 0;
        while !bytes.is_empty() && self.fault.is_none() {
            let Some(piece) = self.pieces.get(self.current) else {
                self.fault = Some(Fault::TooLong);
                break;
            };
            let missing = piece.bytes.end.saturating_sub(self.position);
            let take = bytes
                .len()
                .min(usize::try_from(missing).unwrap_or(usize::MAX));
            let (now, later) = bytes.split_at(take);
            self.hasher.update(now);
            self.position += take as u64;
            kept += take;
            bytes = later;
            if self.position == piece.bytes.end {
                self.end_piece();
            }
        }
        kept
    }

    fn end_piece(&mut self) {
        let hash = std::mem::take(&mut self.hasher).finish();
        let piece = &self.pieces[self.current];
        if hash == piece.sha256 {
            self.current += 1;
        } else {
            self.fault = Some(Fault::Corrupt {
                from: piece.bytes.start,
            });
        }
    }

    /// Everything before this byte has been found right.
    pub fn verified(&self) -> u64 {
        match self.pieces.get(self.current) {
            Some(piece) => piece.bytes.start,
            None => self.length(),
        }
    }

    pub const fn fault(&self) -> Option<Fault> {
        self.fault
    }

    /// Whether the whole file has been found right.
    pub fn is_complete(&self) -> bool {
        self.fault.is_none() && self.current == self.pieces.len()
    }

    /// Bytes of the whole file.
    pub fn length(&self) -> u64 {
        self.pieces.last().map_or(0, |piece| piece.bytes.end)
    }

    /// Forgets what has been seen of the piece that is not complete, and the fault in it: the
    /// bytes from [`Verifier::verified`] on are going to come again.
    pub fn rewind(&mut self) {
        self.position = self.verified();
        self.hasher = Hasher::new();
        self.fault = None;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use shared::testing::SegmentBuilder;
    use shared::time::WallTime;

    use super::*;

    fn segment() -> (Vec<u8>, Vec<Piece>) {
        let built = SegmentBuilder::new(WallTime::from_secs(1_800_000_000)).build();
        let pieces = pieces(&built.meta.head, &built.meta.fragments);
        (built.bytes.to_vec(), pieces)
    }

    #[test]
    fn the_pieces_are_the_file() {
        let (bytes, pieces) = segment();
        assert_eq!(pieces.len(), 6);
        assert_eq!(pieces[0].bytes.start, 0);
        assert_eq!(pieces[5].bytes.end, bytes.len() as u64);
        for pair in pieces.windows(2) {
            assert_eq!(pair[0].bytes.end, pair[1].bytes.start);
        }
    }

    #[test]
    fn more_than_the_file_is_too_much() {
        let (mut bytes, pieces) = segment();
        let size = bytes.len();
        bytes.push(0);
        let mut verifier = Verifier::new(pieces);
        assert_eq!(verifier.update(&bytes), size);
        assert_eq!(verifier.fault(), Some(Fault::TooLong));
        assert_eq!(verifier.verified(), size as u64);
        assert!(!verifier.is_complete());
    }

    proptest! {
        /// However the bytes are cut, wherever the connection breaks, whichever byte is wrong: what
        /// counts as verified is right, and everything before the piece with the wrong byte does.
        #[test]
        fn the_first_bad_piece_is_found(
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
            wrong in proptest::option::of(any::<prop::sample::Index>()),
            stop in any::<prop::sample::Index>(),
        ) {
            let (mut bytes, pieces) = segment();
            let wrong = wrong.map(|wrong| wrong.index(bytes.len()));
            if let Some(wrong) = wrong {
                bytes[wrong] ^= 1;
            }
            let stop = stop.index(bytes.len() + 1);
            let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(stop + 1)).collect();
            cuts.extend([0, stop]);
            cuts.sort_unstable();
            let mut verifier = Verifier::new(pieces.clone());
            for pair in cuts.windows(2) {
                let piece = &bytes[pair[0]..pair[1]];
                let kept = verifier.update(piece);
                prop_assert!(kept == piece.len() || verifier.fault().is_some());
            }
            let bad = wrong.and_then(|wrong| {
                pieces.iter().find(|piece| piece.bytes.contains(&(wrong as u64)))
            });
            let boundary = pieces
                .iter()
                .map(|piece| piece.bytes.end)
                .filter(|end| *end <= stop as u64)
                .filter(|end| bad.is_none_or(|bad| *end <= bad.bytes.start))
                .max()
                .unwrap_or(0);
            prop_assert_eq!(verifier.verified(), boundary);
            let seen_bad = bad.filter(|bad| bad.bytes.end <= stop as u64);
            let fault = seen_bad.map(|bad| Fault::Corrupt { from: bad.bytes.start });
            prop_assert_eq!(verifier.fault(), fault);
            prop_assert_eq!(verifier.is_complete(), bad.is_none() && stop == bytes.len());
            // Sent again and right, the rest is found right too.
            if let Some(wrong) = wrong {
                bytes[wrong] ^= 1;
            }
            verifier.rewind();
            let from = verifier.verified() as usize;
            verifier.update(&bytes[from..]);
            prop_assert!(verifier.is_complete());
        }
    }
}
