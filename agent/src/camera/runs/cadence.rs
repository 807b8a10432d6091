//! How far apart pictures are, and what hole between two of them means that some are missing.

use shared::time::Ticks90k;

/// Assumed until two pictures are known.
pub(super) const GUESS: Ticks90k = Ticks90k::from_millis(40);

/// A picture is not shown longer than this, whatever the distance to the next: a camera that sends
/// a picture a minute shows each for a second, as far as anybody can vouch.
const LONGEST: Ticks90k = Ticks90k::from_millis(1_000);

/// Without a lost packet, only silence longer than this is a hole; "smart" encoders leave out
/// pictures of a still scene.
const SILENCE: Ticks90k = Ticks90k::from_millis(2_000);

/// The usual distance between decoding times.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cadence {
    /// In 1/16 ticks; 0 while unknown.
    sixteenths: i64,
    last: Option<Ticks90k>,
}

impl Cadence {
    pub(super) const fn new(interval: Ticks90k) -> Self {
        Self {
            sixteenths: interval.get().saturating_mul(16),
            last: None,
        }
    }

    /// From presentation times in any order; `None` when they are fewer than two.
    pub(super) fn guess(pts: impl IntoIterator<Item = Ticks90k>) -> Option<Ticks90k> {
        let mut sorted: Vec<_> = pts.into_iter().collect();
        sorted.sort_unstable();
        let distances = sorted.windows(2).map(|pair| pair[1] - pair[0]);
        let mut distances: Vec<_> = distances.filter(|by| *by > Ticks90k::ZERO).collect();
        distances.sort_unstable();
        distances.get(distances.len() / 2).copied()
    }

    /// Takes note of the next decoding time; the distance to the one before.
    pub(super) fn next(&mut self, dts: Ticks90k) -> Option<Ticks90k> {
        let distance = self.last.replace(dts).map(|last| dts - last)?;
        let known = self.sixteenths / 16;
        if known == 0 {
            self.sixteenths = distance.get().saturating_mul(16);
        } else if distance.get() < known.saturating_mul(4) {
            self.sixteenths += distance.get() - known;
        }
        Some(distance)
    }

    /// How long a picture is shown.
    pub(super) fn interval(self) -> Ticks90k {
        match self.sixteenths / 16 {
            0 => GUESS,
            known => Ticks90k::new(known).min(LONGEST),
        }
    }

    /// Whether pictures are missing in a distance between two decoding times.
    pub(super) fn is_hole(self, distance: Ticks90k, packets_lost: bool) -> bool {
        let usual = match self.sixteenths / 16 {
            0 => GUESS.get(),
            known => known,
        };
        if packets_lost {
            distance.get() > usual + usual / 2
        } else {
            distance > SILENCE && distance.get() > usual.saturating_mul(4)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(millis: i64) -> Ticks90k {
        Ticks90k::from_millis(millis)
    }

    #[test]
    fn the_guess_is_the_usual_distance_in_presentation_order() {
        let guess = Cadence::guess([ms(0), ms(120), ms(40), ms(80), ms(240), ms(160), ms(200)]);
        assert_eq!(guess, Some(ms(40)));
        assert_eq!(Cadence::guess([ms(7)]), None);
    }

    #[test]
    fn holes_do_not_change_the_cadence() {
        let mut cadence = Cadence::default();
        for number in 0..100 {
            cadence.next(ms(number * 100));
        }
        assert_eq!(cadence.interval(), ms(100));
        let distance = cadence.next(ms(9_900 + 5_000)).unwrap();
        assert!(cadence.is_hole(distance, false));
        assert_eq!(cadence.interval(), ms(100));
        assert!(cadence.is_hole(ms(200), true));
        assert!(!cadence.is_hole(ms(200), false));
    }

    #[test]
    fn a_camera_with_a_picture_a_minute_is_not_full_of_holes() {
        let mut cadence = Cadence::default();
        let distances = (0..10).filter_map(|number| cadence.next(ms(number * 60_000)));
        let distances: Vec<_> = distances.collect();
        assert!(
            distances
                .iter()
                .all(|distance| !cadence.is_hole(*distance, false))
        );
        assert_eq!(cadence.interval(), LONGEST);
    }
}
