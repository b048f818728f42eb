//! Models of the registry of ops.

use super::{Model, Witness, drops, no_drops};
use crate::concurrency::modelled::spawn;
use crate::model::Error;
use crate::ops::{OpError, Registry};

pub(super) const MODELS: &[Model] = &[
    Model { name: "a_replaced_op_is_found_until_its_successor_is", preemptions: 2, body: replace },
    Model {
        name: "no_call_of_an_op_runs_after_it_was_unregistered",
        preemptions: 2,
        body: unregister,
    },
    Model {
        name: "two_ops_that_are_registered_at_once_are_both_listed",
        preemptions: 1,
        body: two_names,
    },
    Model {
        name: "two_ops_that_end_each_other_do_not_wait_for_ever",
        preemptions: 2,
        body: each_other,
    },
];

fn replace() {
    static OPS: Registry<Witness> = Registry::new();
    no_drops();
    OPS.register("s", "op", Witness::new(1), false).unwrap();
    let caller = spawn(|| {
        let op = OPS.run_named("s", "op").unwrap();
        assert!(matches!(op.function().look(), 1 | 2));
    });
    OPS.register("s", "op", Witness::new(2), true).unwrap();
    assert_eq!(drops(), 1);
    assert_eq!(OPS.run_named("s", "op").unwrap().function().look(), 2);
    caller.join().unwrap();
    assert_eq!(drops(), 1);
}

fn unregister() {
    static OPS: Registry<Witness> = Registry::new();
    no_drops();
    let key = OPS.register("s", "op", Witness::new(1), false).unwrap();
    let caller = spawn(move || {
        if let Ok(op) = OPS.run(key) {
            op.function().look();
        }
    });
    OPS.unregister(key).unwrap();
    assert_eq!(drops(), 1);
    assert!(OPS.run(key).is_err());
    caller.join().unwrap();
}

fn two_names() {
    static OPS: Registry<Witness> = Registry::new();
    no_drops();
    let other = spawn(|| OPS.register("s", "b", Witness::new(2), false).unwrap());
    let one = OPS.register("s", "a", Witness::new(1), false).unwrap();
    let other = other.join().unwrap();
    assert_eq!(OPS.look_up("s", "a").ok(), Some(one));
    assert_eq!(OPS.look_up("s", "b").ok(), Some(other));
    assert_eq!(drops(), 0);
}

/// Each thread runs an op and ends the other's. At least one is refused with BUSY, as both can't wait.
fn each_other() {
    static OPS: Registry<Witness> = Registry::new();
    no_drops();
    let keys = ["a", "b"].map(|name| OPS.register("s", name, Witness::new(1), false).unwrap());
    let run_and_end = |own: u64, other: u64| {
        let Ok(op) = OPS.run(own) else { return };
        let ended = OPS.unregister(other);
        assert!(matches!(
            ended,
            Ok(()) | Err(Error::Op(OpError::Busy { .. }) | Error::NotFound { .. })
        ));
        op.function().look();
    };
    let other = spawn(move || run_and_end(keys[1], keys[0]));
    run_and_end(keys[0], keys[1]);
    other.join().unwrap();
}
