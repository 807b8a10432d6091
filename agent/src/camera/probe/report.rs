//! The installer's report on a camera: the same facts as JSON and as text.

use std::fmt;
use std::time::Duration;

use serde::Serialize;
use shared::codec::{AudioCodec, VideoCodec};
use shared::time::Ticks90k;

use super::tally::{Gops, Tally};
use super::verdict::{self, Verdict};
use crate::camera::clock_map::Now;
use crate::camera::rtsp::Fault;
use crate::camera::source::{Source, Transport};

/// What was measured. Durations are in milliseconds, rates per second.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ProbeReport {
    /// Without user and password.
    pub address: String,
    /// The server's name for itself, where it gives one.
    pub server: Option<String>,
    /// `tcp`, `udp` or `tls`.
    pub transport: &'static str,
    pub measured_ms: u64,
    /// From the first packet to the camera's agreement to play.
    pub setup_ms: u64,
    /// From there to the first picture.
    pub first_picture_ms: u64,
    pub video: VideoReport,
    /// `None` where the camera offers no sound.
    pub audio: Option<AudioReport>,
    pub lost_packets: u64,
    /// RFC 3550 section 6.4.1, of whole pictures.
    pub jitter_ms: f64,
    pub clock: ClockReport,
    /// How often timestamps or parameters broke while watching.
    pub breaks: u32,
    /// How the session ended, where the camera ended it.
    pub ended: Option<String>,
    /// What is odd about the camera.
    pub quirks: Vec<&'static str>,
    pub notes: Vec<String>,
    pub verdicts: Vec<Verdict>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct VideoReport {
    pub codec: VideoCodec,
    /// As RFC 6381 names it.
    pub rfc6381: String,
    /// Such as `High`; `None` for profiles without a common name.
    pub profile: Option<&'static str>,
    /// Such as `4.1`.
    pub level: Option<String>,
    pub width: u16,
    pub height: u16,
    pub frames_per_second: f64,
    /// Of video payload.
    pub bits_per_second: u64,
    pub largest_picture_bytes: u64,
    pub gop: GopReport,
    /// Whether pictures came out of their order (B-frames).
    pub reordered: bool,
    pub browsers: Playability,
}

/// Distances from one key frame to the next.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GopReport {
    /// How many whole ones were seen; without any, the others are of the one that was cut off.
    pub whole: u64,
    /// No whole one was seen: it is at least as long as given.
    pub longer_than_observed: bool,
    pub pictures: Span<u64>,
    pub seconds: Span<f64>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Span<T> {
    pub least: T,
    pub mean: f64,
    pub most: T,
}

/// In which browsers the video plays without being converted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Playability {
    All,
    /// Those on hosts that decode it in hardware.
    Some,
    None,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AudioReport {
    /// As the camera names it.
    pub encoding: String,
    /// Whether it can be recorded.
    pub codec: Option<AudioCodec>,
    pub sample_rate: Option<u32>,
    pub channels: Option<u8>,
    pub bits_per_second: u64,
    /// Whether frames of it came.
    pub heard: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ClockReport {
    /// The camera's clock minus the host's.
    pub offset_ms: Option<f64>,
    /// How far wall times of pictures may be off.
    pub uncertainty_ms: Option<f64>,
}

pub(super) fn conclude(
    source: &Source,
    opened: Duration,
    tally: Tally,
    ended: Option<Fault>,
    now: Now,
) -> ProbeReport {
    let watched = tally.watched(now);
    let standing = tally.standing(now);
    let mut report = ProbeReport {
        address: source.shown(),
        server: tally.description.server.clone(),
        transport: match source.transport {
            _ if source.is_encrypted() => "tls",
            Transport::Tcp => "tcp",
            Transport::Udp => "udp",
        },
        measured_ms: millis(watched),
        setup_ms: millis(opened),
        first_picture_ms: millis(tally.first_picture.unwrap_or_default()),
        video: video(&tally, watched),
        audio: audio(&tally, watched),
        lost_packets: tally.lost_packets,
        jitter_ms: tally.jitter().as_secs_f64() * 1e3,
        clock: ClockReport {
            offset_ms: standing.camera_offset_us.map(us_to_ms),
            uncertainty_ms: standing
                .uncertainty_us
                .and_then(|us| i64::try_from(us).ok())
                .map(us_to_ms),
        },
        breaks: tally.breaks,
        ended: ended.map(|fault| fault.detail),
        quirks: tally.quirks.iter().map(|quirk| quirk.sentence()).collect(),
        notes: tally.notes,
        verdicts: Vec::new(),
    };
    report.verdicts = verdict::on(&report);
    report
}

fn video(tally: &Tally, watched: Duration) -> VideoReport {
    let parameters = tally.video.as_ref();
    let rfc6381 = parameters.map_or_else(String::new, |video| video.rfc6381.clone());
    let codec = tally.description.video;
    // The last picture's own duration is not known.
    let intervals = tally.pictures().saturating_sub(1);
    let (profile, level) = profile_and_level(&rfc6381);
    VideoReport {
        codec,
        profile,
        level,
        browsers: playability(codec, &rfc6381),
        rfc6381,
        width: parameters.map_or(0, |video| video.width),
        height: parameters.map_or(0, |video| video.height),
        frames_per_second: per_second(intervals, watched),
        bits_per_second: per_second(tally.picture_bytes * 8, watched) as u64,
        largest_picture_bytes: tally.largest_picture as u64,
        gop: gop(&tally.gops),
        reordered: tally.reordered,
    }
}

fn audio(tally: &Tally, watched: Duration) -> Option<AudioReport> {
    let encoding = tally.description.audio_encoding.clone()?;
    let parameters = tally.audio.as_ref();
    Some(AudioReport {
        encoding,
        codec: parameters.map(|audio| audio.codec),
        sample_rate: parameters.map(|audio| audio.sample_rate),
        channels: parameters.map(|audio| audio.channels),
        bits_per_second: per_second(tally.sound_bytes * 8, watched) as u64,
        heard: tally.sounds > 0,
    })
}

fn gop(gops: &Gops) -> GopReport {
    let longer_than_observed = gops.whole.is_empty();
    let seen = match longer_than_observed {
        true => gops.open.into_iter().collect(),
        false => gops.whole.clone(),
    };
    let seconds = |ticks: Ticks90k| ticks.as_secs_f64();
    let count = seen.len().max(1) as f64;
    let pictures = seen.iter().map(|(pictures, _)| *pictures);
    let lengths = seen.iter().map(|(_, length)| *length);
    GopReport {
        whole: gops.whole.len() as u64,
        longer_than_observed,
        pictures: Span {
            least: pictures.clone().min().unwrap_or_default(),
            mean: pictures.clone().sum::<u64>() as f64 / count,
            most: pictures.max().unwrap_or_default(),
        },
        seconds: Span {
            least: seconds(lengths.clone().min().unwrap_or_default()),
            mean: lengths.clone().map(seconds).sum::<f64>() / count,
            most: seconds(lengths.max().unwrap_or_default()),
        },
    }
}

/// Reads `avc1.PPCCLL` (RFC 6381 section 3.3) and `hvc1.P.C.TL.B` (ISO/IEC 14496-15 annex E.3).
fn profile_and_level(rfc6381: &str) -> (Option<&'static str>, Option<String>) {
    if let Some(hex) = rfc6381.strip_prefix("avc1.") {
        let byte = |at: usize| {
            let digits = hex.get(at..at + 2)?;
            u8::from_str_radix(digits, 16).ok()
        };
        let profile = match (byte(0), byte(2)) {
            (Some(66), Some(constraints)) if constraints & 0x40 != 0 => {
                Some("Constrained Baseline")
            }
            (Some(66), _) => Some("Baseline"),
            (Some(77), _) => Some("Main"),
            (Some(88), _) => Some("Extended"),
            (Some(100), _) => Some("High"),
            (Some(110), _) => Some("High 10"),
            (Some(122), _) => Some("High 4:2:2"),
            (Some(244), _) => Some("High 4:4:4 Predictive"),
            _ => None,
        };
        let level = byte(4).map(|level| format!("{}.{}", level / 10, level % 10));
        return (profile, level);
    }
    let mut parts = rfc6381.split('.').skip(1);
    let profile = match parts.next() {
        Some("1") => Some("Main"),
        Some("2") => Some("Main 10"),
        Some("3") => Some("Main Still Picture"),
        Some("4") => Some("Range Extensions"),
        _ => None,
    };
    let level = parts
        .nth(1)
        .and_then(|tier| tier.get(1..)?.parse::<u16>().ok())
        .map(|level| format!("{}.{}", level / 30, level % 30 / 3));
    (profile, level)
}

fn playability(codec: VideoCodec, rfc6381: &str) -> Playability {
    match (codec, profile_and_level(rfc6381).0) {
        (
            VideoCodec::H264,
            Some("High 10" | "High 4:2:2" | "High 4:4:4 Predictive" | "Extended"),
        ) => Playability::None,
        (VideoCodec::H264, _) => Playability::All,
        (VideoCodec::H265, Some("Range Extensions")) => Playability::None,
        (VideoCodec::H265, _) => Playability::Some,
    }
}

fn per_second(count: u64, watched: Duration) -> f64 {
    match watched.as_secs_f64() {
        seconds if seconds > 0.0 => count as f64 / seconds,
        _ => 0.0,
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn us_to_ms(us: i64) -> f64 {
    us as f64 / 1e3
}

impl fmt::Display for ProbeReport {
    /// For a terminal; facts first, conclusions last.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let video = &self.video;
        writeln!(f, "{} over {}", self.address, self.transport)?;
        if let Some(server) = &self.server {
            writeln!(f, "  server      {server}")?;
        }
        let profile = video.profile.unwrap_or("unnamed");
        let level = video.level.as_deref().unwrap_or("?");
        writeln!(
            f,
            "  video       {:?}, profile {profile}, level {level} ({})",
            video.codec, video.rfc6381
        )?;
        writeln!(
            f,
            "  picture     {} × {}, {:.2} a second, {} kbit/s, largest {} kB",
            video.width,
            video.height,
            video.frames_per_second,
            video.bits_per_second / 1_000,
            video.largest_picture_bytes / 1_000
        )?;
        self.fmt_gop(f)?;
        self.fmt_audio(f)?;
        writeln!(
            f,
            "  network     {} packets lost, jitter {:.1} ms, {} ms to set up, {} ms to the first picture",
            self.lost_packets, self.jitter_ms, self.setup_ms, self.first_picture_ms
        )?;
        match (self.clock.offset_ms, self.clock.uncertainty_ms) {
            (Some(offset), Some(uncertainty)) => {
                writeln!(
                    f,
                    "  clock       {offset:+.1} ms off, known to ±{uncertainty:.1} ms"
                )?;
            }
            _ => writeln!(f, "  clock       not told by the camera")?,
        }
        if let Some(ended) = &self.ended {
            writeln!(f, "  ended       {ended}")?;
        }
        for oddity in self
            .quirks
            .iter()
            .copied()
            .chain(self.notes.iter().map(String::as_str))
        {
            writeln!(f, "  odd         {oddity}")?;
        }
        for verdict in &self.verdicts {
            writeln!(f, "{} {}", verdict.grade.sign(), verdict.message.en)?;
        }
        Ok(())
    }
}

impl ProbeReport {
    fn fmt_gop(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let gop = &self.video.gop;
        let order = match self.video.reordered {
            true => "pictures are reordered",
            false => "no picture is reordered",
        };
        if gop.longer_than_observed {
            return writeln!(
                f,
                "  key frames  more than {:.1} s apart ({} pictures), {order}",
                gop.seconds.most, gop.pictures.most
            );
        }
        writeln!(
            f,
            "  key frames  {:.1} s apart ({:.1} to {:.1} s, {} to {} pictures), {order}",
            gop.seconds.mean,
            gop.seconds.least,
            gop.seconds.most,
            gop.pictures.least,
            gop.pictures.most
        )
    }

    fn fmt_audio(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(audio) = &self.audio else {
            return writeln!(f, "  sound       none");
        };
        match (audio.sample_rate, audio.channels) {
            (Some(rate), Some(channels)) => writeln!(
                f,
                "  sound       {}, {rate} Hz, {}, {} kbit/s",
                audio.encoding,
                if channels == 1 {
                    "mono"
                } else {
                    "more than one channel"
                },
                audio.bits_per_second / 1_000
            ),
            _ => writeln!(f, "  sound       {}, not usable", audio.encoding),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_and_levels_are_read_from_codec_names() {
        let read = |name| {
            let (profile, level) = profile_and_level(name);
            (profile, level.unwrap_or_default())
        };
        assert_eq!(
            read("avc1.42c01e"),
            (Some("Constrained Baseline"), "3.0".to_owned())
        );
        assert_eq!(read("avc1.640029"), (Some("High"), "4.1".to_owned()));
        assert_eq!(read("hvc1.1.6.L93.B0"), (Some("Main"), "3.1".to_owned()));
        assert_eq!(
            read("hvc1.2.4.H153.B0"),
            (Some("Main 10"), "5.1".to_owned())
        );
        assert_eq!(read("avc1.§"), (None, String::new()));
        assert_eq!(read(""), (None, String::new()));
    }

    #[test]
    fn a_gop_that_was_cut_off_is_longer_than_observed() {
        let cut_off = Gops {
            open: Some((300, Ticks90k::from_millis(12_000))),
            ..Gops::default()
        };
        let report = gop(&cut_off);
        assert!(report.longer_than_observed);
        assert_eq!((report.whole, report.pictures.most), (0, 300));
        let whole = Gops {
            whole: vec![
                (50, Ticks90k::from_millis(2_000)),
                (100, Ticks90k::from_millis(4_000)),
            ],
            ..cut_off
        };
        let report = gop(&whole);
        assert!(!report.longer_than_observed);
        assert_eq!(
            report.pictures,
            Span {
                least: 50,
                mean: 75.0,
                most: 100
            }
        );
        assert_eq!(
            report.seconds,
            Span {
                least: 2.0,
                mean: 3.0,
                most: 4.0
            }
        );
    }
}
