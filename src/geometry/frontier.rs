//! Whether boxes of two dimensions overlap, by a sweep along one of them.
//!
//! Boxes come in the order of their starts in the dimension of the sweep. For each place in the other
//! dimension, the frontier says where the last box there ends. A box overlaps an earlier one exactly when
//! the frontier reaches past its start somewhere in it; after that, the frontier there is its own end.
//!
//! The frontier is a step function. A box adds two breaks at most, and removes those inside of it, so all
//! boxes together take about `n` changes of breaks. The breaks are a bit set with summaries: a bit for each
//! word of 64 bits below. So a break is found by at most four words up and down for 16 million places, and
//! of a million places all bits fit into the second-level cache.

#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "places are ranks, which are below the number of starts"
)]

use super::ranks::Ranked;
use super::steps;
use crate::memory::{self, Memory, TryVec};

/// Whether no two boxes overlap, of boxes with two dimensions.
pub(super) fn are_apart(boxes: &Ranked) -> Memory<bool> {
    let [across, along] = &*boxes.dims else {
        return Ok(false);
    };
    let places = across.iter().map(|span| span.high).max().unwrap_or(0);
    let mut frontier = Frontier::new(places as usize)?;
    for (across, along) in across.iter().zip(along) {
        if !frontier.pass(across.low as usize..across.high as usize, along.low, along.high) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Where the last box ends, for each place.
struct Frontier {
    places: usize,
    /// The places where a step of the function starts. The first place always is one.
    breaks: PlaceSet,
    /// For each of these places, the end from there to the next of them.
    ends: Vec<u32>,
}

impl Frontier {
    fn new(places: usize) -> Memory<Self> {
        let mut breaks = PlaceSet::new(places)?;
        breaks.insert(0);
        Ok(Self { places, breaks, ends: memory::try_filled(0, places.max(1))? })
    }

    /// Moves the frontier at some places, of which there is one at least, to the end of a box. False if
    /// it is past the start of that box somewhere.
    #[inline]
    fn pass(&mut self, places: std::ops::Range<usize>, start: u32, end: u32) -> bool {
        let first = self.breaks.last_up_to(places.start);
        let mut reached = self.ends[first];
        let mut looked_at = 1;
        let mut next = first;
        let mut apart = reached <= start;
        while apart {
            next = self.breaks.next_after(next).unwrap_or(self.places);
            if next >= places.end {
                break;
            }
            looked_at += 1;
            reached = self.ends[next];
            apart = reached <= start;
            self.breaks.remove(next);
        }
        steps::count(looked_at);
        if !apart {
            return false;
        }
        if next > places.end {
            self.breaks.insert(places.end);
            self.ends[places.end] = reached;
        }
        if first < places.start {
            self.breaks.insert(places.start);
        }
        self.ends[places.start] = end;
        true
    }
}

/// A set of places as bits, with summaries.
struct PlaceSet {
    /// The bits of the places, then for each word of the level before a bit that says that it is not 0.
    /// The last level is one word.
    levels: Vec<Vec<u64>>,
}

impl PlaceSet {
    /// An empty set for so many places.
    fn new(places: usize) -> Memory<Self> {
        let (mut levels, mut words) = (Vec::new(), places.max(1));
        loop {
            words = words.div_ceil(64);
            levels.try_push(memory::try_filled(0, words)?)?;
            if words == 1 {
                return Ok(Self { levels });
            }
        }
    }

    fn insert(&mut self, place: usize) {
        let mut at = place;
        for level in &mut self.levels {
            let word = &mut level[at / 64];
            let before = *word;
            *word |= 1 << (at % 64);
            if before != 0 {
                break;
            }
            at /= 64;
        }
    }

    fn remove(&mut self, place: usize) {
        let mut at = place;
        for level in &mut self.levels {
            let word = &mut level[at / 64];
            *word &= !(1 << (at % 64));
            if *word != 0 {
                break;
            }
            at /= 64;
        }
    }

    /// The last place of the set up to one. The first place is always in the set.
    #[inline]
    fn last_up_to(&self, place: usize) -> usize {
        let mut at = place;
        let mut mask = u64::MAX >> (63 - at % 64);
        for (height, level) in self.levels.iter().enumerate() {
            let bits = level[at / 64] & mask;
            if bits != 0 {
                let mut found = at / 64 * 64 + 63 - bits.leading_zeros() as usize;
                for lower in self.levels[..height].iter().rev() {
                    found = found * 64 + 63 - lower[found].leading_zeros() as usize;
                }
                return found;
            }
            at /= 64;
            mask = (1 << (at % 64)) - 1;
        }
        0
    }

    /// The first place of the set behind one.
    #[inline]
    fn next_after(&self, place: usize) -> Option<usize> {
        let mut at = place;
        for (height, level) in self.levels.iter().enumerate() {
            // Two shifts, as one by 64 bits is none.
            let bits = level[at / 64] & (u64::MAX << (at % 64) << 1);
            if bits != 0 {
                let mut found = at / 64 * 64 + bits.trailing_zeros() as usize;
                for lower in self.levels[..height].iter().rev() {
                    found = found * 64 + lower[found].trailing_zeros() as usize;
                }
                return Some(found);
            }
            at /= 64;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::Random;
    use crate::geometry::rank_span::RankSpan;

    #[test]
    fn a_sweep_says_what_comparing_every_pair_says() {
        let mut random = Random::new(6);
        let mut answers = [0; 2];
        for _ in 0..3000 {
            let places = 1 + random.range(0, 200);
            let mut span = |most: i64| {
                let low = random.range(0, places) as u32;
                RankSpan { low, high: low + 1 + random.range(0, most) as u32 }
            };
            let most = 1 + places / 8;
            let count = places as usize / 8 + 2;
            let across = (0..count).map(|_| span(most)).collect();
            let mut along: Vec<RankSpan> = (0..count).map(|_| span(most)).collect();
            along.sort_unstable_by_key(|span| span.low);
            let boxes = Ranked { shard: Vec::new(), dims: vec![across, along] };
            let all = 0..count as u32;
            let apart = all.clone().all(|a| (0..a).all(|b| !boxes.meet_from(0, a, b)));
            assert_eq!(are_apart(&boxes).unwrap(), apart);
            answers[usize::from(apart)] += 1;
        }
        assert!(answers.iter().all(|&count| count > 100), "{answers:?}");
    }

    #[test]
    fn places_are_found_in_a_set_of_any_height() {
        let mut random = Random::new(7);
        for places in [1, 64, 65, 4096, 4097, 300_000] {
            let mut set = PlaceSet::new(places).unwrap();
            set.insert(0);
            let mut expected = std::collections::BTreeSet::from([0]);
            for _ in 0..2000 {
                let place = random.below(places);
                if place > 0 && random.below(3) == 0 {
                    set.remove(place);
                    expected.remove(&place);
                } else {
                    set.insert(place);
                    expected.insert(place);
                }
                let asked = random.below(places);
                let last = expected.range(..=asked).next_back().copied();
                assert_eq!(Some(set.last_up_to(asked)), last);
                let next = expected.range(asked + 1..).next().copied();
                assert_eq!(set.next_after(asked), next);
            }
        }
    }
}
