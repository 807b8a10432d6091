//! Decoding times. RTP carries only presentation times (RFC 6184 section 5.1, RFC 7798 section
//! 4.1), in decoding order; where pictures are reordered, the decoding times that MP4 wants have to
//! be made up.
//!
//! The *n*-th decoding time is the *n*-th smallest presentation time, delayed by as many pictures as
//! the stream reorders. So they rise strictly, none comes after its picture is shown, and each is
//! known as soon as its picture is. Finding out how many pictures a stream reorders is
//! [`crate::codec`]'s; what happens when it was told wrong is here.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use crate::time::Ticks90k;

/// Most pictures that the standards let a stream reorder (H.264 section A.3.1, H.265 section
/// A.4.2).
pub const MAX_REORDER_FRAMES: u8 = 16;

/// Gives a decoding time to every picture of a run.
#[derive(Clone, Debug)]
pub struct DtsGenerator {
    reorder_frames: u8,
    frame_duration: Ticks90k,
    /// Presentation times not yet given out as decoding times.
    waiting: BinaryHeap<Reverse<Ticks90k>>,
    /// Presentation times of the latest pictures.
    latest: VecDeque<Ticks90k>,
    /// How many pictures still get a time before that of the first.
    extrapolated: u8,
    last: Option<Ticks90k>,
}

/// When a picture is decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodingTime {
    /// Later than that of every picture before.
    pub dts: Ticks90k,
    /// Set when this picture overtakes more pictures than it was said to: the least number of
    /// reordered frames that explains it. The generator goes on with that number; for a few pictures
    /// `dts` lies after `pts`, which a fragment can express and players put up with.
    pub raise_to: Option<u8>,
}

impl DtsGenerator {
    /// `frame_duration` may be a guess; it only spaces the decoding times before that of the first
    /// picture shown.
    pub fn new(reorder_frames: u8, frame_duration: Ticks90k) -> Self {
        let reorder_frames = reorder_frames.min(MAX_REORDER_FRAMES);
        Self {
            reorder_frames,
            frame_duration: frame_duration.max(Ticks90k::new(1)),
            waiting: BinaryHeap::new(),
            latest: VecDeque::with_capacity(usize::from(MAX_REORDER_FRAMES) + 1),
            extrapolated: reorder_frames,
            last: None,
        }
    }

    /// How far the first decoding time lies before the first presentation time. A run whose first
    /// picture is shown at this time or later has no negative decoding times.
    pub fn lead(&self) -> Ticks90k {
        Ticks90k::new(
            self.frame_duration
                .get()
                .saturating_mul(i64::from(self.extrapolated)),
        )
    }

    /// As told at the start, or raised since.
    pub const fn reorder_frames(&self) -> u8 {
        self.reorder_frames
    }

    /// The decoding time of the next picture in decoding order. The first of a run is expected to be
    /// shown before all others; pictures that precede a CRA picture in output order cannot be
    /// decoded after it anyway.
    pub fn next(&mut self, pts: Ticks90k) -> DecodingTime {
        let raise_to = self.note(pts);
        self.waiting.push(Reverse(pts));
        let delayed = if self.waiting.len() > usize::from(self.reorder_frames) {
            self.waiting.pop().map(|Reverse(dts)| dts)
        } else if self.extrapolated > 0 {
            let lead = self.lead();
            self.extrapolated -= 1;
            self.latest.front().map(|first| *first - lead)
        } else {
            None
        };
        let next = self.last.map(|last| last + Ticks90k::new(1));
        let dts = delayed.max(next).unwrap_or(pts);
        self.last = Some(dts);
        DecodingTime { dts, raise_to }
    }

    /// Counts the pictures that this one overtakes.
    fn note(&mut self, pts: Ticks90k) -> Option<u8> {
        let overtaken = self.latest.iter().filter(|earlier| **earlier > pts).count();
        if self.latest.len() >= usize::from(MAX_REORDER_FRAMES) {
            self.latest.pop_front();
        }
        self.latest.push_back(pts);
        let overtaken = u8::try_from(overtaken).unwrap_or(MAX_REORDER_FRAMES);
        if overtaken <= self.reorder_frames {
            return None;
        }
        self.reorder_frames = overtaken;
        self.extrapolated = 0;
        Some(overtaken)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FRAME: i64 = 3_600;

    fn run(reorder_frames: u8, shown: &[i64]) -> Vec<DecodingTime> {
        let mut generator = DtsGenerator::new(reorder_frames, Ticks90k::new(FRAME));
        shown
            .iter()
            .map(|frame| generator.next(Ticks90k::new(frame * FRAME)))
            .collect()
    }

    fn frames(times: &[DecodingTime]) -> Vec<i64> {
        times.iter().map(|time| time.dts.get() / FRAME).collect()
    }

    #[test]
    fn without_reordering_pictures_are_decoded_when_they_are_shown() {
        assert_eq!(frames(&run(0, &[5, 6, 8, 9])), [5, 6, 8, 9]);
    }

    #[test]
    fn the_first_pictures_are_decoded_ahead_of_time() {
        // I P B B P B B, one reordered frame; and with a pyramid, two.
        assert_eq!(
            frames(&run(1, &[2, 5, 3, 4, 8, 6, 7])),
            [1, 2, 3, 4, 5, 6, 7]
        );
        assert_eq!(
            frames(&run(2, &[2, 6, 4, 3, 5, 10, 8])),
            [0, 1, 2, 3, 4, 5, 6]
        );
        assert_eq!(
            DtsGenerator::new(2, Ticks90k::new(FRAME)).lead(),
            Ticks90k::new(2 * FRAME)
        );
    }

    #[test]
    fn a_stream_that_reorders_without_saying_so_is_found_out_and_followed() {
        let shown = [0, 3, 1, 2, 6, 4, 5, 9, 7, 8];
        let times = run(0, &shown);
        let raised: Vec<_> = times.iter().map(|time| time.raise_to).collect();
        assert_eq!(raised[2], Some(1));
        assert_eq!(raised.iter().flatten().count(), 1);
        assert!(times.windows(2).all(|pair| pair[0].dts < pair[1].dts));
        let late = |index: usize| times[index].dts.get() > shown[index] * FRAME;
        assert_eq!(
            (0..10).filter(|index| late(*index)).collect::<Vec<_>>(),
            [2, 3]
        );
    }

    /// Presentation times in decoding order, unevenly spaced; the first picture is shown first, and
    /// none of the others is overtaken by more than `most`.
    fn reordered(most: usize) -> impl Strategy<Value = Vec<i64>> {
        prop::collection::vec((1_i64..10_000, 0..=most), 1..120).prop_map(|steps| {
            let mut time = 1_000_000;
            let mut shown: Vec<_> = steps
                .into_iter()
                .enumerate()
                .map(|(place, (step, advance))| {
                    time += step;
                    (place.saturating_sub(advance).max(1), time)
                })
                .collect();
            shown.sort_by_key(|(place, _)| *place);
            std::iter::once(1_000_000)
                .chain(shown.into_iter().map(|(_, time)| time))
                .collect()
        })
    }

    /// The most pictures that the order makes one picture overtake.
    fn overtaking(shown: &[i64]) -> usize {
        let overtaken = |(index, pts): (usize, &i64)| {
            shown[..index]
                .iter()
                .filter(|earlier| *earlier > pts)
                .count()
        };
        shown.iter().enumerate().map(overtaken).max().unwrap_or(0)
    }

    proptest! {
        #[test]
        fn told_right_times_rise_are_never_late_and_are_the_sorted_presentation_times(
            shown in (0..6_usize).prop_flat_map(reordered),
            frame in 1_i64..50_000,
        ) {
            let reorder = overtaking(&shown);
            let mut generator = DtsGenerator::new(reorder as u8, Ticks90k::new(frame));
            let lead = generator.lead();
            let mut sorted = shown.clone();
            sorted.sort_unstable();
            let mut last = None;
            for (index, pts) in shown.iter().enumerate() {
                let DecodingTime { dts, raise_to } = generator.next(Ticks90k::new(*pts));
                prop_assert_eq!(raise_to, None);
                prop_assert!(last < Some(dts));
                if reorder <= index {
                    prop_assert_eq!(dts.get(), sorted[index - reorder]);
                }
                if index == 0 {
                    prop_assert_eq!(dts, Ticks90k::new(*pts) - lead);
                }
                prop_assert!(dts.get() <= *pts);
                last = Some(dts);
            }
        }

        #[test]
        fn told_wrong_times_still_rise_and_lateness_ends(
            shown in (0..8_usize).prop_flat_map(reordered),
            told in 0_u8..4,
        ) {
            let needed = overtaking(&shown);
            let mut generator = DtsGenerator::new(told, Ticks90k::new(FRAME));
            let mut last = None;
            let mut raised = None;
            for (index, pts) in shown.iter().enumerate() {
                let DecodingTime { dts, raise_to } = generator.next(Ticks90k::new(*pts));
                prop_assert!(last < Some(dts));
                last = Some(dts);
                raised = raise_to.map(|_| index).or(raised);
                let late = dts.get() > *pts;
                let recently = raised.is_some_and(|raised| index - raised <= 2 * needed + 1);
                prop_assert!(!late || recently, "picture {} is late", index);
            }
            prop_assert_eq!(usize::from(generator.reorder_frames()), needed.max(usize::from(told)));
        }

        #[test]
        fn no_sequence_of_times_makes_it_fall_back(shown in prop::collection::vec(any::<i32>(), 1..60), told in any::<u8>()) {
            let mut generator = DtsGenerator::new(told, Ticks90k::new(FRAME));
            let times: Vec<_> = shown.iter().map(|pts| generator.next(Ticks90k::new(i64::from(*pts))).dts).collect();
            prop_assert!(times.windows(2).all(|pair| pair[0] < pair[1]));
        }
    }
}
