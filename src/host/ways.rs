//! Which way of copying is the fastest here: large copies try several ways on their first
//! megabytes, and go on with the best.
//!
//! Constants can't know it: on one processor, stores of 16 bytes with a prefetch of 512 bytes ahead
//! were the fastest by an eighth; on another, the widest stores with a prefetch were the slowest of
//! all, by a third. What was found is kept for the process, for each class of tasks. Results are
//! the same in every way; only times differ.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "ways and classes are counted below, and indices are among them"
)]

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::copy_list::FullSide;
use super::cpu::{Level, Machine};
use super::fixed_way;
use super::options::{CopyOptions, Instructions, Stores};
use super::stream::StoreMode;
use super::tuning::{
    FAR_PREFETCH, LARGE_PART_OF_CACHE, MIN_DIRECT_RUN, PREFETCH, PREFETCHES_TRIED, TRIALS,
    WORTH_A_CHANGE_PERCENT, cache_bytes,
};

/// The ways that may be tried for one class, at most.
const MAX_WAYS: usize = 9;
/// Classes of lengths of runs: powers of four.
const RUNS: usize = 8;
/// Kinds of tasks: one run after the other, rows, transposed pieces, and sweeps.
const KINDS: usize = 4;
/// The kind of a sweep.
pub(super) const SWEEP: usize = 3;
/// All of these, scattered and gathered, on one thread and on more, in the caches and beyond.
const CLASSES: usize = KINDS * RUNS * 2 * 2 * 2;

/// What the tasks of a class have in common, so that one way is the fastest for all of them.
#[derive(Debug, Clone, Copy)]
pub(super) struct TaskClass {
    /// Below [`KINDS`].
    pub(super) kind: usize,
    /// Bytes of a run.
    pub(super) run: usize,
    pub(super) side: FullSide,
}

/// The ways from which one is chosen for the tasks of a copy.
#[derive(Debug, Clone, Copy)]
pub(super) struct WayChoice {
    /// The only way, if it was fixed.
    fixed: Option<StoreMode>,
    /// The highest level that may be used.
    level: Level,
    has_threads: bool,
    is_large: bool,
}

/// For each way of each class: how often it was tried (the highest 8 bits), and its shortest time
/// for a MiB in nanoseconds.
static TIMES: [[AtomicU64; MAX_WAYS]; CLASSES] =
    [const { [const { AtomicU64::new(0) }; MAX_WAYS] }; CLASSES];
const COUNT_SHIFT: u32 = 56;

impl WayChoice {
    /// The ways of a copy of so many bytes, with non-temporal stores or not. The hints of a caller
    /// fix the way, and so does the environment.
    pub(super) fn new(
        options: &CopyOptions, bytes: usize, streaming: bool, threads: usize,
    ) -> Self {
        let (machine, level) = (Machine::get(), Level::new(options));
        let own = StoreMode { level, streaming, prefetch: options.prefetch.unwrap_or(PREFETCH) };
        let is_free = options.stores == Stores::Auto
            && options.instructions == Instructions::Best
            && options.prefetch.is_none();
        let fixed = match fixed_way::get() {
            _ if !is_free || !streaming => Some(own),
            Some(fixed) => Some(fixed.way(own)),
            None => None,
        };
        let large = cache_bytes(&machine).unwrap_or(0).saturating_mul(LARGE_PART_OF_CACHE);
        Self { fixed, level, has_threads: threads > 1, is_large: bytes >= large }
    }

    /// The ways for a class: first the one that is used until others were tried. Cached stores are
    /// not among them. What they leave in the caches is written later, while something else is
    /// timed: they seemed to be the fastest, and made gathers half as fast.
    fn ways(&self, class: TaskClass) -> impl Iterator<Item = StoreMode> + use<> {
        let (level, run, kind) = (self.level, class.run, class.kind);
        // The pieces of a sweep differ too much for trials of what is always slower.
        let lowest = if kind == SWEEP { level } else { Level::Portable };
        let levels = Level::ALL.into_iter().rev().filter(move |way| (lowest..=level).contains(way));
        let of_all = [PREFETCH, FAR_PREFETCH].map(|prefetch| (prefetch, levels.clone()));
        let of_all = of_all.into_iter().flat_map(move |(prefetch, levels)| {
            levels.map(move |level| StoreMode { level, streaming: true, prefetch })
        });
        // Only long runs are prefetched by a distance of their own.
        let others =
            PREFETCHES_TRIED.into_iter().filter(move |_| kind == 0 || run >= MIN_DIRECT_RUN);
        of_all.chain(others.map(move |prefetch| StoreMode { level, streaming: true, prefetch }))
    }

    /// Copies a range in the best way, and before that, the first parts of it in ways that are not
    /// known yet. A trial has `of_a_trial` places of the range, of `unit_bytes` each.
    pub(super) fn run(
        &self, class: TaskClass, mut range: Range<usize>, [of_a_trial, unit_bytes]: [usize; 2],
        mut copy: impl FnMut(Range<usize>, StoreMode),
    ) {
        while range.len() >= of_a_trial {
            let Some((number, way)) = self.trial(class) else { break };
            let some = range.start..range.start + of_a_trial;
            range.start = some.end;
            let begin = Instant::now();
            copy(some, way);
            self.tried(class, number, of_a_trial * unit_bytes, begin.elapsed());
        }
        copy(range, self.best(class));
    }

    /// The way to try next, with its number; none where all were tried, or the way is fixed.
    fn trial(&self, class: TaskClass) -> Option<(usize, StoreMode)> {
        if self.fixed.is_some() {
            return None;
        }
        let times = &TIMES[self.number(class)];
        let count = |at: usize| times[at].load(Ordering::Relaxed) >> COUNT_SHIFT;
        let least = self.ways(class).enumerate().min_by_key(|&(at, _)| count(at))?;
        (count(least.0) < TRIALS).then_some(least)
    }

    /// A trial moved so many bytes in so much time.
    fn tried(&self, class: TaskClass, way: usize, bytes: usize, time: Duration) {
        let nanoseconds = time.as_nanos().saturating_mul(1 << 20) / bytes.max(1) as u128;
        let time = u64::try_from(nanoseconds).unwrap_or(u64::MAX).clamp(1, u64::MAX >> 8);
        let kept = &TIMES[self.number(class)][way];
        let old = kept.load(Ordering::Relaxed);
        let (count, shortest) = (old >> COUNT_SHIFT, old & (u64::MAX >> 8));
        let time = if count == 0 { time } else { time.min(shortest) };
        // Another thread may do the same at the same time. Then one trial is forgotten and done
        // once more.
        kept.store((count + 1).min(TRIALS) << COUNT_SHIFT | time, Ordering::Relaxed);
    }

    /// The fastest way that is known. The first one stays where others are hardly faster.
    fn best(&self, class: TaskClass) -> StoreMode {
        if let Some(fixed) = self.fixed {
            return fixed;
        }
        let times = &TIMES[self.number(class)];
        let time = |at: usize| match times[at].load(Ordering::Relaxed) & (u64::MAX >> 8) {
            0 => u64::MAX >> 8,
            known => known,
        };
        let first = time(0) / 100 * (100 - WORTH_A_CHANGE_PERCENT);
        let all = self.ways(class).enumerate();
        let best = all.min_by_key(|&(at, _)| if at == 0 { first } else { time(at) });
        best.map_or(self.first(), |(_, way)| way)
    }

    /// The way in which a copy begins.
    pub(super) fn first(&self) -> StoreMode {
        let first = StoreMode { level: self.level, streaming: true, prefetch: PREFETCH };
        self.fixed.unwrap_or(first)
    }

    fn number(&self, class: TaskClass) -> usize {
        let run = (class.run.max(1).ilog2() as usize / 2).min(RUNS - 1);
        let flags = [class.side == FullSide::Destination, self.has_threads, self.is_large];
        flags.iter().fold(class.kind * RUNS + run, |number, &flag| 2 * number + usize::from(flag))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLASS: TaskClass = TaskClass { kind: 1, run: 3, side: FullSide::Destination };

    fn choice(options: &CopyOptions) -> WayChoice {
        WayChoice::new(options, 1 << 40, options.stores != Stores::Cached, 1)
    }

    /// Does all trials of a class; each takes as long as `time` says.
    fn try_all(choice: &WayChoice, class: TaskClass, time: impl Fn(usize) -> u64) {
        let mut trials = vec![0; choice.ways(class).count()];
        while let Some((number, way)) = choice.trial(class) {
            assert_eq!(choice.ways(class).nth(number), Some(way));
            trials[number] += 1;
            let time = Duration::from_nanos(time(number) + 10 * trials[number]);
            choice.tried(class, number, 1 << 20, time);
        }
        assert!(trials.iter().all(|&trials| trials == TRIALS));
    }

    #[test]
    fn each_way_is_tried_and_then_the_fastest_is_kept() {
        let (choice, class) = (choice(&CopyOptions::default()), TaskClass { kind: 0, ..CLASS });
        for fastest in 0..choice.ways(class).count() {
            let side = if fastest < RUNS - 1 { FullSide::Source } else { FullSide::Destination };
            let class = TaskClass { run: 4 << (2 * (fastest % (RUNS - 1))), side, ..class };
            try_all(&choice, class, |number| if number == fastest { 90_000 } else { 100_000 });
            assert_eq!(choice.ways(class).nth(fastest), Some(choice.best(class)));
        }
        // Of other classes nothing is known.
        let other = TaskClass { kind: 2, ..class };
        assert_eq!(choice.best(other), choice.first());
        assert!(choice.trial(other).is_some());
    }

    #[test]
    fn ways_that_are_hardly_faster_change_nothing() {
        let (choice, class) = (choice(&CopyOptions::default()), TaskClass { run: 70, ..CLASS });
        try_all(&choice, class, |number| 100_000 - number as u64);
        assert_eq!(choice.best(class), choice.first());
    }

    #[test]
    fn a_hint_fixes_the_way() {
        let all = CopyOptions::default();
        for options in [
            CopyOptions { stores: Stores::Cached, ..all },
            CopyOptions { stores: Stores::Stream, ..all },
            CopyOptions { instructions: Instructions::Portable, ..all },
            CopyOptions { prefetch: Some(FAR_PREFETCH), ..all },
        ] {
            let choice = choice(&options);
            assert!(choice.trial(CLASS).is_none());
            let best = choice.best(CLASS);
            assert_eq!(best.streaming, options.stores != Stores::Cached);
            assert_eq!(best.prefetch, options.prefetch.unwrap_or(PREFETCH));
            assert_eq!(best.level, Level::new(&options));
        }
    }

    #[test]
    fn every_class_has_a_place_of_its_own() {
        let mut numbers = std::collections::HashSet::new();
        let sides = [FullSide::Source, FullSide::Destination];
        for (kind, run) in
            (0..KINDS).flat_map(|kind| (0..RUNS).map(move |run| (kind, 4 << (2 * run) >> 2)))
        {
            for (side, has_threads) in sides.map(|side| [(side, false), (side, true)]).concat() {
                for is_large in [false, true] {
                    let free = choice(&CopyOptions::default());
                    let choice = WayChoice { has_threads, is_large, ..free };
                    let number = choice.number(TaskClass { kind, run, side });
                    assert!(number < CLASSES && numbers.insert(number));
                }
            }
        }
    }
}
