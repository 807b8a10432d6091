//! How long to wait before trying again. Pure: the caller brings the randomness and does the
//! waiting, and tries for ever.

use std::time::Duration;

/// Doubles from `first` to `longest`, each time spread over the upper half so that many who failed
/// together do not come back together.
#[derive(Clone, Debug)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
    failures: u32,
}

impl Backoff {
    pub const fn new(first: Duration, longest: Duration) -> Self {
        Self {
            first,
            longest,
            failures: 0,
        }
    }

    /// After a success that lasted.
    pub const fn reset(&mut self) {
        self.failures = 0;
    }

    /// The wait after one more failure; `random` is from 0 to 1.
    pub fn next(&mut self, random: f64) -> Duration {
        let whole = self
            .first
            .saturating_mul(1_u32.checked_shl(self.failures).unwrap_or(u32::MAX))
            .min(self.longest);
        self.failures = self.failures.saturating_add(1);
        whole.mul_f64(0.5 + random.clamp(0.0, 1.0) / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_and_begin_anew_after_a_success() {
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(30));
        let waits: Vec<_> = (0..7).map(|_| backoff.next(1.0).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 30, 30]);
        for _ in 0..100 {
            assert_eq!(backoff.next(0.0), Duration::from_secs(15));
        }
        backoff.reset();
        assert_eq!(backoff.next(0.0), Duration::from_millis(500));
    }
}
