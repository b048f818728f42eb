//! Pieces of a plan as its users see them.

/// One piece of a plan: elements of a source shard that a destination shard takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece<'a> {
    /// The source shard's index.
    pub source: usize,
    /// The destination shard's index.
    pub destination: usize,
    /// Where it is in the source shard.
    pub source_window: Window<'a>,
    /// Where it is in the destination shard.
    pub destination_window: Window<'a>,
    /// How long it is in each of its dimensions. Never 0.
    pub sizes: &'a [i64],
}

impl Piece<'_> {
    /// How many elements it has.
    pub fn elements(&self) -> usize {
        // They fit a shard, whose elements an address space has.
        self.sizes.iter().fold(1, |all: usize, &size| all.saturating_mul(size as usize))
    }
}

/// A box of elements of a shard's buffer: `sizes` of them, from `offsets` on, at steps. Where shards
/// are not boxes, it may have more dimensions than the buffer, several in one of the buffer's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window<'a> {
    /// Where it starts: a number for each dimension of the buffer.
    pub offsets: &'a [i64],
    /// How long it is: a number for each of its own dimensions.
    pub sizes: &'a [i64],
    /// For each of its own dimensions, the buffer's that it goes in, and how far a step is there.
    /// `None`: they are the buffer's, and a step is 1.
    pub strides: Option<(&'a [usize], &'a [i64])>,
}

/// Pieces as flat arrays: numbers, and rows of a number for each dimension.
#[derive(Debug, Clone, Copy)]
pub struct PieceRows<'a> {
    /// The source shards' indices.
    pub sources: &'a [u32],
    /// The destination shards' indices.
    pub destinations: &'a [u32],
    /// Where pieces start in the source shards.
    pub source_offsets: &'a [i64],
    /// Where they start in the destination shards.
    pub destination_offsets: &'a [i64],
    /// How long they are.
    pub sizes: &'a [i64],
    /// Where pieces are no boxes of the buffers.
    pub steps: Option<StepRows<'a>>,
}

/// How pieces go through buffers, where they are no boxes of them.
#[derive(Debug, Clone, Copy)]
pub struct StepRows<'a> {
    /// For each dimension of pieces, the one of source shards' buffers that it goes in.
    pub source_dims: &'a [usize],
    /// The same of destination shards' buffers.
    pub destination_dims: &'a [usize],
    /// For each piece and each of its dimensions, how far a step is in that dimension.
    pub source_steps: &'a [i64],
    /// The same of destination shards' buffers.
    pub destination_steps: &'a [i64],
}
