//! How much somebody may ask in a time: the generic cell rate algorithm, as pure arithmetic.
//!
//! A bucket holds `burst` requests and gains one every `interval`. All there is to remember of it is
//! the moment at which it will be full again; a bucket that is full need not be remembered at all.
//! Where the moments rest, and whose buckets there are, is for `stores::rates` and
//! `services::limits`.

use std::net::IpAddr;
use std::time::Duration;

use shared::id::UserId;

use super::agency::AgencyCode;

/// `burst` at once, and one more every `interval`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    pub interval: Duration,
    pub burst: u32,
}

impl Rate {
    /// So many a second, and at once. Nought counts as one.
    pub fn per_second(count: u32, burst: u32) -> Self {
        Self {
            interval: Duration::from_secs(1) / count.max(1),
            burst: burst.max(1),
        }
    }

    /// How long an empty bucket takes to fill.
    fn fill(self) -> Duration {
        self.interval.saturating_mul(self.burst)
    }
}

/// Whose bucket.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    pub of: Subject,
    pub what: Asked,
}

/// Who asks. One request may count for several.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    User(UserId),
    Agency(AgencyCode),
    /// Somebody whom we do not know.
    Address(IpAddr),
}

/// What is asked for. Each has buckets of its own, so that watching leaves the interface its share,
/// and the other way round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Asked {
    Api,
    /// Pieces of a running playback.
    Media,
}

/// What a bucket says to one more request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Yes; from then on remember this moment.
    Granted { full_at: Duration },
    /// Not before this time has passed.
    Refused { wait: Duration },
}

/// Asks a bucket that will be full at `full_at` for one request `now`. Both are since the same
/// point; a bucket never used, or forgotten, is full at nought.
///
/// A clock that steps back makes the bucket look fuller of debt than it can be; it counts as empty
/// then, so that nobody waits for longer than one interval.
pub fn ask(rate: Rate, full_at: Duration, now: Duration) -> Verdict {
    let fill = rate.fill();
    let latest = now.saturating_add(fill);
    let full_at = full_at.clamp(now, latest).saturating_add(rate.interval);
    match full_at.saturating_sub(latest) {
        Duration::ZERO => Verdict::Granted { full_at },
        wait => Verdict::Refused { wait },
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The bucket as one would draw it: tokens, counted in billionths.
    struct Naive {
        tokens: u128,
        at: Duration,
    }

    const TOKEN: u128 = 1_000_000_000;

    impl Naive {
        fn ask(&mut self, rate: Rate, now: Duration) -> bool {
            let passed = (now - self.at).as_nanos();
            let gained = passed * TOKEN / rate.interval.as_nanos();
            self.tokens = (self.tokens + gained).min(u128::from(rate.burst) * TOKEN);
            self.at = now;
            let granted = self.tokens >= TOKEN;
            if granted {
                self.tokens -= TOKEN;
            }
            granted
        }
    }

    fn rates() -> impl Strategy<Value = Rate> {
        // Powers of ten, of which the naive bucket loses nothing to rounding.
        (0_u32..7, 1_u32..20).prop_map(|(power, burst)| Rate {
            interval: Duration::from_nanos(1_000 * 10_u64.pow(power)),
            burst,
        })
    }

    /// Times that lie where a bucket of this rate decides.
    fn steps() -> impl Strategy<Value = Vec<f64>> {
        prop::collection::vec(
            prop_oneof![
                Just(0.0),
                Just(1.0),
                0.0..0.9_f64,
                0.9..1.1_f64,
                1.1..30.0_f64
            ],
            1..200,
        )
    }

    fn moments(rate: Rate, steps: &[f64]) -> Vec<Duration> {
        let mut now = Duration::from_secs(1);
        let step = |step: &f64| {
            now += rate.interval.mul_f64(*step);
            now
        };
        steps.iter().map(step).collect()
    }

    /// Which of the requests are granted.
    fn granted(rate: Rate, moments: &[Duration]) -> Vec<bool> {
        let mut full = Duration::ZERO;
        let mut ask_at = |now: &Duration| match ask(rate, full, *now) {
            Verdict::Granted { full_at } => {
                full = full_at;
                true
            }
            Verdict::Refused { .. } => false,
        };
        moments.iter().map(&mut ask_at).collect()
    }

    proptest! {
        #[test]
        fn it_decides_as_a_bucket_of_tokens(rate in rates(), steps in steps()) {
            let moments = moments(rate, &steps);
            let mut naive = Naive {
                tokens: u128::from(rate.burst) * TOKEN,
                at: Duration::ZERO,
            };
            let expected: Vec<_> = moments.iter().map(|now| naive.ask(rate, *now)).collect();
            prop_assert_eq!(granted(rate, &moments), expected);
        }

        #[test]
        fn no_window_has_more_than_the_burst_and_what_came_in(rate in rates(), steps in steps()) {
            let moments = moments(rate, &steps);
            let verdicts = granted(rate, &moments).into_iter();
            let passed: Vec<_> =
                moments.into_iter().zip(verdicts).filter(|(_, granted)| *granted).collect();
            for (first, (from, _)) in passed.iter().enumerate() {
                for (last, (to, _)) in passed.iter().enumerate().skip(first) {
                    let gained = (*to - *from).as_nanos() / rate.interval.as_nanos();
                    let most = u128::from(rate.burst) + gained;
                    prop_assert!(((last - first) as u128) < most);
                }
            }
        }

        #[test]
        fn whoever_stays_below_the_rate_is_never_refused(
            rate in rates(),
            steps in prop::collection::vec(1.0..5.0_f64, 1..100),
        ) {
            let granted = granted(rate, &moments(rate, &steps));
            prop_assert!(granted.iter().all(|granted| *granted));
        }

        #[test]
        fn whoever_waits_as_long_as_told_is_served(rate in rates(), steps in steps()) {
            let mut full = Duration::ZERO;
            for now in moments(rate, &steps) {
                match ask(rate, full, now) {
                    Verdict::Granted { full_at } => full = full_at,
                    Verdict::Refused { wait } => {
                        prop_assert!(wait <= rate.interval);
                        let later = ask(rate, full, now + wait);
                        let served = matches!(later, Verdict::Granted { .. });
                        prop_assert!(served, "{:?}", later);
                    }
                }
            }
        }

        #[test]
        fn a_clock_that_steps_back_costs_nobody_more_than_an_interval(
            rate in rates(),
            steps in steps(),
            back in 0..1_000_000_u64,
        ) {
            let mut full = Duration::ZERO;
            for now in moments(rate, &steps) {
                if let Verdict::Granted { full_at } = ask(rate, full, now) {
                    full = full_at;
                }
            }
            let now = Duration::from_micros(back);
            if let Verdict::Refused { wait } = ask(rate, full, now) {
                prop_assert!(wait <= rate.interval);
            }
        }
    }

    #[test]
    fn extremes_are_rates_too() {
        for rate in [
            Rate::per_second(0, 0),
            Rate::per_second(u32::MAX, u32::MAX),
            Rate {
                interval: Duration::MAX,
                burst: u32::MAX,
            },
        ] {
            for now in [Duration::ZERO, Duration::MAX] {
                ask(rate, Duration::MAX, now);
                let first = ask(rate, Duration::ZERO, now);
                assert!(matches!(first, Verdict::Granted { .. }), "{rate:?}");
            }
        }
    }
}
