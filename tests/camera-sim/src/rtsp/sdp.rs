//! Session descriptions (RFC 4566) of a rendition, regular or odd.

use std::fmt::Write;

use bytes::Bytes;
use data_encoding::{BASE64, HEXLOWER, HEXUPPER};

use crate::fault::{Fault, FaultBoard, OddSdp};
use crate::media::{Audio, AudioDescription, Codec, Description, Track, VideoDescription};
use crate::rtp::{AAC_PAYLOAD_TYPE, VIDEO_PAYLOAD_TYPE};

/// How a description deviates from the regular one.
#[derive(Clone, Debug, Default)]
pub(super) struct Oddities {
    pub(super) variant: Option<OddSdp>,
    audio_only: bool,
    encoding: Option<String>,
}

impl Oddities {
    pub(super) fn of(faults: &FaultBoard) -> Self {
        Self {
            variant: faults.find(|fault| match fault {
                Fault::OddSdp { variant } => Some(*variant),
                _ => None,
            }),
            audio_only: faults.has(&Fault::AudioOnly),
            encoding: faults.find(|fault| match fault {
                Fault::UnknownCodec { encoding } => Some(encoding.clone()),
                _ => None,
            }),
        }
    }

    fn is(&self, variant: OddSdp) -> bool {
        self.variant == Some(variant)
    }
}

/// The text of a description. `base` is the URL of the rendition, without a slash at its end.
pub(super) fn render(description: &Description, base: &str, odd: &Oddities) -> String {
    let mut lines: Vec<String> = [
        "v=0",
        "o=- 1 1 IN IP4 127.0.0.1",
        "s=Simulated camera",
        "c=IN IP4 0.0.0.0",
        "t=0 0",
    ]
    .map(str::to_owned)
    .into();
    lines.push("a=range:npt=now-".to_owned());
    if odd.is(OddSdp::BareLineFeeds) {
        lines.push("a=X-vendor-thing:1;;2".to_owned());
    }
    let aggregate = if odd.is(OddSdp::AbsoluteControl) {
        base
    } else {
        "*"
    };
    lines.push(format!("a=control:{aggregate}"));
    if !odd.audio_only {
        video_lines(&mut lines, &description.video, odd);
        lines.push(control_line(Track::Video, base, odd));
    }
    if let Some(audio) = &description.audio {
        audio_lines(&mut lines, audio);
        lines.push(control_line(Track::Audio, base, odd));
    }
    let end = if odd.is(OddSdp::BareLineFeeds) {
        "\n"
    } else {
        "\r\n"
    };
    lines.join(end) + end
}

fn control_line(track: Track, base: &str, odd: &Oddities) -> String {
    if odd.is(OddSdp::AbsoluteControl) {
        format!("a=control:{base}/{}", track.control())
    } else {
        format!("a=control:{}", track.control())
    }
}

fn video_lines(lines: &mut Vec<String>, video: &VideoDescription, odd: &Oddities) {
    let payload_type = VIDEO_PAYLOAD_TYPE;
    lines.push(format!("m=video 0 RTP/AVP {payload_type}"));
    if let Some(encoding) = &odd.encoding {
        lines.push(format!("a=rtpmap:{payload_type} {encoding}/90000"));
        return;
    }
    let name = match video.codec {
        Codec::H264 => "H264",
        Codec::H265 => "H265",
    };
    lines.push(format!("a=rtpmap:{payload_type} {name}/90000"));
    let parameters = format_parameters(video, odd);
    if !parameters.is_empty() {
        let (separator, end) = if odd.is(OddSdp::ExtraWhitespace) {
            (" ; ", "  ")
        } else {
            (";", "")
        };
        lines.push(format!(
            "a=fmtp:{payload_type} {}{end}",
            parameters.join(separator)
        ));
    }
    lines.push(format!("a=framerate:{}", video.fps));
    lines.push(format!("a=x-dimensions:{},{}", video.width, video.height));
}

/// RFC 6184 section 8.1, RFC 7798 section 7.1.
fn format_parameters(video: &VideoDescription, odd: &Oddities) -> Vec<String> {
    let sets = &video.parameter_sets;
    let with_sets = !odd.is(OddSdp::NoParameterSets) && sets.is_complete(video.codec);
    let list = |nals: &[Bytes]| {
        nals.iter()
            .map(|nal| BASE64.encode(nal))
            .collect::<Vec<_>>()
            .join(",")
    };
    let mut parameters = Vec::new();
    match video.codec {
        Codec::H264 => {
            parameters.push("packetization-mode=1".to_owned());
            if let Some(profile) = sets.sps.first().and_then(|sps| sps.get(1..4)) {
                parameters.push(format!("profile-level-id={}", HEXUPPER.encode(profile)));
            }
            if with_sets {
                parameters.push(format!(
                    "sprop-parameter-sets={},{}",
                    list(&sets.sps),
                    list(&sets.pps)
                ));
            }
        }
        Codec::H265 if with_sets => {
            for (name, nals) in [("vps", &sets.vps), ("sps", &sets.sps), ("pps", &sets.pps)] {
                parameters.push(format!("sprop-{name}={}", list(nals)));
            }
        }
        Codec::H265 => {}
    }
    parameters
}

fn audio_lines(lines: &mut Vec<String>, audio: &AudioDescription) {
    let payload_type = audio_payload_type(audio.audio);
    let (name, channels) = match audio.audio {
        Audio::Pcmu | Audio::None => ("PCMU", String::new()),
        Audio::Pcma => ("PCMA", String::new()),
        Audio::Aac => ("MPEG4-GENERIC", format!("/{}", audio.channels)),
    };
    lines.push(format!("m=audio 0 RTP/AVP {payload_type}"));
    lines.push(format!(
        "a=rtpmap:{payload_type} {name}/{}{channels}",
        audio.rate
    ));
    if audio.audio == Audio::Aac {
        let mut line = format!(
            "a=fmtp:{payload_type} streamtype=5;profile-level-id=1;mode=AAC-hbr;sizelength=13;"
        );
        // Writing to a String cannot fail.
        let _ = write!(
            line,
            "indexlength=3;indexdeltalength=3;config={}",
            HEXLOWER.encode(&audio.config)
        );
        lines.push(line);
    }
}

/// RFC 3551 table 4 for G.711.
pub(super) const fn audio_payload_type(audio: Audio) -> u8 {
    match audio {
        Audio::Pcmu | Audio::None => 0,
        Audio::Pcma => 8,
        Audio::Aac => AAC_PAYLOAD_TYPE,
    }
}
