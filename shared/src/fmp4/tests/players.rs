//! What is written has to open in players that know nothing of us.

use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::codec::AudioCodec;
use crate::hash::Sha256;
use crate::testing::{self, Segment, SegmentBuilder};
use crate::time::WallTime;

const START: WallTime = WallTime::from_secs(1_800_000_000);

/// Runs a program of FFmpeg over a file given on its standard input; `None` where there is none.
pub(super) fn ffmpeg(program: &str, arguments: &[&str], file: &[u8]) -> Option<(String, String)> {
    let mut child = match Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
    {
        Ok(child) => child,
        Err(error) => {
            assert!(
                std::env::var_os("CI").is_none(),
                "{program} is needed: {error}"
            );
            eprintln!("SKIPPED: {program} is not installed ({error}); nothing was checked");
            return None;
        }
    };
    let mut input = child.stdin.take().unwrap();
    let output = std::thread::scope(|scope| {
        // A program that has seen enough closes its end.
        let _ = scope.spawn(move || input.write_all(file));
        child.wait_with_output().unwrap()
    });
    assert!(output.status.success(), "{output:?}");
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Some((text(output.stdout), text(output.stderr)))
}

/// One file for each kind of sound.
fn files() -> Vec<(Option<AudioCodec>, Vec<u8>)> {
    let codecs = [
        AudioCodec::Aac,
        AudioCodec::Pcma,
        AudioCodec::Pcmu,
        AudioCodec::Opus,
    ];
    std::iter::once(None)
        .chain(codecs.map(Some))
        .map(|audio| {
            let mut segment = SegmentBuilder::new(START);
            segment.audio = audio;
            (audio, segment.build().bytes.to_vec())
        })
        .collect()
}

#[test]
fn ffprobe_lists_every_sample_without_a_warning() {
    let arguments = ["-v", "warning", "-count_packets", "-show_entries"];
    let entries = "stream=codec_name,width,height,sample_rate,nb_read_packets,start_time";
    for (audio, file) in files() {
        let arguments = [&arguments[..], &[entries, "-of", "compact=p=0", "-"]].concat();
        let Some((streams, complaints)) = ffmpeg("ffprobe", &arguments, &file) else {
            return;
        };
        assert_eq!(complaints, "", "{audio:?}");
        let video = "codec_name=h264|width=64|height=48|start_time=0.000000|nb_read_packets=50";
        let sound = match audio {
            None => "",
            Some(AudioCodec::Aac) => {
                "codec_name=aac|sample_rate=16000|start_time=0.000000|nb_read_packets=32"
            }
            Some(AudioCodec::Pcma) => {
                "codec_name=pcm_alaw|sample_rate=8000|start_time=0.000000|nb_read_packets=100"
            }
            Some(AudioCodec::Pcmu) => {
                "codec_name=pcm_mulaw|sample_rate=8000|start_time=0.000000|nb_read_packets=100"
            }
            Some(AudioCodec::Opus) => {
                "codec_name=opus|sample_rate=48000|start_time=0.000000|nb_read_packets=100"
            }
        };
        assert_eq!(streams.trim(), format!("{video}\n{sound}").trim());
    }
}

#[test]
fn ffprobe_finds_times_flags_and_bytes_of_every_picture() {
    let mut builder = SegmentBuilder::new(START);
    builder.audio = Some(AudioCodec::Aac);
    let Segment { bytes, meta } = builder.next().build();
    let arguments = [
        "-v",
        "warning",
        "-select_streams",
        "v",
        "-show_data_hash",
        "sha256",
    ];
    let entries = [
        "-show_entries",
        "packet=pts,dts,duration,size,flags,data_hash",
    ];
    let arguments = [&arguments[..], &entries, &["-of", "csv=p=0", "-"]].concat();
    let Some((packets, _)) = ffmpeg("ffprobe", &arguments, &bytes) else {
        return;
    };
    let expected: String = meta
        .fragments
        .iter()
        .flat_map(|fragment| testing::gop(fragment.media_start))
        .map(|sample| {
            let (time, size) = (sample.pts.get(), sample.payload.len());
            let flags = if sample.sync { "K_" } else { "__" };
            let hash = Sha256::of(&sample.payload);
            format!("{time},{time},3600,{size},{flags},SHA256:{hash}\n")
        })
        .collect();
    assert_eq!(packets, expected);
}

#[test]
fn ffmpeg_decodes_every_sample_without_a_complaint() {
    for (audio, file) in files() {
        let arguments = ["-v", "error", "-xerror", "-i", "-", "-f", "null", "-"];
        let Some((_, complaints)) = ffmpeg("ffmpeg", &arguments, &file) else {
            return;
        };
        assert_eq!(complaints, "", "{audio:?}");
    }
}
