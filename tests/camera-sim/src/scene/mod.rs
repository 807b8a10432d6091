//! The rendered street: what stands still, who moves where, and the true boxes of everything that moves.
//!
//! A pure function of seed, size and time: the same scene on every machine. What stands still is drawn in
//! [`background`], what moves in [`figure`], both from shapes of [`canvas`]; encoding is not here.

mod background;
pub(crate) mod canvas;
mod figure;
mod traffic;

use canvas::{Colour, Picture};
use serde::Serialize;
use traffic::Traffic;

use crate::stamp::{self, Stamp};

/// What a moving thing is; names as in COCO, so that detections can be compared with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Somebody walking.
    Person,
    /// A bicycle with its rider.
    Bicycle,
    /// A car.
    Car,
    /// A bus.
    Bus,
    /// A lorry.
    Truck,
}

/// Where a moving thing is in the picture: fractions of width and height, origin top left, cut to the picture.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct SceneObject {
    /// Stable while the thing crosses the picture.
    pub id: u32,
    /// What it is.
    pub class: Class,
    /// Left edge.
    pub x: f64,
    /// Upper edge.
    pub y: f64,
    /// Width.
    pub width: f64,
    /// Height.
    pub height: f64,
}

/// What is written into a frame besides the street.
#[derive(Clone, Debug)]
pub(crate) struct Caption<'a> {
    pub(crate) stamp: Stamp,
    /// Name of the camera, or of the loop.
    pub(crate) name: &'a str,
}

/// A street of a given size, ready to be drawn at any time.
#[derive(Debug)]
pub(crate) struct Scene {
    background: Picture,
    traffic: Traffic,
    noise: Option<Noise>,
}

impl Scene {
    /// `noise` is the amplitude of simulated sensor noise in luma steps; 0 for a clean picture, which compresses better.
    pub(crate) fn new(seed: u64, width: usize, height: usize, noise: u8) -> Self {
        Self {
            background: background::draw(seed, width, height),
            traffic: Traffic::new(seed, width as f64 / height as f64),
            noise: (noise > 0).then(|| Noise::new(seed, noise)),
        }
    }

    /// A picture to draw into.
    pub(crate) fn blank(&self) -> Picture {
        self.background.clone()
    }

    /// Draws the street as it is `seconds` after its beginning.
    pub(crate) fn draw(&mut self, picture: &mut Picture, seconds: f64, caption: &Caption<'_>) {
        picture.copy_from(&self.background);
        for actor in self.traffic.at(seconds) {
            figure::draw(picture, &actor, seconds);
        }
        if let Some(noise) = &mut self.noise {
            noise.add(&mut picture.luma, caption.stamp.frame);
        }
        draw_clock(picture, caption);
        draw_stamp(picture, caption.stamp);
    }
}

/// The strip is grey in its chroma, so that it is truly black and white.
fn draw_stamp(picture: &mut Picture, stamp: Stamp) {
    let (width, height) = (picture.width, picture.height);
    let block = stamp::block_size(width);
    let size = (
        (stamp::COLUMNS * block) as f64,
        (stamp::ROWS * block) as f64,
    );
    picture.rect(0.0, 0.0, size.0, size.1, Colour::rgb(0, 0, 0));
    stamp::draw(&mut picture.luma, width, width, height, stamp);
}

/// True boxes of what is visible on the street of this seed `seconds` after its beginning; `aspect` is width by height.
pub(crate) fn objects_at(seed: u64, aspect: f64, seconds: f64) -> Vec<SceneObject> {
    Traffic::new(seed, aspect).objects(seconds)
}

fn draw_clock(picture: &mut Picture, caption: &Caption<'_>) {
    let scale = (picture.height / 270).max(1);
    let (width, height) = (8 * scale, 8 * scale);
    let text = format!("{} {}", caption.name, time_of_day(caption.stamp.wall_ms));
    let top = picture.height - height - 4 * scale;
    let columns = text.chars().count();
    let box_width = (columns * width + 2 * scale) as f64;
    picture.rect(
        scale as f64,
        (top - scale) as f64,
        box_width,
        (height + 2 * scale) as f64,
        Colour::rgb(0, 0, 0),
    );
    picture.text(2 * scale, top, scale, &text, Colour::rgb(255, 255, 255));
}

/// `HH:MM:SS.mmm` in UTC.
fn time_of_day(wall_ms: u64) -> String {
    let ms = wall_ms % 86_400_000;
    format!(
        "{:02}:{:02}:{:02}.{:03}",
        ms / 3_600_000,
        ms / 60_000 % 60,
        ms / 1000 % 60,
        ms % 1000
    )
}

/// Sensor noise: a fixed table added from a different offset in each frame, so that it costs an addition per pixel.
#[derive(Debug)]
struct Noise {
    table: Vec<i8>,
}

impl Noise {
    fn new(seed: u64, amplitude: u8) -> Self {
        let mut random = Random::new(seed ^ 0x6e6f_6973);
        let range = u64::from(amplitude.min(60)) * 2 + 1;
        let table = (0..1 << 16)
            .map(|_| (random.below(range) as i64 - (range / 2) as i64) as i8)
            .collect();
        Self { table }
    }

    fn add(&mut self, luma: &mut [u8], frame: u32) {
        let mut random = Random::new(u64::from(frame));
        for block in luma.chunks_mut(1 << 14) {
            let offset = random.below((self.table.len() - block.len()) as u64) as usize;
            for (pixel, noise) in block.iter_mut().zip(&self.table[offset..]) {
                *pixel = pixel.saturating_add_signed(*noise);
            }
        }
    }
}

/// A small generator of its own, so that a seed means the same street under every version of every library (SplitMix64).
#[derive(Debug)]
pub(crate) struct Random {
    state: u64,
}

impl Random {
    pub(crate) const fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// A number in `0..limit`; 0 where `limit` is 0.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut value = self.state;
        value = (value ^ value >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        value = (value ^ value >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (value ^ value >> 31).checked_rem(limit).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_carries_its_stamp_and_its_objects() {
        let mut scene = Scene::new(7, 640, 360, 4);
        let mut picture = scene.blank();
        let stamp = Stamp {
            camera: 3,
            frame: 99,
            wall_ms: 1_790_000_000_123,
        };
        scene.draw(
            &mut picture,
            3.0,
            &Caption {
                stamp,
                name: "cam3",
            },
        );
        assert_eq!(stamp::read(&picture.luma, 640, 640, 360), Some(stamp));
        let objects = objects_at(7, 640.0 / 360.0, 3.0);
        assert!(
            objects.len() >= 3,
            "a street with {} objects is empty",
            objects.len()
        );
        for object in &objects {
            assert!(
                object.x >= 0.0 && object.x + object.width <= 1.0 + 1e-9,
                "{object:?}"
            );
            assert!(
                object.y >= 0.0 && object.y + object.height <= 1.0 + 1e-9,
                "{object:?}"
            );
        }
    }

    #[test]
    fn something_moves_where_the_boxes_say() {
        let mut scene = Scene::new(1, 320, 192, 0);
        let (mut first, mut second) = (scene.blank(), scene.blank());
        let caption = Caption {
            stamp: Stamp {
                camera: 1,
                frame: 0,
                wall_ms: 0,
            },
            name: "x",
        };
        scene.draw(&mut first, 2.0, &caption);
        scene.draw(&mut second, 2.5, &caption);
        let boxes = [
            objects_at(1, 320.0 / 192.0, 2.0),
            objects_at(1, 320.0 / 192.0, 2.5),
        ]
        .concat();
        for (index, _) in first
            .luma
            .iter()
            .zip(&second.luma)
            .enumerate()
            .filter(|(_, (a, b))| a != b)
        {
            let (x, y) = ((index % 320) as f64 + 0.5, (index / 320) as f64 + 0.5);
            let inside = boxes.iter().any(|b| {
                let near = 2.5;
                x >= b.x * 320.0 - near
                    && x <= (b.x + b.width) * 320.0 + near
                    && y >= b.y * 192.0 - near
                    && y <= (b.y + b.height) * 192.0 + near
            });
            assert!(inside, "pixel ({x}, {y}) changed outside every box");
        }
        assert_ne!(first.luma, second.luma);
    }

    #[test]
    fn the_same_seed_gives_the_same_street() {
        let draw = |seed| {
            let mut scene = Scene::new(seed, 320, 192, 0);
            let mut picture = scene.blank();
            let caption = Caption {
                stamp: Stamp {
                    camera: 1,
                    frame: 0,
                    wall_ms: 0,
                },
                name: "x",
            };
            scene.draw(&mut picture, 1.0, &caption);
            picture.luma
        };
        assert_eq!(draw(5), draw(5));
        assert_ne!(draw(5), draw(6));
    }
}
