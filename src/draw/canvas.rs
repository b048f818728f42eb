//! A grid of signs, on which a text picture is drawn before it is lines.

use crate::draw::page::Page;
use crate::draw::palette;
use crate::memory::{Memory, try_filled};

/// The colours of a sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Ink {
    /// Those of the terminal.
    #[default]
    Plain,
    /// Those of the terminal, less striking.
    Faint,
    /// On the colour of an owner.
    Owner(u32),
}

/// Signs in rows of equal length.
pub(super) struct Canvas {
    width: usize,
    signs: Vec<(char, Ink)>,
}

/// To which sides a line goes from a place.
const UP: u8 = 1;
const DOWN: u8 = 2;
const LEFT: u8 = 4;
const RIGHT: u8 = 8;

/// Lines by the sides that they go to.
const LINES: [char; 16] =
    [' ', '╵', '╷', '│', '╴', '┘', '┐', '┤', '╶', '└', '┌', '├', '─', '┴', '┬', '┼'];

impl Canvas {
    pub(super) fn new(width: usize, height: usize) -> Memory<Self> {
        let signs = try_filled((' ', Ink::Plain), width.saturating_mul(height))?;
        Ok(Self { width, signs })
    }

    /// Writes a sign. What is outside is left out.
    pub(super) fn set(&mut self, row: usize, column: usize, sign: char, ink: Ink) {
        if column >= self.width {
            return;
        }
        let at = row.saturating_mul(self.width).saturating_add(column);
        if let Some(place) = self.signs.get_mut(at) {
            *place = (sign, ink);
        }
    }

    /// Writes a text from a column on.
    pub(super) fn write(&mut self, row: usize, column: usize, text: &str, ink: Ink) {
        for (at, sign) in text.chars().enumerate() {
            self.set(row, column.saturating_add(at), sign, ink);
        }
    }

    /// Fills a box with a sign.
    pub(super) fn fill(
        &mut self, (row, column): (usize, usize), (height, width): (usize, usize), sign: char,
        ink: Ink,
    ) {
        for row in row..row.saturating_add(height) {
            for column in column..column.saturating_add(width) {
                self.set(row, column, sign, ink);
            }
        }
    }

    /// Appends the lines to a page, without blanks at their ends.
    pub(super) fn print(&self, page: &mut Page, has_color: bool) -> Memory<()> {
        for row in self.signs.chunks(self.width.max(1)) {
            let is_blank = |(sign, ink): &(char, Ink)| {
                *sign == ' ' && (!has_color || !matches!(ink, Ink::Owner(_)))
            };
            let blank = row.iter().rev().take_while(|sign| is_blank(sign)).count();
            let end = row.len().saturating_sub(blank);
            let mut last = Ink::Plain;
            for &(sign, ink) in row.get(..end).unwrap_or_default() {
                if has_color && ink != last {
                    put_ink(page, ink)?;
                    last = ink;
                }
                page.put(sign)?;
            }
            if last != Ink::Plain {
                put_ink(page, Ink::Plain)?;
            }
            page.put('\n')?;
        }
        Ok(())
    }
}

/// The escape sequence of colours.
fn put_ink(page: &mut Page, ink: Ink) -> Memory<()> {
    match ink {
        Ink::Plain => page.put("\x1b[0m"),
        Ink::Faint => page.put("\x1b[0;2m"),
        Ink::Owner(owner) => {
            let color = palette::color(owner);
            page.put(format_args!("\x1b[0;38;5;{};48;5;{}m", color.ink_code, color.code))
        }
    }
}

/// A text on the colour of an owner, if there are colours.
pub(super) fn put_swatch(page: &mut Page, owner: u32, text: &str, has_color: bool) -> Memory<()> {
    if has_color {
        put_ink(page, Ink::Owner(owner))?;
    }
    page.put(text)?;
    if has_color { put_ink(page, Ink::Plain) } else { Ok(()) }
}

/// The sign at which lines to these sides meet.
pub(super) fn line(up: bool, down: bool, left: bool, right: bool, is_ascii: bool) -> char {
    let side = |is_there: bool, bit: u8| if is_there { bit } else { 0 };
    let sides = side(up, UP) | side(down, DOWN) | side(left, LEFT) | side(right, RIGHT);
    if !is_ascii {
        return LINES.get(sides as usize).copied().unwrap_or(' ');
    }
    match (up || down, left || right) {
        (true, true) => '+',
        (true, false) => '|',
        (false, true) => '-',
        (false, false) => ' ',
    }
}
