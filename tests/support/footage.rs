//! Footage as a viewer gets it: fetched through the playlist, decoded, and read picture by picture.

use anyhow::{Context as _, Result, ensure};
use camera_sim::decode::{Media, sei_stamps_of_mp4, stamps_of_mp4};
use camera_sim::stamp::Stamp;
use shared::time::{Ticks90k, TimeRange, WallTime};

use crate::api::{Api, PlaylistEntry};

/// One decoded picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Picture {
    /// Which camera drew it.
    pub camera: u16,
    /// Its running number in that camera.
    pub number: u32,
    /// When it was drawn.
    pub drawn: WallTime,
    /// When the playlist says it was seen.
    pub shown: WallTime,
}

/// What a playlist delivered.
#[derive(Clone, Debug)]
pub struct Footage {
    pub entries: Vec<PlaylistEntry>,
    /// In order of the playlist.
    pub stamps: Vec<Picture>,
    /// When pictures were seen whose stamp could not be read.
    pub unreadable: Vec<WallTime>,
    /// When there was something to see, in order, also where a decoder that lost the thread shows nothing.
    pub recorded: Vec<WallTime>,
}

impl Footage {
    /// Fetches and decodes what the playlist of `range` lists; keeps the pictures seen in it.
    ///
    /// # Errors
    /// Something could not be fetched or decoded.
    pub async fn fetch(api: &Api, camera: &str, range: TimeRange) -> Result<Self> {
        let entries = api.playlist(camera, range).await?;
        Ok(Self::of(api, entries).await?.within(range))
    }

    /// Fetches and decodes these entries.
    ///
    /// # Errors
    /// As [`Footage::fetch`].
    pub async fn of(api: &Api, entries: Vec<PlaylistEntry>) -> Result<Self> {
        let files = api.download(&entries).await?;
        let starts = entries
            .iter()
            .enumerate()
            .filter(|(n, entry)| *n == 0 || entry.discontinuity);
        let mut footage = Self {
            stamps: Vec::new(),
            unreadable: Vec::new(),
            recorded: Vec::new(),
            entries: entries.clone(),
        };
        for (file, (_, first)) in files.into_iter().zip(starts) {
            let start = first
                .program_date_time
                .context("a stretch without EXT-X-PROGRAM-DATE-TIME")?;
            // What runs beside the test is not to wait for the decoder.
            let decoding = tokio::task::spawn_blocking(move || {
                let pictures = stamps_of_mp4(Media::Bytes(&file))?;
                anyhow::Ok((pictures, sei_stamps_of_mp4(Media::Bytes(&file))?))
            });
            let (pictures, units) = decoding
                .await?
                .context("decoding what the playlist delivered")?;
            let origin = units.first().map_or(0, |(pts, _)| *pts);
            let seen = |pts| start.offset_micros(Ticks90k::new(pts - origin).to_micros());
            let recorded = units.iter().map(|(pts, _)| seen(*pts));
            footage.recorded.extend(recorded);
            footage.add(pictures, seen)?;
        }
        Ok(footage)
    }

    /// Pictures with their presentation times; `seen` gives the wall time of one.
    fn add(
        &mut self,
        pictures: Vec<(i64, Option<Stamp>)>,
        seen: impl Fn(i64) -> WallTime,
    ) -> Result<()> {
        for (pts, stamp) in pictures {
            let shown = seen(pts);
            match stamp {
                Some(stamp) => self.stamps.push(Picture {
                    camera: stamp.camera,
                    number: stamp.frame,
                    drawn: WallTime::from_millis(i64::try_from(stamp.wall_ms)?),
                    shown,
                }),
                None => self.unreadable.push(shown),
            }
        }
        Ok(())
    }

    pub fn pictures(&self) -> usize {
        self.stamps.len()
    }

    /// Only the pictures seen in `range`. A playlist also delivers what a decoder needs before and the rest of a fragment
    /// behind, where pictures that are shown earlier may be in the next one.
    #[must_use]
    pub fn within(mut self, range: TimeRange) -> Self {
        self.stamps.retain(|picture| range.contains(picture.shown));
        self.unreadable.retain(|shown| range.contains(*shown));
        self.recorded.retain(|shown| range.contains(*shown));
        self
    }

    /// Every number from the first to the last, once and in order.
    ///
    /// # Errors
    /// Names the first number that is missing, twice or out of order.
    pub fn expect_every_picture_once(&self) -> Result<()> {
        ensure!(
            self.unreadable.is_empty(),
            "pictures seen at {:?} have no readable stamp",
            self.unreadable
        );
        for pair in self.stamps.windows(2) {
            let (one, next) = (&pair[0], &pair[1]);
            ensure!(
                one.camera == next.camera,
                "a picture of camera {} among those of {}",
                next.camera,
                one.camera
            );
            ensure!(
                next.number == one.number + 1,
                "picture {} is followed by {}",
                one.number,
                next.number
            );
        }
        Ok(())
    }

    /// How far the playlist's time is from the time drawn into the pictures, at most, in milliseconds.
    pub fn largest_clock_error_ms(&self) -> i64 {
        self.stamps
            .iter()
            .map(|picture| (picture.shown.micros_since(picture.drawn) / 1_000).abs())
            .max()
            .unwrap_or(0)
    }
}
