//! What a frame says about itself, twice: as blocks in the picture (survives decoding and re-encoding) and as an SEI
//! message in the bitstream (readable without decoding).
//!
//! The blocks form a strip of 40 × 3 in the top left corner, most significant bit first, white is 1:
//! 8 bits of [`SYNC`], camera number (16), frame number (32), wall time in milliseconds since 1970 (48), CRC-16/XMODEM of
//! the 96 bits before it. Blocks are 8 luma pixels wide and high, more in large pictures ([`block_size`]).
//!
//! A loop's picture shows the number and time of the frame *within the loop*, because its pictures are encoded once; the SEI always
//! carries the running frame number and the true capture time.
//!
//! No codec library here: tests of any part can use this module.

use crc::{CRC_16_XMODEM, Crc};

/// Blocks per row of the strip.
pub const COLUMNS: usize = 40;
/// Rows of the strip.
pub const ROWS: usize = 3;
/// Narrowest picture that can carry the strip, in pixels.
pub const MIN_WIDTH: usize = COLUMNS * 8;
/// Pattern of the first eight blocks; from it the reader learns how bright black and white are.
pub const SYNC: u8 = 0b1011_0010;

const BLACK: u8 = 16;
const WHITE: u8 = 235;
const CRC: Crc<u16> = Crc::<u16>::new(&CRC_16_XMODEM);
/// Black and white of a readable strip are at least this far apart.
const MIN_CONTRAST: u32 = 40;

/// Identity of a frame as written in its picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Stamp {
    /// Number of the camera, from 1; 0 where several cameras share one encoded loop.
    pub camera: u16,
    /// Number of the frame since the camera's clock began, or within the loop.
    pub frame: u32,
    /// Capture time in milliseconds since 1970 UTC; only the lower 48 bits are kept.
    pub wall_ms: u64,
}

impl Stamp {
    fn to_bytes(self) -> [u8; 15] {
        let mut bytes = [0; 15];
        bytes[0] = SYNC;
        bytes[1..3].copy_from_slice(&self.camera.to_be_bytes());
        bytes[3..7].copy_from_slice(&self.frame.to_be_bytes());
        bytes[7..13].copy_from_slice(&self.wall_ms.to_be_bytes()[2..]);
        let crc = CRC.checksum(&bytes[1..13]);
        bytes[13..].copy_from_slice(&crc.to_be_bytes());
        bytes
    }

    fn from_bytes(bytes: [u8; 15]) -> Option<Self> {
        let [sync, c0, c1, f0, f1, f2, f3, w0, w1, w2, w3, w4, w5, k0, k1] = bytes;
        if sync != SYNC || CRC.checksum(&bytes[1..13]) != u16::from_be_bytes([k0, k1]) {
            return None;
        }
        Some(Self {
            camera: u16::from_be_bytes([c0, c1]),
            frame: u32::from_be_bytes([f0, f1, f2, f3]),
            wall_ms: u64::from_be_bytes([0, 0, w0, w1, w2, w3, w4, w5]),
        })
    }
}

/// Edge length of a block in pixels, a multiple of 8: 8 below 960 pixels of width, 16 below 1600, 24 below 2240 and so on.
pub const fn block_size(width: usize) -> usize {
    let eighths = (width + 320) / 640;
    8 * if eighths == 0 { 1 } else { eighths }
}

/// Writes `stamp` into the luma plane. Returns false, and leaves the plane alone, where the picture is too small.
pub fn draw(luma: &mut [u8], stride: usize, width: usize, height: usize, stamp: Stamp) -> bool {
    let block = block_size(width);
    if !fits(luma.len(), stride, width, height, block) {
        return false;
    }
    let bytes = stamp.to_bytes();
    for row in 0..ROWS {
        let mut pixels = [0; COLUMNS];
        for (column, pixel) in pixels.iter_mut().enumerate() {
            *pixel = if bit(&bytes, row * COLUMNS + column) {
                WHITE
            } else {
                BLACK
            };
        }
        for line in luma.chunks_mut(stride).skip(row * block).take(block) {
            for (run, pixel) in line.chunks_mut(block).zip(pixels) {
                run.fill(pixel);
            }
        }
    }
    true
}

/// Reads the stamp of a decoded luma plane; `None` where there is none or it cannot be trusted.
pub fn read(luma: &[u8], stride: usize, width: usize, height: usize) -> Option<Stamp> {
    let block = block_size(width);
    if !fits(luma.len(), stride, width, height, block) {
        return None;
    }
    let mut levels = [0u32; COLUMNS * ROWS];
    for (index, level) in levels.iter_mut().enumerate() {
        *level = block_level(
            luma,
            stride,
            index % COLUMNS * block,
            index / COLUMNS * block,
            block,
        );
    }
    let threshold = threshold(&levels)?;
    let mut bytes = [0u8; 15];
    for (byte, levels) in bytes.iter_mut().zip(levels.chunks(8)) {
        *byte = levels
            .iter()
            .fold(0, |bits, level| bits << 1 | u8::from(*level > threshold));
    }
    Stamp::from_bytes(bytes)
}

fn fits(len: usize, stride: usize, width: usize, height: usize, block: usize) -> bool {
    stride >= width
        && width >= block * COLUMNS
        && height >= block * ROWS
        && len >= stride * (block * ROWS - 1) + width
}

fn bit(bytes: &[u8; 15], index: usize) -> bool {
    bytes[index / 8] >> (7 - index % 8) & 1 == 1
}

/// Mean of the inner half of a block, where compression has bled least.
fn block_level(luma: &[u8], stride: usize, x: usize, y: usize, block: usize) -> u32 {
    let inset = block / 4;
    let inner = block - 2 * inset;
    let rows = luma.chunks(stride).skip(y + inset).take(inner);
    let sum: u32 = rows
        .flat_map(|row| row.iter().skip(x + inset).take(inner))
        .map(|pixel| u32::from(*pixel))
        .sum();
    sum / (inner * inner) as u32
}

/// Half way between the black and the white blocks of the sync pattern; `None` where they do not look like it.
fn threshold(levels: &[u32]) -> Option<u32> {
    let sync = levels.iter().take(8).enumerate();
    let (white, black): (Vec<_>, Vec<_>) =
        sync.partition(|(index, _)| SYNC >> (7 - index) & 1 == 1);
    let darkest_white = white.iter().map(|(_, level)| **level).min()?;
    let brightest_black = black.iter().map(|(_, level)| **level).max()?;
    (darkest_white > brightest_black + MIN_CONTRAST)
        .then_some((darkest_white + brightest_black) / 2)
}

/// Identity of an access unit as written in its SEI message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SeiStamp {
    /// Number of the camera, from 1; 0 where several cameras share one encoded loop.
    pub camera: u16,
    /// Running frame number since the camera's clock began, in order of capture.
    pub frame: u64,
    /// Capture time, microseconds since 1970 UTC.
    pub wall_us: i64,
}

/// `user_data_unregistered` identifier of [`SeiStamp`]; contains no zero byte, so no emulation prevention ever touches the message.
const SEI_UUID: [u8; 16] = *b"\xc7RTA-CCTV-STAMP\x01";
/// Hexadecimal digits of camera, frame and time.
const SEI_TEXT_LEN: usize = 4 + 16 + 16;
const SEI_PAYLOAD_LEN: u8 = (16 + SEI_TEXT_LEN) as u8;
const USER_DATA_UNREGISTERED: u8 = 5;
const RBSP_STOP: u8 = 0x80;

impl SeiStamp {
    /// The message as a NAL unit whose header is `nal_header` (one byte in H.264, two in H.265), without start code.
    pub(crate) fn to_nal(self, nal_header: &[u8]) -> Vec<u8> {
        let mut nal = Vec::with_capacity(nal_header.len() + 3 + usize::from(SEI_PAYLOAD_LEN));
        nal.extend_from_slice(nal_header);
        nal.extend_from_slice(&[USER_DATA_UNREGISTERED, SEI_PAYLOAD_LEN]);
        nal.extend_from_slice(&SEI_UUID);
        nal.extend_from_slice(
            format!(
                "{:04x}{:016x}{:016x}",
                self.camera, self.frame, self.wall_us
            )
            .as_bytes(),
        );
        nal.push(RBSP_STOP);
        nal
    }
}

/// Finds the SEI stamp in an access unit, H.264 or H.265, with start codes or length prefixes.
pub fn read_sei(access_unit: &[u8]) -> Option<SeiStamp> {
    let at = access_unit
        .windows(SEI_UUID.len())
        .position(|window| window == SEI_UUID)?
        + SEI_UUID.len();
    let text = std::str::from_utf8(access_unit.get(at..at + SEI_TEXT_LEN)?).ok()?;
    Some(SeiStamp {
        camera: u16::from_str_radix(text.get(..4)?, 16).ok()?,
        frame: u64::from_str_radix(text.get(4..20)?, 16).ok()?,
        wall_us: u64::from_str_radix(text.get(20..)?, 16).ok()?.cast_signed(),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_stamp() -> impl Strategy<Value = Stamp> {
        (any::<u16>(), any::<u32>(), 0..1u64 << 48).prop_map(|(camera, frame, wall_ms)| Stamp {
            camera,
            frame,
            wall_ms,
        })
    }

    proptest! {
        #[test]
        fn what_is_drawn_is_read(stamp in any_stamp(), width in 320usize..2000, padding in 0usize..64, background: u8) {
            let (stride, height) = (width + padding, 192.max(block_size(width) * ROWS));
            let mut luma = vec![background; stride * height];
            prop_assert!(draw(&mut luma, stride, width, height, stamp));
            prop_assert_eq!(read(&luma, stride, width, height), Some(stamp));
        }

        #[test]
        fn noise_blur_and_faded_contrast_do_not_hide_it(stamp in any_stamp(), seed: u64, amplitude in 0i32..60, fade in 0.5f64..1.0) {
            let mut luma = vec![128; 320 * 192];
            draw(&mut luma, 320, 320, 192, stamp);
            let mut state = seed | 1;
            for pixel in &mut luma {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let noise = (state >> 33) as i32 % (2 * amplitude + 1) - amplitude;
                let faded = 128.0 + (f64::from(*pixel) - 128.0) * fade;
                *pixel = (faded as i32 + noise).clamp(0, 255) as u8;
            }
            prop_assert_eq!(read(&luma, 320, 320, 192), Some(stamp));
        }

        #[test]
        fn a_wrong_bit_is_noticed(stamp in any_stamp(), index in 8usize..120) {
            let mut luma = vec![128; 320 * 192];
            draw(&mut luma, 320, 320, 192, stamp);
            let (x, y) = (index % COLUMNS * 8, index / COLUMNS * 8);
            for line in luma.chunks_mut(320).skip(y).take(8) {
                for pixel in &mut line[x..x + 8] {
                    *pixel = 251 - *pixel;
                }
            }
            prop_assert_eq!(read(&luma, 320, 320, 192), None);
        }

        #[test]
        fn arbitrary_planes_never_panic(luma in prop::collection::vec(any::<u8>(), 0..20_000), stride in 0usize..400, width in 0usize..400, height in 0usize..400) {
            read(&luma, stride, width, height);
        }

        #[test]
        fn sei_is_found_in_any_surrounding(camera: u16, frame: u64, wall_us: i64, before in prop::collection::vec(any::<u8>(), 0..100), after in prop::collection::vec(any::<u8>(), 0..100)) {
            let stamp = SeiStamp { camera, frame, wall_us };
            let nal = stamp.to_nal(&[6]);
            prop_assert!(!nal.windows(3).any(|window| window[..2] == [0, 0] && window[2] <= 3), "needs emulation prevention");
            prop_assert_eq!(read_sei(&[before, nal, after].concat()), Some(stamp));
        }
    }

    #[test]
    fn a_picture_without_strip_has_no_stamp() {
        assert_eq!(read(&vec![128; 640 * 360], 640, 640, 360), None);
        assert!(!draw(
            &mut vec![0; 160 * 120],
            160,
            160,
            120,
            Stamp {
                camera: 1,
                frame: 1,
                wall_ms: 1
            }
        ));
        assert_eq!(read_sei(b"no such message"), None);
    }
}
