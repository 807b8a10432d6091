//! When to try a camera again. Pure: outcomes and randomness in, waits out; it never gives up.
//!
//! - After a session that gave pictures for a while: at once, give or take. Cameras that end
//!   sessions by the clock lose a moment each time, not seconds.
//! - After a failure: 1 s, doubling to 30 s, with jitter.
//! - After three failures in a row a breaker opens for 30 s: no session is tried. It is *half open*
//!   all the while: every [`LOOK_EVERY`] the camera is asked for its description, which costs it
//!   nothing, and if it gives one the breaker closes at once. So a camera is back within seconds of
//!   the end of its trouble, and a struggling one is left alone.
//! - A refused password is tried again after half a minute, then ever later up to five minutes, and
//!   never in between: cameras lock accounts.
//! - A camera that agrees to play and sends no picture is busy rather than gone: at most 5 s.

use std::time::Duration;

use shared::timeline::Reason;

use crate::backoff::Backoff;

/// Failures in a row that open the breaker.
const BREAKER_AFTER: u32 = 3;
const BREAKER_OPEN: Duration = Duration::from_secs(30);

/// How often an open breaker looks whether the camera is back.
const LOOK_EVERY: Duration = Duration::from_secs(4);

/// After a refused password.
const NOT_SOONER: Duration = Duration::from_secs(30);

/// A session that gave pictures for less long counts as a failure still.
const PROVEN: Duration = Duration::from_secs(10);

/// At most, so that many that were cut off together do not come back in one instant.
const AT_ONCE: Duration = Duration::from_millis(300);

/// How a try ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// No session came about.
    Refused(Reason),
    /// The camera agreed to play, and no picture came.
    NoPicture,
    /// Pictures came for this long.
    Played(Duration),
    /// Something was learned that the next try does better.
    Wiser,
}

/// What to do until the next try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wait {
    pub(super) until_try: Duration,
    /// Ask for the description this often meanwhile, and try at once when there is one.
    pub(super) look_every: Option<Duration>,
}

#[derive(Clone, Debug)]
pub(super) struct Retry {
    plain: Backoff,
    busy: Backoff,
    password: Backoff,
    failures: u32,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            // The jitter takes off up to half: 1 s to 2 s first, 15 s to 30 s in the end.
            plain: Backoff::new(Duration::from_secs(2), Duration::from_secs(30)),
            busy: Backoff::new(Duration::from_secs(2), Duration::from_secs(5)),
            password: Backoff::new(Duration::from_secs(40), Duration::from_secs(300)),
            failures: 0,
        }
    }
}

impl Retry {
    /// `random` is from 0 to 1.
    pub(super) fn after(&mut self, outcome: Outcome, random: f64) -> Wait {
        match outcome {
            Outcome::Wiser => Wait::plain(Duration::ZERO),
            Outcome::Refused(Reason::CameraRefusedCredentials) => {
                Wait::plain(self.password.next(random).max(NOT_SOONER))
            }
            Outcome::NoPicture => {
                self.password.reset();
                Wait::plain(self.busy.next(random))
            }
            Outcome::Played(lasted) if lasted >= PROVEN => {
                *self = Self::default();
                Wait::plain(AT_ONCE.mul_f64(random.clamp(0.0, 1.0)))
            }
            Outcome::Played(_) | Outcome::Refused(_) => {
                self.password.reset();
                self.failures += 1;
                let wait = self.plain.next(random);
                if self.failures < BREAKER_AFTER {
                    return Wait::plain(wait);
                }
                Wait {
                    until_try: BREAKER_OPEN.max(wait),
                    look_every: Some(LOOK_EVERY),
                }
            }
        }
    }
}

impl Wait {
    const fn plain(until_try: Duration) -> Self {
        Self {
            until_try,
            look_every: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GONE: Outcome = Outcome::Refused(Reason::CameraUnreachable);
    const PASSWORD: Outcome = Outcome::Refused(Reason::CameraRefusedCredentials);

    fn seconds(retry: &mut Retry, outcome: Outcome) -> (u64, bool) {
        let wait = retry.after(outcome, 1.0);
        (wait.until_try.as_secs(), wait.look_every.is_some())
    }

    #[test]
    fn the_third_failure_opens_the_breaker_half() {
        let mut retry = Retry::default();
        assert_eq!(seconds(&mut retry, GONE), (2, false));
        assert_eq!(seconds(&mut retry, GONE), (4, false));
        assert_eq!(seconds(&mut retry, GONE), (30, true));
        assert_eq!(seconds(&mut retry, GONE), (30, true));
        let proven = Outcome::Played(PROVEN);
        assert_eq!(retry.after(proven, 1.0), Wait::plain(AT_ONCE));
        assert_eq!(seconds(&mut retry, GONE), (2, false));
    }

    #[test]
    fn a_camera_that_plays_for_a_moment_each_time_is_not_hammered() {
        let mut retry = Retry::default();
        let moment = Outcome::Played(Duration::from_millis(300));
        let waits: Vec<_> = (0..4).map(|_| seconds(&mut retry, moment).0).collect();
        assert_eq!(waits, [2, 4, 30, 30]);
    }

    fn any_outcome() -> impl Strategy<Value = Outcome> {
        prop_oneof![
            Just(GONE),
            Just(PASSWORD),
            Just(Outcome::Refused(Reason::CameraProtocolError)),
            Just(Outcome::NoPicture),
            Just(Outcome::Wiser),
            (0_u64..60).prop_map(|lasted| Outcome::Played(Duration::from_secs(lasted))),
        ]
    }

    proptest! {
        #[test]
        fn waits_keep_their_promises_in_any_history(
            history in prop::collection::vec((any_outcome(), 0.0_f64..=1.0), 1..200),
        ) {
            let mut retry = Retry::default();
            for (outcome, random) in history {
                let wait = retry.after(outcome, random);
                let (least, most) = match outcome {
                    Outcome::Wiser => (0, 0),
                    PASSWORD => (30, 300),
                    Outcome::NoPicture => (1, 5),
                    Outcome::Played(lasted) if lasted >= PROVEN => (0, 1),
                    Outcome::Refused(_) | Outcome::Played(_) => (1, 30),
                };
                prop_assert!(wait.until_try >= Duration::from_secs(least), "{:?} after {:?}", wait, outcome);
                prop_assert!(wait.until_try <= Duration::from_secs(most), "{:?} after {:?}", wait, outcome);
                prop_assert!(wait.look_every.is_none() || outcome != PASSWORD);
            }
        }
    }
}
