//! What stands still on the street: sky, sun, houses with windows, pavements and a road with lanes.

use super::Random;
use super::canvas::{Colour, Picture};

/// Sky, houses, pavements and road of a seed.
pub(super) fn draw(seed: u64, width: usize, height: usize) -> Picture {
    let mut picture = Picture::new(width, height);
    let (w, h) = (width as f64, height as f64);
    let rows = height.max(1);
    for row in 0..rows {
        let fade = (row * 100 / rows) as u32;
        let sky = Colour::rgb(120, 175, 235).shaded(100 + fade / 3);
        picture.rect(0.0, row as f64, w, 1.0, sky);
    }
    picture.ellipse(
        w * 0.86,
        h * 0.2,
        h * 0.05,
        h * 0.05,
        Colour::rgb(255, 240, 170),
    );
    buildings(&mut picture, seed);
    pavement_and_road(&mut picture);
    picture
}

fn buildings(picture: &mut Picture, seed: u64) {
    let mut random = Random::new(seed);
    let (w, h) = (picture.width as f64, picture.height as f64);
    let facades = [
        (214, 190, 150),
        (170, 120, 95),
        (150, 155, 165),
        (225, 215, 195),
        (120, 135, 150),
    ];
    let mut x = 0.0;
    while x < w {
        let width = h * (0.16 + 0.02 * random.below(10) as f64);
        let top = h * (0.16 + 0.02 * random.below(9) as f64);
        let (r, g, b) = facades[random.below(facades.len() as u64) as usize];
        let wall = Colour::rgb(r, g, b);
        picture.rect(x, top, width, h * 0.52 - top, wall);
        picture.rect(x, top, width, h * 0.012, wall.shaded(70));
        windows(picture, x, top, width, wall, &mut random);
        x += width + h * 0.008;
    }
}

fn windows(picture: &mut Picture, x: f64, top: f64, width: f64, wall: Colour, random: &mut Random) {
    let h = picture.height as f64;
    let pitch = h * 0.045;
    let columns = (width / pitch) as usize;
    let floors = ((h * 0.5 - top) / (pitch * 1.3)) as usize;
    for floor in 0..floors {
        for column in 0..columns {
            let lit = random.below(4) == 0;
            let pane = if lit {
                Colour::rgb(250, 225, 150)
            } else {
                wall.shaded(45)
            };
            let left = x + pitch * (0.3 + column as f64);
            picture.rect(
                left,
                top + pitch * (0.5 + 1.3 * floor as f64),
                pitch * 0.5,
                pitch * 0.75,
                pane,
            );
        }
    }
}

fn pavement_and_road(picture: &mut Picture) {
    let (w, h) = (picture.width as f64, picture.height as f64);
    picture.rect(0.0, h * 0.52, w, h * 0.06, Colour::rgb(175, 170, 160));
    picture.rect(0.0, h * 0.58, w, h * 0.29, Colour::rgb(75, 75, 80));
    picture.rect(0.0, h * 0.575, w, h * 0.008, Colour::rgb(205, 205, 200));
    picture.rect(0.0, h * 0.87, w, h * 0.13, Colour::rgb(165, 160, 150));
    picture.rect(0.0, h * 0.866, w, h * 0.01, Colour::rgb(205, 205, 200));
    for lane in [0.672, 0.764] {
        let mut x = 0.0;
        while x < w {
            picture.rect(x, h * lane, h * 0.08, h * 0.008, Colour::rgb(230, 230, 225));
            x += h * 0.18;
        }
    }
}
