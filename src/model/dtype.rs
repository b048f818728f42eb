//! Element types, as DLPack names them.
//!
//! Source: `DLDataType` of DLPack 1.1. Elements are only ever moved, never computed with, so a
//! code that is not known here is still a valid type.

use std::fmt;

use crate::error::{Error, Result};
use crate::memory::text;

/// The meaning of the bits of one lane: DLPack's `DLDataTypeCode`, its text name, and the widths in
/// which the name carries no width suffix (`0`: the width is always written).
struct Code {
    code: u8,
    name: &'static str,
    /// `Some(bits)` when the name alone fixes the width, as in `float8_e5m2` or `bool`.
    fixed_bits: Option<u8>,
}

const CODES: [Code; 18] = [
    Code { code: 0, name: "int", fixed_bits: None },
    Code { code: 1, name: "uint", fixed_bits: None },
    Code { code: 2, name: "float", fixed_bits: None },
    Code { code: 3, name: "handle", fixed_bits: None },
    Code { code: 4, name: "bfloat", fixed_bits: None },
    Code { code: 5, name: "complex", fixed_bits: None },
    Code { code: 6, name: "bool", fixed_bits: Some(8) },
    Code { code: 7, name: "float8_e3m4", fixed_bits: Some(8) },
    Code { code: 8, name: "float8_e4m3", fixed_bits: Some(8) },
    Code { code: 9, name: "float8_e4m3b11fnuz", fixed_bits: Some(8) },
    Code { code: 10, name: "float8_e4m3fn", fixed_bits: Some(8) },
    Code { code: 11, name: "float8_e4m3fnuz", fixed_bits: Some(8) },
    Code { code: 12, name: "float8_e5m2", fixed_bits: Some(8) },
    Code { code: 13, name: "float8_e5m2fnuz", fixed_bits: Some(8) },
    Code { code: 14, name: "float8_e8m0fnu", fixed_bits: Some(8) },
    Code { code: 15, name: "float6_e2m3fn", fixed_bits: Some(6) },
    Code { code: 16, name: "float6_e3m2fn", fixed_bits: Some(6) },
    Code { code: 17, name: "float4_e2m1fn", fixed_bits: Some(4) },
];

/// An element type: `lanes` values of `bits` bits each, meaning what `code` says.
///
/// ```
/// use shardspec::model::DataType;
///
/// let dtype = DataType::parse("bfloat16")?;
/// assert_eq!((dtype.itemsize()?, dtype.to_string().as_str()), (2, "bfloat16"));
/// let packed = DataType::parse("int4")?;
/// assert_eq!(packed.storage_bytes(5), Some(3));
/// # Ok::<(), shardspec::model::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct DataType {
    /// DLPack's `DLDataTypeCode`.
    pub code: u8,
    /// Bits of one lane.
    pub bits: u8,
    /// Values in one element: 1, but for vector types.
    pub lanes: u16,
}

impl DataType {
    /// `float32`, the default of torch.
    pub const FLOAT32: Self = Self { code: 2, bits: 32, lanes: 1 };

    /// Checks that the type can exist: at least one bit and one lane, and the width that its code
    /// demands.
    pub fn validate(self, argument: &'static str) -> Result<Self> {
        if self.bits == 0 || self.lanes == 0 {
            return Err(Error::invalid(
                argument,
                text!(
                    "code {}, bits {}, lanes {} is not an element type; bits and lanes must be > \
                     0, and bits at most 255: describe wider numbers by several lanes, or by one \
                     more dimension",
                    self.code,
                    self.bits,
                    self.lanes
                ),
            ));
        }
        Ok(self)
    }

    /// Bits of one element, all lanes together.
    pub fn element_bits(self) -> usize {
        // At most 255 * 65535.
        usize::from(self.bits).saturating_mul(usize::from(self.lanes))
    }

    /// Whether elements are no whole bytes. They are packed then: the element after another starts
    /// with the next bit, counted from a byte's least significant one.
    pub fn is_packed(self) -> bool {
        !self.element_bits().is_multiple_of(8)
    }

    /// Bytes of one element. Packed ones have no size in bytes: [`Error::Unsupported`].
    pub fn itemsize(self) -> Result<usize> {
        self.validate("dtype")?;
        if self.is_packed() {
            let bits = self.element_bits();
            let what = text!(
                "dtype {self}: an element has {bits} bits, which is not a whole number of bytes; \
                 ask for the bytes of several elements"
            );
            return Err(Error::Unsupported { what });
        }
        Ok(self.element_bits() / 8)
    }

    /// Bytes of `count` elements, one behind the other; packed ones may leave some bits of the last
    /// byte over. `None` where that is more than memory can have.
    pub fn storage_bytes(self, count: u64) -> Option<usize> {
        let bits = u128::from(count).checked_mul(self.element_bits() as u128)?;
        let bytes = usize::try_from(bits.div_ceil(8)).ok()?;
        isize::try_from(bytes).is_ok().then_some(bytes)
    }

    /// Reads `float32`, `bfloat16`, `uint8`, `bool`, `float8_e4m3fn`, and with lanes `float32x4`.
    pub fn parse(text: &str) -> Result<Self> {
        Self::parse_parts(text).ok_or_else(|| {
            if let Some(bits) = bits_too_many(text) {
                let problem = text!(
                    "{text:?} has {bits} bits, and a lane of an element type at most 255; write \
                     several lanes, as in 'float128x2', or add a dimension"
                );
                return Error::invalid("text", problem);
            }
            Error::invalid(
                "text",
                text!(
                    "{text:?} is not a dtype; write a name such as 'float32', 'bfloat16', 'int64', \
                     'bool' or 'float8_e4m3fn', with lanes as in 'float32x4'"
                ),
            )
        })
    }

    fn parse_parts(text: &str) -> Option<Self> {
        if let Some(numbers) = text.strip_prefix("code") {
            return Self::parse_numbers(numbers);
        }
        let names = CODES.iter().filter(|code| text.starts_with(code.name));
        let code = names.max_by_key(|code| code.name.len())?;
        let rest = text.get(code.name.len()..)?;
        let (bits, lanes) = match rest.split_once('x') {
            Some((bits, lanes)) => (bits, decimal(lanes)?),
            None => (rest, 1),
        };
        let bits = match code.fixed_bits {
            Some(fixed) => bits.is_empty().then_some(fixed)?,
            None => u8::try_from(decimal(bits)?).ok()?,
        };
        Some(Self { code: code.code, bits, lanes })
    }

    /// The text of a type without a name, after "code": `200_16`, `200_16x2`.
    fn parse_numbers(text: &str) -> Option<Self> {
        let (code, rest) = text.split_once('_')?;
        let (bits, lanes) = match rest.split_once('x') {
            Some((bits, lanes)) => (bits, decimal(lanes)?),
            None => (rest, 1),
        };
        let code = if code == "0" { 0 } else { u8::try_from(decimal(code)?).ok()? };
        let dtype = Self { code, bits: u8::try_from(decimal(bits)?).ok()?, lanes };
        // One spelling for each type: those with a name go by it.
        dtype.name().is_none().then_some(dtype)
    }

    /// The name of the code, and whether it fixes the width; `None` where there is no name for this
    /// width.
    fn name(self) -> Option<(&'static str, bool)> {
        let code = CODES.iter().find(|code| code.code == self.code)?;
        let fits = code.fixed_bits.is_none_or(|bits| bits == self.bits);
        fits.then_some((code.name, code.fixed_bits.is_some()))
    }
}

/// The bits of what would be an element type if a lane could have so many.
fn bits_too_many(text: &str) -> Option<u16> {
    let code = CODES.iter().filter(|code| code.fixed_bits.is_none());
    let mut rests = code.filter_map(|code| text.strip_prefix(code.name));
    rests.find_map(decimal).filter(|&bits| bits > 255)
}

/// A positive number in its one canonical spelling: no sign, no leading zero.
fn decimal(text: &str) -> Option<u16> {
    let canonical = !text.starts_with(['0', '+']);
    text.parse().ok().filter(|_| canonical)
}

impl fmt::Display for DataType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some((name, true)) => f.write_str(name)?,
            Some((name, false)) => write!(f, "{name}{}", self.bits)?,
            None => write!(f, "code{}_{}", self.code, self.bits)?,
        }
        if self.lanes != 1 {
            write!(f, "x{}", self.lanes)?;
        }
        Ok(())
    }
}

impl fmt::Debug for DataType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_dtype_survives_its_text() {
        for code in 0..=255 {
            for bits in [1u8, 4, 6, 8, 16, 32, 64, 128] {
                for lanes in [1u16, 2, 4, 65535] {
                    let dtype = DataType { code, bits, lanes };
                    assert_eq!(DataType::parse(&dtype.to_string()), Ok(dtype), "{dtype}");
                }
            }
        }
    }

    #[test]
    fn texts_that_are_no_dtype_are_refused() {
        for text in ["", "x", "float", "float0", "float032", "float+8", "float32x0", "float32x"] {
            assert!(DataType::parse(text).is_err(), "{text:?}");
        }
        for text in ["code2_32", "code18", "code018_8", "code256_8", "code18_8x0", "code18_0"] {
            assert!(DataType::parse(text).is_err(), "{text:?}");
        }
        for text in ["bool1", "float8_e5m2x", "Float32", " float32", "float256", "int8x65536"] {
            assert!(DataType::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn numbers_that_are_too_wide_are_told_how_to_be_written() {
        for text in ["complex256", "int256", "float512", "uint65535"] {
            let refused = DataType::parse(text).unwrap_err().to_string();
            assert!(refused.contains("at most 255; write several lanes"), "{refused}");
        }
        // 256 bits, in the 8 that there are for them.
        let wrapped = DataType { code: 5, bits: 0, lanes: 1 }.validate("dtype").unwrap_err();
        assert!(
            wrapped.to_string().contains("bits at most 255: describe wider numbers"),
            "{wrapped}"
        );
        assert!(DataType::parse("float128x2").is_ok() && DataType::parse("uint255").is_ok());
    }

    #[test]
    fn elements_that_are_no_whole_bytes_have_no_itemsize() {
        for text in ["float4_e2m1fn", "float6_e2m3fn", "int4x3", "uint1", "uint12"] {
            let dtype = DataType::parse(text).unwrap();
            assert!(matches!(dtype.itemsize(), Err(Error::Unsupported { .. })), "{text}");
        }
        for (text, expected) in [
            ("float32x3", 12),
            ("bool", 1),
            ("complex128", 16),
            ("uint8x3", 3),
            ("int4x2", 1),
            ("float6_e2m3fnx4", 3),
            ("uint1x8", 1),
            ("uint12x2", 3),
        ] {
            assert_eq!(DataType::parse(text).unwrap().itemsize(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn many_packed_elements_have_bytes() {
        for (text, count, expected) in [
            ("int4", 0, Some(0)),
            ("int4", 1, Some(1)),
            ("int4", 2, Some(1)),
            ("int4", 3, Some(2)),
            ("uint1", 8, Some(1)),
            ("uint1", 9, Some(2)),
            ("float6_e2m3fn", 3, Some(3)),
            ("uint12", 3, Some(5)),
            ("int4x3", 3, Some(5)),
            ("float32", 5, Some(20)),
            ("int4", u64::MAX, None),
            ("uint1", u64::MAX, Some(1 << 61)),
            ("float32", u64::MAX, None),
        ] {
            assert_eq!(DataType::parse(text).unwrap().storage_bytes(count), expected, "{text}");
        }
    }
}
