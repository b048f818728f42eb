//! Where elements are moved.

use super::lay_out::Parts;
use crate::host::options::CopyOptions;
use crate::model::Result;

/// Moves elements between buffers of one kind of memory.
pub trait Backend {
    /// Parts in the form that it moves them in: it owns what it needs.
    type LaidOut: Send + Sync;

    /// Lays parts out, of buffers that do not overlap. Nothing moves.
    fn lay_out(parts: Parts<'_>, options: &CopyOptions) -> Result<Self::LaidOut>;

    /// Moves everything.
    ///
    /// # Safety
    ///
    /// Every source byte may be read and every destination byte written, no destination overlaps
    /// another or a source, and nothing else uses any of them meanwhile.
    unsafe fn run(laid_out: &Self::LaidOut, options: &CopyOptions);
}
