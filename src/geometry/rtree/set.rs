//! Sets of shards that become nodes of the tree, and how they are cut.

use std::ops::Range;

/// A cut after which one part holds more than 7/8 of the set is a poor one; after so many in a row
/// the next is chosen by looking at all shards.
pub(super) const POOR_CUTS: u8 = 3;
/// How often a cut may be chosen by all shards of a set, counted along the path from the root.
pub(super) const EXACT_CUTS: u8 = 4;

/// After so many cuts that crossed shards, counted along the path from the root, planes that cross none are
/// not looked for in all of a set any more.
pub(super) const MAX_CROSSING_CUTS: u8 = 4;

/// How a set and its parts are divided. Each rule is used where the one before it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CutRule {
    /// By planes that cross few shards.
    FewCrossed,
    /// By planes that leave no large part.
    Balanced,
    /// At the median of a coordinate of the shards' corners.
    Corners,
}

/// Shards that are next to each other in the tree's order.
#[derive(Debug, Clone)]
pub(super) struct NodeSet {
    pub(super) places: Range<usize>,
    /// The dimensions to cut in, a bit for each.
    pub(super) dims: u32,
    /// The dimension to try first: the one after the last cut's. For corners, the coordinate to try
    /// first: lows come before highs.
    pub(super) next: u8,
    pub(super) rule: CutRule,
    pub(super) poor_cuts: u8,
    /// How often a cut may still be chosen by all shards of the set.
    pub(super) exact_cuts: u8,
    /// How many cuts above the set crossed shards.
    pub(super) crossing_cuts: u8,
    /// Nodes above the set.
    pub(super) depth: u8,
}

/// A plane that cuts a set: `at` in dimension `dim`.
#[derive(Debug, Clone, Copy)]
pub(super) struct PlaneCut {
    pub(super) dim: usize,
    pub(super) at: i64,
}
