//! Buckets in the memory of this process.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use shared::clock::Clock;

use super::{Rates, RatesError, Taken};
use crate::domain::rate::{Key, Rate, Verdict, ask};

/// Buckets kept: some 10 MB.
const CAPACITY: usize = 100_000;
/// How often full buckets, which need not be kept, are looked for.
const SWEEP: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub struct InProcess {
    clock: Arc<dyn Clock>,
    capacity: usize,
    buckets: Mutex<Buckets>,
}

#[derive(Debug, Default)]
struct Buckets {
    full_at: HashMap<Key, Duration>,
    /// Of all who come while there is no room for a bucket of their own. They share one.
    others: Duration,
    swept: Duration,
}

impl InProcess {
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self::with_capacity(clock, CAPACITY)
    }

    fn with_capacity(clock: Arc<dyn Clock>, capacity: usize) -> Self {
        Self {
            clock,
            capacity,
            buckets: Mutex::default(),
        }
    }

    /// All or none, at one moment.
    pub fn take_now(&self, wanted: &[(Key, Rate)]) -> Taken {
        let now = self.clock.monotonic();
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        buckets.sweep(now, self.capacity);
        let mut wait = Duration::ZERO;
        for (key, rate) in wanted {
            if let Verdict::Refused { wait: longer } = buckets.ask(key, *rate, now, self.capacity) {
                wait = wait.max(longer);
            }
        }
        if !wait.is_zero() {
            return Taken::Refused { wait };
        }
        for (key, rate) in wanted {
            buckets.take(key, *rate, now, self.capacity);
        }
        Taken::Granted
    }
}

impl Buckets {
    fn has_room(&self, key: &Key, capacity: usize) -> bool {
        self.full_at.len() < capacity || self.full_at.contains_key(key)
    }

    fn ask(&self, key: &Key, rate: Rate, now: Duration, capacity: usize) -> Verdict {
        let full_at = match self.full_at.get(key) {
            Some(full_at) => *full_at,
            None if self.full_at.len() < capacity => Duration::ZERO,
            None => self.others,
        };
        ask(rate, full_at, now)
    }

    fn take(&mut self, key: &Key, rate: Rate, now: Duration, capacity: usize) {
        let Verdict::Granted { full_at } = self.ask(key, rate, now, capacity) else {
            return;
        };
        if !self.has_room(key, capacity) {
            self.others = full_at;
        } else if let Some(kept) = self.full_at.get_mut(key) {
            *kept = full_at;
        } else {
            self.full_at.insert(key.clone(), full_at);
        }
    }

    /// At most once a second even if there is no room, so that it costs little however many come.
    fn sweep(&mut self, now: Duration, capacity: usize) {
        let pause = if self.full_at.len() < capacity {
            SWEEP
        } else {
            Duration::from_secs(1)
        };
        if now.saturating_sub(self.swept) >= pause {
            self.swept = now;
            self.full_at.retain(|_, full_at| *full_at > now);
            if self.full_at.capacity() > 4 * self.full_at.len().max(1024) {
                self.full_at.shrink_to_fit();
            }
        }
    }
}

#[async_trait]
impl Rates for InProcess {
    async fn take(&self, buckets: &[(Key, Rate)]) -> Result<Taken, RatesError> {
        Ok(self.take_now(buckets))
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use shared::clock::{SimulatedClock, SystemClock};
    use shared::time::WallTime;

    use super::super::suite;
    use super::*;
    use crate::domain::rate::{Asked, Subject};

    #[tokio::test]
    async fn it_passes_the_suite() {
        suite::run(&InProcess::new(Arc::new(SystemClock::new()))).await;
    }

    fn address(number: u32) -> Key {
        Key {
            of: Subject::Address(IpAddr::V4(Ipv4Addr::from_bits(number))),
            what: Asked::Api,
        }
    }

    #[test]
    fn idle_buckets_go_and_strangers_without_room_share_one() {
        let clock = Arc::new(SimulatedClock::new(WallTime::from_secs(1_700_000_000)));
        let rates = InProcess::with_capacity(clock.clone(), 10);
        let rate = Rate {
            interval: Duration::from_secs(10),
            burst: 2,
        };
        let take = |number| rates.take_now(&[(address(number), rate)]);
        let kept = || rates.buckets.lock().unwrap().full_at.len();
        for number in 0..10 {
            assert_eq!(take(number), Taken::Granted);
        }
        assert_eq!((take(100), take(101)), (Taken::Granted, Taken::Granted));
        assert!(matches!(take(102), Taken::Refused { .. }));
        // Whoever has a bucket keeps it.
        assert_eq!(take(0), Taken::Granted);
        assert_eq!(kept(), 10);
        clock.advance(Duration::from_secs(40));
        assert_eq!(take(102), Taken::Granted);
        assert_eq!(kept(), 1);
    }
}
