//! Some ranks of a communicator as a communicator of their own, and other names for its ranks.

use std::fmt::Display;
use std::hash::Hash;

use super::started::StartedExchange;
use super::{Communicator, Incoming, Message, Outgoing, check_rank};
use crate::memory::{Shared, text, try_collect, try_collect_results};
use crate::model::stable_hash::stable_hash;
use crate::model::{Error, Result};

/// Some ranks of another communicator, numbered from 0 in the order of a list, and the ranks that
/// placements name them by.
///
/// Its exchanges are exchanges of the other communicator, which is shared: to abort one is to abort
/// both.
pub struct Group {
    inner: Shared<Box<dyn Communicator>>,
    rank: usize,
    /// The rank in the other communicator, for each rank of this one. `None`: the same.
    members: Option<Vec<usize>>,
    /// For each rank the one in placements, and ranks by those.
    placement_ranks: Vec<i64>,
    by_placement_rank: Vec<(i64, usize)>,
    fingerprint: u64,
}

impl Group {
    /// The ranks `members` of `inner`, all if there is no list. `placement_ranks` are their ranks in
    /// placements; without a list, those that `inner` has for them.
    ///
    /// Refused are lists without this rank, members and placement ranks that are listed twice, and
    /// those that there can't be.
    pub fn new(
        inner: Shared<Box<dyn Communicator>>, members: Option<&[usize]>,
        placement_ranks: Option<&[i64]>,
    ) -> Result<Self> {
        let size = members.map_or(inner.size(), <[usize]>::len);
        let member = |rank| members.map_or(Some(rank), |members| members.get(rank).copied());
        for (at, &rank) in members.unwrap_or_default().iter().enumerate() {
            check_rank("members", rank, inner.size()).map_err(|error| error.at("members", at))?;
        }
        let own = |rank: &usize| member(*rank) == Some(inner.rank());
        let rank = (0..size).find(own).ok_or_else(|| {
            let problem =
                text!("rank {} is not among them; only the ranks of a group make it", inner.rank());
            Error::invalid("members", problem)
        })?;
        by_number("members", (0..size).filter_map(|rank| Some(member(rank)? as i64)))?;
        let placement_rank = |rank| match placement_ranks {
            Some(given) => given.get(rank).copied().unwrap_or(-1),
            None => member(rank).map_or(-1, |rank| inner.placement_rank(rank)),
        };
        let placement_ranks = try_collect((0..size).map(placement_rank))?;
        for (at, &value) in placement_ranks.iter().enumerate() {
            if value < 0 {
                let argument = "placement_ranks";
                return Err(Error::TooSmall { argument, value, least: 0 }.at(argument, at));
            }
        }
        let by_placement_rank = by_number("placement_ranks", placement_ranks.iter().copied())?;
        let members = match members {
            Some(members) if !members.iter().copied().eq(0..inner.size()) => {
                Some(try_collect(members.iter().copied())?)
            }
            _ => None,
        };
        let fingerprint = stable_hash(|hasher| {
            (&members, &placement_ranks, inner.fingerprint()).hash(hasher);
        });
        Ok(Self { inner, rank, members, placement_ranks, by_placement_rank, fingerprint })
    }

    /// The rank in the other communicator.
    fn member(&self, argument: &'static str, rank: usize) -> Result<usize> {
        check_rank(argument, rank, self.size())?;
        Ok(self.members.as_ref().and_then(|members| members.get(rank).copied()).unwrap_or(rank))
    }

    /// Messages as the other communicator names their peers.
    fn translated<P: Copy>(
        &self, argument: &'static str, messages: &[Message<P>],
    ) -> Result<Vec<Message<P>>> {
        let translated = messages.iter().map(|message| {
            Ok::<_, Error>(Message { peer: self.member(argument, message.peer)?, ..*message })
        });
        try_collect_results(translated)
    }
}

/// Numbers and their places in a list, by number. Refuses one that is there twice.
fn by_number(
    argument: &'static str, numbers: impl Iterator<Item = i64>,
) -> Result<Vec<(i64, usize)>> {
    let mut sorted: Vec<_> =
        try_collect(numbers.enumerate().map(|(place, number)| (number, place)))?;
    sorted.sort_unstable();
    let twice = sorted.windows(2).find_map(|pair| match pair {
        [(number, _), (next, at)] if number == next => Some((*number, *at)),
        _ => None,
    });
    match twice {
        None => Ok(sorted),
        Some((number, at)) => {
            let problem = text!("{number} is listed twice; list each rank once");
            Err(Error::invalid(argument, problem).at(argument, at))
        }
    }
}

impl Communicator for Group {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.placement_ranks.len()
    }

    fn placement_rank(&self, rank: usize) -> i64 {
        self.placement_ranks.get(rank).copied().unwrap_or(-1)
    }

    fn rank_placed(&self, placement_rank: i64) -> Option<usize> {
        let ranks = &self.by_placement_rank;
        let found = ranks.binary_search_by_key(&placement_rank, |(number, _)| *number).ok()?;
        ranks.get(found).map(|(_, rank)| *rank)
    }

    fn node(&self, rank: usize) -> Option<i64> {
        self.inner.node(self.member("rank", rank).ok()?)
    }

    fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    unsafe fn exchange(&self, sends: &[Outgoing], receives: &[Incoming]) -> Result<()> {
        if self.members.is_none() {
            // SAFETY: the contract of `exchange` is the same for the communicator `inner`, with the
            // same `sends` and `receives`.
            return unsafe { self.inner.exchange(sends, receives) };
        }
        let sends = self.translated("sends", sends)?;
        let receives = self.translated("receives", receives)?;
        // SAFETY: `sends` and `receives` have the memory of this call's messages, and other ranks,
        // so that the contract of `exchange` covers them.
        unsafe { self.inner.exchange(&sends, &receives) }
    }

    unsafe fn start(
        &self, sends: &[Outgoing], receives: &[Incoming],
    ) -> Result<Option<Box<dyn StartedExchange>>> {
        let sends = self.translated("sends", sends)?;
        let receives = self.translated("receives", receives)?;
        // SAFETY: `sends` and `receives` have the memory of this call's messages, and other ranks,
        // so that the contract of `start` covers them.
        unsafe { self.inner.start(&sends, &receives) }
    }

    fn can_abort(&self) -> bool {
        self.inner.can_abort()
    }

    fn abort(&self, reason: &dyn Display) {
        self.inner.abort(reason);
    }
}
