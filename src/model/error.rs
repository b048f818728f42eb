//! What can go wrong, as data.
//!
//! Each variant carries the values that a caller needs to act on it; the text is made from them.
//! The C border maps a variant to a status number and copies shard indices, dimension, value and
//! limit into `shardspec_error`.

use std::collections::TryReserveError;
use std::fmt::{self, Write};

use super::placement::Placement;
use crate::geometry::{self, Region};
use crate::memory::{self, OutOfMemory, Text, try_uninit};

/// The result of everything in the core that can be refused.
pub type Result<T> = std::result::Result<T, Error>;

/// A refusal: what was wrong, with which value, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A value that is never allowed for this argument.
    #[error("{argument}: {problem}")]
    InvalidArgument {
        /// The argument's name, as in the header.
        argument: &'static str,
        /// What is wrong with it and what to pass instead.
        problem: Text,
    },
    /// A number below the least that this argument may be.
    #[error("{argument}: {value} is too small; pass at least {least}")]
    TooSmall {
        /// The argument's name, as in the header.
        argument: &'static str,
        /// The number as it was given.
        value: i64,
        /// The least that is allowed.
        least: i64,
    },
    /// A tensor that has elements and no memory.
    #[error("{argument}: its data is NULL, but it has elements; pass memory for them")]
    NullData {
        /// The argument's name, as in the header.
        argument: &'static str,
    },
    /// A text that is no placement.
    #[error(
        "placement {text:?}: {reason}; valid are 'rank:<n>/<device>', 'rank:<n>', \
         '<worker>/<device>', '<worker>' and '<device>'"
    )]
    InvalidPlacement {
        /// The text as it was given.
        text: Text,
        /// Which part of it broke which rule.
        reason: Text,
    },
    /// A sharding dimension that the tensor does not have.
    #[error("{}", NoDim { dim: *dim, ndim: *ndim })]
    InvalidDim {
        /// The dimension asked for.
        dim: i64,
        /// How many dimensions there are.
        ndim: usize,
    },
    /// A sharding dimension given by a name that the tensor does not have.
    #[error("dim_name: the tensor has no dimension named {name:?}; its names are {names}")]
    UnknownDimName {
        /// The name asked for.
        name: Text,
        /// The names of the tensor's dimensions.
        names: Text,
    },
    /// An index past the end of what it indexes.
    #[error("{argument}: {index} is out of range; there are {count}, counted from 0")]
    IndexOutOfRange {
        /// The argument's name, as in the header.
        argument: &'static str,
        /// The index asked for.
        index: u64,
        /// How many there are.
        count: u64,
    },
    /// An index of an element that is not there.
    #[error(
        "{argument}: index {index} in dimension {dim} is outside of the size {size}, counted from 0"
    )]
    OutsideTensor {
        /// The argument's name, as in the header.
        argument: &'static str,
        /// The dimension.
        dim: usize,
        /// The index in that dimension.
        index: i64,
        /// The size of the tensor, or of the shard, in that dimension.
        size: i64,
    },
    /// Numbers of dimensions that should agree and do not.
    #[error("{what}: found {got} dimensions where {expected} are needed")]
    RankMismatch {
        /// What has the wrong number of dimensions.
        what: Text,
        /// The shard it is about, if it is about one.
        shard: Option<usize>,
        /// The number found.
        got: usize,
        /// The number needed.
        expected: usize,
    },
    /// A shard with a negative offset or size.
    #[error("shard {shard}: {field} in dimension {dim} is {value}; it must be >= 0")]
    Negative {
        /// The shard's index.
        shard: usize,
        /// `offset` or `size`.
        field: &'static str,
        /// The dimension.
        dim: usize,
        /// The negative value.
        value: i64,
    },
    /// Two shards own the same elements.
    #[error(
        "shards {} and {} both own {region}{}; shards must not overlap",
        Named(*.first, &.placements[0]),
        Named(*.second, &.placements[1]),
        Others(*.more, ["other pair overlaps", "other pairs overlap"])
    )]
    Overlap {
        /// The lower of the two shard indices.
        first: usize,
        /// The higher of the two shard indices.
        second: usize,
        /// Where the two live.
        placements: [Placement; 2],
        /// The box that both own.
        region: Region,
        /// How many other pairs overlap.
        more: More,
    },
    /// Elements that no shard owns.
    #[error(
        "no shard owns {region}{}{}; the shards must cover the whole tensor",
        NextTo(.neighbour.as_ref()),
        Others(*.more, ["other box has no owner", "other boxes have no owner"])
    )]
    Gap {
        /// A box that no shard owns, as large as it can be made in every dimension.
        region: Region,
        /// A shard next to it, and where it lives, if there is one.
        neighbour: Option<(usize, Placement)>,
        /// How many other boxes, that share nothing with it or each other, no shard owns.
        more: More,
    },
    /// Elements that a destination shard needs and no source shard holds.
    #[error(
        "no source shard holds {region}, which destination shard {} needs; pass sources that hold \
         all that is wanted",
        Named(*.destination, .placement)
    )]
    NoSource {
        /// The destination shard's index.
        destination: usize,
        /// Where it lives.
        placement: Placement,
        /// A box of the tensor that it needs and nobody has.
        region: Region,
    },
    /// A shard without a placement, where owners are asked for.
    #[error("shard {shard} has no placement; pass one for each shard")]
    NoPlacement {
        /// The shard's index.
        shard: usize,
    },
    /// A shard that reaches past the tensor.
    #[error(
        "shard {shard}: offset {offset} and size {size} in dimension {dim} exceed the tensor's \
         size {limit}"
    )]
    OutOfBounds {
        /// The shard's index.
        shard: usize,
        /// The dimension.
        dim: usize,
        /// Where the shard starts.
        offset: i64,
        /// How long it is.
        size: i64,
        /// The tensor's size in that dimension.
        limit: i64,
    },
    /// A value that does not fit into 64 bits.
    #[error("{what} does not fit into a signed 64-bit integer")]
    Overflow {
        /// What would overflow.
        what: Text,
    },
    /// Something asked for that is not there.
    #[error("{what}")]
    NotFound {
        /// What is not there, and where it was looked for.
        what: Text,
    },
    /// A question that only another type of spec can answer.
    #[error("spec: it is a spec of type '{got}'; this call needs {expected}")]
    WrongSpecType {
        /// The spec's own type name.
        got: Text,
        /// What was needed.
        expected: Text,
    },
    /// Something that is known, valid and not implemented.
    #[error("{what}")]
    Unsupported {
        /// What it is and what to do instead.
        what: Text,
    },
    /// Two tensors that should have the same shape.
    #[error("{what}: size {got} in dimension {dim}, expected {expected}")]
    ShapeMismatch {
        /// The view that is wrong.
        what: Text,
        /// The shard it is about, if it is about one.
        shard: Option<usize>,
        /// The dimension that differs.
        dim: usize,
        /// Its size.
        got: i64,
        /// The size it should have.
        expected: i64,
    },
    /// Two tensors that should have the same element type.
    #[error("{what}: dtype {got}, expected {expected}")]
    DtypeMismatch {
        /// The view that is wrong.
        what: Text,
        /// The shard it is about, if it is about one.
        shard: Option<usize>,
        /// Its dtype.
        got: super::dtype::DataType,
        /// The dtype it should have.
        expected: super::dtype::DataType,
    },
    /// A tensor that is not in memory this process can read.
    #[error(
        "{what}: device type {device_type} is not host memory; pass DLPack device type 1 (CPU), \
         3 (CUDA host) or 11 (ROCm host)"
    )]
    UnsupportedDevice {
        /// The view that is wrong.
        what: Text,
        /// Its DLPack device type.
        device_type: i32,
    },
    /// Memory that would have to be written, and must not be.
    #[error("{what}: its memory is read-only; pass memory that may be written, or a copy")]
    ReadOnly {
        /// What has that memory.
        what: Text,
    },
    /// A destination that shares memory with something it must not share it with.
    #[error("{what}; pass buffers that do not overlap")]
    Aliased {
        /// Which buffers overlap.
        what: Text,
        /// The first shard index concerned, if any.
        first: Option<usize>,
        /// The second shard index concerned, if any.
        second: Option<usize>,
    },
    /// Something by that name is there already.
    #[error("{what} is registered already; ask for it to be replaced, or unregister it first")]
    AlreadyExists {
        /// What is there.
        what: Text,
    },
    /// Something that can't end while it is in use.
    #[error(
        "{what} is running; it can't be ended from inside of itself, nor from inside of another op \
         while calls of it run"
    )]
    Busy {
        /// What is in use.
        what: Text,
    },
    /// An op was called without any argument.
    #[error("op '{op}' was called without arguments; pass at least a sharded tensor")]
    NoArguments {
        /// The op's name.
        op: Text,
    },
    /// An op was called without a sharded tensor among its arguments.
    #[error("op '{op}' was called without a sharded tensor; none of its arguments is one")]
    NoShardedTensor {
        /// The op's name.
        op: Text,
    },
    /// An op was called with sharded tensors of different communicators.
    #[error(
        "op '{op}' was called with sharded tensors of different communicators; all must have the \
         same"
    )]
    CommunicatorMismatch {
        /// The op's name.
        op: Text,
    },
    /// A shard that is needed is in another process.
    #[error("shard {shard}, at {placement}, is not local; the call needs all shards to be")]
    NotLocal {
        /// The shard's index.
        shard: usize,
        /// Where it is.
        placement: super::placement::Placement,
    },
    /// The system has no memory left for the result.
    #[error("out of memory: {bytes} bytes for {what} could not be allocated")]
    OutOfMemory {
        /// What the memory was for.
        what: &'static str,
        /// How many bytes were asked for.
        bytes: usize,
    },
    /// What a spec of the user's own type built was refused.
    #[error("spec of type '{type_name}': {error}")]
    InSpec {
        /// The spec's type name.
        type_name: Text,
        /// What is wrong with it.
        error: Box<Error>,
    },
    /// One element of an array argument was refused.
    #[error("{}", Indexed { argument, index: *.index, shard: *.shard, problem: error })]
    At {
        /// The argument's name, as in the header.
        argument: &'static str,
        /// The element's position in it.
        index: usize,
        /// The shard that the element stands for, where the refusal itself doesn't say so.
        shard: Option<usize>,
        /// What is wrong with it.
        error: Box<Error>,
    },
    /// A shard that lives on no rank, where ranks are asked for.
    #[error(
        "shard {shard}: its placement '{placement}' names no rank; pass 'rank:<n>' or \
         'rank:<n>/<device>'"
    )]
    NoRank {
        /// The shard's index.
        shard: usize,
        /// Its placement.
        placement: Placement,
    },
    /// A shard that lives on a rank which the communicator does not have.
    #[error(
        "shard {shard}: its placement '{placement}' is outside the communicator of {size} ranks, \
         counted from 0"
    )]
    RankOutside {
        /// The shard's index.
        shard: usize,
        /// Its placement.
        placement: Placement,
        /// The rank in it.
        rank: i64,
        /// How many ranks there are.
        size: usize,
    },
    /// A rank of a collective that must pass the whole tensor, or memory for it, passed none.
    #[error("full: is NULL on {} {rank}; {}", .role.unwrap_or("rank"), match .role {
        Some("src_rank") => "pass the tensor there",
        Some(_) => "pass memory for the tensor there",
        None => "pass memory for the tensor on every rank",
    })]
    NoFull {
        /// The argument that names the rank, if one does.
        role: Option<&'static str>,
        /// The rank.
        rank: usize,
    },
    /// A rank of a collective passed what can't be used, or something else than the others.
    #[error("rank {rank}: {message}; nothing was moved on any rank")]
    Disagreement {
        /// The rank.
        rank: usize,
        /// The status that it returned, or 0 if it did not refuse anything.
        status: i32,
        /// The shard that its refusal is about, if it is about one.
        shard: Option<usize>,
        /// The dimension that its refusal is about, if it is about one.
        dim: Option<usize>,
        /// The position in an array argument that its refusal is about, if it is about one.
        index: Option<usize>,
        /// What it said, or what it did.
        message: Text,
    },
    /// The transport between ranks did not do what it was asked to.
    #[error("{what}")]
    TransportFailed {
        /// What happened, and between which ranks.
        what: Text,
    },
    /// A function of the user's refused; what it said is passed on as it is.
    #[error("{}", .0.message)]
    Foreign(Box<Foreign>),
}

/// What a function of the user's answered in place of a result: the fields of its error, unchanged.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are those of shardspec_error")]
pub struct Foreign {
    pub status: i32,
    pub first_shard: i64,
    pub second_shard: i64,
    pub dim: i32,
    pub got: i64,
    pub limit: i64,
    pub index: i64,
    pub message: Text,
}

/// How many more there are of what an error names one of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct More {
    /// So many were counted.
    pub count: usize,
    /// Whether these are all. If not, there may be others: counting ends somewhere.
    pub all: bool,
}

impl More {
    /// There are no more.
    pub const NONE: Self = Self { count: 0, all: true };
}

/// A shard by its number and its placement, if it has one.
struct Named<'a>(usize, &'a Placement);

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(shard, placement) = self;
        if placement.is_none() { write!(f, "{shard}") } else { write!(f, "{shard} ({placement})") }
    }
}

/// The shard that a gap is next to.
struct NextTo<'a>(Option<&'a (usize, Placement)>);

impl fmt::Display for NextTo<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some((shard, placement)) => write!(f, ", next to shard {}", Named(*shard, placement)),
            None => Ok(()),
        }
    }
}

/// How many others there are, with the words for one and for several.
struct Others(More, [&'static str; 2]);

impl fmt::Display for Others {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(More { count, all }, [one, several]) = *self;
        match (count, all) {
            (0, _) => Ok(()),
            (1, true) => write!(f, ", and 1 {one}"),
            (_, true) => write!(f, ", and {count} {several}"),
            (_, false) => write!(f, ", and at least {count} {several}"),
        }
    }
}

impl Error {
    /// An [`Error::InvalidArgument`].
    pub fn invalid(argument: &'static str, problem: impl Into<Text>) -> Self {
        Self::InvalidArgument { argument, problem: problem.into() }
    }

    /// The same refusal, of something that a spec of type `type_name` built.
    pub fn in_spec(self, type_name: &str) -> Self {
        let type_name = Text::copy(type_name);
        self.wrapped(|error| Self::InSpec { type_name, error })
    }

    /// The same refusal, of element `index` of an array argument.
    pub fn at(self, argument: &'static str, index: usize) -> Self {
        self.wrapped(|error| Self::At { argument, index, shard: None, error })
    }

    /// The same refusal, of element `index` of an array argument, which stands for shard `shard`.
    pub(crate) fn at_shard(self, argument: &'static str, index: usize, shard: usize) -> Self {
        self.wrapped(|error| Self::At { argument, index, shard: Some(shard), error })
    }

    /// What `outer` makes of this error. Where there is no memory for that, the error itself.
    fn wrapped(self, outer: impl FnOnce(Box<Self>) -> Self) -> Self {
        match try_uninit() {
            Ok(place) => outer(Box::write(place, self)),
            Err(_) => self,
        }
    }

    /// An [`Error::Overflow`].
    pub fn overflow(what: impl Into<Text>) -> Self {
        Self::Overflow { what: what.into() }
    }
}

impl OutOfMemory {
    /// The refusal, with a word for what the memory was for.
    fn of_what(self, what: &'static str) -> Error {
        Error::OutOfMemory { what, bytes: self.bytes }
    }
}

impl From<OutOfMemory> for Error {
    fn from(refused: OutOfMemory) -> Self {
        refused.of_what("the result")
    }
}

impl From<TryReserveError> for Error {
    fn from(error: TryReserveError) -> Self {
        OutOfMemory::from(error).into()
    }
}

impl From<geometry::Error> for Error {
    fn from(error: geometry::Error) -> Self {
        use geometry::Error as Wrong;
        let problem = match error {
            Wrong::OutOfMemory(refused) => return refused.into(),
            Wrong::Overflow => return Self::overflow("the number of boxes or places of a layout"),
            Wrong::TooManyDims => {
                let what = "dimensions that are periodic or flattened count twice or more, and are \
                            more than the 32 that are supported";
                return Self::Unsupported { what: what.into() };
            }
            Wrong::NotAStretch => {
                "starts must be >= 0, blocks must not meet, and ends must fit 64 bits"
            }
            Wrong::PastTheEnd => {
                "a stretch ends behind its buffer, or a dim map has another length"
            }
            Wrong::Twice => "two stretches have an index or a place of the buffer in common",
        };
        Self::invalid("stretches", problem)
    }
}

/// Why a dimension can't be cut.
struct NoDim {
    dim: i64,
    ndim: usize,
}

impl fmt::Display for NoDim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { dim, ndim } = self;
        if *ndim == 0 {
            return f.write_str(
                "dim: a tensor without dimensions can't be cut; list its one shard instead",
            );
        }
        write!(
            f,
            "dim: {dim} is no dimension of a {ndim}-dimensional tensor; pass -{ndim} <= dim < {ndim}"
        )
    }
}

/// What is wrong with one element of an array argument, shown as `placements[1]: is NULL`.
///
/// A problem that starts with the argument's name, as `placements: is NULL` and
/// `shards.offsets: is NULL` do, gets the position into that name. Others follow the name.
pub(crate) struct Indexed<'a, P> {
    /// The argument's name, as in the header.
    pub(crate) argument: &'a str,
    /// The element's position in it.
    pub(crate) index: usize,
    /// Which shard the element stands for, where that is another number than its position.
    pub(crate) shard: Option<usize>,
    /// What is wrong with it.
    pub(crate) problem: P,
}

impl<P: fmt::Display> fmt::Display for Indexed<'_, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.argument)?;
        write!(f, "[{}]", self.index)?;
        if let Some(shard) = self.shard.filter(|&shard| shard != self.index) {
            write!(f, " (shard {shard})")?;
        }
        let mut rest = AfterName { out: f, name: self.argument, seen: 0, at_name: true };
        write!(rest, "{}", self.problem)?;
        rest.end()
    }
}

/// Passes a text on, without the name that it may start with.
struct AfterName<'a, 'f> {
    out: &'a mut fmt::Formatter<'f>,
    name: &'a str,
    /// How many bytes of the name the text started with so far.
    seen: usize,
    /// Whether the text may still turn out to start with the name.
    at_name: bool,
}

impl AfterName<'_, '_> {
    /// The text does not start with the name: passes on what was held back of it.
    fn flush(&mut self) -> fmt::Result {
        self.at_name = false;
        self.out.write_str(": ")?;
        self.out.write_str(self.name.get(..self.seen).unwrap_or(self.name))
    }

    /// Call it after the whole text.
    fn end(mut self) -> fmt::Result {
        if self.at_name { self.flush() } else { Ok(()) }
    }
}

impl Write for AfterName<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut text = text;
        while self.at_name && !text.is_empty() {
            let name = self.name.get(self.seen..).unwrap_or("");
            let common = name.bytes().zip(text.bytes()).take_while(|(a, b)| a == b).count();
            self.seen = self.seen.saturating_add(common);
            text = text.get(common..).unwrap_or("");
            match text.bytes().next() {
                None => return Ok(()),
                // The name is over, and not the start of a longer word.
                Some(b':' | b'.') if self.seen == self.name.len() => self.at_name = false,
                Some(_) => self.flush()?,
            }
        }
        self.out.write_str(text)
    }
}

/// An empty vector with room for `len` elements, or a refusal instead of an abort.
pub(crate) fn try_with_capacity<T>(what: &'static str, len: usize) -> Result<Vec<T>> {
    memory::try_with_capacity(len).map_err(|refused| refused.of_what(what))
}

/// A copy of `slice`, or a refusal instead of an abort.
pub(crate) fn try_to_vec<T: Copy>(what: &'static str, slice: &[T]) -> Result<Vec<T>> {
    memory::try_to_vec(slice).map_err(|refused| refused.of_what(what))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_position_goes_into_the_name_that_a_problem_starts_with() {
        let shown = |argument, index, problem: fmt::Arguments<'_>| {
            Indexed { argument, index, shard: None, problem }.to_string()
        };
        let name = "placements";
        assert_eq!(shown(name, 1, format_args!("placements: is NULL")), "placements[1]: is NULL");
        assert_eq!(shown(name, 1, format_args!("{name}: is NULL")), "placements[1]: is NULL");
        let parts = shown(name, 1, format_args!("{}{}{}", "place", "ments", ": is NULL"));
        assert_eq!(parts, "placements[1]: is NULL");
        assert_eq!(shown("shards", 3, format_args!("shards.sizes: no")), "shards[3].sizes: no");
        let others = ["placement 'x' is none", "placementss: no", "place", "placements", "", "x"];
        for problem in others {
            let expected = format!("placements[0]: {problem}");
            assert_eq!(shown(name, 0, format_args!("{problem}")), expected);
        }
    }

    #[test]
    fn a_shard_is_named_where_it_is_not_at_its_position() {
        let shown = |shard| Indexed { argument: "to", index: 1, shard, problem: "no" }.to_string();
        assert_eq!(shown(Some(5)), "to[1] (shard 5): no");
        assert_eq!(shown(Some(1)), "to[1]: no");
    }
}
