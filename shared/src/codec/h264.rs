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
