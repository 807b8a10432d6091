//! A picture in planar YUV 4:2:0 and the few shapes the street is made of. Knows nothing of streets.

use font8x8::legacy::BASIC_LEGACY;

/// A colour in studio-range YUV.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Colour {
    pub(crate) y: u8,
    pub(crate) u: u8,
    pub(crate) v: u8,
}

impl Colour {
    /// BT.601 studio range, from full-range RGB.
    pub(crate) const fn rgb(red: u8, green: u8, blue: u8) -> Self {
        let (r, g, b) = (red as i32, green as i32, blue as i32);
        Self {
            y: (16 + (66 * r + 129 * g + 25 * b + 128) / 256) as u8,
            u: (128 + (-38 * r - 74 * g + 112 * b) / 256) as u8,
            v: (128 + (112 * r - 94 * g - 18 * b) / 256) as u8,
        }
    }

    /// The same hue, `percent` as bright.
    pub(crate) fn shaded(self, percent: u32) -> Self {
        let y = 16 + (u32::from(self.y).saturating_sub(16) * percent / 100).min(219);
        Self { y: y as u8, ..self }
    }
}

/// A picture: luma at full, chroma at half resolution, no padding between rows. Width and height are even.
#[derive(Clone, Debug)]
pub(crate) struct Picture {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) luma: Vec<u8>,
    pub(crate) chroma_u: Vec<u8>,
    pub(crate) chroma_v: Vec<u8>,
}

impl Picture {
    pub(crate) fn new(width: usize, height: usize) -> Self {
        let chroma = (width / 2) * (height / 2);
        Self {
            width,
            height,
            luma: vec![16; width * height],
            chroma_u: vec![128; chroma],
            chroma_v: vec![128; chroma],
        }
    }

    /// Becomes a copy of `other`, which has the same size, without allocating.
    pub(crate) fn copy_from(&mut self, other: &Self) {
        self.luma.copy_from_slice(&other.luma);
        self.chroma_u.copy_from_slice(&other.chroma_u);
        self.chroma_v.copy_from_slice(&other.chroma_v);
    }

    /// Fills a rectangle given in pixels; what lies outside the picture is cut off.
    pub(crate) fn rect(&mut self, x: f64, y: f64, width: f64, height: f64, colour: Colour) {
        let (left, right) = span(x, x + width, self.width);
        let (top, bottom) = span(y, y + height, self.height);
        for row in top..bottom {
            self.run(row, left, right, colour);
        }
    }

    /// Fills an ellipse given by centre and radii in pixels.
    pub(crate) fn ellipse(&mut self, x: f64, y: f64, radius_x: f64, radius_y: f64, colour: Colour) {
        let (top, bottom) = span(y - radius_y, y + radius_y, self.height);
        for row in top..bottom {
            let dy = (row as f64 + 0.5 - y) / radius_y;
            let half = radius_x * (1.0 - dy * dy).max(0.0).sqrt();
            let (left, right) = span(x - half, x + half, self.width);
            self.run(row, left, right, colour);
        }
    }

    /// Draws a ring of the given thickness, as of a bicycle's wheel.
    pub(crate) fn ring(&mut self, x: f64, y: f64, radius: f64, thickness: f64, colour: Colour) {
        let inner = (radius - thickness).max(0.0);
        let (top, bottom) = span(y - radius, y + radius, self.height);
        for row in top..bottom {
            let dy = row as f64 + 0.5 - y;
            let half = (radius * radius - dy * dy).max(0.0).sqrt();
            let hole = (inner * inner - dy * dy).max(0.0).sqrt();
            for (from, to) in [(x - half, x - hole), (x + hole, x + half)] {
                let (left, right) = span(from, to, self.width);
                self.run(row, left, right, colour);
            }
        }
    }

    /// Draws a band of the given thickness from one point to another, as a leg or the bar of a frame.
    pub(crate) fn band(
        &mut self,
        from: (f64, f64),
        to: (f64, f64),
        thickness: f64,
        colour: Colour,
    ) {
        let (upper, lower) = if from.1 <= to.1 {
            (from, to)
        } else {
            (to, from)
        };
        if lower.1 - upper.1 < thickness {
            let left = upper.0.min(lower.0);
            return self.rect(left, upper.1, (upper.0 - lower.0).abs(), thickness, colour);
        }
        let (top, bottom) = span(upper.1, lower.1, self.height);
        for row in top..bottom {
            let along = (row as f64 + 0.5 - upper.1) / (lower.1 - upper.1);
            let centre = upper.0 + (lower.0 - upper.0) * along;
            let (left, right) = span(
                centre - thickness / 2.0,
                centre + thickness / 2.0,
                self.width,
            );
            self.run(row, left, right, colour);
        }
    }

    /// Writes ASCII text in an 8 × 8 font enlarged `scale` times; other characters leave a space.
    pub(crate) fn text(&mut self, x: usize, y: usize, scale: usize, text: &str, colour: Colour) {
        for (index, character) in text.chars().enumerate() {
            let Some(glyph) = BASIC_LEGACY.get(character as usize) else {
                continue;
            };
            let left = x + index * 8 * scale;
            for (row, bits) in glyph.iter().enumerate() {
                for column in (0..8).filter(|column| bits >> column & 1 == 1) {
                    let (px, py) = ((left + column * scale) as f64, (y + row * scale) as f64);
                    self.rect(px, py, scale as f64, scale as f64, colour);
                }
            }
        }
    }

    /// Fills the pixels `left..right` of a row; chroma samples are half as dense in both directions.
    fn run(&mut self, row: usize, left: usize, right: usize, colour: Colour) {
        if left >= right {
            return;
        }
        let start = row * self.width;
        self.luma[start + left..start + right].fill(colour.y);
        let (from, to) = (left / 2, right.div_ceil(2));
        let start = row / 2 * (self.width / 2);
        self.chroma_u[start + from..start + to].fill(colour.u);
        self.chroma_v[start + from..start + to].fill(colour.v);
    }
}

/// Whole pixels covered by `from..to`, cut to `0..limit`.
fn span(from: f64, to: f64, limit: usize) -> (usize, usize) {
    let cut = |value: f64| value.round().clamp(0.0, limit as f64) as usize;
    (cut(from), cut(to))
}
