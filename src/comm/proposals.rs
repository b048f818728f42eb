//! What ranks propose to each other, and what a rank knows of it.
//!
//! What is known is kept small: not what each rank says but the lowest rank that says something, and
//! the lowest that says something else.

use super::short::{CallText, Short};
use super::wire::{Reader, Writer};
use crate::comm::CommError;
use crate::error::Foreign;
use crate::memory::{Text, text};
use crate::model::{DataType, Error, Result};

/// The proposal of a rank for a collective.
#[derive(Debug, Clone, Copy)]
pub(super) struct Proposal {
    /// Must be the same on all ranks: a hash of what was called on what.
    pub(super) digest: u64,
    /// The same, for people.
    pub(super) call: CallText,
    /// The element type, if this rank has any buffers: must be the same on those that have. That of
    /// a batch is in its digest.
    pub(super) dtype: Option<DataType>,
    /// All ranks work with the least.
    pub(super) memory_limit: u64,
    /// All ranks work with the greatest number of bytes of an element.
    pub(super) itemsize: usize,
    /// Whether any rank has to pack or unpack messages.
    pub(super) staging: Staging,
    /// The number of tensors of a batch; `None` for another collective.
    pub(super) tensors: Option<usize>,
}

/// The directions that need staging memory.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Staging {
    pub(super) sends: bool,
    pub(super) receives: bool,
}

/// The agreement of all ranks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Agreed {
    pub(super) memory_limit: u64,
    pub(super) itemsize: usize,
    pub(super) staging: Staging,
}

/// The problem of a message that can't be read.
pub(super) const UNREADABLE: &str = "its message is not from this version of shardspec, or was \
                                     damaged; link the same version on all ranks, use the \
                                     communicator only for shardspec, and use a reliable transport";
/// Bytes of a round's message.
pub(super) const WIRE: usize = 1024;
/// How such a message begins. Another version of it begins otherwise.
const MAGIC: u64 = u64::from_le_bytes(*b"shardsp3");
/// A refusal's message. Nothing here takes memory that there might not be.
type ReasonText = Short<480>;

/// The lowest rank that says something, and the lowest that says something else than that one.
///
/// Two of these can be merged into the one of all their ranks, in any order and also where they
/// have ranks in common.
#[derive(Debug, Clone, Copy)]
struct Vote<T> {
    first: Option<(usize, T)>,
    other: Option<(usize, T)>,
}

impl<T: Copy + PartialEq> Vote<T> {
    fn merge(&mut self, that: Self) {
        let voices = [self.first.take(), self.other.take(), that.first, that.other];
        let lowest = |differs: &dyn Fn(&T) -> bool| {
            let others = voices.iter().flatten().filter(|(_, value)| differs(value));
            others.min_by_key(|(rank, _)| *rank).copied()
        };
        let first = lowest(&|_| true);
        let other = lowest(&|value| first.as_ref().is_some_and(|(_, said)| said != value));
        (self.first, self.other) = (first, other);
    }
}

/// The call: equal where the digests are.
#[derive(Debug, Clone, Copy)]
struct CalledAs {
    digest: u64,
    text: CallText,
}

impl PartialEq for CalledAs {
    fn eq(&self, other: &Self) -> bool {
        self.digest == other.digest
    }
}

/// The refusal of a rank.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct RankRefusal {
    status: i32,
    /// The shard, the dimension and the position that it is about.
    place: [Option<usize>; 3],
    message: ReasonText,
}

/// The proposals that a rank has received, its own included.
#[derive(Debug, Clone, Copy)]
pub(super) struct Proposals {
    calls: Vote<CalledAs>,
    dtypes: Vote<DataType>,
    /// The lowest rank that can't take part, and why.
    refusal: Option<(usize, RankRefusal)>,
    memory_limit: u64,
    itemsize: usize,
    staging: Staging,
    /// The greatest number of tensors, if all of these ranks pass batches.
    tensors: Option<usize>,
}

impl Proposals {
    fn nothing() -> Self {
        Self {
            calls: Vote { first: None, other: None },
            dtypes: Vote { first: None, other: None },
            refusal: None,
            memory_limit: u64::MAX,
            itemsize: 0,
            staging: Staging::default(),
            tensors: None,
        }
    }

    pub(super) fn of(rank: usize, mine: std::result::Result<Proposal, Foreign>) -> Self {
        let nothing = Self::nothing();
        match mine {
            Err(Foreign { status, first_shard, dim, index, message, .. }) => {
                let place = [first_shard, dim.into(), index].map(|at| usize::try_from(at).ok());
                let said = RankRefusal { status, place, message: Short::new(&message) };
                Self { refusal: Some((rank, said)), ..nothing }
            }
            Ok(Proposal {
                digest,
                call: text,
                dtype,
                memory_limit,
                itemsize,
                staging,
                tensors,
            }) => Self {
                calls: Vote { first: Some((rank, CalledAs { digest, text })), other: None },
                dtypes: Vote { first: dtype.map(|dtype| (rank, dtype)), other: None },
                memory_limit,
                itemsize,
                staging,
                tensors,
                ..nothing
            },
        }
    }

    /// Whether ranks called otherwise, and none refused.
    pub(super) fn differ(&self) -> bool {
        self.refusal.is_none() && self.calls.other.is_some()
    }

    /// Whether a rank refused.
    pub(super) fn are_refused(&self) -> bool {
        self.refusal.is_some()
    }

    /// The number of tensors of the longest batch, where all ranks pass batches.
    pub(super) fn tensors(&self) -> Option<usize> {
        self.tensors
    }

    /// A rank whose message is none.
    pub(super) fn unreadable(rank: usize) -> Self {
        let said = RankRefusal { status: 0, place: [None; 3], message: Short::new(&UNREADABLE) };
        Self { refusal: Some((rank, said)), ..Self::nothing() }
    }

    pub(super) fn merge(&mut self, that: Self) {
        self.calls.merge(that.calls);
        self.dtypes.merge(that.dtypes);
        let refusals = [self.refusal.take(), that.refusal].into_iter().flatten();
        self.refusal = refusals.min_by_key(|(rank, _)| *rank);
        self.memory_limit = self.memory_limit.min(that.memory_limit);
        self.staging.sends |= that.staging.sends;
        self.staging.receives |= that.staging.receives;
        self.itemsize = self.itemsize.max(that.itemsize);
        self.tensors = self.tensors.zip(that.tensors).map(|(own, theirs)| own.max(theirs));
    }

    /// `verb` says what was done with the texts of calls, and `name` by which rank errors name a rank.
    pub(super) fn agreed(&self, verb: &str, name: &dyn Fn(usize) -> i64) -> Result<Agreed> {
        if let Some((rank, RankRefusal { status, place: [shard, dim, index], message })) =
            self.refusal
        {
            let message = text!("{message}");
            return Err(Error::Comm(CommError::Disagreement {
                rank: name(rank),
                status,
                shard,
                dim,
                index,
                message,
            }));
        }
        if let (Some((first, theirs)), Some((rank, own))) = (self.calls.first, self.calls.other) {
            let same = own.text == theirs.text;
            let other = if same { " with other shards or properties" } else { "" };
            let (own, theirs, first) = (own.text, theirs.text, name(first));
            let message = text!("it {verb} {own}{other} where rank {first} {verb} {theirs}");
            return Err(differs(name(rank), message));
        }
        if let (Some((first, theirs)), Some((rank, own))) = (self.dtypes.first, self.dtypes.other) {
            let first = name(first);
            let message = text!(
                "its buffers hold elements of {own} where those of rank {first} hold {theirs}"
            );
            return Err(differs(name(rank), message));
        }
        let Self { memory_limit, itemsize, staging, .. } = *self;
        Ok(Agreed { memory_limit, itemsize, staging })
    }

    pub(super) fn encode(&self) -> [u8; WIRE] {
        let mut wire = Writer::<WIRE>::new();
        wire.number(MAGIC);
        wire.number(self.memory_limit);
        wire.number(u64::from(self.staging.sends) | u64::from(self.staging.receives) << 1);
        wire.index(Some(self.itemsize));
        wire.index(self.tensors);
        for call in [self.calls.first, self.calls.other] {
            wire.index(call.map(|(rank, _)| rank));
            wire.number(call.map_or(0, |(_, call)| call.digest));
            wire.text(&call.map_or(Short::new(&""), |(_, call)| call.text));
        }
        for dtype in [self.dtypes.first, self.dtypes.other] {
            wire.index(dtype.map(|(rank, _)| rank));
            wire.number(dtype.map_or(0, |(_, dtype)| {
                u64::from(dtype.code) | u64::from(dtype.bits) << 8 | u64::from(dtype.lanes) << 16
            }));
        }
        wire.index(self.refusal.map(|(rank, _)| rank));
        wire.number(self.refusal.map_or(0, |(_, said)| said.status.cast_unsigned().into()));
        let place = self.refusal.map_or([None; 3], |(_, said)| said.place);
        place.into_iter().for_each(|at| wire.index(at));
        wire.text(&self.refusal.map_or(Short::new(&""), |(_, said)| said.message));
        wire.done()
    }

    pub(super) fn decode(bytes: &[u8; WIRE]) -> Option<Self> {
        let mut wire = Reader::new(bytes)?;
        (wire.number()? == MAGIC).then_some(())?;
        let memory_limit = wire.number()?;
        let staging = wire.number()?;
        let staging = Staging { sends: staging & 1 != 0, receives: staging & 2 != 0 };
        let (itemsize, tensors) = (wire.index()?.unwrap_or(0), wire.index()?);
        let mut call = || {
            let rank = wire.index()?;
            let call = CalledAs { digest: wire.number()?, text: wire.text()? };
            Some(rank.map(|rank| (rank, call)))
        };
        let calls = Vote { first: call()?, other: call()? };
        let mut dtype = || {
            let rank = wire.index()?;
            let [code, bits, low, high, ..] = wire.number()?.to_le_bytes();
            let dtype = DataType { code, bits, lanes: u16::from_le_bytes([low, high]) };
            Some(rank.map(|rank| (rank, dtype)))
        };
        let dtypes = Vote { first: dtype()?, other: dtype()? };
        let rank = wire.index()?;
        let status = u32::try_from(wire.number()?).ok()?.cast_signed();
        let place = [wire.index()?, wire.index()?, wire.index()?];
        let said = RankRefusal { status, place, message: wire.text()? };
        let refusal = rank.map(|rank| (rank, said));
        Some(Self { calls, dtypes, refusal, memory_limit, itemsize, staging, tensors })
    }
}

/// Rank `rank` did something else than others.
fn differs(rank: i64, message: Text) -> Error {
    Error::Comm(CommError::Disagreement {
        rank,
        status: 0,
        shard: None,
        dim: None,
        index: None,
        message,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As much as a rank can know.
    fn known() -> Proposals {
        let call = |rank: usize| {
            Some((rank, CalledAs { digest: rank as u64, text: Short::new(&"c".repeat(500)) }))
        };
        let place = [Some(3), None, Some(usize::MAX - 1)];
        let said = RankRefusal { status: 18, place, message: Short::new(&"é".repeat(500)) };
        let dtypes = Vote { first: Some((0, DataType::FLOAT32)), other: None };
        Proposals {
            calls: Vote { first: call(3), other: call(usize::MAX - 1) },
            dtypes,
            refusal: Some((7, said)),
            memory_limit: u64::MAX,
            itemsize: 16,
            staging: Staging { sends: true, receives: false },
            tensors: Some(5000),
        }
    }

    #[test]
    fn what_is_known_arrives_and_what_is_too_long_ends_in_dots() {
        let (sent, got) = (known(), Proposals::decode(&known().encode()).unwrap());
        assert_eq!((got.memory_limit, got.staging), (sent.memory_limit, sent.staging));
        assert_eq!((got.itemsize, got.tensors), (sent.itemsize, sent.tensors));
        assert_eq!(got.calls.first, sent.calls.first);
        assert_eq!(got.calls.other, sent.calls.other);
        let texts =
            |known: &Proposals| [known.calls.first, known.calls.other].map(|it| it.unwrap().1.text);
        assert_eq!(texts(&got), texts(&sent));
        assert!(texts(&got)[0].as_str().ends_with("c..."));
        assert_eq!(got.dtypes.first, sent.dtypes.first);
        assert_eq!(got.refusal, sent.refusal);
        assert!(got.refusal.unwrap().1.message.as_str().ends_with("é..."));
    }

    #[test]
    fn a_message_of_which_any_bit_was_changed_is_noticed() {
        let sent = known().encode();
        for bit in 0..8 * WIRE {
            let mut got = sent;
            got[bit / 8] ^= 1 << (bit % 8);
            assert!(Proposals::decode(&got).is_none(), "bit {bit}");
        }
        assert!(Proposals::decode(&[0; WIRE]).is_none());
    }
}
