//! The text that a picture is written to, and numbers as people read them.

use std::fmt::{self, Display, Write};

use crate::memory::{Memory, OutOfMemory};

/// How far everything but the title of a text is indented.
pub(super) const INDENT: usize = 2;

/// A text that grows as far as memory allows.
#[derive(Debug, Default)]
pub(super) struct Page {
    text: String,
}

impl Page {
    /// Appends a text.
    pub(super) fn put(&mut self, parts: impl Display) -> Memory<()> {
        let before = self.text.len();
        write!(self, "{parts}").map_err(|fmt::Error| OutOfMemory { bytes: before })
    }

    /// Appends a text and ends the line.
    pub(super) fn line(&mut self, parts: impl Display) -> Memory<()> {
        self.put(parts)?;
        self.put('\n')
    }

    /// Appends a sign several times.
    pub(super) fn repeat(&mut self, sign: impl Display, count: usize) -> Memory<()> {
        (0..count).try_for_each(|_| self.put(&sign))
    }

    /// Appends lines of at most `width` signs, broken between words, the first one after `first` blanks and
    /// each further one after `indent` blanks.
    pub(super) fn paragraph(
        &mut self, text: &str, first: usize, indent: usize, room: usize,
    ) -> Memory<()> {
        let mut used = first;
        self.repeat(' ', first)?;
        for (at, word) in text.split(' ').enumerate() {
            let own = width(word);
            if at > 0 && used.saturating_add(own).saturating_add(1) > room {
                self.put('\n')?;
                self.repeat(' ', indent)?;
                used = indent;
            } else if at > 0 {
                self.put(' ')?;
                used = used.saturating_add(1);
            }
            self.put(word)?;
            used = used.saturating_add(own);
        }
        self.put('\n')
    }

    pub(super) fn into_text(self) -> String {
        self.text
    }
}

impl Write for Page {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        self.text.try_reserve(part.len()).map_err(|_| fmt::Error)?;
        self.text.push_str(part);
        Ok(())
    }
}

/// A text of its own from parts, by the rules of `format!`.
macro_rules! page {
    ($($arguments:tt)*) => {{
        let mut page = $crate::draw::page::Page::default();
        page.put(::std::format_args!($($arguments)*)).map(|()| page.into_text())
    }};
}
pub(super) use page;

/// A number whose thousands are apart: 1,048,576.
pub(super) struct Thousands(pub(super) i128);

impl Display for Thousands {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (thousands, rest) = (self.0 / 1000, self.0 % 1000);
        if thousands == 0 {
            return write!(f, "{rest}");
        }
        // An i128 has no more than 13 groups.
        write!(f, "{},{:03}", Self(thousands), rest.unsigned_abs())
    }
}

/// A part of a whole in percent, of which no part and nearly all are apart.
pub(super) struct Percent {
    pub(super) part: i128,
    pub(super) whole: i128,
}

impl Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hundred = self.part.saturating_mul(100);
        let Some(percent) = hundred.checked_div(self.whole) else {
            return write!(f, "0 %");
        };
        let half = self.whole / 2;
        let rounded = hundred.saturating_add(half).checked_div(self.whole).unwrap_or(percent);
        match rounded {
            0 if self.part > 0 => write!(f, "<1 %"),
            100 if self.part < self.whole => write!(f, ">99 %"),
            _ => write!(f, "{rounded} %"),
        }
    }
}

/// An amount in at most eight signs: bytes where an element's size is known, and else elements.
pub(super) struct Amount {
    pub(super) elements: i128,
    /// Bits of an element.
    pub(super) bits: Option<usize>,
}

impl Amount {
    /// Full units, tenths of it, and its name.
    fn scaled(&self) -> (i128, i128, &'static str) {
        const BYTES: [&str; 7] = [" B", " KiB", " MiB", " GiB", " TiB", " PiB", " EiB"];
        const COUNTS: [&str; 7] = ["", " k", " M", " G", " T", " P", " E"];
        let (mut amount, unit, names) = match self.bits {
            Some(bits) => {
                let bits = self.elements.saturating_mul(i128::try_from(bits).unwrap_or(1));
                (bits.saturating_add(7) / 8, 1024i128, BYTES)
            }
            None => (self.elements, 1000, COUNTS),
        };
        // Elements below ten thousand are counted.
        if self.bits.is_none() && amount < 10_000 {
            return (amount, 0, "");
        }
        let mut tenths = 0;
        for name in names {
            // Rounded to four digits, the unit is not reached.
            if amount < unit {
                return (amount, tenths, name);
            }
            let rest = amount.checked_rem(unit).unwrap_or(0);
            tenths = rest.saturating_mul(10).checked_div(unit).unwrap_or(0);
            amount = amount.checked_div(unit).unwrap_or(0);
        }
        (amount, 0, " E")
    }
}

impl Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (amount, tenths, unit) = self.scaled();
        if tenths == 0 || amount >= 100 {
            // Three digits are enough, and are rounded.
            let amount = amount.saturating_add(i128::from(tenths >= 5));
            return f.pad(&page!("{}{unit}", Thousands(amount)).map_err(|_| fmt::Error)?);
        }
        f.pad(&page!("{amount}.{tenths}{unit}").map_err(|_| fmt::Error)?)
    }
}

/// How many signs a text has, which is how wide a terminal shows it: wide signs are not counted apart.
pub(super) fn width(text: &str) -> usize {
    text.chars().count()
}

/// The first signs of a text, with a sign that says that there were more.
pub(super) fn shortened(text: &str, most: usize) -> Memory<String> {
    let mut page = Page::default();
    let clean = |sign: char| if sign.is_control() { ' ' } else { sign };
    if width(text) <= most {
        for sign in text.chars() {
            page.put(clean(sign))?;
        }
        return Ok(page.into_text());
    }
    for sign in text.chars().take(most.saturating_sub(2)) {
        page.put(clean(sign))?;
    }
    page.put("..")?;
    Ok(page.into_text())
}
