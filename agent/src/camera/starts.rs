//! Turns at starting sessions: after a power cut all cameras of a site come back at once, and
//! neither they nor their switch like to be asked all at once.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// A hundred cameras start within four seconds.
const SPACING: Duration = Duration::from_millis(40);

/// Hands out turns. Nobody waits for anybody to finish: a camera that hangs delays no other.
#[derive(Debug, Default)]
pub struct Starts {
    next: Mutex<Duration>,
}

impl Starts {
    /// How long to wait for one's turn; `now` is of the monotonic clock.
    pub fn take_turn(&self, now: Duration) -> Duration {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let turn = (*next).max(now);
        *next = turn + SPACING;
        turn - now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_are_spread_and_one_alone_waits_for_nobody() {
        let starts = Starts::default();
        let now = Duration::from_secs(50);
        let waits: Vec<_> = (0..100).map(|_| starts.take_turn(now)).collect();
        assert_eq!(waits[0], Duration::ZERO);
        assert!(waits.windows(2).all(|pair| pair[1] - pair[0] == SPACING));
        assert!(waits[99] < Duration::from_secs(4));
        assert_eq!(
            starts.take_turn(now + Duration::from_secs(60)),
            Duration::ZERO
        );
    }
}
