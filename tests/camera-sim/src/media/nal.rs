//! NAL units of H.264 and H.265: taking a byte stream apart and telling the kinds apart. No fields inside are parsed.

use bytes::Bytes;

use super::Codec;

/// Parameter sets of one coded video sequence, each without start code.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ParameterSets {
    /// H.265 only.
    pub(crate) vps: Vec<Bytes>,
    pub(crate) sps: Vec<Bytes>,
    pub(crate) pps: Vec<Bytes>,
}

impl ParameterSets {
    pub(crate) fn is_complete(&self, codec: Codec) -> bool {
        !self.sps.is_empty()
            && !self.pps.is_empty()
            && (codec == Codec::H264 || !self.vps.is_empty())
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Bytes> {
        self.vps.iter().chain(&self.sps).chain(&self.pps)
    }

    /// Keeps `nal` where it is a parameter set.
    pub(crate) fn collect(&mut self, codec: Codec, nal: &Bytes) {
        let list = match Kind::of(codec, nal) {
            Kind::Vps => &mut self.vps,
            Kind::Sps => &mut self.sps,
            Kind::Pps => &mut self.pps,
            _ => return,
        };
        if !list.contains(nal) {
            list.push(nal.clone());
        }
    }
}

/// What a NAL unit is, as far as packetising cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Vps,
    Sps,
    Pps,
    Sei,
    Delimiter,
    /// A slice of a picture from which decoding can begin.
    KeySlice,
    Slice,
    Other,
}

impl Kind {
    pub(crate) fn of(codec: Codec, nal: &[u8]) -> Self {
        let Some(first) = nal.first() else {
            return Self::Other;
        };
        match codec {
            Codec::H264 => Self::of_h264(first & 0x1f),
            Codec::H265 => Self::of_h265(first >> 1 & 0x3f),
        }
    }

    /// ITU-T H.264 table 7-1.
    const fn of_h264(nal_unit_type: u8) -> Self {
        match nal_unit_type {
            1..=4 => Self::Slice,
            5 => Self::KeySlice,
            6 => Self::Sei,
            7 => Self::Sps,
            8 => Self::Pps,
            9 => Self::Delimiter,
            _ => Self::Other,
        }
    }

    /// ITU-T H.265 table 7-1; types 16 to 21 are random access points.
    const fn of_h265(nal_unit_type: u8) -> Self {
        match nal_unit_type {
            0..=15 | 22..=31 => Self::Slice,
            16..=21 => Self::KeySlice,
            32 => Self::Vps,
            33 => Self::Sps,
            34 => Self::Pps,
            35 => Self::Delimiter,
            39 => Self::Sei,
            _ => Self::Other,
        }
    }

    pub(crate) const fn is_parameter_set(self) -> bool {
        matches!(self, Self::Vps | Self::Sps | Self::Pps)
    }
}

/// Header of an SEI NAL unit that stands before the slices.
pub(crate) const fn sei_header(codec: Codec) -> &'static [u8] {
    match codec {
        Codec::H264 => &[6],
        Codec::H265 => &[39 << 1, 1],
    }
}

/// NAL units of a byte stream with start codes (Annex B), without copying.
pub(crate) fn split_annex_b(stream: &Bytes) -> Vec<Bytes> {
    let mut starts = Vec::new();
    let mut at = 0;
    while let Some(found) = stream
        .get(at..)
        .and_then(|rest| rest.windows(3).position(|window| window == [0, 0, 1]))
    {
        starts.push(at + found);
        at += found + 3;
    }
    let ends = starts.iter().skip(1).copied().chain([stream.len()]);
    let units = starts
        .iter()
        .zip(ends)
        .map(|(start, end)| trim_zeros(stream.slice(start + 3..end)));
    units.filter(|nal| !nal.is_empty()).collect()
}

/// NAL units with length prefixes of `length_size` bytes (ISO 14496-15), without copying; stops at the first prefix that points
/// outside.
pub(crate) fn split_length_prefixed(sample: &Bytes, length_size: usize) -> Vec<Bytes> {
    let mut units = Vec::new();
    let mut at = 0;
    while let Some(prefix) = sample.get(at..at + length_size) {
        let length = prefix
            .iter()
            .fold(0usize, |length, byte| length << 8 | usize::from(*byte));
        let start = at + length_size;
        if length == 0 || sample.len() - start < length {
            break;
        }
        units.push(sample.slice(start..start + length));
        at = start + length;
    }
    units
}

/// A NAL unit never ends with a zero byte; those before the next start code belong to the byte stream.
fn trim_zeros(nal: Bytes) -> Bytes {
    let len = nal
        .iter()
        .rposition(|byte| *byte != 0)
        .map_or(0, |last| last + 1);
    nal.slice(..len)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn start_codes_of_three_and_four_bytes_are_cut_away() {
        let stream = Bytes::from_static(&[
            0, 0, 0, 1, 0x67, 1, 2, 0, 0, 1, 0x68, 3, 0, 0, 0, 1, 0x65, 9, 8, 7,
        ]);
        let units = split_annex_b(&stream);
        let expected: [&[u8]; 3] = [&[0x67, 1, 2], &[0x68, 3], &[0x65, 9, 8, 7]];
        assert_eq!(units, expected);
        let kinds: Vec<_> = units.iter().map(|nal| Kind::of(Codec::H264, nal)).collect();
        assert_eq!(kinds, [Kind::Sps, Kind::Pps, Kind::KeySlice]);
    }

    proptest! {
        #[test]
        fn length_prefixes_round_trip(units in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..50), 0..10)) {
            let sample: Vec<u8> = units.iter().flat_map(|nal| [&(nal.len() as u32).to_be_bytes()[..], nal].concat()).collect();
            prop_assert_eq!(split_length_prefixed(&sample.into(), 4), units);
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), size in 1usize..5) {
            let bytes = Bytes::from(bytes);
            split_annex_b(&bytes);
            split_length_prefixed(&bytes, size);
        }
    }
}
