//! Plans for ranks on nodes.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "tests fail by panicking"
)]

use crate::common::plans::{on_ranks, rows};
use crate::common::{Boxes, Random};
use shardspec::plan::ReshardPlan;

/// Node 0 is a node. A negative number is none, and a rank past the end of the list has none.
#[test]
fn a_list_of_nodes_says_what_a_function_says() {
    let mut random = Random::new(19);
    let whole = |count: usize| Boxes::of(1, &vec![(&[0][..], &[6][..]); count]);
    for _ in 0..200 {
        let mut ranks = |count: usize| (0..count).map(|_| random.range(0, 6)).collect::<Vec<i64>>();
        let (from, to) = (ranks(4), ranks(3));
        let source = on_ranks(&whole(from.len()), &from);
        let destination = on_ranks(&whole(to.len()), &to);
        let nodes: Vec<i64> = (0..5).map(|_| random.range(-1, 3)).collect();
        let node_of = |rank: i64| nodes.get(rank as usize).copied().filter(|&node| node != -1);
        let plan = ReshardPlan::from_shards(source.clone(), destination.clone()).unwrap();
        let said = ReshardPlan::from_shards_near(source, destination, &node_of).unwrap();
        assert_eq!(rows(&plan.on_nodes(&nodes).unwrap()), rows(&said), "{from:?} {to:?} {nodes:?}");
    }
}
