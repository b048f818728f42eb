//! Texts of messages.

use std::fmt::{self, Write};
use std::hash::{Hash, Hasher};
use std::ops::Deref;

use super::{Memory, try_string};

/// How many characters of a text a message shows.
const MAX_SHOWN: usize = 24;

/// Stands for a text that there was no memory for.
const LOST: &str = "(no memory was left for the rest of this message)";

/// A text of a message. Where there is no memory for it, a remark that says so takes its place: an
/// error that lost its words is still that error.
pub struct Text(Characters);

enum Characters {
    Static(&'static str),
    Owned(String),
}

/// A [`Text`], by the rules of `format!`.
macro_rules! text {
    ($($arguments:tt)*) => {
        $crate::memory::Text::format(::std::format_args!($($arguments)*))
    };
}
pub(crate) use text;

impl Text {
    /// A text from its parts; use the macro `text!`.
    pub fn format(parts: fmt::Arguments<'_>) -> Self {
        if let Some(text) = parts.as_str() {
            return Self(Characters::Static(text));
        }
        let mut written = Growing(String::new());
        match written.write_fmt(parts) {
            Ok(()) => Self(Characters::Owned(written.0)),
            Err(fmt::Error) => Self(Characters::Static(LOST)),
        }
    }

    /// A copy of a text that is compared, such as a name: the remark would equal that of another text.
    pub fn try_copy(text: &str) -> Memory<Self> {
        try_string(text).map(Self::from)
    }

    /// A copy of a text that is read only.
    pub fn copy(text: &str) -> Self {
        Self(try_string(text).map_or(Characters::Static(LOST), Characters::Owned))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Characters::Static(text) => text,
            Characters::Owned(text) => text,
        }
    }
}

/// A string that says so where it can't grow.
struct Growing(String);

impl Write for Growing {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        self.0.try_reserve(part.len()).map_err(|_| fmt::Error)?;
        self.0.push_str(part);
        Ok(())
    }
}

impl From<&'static str> for Text {
    fn from(text: &'static str) -> Self {
        Self(Characters::Static(text))
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(Characters::Owned(text))
    }
}

impl Clone for Text {
    fn clone(&self) -> Self {
        match &self.0 {
            Characters::Static(text) => Self(Characters::Static(text)),
            Characters::Owned(text) => Self::copy(text),
        }
    }
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Text {}

impl Hash for Text {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl Default for Text {
    fn default() -> Self {
        Self(Characters::Static(""))
    }
}

impl PartialEq<str> for Text {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for Text {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.as_str(), f)
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

/// A part of a text in a message: quoted, and cut where it is long.
pub(crate) struct Shown<'a>(pub(crate) &'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.char_indices().nth(MAX_SHOWN) {
            None => write!(f, "{:?}", self.0),
            Some((end, _)) => write!(f, "{:?}...", self.0.get(..end).unwrap_or("")),
        }
    }
}
