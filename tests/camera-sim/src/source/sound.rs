//! Sound: a cycle of encoded audio frames replayed with running timestamps, so that no loop ever shows in them.

use bytes::Bytes;

use crate::encode::{self, EncodeError};
use crate::media::{Audio, AudioDescription, Payload, Track, Unit};
use crate::rtp;

/// Encoded audio that repeats.
#[derive(Debug)]
pub(crate) struct Sound {
    pub(crate) description: AudioDescription,
    frames: Vec<Payload>,
    samples_per_frame: u32,
    /// After so many samples it begins again.
    period_samples: u64,
}

const AAC_RATE: u32 = 16_000;
pub(crate) const AAC_FRAME: u32 = 1024;
/// 125 frames of 1024 samples are exactly eight seconds at 16 kHz.
const AAC_CYCLE_FRAMES: usize = 125;
const G711_RATE: u32 = 8_000;
/// 40 ms.
const G711_FRAME: u32 = 320;

impl Sound {
    /// Frames with what an SDP says about them; `None` where there is nothing that could be sent.
    pub(crate) fn new(
        description: AudioDescription,
        frames: &[Bytes],
        samples_per_frame: u32,
        period_samples: u64,
    ) -> Option<Self> {
        let frames: Vec<_> = frames
            .iter()
            .filter_map(|frame| rtp::audio::packetise(description.audio, frame))
            .collect();
        let usable = !frames.is_empty()
            && period_samples > 0
            && samples_per_frame > 0
            && description.rate > 0;
        usable.then_some(Self {
            description,
            frames,
            samples_per_frame,
            period_samples,
        })
    }

    /// The simulator's own sound: a beep at each full second over a quiet hum.
    pub(crate) fn tone(audio: Audio) -> Result<Option<Self>, EncodeError> {
        match audio {
            Audio::None => Ok(None),
            Audio::Aac => aac_tone(),
            Audio::Pcma => Ok(g711_tone(audio, linear_to_a_law)),
            Audio::Pcmu => Ok(g711_tone(audio, linear_to_mu_law)),
        }
    }

    /// Number of the first frame that ends after the given time since the beginning.
    pub(crate) fn first_after(&self, elapsed_us: i64) -> u64 {
        let samples = u128::from(elapsed_us.max(0).cast_unsigned())
            * u128::from(self.description.rate)
            / 1_000_000;
        samples as u64 / u64::from(self.samples_per_frame)
    }

    /// Microseconds from the beginning to the end of frame `number`, when a camera has captured all of it.
    pub(crate) fn end_us(&self, number: u64) -> i64 {
        self.offset_us(number + 1)
    }

    /// Frame `number` as captured by a clock that began at `start_us`.
    pub(crate) fn unit(&self, number: u64, start_us: i64) -> Unit {
        let ticks = number * u64::from(self.samples_per_frame);
        let place = ticks % self.period_samples / u64::from(self.samples_per_frame);
        let payload = self.frames.get(place as usize % self.frames.len()).cloned();
        Unit {
            track: Track::Audio,
            key: true,
            ticks,
            wall_us: start_us + self.offset_us(number),
            head: payload.into_iter().collect(),
            body: [].into(),
        }
    }

    fn offset_us(&self, number: u64) -> i64 {
        let samples = u128::from(number) * u128::from(self.samples_per_frame);
        (samples * 1_000_000 / u128::from(self.description.rate)) as i64
    }
}

fn aac_tone() -> Result<Option<Sound>, EncodeError> {
    let cycle = AAC_CYCLE_FRAMES * AAC_FRAME as usize;
    // Two cycles and a little: the second one is taken, when the encoder has settled and the end leads to the beginning.
    let samples: Vec<f32> = (0..2 * cycle + 4 * AAC_FRAME as usize)
        .map(|index| tone_at(index, AAC_RATE))
        .collect();
    let frames = encode::encode_aac(&samples, AAC_RATE)?;
    let settled: Vec<_> = frames
        .into_iter()
        .skip(AAC_CYCLE_FRAMES)
        .take(AAC_CYCLE_FRAMES)
        .collect();
    let description = AudioDescription {
        audio: Audio::Aac,
        rate: AAC_RATE,
        channels: 1,
        config: aac_config(8, 1),
    };
    Ok(Sound::new(description, &settled, AAC_FRAME, cycle as u64))
}

/// AudioSpecificConfig of AAC-LC (ISO 14496-3 section 1.6.2.1): object type 2, frequency index, channels.
pub(crate) fn aac_config(frequency_index: u8, channels: u8) -> Vec<u8> {
    let bits = 2u16 << 11 | u16::from(frequency_index & 0xf) << 7 | u16::from(channels & 0xf) << 3;
    bits.to_be_bytes().to_vec()
}

fn g711_tone(audio: Audio, encode: fn(i16) -> u8) -> Option<Sound> {
    let frame = |number: usize| -> Bytes {
        let first = number * G711_FRAME as usize;
        (first..first + G711_FRAME as usize)
            .map(|index| encode((tone_at(index, G711_RATE) * 32_000.0) as i16))
            .collect()
    };
    let frames: Vec<Bytes> = (0..(G711_RATE / G711_FRAME) as usize).map(frame).collect();
    let description = AudioDescription {
        audio,
        rate: G711_RATE,
        channels: 1,
        config: Vec::new(),
    };
    Sound::new(description, &frames, G711_FRAME, G711_RATE.into())
}

/// 1 kHz for the first tenth of every second, a quiet 220 Hz otherwise.
fn tone_at(index: usize, rate: u32) -> f32 {
    let place = (index % rate as usize) as f32 / rate as f32;
    let (frequency, amplitude) = if place < 0.1 {
        (1000.0, 0.5)
    } else {
        (220.0, 0.05)
    };
    (place * frequency * std::f32::consts::TAU).sin() * amplitude
}

/// ITU-T G.711 µ-law.
fn linear_to_mu_law(sample: i16) -> u8 {
    const BIAS: i32 = 0x84;
    const CLIP: i32 = 32_635;
    let sign = if sample < 0 { 0x80 } else { 0 };
    let magnitude = i32::from(sample).abs().min(CLIP) + BIAS;
    let exponent = magnitude.ilog2().saturating_sub(7);
    let mantissa = magnitude >> (exponent + 3) & 0x0f;
    !(sign | (exponent as u8) << 4 | mantissa as u8)
}

/// ITU-T G.711 A-law.
fn linear_to_a_law(sample: i16) -> u8 {
    let (sign, magnitude) = if sample < 0 {
        (0, -i32::from(sample) - 1)
    } else {
        (0x80, i32::from(sample))
    };
    let code = match magnitude.checked_ilog2() {
        Some(top @ 8..) => (top - 7) << 4 | (magnitude >> (top - 4) & 0x0f).cast_unsigned(),
        _ => (magnitude >> 4).cast_unsigned(),
    };
    (sign | code as u8) ^ 0x55
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn g711_matches_the_tables_of_the_standard() {
        for (sample, code) in [
            (0, 0xff),
            (8, 0xfe),
            (32_635, 0x80),
            (-32_635, 0x00),
            (-8, 0x7e),
        ] {
            assert_eq!(linear_to_mu_law(sample), code, "µ-law of {sample}");
        }
        for (sample, code) in [
            (0, 0xd5),
            (16, 0xd4),
            (32_767, 0xaa),
            (-32_768, 0x2a),
            (-1, 0x55),
            (256, 0xc5),
        ] {
            assert_eq!(linear_to_a_law(sample), code, "A-law of {sample}");
        }
    }

    #[test]
    fn timestamps_run_on_across_the_cycle() {
        let sound = Sound::tone(Audio::Aac)
            .expect("ffmpeg has an AAC encoder")
            .expect("a tone");
        assert_eq!(sound.frames.len(), AAC_CYCLE_FRAMES);
        let units: Vec<_> = (124..127)
            .map(|number| sound.unit(number, 1_000_000))
            .collect();
        assert_eq!(
            units.iter().map(|unit| unit.ticks).collect::<Vec<_>>(),
            [126_976, 128_000, 129_024]
        );
        assert_eq!(units[1].wall_us, 9_000_000);
        assert_eq!(units[1].head[0].bytes, sound.unit(0, 0).head[0].bytes);
        assert_eq!(sound.first_after(8_000_000), 125);
        assert_eq!(sound.end_us(124), 8_000_000);
    }
}
