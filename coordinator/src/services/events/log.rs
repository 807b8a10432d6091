//! The newest event of every topic, in the order of their numbers.
//!
//! Every event says how something is, so it takes the place of the one before about the same thing.
//! That bounds the log by the number of things there are, whoever listens how slowly, and whoever was
//! away goes on where they were, however long that was.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;

/// Events of which each has a topic.
#[derive(Debug)]
pub(super) struct Log<K, E> {
    last: u64,
    newest: HashMap<K, u64>,
    kept: BTreeMap<u64, E>,
}

impl<K, E> Default for Log<K, E> {
    fn default() -> Self {
        Self {
            last: 0,
            newest: HashMap::new(),
            kept: BTreeMap::new(),
        }
    }
}

impl<K: Eq + Hash, E: Clone> Log<K, E> {
    /// Its number; numbers begin with 1 and grow.
    pub(super) fn push(&mut self, topic: K, event: E) -> u64 {
        self.last += 1;
        if let Some(before) = self.newest.insert(topic, self.last) {
            self.kept.remove(&before);
        }
        self.kept.insert(self.last, event);
        self.last
    }

    /// Number of the newest event; 0 before the first.
    pub(super) const fn last(&self) -> u64 {
        self.last
    }

    /// What came after a number, oldest first, at most so many.
    pub(super) fn after(&self, number: u64, limit: usize) -> Vec<(u64, E)> {
        let Some(from) = number.checked_add(1) else {
            return Vec::new();
        };
        let events = self.kept.range(from..).take(limit);
        events
            .map(|(number, event)| (*number, event.clone()))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whoever has heard everything up to some event, and then whatever the log gives, knows how
        /// everything is.
        #[test]
        fn going_on_from_anywhere_ends_at_the_newest_of_everything(
            events in prop::collection::vec((0_u8..6, 0_u32..1_000), 0..80),
            away_from in 0_usize..80,
            limit in 1_usize..10,
        ) {
            let mut log = Log::default();
            let mut truth = BTreeMap::new();
            let mut known = BTreeMap::new();
            for (index, (topic, event)) in events.iter().enumerate() {
                let number = log.push(*topic, (*topic, *event));
                prop_assert_eq!(number, index as u64 + 1);
                truth.insert(*topic, *event);
                if index < away_from {
                    known.insert(*topic, *event);
                }
            }
            let mut at = away_from.min(events.len()) as u64;
            loop {
                let more = log.after(at, limit);
                prop_assert!(more.len() <= limit);
                prop_assert!(more.is_sorted_by_key(|(number, _)| *number));
                let Some((number, _)) = more.last() else { break };
                at = *number;
                known.extend(more.into_iter().map(|(_, event)| event));
            }
            prop_assert_eq!(&known, &truth);
            prop_assert_eq!(at, log.last());
            prop_assert_eq!(log.kept.len(), truth.len());
            prop_assert_eq!(log.newest.len(), truth.len());
            prop_assert!(log.after(u64::MAX, limit).is_empty());
        }
    }
}
