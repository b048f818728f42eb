//! Writing JSON: one text without spaces, in memory that can be refused.

use std::fmt::{self, Write};

use crate::memory::{Memory, OutOfMemory};

/// A JSON text that is being written.
#[derive(Debug, Default)]
pub(crate) struct JsonWriter(String);

impl Write for JsonWriter {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.write(text).map_err(|_| fmt::Error)
    }
}

impl JsonWriter {
    /// What was written so far.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// What was written.
    pub(crate) fn into_string(self) -> String {
        self.0
    }

    /// Writes a part of the text as it is.
    pub(crate) fn write(&mut self, text: &str) -> Memory<()> {
        self.0.try_reserve(text.len()).map_err(|_| OutOfMemory { bytes: text.len() })?;
        self.0.push_str(text);
        Ok(())
    }

    /// Writes a part of the text by the rules of `format!`.
    pub(crate) fn format(&mut self, parts: fmt::Arguments<'_>) -> Memory<()> {
        self.write_fmt(parts).map_err(|fmt::Error| OutOfMemory { bytes: 0 })
    }

    /// The name of a field, behind a comma where the object has fields already.
    pub(crate) fn field(&mut self, name: &str) -> Memory<()> {
        // A text ends in a quotation mark: only an object that was just opened ends in this.
        if !self.0.ends_with('{') {
            self.write(",")?;
        }
        self.text(name)?;
        self.write(":")
    }

    /// A text, with what JSON does not allow in one as escapes.
    pub(crate) fn text(&mut self, text: &str) -> Memory<()> {
        self.write("\"")?;
        self.escape(text)?;
        self.write("\"")
    }

    /// The text of a value.
    pub(crate) fn text_of(&mut self, value: &impl fmt::Display) -> Memory<()> {
        self.write("\"")?;
        write!(Escaping(self), "{value}").map_err(|fmt::Error| OutOfMemory { bytes: 0 })?;
        self.write("\"")
    }

    /// The inside of a text.
    fn escape(&mut self, text: &str) -> Memory<()> {
        let mut rest = text;
        while let Some(at) = rest.find(|c: char| matches!(c, '"' | '\\') || c < ' ') {
            let (plain, special) = rest.split_at(at);
            self.write(plain)?;
            let mut characters = special.chars();
            match characters.next() {
                Some('"') => self.write("\\\"")?,
                Some('\\') => self.write("\\\\")?,
                Some(control) => self.format(format_args!("\\u{:04x}", u32::from(control)))?,
                None => {}
            }
            rest = characters.as_str();
        }
        self.write(rest)
    }

    /// A number.
    pub(crate) fn number(&mut self, number: i64) -> Memory<()> {
        let mut digits = [0u8; 20];
        let mut at = digits.len();
        let mut rest = number.unsigned_abs();
        loop {
            at = at.saturating_sub(1);
            if let Some(place) = digits.get_mut(at) {
                // Below 10.
                *place = b'0' | (rest % 10) as u8;
            }
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        if number < 0 {
            self.write("-")?;
        }
        let digits = digits.get(at..).unwrap_or_default();
        // They are ASCII.
        self.write(str::from_utf8(digits).unwrap_or_default())
    }

    /// An array of numbers.
    pub(crate) fn numbers(&mut self, numbers: impl IntoIterator<Item = i64>) -> Memory<()> {
        self.list('[', numbers, Self::number)?;
        self.write("]")
    }

    /// An array of texts.
    pub(crate) fn texts<'t>(&mut self, texts: impl IntoIterator<Item = &'t str>) -> Memory<()> {
        self.list('[', texts, Self::text)?;
        self.write("]")
    }

    /// Values behind an opening bracket, with commas between them.
    pub(crate) fn list<T, E: From<OutOfMemory>>(
        &mut self, open: char, values: impl IntoIterator<Item = T>,
        mut write: impl FnMut(&mut Self, T) -> Result<(), E>,
    ) -> Result<(), E> {
        self.write(open.encode_utf8(&mut [0; 4]))?;
        for (at, value) in values.into_iter().enumerate() {
            if at > 0 {
                self.write(",")?;
            }
            write(self, value)?;
        }
        Ok(())
    }
}

/// Writes the parts of a text, with escapes.
struct Escaping<'a>(&'a mut JsonWriter);

impl Write for Escaping<'_> {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        self.0.escape(part).map_err(|_| fmt::Error)
    }
}

/// A text by the rules of `format!`, for names: unlike texts of messages, none may be lost.
pub(crate) fn try_format(parts: fmt::Arguments<'_>) -> Memory<String> {
    let mut text = JsonWriter::default();
    text.format(parts)?;
    Ok(text.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_numbers_are_read_back_by_a_general_reader() {
        for text in ["", "plain", "a\"b\\c\n\u{1}\u{1f}\u{7f}é\u{10ffff}", "\u{0}", "\\\\\"\""] {
            let mut json = JsonWriter::default();
            json.text(text).unwrap();
            assert_eq!(serde_json::from_str::<String>(json.as_str()).unwrap(), text);
            let mut of_value = JsonWriter::default();
            of_value.text_of(&format_args!("{text}{}", 1)).unwrap();
            let expected = format!("{text}1");
            assert_eq!(serde_json::from_str::<String>(of_value.as_str()).unwrap(), expected);
        }
        let numbers = [0, 1, -1, 9, 10, -10, 99, i64::MAX, i64::MIN, i64::MAX / 10];
        let mut json = JsonWriter::default();
        json.numbers(numbers).unwrap();
        assert_eq!(serde_json::from_str::<Vec<i64>>(json.as_str()).unwrap(), numbers);
    }

    #[test]
    fn fields_have_commas_between_them() {
        let mut json = JsonWriter::default();
        json.write("{").unwrap();
        for name in ["a", "b{", "c"] {
            json.field(name).unwrap();
            json.text("{").unwrap();
        }
        json.write("}").unwrap();
        assert_eq!(json.as_str(), r#"{"a":"{","b{":"{","c":"{"}"#);
    }
}
