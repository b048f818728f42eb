//! The read itself: agree, read a group of tensors, move it, and so on.

use super::groups::groups;
use super::replicas::SharedTensor;
use crate::comm::{self, BatchTensor, CommError, Communicator, Options, Reason};
use crate::files::{CheckpointRead, FileSet, Progress, ReadItem, ReadOptions, ReadReport, readers};
use crate::memory::{Text, try_collect, try_filled, try_with_capacity};
use crate::model::{Error, Result};

/// How a collective read works. Nothing here changes what is read.
#[derive(Debug, Clone, Copy)]
pub struct CollectiveReadOptions {
    /// How this rank reads.
    pub read: ReadOptions,
    /// How ranks move what was read.
    pub comm: Options,
    /// Tensors are read and moved in groups of about so many bytes. The same on all ranks.
    pub group_bytes: u64,
}

impl CollectiveReadOptions {
    /// 1 GiB: a failure is noticed on all ranks after at most this much, and agreements cost nothing beside
    /// it.
    pub const DEFAULT_GROUP_BYTES: u64 = 1 << 30;
}

impl Default for CollectiveReadOptions {
    fn default() -> Self {
        Self {
            read: ReadOptions::default(),
            comm: Options::default(),
            group_bytes: Self::DEFAULT_GROUP_BYTES,
        }
    }
}

/// Reads tensors of a checkpoint on all ranks of a communicator together. All ranks pass the same tensors
/// with the same layouts in the same order, and each rank all of its own shards. Of shards with the same
/// elements one is read, on one rank, and the others are received from it.
///
/// Either all ranks get an error and nothing was written, or reading begins. A rank that then can't read,
/// or whose `progress` refuses, is reported to all: all of them return an error. The report has one `whole`
/// for each item where reading began, and none where it did not.
///
/// # Safety
///
/// Every element of the items' shards may be written, and nothing else uses any of them meanwhile.
pub unsafe fn read<E: Reason>(
    comm: &dyn Communicator, set: &FileSet, items: &[ReadItem<'_>],
    options: &CollectiveReadOptions, progress: &mut Progress<'_>,
) -> (ReadReport, std::result::Result<(), E>) {
    let nothing = ReadReport::default;
    let prepared = SharedRead::new(comm, set, items);
    // This also compares the memory of all tensors.
    let checked = prepared.and_then(|shared| {
        let needed = CheckpointRead::new(set, &shared.reads, &options.read)?.bytes_needed();
        let whole = try_filled(false, items.len())?;
        let groups = groups(shared.bytes.iter().copied(), options.group_bytes)?;
        Ok((shared, needed, whole, groups))
    });
    let (shared, needed, whole, groups) = match checked {
        Ok(checked) => checked,
        Err(error) => return (nothing(), Err(comm::decline(comm, E::from(error)))),
    };
    let call = format_args!("checkpoint_read_collective({} tensors)", items.len());
    if let Err(error) = comm::agree_on(comm, call, &shared.moved, options.comm) {
        return (nothing(), Err(error));
    }
    let all = shared.received.iter().fold(needed, |all, own| all.saturating_add(*own));
    let report = ReadReport { bytes_needed: all, whole, ..nothing() };
    let mut running = RunningCollective { comm, set, options, shared, report, done: 0, progress };
    let mut refused = None;
    for group in groups {
        // SAFETY: the contract of `read` covers the shards of all items. Each `group` is some of
        // the items, and no item is in two.
        let ended = unsafe { running.group(group, refused.take()) };
        match ended {
            Ok(refusal) => refused = refusal,
            Err(error) => return (running.report, Err(error)),
        }
    }
    // All ranks have all of their elements, this one too.
    (running.report, refused.map_or(Ok(()), |error| Err(E::from(error))))
}

/// A collective read on one rank that is laid out.
struct SharedRead<'a> {
    /// What this rank reads.
    reads: Vec<ReadItem<'a>>,
    /// What moves then.
    moved: Vec<BatchTensor>,
    /// For each tensor, the bytes that this rank receives.
    received: Vec<u64>,
    /// The bytes of each tensor.
    bytes: Vec<u64>,
}

impl<'a> SharedRead<'a> {
    fn new(comm: &dyn Communicator, set: &FileSet, items: &[ReadItem<'a>]) -> Result<Self> {
        let readers = readers(&try_collect(items.iter().map(|item| item.layout))?)?;
        let mut reads = try_with_capacity(items.len())?;
        let mut moved = try_with_capacity(items.len())?;
        let mut received = try_with_capacity(items.len())?;
        let mut bytes = try_with_capacity(items.len())?;
        for (index, (item, readers)) in items.iter().zip(&readers).enumerate() {
            let tensor = set.tensor(item.name);
            let shared = tensor.and_then(|tensor| SharedTensor::new(comm, tensor, item, readers));
            let shared = shared.map_err(|error| error.at("items", index))?;
            reads.push(shared.read);
            moved.push(shared.moved);
            received.push(shared.received);
            bytes.push(shared.bytes);
        }
        Ok(Self { reads, moved, received, bytes })
    }
}

/// A collective read that all ranks have agreed on.
struct RunningCollective<'a, 'p> {
    comm: &'a dyn Communicator,
    set: &'a FileSet,
    options: &'a CollectiveReadOptions,
    shared: SharedRead<'a>,
    report: ReadReport,
    /// Bytes that have arrived, of groups that have ended.
    done: u64,
    progress: &'a mut Progress<'p>,
}

impl RunningCollective<'_, '_> {
    /// Reads and moves some tensors. Where the caller refused to go on, or reading fails, all ranks receive
    /// that. Returns the caller's refusal to go on after this group.
    ///
    /// # Safety
    ///
    /// As [`read`].
    unsafe fn group<E: Reason>(
        &mut self, group: std::ops::Range<usize>, refused: Option<Error>,
    ) -> std::result::Result<Option<Error>, E> {
        let (comm, options) = (self.comm, self.options);
        let read = match refused {
            Some(refusal) => Err(refusal),
            // SAFETY: the contract of `group` is that of `read_own`, for the same tensors.
            None => unsafe { self.read_own(group.clone()) },
        };
        if let Err(error) = read {
            return Err(comm::decline(comm, E::from(error)));
        }
        let moved = self.shared.moved.get(group.clone()).unwrap_or(&[]);
        // SAFETY: the contract of `read` lets `transfer` write the destinations of `moved`. Its
        // sources were read by `read_own` just now, and nothing writes them.
        unsafe { comm::transfer::<Error>(comm, moved, options.comm) }
            .map_err(|error| E::from(after_agreement(error)))?;
        self.report.whole.get_mut(group.clone()).into_iter().for_each(|whole| whole.fill(true));
        let received = self.shared.received.get(group).unwrap_or(&[]);
        let received = received.iter().fold(0, |all: u64, own| all.saturating_add(*own));
        if received == 0 {
            return Ok(None);
        }
        self.done = self.done.saturating_add(received);
        Ok((self.progress)(self.done, self.report.bytes_needed).err())
    }

    /// Reads what this rank reads of some tensors.
    ///
    /// # Safety
    ///
    /// As [`read`].
    unsafe fn read_own(&mut self, group: std::ops::Range<usize>) -> Result<()> {
        let Self { set, options, shared, report, progress, done, .. } = self;
        let items = shared.reads.get(group.clone()).unwrap_or(&[]);
        let read = CheckpointRead::new(set, items, &options.read)?;
        let (before, all) = (*done, report.bytes_needed);
        // SAFETY: the contract of `read_own` covers the shards of the `items` that `read` writes.
        let (own, result) =
            unsafe { read.run(&mut |bytes, _| progress(before.saturating_add(bytes), all)) };
        report.reads = report.reads.saturating_add(own.reads);
        report.bytes_read = report.bytes_read.saturating_add(own.bytes_read);
        *done = before.saturating_add(own.bytes_needed);
        // Where all of it is read here, nothing else has to arrive.
        let received = shared.received.get(group.clone()).unwrap_or(&[]);
        let own_whole = own.whole.iter().zip(received).map(|(whole, rest)| *whole && *rest == 0);
        let places = report.whole.get_mut(group).unwrap_or(&mut []);
        places.iter_mut().zip(own_whole).for_each(|(place, own)| *place = own);
        result
    }
}

/// The refusal of another rank, when destinations may be written already.
fn after_agreement(error: Error) -> Error {
    match error {
        Error::Comm(CommError::Disagreement { rank, status, message, .. }) => {
            Error::Comm(CommError::RankFailed { rank, status, message: Text::copy(&message) })
        }
        error => error,
    }
}
