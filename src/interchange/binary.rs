//! Documents as bytes: a JSON text whose long arrays stand behind it as numbers of 32 or 64 bits.
//!
//! | bytes | what |
//! |---|---|
//! | 0 to 7 | [`MAGIC`] |
//! | 8 to 15 | the version of this form |
//! | 16 to 23 | the number of all bytes |
//! | 24 to 31 | the number of bytes of the text, a multiple of 8 |
//! | from 32 on | the text, with spaces behind it |
//! | | the arrays in the order of the text, each with zeros behind it up to a multiple of 8 |
//! | the last 8 | the CRC-64/NVME of all bytes before |
//!
//! All numbers are little-endian. In the text, an array behind it is `{"i64":5}`: five numbers of 64 bits.

use super::document::{DocumentWriter, NumberArray};
use super::error::InterchangeError;
use super::json::{ALIGNMENT, JsonReader, NumberReader};
use crate::error::{Error, Result};
use crate::host::digest::RunningCrc;
use crate::memory::{Text, text, try_with_capacity};

/// The first bytes. The first one is no text, and a program that converts ends of lines changes the others.
const MAGIC: [u8; 8] = *b"\x8cshard\r\n";
/// The version of the form that is written, and the newest that is read.
const VERSION: u64 = 1;
/// Bytes before the text.
const TEXT_START: usize = 32;
/// Bytes of the checksum.
const CHECKSUM: usize = 8;
/// The argument that bytes come in.
const ARGUMENT: &str = "bytes";
/// Numbers that are written at a time: their bytes stay in the first-level cache.
const NUMBERS_AT_A_TIME: usize = 512;

/// A document as bytes, before they are put anywhere.
#[derive(Debug)]
pub struct BinaryForm<'a> {
    text: String,
    arrays: Vec<NumberArray<'a>>,
    length: usize,
}

impl<'a> BinaryForm<'a> {
    /// The form of a document.
    pub(super) fn new(document: DocumentWriter<'a>) -> Result<Self> {
        let (mut text, arrays) = document.end()?;
        let padding = padding_of(text.len());
        text.try_reserve(padding)?;
        text.extend(std::iter::repeat_n(' ', padding));
        let padded = |array: &NumberArray<'_>| array.bytes().checked_next_multiple_of(ALIGNMENT);
        let mut parts = arrays.iter().map(padded);
        let fixed = TEXT_START.saturating_add(CHECKSUM).checked_add(text.len());
        let length = parts.try_fold(fixed, |sum, part| Some(sum?.checked_add(part?)));
        let length = length.flatten().ok_or_else(|| Error::overflow("the number of bytes"))?;
        Ok(Self { text, arrays, length })
    }

    /// How many bytes it has.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether it has no bytes, which it never has.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Its bytes.
    pub fn to_vec(&self) -> Result<Vec<u8>> {
        let mut bytes = try_with_capacity(self.length)?;
        self.write(&mut |part| bytes.extend_from_slice(part));
        Ok(bytes)
    }

    /// Hands on all bytes, part by part.
    pub(crate) fn write(&self, sink: &mut dyn FnMut(&[u8])) {
        let mut crc = RunningCrc::new();
        let mut put = |part: &[u8]| {
            crc.update(part);
            sink(part);
        };
        put(&MAGIC);
        for number in [VERSION, self.length as u64, self.text.len() as u64] {
            put(&number.to_le_bytes());
        }
        put(self.text.as_bytes());
        for array in &self.arrays {
            match array {
                NumberArray::Long(numbers) => put_numbers(numbers, i64::to_le_bytes, &mut put),
                NumberArray::Made(numbers) => put_numbers(numbers, i64::to_le_bytes, &mut put),
                NumberArray::Short(numbers) => put_numbers(numbers, u32::to_le_bytes, &mut put),
            }
            put([0; ALIGNMENT].get(..padding_of(array.bytes())).unwrap_or_default());
        }
        sink(&crc.value().to_le_bytes());
    }
}

/// How many bytes are between so many and the next multiple of [`ALIGNMENT`].
fn padding_of(bytes: usize) -> usize {
    bytes.wrapping_neg() % ALIGNMENT
}

/// Hands on the bytes of numbers.
fn put_numbers<T: Copy, const WIDTH: usize>(
    numbers: &[T], bytes_of: impl Fn(T) -> [u8; WIDTH], put: &mut dyn FnMut(&[u8]),
) {
    let mut room = [[0; WIDTH]; NUMBERS_AT_A_TIME];
    for some in numbers.chunks(NUMBERS_AT_A_TIME) {
        let Some(places) = room.get_mut(..some.len()) else { continue };
        for (place, &number) in places.iter_mut().zip(some) {
            *place = bytes_of(number);
        }
        put(places.as_flattened());
    }
}

/// The text of a document that came as bytes, ready to be read. Its checksum is right.
pub(super) fn open(bytes: &[u8]) -> Result<JsonReader<'_>> {
    let invalid = |at: usize, problem: Text| -> Error {
        InterchangeError::Invalid { argument: ARGUMENT, at, problem }.into()
    };
    let (found, _) = bytes.split_at(bytes.len().min(MAGIC.len()));
    if found != MAGIC {
        let same = found.iter().zip(&MAGIC).take_while(|(own, expected)| own == expected).count();
        let problem =
            "this is no layout in the binary form, or a program changed it as if it were text";
        return Err(invalid(same, problem.into()));
    }
    let number = |at: usize| {
        let own = bytes.get(at..).and_then(<[u8]>::first_chunk::<8>);
        own.map(|own| u64::from_le_bytes(*own)).ok_or_else(|| too_short(bytes))
    };
    let version = number(8)?;
    if version > VERSION {
        let what = text!(
            "version {version} of the binary form is newer than version {VERSION}, the newest that this \
             version of the library reads; use a newer one"
        );
        return Err(InterchangeError::Unknown { argument: ARGUMENT, at: 8, what }.into());
    }
    if version < VERSION {
        return Err(invalid(8, "versions are counted from 1".into()));
    }
    let (length, text_length) = (number(16)?, number(24)?);
    if usize::try_from(length) != Ok(bytes.len()) {
        let there = bytes.len();
        return Err(invalid(16, text!("it has {length} bytes, and {there} were passed")));
    }
    let Some((body, checksum)) = bytes.split_last_chunk::<CHECKSUM>() else {
        return Err(too_short(bytes));
    };
    let mut crc = RunningCrc::new();
    crc.update(body);
    let (expected, found) = (crc.value(), u64::from_le_bytes(*checksum));
    if expected != found {
        let problem = text!(
            "the checksum is {found:#018x}, and that of the bytes before is {expected:#018x}; they were \
             damaged"
        );
        return Err(invalid(body.len(), problem));
    }
    let behind = body.get(TEXT_START..).unwrap_or_default();
    let parts = usize::try_from(text_length).ok().and_then(|end| behind.split_at_checked(end));
    match parts {
        Some((text, arrays)) if text.len().is_multiple_of(ALIGNMENT) => {
            let json = JsonReader::new(text, ARGUMENT, TEXT_START);
            Ok(json.with_numbers(NumberReader::new(arrays)))
        }
        _ => {
            let (left, eight) = (behind.len(), ALIGNMENT);
            let problem = text!(
                "the text has {text_length} bytes; it has at most {left}, and a multiple of {eight}"
            );
            Err(invalid(24, problem))
        }
    }
}

/// The refusal of fewer bytes than every document has.
fn too_short(bytes: &[u8]) -> Error {
    let (at, least) = (bytes.len(), TEXT_START.saturating_add(CHECKSUM));
    let problem = text!("the bytes end here, and a layout has at least {least}");
    InterchangeError::Invalid { argument: ARGUMENT, at, problem }.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interchange::document::DocumentKind;

    #[test]
    fn the_form_is_what_the_table_says() -> crate::memory::Memory<()> {
        let (long, short) = ([1i64, -2], [7u32]);
        let mut document = DocumentWriter::with_arrays_behind(DocumentKind::Spec)?;
        document.short_numbers("a", &short)?;
        document.long_numbers("b", &long)?;
        let form = BinaryForm::new(document).unwrap();
        let bytes = form.to_vec().unwrap();
        assert_eq!((bytes.len() % 8, bytes.len()), (0, form.len()));
        assert_eq!((&bytes[..8], bytes[8]), (&MAGIC[..], 1));
        let number = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
        assert_eq!(number(16), bytes.len() as u64);
        let arrays = 32 + number(24) as usize;
        let text = str::from_utf8(&bytes[32..arrays]).unwrap();
        let expected = r#"{"kind":"shardspec.spec","version":1,"a":{"u32":1},"b":{"i64":2}}"#;
        assert_eq!(text.trim_end(), expected);
        assert_eq!([number(arrays), number(arrays + 8)], [7, 1]);
        assert_eq!(number(arrays + 16), -2i64 as u64);
        let mut crc = RunningCrc::new();
        // In any parts.
        bytes[..bytes.len() - 8].chunks(7).for_each(|part| crc.update(part));
        assert_eq!(number(bytes.len() - 8), crc.value());
        Ok(())
    }

    /// The bytes of a text with a checksum that is right.
    fn sealed(text: &str, behind: &'static [i64]) -> Vec<u8> {
        let mut padded = text.to_owned();
        padded.extend(std::iter::repeat_n(' ', padding_of(text.len())));
        let arrays = vec![NumberArray::Long(behind)];
        let length = [TEXT_START, padded.len(), size_of_val(behind), CHECKSUM].iter().sum();
        BinaryForm { text: padded, arrays, length }.to_vec().unwrap()
    }

    #[test]
    fn arrays_that_are_only_said_to_be_there_are_refused_and_cost_nothing() {
        let head = r#"{"kind":"shardspec.spec","version":1,"enumerable":{"ndim":1,"offsets":"#;
        for (rest, why) in [
            (r#"{"i64":1152921504606846976}"#, "1152921504606846976 numbers of 8 bytes"),
            (r#"{"i64":18446744073709551615}"#, "16 bytes are left"),
            (r#"{"i64":3}"#, "an array of 3 numbers of 8 bytes is not there"),
            (r#"{"u32":3}"#, "the field \"u32\" is not known"),
            (r#"{"i64":1},"sizes":{"i64":1},"placements":["w"],"owners":{"u32":1}}}"#, "0 bytes"),
            (r#"{"i64":1},"sizes":[1],"placements":["w"]}}"#, "does not name all arrays"),
            (r#"{"i64":1},"sizes":[1],"placements":["w"],"owners":{"u32":1}}}"#, "are not 0"),
        ] {
            let bytes = sealed(&format!("{head}{rest}"), &[0, -1]);
            let refused = crate::interchange::spec_from_binary(&bytes).unwrap_err().to_string();
            assert!(refused.starts_with("bytes: byte ") && refused.contains(why), "{refused}");
        }
    }
}
