//! The `.npy` format: one array, described by a dictionary as Python writes it.
//!
//! Source: NumPy's "A Simple File Format for NumPy Arrays" (NEP 1), versions 1, 2 and 3.

use super::error::FilesError;
use super::file_set_builder::{FileSetBuilder, NewChunk};
use super::formats::{Format, Place};
use super::system::OpenFile;
use crate::geometry::{MAX_NDIM, checked_numel};
use crate::memory::{Memory, Text, TryVec, text, try_filled};
use crate::model::{DataType, Error, Result};

/// The first bytes of such a file.
const MAGIC: &[u8] = b"\x93NUMPY";
/// Bytes of the magic and the version.
const START: u64 = 8;
/// Bytes that a header may have: NumPy refuses longer ones too, by default.
const MAX_HEADER: u64 = 1 << 16;
/// The end of the names of such files.
const SUFFIX: &str = ".npy";

/// A single array.
pub(super) struct Npy;

impl Format for Npy {
    fn recognizes(&self, place: &Place) -> bool {
        match place {
            Place::File { start, .. } => start.starts_with(MAGIC),
            Place::Directory { .. } => false,
        }
    }

    fn read(&self, place: Place, set: &mut FileSetBuilder) -> Result<()> {
        let Place::File { path, name, file, start } = place else { return Ok(()) };
        let (header, first_byte) = header(&name, &file, start.get(6).copied().unwrap_or(0))?;
        let array = Dictionary { text: &header, at: 0, file: &name }.array()?;
        let number = set.add_file(&name, path, &file)?;
        let tensor = name.strip_suffix(SUFFIX).unwrap_or(&name);
        let sizes = array.sizes.as_slice();
        let tensor = set.add_tensor(tensor, array.dtype, sizes.len(), Some(sizes))?;
        let strides = if array.is_column_major { Some(column_major(sizes)?) } else { None };
        let offsets = try_filled(0, sizes.len())?;
        let (offsets, strides) = (offsets.as_slice(), strides.as_deref());
        set.add_chunk(tensor, NewChunk { offsets, sizes, strides, file: number, first_byte })
    }
}

/// The text that describes the array, and where the array starts.
fn header(name: &str, file: &OpenFile, version: u8) -> Result<(Vec<u8>, u64)> {
    let invalid = |problem| {
        let file = Text::copy(name);
        Err(FilesError::InvalidFile { file, offset: Some(6), problem }.into())
    };
    let width = match version {
        1 => 2,
        2 | 3 => 4,
        _ => return invalid(text!("its version is {version}; 1, 2 and 3 are known")),
    };
    let start = START.saturating_add(width);
    let short = |end| {
        let (file, length, what) = (Text::copy(name), file.length(), "its header".into());
        Err(FilesError::TooShort { file, length, what, end }.into())
    };
    if file.length() < start {
        return short(start);
    }
    let bytes = file.read(name, START, width as usize)?;
    let length = bytes.iter().rev().fold(0u64, |length, &byte| length << 8 | u64::from(byte));
    if length > MAX_HEADER {
        return invalid(text!("its header has {length} bytes, more than {MAX_HEADER}"));
    }
    let end = start.saturating_add(length);
    if file.length() < end {
        return short(end);
    }
    Ok((file.read(name, start, length as usize)?, end))
}

/// The strides of an array whose first dimension goes through neighbours.
fn column_major(sizes: &[i64]) -> Memory<Vec<i64>> {
    let (mut strides, mut next) = (Vec::new(), 1i64);
    for &size in sizes {
        strides.try_push(next)?;
        next = next.saturating_mul(size.max(1));
    }
    Ok(strides)
}

/// What a header says.
struct DescribedArray {
    dtype: DataType,
    is_column_major: bool,
    sizes: Vec<i64>,
}

/// A dictionary of Python's, as far as headers use them.
struct Dictionary<'a> {
    text: &'a [u8],
    at: usize,
    file: &'a str,
}

impl<'a> Dictionary<'a> {
    fn invalid(&self, problem: impl Into<Text>) -> Error {
        let (file, problem) = (Text::copy(self.file), problem.into());
        FilesError::InvalidFile { file, offset: None, problem }.into()
    }

    fn array(mut self) -> Result<DescribedArray> {
        let (mut dtype, mut order, mut shape) = (None, None, None);
        self.expect(b'{')?;
        while !self.takes(b'}') {
            let name = self.string()?;
            self.expect(b':')?;
            match name {
                "descr" => dtype = Some(self.dtype()?),
                "fortran_order" => order = Some(self.truth()?),
                "shape" => shape = Some(self.shape()?),
                _ => return Err(self.invalid(text!("its header has the unknown key {name:?}"))),
            }
            if !self.takes(b',') {
                self.expect(b'}')?;
                break;
            }
        }
        match (dtype, order, shape) {
            (Some(dtype), Some(is_column_major), Some(sizes)) => {
                Ok(DescribedArray { dtype, is_column_major, sizes })
            }
            _ => Err(self.invalid("its header lacks descr, fortran_order or shape")),
        }
    }

    fn dtype(&mut self) -> Result<DataType> {
        self.skip_spaces();
        if self.rest().first() == Some(&b'[') {
            let what = text!("{}: elements with named fields are not supported", self.file);
            return Err(Error::Unsupported { what });
        }
        let descr = self.string()?;
        let known = dtype_of(descr);
        known.ok_or_else(|| {
            let what = text!(
                "{}: elements {descr:?} are not supported; little-endian numbers, booleans and raw bytes \
                 are",
                self.file
            );
            Error::Unsupported { what }
        })
    }

    fn truth(&mut self) -> Result<bool> {
        self.skip_spaces();
        for (word, truth) in [("True", true), ("False", false)] {
            if self.rest().starts_with(word.as_bytes()) {
                self.at = self.at.saturating_add(word.len());
                return Ok(truth);
            }
        }
        Err(self.invalid("its header's fortran_order is neither True nor False"))
    }

    fn shape(&mut self) -> Result<Vec<i64>> {
        let mut sizes = Vec::new();
        self.expect(b'(')?;
        while !self.takes(b')') {
            let digits = self.rest().iter().take_while(|byte| byte.is_ascii_digit()).count();
            let text = self.rest().get(..digits).and_then(|digits| str::from_utf8(digits).ok());
            let Some(size) = text.and_then(|text| text.parse().ok()) else {
                return Err(self.invalid("a size of its shape is no number of 64 bits"));
            };
            self.at = self.at.saturating_add(digits);
            if sizes.len() == MAX_NDIM {
                return Err(self.invalid(text!("it has more than {MAX_NDIM} dimensions")));
            }
            sizes.try_push(size)?;
            // Old files have Python's mark of a long number.
            self.takes(b'L');
            if !self.takes(b',') {
                self.expect(b')')?;
                break;
            }
        }
        if checked_numel(&sizes).is_none() {
            return Err(self.invalid("its shape has more elements than 64 bits count"));
        }
        Ok(sizes)
    }

    /// A text in either kind of quotation marks. None of a header has an escape.
    fn string(&mut self) -> Result<&'a str> {
        self.skip_spaces();
        let rest = self.rest();
        let found = match rest.split_first() {
            Some((mark @ (b'\'' | b'"'), rest)) => {
                let end = rest.iter().position(|byte| byte == mark);
                end.and_then(|end| str::from_utf8(rest.get(..end)?).ok())
            }
            _ => None,
        };
        let Some(text) = found.filter(|text| !text.contains('\\')) else {
            return Err(self.invalid("its header has no text where one is needed"));
        };
        self.at = self.at.saturating_add(text.len()).saturating_add(2);
        Ok(text)
    }

    fn rest(&self) -> &'a [u8] {
        self.text.get(self.at..).unwrap_or(&[])
    }

    fn skip_spaces(&mut self) {
        let spaces = self.rest().iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        self.at = self.at.saturating_add(spaces);
    }

    fn takes(&mut self, byte: u8) -> bool {
        self.skip_spaces();
        let takes = self.rest().first() == Some(&byte);
        self.at = self.at.saturating_add(usize::from(takes));
        self.skip_spaces();
        takes
    }

    fn expect(&mut self, byte: u8) -> Result<()> {
        if self.takes(byte) {
            return Ok(());
        }
        Err(self.invalid(text!("its header has no '{}' where one is needed", char::from(byte))))
    }
}

/// The element type that a text of NumPy's stands for: a byte order, a kind and a number of bytes.
fn dtype_of(descr: &str) -> Option<DataType> {
    let (order, kind, bytes) = (descr.get(..1)?, descr.get(1..2)?, descr.get(2..)?);
    let bytes = bytes.parse::<u16>().ok().filter(|&bytes| bytes > 0)?;
    let bits = u8::try_from(bytes.checked_mul(8)?).ok();
    let number = |code, widths: &[u16]| {
        let known = widths.contains(&bytes) && (order == "<" || bytes == 1 && order == "|");
        Some(DataType { code, bits: bits.filter(|_| known)?, lanes: 1 })
    };
    match kind {
        "b" => number(6, &[1]),
        "i" => number(0, &[1, 2, 4, 8]),
        "u" => number(1, &[1, 2, 4, 8]),
        "f" => number(2, &[2, 4, 8, 16]),
        "c" => number(5, &[8, 16]),
        // Bytes without a meaning: so NumPy stores types that are not its own.
        "V" => Some(DataType { code: 1, bits: 8, lanes: bytes }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn array(text: &str) -> Result<DescribedArray> {
        Dictionary { text: text.as_bytes(), at: 0, file: "file" }.array()
    }

    #[test]
    fn headers_say_type_order_and_shape() {
        let text = "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }      \n";
        let found = array(text).unwrap();
        assert_eq!((found.dtype, found.is_column_major), (DataType::FLOAT32, false));
        assert_eq!(found.sizes, [3, 4]);
        let found = array("{\"shape\":(),'fortran_order':True,'descr':'|b1'}").unwrap();
        assert_eq!((found.dtype.code, found.is_column_major, found.sizes.len()), (6, true, 0));
        assert_eq!(
            array("{'descr': '|V2', 'fortran_order': False, 'shape': (7L,)}").unwrap().sizes,
            [7]
        );
    }

    #[test]
    fn headers_that_are_none_are_refused() {
        for text in [
            "",
            "{",
            "{}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4)",
            "{'descr': '<f4', 'fortran_order': 0, 'shape': (3, 4)}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': 3}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (-3,)}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (9223372036854775808,)}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (9223372036854775807, 2)}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (3,), 'more': 'x'}",
            "{'descr': '<f4' 'fortran_order': False, 'shape': (3,)}",
        ] {
            assert!(array(text).is_err(), "{text}");
        }
        for descr in
            ["'>f4'", "'<f3'", "'<U8'", "'<O8'", "'|O'", "'<M8[s]'", "[('a', '<f4')]", "'é'", "''"]
        {
            let text = format!("{{'descr': {descr}, 'fortran_order': False, 'shape': (3,)}}");
            assert!(matches!(array(&text), Err(Error::Unsupported { .. })), "{text}");
        }
    }
}
