//! Colours of owners that people with any kind of colour vision can tell apart.
//!
//! Eight colours after Okabe and Ito, "Color Universal Design" (2008). Of more owners, hatching tells those
//! of one colour apart, and every area has its owner's name as well.

/// A colour, and the colour of what is written on it.
pub(super) struct Color {
    /// As CSS has it.
    pub(super) fill: &'static str,
    pub(super) ink: &'static str,
    /// The nearest of the 256 colours of a terminal.
    pub(super) code: u8,
    pub(super) ink_code: u8,
}

const BLACK: u8 = 16;
const WHITE: u8 = 231;

const COLORS: [Color; 8] = [
    Color { fill: "#56b4e9", ink: "#000", code: 74, ink_code: BLACK },
    Color { fill: "#e69f00", ink: "#000", code: 172, ink_code: BLACK },
    Color { fill: "#009e73", ink: "#000", code: 36, ink_code: BLACK },
    Color { fill: "#f0e442", ink: "#000", code: 227, ink_code: BLACK },
    Color { fill: "#0072b2", ink: "#fff", code: 25, ink_code: WHITE },
    Color { fill: "#cc79a7", ink: "#000", code: 175, ink_code: BLACK },
    Color { fill: "#d55e00", ink: "#000", code: 166, ink_code: BLACK },
    Color { fill: "#aaaaaa", ink: "#000", code: 248, ink_code: BLACK },
];

/// Number of colours.
const COLOR_COUNT: u32 = COLORS.len() as u32;

/// Number of hatchings, no hatching being one of them.
const HATCH_COUNT: u32 = 5;

/// The number of an owner's colour.
pub(super) fn color_number(owner: u32) -> u32 {
    owner % COLOR_COUNT
}

/// The number of an owner's hatching; 0 for none.
pub(super) fn hatch_number(owner: u32) -> u32 {
    owner / COLOR_COUNT % HATCH_COUNT
}

/// The colour of an owner.
pub(super) fn color(owner: u32) -> &'static Color {
    let [first, ..] = &COLORS;
    COLORS.get(color_number(owner) as usize).unwrap_or(first)
}

/// All colours, in the order of their numbers.
pub(super) fn colors() -> &'static [Color] {
    &COLORS
}
