//! Real footage through everything a recording goes through: parameter sets, decoding times made up
//! from presentation times, fragments, and a decoder at the other end.

use std::fs::File;
use std::io::{BufReader, Cursor};
use std::path::PathBuf;

use bytes::Bytes;

use super::players::ffmpeg;
use crate::codec::{StreamParameters, VideoCodec, VideoParameters, h264};
use crate::dts::DtsGenerator;
use crate::fmp4::fragment::{Fragment, SampleEntry};
use crate::fmp4::init;
use crate::fmp4::read::{Stop, walk};
use crate::time::{TICKS_PER_SECOND, Ticks90k, WallTime};

/// Pictures to take at least; taken to the end of a group.
const PICTURES: usize = 100;

/// Where footage is kept beside the repository, not in it.
fn footage(name: &str) -> Option<PathBuf> {
    let path = PathBuf::from("../../shared/testdata").join(name);
    if path.exists() {
        return Some(path);
    }
    eprintln!(
        "SKIPPED: there is no {}; nothing was checked",
        path.display()
    );
    None
}

/// Pictures in decoding order as a camera would send them: payload and presentation time.
struct Source {
    video: VideoParameters,
    pictures: Vec<(Ticks90k, Bytes)>,
}

impl Source {
    fn open(path: &PathBuf) -> Self {
        let file = File::open(path).unwrap();
        let size = file.metadata().unwrap().len();
        let mut reader = mp4::Mp4Reader::read_header(BufReader::new(file), size).unwrap();
        let is_video =
            |track: &&mp4::Mp4Track| track.track_type().unwrap() == mp4::TrackType::Video;
        let track = reader.tracks().values().find(is_video).unwrap();
        let (id, timescale) = (track.track_id(), i64::from(track.timescale()));
        let sps = track.sequence_parameter_set().unwrap();
        let pps = track.picture_parameter_set().unwrap();
        let config = h264::configuration([sps], [pps]).unwrap();
        let video = VideoParameters::from_config(VideoCodec::H264, config).unwrap();
        let mut pictures = Vec::new();
        for number in 1..=reader.sample_count(id).unwrap() {
            let sample = reader.read_sample(id, number).unwrap().unwrap();
            if pictures.len() >= PICTURES && sample.is_sync {
                break;
            }
            assert_eq!(VideoCodec::H264.is_sync(&sample.bytes), sample.is_sync);
            let shown =
                i64::try_from(sample.start_time).unwrap() + i64::from(sample.rendering_offset);
            let pts = Ticks90k::new(shown * TICKS_PER_SECOND / timescale);
            pictures.push((pts, sample.bytes));
        }
        Self { video, pictures }
    }

    /// The pictures as entries of fragments.
    fn entries(&self) -> Vec<SampleEntry> {
        let mut generator = DtsGenerator::new(self.video.reorder_frames, Ticks90k::new(3_600));
        let shift = generator.lead() - self.pictures[0].0;
        let times: Vec<_> = self
            .pictures
            .iter()
            .map(|(pts, _)| {
                let pts = *pts + shift;
                let time = generator.next(pts);
                assert_eq!(time.raise_to, None, "the parameter sets told the truth");
                assert!(Ticks90k::ZERO <= time.dts && time.dts <= pts);
                (pts, time.dts)
            })
            .collect();
        let next = times
            .iter()
            .skip(1)
            .map(|(_, dts)| Some(*dts))
            .chain([None]);
        times
            .iter()
            .zip(next)
            .zip(&self.pictures)
            .map(|(((pts, dts), next), (_, payload))| SampleEntry {
                pts: *pts,
                dts: *dts,
                duration: next.map_or(Ticks90k::new(3_600), |next| next - *dts),
                sync: VideoCodec::H264.is_sync(payload),
                length: u32::try_from(payload.len()).unwrap(),
            })
            .collect()
    }

    /// A file of fragments of up to ten pictures.
    fn record(&self) -> Vec<u8> {
        let parameters = StreamParameters {
            video: self.video.clone(),
            audio: None,
        };
        let mut file = init::write(&parameters).unwrap().to_vec();
        let entries = self.entries();
        for (index, (video, pictures)) in
            entries.chunks(10).zip(self.pictures.chunks(10)).enumerate()
        {
            let header = Fragment {
                sequence: u32::try_from(index + 1).unwrap(),
                wall_start: WallTime::from_secs(1_800_000_000),
                head: None,
                video,
                audio: &[],
            }
            .encode()
            .unwrap();
            let payload = || pictures.iter().map(|(_, payload)| payload.as_ref());
            let sealed = header.seal(file.len() as u64, payload()).unwrap();
            file.extend_from_slice(&header.bytes);
            payload().for_each(|piece| file.extend_from_slice(piece));
            file.extend_from_slice(&sealed.trailer);
        }
        file
    }
}

/// Digest of the first pictures that a decoder shows.
fn shown(file: &[u8], pictures: usize) -> Option<String> {
    let pictures = pictures.to_string();
    let input = [
        "-v",
        "error",
        "-xerror",
        "-i",
        "-",
        "-an",
        "-fps_mode",
        "passthrough",
    ];
    let output = [
        "-frames:v",
        &pictures,
        "-f",
        "framehash",
        "-hash",
        "md5",
        "-",
    ];
    let (hashes, complaints) = ffmpeg("ffmpeg", &[&input[..], &output].concat(), file)?;
    assert_eq!(complaints, "");
    // Of each line only the digest; the files have different time bases.
    let digests = hashes.lines().filter(|line| !line.starts_with('#'));
    let digests: Vec<_> = digests
        .filter_map(|line| line.rsplit(", ").next())
        .collect();
    Some(digests.join("\n"))
}

#[test]
fn a_decoder_shows_a_recording_as_it_shows_the_original() {
    for (name, reorder_frames) in [
        // It reorders by one picture and does not say so.
        ("person-walking-768x432.mp4", 2),
        ("car-gate-768x432-aac.mp4", 0),
    ] {
        let Some(path) = footage(name) else { return };
        let source = Source::open(&path);
        assert_eq!((source.video.width, source.video.height), (768, 432));
        assert_eq!(source.video.reorder_frames, reorder_frames, "{name}");
        let recording = source.record();
        assert_eq!(walk(Cursor::new(&recording)).unwrap().stop, Stop::EndOfFile);
        let count = source.pictures.len();
        let Some(recorded) = shown(&recording, count) else {
            return;
        };
        let original = shown(&std::fs::read(&path).unwrap(), count).unwrap();
        assert_eq!(recorded.lines().count(), count, "{name}");
        assert!(recorded == original, "{name}");
    }
}
