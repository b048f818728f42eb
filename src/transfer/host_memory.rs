//! The back end for host memory.
//!
//! Where boxes of a full tensor lie side by side for a part of their rows only, they would be copied one
//! by one: the lines of memory at their borders are moved for each of them, and a processor that is to
//! read a part of each row fetches the rest as well, which takes twice as long. So they are cut into
//! bands whose rows are copied whole, in the order in which they lie in the tensor.

use super::backend::Backend;
use super::bands::{BandCuts, Dims};
use super::lay_out::Parts;
use super::local_shards::LocalShards;
use super::transfer::Transfer;
use super::view::HostView;
use crate::error::try_with_capacity;
use crate::host::copy_list::CopyList;
use crate::host::options::CopyOptions;
use crate::host::zeros::fill_with_zeros;
use crate::host::{self, Sweep};
use crate::model::Result;

#[cfg(test)]
mod tests;

/// Bytes of a copy for each look at a box: with more of these cutting would take too long beside it.
const BYTES_PER_VISIT: usize = 4 << 10;
/// Looks at a box that are not worth counting.
const VISITS: usize = 512;

/// Moves elements with the processors of this process.
#[derive(Debug, Clone, Copy)]
pub struct HostMemory;

/// A transfer in host memory.
pub type HostTransfer = Transfer<HostMemory>;

/// Copies, and the order in which they are carried out.
pub struct HostCopies {
    /// Holes, which are filled with zeros first.
    holes: CopyList,
    order: CopyOrder,
}

enum CopyOrder {
    /// As it is best for each kind of pieces.
    Pieces(CopyList),
    /// By the rows of the full tensor.
    Rows(Sweep),
}

impl Backend for HostMemory {
    type LaidOut = HostCopies;

    fn lay_out(parts: Parts<'_>, options: &CopyOptions) -> Result<HostCopies> {
        let copies = parts.lay_out()?;
        let rows = match parts {
            Parts::Scatter(full, shards) | Parts::Gather(shards, full) => {
                by_rows(&copies, full, shards, options)
            }
            Parts::Whole { .. } | Parts::Pieces { .. } => None,
        };
        let order = rows.map_or(CopyOrder::Pieces(copies), CopyOrder::Rows);
        Ok(HostCopies { holes: parts.holes()?, order })
    }

    unsafe fn run(HostCopies { holes, order }: &HostCopies, options: &CopyOptions) {
        // SAFETY: the contract of `Backend::run` covers every destination byte. Those of `holes`
        // and those of `order` are all destinations of this transfer, and the copies of `order` are
        // its copies.
        unsafe {
            fill_with_zeros(holes);
            match order {
                CopyOrder::Pieces(copies) => host::run(copies, options),
                CopyOrder::Rows(sweep) => host::run_sweep(sweep, options),
            }
        }
    }
}

/// The copies by the rows of the full tensor. None where that is not faster, where there would be
/// too many bands, where they would not be visited in order, or where there is no memory for them.
fn by_rows(
    copies: &CopyList, full: &HostView, shards: &LocalShards, options: &CopyOptions,
) -> Option<Sweep> {
    if !host::is_streamed(copies.bytes(), options) {
        return None;
    }
    let dims =
        Dims::of(full).filter(|dims| host::pays_by_rows(copies, dims.row_bytes(full), options))?;
    let visits = VISITS.max(copies.bytes() / BYTES_PER_VISIT);
    if shards.len() > visits {
        return None;
    }
    let layout = shards.layout();
    let mut own = try_with_capacity("bands", shards.len()).ok()?;
    let owns = |&index: &usize| layout.get(index).is_some_and(|shard| !shard.is_empty());
    own.extend(shards.indices().filter(owns));
    let bands = BandCuts::new(layout, &own, &dims, visits).ok()?;
    let (mut parts, mut ends, mut outputs) = (CopyList::new(copies.side()), Vec::new(), Vec::new());
    bands.each(&mut |members, bounds| {
        outputs.try_reserve(members.len()).ok()?;
        for &index in members {
            let number = shards.number_of(index)?;
            parts.push_band(full, shards, number, bounds)?;
            outputs.push(number);
        }
        ends.try_reserve(1).ok()?;
        ends.push(outputs.len());
        Some(())
    })?;
    Sweep::new(parts, &ends, outputs, shards.len(), options)
}
