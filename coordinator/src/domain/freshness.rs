//! When something that stands elsewhere is fetched again: the keys and addresses of an issuer.
//!
//! A machine that is told the time and what is wanted, and says what to do. It fetches rarely,
//! whoever asks for keys that nobody has, and goes on with what it has while the issuer is away.

use std::time::Duration;

use shared::time::WallTime;

/// How long something is used without asking again.
pub const FRESH: Duration = Duration::from_secs(3600);
/// How long it is used while asking again fails.
pub const USABLE: Duration = Duration::from_secs(24 * 3600);
/// Between two attempts, whatever they were for.
pub const PAUSE: Duration = Duration::from_secs(15);

/// What is known of the thing itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Freshness {
    fetched: Option<WallTime>,
    attempted: Option<WallTime>,
    failing_since: Option<WallTime>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Whatever it is.
    Any,
    /// Newer than what there is: something was not in it.
    Newer,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// What there is.
    Use,
    /// Fetch, and use what there is if that fails.
    FetchOrUse,
    /// Fetch; there is nothing to use.
    Fetch,
    /// Neither: nothing to use, and just now it could not be fetched.
    Without,
}

impl Freshness {
    /// What to do; after a fetch, [`Freshness::fetched`] or [`Freshness::failed`] has to be told.
    pub fn step(&self, wanted: Wanted, now: WallTime) -> Step {
        let age = self.fetched.map(|at| apart(now, at));
        let usable = age.is_some_and(|age| age < USABLE);
        let fresh = age.is_some_and(|age| age < FRESH);
        let rested = self.attempted.is_none_or(|at| apart(now, at) >= PAUSE);
        match (usable, rested && (!fresh || wanted == Wanted::Newer)) {
            (true, false) => Step::Use,
            (true, true) => Step::FetchOrUse,
            (false, true) => Step::Fetch,
            (false, false) => Step::Without,
        }
    }

    /// A fetch begins; if it is given up halfway, it has been an attempt.
    pub const fn begun(&mut self, now: WallTime) {
        self.attempted = Some(now);
    }

    pub const fn fetched(&mut self, now: WallTime) {
        *self = Self {
            fetched: Some(now),
            attempted: Some(now),
            failing_since: None,
        };
    }

    pub fn failed(&mut self, now: WallTime) {
        self.attempted = Some(now);
        self.failing_since.get_or_insert(now);
    }

    /// Since when it cannot be fetched; `None` while it can, or before the first attempt.
    pub const fn failing_since(&self) -> Option<WallTime> {
        self.failing_since
    }

    pub const fn was_fetched(&self) -> bool {
        self.fetched.is_some()
    }
}

/// A clock that was set back makes things old, not young for ever.
fn apart(one: WallTime, other: WallTime) -> Duration {
    Duration::from_micros(one.micros_since(other).unsigned_abs())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug)]
    enum Event {
        Wait(u64),
        StepBack(u64),
        Ask(bool, bool),
    }

    fn events() -> impl Strategy<Value = Vec<Event>> {
        let event = prop_oneof![
            (0_u64..7_200).prop_map(Event::Wait),
            (0_u64..7_200).prop_map(Event::StepBack),
            (any::<bool>(), any::<bool>()).prop_map(|(newer, works)| Event::Ask(newer, works)),
            (any::<bool>(), any::<bool>()).prop_map(|(newer, works)| Event::Ask(newer, works)),
        ];
        prop::collection::vec(event, 1..200)
    }

    proptest! {
        /// Whoever asks however often: there is a pause between two fetches, nothing older than a
        /// day is used, and what works is asked for again in time.
        #[test]
        fn little_is_fetched_and_nothing_old_is_used(events in events()) {
            let mut thing = Freshness::default();
            let mut now = WallTime::from_secs(1_800_000_000);
            let (mut got, mut tried): (Option<WallTime>, Option<WallTime>) = (None, None);
            for event in events {
                let (newer, works) = match event {
                    Event::Wait(seconds) => { now = now + Duration::from_secs(seconds); continue }
                    Event::StepBack(seconds) => { now = now - Duration::from_secs(seconds); continue }
                    Event::Ask(newer, works) => (newer, works),
                };
                let step = thing.step(if newer { Wanted::Newer } else { Wanted::Any }, now);
                let age = |at: Option<WallTime>| at.map(|at| apart(now, at));
                if matches!(step, Step::Use | Step::FetchOrUse) {
                    prop_assert!(age(got).is_some_and(|age| age < USABLE));
                }
                let rested = age(tried).is_none_or(|age| age >= PAUSE);
                let fetches = matches!(step, Step::Fetch | Step::FetchOrUse);
                prop_assert!(rested || !fetches);
                if rested && age(got).is_none_or(|age| age >= FRESH) {
                    prop_assert!(fetches);
                }
                if fetches {
                    tried = Some(now);
                    if works { thing.fetched(now); got = Some(now) } else { thing.failed(now) }
                    prop_assert_eq!(thing.failing_since().is_none(), works);
                }
            }
        }
    }

    #[test]
    fn an_outage_of_hours_is_survived_and_seen() {
        let start = WallTime::from_secs(1_800_000_000);
        let mut thing = Freshness::default();
        assert_eq!(thing.step(Wanted::Any, start), Step::Fetch);
        thing.fetched(start);
        assert_eq!(thing.step(Wanted::Any, start + PAUSE), Step::Use);
        assert_eq!(thing.step(Wanted::Newer, start + PAUSE), Step::FetchOrUse);
        let later = start + FRESH;
        assert_eq!(thing.step(Wanted::Any, later), Step::FetchOrUse);
        thing.failed(later);
        assert_eq!(thing.failing_since(), Some(later));
        assert_eq!(thing.step(Wanted::Newer, later), Step::Use);
        let much_later = start + USABLE;
        assert_eq!(thing.step(Wanted::Any, much_later), Step::Fetch);
        thing.failed(much_later);
        assert_eq!(thing.failing_since(), Some(later));
        assert_eq!(thing.step(Wanted::Any, much_later), Step::Without);
    }
}
