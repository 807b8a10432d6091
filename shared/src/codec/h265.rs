//! H.265 (ISO/IEC 23008-2) parameter sets and access units.
//!
//! Of the SPS only its beginning is read, up to the number of reordered pictures, with the bit
//! reader of `h264-reader` (the two standards share it). The crates that parse it whole either hide
//! the fields needed here or refuse and even panic on what lies behind them, where cameras are at
//! their most inventive.

use std::num::NonZeroUsize;

use bytes::Bytes;
use h264_reader::rbsp::{BitRead, BitReaderError};
use mp4_atom::{Atom, HvcCArray, Hvcc};

use super::nal::{self, Sets, bits, units};
use super::{ParameterError, VideoCodec, VideoParameters};

const NAL_HEADER: NonZeroUsize = NonZeroUsize::MIN.saturating_add(1);

const VPS: u8 = 32;
const SPS: u8 = 33;
const PPS: u8 = 34;

/// Reads an `HEVCDecoderConfigurationRecord`. Only the first SPS counts for size and reordering.
///
/// # Errors
/// The record or its first SPS cannot be read, or a picture is larger than 65,535 in one direction.
pub fn parameters(config: Bytes) -> Result<VideoParameters, ParameterError> {
    let record = record(&config)?;
    let sps = Sps::parse(unit_of(&record, SPS)?)?;
    let (width, height) = sps.cropped()?;
    Ok(VideoParameters {
        codec: VideoCodec::H265,
        rfc6381: rfc6381(&record),
        width,
        height,
        reorder_frames: sps.reorder_pictures,
        config,
    })
}

/// Makes an `HEVCDecoderConfigurationRecord` from NAL units (without lengths or start codes).
///
/// # Errors
/// The SPS cannot be read, or a set is longer than 65,535 bytes.
pub fn configuration<'a>(
    vps: impl IntoIterator<Item = &'a [u8]>,
    sps: impl IntoIterator<Item = &'a [u8]>,
    pps: impl IntoIterator<Item = &'a [u8]>,
) -> Result<Bytes, ParameterError> {
    let mut sets = ParameterSets::default();
    for unit in vps.into_iter().chain(sps).chain(pps) {
        sets.put(unit)?;
    }
    sets.encode()
}

/// The configuration record to go on with after this access unit: `None` as long as the parameter
/// sets in it, if any, are those of `config`. Anything else means a new run.
///
/// # Errors
/// A parameter set in the access unit, or `config`, cannot be read.
pub fn updated(config: &[u8], payload: &[u8]) -> Result<Option<Bytes>, ParameterError> {
    let is_set = |unit: &&[u8]| matches!(unit_type(unit), VPS..=PPS);
    let mut in_band = units(payload)
        .map_while(Result::ok)
        .filter(is_set)
        .peekable();
    if in_band.peek().is_none() {
        return Ok(None);
    }
    let mut sets = ParameterSets::default();
    for array in &record(config)?.arrays {
        for unit in array.nalus.iter().filter(|unit| is_set(&unit.as_slice())) {
            sets.put(unit)?;
        }
    }
    sets.settle();
    for unit in in_band {
        sets.put(unit)?;
    }
    sets.changed().then(|| sets.encode()).transpose()
}

/// Whether decoding can start at this access unit: it has a slice of an IRAP picture (types 16 to
/// 21: BLA, IDR and CRA; section 7.4.2.2).
pub fn is_sync(payload: &[u8]) -> bool {
    units(payload)
        .map_while(Result::ok)
        .any(|unit| matches!(unit_type(unit), 16..=21))
}

fn unit_type(unit: &[u8]) -> u8 {
    unit.first().map_or(0, |header| (header >> 1) & 0x3f)
}

fn record(config: &[u8]) -> Result<Hvcc, ParameterError> {
    let record = Hvcc::decode_body(&mut { config })
        .map_err(|error| ParameterError::record("hvcC", &error))?;
    super::check_length_size(record.length_size_minus_one + 1)?;
    Ok(record)
}

fn unit_of(record: &Hvcc, kind: u8) -> Result<&[u8], ParameterError> {
    record
        .arrays
        .iter()
        .flat_map(|array| &array.nalus)
        .find(|unit| unit_type(unit) == kind)
        .map(Vec::as_slice)
        .ok_or(ParameterError::Missing("SPS"))
}

/// ISO/IEC 14496-15 section E.3.
fn rfc6381(record: &Hvcc) -> String {
    let space = ["", "A", "B", "C"][usize::from(record.general_profile_space & 3)];
    let compatibility =
        u32::from_be_bytes(record.general_profile_compatibility_flags).reverse_bits();
    let tier = if record.general_tier_flag { 'H' } else { 'L' };
    let constraints = record.general_constraint_indicator_flags;
    let used = constraints.iter().rposition(|byte| *byte != 0).unwrap_or(0);
    let constraints: String = constraints
        .iter()
        .take(used + 1)
        .map(|byte| format!(".{byte:X}"))
        .collect();
    format!(
        "hvc1.{space}{}.{compatibility:X}.{tier}{}{constraints}",
        record.general_profile_idc, record.general_level_idc
    )
}

#[derive(Debug, Default)]
struct ParameterSets {
    vps: Sets,
    sps: Sets,
    pps: Sets,
}

impl ParameterSets {
    fn put(&mut self, unit: &[u8]) -> Result<(), ParameterError> {
        let id = |bits: u32, name| -> Result<u32, ParameterError> {
            let mut reader = nal::bits(unit, NAL_HEADER);
            let id = match bits {
                0 => reader.read_ue("id"),
                bits => reader.read_var(bits, "id"),
            };
            id.map_err(|error| ParameterError::set(name, &error))
        };
        match unit_type(unit) {
            VPS => self.vps.put(id(4, "VPS")?, unit),
            SPS => self.sps.put(Sps::parse(unit)?.id, unit),
            PPS => self.pps.put(id(0, "PPS")?, unit),
            _ => return Err(ParameterError::Missing("parameter set")),
        }
        Ok(())
    }

    fn settle(&mut self) {
        self.vps.settle();
        self.sps.settle();
        self.pps.settle();
    }

    fn changed(&self) -> bool {
        self.vps.changed() || self.sps.changed() || self.pps.changed()
    }

    fn encode(self) -> Result<Bytes, ParameterError> {
        let sps = Sps::parse(self.sps.first().ok_or(ParameterError::Missing("SPS"))?)?;
        let array = |nal_unit_type, sets: Sets| {
            Ok(HvcCArray {
                // `hvc1` wants all sets here (ISO/IEC 14496-15 section 8.4.1.1).
                completeness: true,
                nal_unit_type,
                nalus: super::at_most(sets.into_units(), usize::from(u16::MAX))?,
            })
        };
        let record = Hvcc {
            arrays: vec![
                array(VPS, self.vps)?,
                array(SPS, self.sps)?,
                array(PPS, self.pps)?,
            ],
            ..sps.record()
        };
        let mut buffer = Vec::new();
        record
            .encode_body(&mut buffer)
            .map_err(|error| ParameterError::record("hvcC", &error))?;
        Ok(Bytes::from(buffer))
    }
}

/// The beginning of a sequence parameter set (section 7.3.2.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sps {
    max_sub_layers: u8,
    temporal_id_nesting: bool,
    profile: [u8; 12],
    id: u32,
    chroma_format: u8,
    width: u32,
    height: u32,
    /// Left, right, top, bottom; in chroma samples.
    conformance_window: [u32; 4],
    bit_depth_luma_minus8: u8,
    bit_depth_chroma_minus8: u8,
    reorder_pictures: u8,
}

impl Sps {
    fn parse(unit: &[u8]) -> Result<Self, ParameterError> {
        if unit_type(unit) != SPS {
            return Err(ParameterError::Missing("SPS"));
        }
        Self::read(&mut bits(unit, NAL_HEADER)).map_err(|error| ParameterError::set("SPS", &error))
    }

    fn read(bits: &mut impl BitRead) -> Result<Self, BitReaderError> {
        bits.skip(4, "sps_video_parameter_set_id")?;
        let max_sub_layers = bits.read::<3, u8>("sps_max_sub_layers_minus1")? + 1;
        let temporal_id_nesting = bits.read_bit("sps_temporal_id_nesting_flag")?;
        let profile = read_profile(bits, max_sub_layers)?;
        let id = bits.read_ue("sps_seq_parameter_set_id")?;
        let chroma_format = small(bits, "chroma_format_idc", 3)?;
        if chroma_format == 3 {
            bits.skip(1, "separate_colour_plane_flag")?;
        }
        let width = bits.read_ue("pic_width_in_luma_samples")?;
        let height = bits.read_ue("pic_height_in_luma_samples")?;
        let mut conformance_window = [0; 4];
        if bits.read_bit("conformance_window_flag")? {
            for offset in &mut conformance_window {
                *offset = bits.read_ue("conf_win_offset")?;
            }
        }
        let bit_depth_luma_minus8 = small(bits, "bit_depth_luma_minus8", 8)?;
        let bit_depth_chroma_minus8 = small(bits, "bit_depth_chroma_minus8", 8)?;
        bits.read_ue("log2_max_pic_order_cnt_lsb_minus4")?;
        let all_layers = bits.read_bit("sps_sub_layer_ordering_info_present_flag")?;
        let mut reorder_pictures = 0;
        for _ in 0..if all_layers { max_sub_layers } else { 1 } {
            bits.read_ue("sps_max_dec_pic_buffering_minus1")?;
            // That of the highest layer counts, which is the last one told.
            reorder_pictures = small(bits, "sps_max_num_reorder_pics", 16)?;
            bits.read_ue("sps_max_latency_increase_plus1")?;
        }
        Ok(Self {
            max_sub_layers,
            temporal_id_nesting,
            profile,
            id,
            chroma_format,
            width,
            height,
            conformance_window,
            bit_depth_luma_minus8,
            bit_depth_chroma_minus8,
            reorder_pictures,
        })
    }

    /// Width and height less the conformance window (section 7.4.3.2.1).
    fn cropped(&self) -> Result<(u16, u16), ParameterError> {
        let [left, right, top, bottom] = self.conformance_window.map(u64::from);
        let horizontal = if matches!(self.chroma_format, 1 | 2) {
            2
        } else {
            1
        };
        let vertical = if self.chroma_format == 1 { 2 } else { 1 };
        let width = u64::from(self.width).saturating_sub((left + right) * horizontal);
        let height = u64::from(self.height).saturating_sub((top + bottom) * vertical);
        let narrow = |length| super::dimension(u32::try_from(length).unwrap_or(u32::MAX));
        Ok((narrow(width)?, narrow(height)?))
    }

    /// The record's fields other than its arrays (ISO/IEC 14496-15 section 8.3.3.1.2).
    fn record(&self) -> Hvcc {
        let [head, c0, c1, c2, c3, i0, i1, i2, i3, i4, i5, level] = self.profile;
        Hvcc {
            general_profile_space: head >> 6,
            general_tier_flag: head & 0x20 != 0,
            general_profile_idc: head & 0x1f,
            general_profile_compatibility_flags: [c0, c1, c2, c3],
            general_constraint_indicator_flags: [i0, i1, i2, i3, i4, i5],
            general_level_idc: level,
            chroma_format_idc: self.chroma_format,
            bit_depth_luma_minus8: self.bit_depth_luma_minus8,
            bit_depth_chroma_minus8: self.bit_depth_chroma_minus8,
            num_temporal_layers: self.max_sub_layers,
            temporal_id_nested: self.temporal_id_nesting,
            length_size_minus_one: nal::LENGTH_BYTES as u8 - 1,
            ..Hvcc::new()
        }
    }
}

/// The general part of `profile_tier_level` (section 7.3.3), its twelve bytes as they stand; those
/// of sub-layers are skipped.
fn read_profile(bits: &mut impl BitRead, max_sub_layers: u8) -> Result<[u8; 12], BitReaderError> {
    const SUB_LAYER_PROFILE_BITS: u32 = 88;
    const SUB_LAYER_LEVEL_BITS: u32 = 8;
    let mut profile = [0; 12];
    for byte in &mut profile {
        *byte = bits.read::<8, u8>("profile_tier_level")?;
    }
    if max_sub_layers > 1 {
        let mut skipped = 0;
        for layer in 1..=8 {
            let profile_present = bits.read_bit("sub_layer_profile_present_flag")?;
            let level_present = bits.read_bit("sub_layer_level_present_flag")?;
            if layer < max_sub_layers {
                skipped += SUB_LAYER_PROFILE_BITS * u32::from(profile_present);
                skipped += SUB_LAYER_LEVEL_BITS * u32::from(level_present);
            }
        }
        bits.skip(skipped, "sub_layer_profile_tier_level")?;
    }
    Ok(profile)
}

/// A value that the standard limits to `most`.
fn small(bits: &mut impl BitRead, name: &'static str, most: u8) -> Result<u8, BitReaderError> {
    let value = bits.read_ue(name)?;
    u8::try_from(value)
        .ok()
        .filter(|value| *value <= most)
        .ok_or(BitReaderError::ExpGolombTooLarge(name))
}

#[cfg(test)]
mod tests;
