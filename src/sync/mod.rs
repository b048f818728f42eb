//! Objects that threads share, without locks.
//!
//! A lock in the library's own state could be left held by a fork, and a counter that every use of
//! an object changes would make threads that share the object wait for each other. So objects stand
//! in [`slots`], and each thread says in a line of memory of its own which slots it uses: [`users`].
//! Threads of the library's own are in [`thread`].

pub(crate) mod lazy;
mod lines;
pub(crate) mod seed;
pub(crate) mod slots;
pub(crate) mod thread;
pub(crate) mod users;

#[cfg(test)]
mod tests;
