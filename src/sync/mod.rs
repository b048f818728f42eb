//! Objects that threads share, without locks.
//!
//! A lock in the library's own state could be left held by a fork, and a counter that every use of
//! an object changes would make threads that share the object wait for each other. So objects are
//! in the slots of a [`slot_map`], and each thread publishes the objects that it uses by [`hazard`]
//! pointers in memory of its own. Threads of the library's own are in [`thread`].

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
