//! Who moves where: lanes with a constant speed each, on which figures follow one another for ever.

use super::canvas::Colour;
use super::{Class, Random, SceneObject};

/// A figure at one instant. Lengths and positions are in picture heights, x grows to the right.
#[derive(Clone, Copy, Debug)]
pub(super) struct Actor {
    pub(super) id: u32,
    pub(super) class: Class,
    pub(super) colour: Colour,
    /// Left edge.
    pub(super) x: f64,
    /// Where feet or wheels touch the ground.
    pub(super) ground: f64,
    pub(super) width: f64,
    pub(super) height: f64,
    pub(super) to_the_right: bool,
}

#[derive(Debug)]
struct Lane {
    ground: f64,
    /// Size of the figures relative to the nearest lane.
    scale: f64,
    /// Picture heights per second; negative to the left.
    speed: f64,
    /// Distance after which the lane repeats; longer than the picture is wide.
    period: f64,
    figures: Vec<Figure>,
}

#[derive(Debug)]
struct Figure {
    class: Class,
    colour: Colour,
    /// Place within the lane's period.
    offset: f64,
}

/// Everything that moves, from far to near.
#[derive(Debug)]
pub(super) struct Traffic {
    lanes: Vec<Lane>,
    aspect: f64,
}

/// Longest figure, in picture heights at scale 1.
const LONGEST: f64 = 0.56;

const COLOURS: [(u8, u8, u8); 8] = [
    (200, 40, 40),
    (40, 80, 190),
    (235, 235, 235),
    (35, 35, 40),
    (240, 190, 40),
    (40, 140, 70),
    (150, 150, 155),
    (160, 70, 150),
];

impl Traffic {
    /// `aspect` is the picture's width divided by its height.
    pub(super) fn new(seed: u64, aspect: f64) -> Self {
        let mut random = Random::new(seed ^ 0x7472_6166_6669);
        let walkers = [Class::Person];
        let vehicles = [
            Class::Car,
            Class::Bus,
            Class::Car,
            Class::Truck,
            Class::Car,
            Class::Bicycle,
        ];
        let plans: [(f64, f64, f64, &[Class], f64); 6] = [
            (0.565, 0.55, 0.035, &walkers, 0.30),
            (0.572, 0.60, -0.045, &walkers, 0.42),
            (0.650, 0.60, 0.22, &vehicles, 0.62),
            (0.745, 0.80, -0.28, &vehicles, 0.80),
            (0.845, 1.00, 0.25, &vehicles, 0.95),
            (0.965, 1.10, -0.08, &walkers, 0.55),
        ];
        let lanes = plans
            .into_iter()
            .map(|plan| Lane::new(plan, aspect, &mut random))
            .collect();
        Self { lanes, aspect }
    }

    /// All figures that touch the picture at this time, far ones first.
    pub(super) fn at(&self, seconds: f64) -> Vec<Actor> {
        let mut actors = Vec::new();
        for (number, lane) in self.lanes.iter().enumerate() {
            for (place, figure) in lane.figures.iter().enumerate() {
                let actor = lane.place((number * 100 + place) as u32, figure, seconds);
                if actor.x < self.aspect && actor.x + actor.width > 0.0 {
                    actors.push(actor);
                }
            }
        }
        actors
    }

    pub(super) fn objects(&self, seconds: f64) -> Vec<SceneObject> {
        self.at(seconds)
            .iter()
            .map(|actor| self.object(actor))
            .collect()
    }

    fn object(&self, actor: &Actor) -> SceneObject {
        let left = actor.x.max(0.0);
        let right = (actor.x + actor.width).min(self.aspect);
        let top = (actor.ground - actor.height).max(0.0);
        SceneObject {
            id: actor.id,
            class: actor.class,
            x: left / self.aspect,
            y: top,
            width: (right - left) / self.aspect,
            height: actor.ground - top,
        }
    }
}

impl Lane {
    fn new(
        (ground, scale, speed, classes, spacing): (f64, f64, f64, &[Class], f64),
        aspect: f64,
        random: &mut Random,
    ) -> Self {
        let count = ((aspect + LONGEST * scale) / spacing).ceil() as usize + 1;
        let first = random.below(classes.len() as u64) as usize;
        let figures = (0..count)
            .map(|place| {
                let (r, g, b) = COLOURS[random.below(COLOURS.len() as u64) as usize];
                let jitter =
                    random.below(100) as f64 / 100.0 * (spacing - LONGEST * scale).clamp(0.0, 0.3);
                Figure {
                    class: classes[(first + place) % classes.len()],
                    colour: Colour::rgb(r, g, b),
                    offset: place as f64 * spacing + jitter,
                }
            })
            .collect();
        Self {
            ground,
            scale,
            speed,
            period: count as f64 * spacing,
            figures,
        }
    }

    fn place(&self, id: u32, figure: &Figure, seconds: f64) -> Actor {
        let (width, height) = size(figure.class);
        let travelled = (figure.offset + self.speed * seconds).rem_euclid(self.period);
        Actor {
            id,
            class: figure.class,
            colour: figure.colour,
            x: travelled - LONGEST * self.scale,
            ground: self.ground,
            width: width * self.scale,
            height: height * self.scale,
            to_the_right: self.speed > 0.0,
        }
    }
}

/// Width and height in picture heights at scale 1.
fn size(class: Class) -> (f64, f64) {
    match class {
        Class::Person => (0.07, 0.17),
        Class::Bicycle => (0.17, 0.17),
        Class::Car => (0.30, 0.105),
        Class::Bus => (LONGEST, 0.185),
        Class::Truck => (0.48, 0.175),
    }
}
