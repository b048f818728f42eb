//! Bytes that are moved between tensors of any strides, which end at pages that can't be used.

use std::cell::RefCell;

use shardspec::model::{DataType, Error};
use shardspec::plan::ReshardPlan;
use shardspec::transfer::{
    CopyOptions, HostView, Instructions, Prefetch, PrefetchInto, Stores, TransferError, view_shard,
};

use crate::cases::{Case, sizes};
use crate::guarded::{Guarded, Pages, indices};
use crate::models::copies::{extract, gather, reshard, scatter};
use crate::random::Random;

/// Tensors of one case.
const MAX_TENSORS: usize = 200;

thread_local! {
    static PAGES: RefCell<Vec<Pages>> =
        RefCell::new((0..MAX_TENSORS).map(|_| Pages::new()).collect());
}

/// Element types of usual and odd sizes, and packed ones.
fn dtype(random: &mut Random) -> DataType {
    let (code, bits, lanes) = random.of_list(&[
        (1, 8, 1),
        (1, 16, 1),
        (2, 32, 1),
        (2, 64, 1),
        (1, 8, 3),
        (5, 64, 2),
        (1, 8, 12),
        (1, 4, 1),
        (1, 2, 1),
        (1, 1, 1),
        (1, 6, 1),
        (1, 3, 1),
        (1, 12, 1),
        (1, 4, 3),
        (1, 1, 9),
    ]);
    DataType { code, bits, lanes }
}

fn options(random: &mut Random) -> CopyOptions {
    CopyOptions {
        max_threads: random.of_list(&[1, 1, 1, 2]),
        stores: random.of_list(&[Stores::Auto, Stores::Stream, Stores::Cached]),
        instructions: random.of_list(&[
            Instructions::Best,
            Instructions::Avx2,
            Instructions::Portable,
        ]),
        prefetch: random.of_list(&[None, Some(0), Some(512), Some(4096)]).map(|ahead| Prefetch {
            ahead,
            into: random.of_list(&[PrefetchInto::FirstLevel, PrefetchInto::SecondLevel]),
        }),
    }
}

/// Makes tensors of a case, one after the other.
struct Maker<'a> {
    pages: std::slice::Iter<'a, Pages>,
    dtype: DataType,
}

impl<'a> Maker<'a> {
    fn make(&mut self, shape: &[i64], random: &mut Random) -> Option<Guarded<'a>> {
        Guarded::new(self.pages.next()?, shape, self.dtype, random)
    }

    fn shards(&mut self, case: &Case, random: &mut Random) -> Option<Vec<Guarded<'a>>> {
        case.metadata.shards().iter().map(|shard| self.make(shard.sizes, random)).collect()
    }
}

fn views(tensors: &[Guarded<'_>]) -> Vec<HostView> {
    tensors.iter().map(Guarded::view).collect()
}

/// A shard's buffer has the tensor's elements, zeros in its holes, and nothing else was written.
fn check_shard(case: &Case, shard: usize, buffer: &Guarded<'_>, full: &Guarded<'_>) {
    let all = indices(&full.shape);
    for (index, &place) in indices(&buffer.shape).iter().zip(&case.elements[shard]) {
        let found = buffer.element(index);
        match usize::try_from(place) {
            Ok(place) => assert_eq!(found, full.element(&all[place]), "shard {shard} {index:?}"),
            Err(_) => assert!(found.iter().all(|byte| *byte == 0), "shard {shard} {index:?}"),
        }
    }
    assert!(!buffer.is_disturbed(), "shard {shard}");
}

fn with_maker(random: &mut Random, run: impl FnOnce(&mut Maker<'_>, &mut Random) -> Option<()>) {
    PAGES.with_borrow(|pages| {
        let mut maker = Maker { pages: pages.iter(), dtype: dtype(random) };
        // A case that needs more memory than there is ends early.
        let _ = run(&mut maker, random);
    });
}

/// Scatters a tensor into its shards.
fn scattered(case: &Case, full: &Guarded<'_>, shards: &[HostView], options: &CopyOptions) {
    // SAFETY: `full` and each of `shards` are in pages of their own, which nothing else uses meanwhile.
    unsafe { scatter(&case.metadata, &full.view(), |at| shards[at], options) }
        .expect("tensors that fit");
}

/// Scatters, extracts and gathers one layout.
pub fn exercise_views(input: &[u8]) {
    let random = &mut Random::of(input);
    let sizes = sizes(random);
    let case = Case::new(random, &sizes, 4);
    with_maker(random, |maker, random| {
        let options = options(random);
        let mut full = maker.make(&sizes, random)?;
        full.fill(random);
        let buffers = maker.shards(&case, random)?;
        let held = views(&buffers);
        scattered(&case, &full, &held, &options);
        for (shard, buffer) in buffers.iter().enumerate() {
            check_shard(&case, shard, buffer, &full);
        }
        let shard = random.below(buffers.len());
        let one = maker.make(&buffers[shard].shape, random)?;
        // SAFETY: `full` and `one` are in pages of their own, which are mapped as long as the process runs.
        unsafe { extract(&case.metadata, shard, &full.view(), &one.view(), &options) }
            .expect("a tensor that fits");
        check_shard(&case, shard, &one, &full);
        check_view_of_shard(&case, shard, &full, &buffers[shard]);
        let back = maker.make(&sizes, random)?;
        // SAFETY: `back` and each of `held` are in pages of their own, which nothing else uses meanwhile.
        unsafe { gather(&case.metadata, |at| held[at], &back.view(), &options) }
            .expect("tensors that fit");
        check_equal(&back, &full);
        Some(())
    });
}

fn check_equal(tensor: &Guarded<'_>, expected: &Guarded<'_>) {
    for index in indices(&expected.shape) {
        assert_eq!(tensor.element(&index), expected.element(&index), "{index:?}");
    }
    assert!(!tensor.is_disturbed());
}

/// The view of a shard inside of a tensor has the elements of the shard, or is refused where none can.
fn check_view_of_shard(case: &Case, shard: usize, full: &Guarded<'_>, buffer: &Guarded<'_>) {
    let part = match view_shard(&case.metadata, shard, &full.view()) {
        Ok(part) => part,
        Err(error) => return assert!(matches!(error, Error::Unsupported { .. }), "{error}"),
    };
    assert_eq!(part.shape(), buffer.shape);
    let bits = full.dtype.element_bits();
    if !bits.is_multiple_of(8) {
        return;
    }
    for index in indices(&buffer.shape) {
        let steps: i64 = index.iter().zip(part.element_strides()).map(|(at, step)| at * step).sum();
        let at = part.first().wrapping_offset(steps as isize * (bits / 8) as isize);
        // SAFETY: `at` is a place of the tensor `full`, in pages that are mapped. If it is not, the library
        // has given a wrong view, and this ends the process as a finding.
        let bytes = unsafe { std::slice::from_raw_parts(at, bits / 8) };
        assert_eq!(bytes, buffer.element(&index), "shard {shard} {index:?}");
    }
}

/// Plans from one layout to another, and carries the plan out.
pub fn exercise_plans(input: &[u8]) {
    let random = &mut Random::of(input);
    let sizes = sizes(random);
    let (from, to) = (Case::new(random, &sizes, 4), Case::new(random, &sizes, 4));
    let plan = ReshardPlan::new(&from.metadata, &to.metadata).expect("a plan");
    check_amounts(&plan, &to);
    with_maker(random, |maker, random| {
        let options = options(random);
        let mut full = maker.make(&sizes, random)?;
        full.fill(random);
        let sources = maker.shards(&from, random)?;
        let have = views(&sources);
        scattered(&from, &full, &have, &options);
        let destinations = maker.shards(&to, random)?;
        let have: Vec<_> = have.into_iter().enumerate().collect();
        let mut want: Vec<_> = views(&destinations).into_iter().enumerate().collect();
        let plan = if random.one_in(3) {
            want.retain(|_| random.one_in(2));
            let indices: Vec<usize> = want.iter().map(|(index, _)| *index).collect();
            ReshardPlan::for_destinations(&from.metadata, &to.metadata, &indices).expect("a plan")
        } else {
            plan
        };
        random.shuffle(&mut want);
        // SAFETY: each tensor of `have` and of `want` is in pages of its own, which nothing else uses.
        unsafe { reshard(&plan, &have, &want, &options) }.expect("tensors that fit");
        for (shard, buffer) in destinations.iter().enumerate() {
            if want.iter().any(|(index, _)| *index == shard) {
                check_shard(&to, shard, buffer, &full);
            }
        }
        Some(())
    });
}

/// Every element of every destination comes from one piece.
fn check_amounts(plan: &ReshardPlan, to: &Case) {
    let mut received = vec![0i64; to.elements.len()];
    for pair in plan.shard_traffic() {
        let (_, destination, elements, _) = pair.expect("memory");
        received[destination] += elements;
    }
    for (shard, elements) in to.elements.iter().enumerate() {
        let own = elements.iter().filter(|place| **place >= 0).count() as i64;
        assert_eq!(received[shard], own, "shard {shard}");
    }
}

/// Bits of the memory in which tensors of `exercise_aliases` are.
const BITS: usize = 64 << 10;

/// Tensors of any strides in one small memory: a copy is refused exactly where a bit would be written
/// twice, or be read and written.
pub fn exercise_aliases(input: &[u8]) {
    let random = &mut Random::of(input);
    let dtype = dtype(random);
    let count = 1 + random.below(4);
    let inner: Vec<i64> = (0..random.below(3)).map(|_| random.range(1, 4)).collect();
    let rows: Vec<i64> = (0..count).map(|_| random.range(0, 4)).collect();
    let shape = |rows: i64| [&[rows], &inner[..]].concat();
    let mut memory = vec![0u8; BITS / 8];
    let start = memory.as_mut_ptr();
    let mut tensor = |rows: i64| {
        let (shape, first) = (shape(rows), 4000 + random.below(64));
        let strides = match random.below(3) {
            0 => row_major(&shape),
            _ => shape.iter().map(|_| random.range(-12, 13)).collect(),
        };
        let mut bits = Vec::new();
        for index in indices(&shape) {
            let steps: i64 = index.iter().zip(&strides).map(|(at, step)| at * step).sum();
            let bit = 8 * first as i64 + steps * dtype.element_bits() as i64;
            bits.extend(bit as usize..bit as usize + dtype.element_bits());
        }
        let view = HostView::new("view", start.wrapping_add(first), dtype, &shape, Some(&strides));
        (view.expect("a view of memory"), bits)
    };
    let shards: Vec<_> = rows.iter().map(|&rows| tensor(rows)).collect();
    let full = tensor(rows.iter().sum());
    let metadata = in_rows(&rows, &inner);
    let view = |at: usize| shards[at].0;
    let is_gather = random.one_in(2);
    let full_bits = [full.1.as_slice()];
    let shard_bits: Vec<&[usize]> = shards.iter().map(|(_, bits)| bits.as_slice()).collect();
    let expected = if is_gather {
        is_shared(&full_bits, &shard_bits)
    } else {
        is_shared(&shard_bits, &full_bits)
    };
    let options = CopyOptions::default();
    // SAFETY: `view` and `full` are in `memory`, which is alive and which nothing else uses meanwhile.
    let result = unsafe {
        if is_gather {
            gather(&metadata, view, &full.0, &options)
        } else {
            scatter(&metadata, &full.0, view, &options)
        }
    };
    match result {
        Ok(()) => assert!(!expected, "tensors that share memory were copied"),
        Err(Error::Transfer(TransferError::Aliased { .. })) => {
            assert!(expected, "tensors that share nothing were refused");
            assert!(memory.iter().all(|byte| *byte == 0), "a refusal wrote something");
        }
        Err(error) => panic!("{error}"),
    }
}

fn row_major(shape: &[i64]) -> Vec<i64> {
    (0..shape.len()).map(|dim| shape[dim + 1..].iter().product()).collect()
}

/// Rows of a tensor, dealt out.
fn in_rows(rows: &[i64], inner: &[i64]) -> shardspec::model::ShardedTensorMetadata {
    use shardspec::model::{
        Placement, Placements, ShardedTensorMetadata, Shards, TensorProperties,
    };
    let (mut offsets, mut sizes, mut row) = (Vec::new(), Vec::new(), 0);
    for &own in rows {
        offsets.extend([&[row], &vec![0; inner.len()][..]].concat());
        sizes.extend([&[own], inner].concat());
        row += own;
    }
    let ranks = (0..rows.len() as i64).map(|rank| Placement::on_rank(rank).expect("a rank"));
    let placements = Placements::new(ranks).expect("placements");
    let shards = Shards::new(1 + inner.len(), offsets, sizes, placements).expect("shards");
    ShardedTensorMetadata::new(shards, &[&[row], inner].concat(), TensorProperties::default())
        .expect("a layout")
}

/// Whether a bit is written twice, or read and written.
fn is_shared(written: &[&[usize]], read: &[&[usize]]) -> bool {
    let mut is_written = vec![false; BITS];
    let twice =
        written.iter().copied().flatten().any(|&bit| std::mem::replace(&mut is_written[bit], true));
    twice || read.iter().copied().flatten().any(|&bit| is_written[bit])
}
