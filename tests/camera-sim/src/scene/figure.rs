//! How each figure looks. Every figure stays within its box, because the box is the truth detections are compared with.

use super::Class;
use super::canvas::{Colour, Picture};
use super::traffic::Actor;

const TYRE: Colour = Colour::rgb(20, 20, 22);
const GLASS: Colour = Colour::rgb(150, 190, 215);
const SKIN: Colour = Colour::rgb(205, 160, 125);
const HUB: Colour = Colour::rgb(170, 170, 175);

/// The box of a figure in pixels, with fractions of it as coordinates; x is mirrored for figures that go to the left.
struct Frame<'a> {
    picture: &'a mut Picture,
    left: f64,
    top: f64,
    width: f64,
    height: f64,
    mirrored: bool,
}

impl Frame<'_> {
    fn x(&self, fraction: f64) -> f64 {
        self.left
            + self.width
                * if self.mirrored {
                    1.0 - fraction
                } else {
                    fraction
                }
    }

    fn y(&self, fraction: f64) -> f64 {
        self.top + self.height * fraction
    }

    fn rect(&mut self, x: f64, y: f64, width: f64, height: f64, colour: Colour) {
        let left = self.x(x).min(self.x(x + width));
        let (top, width, height) = (self.y(y), width * self.width, height * self.height);
        self.picture.rect(left, top, width, height, colour);
    }

    fn wheel(&mut self, x: f64, radius: f64) {
        let radius = radius * self.height;
        let (x, y) = (self.x(x), self.y(1.0) - radius);
        self.picture.ellipse(x, y, radius, radius, TYRE);
        self.picture
            .ellipse(x, y, radius * 0.45, radius * 0.45, HUB);
    }

    fn band(&mut self, from: (f64, f64), to: (f64, f64), thickness: f64, colour: Colour) {
        let (from, to) = (
            (self.x(from.0), self.y(from.1)),
            (self.x(to.0), self.y(to.1)),
        );
        self.picture.band(from, to, thickness * self.height, colour);
    }

    fn head(&mut self, x: f64, y: f64, radius: f64) {
        let radius = radius * self.height;
        let (x, y) = (self.x(x), self.y(y));
        self.picture.ellipse(x, y, radius, radius, SKIN);
        self.picture.ellipse(
            x,
            y - radius * 0.45,
            radius * 0.9,
            radius * 0.55,
            Colour::rgb(60, 40, 30),
        );
    }
}

/// Draws a figure; `seconds` moves legs.
pub(super) fn draw(picture: &mut Picture, actor: &Actor, seconds: f64) {
    let scale = picture.height as f64;
    let mut frame = Frame {
        picture,
        left: actor.x * scale,
        top: (actor.ground - actor.height) * scale,
        width: actor.width * scale,
        height: actor.height * scale,
        mirrored: !actor.to_the_right,
    };
    let stride = (seconds * 7.0 + f64::from(actor.id)).sin();
    match actor.class {
        Class::Person => person(&mut frame, actor.colour, stride),
        Class::Bicycle => bicycle(&mut frame, actor.colour, stride),
        Class::Car => car(&mut frame, actor.colour),
        Class::Bus => bus(&mut frame, actor.colour),
        Class::Truck => truck(&mut frame, actor.colour),
    }
}

fn person(frame: &mut Frame<'_>, colour: Colour, stride: f64) {
    let trousers = Colour::rgb(45, 50, 75);
    let reach = 0.3 * stride;
    frame.band((0.5, 0.55), (0.5 + reach, 1.0), 0.09, trousers);
    frame.band((0.5, 0.55), (0.5 - reach, 1.0), 0.09, trousers.shaded(80));
    frame.band((0.5, 0.24), (0.5 - reach, 0.55), 0.07, colour.shaded(70));
    frame.rect(0.3, 0.2, 0.4, 0.38, colour);
    frame.band((0.5, 0.24), (0.5 + reach, 0.55), 0.07, colour.shaded(85));
    frame.head(0.5, 0.1, 0.095);
}

fn bicycle(frame: &mut Frame<'_>, colour: Colour, stride: f64) {
    let radius = frame.height * 0.24;
    let (hub_y, thickness) = (frame.y(1.0) - radius, (frame.height * 0.03).max(1.0));
    for x in [0.25, 0.75] {
        let x = frame.x(x);
        frame.picture.ring(x, hub_y, radius, thickness, TYRE);
    }
    let steel = Colour::rgb(200, 60, 50);
    frame.band((0.25, 0.76), (0.45, 0.55), 0.03, steel);
    frame.band((0.75, 0.76), (0.68, 0.5), 0.03, steel);
    frame.rect(0.43, 0.54, 0.27, 0.03, steel);
    frame.band(
        (0.45, 0.52),
        (0.5 + 0.06 * stride, 0.85),
        0.07,
        Colour::rgb(45, 50, 75),
    );
    frame.band((0.55, 0.2), (0.45, 0.55), 0.16, colour);
    frame.band((0.55, 0.25), (0.69, 0.5), 0.05, colour.shaded(80));
    frame.head(0.58, 0.1, 0.09);
}

fn car(frame: &mut Frame<'_>, colour: Colour) {
    for step in 0..8 {
        let rise = f64::from(step) / 8.0;
        frame.rect(
            0.2 + 0.08 * (1.0 - rise),
            0.5 * rise,
            0.58 - 0.2 * (1.0 - rise),
            0.07,
            colour.shaded(90),
        );
    }
    frame.rect(0.29, 0.1, 0.19, 0.32, GLASS);
    frame.rect(0.52, 0.1, 0.14, 0.32, GLASS);
    frame.rect(0.0, 0.42, 1.0, 0.4, colour);
    frame.rect(0.0, 0.62, 1.0, 0.05, colour.shaded(70));
    frame.rect(0.95, 0.48, 0.05, 0.12, Colour::rgb(255, 250, 200));
    frame.rect(0.0, 0.48, 0.04, 0.12, Colour::rgb(220, 30, 30));
    frame.wheel(0.2, 0.23);
    frame.wheel(0.8, 0.23);
}

fn bus(frame: &mut Frame<'_>, colour: Colour) {
    frame.rect(0.0, 0.0, 1.0, 0.86, colour);
    frame.rect(0.0, 0.55, 1.0, 0.06, Colour::rgb(240, 240, 235));
    for window in 0..7 {
        frame.rect(0.03 + 0.125 * f64::from(window), 0.14, 0.105, 0.34, GLASS);
    }
    frame.rect(0.92, 0.1, 0.08, 0.45, GLASS.shaded(115));
    frame.rect(0.72, 0.5, 0.07, 0.34, colour.shaded(60));
    frame.rect(0.3, 0.02, 0.4, 0.07, Colour::rgb(15, 15, 15));
    frame.wheel(0.16, 0.16);
    frame.wheel(0.84, 0.16);
}

fn truck(frame: &mut Frame<'_>, colour: Colour) {
    frame.rect(0.0, 0.0, 0.7, 0.78, Colour::rgb(225, 222, 215));
    frame.rect(0.0, 0.3, 0.7, 0.1, colour);
    frame.rect(0.73, 0.22, 0.27, 0.6, colour);
    frame.rect(0.84, 0.28, 0.14, 0.24, GLASS);
    frame.rect(0.0, 0.76, 1.0, 0.08, TYRE);
    frame.wheel(0.12, 0.17);
    frame.wheel(0.3, 0.17);
    frame.wheel(0.85, 0.17);
}
