//! JSON: the one reader and the one writer of the crate.
//!
//! Files import in one direction: `arrays`, `reader` and what it reads, `writer`.

mod arrays;
mod numbers;
mod reader;
mod strings;
#[cfg(test)]
mod tests;
mod writer;

pub(crate) use arrays::{ALIGNMENT, NumberReader};
pub(crate) use reader::JsonReader;
pub(crate) use writer::{JsonWriter, try_format};
