//! Models of shared values, of the stack that can be closed, and of channels.

use super::{Model, Witness, drops, no_drops};
use crate::concurrency::modelled::spawn;
use crate::memory::Shared;

// Private where they are; the same sources once more.
#[allow(dead_code, reason = "models need only a part")]
#[path = "../src/comm/channel.rs"]
mod channel;
#[allow(dead_code, reason = "models need only a part")]
#[path = "../src/ffi/border/treiber_stack.rs"]
mod treiber_stack;

use channel::BoundedChannel;
use treiber_stack::TreiberStack;

pub(super) const MODELS: &[Model] = &[
    Model { name: "a_shared_value_is_dropped_once_after_all_uses", preemptions: 4, body: shared },
    Model { name: "a_shared_value_is_changed_by_its_only_owner", preemptions: 4, body: only_owner },
    Model { name: "a_closed_stack_has_what_was_pushed_before", preemptions: 4, body: stack },
    Model { name: "a_channel_wakes_its_receiver_and_closes", preemptions: 5, body: channel },
];

fn shared() {
    no_drops();
    let first = Shared::try_new(Witness::new(1)).unwrap();
    let others = [first.clone(), first.clone()].map(|owner| {
        spawn(move || {
            owner.look();
        })
    });
    first.look();
    drop(first);
    let _ = others.map(|other| other.join().unwrap());
    assert_eq!(drops(), 1);
}

fn only_owner() {
    no_drops();
    let mut first = Shared::try_new(Witness::new(1)).unwrap();
    let second = first.clone();
    let other = spawn(move || {
        second.look();
    });
    if let Some(witness) = Shared::get_mut(&mut first) {
        // SAFETY: `witness` is borrowed for writing; loom fails a run in which it is used meanwhile.
        unsafe { *witness.place.write() = 1 };
    }
    other.join().unwrap();
    drop(first);
    assert_eq!(drops(), 1);
}

fn stack() {
    no_drops();
    let stack = Shared::try_new(TreiberStack::new()).unwrap();
    let pushers = [1, 2].map(|number| {
        let stack = stack.clone();
        spawn(move || stack.push(Witness::new(number)).unwrap())
    });
    let taken = stack.close();
    let count = taken.iter().map(Witness::look).count();
    let pushed = pushers.map(|pusher| pusher.join().unwrap());
    assert_eq!(pushed.iter().filter(|pushed| **pushed).count(), count);
    drop(taken);
    assert_eq!(drops(), 2);
}

fn channel() {
    no_drops();
    let channel = Shared::try_new(BoundedChannel::<Witness, 2>::new()).unwrap();
    let sender = {
        let channel = channel.clone();
        spawn(move || {
            assert!(channel.send(Witness::new(1)).is_ok());
            assert!(channel.send(Witness::new(2)).is_ok());
            channel.close();
            assert!(channel.send(Witness::new(3)).is_err());
        })
    };
    let received = std::iter::from_fn(|| channel.receive()).map(|item| item.look());
    assert_eq!(received.collect::<Vec<_>>(), [1, 2]);
    sender.join().unwrap();
    assert_eq!(drops(), 3);
}
