//! Extents of a list that are equal.

#![allow(
    clippy::indexing_slicing,
    reason = "numbers are those of the extents and dim maps of the list"
)]

use std::cmp::Ordering;

use super::extent::{Extent, ExtentList};
use crate::memory::{Memory, try_collect, try_filled};

/// For each extent of a list, the first one that is equal to it, and how many equal ones come before it.
///
/// Extents are equal if they have the same elements at the same places of their buffers. An extent without
/// elements is equal to no other.
#[derive(Debug)]
pub(crate) struct EqualExtents {
    /// The first equal one, and the number of equal ones before it.
    rows: Vec<(u32, u32)>,
}

/// A dimension of an extent in numbers: the number of its dim map, or that of intervals; the start of an
/// interval; the length of the buffer. Equal dimensions have equal numbers, and no others do.
type DimKey = (u32, i64, i64);

impl EqualExtents {
    /// Looks at all extents of a list: `n * log(n)` for `n` of them.
    pub(crate) fn new(list: &ExtentList) -> Memory<Self> {
        let maps = numbers_of_maps(list)?;
        let compare = |a: u32, b: u32| match (list.get(a as usize), list.get(b as usize)) {
            (Some(a), Some(b)) => compare(&maps, a, b),
            _ => Ordering::Equal,
        };
        // A list has no more extents than a u32 counts.
        let all = (0u32..).zip(list.iter());
        let mut order =
            try_collect(all.filter(|(_, own)| !own.is_empty()).map(|(number, _)| number))?;
        order.sort_unstable_by(|&a, &b| compare(a, b).then(a.cmp(&b)));
        let mut rows = try_filled((0, 0), list.len())?;
        for (number, row) in (0u32..).zip(&mut rows) {
            *row = (number, 0);
        }
        let equal = order.chunk_by(|&a, &b| compare(a, b).is_eq());
        for numbers in equal {
            for (before, &number) in (0u32..).zip(numbers) {
                rows[number as usize] = (numbers[0], before);
            }
        }
        Ok(Self { rows })
    }

    /// The first extent that is equal to this one, and how many equal ones come before it.
    pub(crate) fn get(&self, number: usize) -> Option<(u32, u32)> {
        self.rows.get(number).copied()
    }
}

/// For each dim map of the table, the start of its key. A list has each dim map once.
fn numbers_of_maps(list: &ExtentList) -> Memory<Vec<(u32, i64)>> {
    let numbered = (0u32..).zip(list.table());
    try_collect(numbered.map(|(number, map)| match map.as_interval() {
        Some(interval) => (ExtentList::INTERVAL, interval.start),
        None => (number, 0),
    }))
}

fn key(maps: &[(u32, i64)], extent: Extent<'_>, dim: usize) -> DimKey {
    let size = extent.sizes[dim];
    match extent.map_number(dim) {
        None => (ExtentList::INTERVAL, extent.offsets[dim], size),
        Some(number) => {
            let (number, start) = maps[number as usize];
            (number, start, size)
        }
    }
}

fn compare(maps: &[(u32, i64)], a: Extent<'_>, b: Extent<'_>) -> Ordering {
    if maps.is_empty() {
        return (a.offsets, a.sizes).cmp(&(b.offsets, b.sizes));
    }
    let keys = |extent: Extent<'_>, dim| key(maps, extent, dim);
    let dims = 0..a.sizes.len();
    dims.map(|dim| keys(a, dim).cmp(&keys(b, dim)))
        .find(|order| order.is_ne())
        .unwrap_or(Ordering::Equal)
}
