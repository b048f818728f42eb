//! Whether boxes overlap, and two that do.
//!
//! Ways that are fast for most lists come first. They say that no two boxes overlap, or nothing:
//!
//! 1. The order of the list may show it, as in lists of nested loops ([`super::loop_order`]).
//! 2. Boxes that follow each other may join to larger ones, as in lists of cuts of cuts
//!    ([`super::joined`]). Then only those need to be looked at.
//! 3. Boxes of few cells of a grid are marked there ([`super::grid_marks`]).
//! 4. Boxes of two dimensions are swept ([`super::frontier`]).
//!
//! The rest is searched ([`super::search`]). The search also names the boxes that overlap, and it is the
//! only way that does. So which ones it names does not depend on the other ways.

use super::box_list::BoxList;
use super::grid_marks::are_disjoint;
use super::ranks::{Ranked, ranked_dims};
use super::search::Search;
use super::{frontier, joined, loop_order};
use crate::memory::Memory;

/// Two shards that own the same element, the lower index first; `None` if there are none.
///
/// The answer is the same in every run, but which pair it is, of several, is not specified.
pub fn find(shards: &BoxList) -> Memory<Option<(usize, usize)>> {
    if loop_order::are_apart(shards) {
        return Ok(None);
    }
    if let Some(joined) = joined::join(shards)?
        && (joined.len() < 2 || find_in_any_order(&joined)?.is_none())
    {
        return Ok(None);
    }
    find_in_any_order(shards)
}

/// The same of a list whose order shows nothing.
fn find_in_any_order(shards: &BoxList) -> Memory<Option<(usize, usize)>> {
    let owners = shards.not_empty()?;
    let (Some(&first), Some(&second)) = (owners.first(), owners.get(1)) else {
        return Ok(None);
    };
    let dims = ranked_dims(shards, &owners)?;
    let marked = are_disjoint(&dims)?;
    if marked == Some(true) {
        return Ok(None);
    }
    let boxes = Ranked::new(dims, owners)?;
    if marked.is_none() && frontier::are_apart(&boxes)? {
        return Ok(None);
    }
    let found =
        if boxes.dims.is_empty() { Some((first, second)) } else { Search::run(shards, &boxes)? };
    Ok(found.map(|(a, b)| (a.min(b) as usize, a.max(b) as usize)))
}
