//! The last seconds of a stream that is not being recorded, in case it becomes wanted. Pure.
//!
//! Held back to a sync sample where there is one, and bounded in bytes: a GOP that does not fit
//! loses its beginning, because pictures that cannot be decoded until the next sync sample are
//! still worth more than none.

use std::collections::VecDeque;
use std::time::Duration;

use shared::sample::{AudioFrame, Sample};
use shared::time::WallTime;
use shared::timeline::Reason;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Held {
    Video {
        sample: Sample,
        wall: WallTime,
    },
    Audio(AudioFrame),
    /// Pictures are missing here.
    Hole {
        from: WallTime,
        reason: Reason,
    },
}

impl Held {
    fn bytes(&self) -> usize {
        match self {
            Self::Video { sample, .. } => sample.payload.len(),
            Self::Audio(frame) => frame.payload.len(),
            Self::Hole { .. } => 0,
        }
    }
}

#[derive(Debug)]
pub(super) struct PreRoll {
    held: VecDeque<Held>,
    /// How many have been dropped from the front so far.
    dropped: u64,
    /// Sync samples among `held`: position counted from the very first ever held, and wall time.
    syncs: VecDeque<(u64, WallTime)>,
    bytes: usize,
    max_bytes: usize,
}

impl PreRoll {
    pub(super) const fn new(max_bytes: usize) -> Self {
        Self {
            held: VecDeque::new(),
            dropped: 0,
            syncs: VecDeque::new(),
            bytes: 0,
            max_bytes,
        }
    }

    /// Adds a picture and drops the GOPs that ended more than `keep` before it.
    pub(super) fn push_video(&mut self, sample: Sample, wall: WallTime, keep: Duration) {
        if sample.sync {
            let position = self.dropped + self.held.len() as u64;
            self.syncs.push_back((position, wall));
        }
        self.push(Held::Video { sample, wall });
        self.drop_gops_before(wall - keep);
    }

    /// Adds sound; it is dropped with the pictures it came with.
    pub(super) fn push_audio(&mut self, frame: AudioFrame) {
        if !self.held.is_empty() {
            self.push(Held::Audio(frame));
        }
    }

    /// Notes that pictures are missing after what is held.
    pub(super) fn push_hole(&mut self, from: WallTime, reason: Reason) {
        if !self.held.is_empty() {
            self.push(Held::Hole { from, reason });
        }
    }

    fn push(&mut self, held: Held) {
        self.bytes += held.bytes();
        self.held.push_back(held);
        while self.bytes > self.max_bytes {
            self.pop();
        }
    }

    /// Wall time of the first picture held.
    #[cfg(test)]
    pub(super) fn start(&self) -> Option<WallTime> {
        self.held.iter().find_map(|held| match held {
            Held::Video { wall, .. } => Some(*wall),
            Held::Audio(_) | Held::Hole { .. } => None,
        })
    }

    /// Everything held, oldest first; nothing is held afterwards.
    pub(super) fn take(&mut self) -> VecDeque<Held> {
        self.bytes = 0;
        self.syncs.clear();
        self.dropped += self.held.len() as u64;
        std::mem::take(&mut self.held)
    }

    fn pop(&mut self) {
        if let Some(held) = self.held.pop_front() {
            self.bytes -= held.bytes();
            self.dropped += 1;
            while self.syncs.front().is_some_and(|(at, _)| *at < self.dropped) {
                self.syncs.pop_front();
            }
        }
    }

    /// Drops from the front up to the last sync sample at or before `horizon`.
    pub(super) fn drop_gops_before(&mut self, horizon: WallTime) {
        let reached = self
            .syncs
            .iter()
            .take_while(|(_, wall)| *wall <= horizon)
            .last();
        if let Some(&(position, _)) = reached {
            while self.dropped < position {
                self.pop();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;
    use shared::time::Ticks90k;

    use super::*;

    fn picture(second: i64, sync: bool, bytes: usize) -> (Sample, WallTime) {
        let sample = Sample {
            pts: Ticks90k::new(second * 90_000),
            dts: Ticks90k::new(second * 90_000),
            sync,
            payload: Bytes::from(vec![0; bytes]),
        };
        (sample, WallTime::from_secs(second))
    }

    proptest! {
        #[test]
        fn it_reaches_back_far_enough_begins_with_a_sync_sample_and_is_bounded(
            keep in 0_u64..20, gop in 1_i64..15, pictures in 1_i64..60, max_bytes in 200_usize..10_000,
        ) {
            let mut ring = PreRoll::new(max_bytes);
            for second in 0..pictures {
                let (sample, wall) = picture(second, second % gop == 0, 100);
                ring.push_video(sample, wall, Duration::from_secs(keep));
                let keep = i64::try_from(keep).unwrap();
                prop_assert!(ring.bytes <= max_bytes);
                let start = ring.start().unwrap();
                let horizon = WallTime::from_secs((second - keep).max(0));
                let has_room = usize::try_from(keep + gop + 1).unwrap() * 100 <= max_bytes;
                if has_room {
                    prop_assert!(start <= horizon, "begins at {start}, wanted from {horizon}");
                    prop_assert!(horizon.micros_since(start) < gop * 1_000_000);
                    prop_assert_eq!(start.as_micros() / 1_000_000 % gop, 0, "begins with a sync sample");
                }
            }
            let total: usize = ring.take().iter().map(Held::bytes).sum();
            prop_assert!(total <= max_bytes);
            prop_assert_eq!(ring.bytes, 0);
        }
    }

    #[test]
    fn sound_goes_with_the_pictures_it_came_with() {
        let mut ring = PreRoll::new(1_000_000);
        let frame = AudioFrame {
            start: 0,
            duration: 1,
            payload: Bytes::from_static(b"a"),
        };
        ring.push_audio(frame.clone());
        assert_eq!(ring.take().len(), 0);
        for second in 0..4 {
            let (sample, wall) = picture(second, true, 10);
            ring.push_video(sample, wall, Duration::from_secs(1));
            ring.push_audio(frame.clone());
        }
        assert_eq!(ring.take().len(), 4);
    }
}
