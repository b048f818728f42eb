//! Tasks: what one kernel copies, and how it is divided among threads and among trials.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "units and bytes of a plan fit an address space, and indices are those of its own tasks"
)]

use std::ops::Range;

use crate::host::cpu::LINE;
use crate::host::tuning::{
    MAX_LANES, MAX_REPLICA_CHUNK, MIN_DIVIDED, PARTS_OF_TRANSPOSED, REPLICA_CHUNK,
    REPLICA_CHUNK_PER_SHARD, REPLICA_TRIAL_BYTES, TRIAL_BYTES,
};

/// How a task is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TaskKind {
    /// One piece of long runs; may be divided anywhere.
    Long,
    /// Pieces whose runs are neighbours in the full tensor, row after row; divided between rows.
    Rows,
    /// One piece whose contiguous dimension is `level`'s on the source side and the innermost on
    /// the destination side; divided between turns of `level`.
    Transposed { level: usize },
    /// One piece of bits; divided by 8 of them.
    Bits,
}

/// Some turns of pieces that one kernel copies together.
#[derive(Debug, Clone)]
pub(super) struct CopyTask {
    pub(super) kind: TaskKind,
    pub(super) pieces: Range<usize>,
    /// The number of parts that it may be divided into, and the bytes of one.
    pub(super) units: Range<usize>,
    pub(super) unit_bytes: usize,
    /// It is divided at multiples of so many.
    pub(super) grain: usize,
    /// Where its bytes start among those of all tasks.
    pub(super) start: usize,
    /// Where it starts in the full tensor.
    pub(super) place: usize,
    /// Bytes of a trial of a way, at least. A replica that is read from a cache has no trials: its time says
    /// nothing about others.
    pub(super) trial_bytes: usize,
}

impl CopyTask {
    pub(super) fn bytes(&self) -> usize {
        self.units.len() * self.unit_bytes
    }

    /// The unit with which a range of bytes begins that starts at `byte`.
    pub(super) fn unit_at(&self, byte: usize) -> usize {
        if byte <= self.start {
            return self.units.start;
        }
        let inside = (byte - self.start).div_ceil(self.unit_bytes.max(1));
        (self.units.start + inside).next_multiple_of(self.grain).min(self.units.end)
    }

    /// Units of a trial.
    pub(super) fn units_of_a_trial(&self) -> usize {
        let units = self.trial_bytes.div_ceil(self.unit_bytes.max(1));
        units.checked_next_multiple_of(self.grain).unwrap_or(usize::MAX)
    }

    /// Whether a task reads what this one reads, unit by unit, for another shard.
    fn is_replica(&self, other: &Self) -> bool {
        let read = |task: &Self| (task.place, task.kind, task.units.clone(), task.unit_bytes);
        read(self) == read(other)
    }

    /// Units that are copied before those of the next replica. All, where so many are too large for a
    /// cache.
    fn units_of_a_chunk(&self) -> usize {
        let wanted = REPLICA_CHUNK_PER_SHARD.saturating_mul(self.pieces.len());
        let bytes = wanted.clamp(REPLICA_CHUNK, MAX_REPLICA_CHUNK);
        let units = (bytes / self.unit_bytes.max(1)).max(1).next_multiple_of(self.grain);
        let fit = units.saturating_mul(self.unit_bytes) <= MAX_REPLICA_CHUNK;
        if fit { units } else { self.units.len().max(1) }
    }
}

/// Puts tasks into the order of their places in the full tensor. Replicas are copied in turn, a chunk of
/// each: the first one reads the chunk from the memory, the others from a cache. None where there is no
/// memory for that.
pub(super) fn in_order_of_places(mut tasks: Vec<CopyTask>) -> Option<Vec<CopyTask>> {
    tasks.sort_unstable_by_key(|task| (task.place, task.pieces.start));
    if tasks.is_sorted_by(|one, next| !one.is_replica(next)) {
        return Some(tasks);
    }
    let mut in_turn = Vec::new();
    for replicas in tasks.chunk_by(CopyTask::is_replica) {
        for units in chunks(replicas) {
            in_turn.try_reserve(replicas.len()).ok()?;
            for (number, task) in replicas.iter().enumerate() {
                let trial_bytes = match (replicas.len(), number) {
                    (1, _) => TRIAL_BYTES,
                    (_, 0) => REPLICA_TRIAL_BYTES,
                    _ => usize::MAX,
                };
                in_turn.push(CopyTask { units: units.clone(), trial_bytes, ..task.clone() });
            }
        }
    }
    Some(in_turn)
}

/// The chunks in which replicas are copied in turn.
fn chunks(replicas: &[CopyTask]) -> impl Iterator<Item = Range<usize>> + use<> {
    let all = replicas.first().map_or(0..0, |task| task.units.clone());
    let units = match replicas {
        [first, _, ..] => first.units_of_a_chunk(),
        _ => all.len().max(1),
    };
    let end = all.end;
    all.step_by(units).map(move |start| start..end.min(start.saturating_add(units)))
}

/// Units are divided at multiples of this, a power of two. Where the units begin with whole lines,
/// so do all parts, and parts of a transposed piece are wide enough to read fast. A few large units
/// are divided regardless.
pub(super) fn grain(kind: TaskKind, units: usize, unit_bytes: usize, run: usize) -> usize {
    let (wanted, min, max) = match kind {
        TaskKind::Transposed { .. } => {
            (units / PARTS_OF_TRANSPOSED, LINE / run.next_power_of_two(), MAX_LANES)
        }
        _ => (MIN_DIVIDED / unit_bytes.max(1), 1, LINE),
    };
    let power = wanted.checked_ilog2().map_or(1, |log| 1 << log);
    power.clamp(min, max)
}
