//! `model.safetensors.index.json`: which file of a directory has which tensor.

use super::error::FilesError;
use super::file_set_builder::FileSetBuilder;
use super::formats::{Format, Place, is_inside};
use super::safetensors::{MAX_HEADER, add_file};
use super::stored::AbsentTensor;
use super::system::{OpenFile, SystemPath};
use crate::interchange::json::JsonReader;
use crate::memory::{self, Text, TryVec, text, try_boxed_str};
use crate::model::{Error, Result};
use crate::sync::seed::Map;

/// The name of an index in its directory.
const NAME: &str = "model.safetensors.index.json";
/// The end of the name of an index that is opened itself.
const SUFFIX: &str = ".safetensors.index.json";

/// A directory with an index, or the index itself.
pub(super) struct SafetensorsIndex;

impl Format for SafetensorsIndex {
    fn recognizes(&self, place: &Place) -> bool {
        match place {
            Place::Directory { .. } => place.has(NAME),
            Place::File { name, .. } => name.ends_with(SUFFIX),
        }
    }

    fn read(&self, place: Place, set: &mut FileSetBuilder) -> Result<()> {
        let (directory, name, file) = match place {
            Place::Directory { path, .. } => {
                let file = OpenFile::open(&path.join(NAME)?, NAME)?;
                (path, try_boxed_str(NAME)?, file)
            }
            Place::File { path, name, file, .. } => (path.split()?.0, name, file),
        };
        let map = WeightMap::read(&name, &file)?;
        let mut present = memory::try_with_capacity(map.files.len())?;
        for number in 0..map.files.len() {
            present.push(map.add_file(set, &directory, number)?);
        }
        map.add_absent(set, &present)
    }
}

/// The files of an index, and which of them each tensor is in.
#[derive(Default)]
struct WeightMap {
    files: Vec<Box<str>>,
    file_numbers: Map<Box<str>, usize>,
    tensors: Map<Box<str>, usize>,
}

impl WeightMap {
    fn read(name: &str, file: &OpenFile) -> Result<Self> {
        if file.length() > MAX_HEADER {
            let problem =
                text!("it has {} bytes; an index has at most {MAX_HEADER}", file.length());
            let file = Text::copy(name);
            return Err(FilesError::InvalidFile { file, offset: None, problem }.into());
        }
        let text = file.read(name, 0, file.length() as usize)?;
        Self::parse(JsonReader::new(&text, "index", 0))
            .map_err(|error| FilesError::in_file(name, error))
    }

    fn parse(mut json: JsonReader<'_>) -> Result<Self> {
        let mut map = None;
        json.object(|json, field| match field {
            "weight_map" => {
                map = Some(Self::entries(json)?);
                Ok(())
            }
            _ => json.skip(),
        })?;
        json.end()?;
        map.ok_or_else(|| json.invalid("it has no weight_map"))
    }

    fn entries(json: &mut JsonReader<'_>) -> Result<Self> {
        let mut map = Self::default();
        json.object(|json, tensor| {
            let text = json.string()?;
            let file = text.as_str();
            if !is_inside(file) {
                let problem = text!(
                    "tensor {tensor:?} would be in {file:?}, which is no name of a file below the index"
                );
                return Err(json.invalid(problem));
            }
            let number = match map.file_numbers.get(file) {
                Some(&number) => number,
                None => map.push_file(file)?,
            };
            map.tensors.try_reserve(1)?;
            match map.tensors.insert(try_boxed_str(tensor)?, number) {
                None => Ok(()),
                Some(_) => Err(json.invalid(text!("it has tensor {tensor:?} twice"))),
            }
        })?;
        Ok(map)
    }

    fn push_file(&mut self, file: &str) -> Result<usize> {
        let number = self.files.len();
        self.file_numbers.try_reserve(1)?;
        self.file_numbers.insert(try_boxed_str(file)?, number);
        self.files.try_push(try_boxed_str(file)?)?;
        Ok(number)
    }

    /// Adds a file and those of its tensors that the index says are there. Whether the file is there.
    fn add_file(
        &self, set: &mut FileSetBuilder, directory: &SystemPath, number: usize,
    ) -> Result<bool> {
        let Some(name) = self.files.get(number) else { return Ok(false) };
        let path = directory.join(name)?;
        let file = match OpenFile::open(&path, name) {
            Err(Error::Files(FilesError::System {
                code: libc::ENOENT | libc::ENOTDIR, ..
            })) => {
                set.add_missing_file(name)?;
                return Ok(false);
            }
            opened => opened?,
        };
        add_file(set, name, path, &file, &|tensor| self.tensors.get(tensor) == Some(&number))?;
        Ok(true)
    }

    /// Notes the tensors that are not where they should be.
    fn add_absent(&self, set: &mut FileSetBuilder, present: &[bool]) -> Result<()> {
        for (tensor, &number) in &self.tensors {
            if set.tensor_named(tensor).is_some() {
                continue;
            }
            let name = try_boxed_str(tensor)?;
            let file = try_boxed_str(self.files.get(number).map_or("", |file| file))?;
            let has_file = present.get(number) == Some(&true);
            set.add_absent(AbsentTensor { name, file, has_file })?;
        }
        Ok(())
    }
}
