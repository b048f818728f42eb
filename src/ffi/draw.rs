//! Pictures of layouts and plans.
//!
//! A picture shows the owners of a tensor's elements, the elements that change their owner between
//! two layouts, or the traffic of a plan. A picture is either text for a terminal, or an SVG
//! document.
//!
//!   static char picture[SHARDSPEC_MAX_PICTURE_SIZE];    // 256 KiB: too much for some stacks
//!   if (shardspec_metadata_draw(metadata, NULL, picture, sizeof picture, NULL, &err) == 0)
//!     puts(picture);
//!
//! A picture as text has a frame around each area of elements with the same owners. The numbers at
//! the frame are indices of the tensor. After the frames, a list has each owner and the number of
//! its elements. An SVG shows the same areas, numbers and owners. In an SVG, each owner also has a
//! colour and a hatching. The hatching helps readers who can't distinguish colours.
//!
//! If the picture has no room to show each shard in its own cell, the picture has two parts. In the
//! first part, a cell stands for several shards. The second part shows the beginning of the tensor
//! with one shard in each cell. No picture has more than `SHARDSPEC_MAX_PICTURE_SIZE` bytes.
//!
//! The library reads no environment variables to draw a picture. The caller must check whether the
//! terminal has colours, for example with `isatty` and the variable `NO_COLOR`.

use std::ffi::c_char;

use crate::draw::{
    PictureFormat, PictureOptions, Theme, draw_diff, draw_metadata, draw_plan, draw_shards,
};
use crate::ffi::border::guard::{Outcome, guard};
use crate::ffi::border::handle;
use crate::ffi::border::pointer::{answer_text, slice};
use crate::ffi::border::sized::{Grows, sized};
use crate::ffi::error::{shardspec_error, shardspec_status};
use crate::ffi::metadata::shardspec_metadata;
use crate::ffi::plan::shardspec_plan;
use crate::ffi::shards::shardspec_shards;
use crate::memory::text;
use crate::model::Error;

/// Maximum number of bytes of a picture, with its NUL.
pub const SHARDSPEC_MAX_PICTURE_SIZE: i32 = 262144;

/// Lines of text, in UTF-8 or ASCII.
pub const SHARDSPEC_PICTURE_TEXT: i32 = 0;
/// An SVG document.
pub const SHARDSPEC_PICTURE_SVG: i32 = 1;

/// The background of an SVG is dark if the program that shows the SVG prefers dark colours
/// (`prefers-color-scheme`), else light.
pub const SHARDSPEC_THEME_AUTO: i32 = 0;
/// An SVG on a light background.
pub const SHARDSPEC_THEME_LIGHT: i32 = 1;
/// An SVG on a dark background.
pub const SHARDSPEC_THEME_DARK: i32 = 2;

/// Options of a picture. A field that is 0 has its default value. The fields `color`, `ascii` and
/// `width` change only a picture as text. The field `theme` changes only an SVG.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct shardspec_draw_options {
    /// `sizeof(shardspec_draw_options)`.
    pub struct_size: u64,
    /// A `SHARDSPEC_PICTURE_...` constant. 0 means text.
    pub format: i32,
    /// The background of an SVG: a `SHARDSPEC_THEME_...` constant. 0 means AUTO. A picture as text
    /// has no background.
    pub theme: i32,
    /// With 1, a text has colours: ANSI escape sequences with 256 colours. With 0, a text has no
    /// colours. The library refuses other values.
    pub color: i32,
    /// With 1, a text consists of ASCII only, which every terminal can show. With 0, a text has the
    /// line and block characters of Unicode, in UTF-8. The library refuses other values.
    pub ascii: i32,
    /// Maximum number of columns of a text: 40 to 400. 0 means 80.
    pub width: usize,
    /// The dimensions that the picture shows: first the dimension of the rows, then the dimension
    /// of the columns. With one dimension, the picture has one row. Dimensions are counted from 0,
    /// and the two dimensions must differ. Pictures of plans ignore this field.
    pub axes: *const usize,
    /// Number of dimensions in `axes`: 1 or 2. With 0, the library ignores `axes`, and the picture
    /// shows the last two dimensions that are cut. If fewer than two dimensions are cut, the
    /// picture also shows the last dimensions that are not cut.
    pub axis_count: usize,
    /// One number for each dimension: the first index of the part of the tensor that the picture
    /// shows. Pictures of plans ignore this field.
    pub window_offsets: *const i64,
    /// One number for each dimension: the size of the part of the tensor that the picture shows. In
    /// dimensions that the picture shows, the size must be at least 1.
    pub window_sizes: *const i64,
    /// Number of values in `window_offsets` and in `window_sizes`: the number of dimensions of the
    /// tensor. With 0, the library ignores both fields, and the picture shows the whole tensor.
    pub window_ndim: usize,
}

// SAFETY: `shardspec_draw_options` is `repr(C)` and begins with its `struct_size`. All other fields
// are numbers, and pointers that may be NULL, so zeros are a value of it.
unsafe impl Grows for shardspec_draw_options {
    const NAME: &'static str = "shardspec_draw_options";
    const FIRST_SIZE: usize = 72;
}

/// The value of a field that is 0 or 1.
fn flag(argument: &'static str, value: i32) -> Outcome<bool> {
    match value {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(Error::invalid(argument, text!("{value} is neither 0 nor 1")).into()),
    }
}

/// Reads an options argument. NULL means the defaults.
unsafe fn options_argument<'a>(
    options: *const shardspec_draw_options,
) -> Outcome<PictureOptions<'a>> {
    let mut picture = PictureOptions::default();
    if options.is_null() {
        return Ok(picture);
    }
    let given = sized("options", options)?;
    picture.format = match given.format {
        SHARDSPEC_PICTURE_TEXT => PictureFormat::Text,
        SHARDSPEC_PICTURE_SVG => PictureFormat::Svg,
        other => {
            let problem = text!("{other} is no format; pass a SHARDSPEC_PICTURE_... constant");
            return Err(Error::invalid("options.format", problem).into());
        }
    };
    picture.theme = match given.theme {
        SHARDSPEC_THEME_AUTO => Theme::Auto,
        SHARDSPEC_THEME_LIGHT => Theme::Light,
        SHARDSPEC_THEME_DARK => Theme::Dark,
        other => {
            let problem = text!("{other} is no theme; pass a SHARDSPEC_THEME_... constant");
            return Err(Error::invalid("options.theme", problem).into());
        }
    };
    picture.color = flag("options.color", given.color)?;
    picture.ascii = flag("options.ascii", given.ascii)?;
    if given.width != 0 {
        picture.width = given.width;
    }
    picture.axes = slice("options.axes", given.axes, given.axis_count)?;
    if given.window_ndim > 0 {
        let offsets = slice("options.window_offsets", given.window_offsets, given.window_ndim)?;
        let sizes = slice("options.window_sizes", given.window_sizes, given.window_ndim)?;
        picture.window = Some((offsets, sizes));
    }
    Ok(picture)
}

/// Draws the owners of a tensor's elements. The picture marks replicas, padding and empty shards.
/// The function writes the picture to `buffer`, NUL-terminated and in UTF-8. With `options` NULL,
/// the picture is a text of 80 columns without colours.
///
/// `capacity` is the size of `buffer` in bytes. `*needed` becomes the length of the picture,
/// including its NUL. `needed` may be NULL. With capacity 0, only `*needed` is written, and
/// `buffer` may be NULL. `SHARDSPEC_MAX_PICTURE_SIZE` bytes are always enough.
///
/// Time: about n * log(n) for n shards.
/// Ownership: the caller keeps all arguments.
/// Calls back: `equal` and `hash` of custom placements; `destroy`, if another thread frees a handle
/// during the call.
/// Blocks: no.
/// Errors: INVALID_ARGUMENT if an option is not allowed or the window is not a part of the tensor;
/// INDEX_OUT_OF_RANGE if `options->axes` has a dimension that the tensor does not have;
/// BUFFER_TOO_SMALL if `capacity` is too small (the error's `limit` is the capacity needed);
/// INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_metadata_draw(
    metadata: *const shardspec_metadata, options: *const shardspec_draw_options,
    buffer: *mut c_char, capacity: usize, needed: *mut usize, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let metadata = handle::get("metadata", metadata)?;
        let picture = draw_metadata(&metadata, &options_argument(options)?)?;
        answer_text(buffer, capacity, needed, picture)
    })
}

/// Draws the owners of a tensor's elements, for any list of shards. `sizes` holds the `ndim` sizes
/// of the tensor. The shards need not cover the tensor, and may overlap. The picture marks gaps,
/// overlaps and elements outside of the tensor. If the library refuses to create metadata from the
/// list, the marks show the reason. The function writes the picture to `buffer`, NUL-terminated and
/// in UTF-8. With `options` NULL, the picture is a text of 80 columns without colours.
///
/// `capacity` is the size of `buffer` in bytes. `*needed` becomes the length of the picture,
/// including its NUL. `needed` may be NULL. With capacity 0, only `*needed` is written, and
/// `buffer` may be NULL. `SHARDSPEC_MAX_PICTURE_SIZE` bytes are always enough.
///
/// Time: about n * log(n) for n shards.
/// Ownership: the caller keeps all arguments.
/// Calls back: `equal` and `hash` of custom placements; `destroy`, if another thread frees a handle
/// during the call.
/// Blocks: no.
/// Errors: INVALID_ARGUMENT if an option is not allowed, a size is negative, `ndim` is above 32 or
/// the window is not a part of the tensor; NDIM_MISMATCH if the shards have another number of
/// dimensions than the tensor; SHAPE_MISMATCH if the shards are flattened for a tensor of other
/// sizes; OVERFLOW if the number of elements does not fit in 64 bits; INDEX_OUT_OF_RANGE if
/// `options->axes` has a dimension that the tensor does not have; BUFFER_TOO_SMALL if `capacity` is
/// too small (the error's `limit` is the capacity needed); INVALID_HANDLE, NULL_ARGUMENT,
/// OUT_OF_MEMORY.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_shards_draw(
    shards: *const shardspec_shards, sizes: *const i64, ndim: usize,
    options: *const shardspec_draw_options, buffer: *mut c_char, capacity: usize,
    needed: *mut usize, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let shards = handle::get("shards", shards)?;
        let sizes = slice("sizes", sizes, ndim)?;
        let picture = draw_shards(&shards, sizes, &options_argument(options)?)?;
        answer_text(buffer, capacity, needed, picture)
    })
}

/// Draws which elements change their owner between two layouts of a tensor. An element stays if one
/// of its owners in `destination` is also an owner of the element in `source`. The function writes
/// the picture to `buffer`, NUL-terminated and in UTF-8. With `options` NULL, the picture is a text
/// of 80 columns without colours.
///
/// `capacity` is the size of `buffer` in bytes. `*needed` becomes the length of the picture,
/// including its NUL. `needed` may be NULL. With capacity 0, only `*needed` is written, and
/// `buffer` may be NULL. `SHARDSPEC_MAX_PICTURE_SIZE` bytes are always enough.
///
/// Time: about n * log(n) for n shards, plus a time in proportion to the number of pairs of shards.
/// A pair is a source shard and a destination shard with the same owner.
/// Ownership: the caller keeps all arguments.
/// Calls back: `equal` and `hash` of custom placements; `destroy`, if another thread frees a handle
/// during the call.
/// Blocks: no.
/// Errors: SHAPE_MISMATCH or NDIM_MISMATCH if the two tensors have different sizes; DTYPE_MISMATCH
/// if both layouts state an element type and the two types differ; UNSUPPORTED if flattened
/// dimensions are cut into more than 4,194,304 blocks, or if one owner has too many shards in the
/// two layouts for a picture; INVALID_ARGUMENT if an option is not allowed or the window is not a
/// part of the tensor; INDEX_OUT_OF_RANGE if `options->axes` has a dimension that the tensor does
/// not have; BUFFER_TOO_SMALL if `capacity` is too small (the error's `limit` is the capacity
/// needed); INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_metadata_draw_diff(
    source: *const shardspec_metadata, destination: *const shardspec_metadata,
    options: *const shardspec_draw_options, buffer: *mut c_char, capacity: usize,
    needed: *mut usize, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let source = handle::get("source", source)?;
        let destination = handle::get("destination", destination)?;
        let picture = draw_diff(&source, &destination, &options_argument(options)?)?;
        answer_text(buffer, capacity, needed, picture)
    })
}

/// Draws a matrix of the amounts that a plan moves between each pair of owners. A row is a source
/// owner, and a column is a destination owner. The function ignores the fields `axes` and
/// `window_...` of the options. Amounts are numbers of bytes if the layouts state an element type,
/// else numbers of elements. If there are many owners, neighbouring owners share a row or a column.
/// The function writes the picture to `buffer`, NUL-terminated and in UTF-8. With `options` NULL,
/// the picture is a text of 80 columns without colours.
///
/// `capacity` is the size of `buffer` in bytes. `*needed` becomes the length of the picture,
/// including its NUL. `needed` may be NULL. With capacity 0, only `*needed` is written, and
/// `buffer` may be NULL. `SHARDSPEC_MAX_PICTURE_SIZE` bytes are always enough.
///
/// Time: proportional to the number of pieces of the plan.
/// Ownership: the caller keeps all arguments.
/// Calls back: `equal` and `hash` of custom placements; `destroy`, if another thread frees a handle
/// during the call.
/// Blocks: no.
/// Errors: INVALID_ARGUMENT if an option is not allowed; BUFFER_TOO_SMALL if `capacity` is too
/// small (the error's `limit` is the capacity needed); INVALID_HANDLE, NULL_ARGUMENT,
/// OUT_OF_MEMORY.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_plan_draw(
    plan: *const shardspec_plan, options: *const shardspec_draw_options, buffer: *mut c_char,
    capacity: usize, needed: *mut usize, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let plan = handle::get("plan", plan)?;
        let picture = draw_plan(&plan, &options_argument(options)?)?;
        answer_text(buffer, capacity, needed, picture)
    })
}
