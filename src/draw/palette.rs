//! Colours of owners that people with any kind of colour vision can tell apart.
//!
//! Eight colours after Okabe and Ito, "Color Universal Design" (2008). Of more owners, hatching tells those
//! of one colour apart, and every area has its owner's name as well.

/// A colour, and the colour of what is written on it.
pub(super) struct Color {
    /// The nearest of the 256 colours of a terminal.
    pub(super) code: u8,
    pub(super) ink_code: u8,
}

const BLACK: u8 = 16;
const WHITE: u8 = 231;

const COLORS: [Color; 8] = [
    Color { code: 74, ink_code: BLACK },
    Color { code: 172, ink_code: BLACK },
    Color { code: 36, ink_code: BLACK },
    Color { code: 227, ink_code: BLACK },
    Color { code: 25, ink_code: WHITE },
    Color { code: 175, ink_code: BLACK },
    Color { code: 166, ink_code: BLACK },
    Color { code: 248, ink_code: BLACK },
];

/// Number of colours.
const COLOR_COUNT: u32 = COLORS.len() as u32;

/// The number of an owner's colour.
fn color_number(owner: u32) -> u32 {
    owner % COLOR_COUNT
}

/// The colour of an owner.
pub(super) fn color(owner: u32) -> &'static Color {
    let [first, ..] = &COLORS;
    COLORS.get(color_number(owner) as usize).unwrap_or(first)
}
