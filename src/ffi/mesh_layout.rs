//! Layouts over a mesh: the structs that say how a tensor is cut.

use std::ffi::c_char;

use crate::ffi::border::sized::Grows;

/// Pieces of equal size (torch: `torch.chunk`). Only the last pieces may be shorter or empty.
pub const SHARDSPEC_RULE_CHUNK: i32 = 1;
/// Pieces with sizes that differ by at most one (NumPy: `numpy.array_split`).
pub const SHARDSPEC_RULE_BALANCED: i32 = 2;
/// Pieces with the sizes in `values`.
pub const SHARDSPEC_RULE_SIZES: i32 = 3;
/// Pieces in proportion to the weights in `values`.
pub const SHARDSPEC_RULE_WEIGHTS: i32 = 4;
/// Blocks of `block` positions. Piece `first` receives the first block, the next piece receives the
/// second block, and so on. Piece 0 follows the last piece.
pub const SHARDSPEC_RULE_CYCLIC: i32 = 5;

/// A value of the field `repeat`. When the library cuts a dimension, the library computes `repeat`
/// from the number of units. With the rule CYCLIC, a unit is a block. With all other rules, a unit
/// is a granule. If there are at least as many units as coordinates, the repeat is 1. If there are
/// fewer units than coordinates, the repeat is the number of coordinates divided by the number of
/// units. The division must have no remainder.
pub const SHARDSPEC_REPEAT_AS_NEEDED: i64 = -1;

/// The sum of the values.
pub const SHARDSPEC_REDUCTION_SUM: i32 = 1;
/// The mean of the values.
pub const SHARDSPEC_REDUCTION_AVG: i32 = 2;
/// The product of the values.
pub const SHARDSPEC_REDUCTION_PRODUCT: i32 = 3;
/// The smallest value.
pub const SHARDSPEC_REDUCTION_MIN: i32 = 4;
/// The largest value.
pub const SHARDSPEC_REDUCTION_MAX: i32 = 5;
/// The bitwise AND of the values.
pub const SHARDSPEC_REDUCTION_BAND: i32 = 6;
/// The bitwise OR of the values.
pub const SHARDSPEC_REDUCTION_BOR: i32 = 7;
/// The bitwise XOR of the values.
pub const SHARDSPEC_REDUCTION_BXOR: i32 = 8;

/// A segment of a cut. A field that is 0 takes its value from the field with the same name in the
/// cut. Initialise a segment with `SHARDSPEC_SEGMENT_INIT`, or set all fields to zero before you
/// set `struct_size`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct shardspec_segment {
    /// `sizeof(shardspec_segment)`. In an array, all structs have the same `struct_size`.
    pub struct_size: u64,
    /// Number of positions of the segment. The sum of the sizes of all segments is the size of the
    /// dimension.
    pub size: i64,
    /// A `SHARDSPEC_RULE_...` constant. 0 means the value of `rule` in the cut.
    pub rule: i32,
    /// 1 means that the library refuses pieces of different sizes. -1 means that the library allows
    /// pieces of different sizes. 0 means the value of `even` in the cut.
    pub even: i32,
    /// Number of positions of a granule. All positions of a granule belong to the same piece. 0
    /// means the value of `granule` in the cut.
    pub granule: i64,
    /// Number of neighbouring coordinates that have the same piece, or
    /// `SHARDSPEC_REPEAT_AS_NEEDED`. 0 means the value of `repeat` in the cut.
    pub repeat: i64,
    /// For CYCLIC: number of positions of a block. 0 means the value of `block` in the cut.
    pub block: i64,
    /// For CYCLIC: the index of the piece that gets the first block. The library takes the index
    /// modulo the number of pieces. 0 means the value of `first` in the cut. To select piece 0,
    /// pass the number of pieces.
    pub first: i64,
    /// For SIZES and WEIGHTS: a number for each piece. If `value_count` is 0, the segment has the
    /// values of the cut.
    pub values: *const i64,
    /// Number of values. With 0, `values` may be NULL.
    pub value_count: usize,
}

// SAFETY: `shardspec_segment` is `repr(C)` and begins with its `struct_size`. All other fields are
// numbers, and pointers that may be NULL, so zeros are a value of it.
unsafe impl Grows for shardspec_segment {
    const NAME: &'static str = "shardspec_segment";
    const FIRST_SIZE: usize = 72;
}

/// A cut of one dimension over one axis of a mesh. Initialise a cut with `SHARDSPEC_CUT_INIT`, or
/// set all fields to zero before you set `struct_size`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct shardspec_cut {
    /// `sizeof(shardspec_cut)`. In an array, all structs have the same `struct_size`.
    pub struct_size: u64,
    /// The dimension. A negative number counts from the end: -1 is the last dimension. If the
    /// layout flattens dimensions, `dim` is a dimension of the flattened tensor.
    pub dim: i64,
    /// The name of the dimension, or NULL. If the name is not NULL, the library ignores `dim`.
    pub dim_name: *const c_char,
    /// The name of the axis.
    pub axis: *const c_char,
    /// A `SHARDSPEC_RULE_...` constant. 0 means CHUNK.
    pub rule: i32,
    /// 1 means that the library refuses pieces of different sizes. 0 and -1 mean that the library
    /// allows pieces of different sizes. CYCLIC ignores this field.
    pub even: i32,
    /// Number of positions of a granule. All positions of a granule belong to the same piece. 0
    /// means 1. The last granule of a dimension may be shorter. With SIZES, each piece must start
    /// at a multiple of the granule. CYCLIC ignores this field.
    pub granule: i64,
    /// Number of neighbouring coordinates that have the same piece. 0 means 1. The number must
    /// divide the size of the axis. `SHARDSPEC_REPEAT_AS_NEEDED` is also allowed, except for SIZES
    /// and WEIGHTS.
    pub repeat: i64,
    /// For CYCLIC: number of positions of a block. 0 means 1.
    pub block: i64,
    /// For CYCLIC: the index of the piece that gets the first block. The library takes the index
    /// modulo the number of pieces.
    pub first: i64,
    /// For SIZES and WEIGHTS: a number for each piece. The number of pieces is the size of the axis
    /// divided by `repeat`.
    pub values: *const i64,
    /// Number of values. With 0, `values` may be NULL.
    pub value_count: usize,
    /// Array of `segment_count` segments. NULL means that the library divides n positions into
    /// segments of ceil(n / `segment_count`) positions. The last of these segments may be shorter
    /// or empty.
    pub segments: *const shardspec_segment,
    /// Number of segments. 0 means that the library cuts the dimension as a whole.
    pub segment_count: usize,
}

// SAFETY: `shardspec_cut` is `repr(C)` and begins with its `struct_size`. All other fields are
// numbers, and pointers that may be NULL, so zeros are a value of it.
unsafe impl Grows for shardspec_cut {
    const NAME: &'static str = "shardspec_cut";
    const FIRST_SIZE: usize = 104;
}

/// A pad lengthens a dimension before the library cuts the dimension. Set exactly one of `size` and
/// `multiple`. Initialise a pad with `SHARDSPEC_PAD_INIT`, or set all fields to zero before you set
/// `struct_size`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct shardspec_pad {
    /// `sizeof(shardspec_pad)`. In an array, all structs have the same `struct_size`.
    pub struct_size: u64,
    /// The dimension. A negative number counts from the end: -1 is the last dimension. If the
    /// layout flattens dimensions, `dim` is a dimension of the flattened tensor.
    pub dim: i64,
    /// The name of the dimension, or NULL. If the name is not NULL, the library ignores `dim`.
    pub dim_name: *const c_char,
    /// The length of the dimension after padding. The length must be at least the size of the
    /// dimension. Set `size` to 0 if `multiple` is set.
    pub size: i64,
    /// If this field is set, the library rounds the size of the dimension up to a multiple of
    /// `multiple`. Set `multiple` to 0 if `size` is set.
    pub multiple: i64,
}

// SAFETY: `shardspec_pad` is `repr(C)` and begins with its `struct_size`. All other fields are
// numbers, and pointers that may be NULL, so zeros are a value of it.
unsafe impl Grows for shardspec_pad {
    const NAME: &'static str = "shardspec_pad";
    const FIRST_SIZE: usize = 40;
}

/// A partial axis: an axis that is pending a reduction. The final value of an element is the
/// reduction of its values on all devices along the axis. The library stores, prints and compares
/// partial axes. The library never computes a reduction. Initialise the struct with
/// `SHARDSPEC_PARTIAL_INIT`, or set all fields to zero before you set `struct_size`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct shardspec_partial {
    /// `sizeof(shardspec_partial)`. In an array, all structs have the same `struct_size`.
    pub struct_size: u64,
    /// The name of the axis. No cut may use this axis.
    pub axis: *const c_char,
    /// A `SHARDSPEC_REDUCTION_...` constant. 0 means SUM.
    pub reduction: i32,
    /// This field must be 0.
    pub reserved: i32,
}

// SAFETY: `shardspec_partial` is `repr(C)` and begins with its `struct_size`. All other fields are
// numbers, and pointers that may be NULL, so zeros are a value of it.
unsafe impl Grows for shardspec_partial {
    const NAME: &'static str = "shardspec_partial";
    const FIRST_SIZE: usize = 24;
}

/// Describes how a tensor is laid out over a mesh. The library first flattens dimensions, then pads
/// dimensions, and then cuts dimensions. Initialise the struct with `SHARDSPEC_MESH_LAYOUT_INIT`,
/// or set all fields to zero before you set `struct_size`. If no other field is set, the layout
/// replicates the tensor on all devices.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct shardspec_mesh_layout {
    /// `sizeof(shardspec_mesh_layout)`.
    pub struct_size: u64,
    /// The cuts. The library applies the cuts in the order of this array.
    pub cuts: *const shardspec_cut,
    /// Number of cuts. With 0, `cuts` may be NULL.
    pub cut_count: usize,
    /// The pads.
    pub pads: *const shardspec_pad,
    /// Number of pads. With 0, `pads` may be NULL.
    pub pad_count: usize,
    /// The axes that are pending a reduction.
    pub partials: *const shardspec_partial,
    /// Number of partial axes. With 0, `partials` may be NULL.
    pub partial_count: usize,
    /// The first of the dimensions that the library flattens into one dimension, in row-major
    /// order.
    pub flatten_first: i64,
    /// Number of dimensions that are flattened into one, at least 2. 0 means that no dimensions are
    /// flattened.
    pub flatten_count: usize,
}

// SAFETY: `shardspec_mesh_layout` is `repr(C)` and begins with its `struct_size`. All other fields
// are numbers, and pointers that may be NULL, so zeros are a value of it.
unsafe impl Grows for shardspec_mesh_layout {
    const NAME: &'static str = "shardspec_mesh_layout";
    const FIRST_SIZE: usize = 72;
}
