//! Short runs with non-temporal stores, tile by tile.
//!
//! A tile reads some strips of memory (a row each of a tensor that is scattered, some rows of a
//! shard each where shards are gathered) and writes some outputs (a shard each, or a row each), to
//! which every strip gives a run. Outputs that are whole lines are combined in registers, others in
//! scratch memory. The strips of the next tile are prefetched while a tile is copied, in the order
//! of their addresses.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "tiles are cut to fit their memory, and rows and bytes of a plan fit an address space"
)]

mod ahead;
mod copy;
mod group;
mod memory;
mod tile;

use std::mem::MaybeUninit;
use std::ops::Range;

use crate::host::kernels::lanes::LaneRows;
use crate::host::stream::StoreMode;
use crate::host::tuning::MAX_LANES;
pub(super) use ahead::TileAhead;
pub(super) use group::pay;
use memory::Scratch;
pub(in crate::host) use memory::TileMemory;
use tile::{Tile, TileWalk};

/// Copies rows `units` of the first lanes with non-temporal stores, as many as tiles pay for.
/// Returns their number.
///
/// # Safety
///
/// As `rows::copy`; `memory` is ready.
pub(super) unsafe fn copy(
    rows: &LaneRows, units: Range<usize>, store: StoreMode, memory: &mut TileMemory,
) -> usize {
    let Some(memory) = &memory.memory else {
        return 0;
    };
    // SAFETY: `memory` is a buffer of the size of a `Scratch` that is aligned to huge lines, and it
    // is borrowed, so that nothing else uses it. All of `Scratch` but `written`, which is set
    // first, may be uninitialised.
    let scratch = unsafe {
        let scratch = memory.as_ptr().cast::<Scratch>();
        (&raw mut (*scratch).written).write(0);
        &mut *scratch
    };
    let mut lanes = [[MaybeUninit::uninit(); MAX_LANES]; 2];
    let [one, other] = &mut lanes;
    let (mut one, mut other) = (Tile::new(store, one), Tile::new(store, other));
    let (mut here, mut next) = (&mut one, &mut other);
    let mut walk = TileWalk { rows, row: units.end, units, first: 0, count: 0, group: here.group };
    let mut goes_on = next.go_on(&mut walk);
    // SAFETY: the contract of `copy` covers these rows of all lanes. The `walk` gives each tile
    // once, and tiles are cut to fit the `scratch` memory.
    unsafe {
        while goes_on {
            let number = here.first;
            std::mem::swap(&mut here, &mut next);
            goes_on = next.go_on(&mut walk);
            if here.first != number {
                scratch.begin(here);
            }
            here.group.copy(here, goes_on.then_some(&*next), scratch);
        }
        scratch.finish();
    }
    walk.first
}
