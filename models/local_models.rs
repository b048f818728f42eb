//! Models of communicators between threads.

use super::Model;
use crate::comm::{Communicator, Incoming, LocalCommunicator, Outgoing, local};
use crate::concurrency::modelled::spawn;

pub(super) const MODELS: &[Model] = &[
    Model { name: "two_ranks_that_exchange_get_each_others_bytes", preemptions: 4, body: exchange },
    Model { name: "messages_of_one_rank_arrive_in_order", preemptions: 4, body: in_order },
    Model {
        name: "a_rank_that_goes_leaves_no_receiver_waiting",
        preemptions: 6,
        body: receiver_alone,
    },
    Model { name: "a_rank_that_goes_leaves_no_sender_waiting", preemptions: 6, body: sender_alone },
    Model { name: "an_abort_ends_an_exchange", preemptions: 5, body: abort },
    Model { name: "lengths_that_differ_fail_both_ranks", preemptions: 4, body: lengths },
    Model { name: "an_exchange_that_was_started_ends", preemptions: 4, body: started },
    Model { name: "three_ranks_in_a_circle_get_their_bytes", preemptions: 2, body: circle },
];

fn pair() -> [LocalCommunicator; 2] {
    let mut comms = local(2).unwrap().into_iter();
    [(); 2].map(|()| comms.next().unwrap())
}

/// Sends a byte and receives one. The byte that was sent is another one afterwards, as the memory is the
/// sender's again.
fn swap(comm: &LocalCommunicator, to: usize, from: usize, byte: u8) -> crate::model::Result<u8> {
    let (mut sent, mut received) = (byte, 0);
    let sends = [Outgoing { peer: to, pointer: &raw const sent, bytes: 1 }];
    let receives = [Incoming { peer: from, pointer: &raw mut received, bytes: 1 }];
    // SAFETY: `sent` and `received` are there until the exchange has ended, and no other code uses them.
    let result = unsafe { comm.exchange(&sends, &receives) };
    sent = u8::MAX;
    std::hint::black_box(&sent);
    result.map(|()| received)
}

fn send(comm: &LocalCommunicator, to: usize, byte: u8) -> crate::model::Result<()> {
    let mut sent = byte;
    let sends = [Outgoing { peer: to, pointer: &raw const sent, bytes: 1 }];
    // SAFETY: `sent` is there until the exchange has ended, and no other code writes it.
    let result = unsafe { comm.exchange(&sends, &[]) };
    sent = u8::MAX;
    std::hint::black_box(&sent);
    result
}

fn receive(comm: &LocalCommunicator, from: usize, bytes: usize) -> crate::model::Result<u8> {
    let mut received = [0; 4];
    let receives = [Incoming { peer: from, pointer: received.as_mut_ptr(), bytes }];
    // SAFETY: `received` is there until the exchange has ended, and has 4 bytes, as many as are asked for.
    unsafe { comm.exchange(&[], &receives) }.map(|()| received[0])
}

fn exchange() {
    let [first, second] = pair();
    let other = spawn(move || assert_eq!(swap(&second, 0, 0, 2).unwrap(), 1));
    assert_eq!(swap(&first, 1, 1, 1).unwrap(), 2);
    other.join().unwrap();
}

fn in_order() {
    let [first, second] = pair();
    let other = spawn(move || {
        assert_eq!([(); 2].map(|()| receive(&second, 0, 1).unwrap()), [1, 2]);
    });
    send(&first, 1, 1).unwrap();
    send(&first, 1, 2).unwrap();
    other.join().unwrap();
}

fn receiver_alone() {
    let [first, second] = pair();
    let other = spawn(move || drop(second));
    receive(&first, 1, 1).unwrap_err();
    other.join().unwrap();
}

fn sender_alone() {
    let [first, second] = pair();
    let other = spawn(move || drop(second));
    send(&first, 1, 1).unwrap_err();
    other.join().unwrap();
}

fn abort() {
    let [first, second] = pair();
    let other = spawn(move || {
        second.abort(&"on purpose");
        second
    });
    swap(&first, 1, 1, 1).unwrap_err();
    other.join().unwrap();
}

fn lengths() {
    let [first, second] = pair();
    let other = spawn(move || receive(&second, 0, 2).unwrap_err());
    send(&first, 1, 1).unwrap_err();
    other.join().unwrap();
}

fn started() {
    let [first, second] = pair();
    let other = spawn(move || assert_eq!(swap(&second, 0, 0, 2).unwrap(), 1));
    let (sent, mut received) = (1, 0);
    let sends = [Outgoing { peer: 1, pointer: &raw const sent, bytes: 1 }];
    let receives = [Incoming { peer: 1, pointer: &raw mut received, bytes: 1 }];
    // SAFETY: `sent` and `received` are there until the exchange has ended, and no other code uses them.
    let mut exchange = unsafe { first.start(&sends, &receives) }.unwrap().unwrap();
    let _ = exchange.test().unwrap();
    exchange.wait().unwrap();
    assert_eq!(received, 2);
    drop(exchange);
    other.join().unwrap();
}

fn circle() {
    let mut comms = local(3).unwrap().into_iter();
    let rank = |comm: LocalCommunicator, rank: usize| {
        let before = (rank + 2) % 3;
        assert_eq!(swap(&comm, (rank + 1) % 3, before, rank as u8).unwrap(), before as u8);
    };
    let [zero, one, two] = [(); 3].map(|()| comms.next().unwrap());
    let others = [spawn(move || rank(one, 1)), spawn(move || rank(two, 2))];
    rank(zero, 0);
    let _ = others.map(|other| other.join().unwrap());
}
