//! Whatever is written is read back: by the walker, by the sample lister, and by readers of others.

use std::io::Cursor;

use bytes::Bytes;
use mp4_atom::{Any, DecodeMaybe as _};
use proptest::prelude::*;

use crate::codec::AudioCodec;
use crate::fmp4::contents::Contents;
use crate::fmp4::fragment::{AudioEntry, Fragment, FragmentError, SampleEntry};
use crate::fmp4::init;
use crate::fmp4::read::{Stop, walk};
use crate::segment::{FragmentMeta, SegmentHead};
use crate::testing::{self, Segment, SegmentBuilder};
use crate::time::{Ticks90k, WallTime};

const START: WallTime = WallTime::from_secs(1_800_000_000);

#[test]
fn a_segment_is_walked_and_its_index_found_again() {
    for audio in [None, Some(AudioCodec::Aac), Some(AudioCodec::Opus)] {
        let mut builder = SegmentBuilder::new(START);
        builder.audio = audio;
        for Segment { bytes, meta } in [builder.build(), builder.next().build()] {
            assert_eq!(meta.check(), Ok(()));
            let walk = walk(Cursor::new(&bytes)).unwrap();
            assert_eq!(walk.stop, Stop::EndOfFile);
            assert_eq!(walk.init_is_intact(), Some(true));
            assert_eq!(walk.end(), meta.size);
            assert_eq!(walk.head.as_ref(), Some(&meta.head));
            assert_eq!(walk.fragments, meta.fragments);
            assert!(walk.beyond.is_empty());
        }
    }
}

#[test]
fn segments_of_one_run_share_their_init_part_and_join_without_a_hole() {
    let builder = SegmentBuilder::new(START);
    let (first, second) = (builder.build(), builder.next().build());
    assert_eq!(first.meta.head.init_sha256, second.meta.head.init_sha256);
    let last = first.meta.fragments.last().unwrap();
    let next = &second.meta.fragments[0];
    assert_eq!(last.media_start + last.duration, next.media_start);
    assert_eq!(last.wall_range().end(), next.wall_start);
}

#[test]
fn the_parameters_are_read_back_from_the_init_part() {
    let codecs = [
        AudioCodec::Aac,
        AudioCodec::Pcma,
        AudioCodec::Pcmu,
        AudioCodec::Opus,
    ];
    let with_sound = codecs.map(testing::parameters_with);
    for parameters in with_sound.into_iter().chain([testing::parameters()]) {
        let written = init::write(&parameters).unwrap();
        assert_eq!(init::read(&written), Ok(parameters));
    }
}

/// The boxes of a file as `mp4-atom` decodes them whole.
fn boxes(mut bytes: &[u8]) -> Vec<Any> {
    std::iter::from_fn(|| Any::decode_maybe(&mut bytes).unwrap()).collect()
}

#[test]
fn a_library_finds_the_boxes_where_the_standard_wants_them() {
    let mut builder = SegmentBuilder::new(START);
    builder.audio = Some(AudioCodec::Aac);
    let Segment { bytes, meta } = builder.build();
    let init = boxes(&bytes[..meta.head.init_length as usize]);
    let [Any::Ftyp(_), Any::Moov(moov)] = init.as_slice() else {
        panic!("{init:?}");
    };
    assert_eq!(moov.trak.len(), 2);
    assert_eq!(moov.mvex.as_ref().map(|mvex| mvex.trex.len()), Some(2));
    for (index, fragment) in meta.fragments.iter().enumerate() {
        let range = fragment.offset as usize..fragment.end_offset() as usize;
        let found = boxes(&bytes[range]);
        let found = if index == 0 { &found[1..] } else { &found };
        let [
            Any::Prft(prft),
            Any::Moof(moof),
            Any::Mdat(mdat),
            Any::Uuid(_),
        ] = found
        else {
            panic!("{found:?}");
        };
        assert_eq!(WallTime::from_ntp(prft.ntp_timestamp), fragment.wall_start);
        assert_eq!(prft.media_time, fragment.media_start.get() as u64);
        assert_eq!(moof.mfhd.sequence_number as usize, index + 1);
        assert!(moof.traf.iter().all(|traf| traf.tfhd.default_base_is_moof));
        let offset = |track: usize| moof.traf[track].trun[0].data_offset.unwrap() as usize;
        let video: u32 = moof.traf[0].trun[0]
            .samples
            .iter()
            .filter_map(|sample| sample.size)
            .sum();
        assert_eq!(offset(1), offset(0) + video as usize);
        // The first NAL unit of the GOP is its IDR slice, behind a length of 30.
        assert_eq!(mdat.data[..5], [0, 0, 0, 30, 0x65]);
    }
}

/// One fragment as the recorder would cut it, with its payload.
#[derive(Clone, Debug)]
struct Cut {
    sequence: u32,
    wall_start: WallTime,
    video: Vec<SampleEntry>,
    audio: Vec<AudioEntry>,
    payload: Vec<u8>,
}

fn any_cut() -> impl Strategy<Value = Cut> {
    let sample = (
        1_i64..200_000,
        -90_000_i64..900_000,
        any::<bool>(),
        0_u32..40,
    );
    let frame = (1_u32..5_000, 0_u32..40);
    let start = prop_oneof![0_i64..1_000_000, Just(1 << 40)];
    (
        any::<u32>(),
        -60_000_000_000_000_i64..4_000_000_000_000_000,
        start.clone(),
        prop::collection::vec(sample, 1..30),
        start,
        prop::collection::vec(frame, 0..30),
    )
        .prop_map(|(sequence, wall, mut dts, samples, mut at, frames)| {
            let video = samples.into_iter().map(|(duration, offset, sync, length)| {
                let sample = SampleEntry {
                    dts: Ticks90k::new(dts),
                    pts: Ticks90k::new(dts + offset),
                    duration: Ticks90k::new(duration),
                    sync,
                    length,
                };
                dts += duration;
                sample
            });
            let audio = frames.into_iter().map(|(duration, length)| {
                let frame = AudioEntry {
                    start: at,
                    duration,
                    length,
                };
                at += i64::from(duration);
                frame
            });
            let (video, audio): (Vec<_>, Vec<_>) = (video.collect(), audio.collect());
            let lengths = video.iter().map(|sample| sample.length);
            let total: u32 = lengths.chain(audio.iter().map(|frame| frame.length)).sum();
            Cut {
                sequence,
                wall_start: WallTime::from_micros(wall),
                video,
                audio,
                payload: (0..total).map(|index| (index % 251) as u8).collect(),
            }
        })
}

/// Appends the fragment, its payload in pieces as samples are.
fn append(cut: &Cut, head: Option<&SegmentHead>, file: &mut Vec<u8>) -> FragmentMeta {
    let header = Fragment {
        sequence: cut.sequence,
        wall_start: cut.wall_start,
        head,
        video: &cut.video,
        audio: &cut.audio,
    }
    .encode()
    .unwrap();
    let sealed = header
        .seal(file.len() as u64, cut.payload.chunks(7))
        .unwrap();
    file.extend_from_slice(&header.bytes);
    file.extend_from_slice(&cut.payload);
    file.extend_from_slice(&sealed.trailer);
    sealed.meta
}

proptest! {
    #[test]
    fn samples_in_are_fragments_out(cuts in prop::collection::vec(any_cut(), 1..5)) {
        let head = SegmentBuilder::new(START).build().meta.head;
        let mut file = init::write(&testing::parameters()).unwrap().to_vec();
        let mut written = Vec::new();
        for (index, cut) in cuts.iter().enumerate() {
            written.push(append(cut, (index == 0).then_some(&head), &mut file));
        }
        let walk = walk(Cursor::new(&file)).unwrap();
        prop_assert_eq!(&walk.stop, &Stop::EndOfFile);
        prop_assert_eq!(&walk.fragments, &written);
        prop_assert_eq!(walk.head, Some(head));
        for (cut, meta) in cuts.iter().zip(&written) {
            let bytes = &file[meta.offset as usize..meta.end_offset() as usize];
            let contents = Contents::of(bytes).unwrap();
            prop_assert_eq!(contents.sequence, cut.sequence);
            let listed = contents.video.iter().map(|(sample, _)| *sample);
            prop_assert!(listed.eq(cut.video.iter().copied()));
            let listed = contents.audio.iter().map(|(frame, _)| *frame);
            prop_assert!(listed.eq(cut.audio.iter().copied()));
            let ranges = contents.video.iter().map(|(_, range)| range);
            let ranges = ranges.chain(contents.audio.iter().map(|(_, range)| range));
            let payload: Vec<u8> = ranges.flat_map(|range| bytes[range.clone()].to_vec()).collect();
            prop_assert_eq!(&payload, &cut.payload);
            prop_assert_eq!(meta.wall_start, cut.wall_start);
        }
    }

    #[test]
    fn a_header_needs_exactly_the_room_it_asks_for(cut in any_cut()) {
        let fragment = Fragment { sequence: 1, wall_start: cut.wall_start, head: None, video: &cut.video, audio: &cut.audio };
        let header = fragment.encode().unwrap();
        // Bytes made from a vector with spare room would have to be shared by a second allocation.
        let vector: Vec<u8> = header.bytes.try_into_mut().unwrap().into();
        prop_assert_eq!(vector.len(), vector.capacity());
    }
}

#[test]
fn what_no_box_can_hold_is_refused_and_says_which_sample() {
    let good = SampleEntry {
        dts: Ticks90k::ZERO,
        pts: Ticks90k::ZERO,
        duration: Ticks90k::new(3_600),
        sync: true,
        length: 10,
    };
    let encode = |video: &[SampleEntry], audio: &[AudioEntry], wall_start| {
        let fragment = Fragment {
            sequence: 1,
            wall_start,
            head: None,
            video,
            audio,
        };
        fragment.encode().map(|_| ())
    };
    let video = |video: &[SampleEntry]| encode(video, &[], START);
    assert!(matches!(video(&[]), Err(FragmentError::NoVideo)));
    let later = SampleEntry {
        dts: Ticks90k::new(7_200),
        ..good
    };
    assert!(matches!(
        video(&[good, later]),
        Err(FragmentError::Dts { index: 1, .. })
    ));
    let before = SampleEntry {
        dts: Ticks90k::new(-1),
        ..good
    };
    assert!(matches!(
        video(&[before]),
        Err(FragmentError::Dts { index: 0, .. })
    ));
    let endless = SampleEntry {
        duration: Ticks90k::new(1 << 32),
        ..good
    };
    assert!(matches!(
        video(&[endless]),
        Err(FragmentError::Duration { index: 0, .. })
    ));
    let far = SampleEntry {
        pts: Ticks90k::new(1 << 31),
        ..good
    };
    assert!(matches!(
        video(&[far]),
        Err(FragmentError::Composition { index: 0, .. })
    ));
    let huge = SampleEntry {
        length: i32::MAX as u32,
        ..good
    };
    assert!(matches!(
        video(&[huge]),
        Err(FragmentError::TooLarge { .. })
    ));
    let frame = |start| AudioEntry {
        start,
        duration: 1,
        length: 1,
    };
    for audio in [[frame(-1), frame(0)], [frame(5), frame(4)]] {
        assert!(matches!(
            encode(&[good], &audio, START),
            Err(FragmentError::Audio { .. })
        ));
    }
    let prehistoric = encode(&[good], &[], WallTime::MIN);
    assert!(matches!(prehistoric, Err(FragmentError::WallTime(_))));
}

#[test]
fn a_payload_other_than_announced_is_not_sealed() {
    let sample = testing::entry(&testing::gop(Ticks90k::ZERO)[0]);
    let header = Fragment {
        sequence: 1,
        wall_start: START,
        head: None,
        video: &[sample],
        audio: &[],
    }
    .encode()
    .unwrap();
    let error = header
        .seal(0, [Bytes::from_static(b"short").as_ref()])
        .unwrap_err();
    assert!(matches!(error, FragmentError::Payload { given: 5, .. }));
}
