//! Which bytes of a source are read at once: those that are near each other.

#![allow(
    clippy::arithmetic_side_effects,
    reason = "bytes of a file or of a shard's buffer, whose number was checked to fit an i64"
)]

/// How reads are merged.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MergeOptions {
    /// Bytes between two needed parts of a source that are always read through.
    pub max_gap: u64,
    /// More bytes are read through, as long as a read has no more bytes than this times the bytes that
    /// are needed of it.
    pub over_read: f64,
    /// The most bytes of a read of several parts.
    pub max_read: u64,
}

impl Default for MergeOptions {
    fn default() -> Self {
        Self { max_gap: 4 << 10, over_read: 2.0, max_read: 2 << 20 }
    }
}

/// Contiguous bytes of a source. In the order in which spans are merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ReadSpan {
    pub(crate) first_byte: u64,
    pub(crate) bytes: u64,
    /// How many of them are needed. Bytes that go to two places count twice.
    pub(crate) needed: u64,
}

impl ReadSpan {
    fn end(self) -> u64 {
        self.first_byte + self.bytes
    }
}

impl MergeOptions {
    /// The read of what one read has and of a span that does not start before it, or `None` where these
    /// are two reads.
    pub(crate) fn joined(&self, read: ReadSpan, next: ReadSpan) -> Option<ReadSpan> {
        let bytes = read.end().max(next.end()) - read.first_byte;
        let gap = next.first_byte.saturating_sub(read.end());
        // Any number of destinations may take the same bytes.
        let needed = read.needed.saturating_add(next.needed);
        // What begins inside of a long read and ends there makes it no longer.
        let fits = bytes <= self.max_read.max(read.bytes);
        let is_one = fits && self.bridges(gap, bytes, needed);
        is_one.then_some(ReadSpan { first_byte: read.first_byte, bytes, needed })
    }

    /// How many of `count` spans like `turn`, each of which starts `step` bytes behind the one before, are
    /// one read; `None` where each is a read of its own.
    pub(crate) fn turns_of_a_read(&self, turn: ReadSpan, step: u64, count: u64) -> Option<u64> {
        let all = turn.bytes + (count - 1) * step;
        let is_near =
            self.bridges(step.saturating_sub(turn.bytes), all, turn.needed.saturating_mul(count));
        let room = self.max_read.checked_sub(turn.bytes).filter(|_| is_near)?;
        Some(room.checked_div(step).map_or(count, |more| count.min(more.saturating_add(1))))
    }

    /// Whether a gap is read through, in a read of `bytes` of which `needed` are needed.
    fn bridges(&self, gap: u64, bytes: u64, needed: u64) -> bool {
        gap <= self.max_gap || bytes as f64 <= self.over_read * needed as f64
    }
}
