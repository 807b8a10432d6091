//! AAC: the `AudioSpecificConfig` (ISO/IEC 14496-3 section 1.6.2.1).

use bitstream_io::{BigEndian, BitRead, BitReader};
use bytes::Bytes;

use super::{AudioCodec, AudioParameters, ParameterError};

/// Table 1.18 of the standard, in Hz.
const SAMPLE_RATES: [u32; 13] = [
    96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000,
    7_350,
];

/// Reads an `AudioSpecificConfig`. The sample rate is that of the core, which is half of what is
/// heard where spectral band replication (`mp4a.40.5`, `mp4a.40.29`) is signalled.
///
/// # Errors
/// It is too short, has a reserved sample rate, or its channels are described within the sound.
pub fn parameters(config: Bytes) -> Result<AudioParameters, ParameterError> {
    let (object_type, sample_rate, channels) =
        parse(&config).map_err(|error| ParameterError::set("AudioSpecificConfig", &error))?;
    Ok(AudioParameters {
        codec: AudioCodec::Aac,
        rfc6381: format!("mp4a.40.{object_type}"),
        sample_rate: sample_rate
            .filter(|rate| *rate > 0)
            .ok_or(ParameterError::Unsupported("AAC sample rate"))?,
        channels: channel_count(channels)
            .ok_or(ParameterError::Unsupported("AAC channel configuration"))?,
        config,
    })
}

/// Object type, sample rate (`None` when reserved) and channel configuration.
fn parse(config: &[u8]) -> std::io::Result<(u8, Option<u32>, u8)> {
    const ESCAPE: u8 = 31;
    const EXPLICIT_RATE: u8 = 15;
    let mut bits = BitReader::endian(config, BigEndian);
    let mut object_type = bits.read::<5, u8>()?;
    if object_type == ESCAPE {
        object_type = 32 + bits.read::<6, u8>()?;
    }
    let index = bits.read::<4, u8>()?;
    let sample_rate = match index {
        EXPLICIT_RATE => Some(bits.read::<24, u32>()?),
        index => SAMPLE_RATES.get(usize::from(index)).copied(),
    };
    let channels = bits.read::<4, u8>()?;
    Ok((object_type, sample_rate, channels))
}

/// Table 1.19 of the standard; `None` for 0, where a program config element tells.
const fn channel_count(configuration: u8) -> Option<u8> {
    match configuration {
        1..=6 => Some(configuration),
        7 | 12 | 14 => Some(8),
        11 => Some(7),
        13 => Some(24),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cameras_send() {
        let cases: [(&[u8], _, _, _); 5] = [
            (&[0x14, 0x08], "mp4a.40.2", 16_000, 1),
            (&[0x12, 0x10], "mp4a.40.2", 44_100, 2),
            (&[0x15, 0x88], "mp4a.40.2", 8_000, 1),
            // Explicit spectral band replication, 24 kHz core.
            (&[0x2b, 0x11, 0x88, 0x00], "mp4a.40.5", 24_000, 2),
            // A sample rate written out: 16,384 Hz.
            (&[0x17, 0x80, 0x20, 0x00, 0x08], "mp4a.40.2", 16_384, 1),
        ];
        for (config, codec, rate, channels) in cases {
            let parsed = parameters(Bytes::from_static(config)).unwrap();
            assert_eq!(parsed.rfc6381, codec);
            assert_eq!((parsed.sample_rate, parsed.channels), (rate, channels));
        }
    }

    #[test]
    fn damaged_configurations_are_refused_in_words() {
        for config in [
            &[][..],
            &[0x14],
            &[0x16, 0x88],
            &[0x14, 0x00],
            &[0x17, 0x80, 0, 0, 8],
        ] {
            let error = parameters(Bytes::copy_from_slice(config)).unwrap_err();
            assert!(error.to_string().contains("A"), "{error}");
        }
    }
}
