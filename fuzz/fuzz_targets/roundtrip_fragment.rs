//! Whatever the recorder may ask for is written so that it is found again, or refused.
#![no_main]

use std::io::Cursor;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use shared::fmp4::contents::Contents;
use shared::fmp4::fragment::{AudioEntry, Fragment, SampleEntry};
use shared::fmp4::init;
use shared::fmp4::read::{Stop, walk};
use shared::testing;
use shared::time::{Ticks90k, WallTime};

#[derive(Arbitrary, Debug)]
struct Video {
    /// From the end of the sample before.
    gap: i8,
    duration: i32,
    offset: i32,
    sync: bool,
    length: u8,
}

#[derive(Arbitrary, Debug)]
struct Audio {
    start: i32,
    duration: u32,
    length: u8,
}

#[derive(Arbitrary, Debug)]
struct Input {
    sequence: u32,
    wall: i64,
    start: i64,
    video: Vec<Video>,
    audio: Vec<Audio>,
}

fuzz_target!(|input: Input| {
    let (video, audio) = entries(&input);
    let fragment = Fragment {
        sequence: input.sequence,
        wall_start: WallTime::from_micros(input.wall),
        head: None,
        video: &video,
        audio: &audio,
    };
    let Ok(header) = fragment.encode() else {
        return;
    };
    let payload = vec![0x5a; header.payload_length as usize];
    let init = init::write(&testing::parameters()).expect("real parameters");
    let sealed = header
        .seal(init.len() as u64, payload.chunks(11))
        .expect("the payload that was announced");
    let file = [&init, &header.bytes[..], &payload, &sealed.trailer].concat();

    let walk = walk(Cursor::new(&file)).expect("a whole file");
    assert_eq!(walk.stop, Stop::EndOfFile);
    assert_eq!(walk.fragments, [sealed.meta]);
    let contents = Contents::of(&file[init.len()..]).expect("a whole fragment");
    assert_eq!(contents.sequence, input.sequence);
    assert!(contents.video.iter().map(|(sample, _)| *sample).eq(video));
    let starts = contents.audio.iter().map(|(frame, _)| frame.start);
    assert!(starts.eq(audio.iter().map(|frame| frame.start)));
});

/// Mostly samples that follow each other, and now and then some that do not.
fn entries(input: &Input) -> (Vec<SampleEntry>, Vec<AudioEntry>) {
    let mut dts = input.start;
    let video = input.video.iter().map(|video| {
        let gap = if video.gap == i8::MIN { 1 } else { 0 };
        let sample = SampleEntry {
            dts: Ticks90k::new(dts.saturating_add(gap)),
            pts: Ticks90k::new(dts) + Ticks90k::new(i64::from(video.offset)),
            duration: Ticks90k::new(i64::from(video.duration)),
            sync: video.sync,
            length: u32::from(video.length),
        };
        dts = dts.saturating_add(i64::from(video.duration));
        sample
    });
    let audio = input.audio.iter().map(|audio| AudioEntry {
        start: i64::from(audio.start),
        duration: audio.duration,
        length: u32::from(audio.length),
    });
    (video.collect(), audio.collect())
}
