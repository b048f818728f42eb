//! Do destinations share memory with anything that they must not share it with?
//!
//! Exact, not by address ranges alone: columns of one buffer lie between each other's ends and still
//! share no byte. Packed elements may share bytes, if they share no bit. All views of a call have one
//! element type.
//!
//! Views between whose ends no other begins need no second look. Others are written as boxes of the
//! one array that they are parts of ([`boxes`]), in about `n * log(n)` for `n` views. Views that
//! are not parts of such an array are compared in pairs ([`pair`]), as long as that is fast, and
//! then run by run ([`scan`]), which takes about as long as the copy. So every legal set of
//! destinations is accepted, except where sources have more elements than memory and the search
//! would take too long.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "extents of views fit an address space; sums of them are taken in 128 bits"
)]

mod boxes;
mod cost;
mod form;
mod pair;
mod scan;
mod tensors;
#[cfg(test)]
mod tests;

use super::local_shards::LocalShards;
use super::view::HostView;
use super::view_ref::{Reach, ViewRef};
use crate::error::try_with_capacity;
use crate::memory::{Text, TryVec, text, try_filled};
use crate::model::{Error, Result};
use crate::transfer::error::TransferError;
use boxes::BoxSearch;
use cost::SearchCost;
use form::{Forms, Keep, Raw};
use pair::Patience;
use scan::Found;
pub(crate) use tensors::check_tensor_aliases;

/// Steps of searches for a shared unit of two views that are always allowed in a group of views.
const MIN_STEPS: u64 = 1 << 20;
/// Steps that are allowed for each view of the group.
const STEPS_OF_VIEW: u64 = 256;
/// Pairs of views that are compared for each view of the group.
const PAIRS_OF_VIEW: usize = 64;
/// Destinations of which places need no memory of their own.
const FEW: usize = 16;
/// Steps of a search for a unit that a view has twice.
const STEPS_OF_ITSELF: u64 = 1 << 14;

/// The views on one side of a transfer: those that are read, or those that are written. They are
/// numbered from 0.
#[derive(Clone, Copy)]
pub(crate) enum Side<'a> {
    /// Of an argument of this name; none where what it names is in another process.
    Tensor(&'static str, &'a [HostView]),
    /// Shards from this index on.
    Row(usize, &'a [HostView]),
    /// Any shards.
    Shards(&'a LocalShards),
}

/// Which view it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Party {
    /// That of an argument of this name.
    Tensor(&'static str),
    /// The shard of this index.
    Shard(usize),
}

/// The argument that a whole tensor is passed by.
const FULL: &str = "full";

impl<'a> Side<'a> {
    /// A whole tensor.
    pub(crate) fn full(full: &'a HostView) -> Self {
        Self::Tensor(FULL, std::slice::from_ref(full))
    }

    /// A whole tensor, if it is in this process.
    pub(crate) fn maybe_full(full: &'a Option<HostView>) -> Self {
        Self::Tensor(FULL, full.as_slice())
    }

    /// How many views there are.
    fn len(self) -> usize {
        match self {
            Self::Tensor(_, views) | Self::Row(_, views) => views.len(),
            Self::Shards(shards) => shards.len(),
        }
    }

    /// View `number`; there must be one.
    #[inline]
    fn get(self, number: usize) -> ViewRef<'a> {
        match self {
            Self::Tensor(_, views) | Self::Row(_, views) => views[number].by_ref(),
            Self::Shards(shards) => shards.get(number),
        }
    }

    /// Which one view `number` is.
    fn party(self, number: usize) -> Party {
        match self {
            Self::Tensor(name, _) => Party::Tensor(name),
            Self::Row(first, _) => Party::Shard(first.saturating_add(number)),
            Self::Shards(shards) => Party::Shard(shards.index(number)),
        }
    }
}

/// Where a view is that has elements.
#[derive(Debug, Clone, Copy)]
struct ViewExtent {
    extent: Reach,
    /// Its number on its side.
    number: usize,
}

impl ViewExtent {
    const NOWHERE: Self = Self { extent: Reach { low: 0, high: 0 }, number: 0 };
}

/// Refuses destinations that share memory with each other, with themselves, or with a source.
pub(crate) fn check_aliases(destinations: Side<'_>, sources: Side<'_>) -> Result<()> {
    // Between these addresses are all destinations.
    let mut all = Reach { low: usize::MAX, high: 0 };
    // Whether each begins behind those before it, or ends before them.
    let (mut ascend, mut descend) = (true, true);
    for number in 0..destinations.len() {
        let view = destinations.get(number);
        let Some((extent, is_row_major)) = view.extent_and_order() else {
            continue;
        };
        if !is_row_major {
            check_itself(destinations.party(number), view)?;
        }
        ascend &= extent.low >= all.high;
        descend &= extent.high <= all.low;
        all = Reach { low: all.low.min(extent.low), high: all.high.max(extent.high) };
    }
    let meets =
        |number: &usize| sources.get(*number).extent().is_some_and(|extent| extent.meets(all));
    let first = (0..sources.len()).find(meets);
    if first.is_none() && (ascend || descend) {
        return Ok(());
    }
    let mut read = Vec::new();
    for number in first.unwrap_or(sources.len())..sources.len() {
        if let Some(extent) = sources.get(number).extent().filter(|extent| extent.meets(all)) {
            read.try_push(ViewExtent { extent, number })?;
        }
    }
    check_places(destinations, sources, &mut read)
}

/// The same, by the places of destinations and of these sources, which lie among them.
#[inline(never)]
fn check_places(destinations: Side<'_>, sources: Side<'_>, read: &mut [ViewExtent]) -> Result<()> {
    // Memory for a few would take longer than to look at them.
    let mut few = [ViewExtent::NOWHERE; FEW];
    let mut many: Vec<ViewExtent>;
    let places = match few.get_mut(..destinations.len()) {
        Some(places) => places,
        None => {
            many = try_filled(ViewExtent::NOWHERE, destinations.len())?;
            &mut many[..]
        }
    };
    let mut count = 0;
    for number in 0..destinations.len() {
        if let Some(extent) = destinations.get(number).extent() {
            places[count] = ViewExtent { extent, number };
            count += 1;
        }
    }
    let written = &mut places[..count];
    written.sort_unstable_by_key(|place| place.extent.low);
    read.sort_unstable_by_key(|place| place.extent.low);
    let (mut written, mut read) = (&*written, &*read);
    while !written.is_empty() {
        let (to, from) = tangled(written, read);
        if to > 0 && to + from > 1 {
            check_group(destinations, sources, &written[..to], &read[..from])?;
        }
        (written, read) = (&written[to..], &read[from..]);
    }
    Ok(())
}

/// Looks at views of which each may share memory with others.
fn check_group(
    destinations: Side<'_>, sources: Side<'_>, written: &[ViewExtent], read: &[ViewExtent],
) -> Result<()> {
    let mut forms = Forms::with_capacity(written.len() + read.len())?;
    for (end, places) in [(destinations, written), (sources, read)] {
        for place in places {
            forms.push(Raw::of(end.get(place.number)), Keep::Once)?;
        }
    }
    match compare(&forms, written.len(), &mut SearchCost::default())? {
        Found::Nothing => Ok(()),
        Found::Shared(a, b) => {
            let (first, second) = (a.min(b), a.max(b));
            let destination = destinations.party(written[first].number);
            Err(match second.checked_sub(written.len()) {
                None => two_destinations(destination, destinations.party(written[second].number)),
                Some(at) => shared(destination, sources.party(read[at].number)),
            })
        }
        Found::TooMuch => Err(undecided()),
    }
}

/// How many of the first destinations and sources, each in the order of their places, are tangled:
/// there is no place that none of them reaches beyond.
fn tangled(destinations: &[ViewExtent], sources: &[ViewExtent]) -> (usize, usize) {
    let (mut written, mut read, mut end) = (0, 0, 0);
    loop {
        let next_written = destinations.get(written).map(|place| place.extent);
        let next_read = sources.get(read).map(|place| place.extent);
        let low = |extent: Option<Reach>| extent.map_or(usize::MAX, |extent| extent.low);
        let is_destination = low(next_written) <= low(next_read);
        let Some(next) = (if is_destination { next_written } else { next_read }) else {
            return (written, read);
        };
        if written + read > 0 && next.low >= end {
            return (written, read);
        }
        end = end.max(next.high);
        if is_destination { written += 1 } else { read += 1 }
    }
}

/// Looks for a unit that two of the views have in common, of which one is a destination. These are
/// the first ones; none overlaps itself.
fn compare(forms: &Forms, destinations: usize, cost: &mut SearchCost) -> Result<Found> {
    if forms.steps().is_empty() {
        return compare_runs(forms, destinations);
    }
    let irregular = match boxes::find_shared(forms, destinations, cost)? {
        BoxSearch::Shared(first, second) => return Ok(Found::Shared(first, second)),
        BoxSearch::Irregular(irregular) => irregular,
    };
    let all = STEPS_OF_VIEW.saturating_mul(forms.len() as u64).saturating_add(MIN_STEPS);
    let mut patience = Patience::new(all);
    let mut unknown: Vec<bool> = try_with_capacity("views", forms.len())?;
    unknown.resize(forms.len(), false);
    let mut pairs = PAIRS_OF_VIEW * forms.len();
    'all: for &first in &irregular {
        for second in 0..forms.len() {
            // Two irregular ones meet here twice.
            let is_again = second >= first && irregular.binary_search(&second).is_ok();
            if is_again || first.min(second) >= destinations {
                continue;
            }
            if pairs == 0 || patience.left() == 0 {
                unknown.fill(true);
                break 'all;
            }
            pairs -= 1;
            let (a, b) = (forms.get(first), forms.get(second));
            match pair::share_units(&a, &b, &mut patience) {
                Some(true) => return Ok(Found::Shared(first, second)),
                Some(false) => {}
                None => (unknown[first], unknown[second]) = (true, true),
            }
        }
    }
    cost.pairs += (PAIRS_OF_VIEW * forms.len() - pairs) as u64;
    cost.steps += all - patience.left();
    if !unknown.contains(&true) {
        return Ok(Found::Nothing);
    }
    let mut rest = Forms::with_capacity(forms.len())?;
    let mut numbers = try_with_capacity("views", forms.len())?;
    let mut written = 0;
    for number in (0..forms.len()).filter(|&number| unknown[number]) {
        rest.push_form(&forms.get(number))?;
        numbers.push(number);
        written += usize::from(number < destinations);
    }
    cost.scanned += rest.len();
    Ok(match scan::find_shared(&rest, written)? {
        Found::Shared(first, second) => Found::Shared(numbers[first], numbers[second]),
        other => other,
    })
}

/// Runs that overlap are all that there is.
fn compare_runs(forms: &Forms, destinations: usize) -> Result<Found> {
    let mut runs = try_with_capacity("places of views", forms.len())?;
    runs.extend(forms.iter().enumerate().map(|(at, form)| (form.low, form.end(), at)));
    runs.sort_unstable();
    let each = runs.iter().map(|&(start, end, at)| (start, end, at < destinations));
    let pair = scan::first_shared(each);
    Ok(pair.map_or(Found::Nothing, |(first, second)| Found::Shared(runs[first].2, runs[second].2)))
}

/// Refuses a destination that has a unit twice.
fn check_itself(party: Party, view: ViewRef<'_>) -> Result<()> {
    let mut raw = Raw::of(view);
    let mut forms = Forms::with_capacity(1)?;
    forms.push(raw.clone(), Keep::Twice)?;
    // To look at a few runs is faster than to search.
    let steps = forms.get(0).runs().saturating_mul(4).min(STEPS_OF_ITSELF);
    let found = match pair::overlaps_itself(&mut raw, &mut Patience::new(steps)) {
        Some(false) => Found::Nothing,
        Some(true) => Found::Shared(0, 0),
        None => scan::find_shared(&forms, 1)?,
    };
    let (name, first) = match party {
        Party::Tensor(name) => (Text::from(name), None),
        Party::Shard(index) => (text!("shard {index}"), Some(index)),
    };
    match found {
        Found::Nothing => Ok(()),
        Found::Shared(..) => {
            let what = text!("{name}: its strides put two elements at the same place");
            Err(Error::Transfer(TransferError::Aliased { what, first, second: None }))
        }
        Found::TooMuch => Err(undecided()),
    }
}

fn undecided() -> Error {
    let what = "sources: the strides of one reach the same places again and again, and whether it \
                shares memory with a destination would take longer to find out than to copy; pass \
                a source whose elements are apart";
    Error::Unsupported { what: Text::from(what) }
}

fn two_destinations(one: Party, other: Party) -> Error {
    let (Party::Shard(a), Party::Shard(b)) = (one, other) else {
        return shared(one, other);
    };
    let (first, second) = (a.min(b), a.max(b));
    let what = text!("shards {first} and {second} share memory");
    Error::Transfer(TransferError::Aliased { what, first: Some(first), second: Some(second) })
}

fn shared(destination: Party, source: Party) -> Error {
    let (what, first, second) = match (destination, source) {
        (Party::Shard(to), Party::Shard(from)) => {
            let what = text!("destination shard {to} shares memory with source shard {from}");
            (what, Some(to), Some(from))
        }
        (Party::Shard(to), Party::Tensor(name)) => {
            let what = text!("shard {to} shares memory with the {name} tensor it is copied from");
            (what, Some(to), None)
        }
        (Party::Tensor(name), Party::Shard(from)) => {
            let what = text!("{name} shares memory with shard {from}, which is copied into it");
            (what, Some(from), None)
        }
        (Party::Tensor(to), Party::Tensor(from)) => {
            (text!("{to} shares memory with {from}"), None, None)
        }
    };
    Error::Transfer(TransferError::Aliased { what, first, second })
}

/// The refusal of a destination that shares memory with a shard of another tensor.
fn shared_memory_of_tensors(first: usize, tensor: usize, second: usize) -> Error {
    let what =
        text!("destination shard {first} shares memory with shard {second} of tensors[{tensor}]");
    Error::Transfer(TransferError::Aliased { what, first: Some(first), second: Some(second) })
}
