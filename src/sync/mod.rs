//! Objects that threads share, without locks.
//!
//! A lock in the library's own state could be left held by a fork, and a counter that every use of
//! an object changes would make threads that share the object wait for each other. So objects are
//! in the slots of a [`slot_map`], and each thread publishes the objects that it uses by [`hazard`]
//! pointers in memory of its own. Threads of the library's own are in [`thread`].
//!
//! # The protocol
//!
//! A thread that uses an object:
//!
//! - U1. It has a record of hazard pointers, which the counts of the tree include. A count goes up (SeqCst)
//!   before the record is acquired.
//! - U2. It sets a free hazard pointer of the record (SeqCst).
//! - U3. It reads the state of the slot (SeqCst). If the object is not live, it goes on with U5.
//! - U4. It uses the object.
//! - U5. It clears the hazard pointer (SeqCst).
//! - U6. It reads the state again (SeqCst). If the object was freed, it goes on with F2.
//!
//! A thread that frees an object:
//!
//! - F1. It changes the state from live to freed (SeqCst). Of several threads, one succeeds.
//! - F2. It scans the hazard pointers (SeqCst). If one protects the object, it goes no further.
//! - F3. It changes the state from freed to dropping (SeqCst). Of several threads, one succeeds.
//! - F4. It drops the object, stores the next generation (Release), and puts the slot into the free list
//!   (Release).
//!
//! A thread that retires an object does R1, which is F1 with another state, repeats F2 until no hazard
//! pointer protects the object, and goes on with F4. A thread that inserts an object takes a slot out of
//! the free list (Acquire), writes the object (I1), and stores the state (I2, Release).
//!
//! What happens before what:
//!
//! - I1 before U4: U3 reads what I2 stored.
//! - U4 before F4: F2 reads what U5 stored, or a later value. Otherwise F2 did not see U2. Then F1 is before
//!   U3 in the order of all sequentially consistent accesses, and so U3 found no live object: there was no
//!   U4.
//! - The object is dropped: of F1 and U6 one is last in that order. If it is U6, the user goes on with F2. If
//!   it is F1, its scan sees U5. Of two users, the one whose U5 is last sees the hazard pointer of the other
//!   cleared.
//! - The object is dropped once: F3 succeeds once in a generation, and a generation is used once.
//! - F4 before the next I1: the free list is released and acquired.
//! - A scan misses no record: U1 is before U2, so a scan that reads a count of 0 did so before U2, and its
//!   thread finds at U3 that F1 was before.
//!
//! Models run this code in every order of the accesses, for two and three threads: `models/README.md`.

mod backoff;
pub(crate) mod hazard;
mod hazard_records;
pub(crate) mod key;
pub(crate) mod lazy;
pub(crate) mod seed;
pub(crate) mod slot_map;
pub(crate) mod thread;

#[cfg(test)]
mod tests;
