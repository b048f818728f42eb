//! Carrying out plans, on random layouts in memory of any strides: every byte is where it belongs,
//! and no other was touched.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::undocumented_unsafe_blocks,
    clippy::unwrap_used,
    reason = "tests: an overflow or a bad index is a failure, and buffers are made to fit"
)]

use crate::common::copies::{gather, reshard, scatter};
use crate::common::plans::{metadata, on_random_ranks, random_layout};
use crate::common::tensor::{Tensor, element_types, indices, of_bytes};
use crate::common::{Boxes, Random};
use proptest::prelude::*;
use shardspec::model::ModelError;
use shardspec::model::{DataType, Error, ShardedTensorMetadata, Shards};
use shardspec::plan::ReshardPlan;
use shardspec::transfer::TransferError;
use shardspec::transfer::{CopyOptions, HostView};

type Here = Vec<(usize, HostView)>;

fn tensors(shards: &Shards, dtype: DataType, random: &mut Random) -> Vec<Tensor> {
    let plain = random.below(2) == 0;
    shards.iter().map(|shard| Tensor::new(shard.sizes, dtype, plain, random)).collect()
}

fn views(tensors: &mut [Tensor]) -> Here {
    tensors.iter_mut().map(Tensor::view).enumerate().collect()
}

fn options(random: &mut Random) -> CopyOptions {
    CopyOptions { max_threads: random.below(3), ..CopyOptions::default() }
}

/// Asserts that these shards hold what a full tensor holds there, and nothing else was written.
fn assert_hold(layout: &Shards, shards: &[Tensor], full: &Tensor) -> Result<(), TestCaseError> {
    for (shard, tensor) in layout.iter().zip(shards) {
        for index in indices(shard.sizes) {
            let global: Vec<i64> = index.iter().zip(shard.offsets).map(|(i, o)| i + o).collect();
            prop_assert_eq!(tensor.element(&index), full.element(&global), "{:?}", index);
        }
        prop_assert_eq!(tensor.disturbed(), 0);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    /// What scatter into one layout and a plan to another give is what scatter into the other gives;
    /// gathered, it is the tensor again.
    #[test]
    fn a_plan_does_what_gather_and_scatter_do(
        sizes in prop::collection::vec(0i64..8, 0..=4), cuts in (0usize..12, 0usize..12),
        dtype in prop::sample::select(element_types()), seed: u64,
    ) {
        let mut random = Random::new(seed);
        let source = metadata(random_layout(&sizes, cuts.0, 3, &mut random), &sizes);
        let destination = metadata(random_layout(&sizes, cuts.1, 3, &mut random), &sizes);
        let mut full = Tensor::new(&sizes, dtype, true, &mut random);
        full.fill(&mut random);
        let mut from = tensors(source.shards(), dtype, &mut random);
        let mut to = tensors(destination.shards(), dtype, &mut random);
        let (sources, destinations) = (views(&mut from), views(&mut to));
        let options = options(&mut random);
        unsafe { scatter(&source, &full.view(), |at: usize| sources[at].1, &options) }.unwrap();
        let plan = ReshardPlan::new(&source, &destination).unwrap();
        unsafe { reshard(&plan, &sources, &destinations, &options) }.unwrap();
        assert_hold(destination.shards(), &to, &full)?;
        let mut back = Tensor::new(&sizes, dtype, true, &mut random);
        let view = back.view();
        unsafe { gather(&destination, |at: usize| destinations[at].1, &view, &options) }.unwrap();
        for index in indices(&sizes) {
            prop_assert_eq!(back.element(&index), full.element(&index));
        }
    }

    /// A worker that loads its own shards needs no others, and only the sources that they take of.
    #[test]
    fn some_destinations_need_some_sources(
        sizes in prop::collection::vec(1i64..8, 1..=3), cuts in (0usize..12, 0usize..12), seed: u64,
    ) {
        let mut random = Random::new(seed);
        let source = metadata(random_layout(&sizes, cuts.0, 3, &mut random), &sizes);
        let destination = metadata(random_layout(&sizes, cuts.1, 3, &mut random), &sizes);
        let mut full = Tensor::new(&sizes, of_bytes(2), true, &mut random);
        full.fill(&mut random);
        let mut from = tensors(source.shards(), of_bytes(2), &mut random);
        let mut to = tensors(destination.shards(), of_bytes(2), &mut random);
        let (mut sources, mut destinations) = (views(&mut from), views(&mut to));
        let options = options(&mut random);
        unsafe { scatter(&source, &full.view(), |at: usize| sources[at].1, &options) }.unwrap();
        let rank = random.range(0, 3);
        let own: Vec<usize> = destination.shards_of_rank(rank).collect();
        let plan = ReshardPlan::for_destinations(&source, &destination, &own).unwrap();
        let all = destinations.clone();
        destinations.retain(|(index, _)| own.contains(index));
        let read: Vec<usize> = plan.pieces().map(|piece| piece.source).collect();
        sources.retain(|(index, _)| read.contains(index));
        random.shuffle(&mut sources);
        random.shuffle(&mut destinations);
        if let Some((missing, _)) = sources.first().copied() {
            let result = unsafe { reshard(&plan, &sources[1..], &destinations, &options) };
            prop_assert!(matches!(result, Err(Error::NotFound { .. })), "{missing}: {result:?}");
            prop_assert!(to.iter().all(|tensor| tensor.bytes.iter().all(|byte| *byte == 0xA5)));
        }
        if own.len() < all.len() {
            let result = unsafe { reshard(&plan, &sources, &all, &options) };
            prop_assert!(matches!(result, Err(Error::NotFound { .. })), "{result:?}");
        }
        unsafe { reshard(&plan, &sources, &destinations, &options) }.unwrap();
        for (index, (shard, tensor)) in destination.shards().iter().zip(&to).enumerate() {
            if own.contains(&index) {
                let one = Boxes::of(sizes.len(), &[(shard.offsets, shard.sizes)]).shards();
                assert_hold(&one, std::slice::from_ref(tensor), &full)?;
            } else {
                prop_assert!(tensor.bytes.iter().all(|byte| *byte == 0xA5));
            }
        }
    }

    /// From sources that overlap, whichever are chosen.
    #[test]
    fn replicas_serve_as_one_would(
        sizes in prop::collection::vec(1i64..7, 1..=3), cuts in (0usize..6, 0usize..6, 0usize..6), seed: u64,
    ) {
        let mut random = Random::new(seed);
        let mut boxes = Vec::new();
        for cuts in [cuts.0, cuts.1] {
            let layout = random_layout(&sizes, cuts, 3, &mut random);
            boxes.extend(layout.iter().map(|shard| (shard.offsets.to_vec(), shard.sizes.to_vec())));
        }
        let source = on_random_ranks(sizes.len(), boxes, 3, &mut random);
        let destination = random_layout(&sizes, cuts.2, 3, &mut random);
        let mut full = Tensor::new(&sizes, of_bytes(4), true, &mut random);
        full.fill(&mut random);
        let mut from = tensors(&source, of_bytes(4), &mut random);
        for (shard, tensor) in source.iter().zip(&mut from) {
            for index in indices(shard.sizes) {
                let global: Vec<i64> = index.iter().zip(shard.offsets).map(|(i, o)| i + o).collect();
                let (at, wanted) = (tensor.place(&index).start / 8, full.element(&global));
                tensor.bytes[at..at + wanted.len()].copy_from_slice(&wanted);
            }
        }
        let mut to = tensors(&destination, of_bytes(4), &mut random);
        let plan = ReshardPlan::from_shards(source, destination.clone()).unwrap();
        unsafe { reshard(&plan, &views(&mut from), &views(&mut to), &options(&mut random)) }.unwrap();
        assert_hold(&destination, &to, &full)?;
    }
}

/// Two halves of 8 floats, and the same the other way round.
fn halves() -> (ShardedTensorMetadata, ReshardPlan, Vec<Vec<f32>>) {
    let source = metadata(Boxes::of(1, &[(&[0], &[4]), (&[4], &[4])]).shards(), &[8]);
    let destination = metadata(Boxes::of(1, &[(&[4], &[4]), (&[0], &[4])]).shards(), &[8]);
    let plan = ReshardPlan::new(&source, &destination).unwrap();
    (source, plan, vec![vec![1.0; 4], vec![2.0; 4], vec![0.0; 4], vec![0.0; 4]])
}

fn view(dtype: DataType, buffer: &mut [f32]) -> HostView {
    let first = buffer.as_mut_ptr().cast();
    HostView::new("view", first, dtype, &[buffer.len() as i64], None).unwrap()
}

#[test]
fn what_does_not_fit_is_refused_before_the_first_byte() {
    let (_, plan, mut buffers) = halves();
    let float = DataType::FLOAT32;
    let int = DataType { code: 0, bits: 32, lanes: 1 };
    let all: Vec<HostView> = buffers.iter_mut().map(|buffer| view(float, buffer)).collect();
    let here = |views: [(usize, HostView); 2]| views.to_vec();
    let run = |from: &[(usize, HostView)], to: &[(usize, HostView)]| {
        unsafe { reshard(&plan, from, to, &CopyOptions::default()) }.err()
    };
    let (from, to) = (here([(0, all[0]), (1, all[1])]), here([(0, all[2]), (1, all[3])]));
    let mut short = [0.0; 3];
    let mut other = [0.0; 4];
    let short = view(float, &mut short);
    let other = view(int, &mut other);
    let errors = [
        run(&from, &here([(0, all[2]), (1, short)])),
        run(&from, &here([(0, all[2]), (1, other)])),
        run(&from, &here([(0, all[2]), (0, all[3])])),
        run(&from, &here([(0, all[2]), (2, all[3])])),
        run(&from, &here([(0, all[2]), (1, all[2])])),
        run(&from, &here([(0, all[2]), (1, all[1])])),
        run(&from[..1], &to),
    ];
    // What is wrong, and with which element of which argument.
    let part = |at: usize| match &errors[at] {
        Some(Error::At { argument, index, error, .. }) => (*argument, *index, &**error),
        other => panic!("{other:?}"),
    };
    let wrong_shape = part(0);
    assert_eq!((wrong_shape.0, wrong_shape.1), ("destinations", 1));
    assert!(matches!(
        wrong_shape.2,
        Error::Model(ModelError::ShapeMismatch { shard: Some(1), got: 3, .. })
    ));
    let wrong_type = part(1);
    assert_eq!((wrong_type.0, wrong_type.1), ("destinations", 1));
    assert!(matches!(wrong_type.2, Error::Model(ModelError::DtypeMismatch { shard: Some(1), .. })));
    let twice = part(2);
    assert_eq!((twice.0, twice.1), ("destination_indices", 1));
    assert!(matches!(twice.2, Error::InvalidArgument { argument: "destination_indices", .. }));
    let out_of_range = part(3);
    assert_eq!((out_of_range.0, out_of_range.1), ("destination_indices", 1));
    assert!(matches!(out_of_range.2, Error::IndexOutOfRange { index: 2, .. }));
    assert!(matches!(
        &errors[4],
        Some(Error::Transfer(TransferError::Aliased { first: Some(0), second: Some(1), .. }))
    ));
    assert!(matches!(
        &errors[5],
        Some(Error::Transfer(TransferError::Aliased { first: Some(1), second: Some(1), .. }))
    ));
    assert!(matches!(&errors[6], Some(Error::NotFound { .. })));
    assert_eq!(run(&from, &to), None);
    assert_eq!(run(&from, &[]), None);
    assert_eq!(run(&[], &[]), None);
    assert_eq!(buffers[2..], [vec![2.0; 4], vec![1.0; 4]]);
}

#[test]
fn columns_that_interleave_with_their_sources_are_no_conflict() {
    let count = 64i64;
    let cut = crate::common::families::grid(&[1, count], &[16, 1]);
    let source = metadata(cut.boxes.shards(), &cut.sizes);
    let plan = ReshardPlan::new(&source, &source).unwrap();
    let mut wide: Vec<f32> = (0..16 * 2 * count).map(|at| at as f32).collect();
    let start = wide.as_mut_ptr();
    let column = |at: i64| {
        let first = start.wrapping_add(at as usize).cast();
        HostView::new("view", first, DataType::FLOAT32, &[16, 1], Some(&[2 * count, 1])).unwrap()
    };
    let here = |first| (0..count).map(|at| (at as usize, column(2 * at + first))).collect::<Here>();
    unsafe { reshard(&plan, &here(0), &here(1), &CopyOptions::default()) }.unwrap();
    assert!(wide.chunks_exact(2).all(|pair| pair[0] == pair[1]));
}
