//! What all documents have in common: the kind and the version at their start, and the place of long
//! arrays.

use super::json::{JsonReader, JsonWriter};
use crate::error::Result;
use crate::memory::{Memory, Shown, TryVec, text};

/// The version of the form that is written, and the newest that is read.
const VERSION: u64 = 1;

/// What a document describes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DocumentKind {
    Spec,
    Metadata,
    Plan,
    /// What a file of a checkpoint has of its tensors.
    File,
}

impl DocumentKind {
    const ALL: [Self; 4] = [Self::Spec, Self::Metadata, Self::Plan, Self::File];

    /// Its name in a document.
    fn name(self) -> &'static str {
        match self {
            Self::Spec => "shardspec.spec",
            Self::Metadata => "shardspec.metadata",
            Self::Plan => "shardspec.plan",
            Self::File => "shardspec.file",
        }
    }
}

/// An array of numbers that goes behind a text.
#[derive(Debug)]
pub(super) enum NumberArray<'a> {
    Long(&'a [i64]),
    Made(Vec<i64>),
    Short(&'a [u32]),
}

impl NumberArray<'_> {
    /// Bytes of its numbers.
    pub(super) fn bytes(&self) -> usize {
        // They are in memory, which has fewer bytes than a usize counts.
        match self {
            Self::Long(numbers) => size_of_val(*numbers),
            Self::Made(numbers) => size_of_val(numbers.as_slice()),
            Self::Short(numbers) => size_of_val(*numbers),
        }
    }
}

/// A document that is being written: a JSON text, of which long arrays of numbers may stand behind it.
pub(super) struct DocumentWriter<'a> {
    pub(super) json: JsonWriter,
    behind: Option<Vec<NumberArray<'a>>>,
}

impl<'a> DocumentWriter<'a> {
    /// The start of a document whose arrays stand in the text.
    pub(super) fn new(kind: DocumentKind) -> Memory<Self> {
        Ok(Self { json: begin(kind)?, behind: None })
    }

    /// The start of a document whose long arrays stand behind the text.
    pub(super) fn with_arrays_behind(kind: DocumentKind) -> Memory<Self> {
        Ok(Self { behind: Some(Vec::new()), ..Self::new(kind)? })
    }

    /// A field that is an object, which `write` fills.
    pub(super) fn object(
        &mut self, name: &str, write: impl FnOnce(&mut Self) -> Result<()>,
    ) -> Result<()> {
        self.json.field(name)?;
        self.json.write("{")?;
        write(self)?;
        Ok(self.json.write("}")?)
    }

    /// A field that is a short array of numbers.
    pub(super) fn numbers(
        &mut self, name: &str, numbers: impl IntoIterator<Item = i64>,
    ) -> Memory<()> {
        self.json.field(name)?;
        self.json.numbers(numbers)
    }

    /// A field that is a long array of numbers.
    pub(super) fn long_numbers(&mut self, name: &str, numbers: &'a [i64]) -> Memory<()> {
        self.array(name, NumberArray::Long(numbers))
    }

    /// A field that is a long array of numbers that were made for it.
    pub(super) fn made_numbers(&mut self, name: &str, numbers: Vec<i64>) -> Memory<()> {
        self.array(name, NumberArray::Made(numbers))
    }

    /// A field that is a long array of numbers of 32 bits.
    pub(super) fn short_numbers(&mut self, name: &str, numbers: &'a [u32]) -> Memory<()> {
        self.array(name, NumberArray::Short(numbers))
    }

    fn array(&mut self, name: &str, array: NumberArray<'a>) -> Memory<()> {
        self.json.field(name)?;
        let Some(behind) = &mut self.behind else {
            return match array {
                NumberArray::Long(numbers) => self.json.numbers(numbers.iter().copied()),
                NumberArray::Made(numbers) => self.json.numbers(numbers),
                NumberArray::Short(numbers) => {
                    self.json.numbers(numbers.iter().map(|&number| i64::from(number)))
                }
            };
        };
        match &array {
            NumberArray::Long(numbers) => {
                self.json.format(format_args!("{{\"i64\":{}}}", numbers.len()))?;
            }
            NumberArray::Made(numbers) => {
                self.json.format(format_args!("{{\"i64\":{}}}", numbers.len()))?;
            }
            NumberArray::Short(numbers) => {
                self.json.format(format_args!("{{\"u32\":{}}}", numbers.len()))?;
            }
        }
        behind.try_push(array)
    }

    /// Ends the document: its text, and what stands behind it.
    pub(super) fn end(mut self) -> Memory<(String, Vec<NumberArray<'a>>)> {
        self.json.write("}")?;
        Ok((self.json.into_string(), self.behind.unwrap_or_default()))
    }
}

/// The start of a document: its kind and its version.
pub(crate) fn begin(kind: DocumentKind) -> Memory<JsonWriter> {
    let mut json = JsonWriter::default();
    json.write("{")?;
    json.field("kind")?;
    json.text(kind.name())?;
    json.field("version")?;
    json.format(format_args!("{VERSION}"))?;
    Ok(json)
}

/// The fields that every document has.
pub(crate) struct Frame {
    expected: DocumentKind,
    kind: Option<()>,
    version: Option<()>,
}

impl Frame {
    /// Those of a document of this kind.
    pub(crate) fn new(expected: DocumentKind) -> Self {
        Self { expected, kind: None, version: None }
    }

    /// Reads a field that is none of the kind's own.
    pub(crate) fn field(&mut self, json: &mut JsonReader<'_>, name: &str) -> Result<()> {
        let expected = self.expected;
        match name {
            "kind" => json.once(name, &mut self.kind, |json| check_kind(json, expected)),
            "version" => json.once(name, &mut self.version, check_version),
            _ => Err(json.unknown_field(name)),
        }
    }

    /// Refuses a document, which starts at a position, without kind or version.
    pub(super) fn check(&self, json: &JsonReader<'_>, at: usize) -> Result<()> {
        json.required(at, "kind", self.kind)?;
        json.required(at, "version", self.version)
    }
}

/// Reads the kind of a document, which has to be the expected one.
fn check_kind(json: &mut JsonReader<'_>, expected: DocumentKind) -> Result<()> {
    let at = json.position();
    let found = json.string()?;
    if found.as_str() == expected.name() {
        return Ok(());
    }
    let expected = expected.name();
    if DocumentKind::ALL.iter().any(|kind| kind.name() == found.as_str()) {
        let problem = text!("it is a {}, and a {expected} is needed", found.as_str());
        return Err(json.invalid_at(at, problem));
    }
    let what = text!(
        "the kind {} is not known to this version of the library; {expected} is expected",
        Shown(found.as_str())
    );
    Err(json.unknown_at(at, what))
}

/// Reads the version of a document, which has to be one that this library knows.
fn check_version(json: &mut JsonReader<'_>) -> Result<()> {
    let at = json.position();
    match json.unsigned()? {
        0 => Err(json.invalid_at(at, "versions are counted from 1")),
        VERSION => Ok(()),
        newer => {
            let what = text!(
                "version {newer} is newer than version {VERSION}, the newest that this version of the \
                 library reads; use a newer one"
            );
            Err(json.unknown_at(at, what))
        }
    }
}
