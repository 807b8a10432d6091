//! Parameter sets of real encoders, and what no encoder sends.

use data_encoding::HEXLOWER_PERMISSIVE;
use h264_reader::rbsp::{BitWrite, BitWriter, ByteWriter};
use proptest::prelude::*;

use super::*;

fn hex(text: &str) -> Vec<u8> {
    HEXLOWER_PERMISSIVE.decode(text.as_bytes()).unwrap()
}

/// Main profile, 1280x720, B pictures in a pyramid, made by x265.
fn hd() -> [Vec<u8>; 3] {
    [
        hex("40010c01ffff01600000030090000003000003005d959409"),
        hex(
            "42010101600000030090000003000003005da00280802d16595964932bc05a020000030002000003003210",
        ),
        hex("4401c172b46240"),
    ]
}

/// The SPS of a Main 10 stream, 1920x1080 out of 1088 lines, not reordered.
fn full_hd() -> Vec<u8> {
    hex("420101022000000300900000030000030078a003c08010e4d964a924caf0168080000003008000000c84")
}

fn configured(sets: &[Vec<u8>; 3]) -> Bytes {
    let [vps, sps, pps] = sets.each_ref().map(|unit| [unit.as_slice()]);
    configuration(vps, sps, pps).unwrap()
}

fn access_unit(units: &[&[u8]]) -> Vec<u8> {
    let behind_length = |unit: &&[u8]| [&(unit.len() as u32).to_be_bytes(), *unit].concat();
    units.iter().flat_map(behind_length).collect()
}

/// An SPS of 64x48 with as many sub-layers, every second of which has a profile and a level of
/// its own.
fn layered(layers: u8, all: bool, reorder: &[u32]) -> Vec<u8> {
    let mut unit = vec![SPS << 1, 1];
    let mut bits = BitWriter::new(ByteWriter::new(&mut unit));
    let mut write = || -> std::io::Result<()> {
        bits.write::<4, u8>(0)?;
        bits.write::<3, u8>(layers - 1)?;
        bits.write_bit(false)?;
        for byte in [0x41_u8, 0x60, 0, 0, 0, 0xb0, 0, 0, 0, 0, 0, 93] {
            bits.write::<8, u8>(byte)?;
        }
        for layer in (1..=8).filter(|_| layers > 1) {
            bits.write::<2, u8>(if layer < layers && layer % 2 == 1 {
                3
            } else {
                0
            })?;
        }
        for _ in (1..layers).step_by(2) {
            for _ in 0..12 {
                bits.write::<8, u8>(0xff)?;
            }
        }
        for value in [3, 1, 64, 48] {
            bits.write_ue(value)?;
        }
        bits.write_bit(false)?;
        for value in [0, 0, 4] {
            bits.write_ue(value)?;
        }
        bits.write_bit(all)?;
        for reorder in reorder {
            for value in [4, *reorder, 0] {
                bits.write_ue(value)?;
            }
        }
        bits.write_rbsp_trailing_bits()
    };
    write().unwrap();
    unit
}

#[test]
fn records_of_cameras_and_encoders() {
    let video = parameters(configured(&hd())).unwrap();
    assert_eq!(video.rfc6381, "hvc1.1.6.L93.90");
    assert_eq!(
        (video.width, video.height, video.reorder_frames),
        (1280, 720, 2)
    );

    let [vps, _, pps] = hd();
    let video = parameters(configured(&[vps, full_hd(), pps])).unwrap();
    assert_eq!(video.rfc6381, "hvc1.2.4.L120.90");
    assert_eq!(
        (video.width, video.height, video.reorder_frames),
        (1920, 1080, 0)
    );
}

#[test]
fn the_record_has_what_the_encoder_puts_there() {
    let record = configured(&hd());
    let encoder = hex("0101600000009000000000005df000fcfdf8f800000f03");
    assert_eq!(record[..encoder.len()], encoder);
}

#[test]
fn the_highest_layer_says_how_much_is_reordered() {
    let [vps, _, pps] = hd();
    for (layers, all, reorder) in [
        (1, true, &[1][..]),
        (3, true, &[0, 1, 3]),
        (4, false, &[3]),
        (7, true, &[0, 0, 1, 1, 2, 2, 3]),
    ] {
        let sps = layered(layers, all, reorder);
        let video = parameters(configured(&[vps.clone(), sps, pps.clone()])).unwrap();
        assert_eq!((video.width, video.height), (64, 48), "{layers}");
        assert_eq!(video.reorder_frames, *reorder.last().unwrap() as u8);
        // Profile space 1 is "A".
        assert_eq!(video.rfc6381, "hvc1.A1.6.L93.B0");
    }
}

#[test]
fn sync_samples_are_those_with_an_irap_slice() {
    for kind in 0..64_u8 {
        let unit = access_unit(&[&[70, 1, 0x50], &[kind << 1, 1, 0x80]]);
        assert_eq!(is_sync(&unit), (16..=21).contains(&kind), "{kind}");
    }
}

#[test]
fn sets_repeated_in_band_change_nothing_and_others_make_a_new_record() {
    let [vps, sps, pps] = hd();
    let config = configured(&hd());
    let idr = [19 << 1, 1, 0x80];
    assert_eq!(
        updated(&config, &access_unit(&[&vps, &sps, &pps, &idr])),
        Ok(None)
    );
    assert_eq!(updated(&config, &access_unit(&[&idr])), Ok(None));
    let other = access_unit(&[&vps, &full_hd(), &pps, &idr]);
    let new = updated(&config, &other).unwrap().unwrap();
    assert_eq!(parameters(new.clone()).unwrap().height, 1080);
    assert_eq!(updated(&new, &other), Ok(None));
}

#[test]
fn records_that_cannot_be_used_are_refused_in_words() {
    let [vps, sps, pps] = hd();
    let whole = configured(&hd());
    let two_byte_lengths = [&whole[..21], &[0x0d], &whole[22..]].concat();
    for config in [&two_byte_lengths[..], &[], &whole[..22], &whole[..60]] {
        let error = parameters(Bytes::copy_from_slice(config)).unwrap_err();
        assert!(error.to_string().contains("the camera's"), "{error}");
    }
    let swapped = configuration([pps.as_slice()], [vps.as_slice()], [sps[..9].as_ref()]);
    assert!(swapped.unwrap_err().to_string().contains("the camera's"));
}

proptest! {
    #[test]
    fn damaged_records_never_panic(flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6), cut in any::<prop::sample::Index>()) {
        let mut config = configured(&hd()).to_vec();
        for (place, value) in flips {
            let place = place.index(config.len());
            config[place] = value;
        }
        config.truncate(cut.index(config.len()) + 1);
        let _ = parameters(Bytes::from(config.clone()));
        let _ = updated(&config, &access_unit(&[&full_hd()]));
    }

    #[test]
    fn any_bytes_can_be_asked_for_sync_and_sets(payload in prop::collection::vec(any::<u8>(), 0..200)) {
        let config = configured(&hd());
        let _ = (is_sync(&payload), updated(&config, &payload), updated(&payload, &payload));
    }
}
