//! Where fragments and segments end. Pure: samples in, pieces out; knows no clock, no file and no
//! settings but two lengths.
//!
//! A sample's duration is known when the next one arrives, so the cutter is always one sample
//! behind. A piece is cut before every sync sample, and otherwise so that it lasts at most the
//! length of a fragment; between sync samples it aims at pieces of equal length, because a GOP of
//! 1.04 s cut at one second would cost a second write for its last picture. What is a reason to stop
//! recording belongs to [`super::intake`].

use shared::sample::Sample;
use shared::time::{Ticks90k, WallTime};

/// A picture that stands longer is a stalled camera, not a slow one; what is beyond is a hole.
pub(super) const MAX_SAMPLE: Ticks90k = Ticks90k::new(5 * Ticks90k::SECOND.get());
/// Duration of a picture of which nothing better is known: 25 pictures a second.
const DEFAULT_SAMPLE: Ticks90k = Ticks90k::from_millis(40);

/// Lengths to cut at, in media time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lengths {
    /// A segment ends at the sync sample nearest to this, or without one after a quarter more.
    pub(super) segment: Ticks90k,
    /// A fragment lasts at most this, unless it is a single sample.
    pub(super) fragment: Ticks90k,
}

/// A sample whose duration is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Timed {
    pub(super) sample: Sample,
    pub(super) duration: Ticks90k,
    /// When it was decoded on the wall's clock: the wall time of the picture, less what reordering
    /// puts between decoding and showing.
    pub(super) wall: WallTime,
}

/// What becomes one fragment: samples that follow each other without a hole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) begins_segment: bool,
    /// At least one.
    pub(super) samples: Vec<Timed>,
}

impl Piece {
    pub(super) fn wall_start(&self) -> WallTime {
        self.samples
            .first()
            .map_or(WallTime::MIN, |first| first.wall)
    }

    pub(super) fn begins_with_sync(&self) -> bool {
        self.samples.first().is_some_and(|first| first.sample.sync)
    }

    pub(super) fn duration(&self) -> Ticks90k {
        self.samples
            .iter()
            .fold(Ticks90k::ZERO, |sum, timed| sum + timed.duration)
    }

    /// The end of its last picture; as [`shared::segment::FragmentMeta::wall_range`] counts.
    pub(super) fn wall_end(&self) -> WallTime {
        self.wall_start().offset_micros(self.duration().to_micros())
    }
}

/// Cuts the samples of one run.
#[derive(Debug)]
pub(super) struct Cutter {
    lengths: Lengths,
    /// The newest sample; its duration is not known yet.
    newest: Option<(Sample, WallTime)>,
    /// The piece being made: everything before `newest`.
    piece: Vec<Timed>,
    begins_segment: bool,
    segment_start: Option<Ticks90k>,
    last_sync: Option<Ticks90k>,
    /// Length of the last whole GOP.
    gop: Option<Ticks90k>,
    /// Duration of the last picture that had a regular one.
    regular: Ticks90k,
}

impl Cutter {
    pub(super) const fn new(lengths: Lengths) -> Self {
        Self {
            lengths,
            newest: None,
            piece: Vec::new(),
            begins_segment: false,
            segment_start: None,
            last_sync: None,
            gop: None,
            regular: DEFAULT_SAMPLE,
        }
    }

    /// New lengths, from the next cut on.
    pub(super) const fn set_lengths(&mut self, lengths: Lengths) {
        self.lengths = lengths;
    }

    /// Whether a sample at `dts` comes so late that the picture before it cannot have been standing
    /// all the time. Then [`Cutter::hole`] comes before [`Cutter::push`].
    pub(super) fn is_stalled_at(&self, dts: Ticks90k) -> bool {
        self.newest
            .as_ref()
            .is_some_and(|(newest, _)| dts - newest.dts > MAX_SAMPLE)
    }

    /// The next sample in decoding order. Returns the pieces that are complete now: at most two.
    pub(super) fn push(&mut self, mut sample: Sample, wall: WallTime) -> Vec<Piece> {
        let mut done = Vec::new();
        let earliest = self
            .newest
            .as_ref()
            .map_or(Ticks90k::ZERO, |(newest, _)| newest.dts + Ticks90k::new(1));
        // A fragment cannot express time that stands still or runs backwards.
        sample.dts = sample.dts.max(earliest);
        if let Some((newest, newest_wall)) = self.newest.take() {
            let duration = (sample.dts - newest.dts).min(MAX_SAMPLE);
            self.regular = duration;
            if self.is_too_long_with(&newest, duration) {
                done.extend(self.cut());
            }
            self.append(newest, newest_wall, duration);
            if sample.sync || self.is_time_for_a_cut(sample.dts) {
                done.extend(self.cut());
            }
        }
        self.note_sync(&sample);
        self.newest = Some((sample, wall));
        done
    }

    /// Pictures are missing after the newest sample: it gets the usual duration, what there is of a
    /// piece is complete, and the next sample begins a new one.
    pub(super) fn hole(&mut self) -> Vec<Piece> {
        self.end(None)
    }

    /// No sample follows. `end` is when the newest picture ended, where that is known.
    pub(super) fn finish(mut self, end: Option<WallTime>) -> Vec<Piece> {
        self.end(end)
    }

    fn end(&mut self, end: Option<WallTime>) -> Vec<Piece> {
        let Some((newest, wall)) = self.newest.take() else {
            return Vec::new();
        };
        let known = end
            .map(|end| Ticks90k::from_micros(end.micros_since(wall)))
            .filter(|duration| *duration > Ticks90k::ZERO && *duration <= MAX_SAMPLE);
        let duration = known.unwrap_or(self.regular);
        let mut done = Vec::new();
        if self.is_too_long_with(&newest, duration) {
            done.extend(self.cut());
        }
        self.append(newest, wall, duration);
        done.extend(self.cut());
        // A GOP with a hole in it says nothing about the next one.
        self.last_sync = None;
        done
    }

    fn piece_start(&self) -> Option<Ticks90k> {
        self.piece.first().map(|first| first.sample.dts)
    }

    fn is_too_long_with(&self, sample: &Sample, duration: Ticks90k) -> bool {
        self.piece_start()
            .is_some_and(|start| sample.dts + duration - start > self.lengths.fragment)
    }

    /// Whether the piece has reached its share of the GOP when the next sample is at `dts`.
    fn is_time_for_a_cut(&self, dts: Ticks90k) -> bool {
        let Some(start) = self.piece_start() else {
            return false;
        };
        let half_a_picture = Ticks90k::new(self.regular.get() / 2);
        dts - start + half_a_picture >= self.share_of_gop()
    }

    /// The longest length not above a fragment's that divides the GOP evenly; an open end when the
    /// GOP is not known.
    fn share_of_gop(&self) -> Ticks90k {
        let fragment = self.lengths.fragment.get().max(1);
        match self.gop {
            Some(gop) if gop.get() > fragment => {
                let pieces = (gop.get() + fragment - 1) / fragment;
                Ticks90k::new(gop.get() / pieces)
            }
            _ => Ticks90k::new(i64::MAX),
        }
    }

    /// The sample joins the piece, and begins it if it is empty.
    fn append(&mut self, sample: Sample, wall: WallTime, duration: Ticks90k) {
        if self.piece.is_empty() && self.begins_segment_at(&sample) {
            self.begins_segment = true;
            self.segment_start = Some(sample.dts);
        }
        self.piece.push(Timed {
            sample,
            duration,
            wall,
        });
    }

    fn begins_segment_at(&self, sample: &Sample) -> bool {
        let Some(start) = self.segment_start else {
            return true;
        };
        let length = self.lengths.segment.get();
        let half_a_gop = self.gop.map_or(0, |gop| gop.get() / 2).min(length / 4);
        let age = (sample.dts - start).get();
        (sample.sync && age >= length - half_a_gop) || age >= length + length / 4
    }

    fn cut(&mut self) -> Option<Piece> {
        if self.piece.is_empty() {
            return None;
        }
        // The next piece is about as long as this one.
        let room = self.piece.len() + 2;
        Some(Piece {
            begins_segment: std::mem::take(&mut self.begins_segment),
            samples: std::mem::replace(&mut self.piece, Vec::with_capacity(room)),
        })
    }

    fn note_sync(&mut self, sample: &Sample) {
        if sample.sync {
            if let Some(last) = self.last_sync {
                self.gop = Some(sample.dts - last);
            }
            self.last_sync = Some(sample.dts);
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;

    const SECOND: i64 = 90_000;

    fn lengths(segment_seconds: i64, fragment_ms: i64) -> Lengths {
        Lengths {
            segment: Ticks90k::new(segment_seconds * SECOND),
            fragment: Ticks90k::from_millis(fragment_ms),
        }
    }

    fn sample(dts: i64, sync: bool) -> Sample {
        Sample {
            pts: Ticks90k::new(dts),
            dts: Ticks90k::new(dts),
            sync,
            payload: Bytes::from(dts.to_be_bytes().to_vec()),
        }
    }

    fn wall(dts: i64) -> WallTime {
        WallTime::from_secs(1_000).offset_micros(Ticks90k::new(dts).to_micros())
    }

    /// All pieces of a run of pictures every `interval`, with a sync sample every `gop` pictures.
    fn cut_run(lengths: Lengths, pictures: i64, interval: i64, gop: i64) -> Vec<Piece> {
        let mut cutter = Cutter::new(lengths);
        let mut pieces = Vec::new();
        for number in 0..pictures {
            let dts = number * interval;
            pieces.extend(cutter.push(sample(dts, number % gop == 0), wall(dts)));
        }
        pieces.extend(cutter.finish(None));
        pieces
    }

    fn segment_starts(pieces: &[Piece]) -> Vec<i64> {
        pieces
            .iter()
            .filter(|piece| piece.begins_segment)
            .map(|piece| piece.samples[0].sample.dts.get() / SECOND)
            .collect()
    }

    #[test]
    fn segments_begin_at_the_sync_sample_nearest_to_their_length() {
        // A GOP of 4 s: 60 s is a multiple, and 10 s is not.
        let pieces = cut_run(lengths(60, 1_000), 25 * 200, 3_600, 100);
        assert_eq!(segment_starts(&pieces), [0, 60, 120, 180]);
        let pieces = cut_run(lengths(10, 1_000), 25 * 40, 3_600, 100);
        assert_eq!(segment_starts(&pieces), [0, 8, 16, 24, 32]);
        assert!(
            pieces
                .iter()
                .filter(|p| p.begins_segment)
                .all(|p| p.samples[0].sample.sync)
        );
    }

    #[test]
    fn a_gop_of_minutes_is_cut_by_time_and_says_that_it_does_not_begin_with_a_sync_sample() {
        let pieces = cut_run(lengths(60, 1_000), 25 * 240, 3_600, 25 * 200);
        let starts: Vec<_> = pieces.iter().filter(|piece| piece.begins_segment).collect();
        assert_eq!(segment_starts(&pieces), [0, 75, 150, 200]);
        assert_eq!(
            starts
                .iter()
                .map(|piece| piece.samples[0].sample.sync)
                .collect::<Vec<_>>(),
            [true, false, false, true]
        );
    }

    #[test]
    fn a_gop_is_divided_evenly_instead_of_leaving_a_picture_over() {
        // 26 pictures a GOP at 25 a second: 1.04 s.
        let pieces = cut_run(lengths(60, 1_000), 26 * 10, 3_600, 26);
        let sizes: Vec<_> = pieces.iter().map(|piece| piece.samples.len()).collect();
        // The first GOP's length is known only at its end.
        assert_eq!(&sizes[..2], [25, 1]);
        assert!(sizes[2..].iter().all(|size| *size == 13), "{sizes:?}");
    }

    #[test]
    fn after_a_hole_the_last_picture_is_not_stretched() {
        let mut cutter = Cutter::new(lengths(60, 1_000));
        for number in 0..3 {
            assert!(
                cutter
                    .push(sample(number * 3_600, number == 0), wall(number * 3_600))
                    .is_empty()
            );
        }
        let before = cutter.hole();
        assert_eq!(before.len(), 1);
        assert_eq!(before[0].duration(), Ticks90k::new(3 * 3_600));
        assert_eq!(before[0].wall_end(), wall(3 * 3_600));
        assert!(cutter.hole().is_empty());
        assert!(cutter.push(sample(50_000, false), wall(50_000)).is_empty());
        let after = cutter.finish(None);
        assert!(!after[0].begins_segment);
        assert_eq!(after[0].samples[0].sample.dts, Ticks90k::new(50_000));
    }

    #[test]
    fn the_last_picture_of_a_run_lasts_until_the_run_ended() {
        let mut cutter = Cutter::new(lengths(60, 1_000));
        let _ = cutter.push(sample(0, true), wall(0));
        let end = Some(wall(9_000));
        assert_eq!(cutter.finish(end)[0].duration(), Ticks90k::new(9_000));
        let mut cutter = Cutter::new(lengths(60, 1_000));
        let _ = cutter.push(sample(0, true), wall(0));
        let much_later = Some(wall(100 * SECOND));
        assert_eq!(cutter.finish(much_later)[0].duration(), DEFAULT_SAMPLE);
    }

    #[test]
    fn a_stalled_camera_is_noticed() {
        let mut cutter = Cutter::new(lengths(60, 1_000));
        assert!(!cutter.is_stalled_at(Ticks90k::new(SECOND * 100)));
        let _ = cutter.push(sample(0, true), wall(0));
        assert!(!cutter.is_stalled_at(Ticks90k::new(SECOND * 5)));
        assert!(cutter.is_stalled_at(Ticks90k::new(SECOND * 6)));
    }

    /// Pictures with odd intervals, odd GOPs, and holes.
    #[derive(Clone, Debug)]
    enum Step {
        Picture { after: i64, sync: bool },
        Hole { after: i64 },
    }

    fn any_step() -> impl Strategy<Value = Step> {
        prop_oneof![
            20 => (1_i64..20_000, prop::bool::weighted(0.1)).prop_map(|(after, sync)| Step::Picture { after, sync }),
            1 => (20_000_i64..200_000, Just(true)).prop_map(|(after, sync)| Step::Picture { after, sync }),
            1 => (1_i64..1_000_000).prop_map(|after| Step::Hole { after }),
        ]
    }

    proptest! {
        #[test]
        fn pieces_give_back_exactly_the_samples_without_gap_or_overlap(
            steps in prop::collection::vec(any_step(), 1..300),
            fragment_ms in 200_i64..1_000,
        ) {
            let lengths = lengths(10, fragment_ms);
            let mut cutter = Cutter::new(lengths);
            let mut dts = 0;
            let mut given = Vec::new();
            let mut pieces = Vec::new();
            let mut holes = Vec::new();
            for step in steps {
                match step {
                    Step::Picture { after, sync } => {
                        dts += after;
                        given.push(sample(dts, sync));
                        pieces.extend(cutter.push(sample(dts, sync), wall(dts)));
                    }
                    Step::Hole { after } => {
                        pieces.extend(cutter.hole());
                        // Far enough for the usual duration of the picture before the hole.
                        dts += after + MAX_SAMPLE.get();
                        holes.push(dts);
                    }
                }
            }
            pieces.extend(cutter.finish(None));

            let back: Vec<_> = pieces.iter().flat_map(|piece| &piece.samples).map(|timed| timed.sample.clone()).collect();
            prop_assert_eq!(back, given);
            let mut segment_start = None;
            for piece in &pieces {
                prop_assert!(!piece.samples.is_empty());
                prop_assert!(piece.samples.len() == 1 || piece.duration() <= lengths.fragment, "{:?}", piece.duration());
                prop_assert!(piece.samples[1..].iter().all(|timed| !timed.sample.sync), "a sync sample inside a piece");
                for pair in piece.samples.windows(2) {
                    prop_assert_eq!(pair[0].sample.dts + pair[0].duration, pair[1].sample.dts);
                }
                let start = piece.samples[0].sample.dts;
                if piece.begins_segment {
                    segment_start = Some(start);
                }
                let age = start - segment_start.expect("the first piece begins a segment");
                prop_assert!(age.get() < lengths.segment.get() * 5 / 4, "a segment that never ends");
            }
            for pair in pieces.windows(2) {
                let end = pair[0].samples[0].sample.dts + pair[0].duration();
                let next = pair[1].samples[0].sample.dts;
                let declared = holes.iter().any(|hole| end <= Ticks90k::new(*hole) && Ticks90k::new(*hole) <= next);
                prop_assert!(end == next || (declared && end < next), "{end:?} then {next:?}");
            }
        }
    }
}
