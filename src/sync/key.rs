//! Keys of slot maps: numbers of 43 bits, so that handles made of them fit 47.
//!
//! The upper 26 bits are the number of a slot, changed by the random mask of its table. The lower 17
//! are the generation: how often the slot was used before, counted from a random number on. Random
//! numbers keep the keys of two tables apart, and so those of two copies of the library in one
//! process.

#![allow(clippy::arithmetic_side_effects, reason = "shifts and masks of constants")]

use super::seed::random_of;

/// Bits of a key that are the number of the slot.
const SLOT_BITS: u32 = 26;
/// The largest number of a slot.
pub(super) const MAX_SLOT: u32 = (1 << SLOT_BITS) - 1;
/// Bits of a key that are the generation.
const GENERATION_BITS: u32 = 17;
const MAX_GENERATION: u64 = (1 << GENERATION_BITS) - 1;
/// Objects that a slot holds, one after another, before it is retired.
#[cfg(test)]
pub(super) const GENERATIONS: usize = 1 << GENERATION_BITS;
/// Bits of a key.
pub(crate) const KEY_BITS: u32 = SLOT_BITS + GENERATION_BITS;

/// The key of a generation of a slot.
pub(super) fn key_of(slot: u32, mask: u32, generation: u64) -> u64 {
    u64::from(slot ^ mask) << GENERATION_BITS | generation
}

/// The number of a key's slot.
#[inline(always)]
pub(super) fn slot_of(key: u64, mask: u32) -> u32 {
    (key >> GENERATION_BITS) as u32 & MAX_SLOT ^ mask
}

/// The generation of a key.
#[inline(always)]
pub(super) fn generation_of(key: u64) -> u64 {
    key & MAX_GENERATION
}

/// The generation after another; none after the last one of a slot.
pub(super) fn generation_after(generation: u64, table: u64, slot: u32) -> Option<u64> {
    let next = (generation + 1) & MAX_GENERATION;
    (next != first_generation(table, slot)).then_some(next)
}

/// A slot's first generation: any number.
pub(super) fn first_generation(table: u64, slot: u32) -> u64 {
    random_of(table ^ u64::from(slot)) >> (u64::BITS - GENERATION_BITS)
}

/// The mask of a table's slot numbers: any number.
pub(super) fn mask_of(table: u64) -> u32 {
    (random_of(!table) >> (u64::BITS - SLOT_BITS)) as u32
}
