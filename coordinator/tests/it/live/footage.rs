//! Real footage as a feed gives it.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use cctv_coordinator::services::live_hub::{Event, Picture, Run};
use shared::codec::{StreamParameters, h264};
use shared::id::RunId;
use shared::time::{Ticks90k, WallTime};

/// Pictures of a file, one after the other.
pub(crate) struct Footage {
    pub(crate) run: Arc<Run>,
    pub(crate) samples: Vec<Sample>,
}

pub(crate) struct Sample {
    pub(crate) pts: Ticks90k,
    pub(crate) dts: Ticks90k,
    pub(crate) sync: bool,
    pub(crate) payload: Bytes,
}

impl Footage {
    /// Of `shared/testdata` beside the repository; `None`, and a loud word, without it.
    pub(crate) fn open(name: &str) -> Option<Self> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/testdata");
        let path = path.join(name);
        let Ok(file) = File::open(&path) else {
            eprintln!("SKIPPED: there is no footage at {}", path.display());
            return None;
        };
        let size = file.metadata().unwrap().len();
        let mut file = mp4::Mp4Reader::read_header(BufReader::new(file), size).unwrap();
        let mut tracks = file.tracks().values();
        let track = tracks.find(|track| {
            track
                .track_type()
                .is_ok_and(|kind| kind == mp4::TrackType::Video)
        });
        let track = track.unwrap();
        let config = h264::configuration(
            [track.sequence_parameter_set().unwrap()],
            [track.picture_parameter_set().unwrap()],
        );
        let (id, scale) = (track.track_id(), i64::from(track.timescale()));
        let samples = (1..=track.sample_count()).map(|number| {
            let sample = file.read_sample(id, number).unwrap().unwrap();
            let ticks = |time: i64| Ticks90k::new(time * 90_000 / scale);
            let dts = i64::try_from(sample.start_time).unwrap();
            Sample {
                pts: ticks(dts + i64::from(sample.rendering_offset)),
                dts: ticks(dts),
                sync: sample.is_sync,
                payload: sample.bytes,
            }
        });
        let samples = samples.collect();
        let parameters = StreamParameters {
            video: h264::parameters(config.unwrap()).unwrap(),
            audio: None,
        };
        let id = RunId::new(WallTime::from_secs(1));
        let run = Arc::new(Run { id, parameters });
        Some(Self { run, samples })
    }

    /// A picture as if the run had begun at `start`.
    pub(crate) fn event(&self, number: usize, start: WallTime) -> Event {
        let sample = &self.samples[number];
        Event::Picture(Arc::new(Picture {
            run: self.run.clone(),
            pts: sample.pts,
            dts: sample.dts,
            wall: start.offset_micros(sample.pts.to_micros()),
            sync: sample.sync,
            payload: sample.payload.clone(),
            packets: OnceLock::new(),
        }))
    }
}
