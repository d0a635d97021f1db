//! An address as a code to print (ISO/IEC 18004), as a drawing or as an image.

use std::fmt::Write as _;

use anyhow::Context as _;
use qrcode::{Color, EcLevel, QrCode};

/// Modules that stay white around a code (ISO/IEC 18004 section 9.1).
const QUIET: usize = 4;
/// An image is at least so wide, in pixels: enough for a hand's breadth in print.
const WIDE: usize = 1_000;

pub(super) struct Code {
    /// Modules a side, without what stays white around.
    width: usize,
    dark: Vec<bool>,
}

impl Code {
    /// With the usual correction: a seventh of it may be torn off or covered.
    pub(super) fn of(text: &str) -> anyhow::Result<Code> {
        let code = QrCode::with_error_correction_level(text, EcLevel::M)
            .with_context(|| format!("{} characters fit in no code", text.len()))?;
        let dark = code.to_colors().into_iter().map(|color| color == Color::Dark).collect();
        Ok(Code { width: code.width(), dark })
    }

    fn is_dark(&self, x: usize, y: usize) -> bool {
        let inside = |at: usize| at.checked_sub(QUIET).filter(|at| *at < self.width);
        inside(x).zip(inside(y)).is_some_and(|(x, y)| self.dark[y * self.width + x])
    }

    /// As a drawing, of whatever size.
    pub(super) fn svg(&self) -> String {
        let side = self.width + 2 * QUIET;
        let mut path = String::new();
        for y in 0..side {
            let mut x = 0;
            while x < side {
                let run = (x..side).take_while(|x| self.is_dark(*x, y)).count();
                if run > 0 {
                    // A string takes everything.
                    let _ = write!(path, "M{x} {y}h{run}v1h-{run}z");
                }
                x += run.max(1);
            }
        }
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {side} {side}\" shape-rendering=\"crispEdges\">\
             <path fill=\"#fff\" d=\"M0 0h{side}v{side}H0z\"/><path d=\"{path}\"/></svg>\n"
        )
    }

    /// As an image in black and white.
    pub(super) fn png(&self) -> anyhow::Result<Vec<u8>> {
        let side = self.width + 2 * QUIET;
        let scale = WIDE.div_ceil(side);
        let pixels = u32::try_from(side * scale).context("a code as wide as this")?;
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, pixels, pixels);
        encoder.set_color(png::ColorType::Grayscale);
        encoder.set_depth(png::BitDepth::One);
        let mut writer = encoder.write_header().context("could not write an image")?;
        let mut lines = Vec::new();
        for y in 0..side {
            let mut line = vec![0_u8; (side * scale).div_ceil(8)];
            for at in (0..side * scale).filter(|at| !self.is_dark(at / scale, y)) {
                line[at / 8] |= 0x80 >> (at % 8);
            }
            (0..scale).for_each(|_| lines.extend_from_slice(&line));
        }
        writer.write_image_data(&lines).context("could not write an image")?;
        writer.finish().context("could not write an image")?;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a decoder of others' making reads in a picture.
    fn read(side: usize, is_dark: impl Fn(usize, usize) -> bool) -> String {
        let grey = |x, y| if is_dark(x, y) { 0 } else { 255 };
        let mut image = rqrr::PreparedImage::prepare_from_greyscale(side, side, grey);
        let found = image.detect_grids();
        assert_eq!(found.len(), 1, "one code is seen");
        found[0].decode().unwrap().1
    }

    const TEXTS: [&str; 3] = [
        "https://m.me/1234567890?ref=summer",
        "https://wa.me/15550100?text=I%20come%20from%20the%20poster%20%F0%9F%8C%9E",
        "https://ig.me/m/acme?ref=",
    ];

    fn texts() -> impl Iterator<Item = String> {
        // The longest that there can be: a link with a token.
        let longest = format!("{}{}", TEXTS[2], "x1".repeat(125));
        TEXTS.into_iter().map(str::to_owned).chain([longest])
    }

    #[test]
    fn an_image_is_read_as_the_address() {
        for text in texts() {
            let bytes = Code::of(&text).unwrap().png().unwrap();
            let mut reader = png::Decoder::new(std::io::Cursor::new(bytes)).read_info().unwrap();
            let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
            let info = reader.next_frame(&mut pixels).unwrap();
            assert!(info.width as usize >= WIDE && info.width == info.height);
            let white = |x: usize, y: usize| pixels[y * info.line_size + x / 8] & (0x80 >> (x % 8)) != 0;
            assert_eq!(read(info.width as usize, |x, y| !white(x, y)), text);
        }
    }

    #[test]
    fn a_drawing_is_read_as_the_address() {
        const SCALE: usize = 5;
        for text in texts() {
            let svg = Code::of(&text).unwrap().svg();
            let side: usize =
                svg.split("viewBox=\"0 0 ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
            let path = svg.split("<path d=\"").nth(1).unwrap().split('"').next().unwrap();
            let mut dark = vec![false; side * side];
            for run in path.split('M').skip(1) {
                let (at, run) = run.split_once('h').unwrap();
                let (x, y) = at.split_once(' ').unwrap();
                let run: usize = run.split('v').next().unwrap().parse().unwrap();
                let from = y.parse::<usize>().unwrap() * side + x.parse::<usize>().unwrap();
                dark[from..from + run].fill(true);
            }
            assert_eq!(read(side * SCALE, |x, y| dark[y / SCALE * side + x / SCALE]), text);
        }
    }

    #[test]
    fn what_fits_in_no_code_is_refused() {
        assert!(Code::of(&"x".repeat(3_000)).is_err());
    }
}
