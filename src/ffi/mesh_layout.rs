//! Layouts over a mesh: the structs that say how a tensor is cut.

use std::ffi::c_char;

use crate::ffi::border::sized::Grows;

/// Equal pieces, the last ones shorter or empty, as `torch.chunk` makes them.
pub const SHARDSPEC_RULE_CHUNK: i32 = 1;
/// Pieces whose sizes differ by one at most, as `numpy.array_split` makes them.
pub const SHARDSPEC_RULE_BALANCED: i32 = 2;
/// Pieces of the sizes in `values`.
pub const SHARDSPEC_RULE_SIZES: i32 = 3;
/// Pieces in proportion to the weights in `values`.
pub const SHARDSPEC_RULE_WEIGHTS: i32 = 4;
/// Blocks of `block` positions. They are dealt to the pieces in turn, the first block to piece
/// `first`.
pub const SHARDSPEC_RULE_CYCLIC: i32 = 5;

/// As `repeat`: chosen when a length is cut. It is 1 where there are at least as many units as
/// coordinates. Otherwise it is the number of coordinates for each unit. A unit is a granule, or a
/// block of CYCLIC. A larger number of coordinates must be a multiple of the number of units.
pub const SHARDSPEC_REPEAT_AS_NEEDED: i64 = -1;

/// Values are added up.
pub const SHARDSPEC_REDUCTION_SUM: i32 = 1;
/// The mean of the values.
pub const SHARDSPEC_REDUCTION_AVG: i32 = 2;
/// Values are multiplied.
pub const SHARDSPEC_REDUCTION_PRODUCT: i32 = 3;
/// The least value.
pub const SHARDSPEC_REDUCTION_MIN: i32 = 4;
/// The largest value.
pub const SHARDSPEC_REDUCTION_MAX: i32 = 5;
/// Bitwise and.
pub const SHARDSPEC_REDUCTION_BAND: i32 = 6;
/// Bitwise or.
pub const SHARDSPEC_REDUCTION_BOR: i32 = 7;
/// Bitwise exclusive or.
pub const SHARDSPEC_REDUCTION_BXOR: i32 = 8;

/// A segment of a cut. Fields that are 0 inherit the field of the cut. Initialise it with
/// `SHARDSPEC_SEGMENT_INIT`, or set all fields to zero and then set `struct_size`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct shardspec_segment {
    /// `sizeof(shardspec_segment)`; the same in every element of an array.
    pub struct_size: u64,
    /// Number of positions. The sizes of all segments add up to the dimension's.
    pub size: i64,
    /// A `SHARDSPEC_RULE_...` constant; 0: the cut's rule.
    pub rule: i32,
    /// 1: pieces of different sizes are refused. -1: they are allowed. 0: the value of the cut
    /// applies.
    pub even: i32,
    /// Positions that stay together; 0: the cut's granule.
    pub granule: i64,
    /// Neighbouring coordinates that have the same piece, or `SHARDSPEC_REPEAT_AS_NEEDED`; 0: the cut's
    /// repeat.
    pub repeat: i64,
    /// CYCLIC: positions of a block; 0: the cut's block.
    pub block: i64,
    /// CYCLIC: the piece with the first block, modulo the number of pieces; 0: the cut's. To start at piece
    /// 0 where the `first` of the cut is not 0, pass the number of pieces.
    pub first: i64,
    /// SIZES and WEIGHTS: a number for each piece; with `value_count` 0, the cut's values.
    pub values: *const i64,
    /// How many; with 0, `values` may be NULL.
    pub value_count: usize,
}

// SAFETY: `struct_size` comes first, and zeros are numbers and NULL pointers.
unsafe impl Grows for shardspec_segment {
    const NAME: &'static str = "shardspec_segment";
    const FIRST_SIZE: usize = 72;
}

/// A cut of one dimension over one axis of a mesh. Initialise it with `SHARDSPEC_CUT_INIT`, or set
/// all fields to zero and then set `struct_size`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct shardspec_cut {
    /// `sizeof(shardspec_cut)`; the same in every element of an array.
    pub struct_size: u64,
    /// The dimension; negative ones count from the last. After flattening, where the layout flattens.
    pub dim: i64,
    /// If it is not NULL, the dimension is the one of this name, and `dim` is ignored.
    pub dim_name: *const c_char,
    /// The name of the axis.
    pub axis: *const c_char,
    /// A `SHARDSPEC_RULE_...` constant; 0: CHUNK.
    pub rule: i32,
    /// 1: fail where pieces would differ in size; 0 or -1: allow it. CYCLIC ignores it.
    pub even: i32,
    /// Positions that stay together; 0 means 1. The last unit of a dimension may be short. Pieces of SIZES
    /// must start at a multiple. CYCLIC ignores it.
    pub granule: i64,
    /// Number of neighbouring coordinates that have the same piece; 0 means 1. It must divide the
    /// size of the axis. `SHARDSPEC_REPEAT_AS_NEEDED` is also allowed, except for SIZES and
    /// WEIGHTS.
    pub repeat: i64,
    /// CYCLIC: number of positions of a block; 0 means 1.
    pub block: i64,
    /// CYCLIC: the piece that gets the first block, modulo the number of pieces.
    pub first: i64,
    /// SIZES and WEIGHTS: a number for each piece. The number of pieces is the size of the axis, divided
    /// by `repeat`.
    pub values: *const i64,
    /// How many; with 0, `values` may be NULL.
    pub value_count: usize,
    /// The segments, `segment_count` of them; NULL: that many of equal size, the last ones shorter.
    pub segments: *const shardspec_segment,
    /// How many segments; 0: the dimension is cut as a whole.
    pub segment_count: usize,
}

// SAFETY: `struct_size` comes first, and zeros are numbers and NULL pointers.
unsafe impl Grows for shardspec_cut {
    const NAME: &'static str = "shardspec_cut";
    const FIRST_SIZE: usize = 104;
}

/// A dimension that is lengthened before it is cut. Exactly one of `size` and `multiple` is not 0.
/// Initialise it with `SHARDSPEC_PAD_INIT`, or set all fields to zero and then set `struct_size`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct shardspec_pad {
    /// `sizeof(shardspec_pad)`; the same in every element of an array.
    pub struct_size: u64,
    /// The dimension; negative ones count from the last. After flattening, where the layout flattens.
    pub dim: i64,
    /// If it is not NULL, the dimension is the one of this name, and `dim` is ignored.
    pub dim_name: *const c_char,
    /// The new length, which is at least the size of the dimension; 0 where `multiple` is set.
    pub size: i64,
    /// The new length is the next multiple of this; or 0.
    pub multiple: i64,
}

// SAFETY: `struct_size` comes first, and zeros are numbers and NULL pointers.
unsafe impl Grows for shardspec_pad {
    const NAME: &'static str = "shardspec_pad";
    const FIRST_SIZE: usize = 40;
}

/// An axis whose devices have parts of the elements' values. The library carries, prints and
/// compares it, and never computes a reduction. Initialise it with `SHARDSPEC_PARTIAL_INIT`, or set
/// all fields to zero and then set `struct_size`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct shardspec_partial {
    /// `sizeof(shardspec_partial)`; the same in every element of an array.
    pub struct_size: u64,
    /// The name of the axis, which no cut uses.
    pub axis: *const c_char,
    /// A `SHARDSPEC_REDUCTION_...` constant; 0: SUM.
    pub reduction: i32,
    /// 0.
    pub reserved: i32,
}

// SAFETY: `struct_size` comes first, and zeros are numbers and NULL pointers.
unsafe impl Grows for shardspec_partial {
    const NAME: &'static str = "shardspec_partial";
    const FIRST_SIZE: usize = 24;
}

/// How a tensor is laid out over a mesh. First dimensions are flattened, then padded, then cut.
/// Initialise it with `SHARDSPEC_MESH_LAYOUT_INIT`, or set all fields to zero and then set
/// `struct_size`. Such a layout replicates the tensor.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct shardspec_mesh_layout {
    /// `sizeof(shardspec_mesh_layout)`.
    pub struct_size: u64,
    /// The cuts, in the order in which they are applied.
    pub cuts: *const shardspec_cut,
    /// How many; with 0, `cuts` may be NULL.
    pub cut_count: usize,
    /// The dimensions that are lengthened.
    pub pads: *const shardspec_pad,
    /// How many; with 0, `pads` may be NULL.
    pub pad_count: usize,
    /// The axes that are pending a reduction.
    pub partials: *const shardspec_partial,
    /// How many; with 0, `partials` may be NULL.
    pub partial_count: usize,
    /// The first of the dimensions that become one, row-major.
    pub flatten_first: i64,
    /// How many dimensions become one, at least 2; 0: none do.
    pub flatten_count: usize,
}

// SAFETY: `struct_size` comes first, and zeros are numbers and NULL pointers.
unsafe impl Grows for shardspec_mesh_layout {
    const NAME: &'static str = "shardspec_mesh_layout";
    const FIRST_SIZE: usize = 72;
}
