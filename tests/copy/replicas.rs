//! Replicas: several shards receive the same elements.

#![allow(clippy::unwrap_used, reason = "tests: what fails to be made is a failure")]

use crate::common::Random;
use crate::common::families::grid_of;
use crate::common::strided::Form;
use crate::common::tensor::of_bytes;
use crate::kernels::{evenly, every_way, round_trip};

/// The bytes are more than a chunk of a replica, so that replicas are copied in turn.
#[test]
fn replicas_in_any_order_are_all_filled_by_every_kernel() {
    let random = &mut Random::new(7);
    for (item, lanes, run, rows, replicas) in [
        (1, 8, 32, 9000, 2),
        (1, 64, 1, 20_000, 3),
        (2, 33, 7, 3000, 2),
        (4, 1, 300_000, 2, 3),
        (4, 3, 900, 300, 2),
        (8, 1024, 4, 60, 2),
    ] {
        let cut = grid_of(&[vec![0, rows], evenly(lanes, run, run)]);
        let mut replicated = cut.clone();
        (1..replicas).for_each(|_| replicated.boxes.extend(&cut.boxes));
        for shuffled in [false, true] {
            if shuffled {
                replicated.boxes = replicated.boxes.shuffled(random);
            }
            let ways = every_way();
            let form = |random: &mut Random, _| Form { place: 0, ..Form::dense(random) };
            round_trip(&replicated, of_bytes(item), &ways, form, random).unwrap();
        }
    }
}
