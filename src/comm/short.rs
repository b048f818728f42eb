//! Texts that take no memory but their own.

use std::fmt::{Debug, Display, Formatter, Write};

/// A text of at most `ROOM` bytes; what is longer ends in "...".
#[derive(Clone, Copy)]
pub(crate) struct Short<const ROOM: usize> {
    bytes: [u8; ROOM],
    len: usize,
}

/// What a rank called, or passed.
pub(super) type CallText = Short<160>;

impl<const ROOM: usize> Short<ROOM> {
    pub(crate) fn new(text: &dyn Display) -> Self {
        const DOTS: &str = "...";
        let mut short = Self { bytes: [0; ROOM], len: 0 };
        if write!(short, "{text}").is_err() {
            short.len = front(short.as_str(), ROOM.saturating_sub(DOTS.len())).len();
            // They fit, or as many of them as there is room for.
            let _ = short.write_str(DOTS);
        }
        short
    }

    pub(crate) fn as_str(&self) -> &str {
        self.bytes.get(..self.len).and_then(|text| std::str::from_utf8(text).ok()).unwrap_or("")
    }
}

/// As many whole characters of a text as fit into `room` bytes.
fn front(text: &str, room: usize) -> &str {
    (0..=room.min(text.len())).rev().find_map(|end| text.get(..end)).unwrap_or("")
}

impl<const ROOM: usize> Write for Short<ROOM> {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        let room = self.bytes.get_mut(self.len..).unwrap_or(&mut []);
        let fits = front(text, room.len());
        for (place, byte) in room.iter_mut().zip(fits.bytes()) {
            *place = byte;
        }
        self.len = self.len.saturating_add(fits.len());
        if fits.len() == text.len() { Ok(()) } else { Err(std::fmt::Error) }
    }
}

impl<const ROOM: usize> Display for Short<ROOM> {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl<const ROOM: usize> PartialEq for Short<ROOM> {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl<const ROOM: usize> Eq for Short<ROOM> {}

impl<const ROOM: usize> Debug for Short<ROOM> {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        Debug::fmt(self.as_str(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_is_all_there_and_what_does_not_ends_in_dots_on_a_whole_character() {
        let whole = "é".repeat(10);
        assert_eq!(Short::<20>::new(&whole).as_str(), whole);
        assert_eq!(Short::<19>::new(&whole).as_str(), format!("{}...", "é".repeat(8)));
        assert_eq!(Short::<20>::new(&format_args!("{}{}", 1, whole)).as_str(), "1éééééééé...");
        assert_eq!(Short::<8>::new(&format_args!("{} {}", 1, "b")).as_str(), "1 b");
        assert_eq!(Short::<2>::new(&"abc").as_str(), "..");
        assert_eq!(Short::<3>::new(&"abcd"), Short::new(&"..."));
    }
}
