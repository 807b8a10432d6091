//! Pieces of segments from the edge: those that are here, and those on their way. Pure bookkeeping
//! under one lock; pulling is the business of `pull`.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use shared::id::SegmentId;
use tokio::sync::watch;

use super::super::edge_source::EdgeError;

/// A piece of a segment, by its place: the init segment and the fragments, counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) segment: SegmentId,
    pub(super) piece: usize,
}

/// What a piece on its way turns into; nothing yet while it is `None`.
pub(super) type Arrival = Option<Result<Bytes, EdgeError>>;

/// Holds at most so many bytes, and lets go of what has not been used for longest.
#[derive(Debug)]
pub(super) struct Cache {
    budget: usize,
    used: usize,
    /// Counts uses; the smallest is the oldest.
    turn: u64,
    kept: HashMap<Key, (Bytes, u64)>,
    by_turn: BTreeMap<u64, Key>,
    coming: HashMap<Key, watch::Receiver<Arrival>>,
}

/// Where a piece is.
#[derive(Debug)]
pub(super) enum Found {
    Here(Bytes),
    Coming(watch::Receiver<Arrival>),
    Nowhere,
}

impl Cache {
    pub(super) fn new(budget: usize) -> Self {
        Self {
            budget,
            used: 0,
            turn: 0,
            kept: HashMap::new(),
            by_turn: BTreeMap::new(),
            coming: HashMap::new(),
        }
    }

    pub(super) const fn used(&self) -> usize {
        self.used
    }

    pub(super) fn find(&mut self, key: Key) -> Found {
        if let Some((bytes, turn)) = self.kept.get_mut(&key) {
            self.by_turn.remove(turn);
            self.turn += 1;
            *turn = self.turn;
            self.by_turn.insert(self.turn, key);
            return Found::Here(bytes.clone());
        }
        match self.coming.get(&key) {
            Some(coming) => Found::Coming(coming.clone()),
            None => Found::Nowhere,
        }
    }

    /// A piece is going to come; whoever looks for it waits for this.
    pub(super) fn expect(
        &mut self,
        key: Key,
    ) -> (watch::Sender<Arrival>, watch::Receiver<Arrival>) {
        let (sender, receiver) = watch::channel(None);
        self.coming.insert(key, receiver.clone());
        (sender, receiver)
    }

    /// A piece has come, or not; the next one who looks for it asks anew if it has not.
    pub(super) fn arrived(&mut self, key: Key, bytes: Option<&Bytes>) {
        self.coming.remove(&key);
        if let Some(bytes) = bytes {
            self.keep(key, bytes.clone());
        }
    }

    /// Whether nobody but the cache waits for the piece; then it is no longer expected.
    pub(super) fn forget_unwanted(&mut self, key: Key, sender: &watch::Sender<Arrival>) -> bool {
        let unwanted = sender.receiver_count() <= 1;
        if unwanted {
            self.coming.remove(&key);
        }
        unwanted
    }

    fn keep(&mut self, key: Key, bytes: Bytes) {
        if bytes.len() > self.budget {
            return;
        }
        self.turn += 1;
        self.used += bytes.len();
        if let Some((before, turn)) = self.kept.insert(key, (bytes, self.turn)) {
            self.used -= before.len();
            self.by_turn.remove(&turn);
        }
        self.by_turn.insert(self.turn, key);
        while self.used > self.budget {
            let Some((_, oldest)) = self.by_turn.pop_first() else {
                return;
            };
            if let Some((bytes, _)) = self.kept.remove(&oldest) {
                self.used -= bytes.len();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(piece: usize) -> Key {
        Key {
            segment: SegmentId::from_slice(&[7; 16]).unwrap(),
            piece,
        }
    }

    #[test]
    fn what_was_used_last_is_kept() {
        let mut cache = Cache::new(10);
        for piece in 0..3 {
            let (_sender, _receiver) = cache.expect(key(piece));
            cache.arrived(key(piece), Some(&Bytes::from_static(b"1234")));
            assert!(matches!(cache.find(key(0)), Found::Here(_)));
        }
        assert!(matches!(cache.find(key(1)), Found::Nowhere));
        assert!(matches!(cache.find(key(2)), Found::Here(_)));
        assert_eq!(cache.used(), 8);
    }

    #[test]
    fn a_piece_nobody_waits_for_is_forgotten() {
        let mut cache = Cache::new(10);
        let (sender, receiver) = cache.expect(key(1));
        assert!(!cache.forget_unwanted(key(1), &sender));
        assert!(matches!(cache.find(key(1)), Found::Coming(_)));
        drop(receiver);
        assert!(cache.forget_unwanted(key(1), &sender));
        assert!(matches!(cache.find(key(1)), Found::Nowhere));
    }

    proptest! {
        /// Never over budget, and the sum is that of what is kept.
        #[test]
        fn the_budget_is_kept(pieces in prop::collection::vec((0_usize..12, 0_usize..40), 0..60)) {
            let mut cache = Cache::new(64);
            for (piece, length) in pieces {
                cache.arrived(key(piece), Some(&Bytes::from(vec![0; length])));
                let kept: usize = cache.kept.values().map(|(bytes, _)| bytes.len()).sum();
                prop_assert_eq!(kept, cache.used());
                prop_assert_eq!(cache.kept.len(), cache.by_turn.len());
                prop_assert!(cache.used() <= 64);
            }
        }
    }
}
