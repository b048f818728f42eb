//! What a picture shows, and how it is written.

use crate::error::{Error, Result};
use crate::geometry::MAX_NDIM;
use crate::memory::text;

/// The form of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PictureFormat {
    /// Lines of text, for a terminal.
    #[default]
    Text,
    /// An SVG document.
    Svg,
}

/// The background of an SVG.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Theme {
    /// Light, or dark where the reader prefers dark pages (`prefers-color-scheme`).
    #[default]
    Auto,
    /// Always light.
    Light,
    /// Always dark.
    Dark,
}

/// Options of a picture. The library never looks at the environment: whether there is a terminal, and
/// whether it has colours, is known by the caller.
///
/// ```
/// use shardspec::draw::PictureOptions;
///
/// let options = PictureOptions { color: true, ..PictureOptions::default() };
/// assert_eq!(options.width, 80);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PictureOptions<'a> {
    /// Text or SVG.
    pub format: PictureFormat,
    /// The background of an SVG.
    pub theme: Theme,
    /// Whether a text has the colours of a terminal: escape sequences of ANSI, with 256 colours.
    pub color: bool,
    /// Whether a text consists of ASCII only.
    pub ascii: bool,
    /// How many columns the lines of a text have at most: 40 to 400.
    pub width: usize,
    /// The dimensions to draw: rows and columns, or columns only. Without them, the last two dimensions
    /// that are cut.
    pub axes: &'a [usize],
    /// The part of the tensor to draw: where it starts, and how long it is, in each dimension. `None`:
    /// all.
    pub window: Option<(&'a [i64], &'a [i64])>,
}

impl Default for PictureOptions<'_> {
    fn default() -> Self {
        Self {
            format: PictureFormat::Text,
            theme: Theme::Auto,
            color: false,
            ascii: false,
            width: Self::DEFAULT_WIDTH,
            axes: &[],
            window: None,
        }
    }
}

impl PictureOptions<'_> {
    /// The width of texts by default.
    pub const DEFAULT_WIDTH: usize = 80;
    /// The least width of a text.
    pub const MIN_WIDTH: usize = 40;
    /// The largest width of a text.
    pub const MAX_WIDTH: usize = 400;

    /// Refuses what no tensor has.
    pub(super) fn check(&self) -> Result<()> {
        if !(Self::MIN_WIDTH..=Self::MAX_WIDTH).contains(&self.width) {
            let (least, most) = (Self::MIN_WIDTH, Self::MAX_WIDTH);
            let problem = text!("{} is no width; pass {least} to {most} columns", self.width);
            return Err(Error::invalid("options.width", problem));
        }
        Ok(())
    }

    /// Refuses dimensions that a tensor of `ndim` drawn dimensions does not have.
    pub(super) fn check_axes(&self, ndim: usize) -> Result<()> {
        let argument = "options.axes";
        if self.axes.len() > 2 {
            let problem =
                text!("{} axes; pass the dimensions of rows and columns", self.axes.len());
            return Err(Error::invalid(argument, problem));
        }
        for (at, &dim) in self.axes.iter().enumerate() {
            if dim >= ndim.min(MAX_NDIM) {
                let (index, count) = (dim as u64, ndim as u64);
                return Err(Error::IndexOutOfRange { argument, index, count }.at(argument, at));
            }
        }
        match self.axes {
            [rows, columns] if rows == columns => {
                let problem = text!("{rows} is named twice; rows and columns differ");
                Err(Error::invalid(argument, problem))
            }
            _ => Ok(()),
        }
    }

    /// The part of each dimension that is drawn: where it starts and ends.
    pub(super) fn window_of(&self, sizes: &[i64], dim: usize) -> Result<(i64, i64)> {
        let size = sizes.get(dim).copied().unwrap_or(0);
        let Some((offsets, lengths)) = self.window else {
            return Ok((0, size));
        };
        for (argument, values) in
            [("options.window_offsets", offsets), ("options.window_sizes", lengths)]
        {
            if values.len() != sizes.len() {
                let (got, expected) = (values.len(), sizes.len());
                let problem = text!("{got} values; pass one for each of the {expected} dimensions");
                return Err(Error::invalid(argument, problem));
            }
        }
        let value = |values: &[i64]| values.get(dim).copied().unwrap_or(0);
        let (start, length) = (value(offsets), value(lengths));
        let end = start.checked_add(length).filter(|end| *end <= size);
        match end {
            Some(end) if start >= 0 && length > 0 => Ok((start, end)),
            _ => {
                let problem = text!(
                    "{start} and length {length} are no part of dimension {dim}, which has {size} \
                     indices; pass a part of at least one index"
                );
                Err(Error::invalid("options.window_offsets", problem)
                    .at("options.window_offsets", dim))
            }
        }
    }
}
