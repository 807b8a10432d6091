//! H.264 (ISO/IEC 14496-10) parameter sets and access units. Parsing is `h264-reader`'s; here is
//! what to conclude from it.

use std::num::NonZeroUsize;

use bytes::Bytes;
use h264_reader::nal::sps::{PicOrderCntType, SeqParameterSet, SpsError};
use h264_reader::rbsp::{BitRead, BitReaderError, Integer, Primitive};
use mp4_atom::{Atom, Avcc, AvccExt};

use super::nal::{self, Sets, bits, units};
use super::{ParameterError, VideoCodec, VideoParameters};

const NAL_HEADER: NonZeroUsize = NonZeroUsize::MIN;

const IDR_SLICE: u8 = 5;
const SPS: u8 = 7;
const PPS: u8 = 8;

/// Assumed where a stream that may reorder does not say by how many pictures: enough for B
/// pictures that are referenced in turn, which is as far as cameras go.
const USUAL_REORDERING: u8 = 2;

/// Reads an `AVCDecoderConfigurationRecord`. Only the first sequence parameter set counts for size
/// and reordering.
///
/// The number of reordered frames is `max_num_reorder_frames` where the stream says it (section
/// E.2.1). Where it does not, it is 0 for streams that cannot reorder (Baseline, intra profiles,
/// picture order count type 2, fewer than two reference frames) and 2 for all others.
///
/// # Errors
/// The record or its first SPS cannot be read, or a picture is larger than 65,535 in one direction.
pub fn parameters(config: Bytes) -> Result<VideoParameters, ParameterError> {
    let record = record(&config)?;
    let sps = record
        .sequence_parameter_sets
        .first()
        .ok_or(ParameterError::Missing("SPS"))?;
    let sps = parse_sps(sps)?;
    let (width, height) = sps
        .pixel_dimensions()
        .map_err(|error| ParameterError::set("SPS", &error))?;
    Ok(VideoParameters {
        codec: VideoCodec::H264,
        rfc6381: format!(
            "avc1.{:02x}{:02x}{:02x}",
            record.avc_profile_indication,
            record.profile_compatibility,
            record.avc_level_indication
        ),
        width: super::dimension(width)?,
        height: super::dimension(height)?,
        reorder_frames: reorder_frames(&sps),
        config,
    })
}

/// Makes an `AVCDecoderConfigurationRecord` from NAL units (without lengths or start codes).
///
/// # Errors
/// The SPS cannot be read, a set is longer than 65,535 bytes, or there are too many.
pub fn configuration<'a>(
    sps: impl IntoIterator<Item = &'a [u8]>,
    pps: impl IntoIterator<Item = &'a [u8]>,
) -> Result<Bytes, ParameterError> {
    let (mut sps_sets, mut pps_sets) = (Sets::default(), Sets::default());
    for unit in sps {
        put(&mut sps_sets, &mut pps_sets, unit)?;
    }
    for unit in pps {
        put(&mut sps_sets, &mut pps_sets, unit)?;
    }
    encode(sps_sets, pps_sets)
}

/// The parameter sets of a configuration record, without lengths: every SPS, then every PPS.
///
/// # Errors
/// The record cannot be read.
pub fn parameter_sets(config: &[u8]) -> Result<Vec<Bytes>, ParameterError> {
    let record = record(config)?;
    let sets = [
        record.sequence_parameter_sets,
        record.picture_parameter_sets,
    ];
    Ok(sets.into_iter().flatten().map(Bytes::from).collect())
}

/// The configuration record to go on with after this access unit: `None` as long as the parameter
/// sets in it, if any, are those of `config`. Anything else means a new run.
///
/// # Errors
/// A parameter set in the access unit, or `config`, cannot be read.
pub fn updated(config: &[u8], payload: &[u8]) -> Result<Option<Bytes>, ParameterError> {
    let is_set = |unit: &&[u8]| matches!(unit_type(unit), SPS | PPS);
    let mut in_band = units(payload)
        .map_while(Result::ok)
        .filter(is_set)
        .peekable();
    if in_band.peek().is_none() {
        return Ok(None);
    }
    let record = record(config)?;
    let (mut sps_sets, mut pps_sets) = (Sets::default(), Sets::default());
    for unit in record
        .sequence_parameter_sets
        .iter()
        .chain(&record.picture_parameter_sets)
    {
        put(&mut sps_sets, &mut pps_sets, unit)?;
    }
    sps_sets.settle();
    pps_sets.settle();
    for unit in in_band {
        put(&mut sps_sets, &mut pps_sets, unit)?;
    }
    if sps_sets.changed() || pps_sets.changed() {
        encode(sps_sets, pps_sets).map(Some)
    } else {
        Ok(None)
    }
}

/// Whether decoding can start at this access unit: it has an IDR slice.
pub fn is_sync(payload: &[u8]) -> bool {
    units(payload)
        .map_while(Result::ok)
        .any(|unit| unit_type(unit) == IDR_SLICE)
}

fn unit_type(unit: &[u8]) -> u8 {
    unit.first().map_or(0, |header| header & 0x1f)
}

fn record(config: &[u8]) -> Result<Avcc, ParameterError> {
    let record = Avcc::decode_body(&mut { config })
        .map_err(|error| ParameterError::record("avcC", &error))?;
    super::check_length_size(record.length_size)?;
    Ok(record)
}

/// Adds a parameter set to the sets of its type.
fn put(sps: &mut Sets, pps: &mut Sets, unit: &[u8]) -> Result<(), ParameterError> {
    match unit_type(unit) {
        SPS => sps.put(u32::from(parse_sps(unit)?.id().id()), unit),
        PPS => {
            let id = bits(unit, NAL_HEADER)
                .read_ue("pic_parameter_set_id")
                .map_err(|error| ParameterError::set("PPS", &error))?;
            pps.put(id, unit);
        }
        _ => return Err(ParameterError::Missing("parameter set")),
    }
    Ok(())
}

fn encode(sps_sets: Sets, pps_sets: Sets) -> Result<Bytes, ParameterError> {
    let first = sps_sets.first().ok_or(ParameterError::Missing("SPS"))?;
    let sps = parse_sps(first)?;
    let chroma = &sps.chroma_info;
    // Section 5.3.3.1.2 of ISO/IEC 14496-15 has these for the profiles that can vary in them.
    let ext = sps.profile_idc.has_chroma_info().then(|| AvccExt {
        chroma_format: chroma.chroma_format.to_u32().try_into().unwrap_or(1),
        bit_depth_luma: chroma.bit_depth_luma_minus8 + 8,
        bit_depth_chroma: chroma.bit_depth_chroma_minus8 + 8,
        sequence_parameter_sets_ext: Vec::new(),
    });
    let record = Avcc {
        configuration_version: 1,
        avc_profile_indication: sps.profile_idc.into(),
        profile_compatibility: sps.constraint_flags.into(),
        avc_level_indication: sps.level_idc,
        length_size: nal::LENGTH_BYTES as u8,
        sequence_parameter_sets: super::at_most(sps_sets.into_units(), 31)?,
        picture_parameter_sets: super::at_most(pps_sets.into_units(), 255)?,
        ext,
    };
    let mut buffer = Vec::new();
    record
        .encode_body(&mut buffer)
        .map_err(|error| ParameterError::record("avcC", &error))?;
    Ok(Bytes::from(buffer))
}

/// Reads an SPS, without its VUI where that is broken: cameras get it wrong, and all that is wanted
/// from it is the number of reordered frames.
fn parse_sps(unit: &[u8]) -> Result<SeqParameterSet, ParameterError> {
    let parse = |vui| {
        SeqParameterSet::from_bits(Tolerant {
            inner: bits(unit, NAL_HEADER),
            vui,
        })
    };
    if unit_type(unit) != SPS {
        return Err(ParameterError::Missing("SPS"));
    }
    parse(true)
        .or_else(|_: SpsError| parse(false))
        .map_err(|error| ParameterError::set("SPS", &error))
}

fn reorder_frames(sps: &SeqParameterSet) -> u8 {
    let restrictions = sps
        .vui_parameters
        .as_ref()
        .and_then(|vui| vui.bitstream_restrictions.as_ref());
    if let Some(restrictions) = restrictions {
        return u8::try_from(restrictions.max_num_reorder_frames).unwrap_or(u8::MAX);
    }
    let profile = u8::from(sps.profile_idc);
    let intra_only = profile == 44
        || (matches!(profile, 86 | 100 | 110 | 122 | 244) && sps.constraint_flags.flag3());
    let cannot_reorder = profile == 66
        || intra_only
        || matches!(sps.pic_order_cnt, PicOrderCntType::TypeTwo)
        || sps.max_num_ref_frames < 2;
    if cannot_reorder { 0 } else { USUAL_REORDERING }
}

/// Reads what stands behind the SPS as nothing, and the VUI as absent if asked to.
struct Tolerant<R> {
    inner: R,
    vui: bool,
}

impl<R: BitRead> BitRead for Tolerant<R> {
    fn read_ue(&mut self, name: &'static str) -> Result<u32, BitReaderError> {
        self.inner.read_ue(name)
    }

    fn read_se(&mut self, name: &'static str) -> Result<i32, BitReaderError> {
        self.inner.read_se(name)
    }

    fn read_bit(&mut self, name: &'static str) -> Result<bool, BitReaderError> {
        let bit = self.inner.read_bit(name)?;
        Ok(bit && (self.vui || name != "vui_parameters_present_flag"))
    }

    fn read<const BITS: u32, I: Integer>(
        &mut self,
        name: &'static str,
    ) -> Result<I, BitReaderError> {
        self.inner.read::<BITS, I>(name)
    }

    fn read_var<I: Integer>(
        &mut self,
        bit_count: u32,
        name: &'static str,
    ) -> Result<I, BitReaderError> {
        self.inner.read_var(bit_count, name)
    }

    fn read_to<V: Primitive>(&mut self, name: &'static str) -> Result<V, BitReaderError> {
        self.inner.read_to(name)
    }

    fn skip(&mut self, bit_count: u32, name: &'static str) -> Result<(), BitReaderError> {
        self.inner.skip(bit_count, name)
    }

    fn byte_aligned(&self) -> bool {
        self.inner.byte_aligned()
    }

    fn has_more_rbsp_data(&mut self, name: &'static str) -> Result<bool, BitReaderError> {
        self.inner.has_more_rbsp_data(name)
    }

    fn finish_rbsp(self) -> Result<(), BitReaderError> {
        Ok(())
    }

    fn finish_sei_payload(self) -> Result<(), BitReaderError> {
        self.inner.finish_sei_payload()
    }
}

#[cfg(test)]
mod tests {
    use data_encoding::HEXLOWER_PERMISSIVE;
    use h264_reader::nal::{NalHeader, WritableNal};
    use proptest::prelude::*;

    use super::*;
    use crate::testing;

    fn hex(text: &str) -> Vec<u8> {
        HEXLOWER_PERMISSIVE.decode(text.as_bytes()).unwrap()
    }

    /// 1920x1080 (1088 less cropping), High 4.0, not reordered, made by x264.
    fn full_hd() -> Vec<u8> {
        hex("67640028acb200f0044fcb80880000030008000003019078c19240")
    }

    /// The same SPS, changed and written again.
    fn changed(change: impl FnOnce(&mut SeqParameterSet)) -> Vec<u8> {
        let mut sps = parse_sps(&full_hd()).unwrap();
        change(&mut sps);
        sps.to_vec_with_header(NalHeader::new(0x67).unwrap())
    }

    fn parameters_of(sps: &[u8]) -> VideoParameters {
        parameters(configuration([sps], [testing::PPS]).unwrap()).unwrap()
    }

    fn access_unit(units: &[&[u8]]) -> Vec<u8> {
        let behind_length = |unit: &&[u8]| [&(unit.len() as u32).to_be_bytes(), *unit].concat();
        units.iter().flat_map(behind_length).collect()
    }

    #[test]
    fn records_of_cameras_and_encoders() {
        let cases = [
            // Baseline, 704x576.
            (
                "0142c01effe100176742c01ed900b0126c0440000003004000000c83c58b9201000568cb83cb20",
                "avc1.42c01e",
                704,
                576,
                0,
            ),
            // High, 1280x720, two B pictures in a pyramid.
            (
                "0164001fffe1001a6764001facd9405005bb011000000300100000030320f183196001000668eae3cb22c0fdf8f800",
                "avc1.64001f",
                1280,
                720,
                2,
            ),
            // High 4:2:2, 1920x1080 out of 1088 lines.
            (
                "017a0028ffe1001a677a0028b6cb200f0044fc4e0220000003002000000641e3064901000668ebc3cb22c0fefafa00",
                "avc1.7a0028",
                1920,
                1080,
                0,
            ),
        ];
        for (record, codec, width, height, reorder) in cases {
            let config = Bytes::from(hex(record));
            let video = parameters(config.clone()).unwrap();
            assert_eq!(video.rfc6381, codec);
            assert_eq!(
                (video.width, video.height, video.reorder_frames),
                (width, height, reorder)
            );
            assert_eq!(video.config, config);
        }
    }

    #[test]
    fn a_record_made_from_sets_is_the_one_the_encoder_made() {
        let made = configuration([full_hd().as_slice()], [hex("68ebc3cb22c0").as_slice()]).unwrap();
        let encoder = "01640028ffe1001b67640028acb200f0044fcb80880000030008000003019078c1924001000668ebc3cb22c0fdf8f800";
        assert_eq!(made, hex(encoder));
    }

    #[test]
    fn what_a_stream_does_not_say_of_reordering_is_concluded_from_what_it_can() {
        let silent = |sps: &mut SeqParameterSet| {
            sps.vui_parameters = None;
            sps.max_num_ref_frames = 4;
            sps.pic_order_cnt = PicOrderCntType::TypeZero {
                log2_max_pic_order_cnt_lsb_minus4: 0,
            };
        };
        let reorder = |change: fn(&mut SeqParameterSet)| {
            parameters_of(&changed(|sps| {
                silent(sps);
                change(sps);
            }))
            .reorder_frames
        };
        assert_eq!(reorder(|_| {}), 2);
        assert_eq!(reorder(|sps| sps.max_num_ref_frames = 1), 0);
        assert_eq!(
            reorder(|sps| sps.pic_order_cnt = PicOrderCntType::TypeTwo),
            0
        );
        assert_eq!(reorder(|sps| sps.profile_idc = 66.into()), 0);
        assert_eq!(reorder(|sps| sps.constraint_flags = 0x10.into()), 0);
        assert_eq!(reorder(|sps| sps.profile_idc = 77.into()), 2);
    }

    #[test]
    fn a_broken_vui_and_trailing_bytes_do_not_cost_the_picture() {
        let whole = full_hd();
        let broken = changed(|sps| {
            let vui = sps.vui_parameters.as_mut().unwrap();
            // Fewer frames in the buffer than are referenced, as some cameras claim.
            vui.bitstream_restrictions
                .as_mut()
                .unwrap()
                .max_dec_frame_buffering = 0;
            sps.max_num_ref_frames = 4;
        });
        let padded = [whole.as_slice(), &[0, 0, 0xff]].concat();
        let cut = &whole[..15];
        for sps in [broken.as_slice(), &padded, cut] {
            let video = parameters_of(sps);
            assert_eq!((video.width, video.height), (1920, 1080));
        }
    }

    #[test]
    fn sync_samples_are_those_with_an_idr_slice() {
        let gop = testing::gop(crate::time::Ticks90k::ZERO);
        let syncs: Vec<_> = gop.iter().map(|sample| is_sync(&sample.payload)).collect();
        assert_eq!(syncs, [vec![true], vec![false; 9]].concat());
        assert!(!is_sync(&[]));
        assert!(!is_sync(&[0, 0, 0, 9, 0x65]), "the unit is cut off");
    }

    #[test]
    fn sets_repeated_in_band_change_nothing_and_others_make_a_new_record() {
        let config = testing::parameters().video.config;
        let idr = [0x65, 0x88];
        let same = access_unit(&[testing::SPS, testing::PPS, &idr]);
        assert_eq!(updated(&config, &same), Ok(None));
        assert_eq!(updated(&config, &access_unit(&[&idr])), Ok(None));

        let larger = access_unit(&[&full_hd(), testing::PPS, &idr]);
        let new = updated(&config, &larger).unwrap().unwrap();
        assert_eq!(parameters(new.clone()).unwrap().width, 1920);
        assert_eq!(updated(&new, &larger), Ok(None));

        // A second PPS, with id 1, stands beside the first.
        let second = [0x68, 0x4f, 0x03, 0x92, 0xc8];
        let new = updated(&config, &access_unit(&[&second, &idr]))
            .unwrap()
            .unwrap();
        assert_eq!(record(&new).unwrap().picture_parameter_sets.len(), 2);
        assert!(updated(&config, &access_unit(&[&[0x67, 0xff]])).is_err());
    }

    #[test]
    fn records_that_cannot_be_used_are_refused_in_words() {
        let whole = testing::parameters().video.config;
        let two_byte_lengths = [&whole[..4], &[0xfd], &whole[5..]].concat();
        let no_sps = hex("0142c01effe000");
        let empty_sps = hex("0142c01effe1000000");
        let not_an_sps = hex("0142c01effe1000168");
        for config in [
            &two_byte_lengths[..],
            &no_sps,
            &empty_sps,
            &not_an_sps,
            &[],
            &whole[..9],
        ] {
            let error = parameters(Bytes::copy_from_slice(config)).unwrap_err();
            assert!(error.to_string().contains("the camera's"), "{error}");
        }
    }

    proptest! {
        #[test]
        fn damaged_records_never_panic(flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6), cut in any::<prop::sample::Index>()) {
            let mut config = testing::parameters().video.config.to_vec();
            for (place, value) in flips {
                let place = place.index(config.len());
                config[place] = value;
            }
            config.truncate(cut.index(config.len()) + 1);
            let _ = parameters(Bytes::from(config.clone()));
            let _ = updated(&config, &access_unit(&[testing::SPS]));
        }

        #[test]
        fn any_bytes_can_be_asked_for_sync_and_sets(payload in prop::collection::vec(any::<u8>(), 0..200)) {
            let config = testing::parameters().video.config;
            let _ = (is_sync(&payload), updated(&config, &payload), updated(&payload, &payload));
        }
    }
}
