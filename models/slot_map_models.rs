//! Models of the slot map and its hazard pointers.

use super::{Model, Witness, drops, no_drops};
use crate::concurrency::modelled::spawn;
use crate::sync::hazard::Use;
use crate::sync::slot_map::{ProtectError, SlotMap};

pub(super) const MODELS: &[Model] = &[
    Model {
        name: "an_object_is_dropped_once_by_its_user_or_by_free",
        preemptions: 5,
        body: use_and_free,
    },
    Model { name: "of_two_users_and_a_free_one_drops_the_object", preemptions: 2, body: two_users },
    Model { name: "of_two_frees_one_frees", preemptions: 4, body: two_frees },
    Model { name: "retire_waits_for_a_user_and_drops_the_object", preemptions: 5, body: retire },
    Model {
        name: "a_freed_key_does_not_find_the_next_object_of_its_slot",
        preemptions: 2,
        body: reuse,
    },
    Model { name: "a_label_is_that_of_its_object_or_none", preemptions: 5, body: label },
    Model { name: "two_threads_that_insert_get_two_slots", preemptions: 2, body: two_inserts },
    Model { name: "a_slot_is_taken_from_the_free_list_once", preemptions: 4, body: free_list },
    Model { name: "a_released_record_is_acquired_by_one_thread", preemptions: 2, body: records },
];

fn use_and_free() {
    static TABLE: SlotMap<Witness> = SlotMap::new();
    no_drops();
    let key = TABLE.insert(Witness::new(1), 0).unwrap();
    let user = spawn(move || match TABLE.protect(key, Use::Reads) {
        Ok(object) => {
            object.look();
            drop(object);
        }
        Err(why) => assert_eq!(why, ProtectError::Gone),
    });
    assert!(TABLE.free(key));
    user.join().unwrap();
    assert_eq!(drops(), 1);
    assert!(!TABLE.free(key));
}

fn two_users() {
    static TABLE: SlotMap<Witness> = SlotMap::new();
    no_drops();
    let key = TABLE.insert(Witness::new(1), 0).unwrap();
    let users = [(); 2].map(|()| {
        spawn(move || {
            if let Ok(object) = TABLE.protect(key, Use::Reads) {
                object.look();
            }
        })
    });
    assert!(TABLE.free(key));
    let _ = users.map(|user| user.join().unwrap());
    assert_eq!(drops(), 1);
}

fn two_frees() {
    static TABLE: SlotMap<Witness> = SlotMap::new();
    no_drops();
    let key = TABLE.insert(Witness::new(1), 0).unwrap();
    let other = spawn(move || TABLE.free(key));
    let freed = TABLE.free(key);
    assert!(freed != other.join().unwrap());
    assert_eq!(drops(), 1);
}

fn retire() {
    static TABLE: SlotMap<Witness> = SlotMap::new();
    no_drops();
    let key = TABLE.insert(Witness::new(1), 0).unwrap();
    let user = spawn(move || {
        if let Ok(object) = TABLE.protect(key, Use::Runs) {
            object.look();
        }
    });
    assert!(TABLE.retire(key));
    assert_eq!(drops(), 1);
    user.join().unwrap();
    assert_eq!(drops(), 1);
}

fn reuse() {
    static TABLE: SlotMap<Witness> = SlotMap::new();
    no_drops();
    let key = TABLE.insert(Witness::new(1), 0).unwrap();
    let user = spawn(move || {
        if let Ok(object) = TABLE.protect(key, Use::Reads) {
            assert_eq!(object.look(), 1);
        }
    });
    assert!(TABLE.free(key));
    let next = TABLE.insert(Witness::new(2), 0).unwrap();
    assert!(next != key);
    assert_eq!(TABLE.protect(next, Use::Reads).map(|object| object.look()).ok(), Some(2));
    assert!(TABLE.free(next));
    user.join().unwrap();
    assert_eq!(drops(), 2);
}

fn label() {
    static TABLE: SlotMap<Witness> = SlotMap::new();
    no_drops();
    let key = TABLE.insert(Witness::new(1), 10).unwrap();
    let reader = spawn(move || assert!(matches!(TABLE.label(key), None | Some(10))));
    assert!(TABLE.free(key));
    let next = TABLE.insert(Witness::new(2), 20).unwrap();
    assert_eq!(TABLE.label(next), Some(20));
    reader.join().unwrap();
}

fn two_inserts() {
    static TABLE: SlotMap<Witness> = SlotMap::new();
    no_drops();
    let insert = |number| {
        let key = TABLE.insert(Witness::new(number), number as u64).unwrap();
        let object = TABLE.protect(key, Use::Reads);
        assert_eq!(object.map(|object| object.look()).ok(), Some(number));
        key
    };
    let other = spawn(move || insert(2));
    let keys = [insert(1), other.join().unwrap()];
    assert_eq!(keys.map(|key| TABLE.label(key)), [Some(1), Some(2)]);
    assert!(keys.map(|key| TABLE.free(key)) == [true; 2] && drops() == 2);
}

fn free_list() {
    static TABLE: SlotMap<Witness> = SlotMap::new();
    no_drops();
    let keys = [1, 2].map(|number| TABLE.insert(Witness::new(number), 0).unwrap());
    assert!(keys.iter().all(|&key| TABLE.free(key)));
    let insert_and_free = |number| {
        let key = TABLE.insert(Witness::new(number), number as u64).unwrap();
        assert_eq!(TABLE.label(key), Some(number as u64));
        assert!(TABLE.free(key));
    };
    let other = spawn(move || insert_and_free(3));
    insert_and_free(4);
    let last = TABLE.insert(Witness::new(5), 5).unwrap();
    other.join().unwrap();
    assert_eq!((TABLE.label(last), drops()), (Some(5), 4));
}

fn records() {
    static TABLE: SlotMap<Witness> = SlotMap::new();
    no_drops();
    let key = TABLE.insert(Witness::new(1), 0).unwrap();
    let look = move || TABLE.protect(key, Use::Reads).map(|object| object.look()).ok();
    // The first ends, and releases its record, while the second acquires one.
    let first = spawn(look);
    let second = spawn(look);
    assert_eq!(first.join().unwrap(), Some(1));
    assert!(TABLE.free(key));
    second.join().unwrap();
    assert_eq!(drops(), 1);
}
