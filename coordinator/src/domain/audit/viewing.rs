//! Which requests of a player tell something new about what is being watched.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use shared::id::PlaybackId;
use shared::time::TimeRange;

/// Playbacks remembered; the one that began longest ago is forgotten, and then told of once more.
const MOST: usize = 4_096;
/// A stretch that begins so soon after what was watched goes on with it: players fetch ahead and skip
/// what is missing.
const SLACK: Duration = Duration::from_secs(150);

/// What is being watched.
#[derive(Debug, Default)]
pub struct Viewing {
    /// With the stretch watched without a jump, once something was fetched.
    playbacks: HashMap<PlaybackId, Option<TimeRange>>,
    /// Longest ago first.
    order: VecDeque<PlaybackId>,
}

impl Viewing {
    /// The playlist was fetched; whether for the first time.
    pub fn listed(&mut self, playback: PlaybackId) -> bool {
        let new = !self.playbacks.contains_key(&playback);
        if new {
            self.begin(playback, None);
        }
        new
    }

    /// A segment was fetched; whether that is another stretch than the one watched so far.
    pub fn fetched(&mut self, playback: PlaybackId, segment: TimeRange) -> bool {
        let Some(watched) = self.playbacks.get_mut(&playback) else {
            self.begin(playback, Some(segment));
            return false;
        };
        let Some(stretch) = *watched else {
            *watched = Some(segment);
            return false;
        };
        let near =
            segment.start() <= stretch.end() + SLACK && segment.end() + SLACK >= stretch.start();
        *watched = Some(if near {
            let start = stretch.start().min(segment.start());
            let end = stretch.end().max(segment.end());
            TimeRange::new(start, end).unwrap_or(segment)
        } else {
            segment
        });
        !near
    }

    fn begin(&mut self, playback: PlaybackId, stretch: Option<TimeRange>) {
        if self.order.len() >= MOST
            && let Some(oldest) = self.order.pop_front()
        {
            self.playbacks.remove(&oldest);
        }
        self.order.push_back(playback);
        self.playbacks.insert(playback, stretch);
    }
}

#[cfg(test)]
mod tests {
    use shared::time::WallTime;

    use super::*;

    fn minute(number: u64) -> TimeRange {
        let start = WallTime::from_secs(1_800_000_000) + Duration::from_secs(number * 60);
        TimeRange::starting_at(start, Duration::from_secs(60))
    }

    #[test]
    fn watching_on_is_nothing_new_and_a_jump_is() {
        let mut viewing = Viewing::default();
        let playback = PlaybackId::new(WallTime::from_secs(1));
        assert!(viewing.listed(playback));
        assert!(!viewing.listed(playback));
        let jumps: Vec<bool> = [0, 1, 2, 1, 4, 30, 31, 0, 1]
            .map(|at| viewing.fetched(playback, minute(at)))
            .to_vec();
        assert_eq!(
            jumps,
            [false, false, false, false, false, true, false, true, false]
        );
    }

    #[test]
    fn only_so_many_are_remembered() {
        let mut viewing = Viewing::default();
        for _ in 0..3 * MOST {
            assert!(viewing.listed(PlaybackId::new(WallTime::from_secs(1))));
        }
        assert_eq!((viewing.playbacks.len(), viewing.order.len()), (MOST, MOST));
    }
}
