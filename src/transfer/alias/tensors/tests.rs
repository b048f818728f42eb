use std::collections::HashSet;

use super::*;
use crate::memory::Shared;
use crate::model::placements::Placements;
use crate::model::shards::Shards;
use crate::model::{DataType, Placement};
use crate::transfer::HostView;
use crate::transfer::alias::tests::{PACKED, bytes, overlaps_itself, units, view};
use crate::transfer::error::TransferError;
use crate::transfer::local_shards::ShardArguments;

/// Shards of two dimensions each, in no particular layout.
fn shards(views: &[HostView]) -> Shared<LocalShards> {
    let placement = Placement::on_rank(0).unwrap();
    let placements = Placements::new(std::iter::repeat_n(placement, views.len())).unwrap();
    let sizes = views.iter().flat_map(|view| view.shape().to_vec()).collect();
    let layout = Shards::new(2, vec![0; 2 * views.len()], sizes, placements).unwrap();
    let layout = Shared::try_new(layout).unwrap();
    let mut shards =
        LocalShards::builder(&layout, ShardArguments::SHARDS, None, views.len()).unwrap();
    for (index, view) in views.iter().enumerate() {
        shards.push(index, view).unwrap();
    }
    Shared::try_new(shards.finish().unwrap()).unwrap()
}

fn tensor(destination: &[HostView], source: &[HostView]) -> TensorShards {
    TensorShards { source: shards(source), destination: shards(destination) }
}

/// Elements of one column, which are `width` apart, at byte `place`.
fn column(dtype: DataType, place: i64, rows: i64, width: i64) -> HostView {
    view(place, dtype, &[rows, 1], &[width, 1])
}

/// The tensor that is refused, and the text; nothing where all are legal.
fn refusal(tensors: &[TensorShards]) -> Option<(usize, String)> {
    match check_tensor_aliases(tensors) {
        Ok(()) => None,
        Err((tensor, Error::Transfer(TransferError::Aliased { what, .. }))) => {
            Some((tensor, what.to_string()))
        }
        Err(other) => panic!("{other:?}"),
    }
}

/// The bits that a view has.
fn bits(view: &HostView) -> HashSet<i128> {
    let parts = if view.dtype().is_packed() { 1 } else { 8 };
    units(view).into_keys().flat_map(|unit| unit * parts..(unit + 1) * parts).collect()
}

/// A number below `count`.
fn below(state: &mut u64, count: i64) -> i64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
    (*state >> 33) as i64 % count
}

/// Up to 3 views in a memory of some 300 bytes.
fn any_views(state: &mut u64, of: &[DataType]) -> Vec<HostView> {
    let dtype = of[below(state, of.len() as i64) as usize];
    let of_bytes = |dtype: DataType| dtype.element_bits().div_ceil(8) as i64;
    let views = (0..below(state, 4)).map(|_| {
        let (rows, columns) = (1 + below(state, 4), below(state, 3) + below(state, 2));
        let strides = match below(state, 4) {
            0 => [columns, 1],
            1 => [-13, 1],
            2 => [24, 2],
            _ => [12, 1],
        };
        view(below(state, 200 / of_bytes(dtype)) + 60, dtype, &[rows, columns], &strides)
    });
    views.collect()
}

#[test]
fn tensors_are_refused_exactly_when_destinations_share_a_bit() {
    let state = &mut 1;
    let mut seen = [0; 2];
    for _ in 0..1000 {
        let types = [bytes(1), bytes(2), PACKED];
        let of = if below(state, 2) == 0 { &types[..2] } else { &types };
        let tensors: Vec<[Vec<HostView>; 2]> = (0..1 + below(state, 4))
            .map(|_| {
                let destination = any_views(state, of);
                let dtype = destination.first().map_or(bytes(1), HostView::dtype);
                [destination, any_views(state, &[dtype])]
            })
            .collect();
        let all = || tensors.iter().flat_map(|tensor| tensor.iter().enumerate());
        let mut written = HashSet::new();
        let mut shares = false;
        for destination in all().filter(|(side, _)| *side == 0).flat_map(|(_, views)| views) {
            shares |= overlaps_itself(destination);
            shares |= bits(destination).into_iter().any(|bit| !written.insert(bit));
        }
        for source in all().filter(|(side, _)| *side == 1).flat_map(|(_, views)| views) {
            shares |= bits(source).iter().any(|bit| written.contains(bit));
        }
        let made: Vec<TensorShards> = tensors.iter().map(|[to, from]| tensor(to, from)).collect();
        assert_eq!(refusal(&made).is_some(), shares, "{tensors:?}");
        seen[usize::from(shares)] += 1;
    }
    assert!(seen.iter().all(|&count| count > 10), "{seen:?}");
}

#[test]
fn the_destination_is_named_and_the_shard_of_another_tensor_that_shares_its_memory() {
    let own = |place| view(place, bytes(4), &[2, 4], &[4, 1]);
    let columns = |place| column(bytes(4), place, 4, 8);
    for (tensors, expected) in [
        (
            vec![tensor(&[own(0), own(100)], &[]), tensor(&[own(300), own(124)], &[own(200)])],
            Some((0, "destination shard 1 shares memory with shard 1 of tensors[1]")),
        ),
        (
            vec![tensor(&[], &[own(0), own(60)]), tensor(&[own(200), own(84)], &[])],
            Some((1, "destination shard 1 shares memory with shard 1 of tensors[0]")),
        ),
        (vec![tensor(&[columns(0)], &[columns(4)]), tensor(&[columns(8)], &[columns(4)])], None),
        (
            vec![tensor(&[columns(0)], &[columns(4)]), tensor(&[columns(8)], &[columns(32)])],
            Some((0, "destination shard 0 shares memory with shard 0 of tensors[1]")),
        ),
        // Of one tensor.
        (
            vec![tensor(&[own(0)], &[]), tensor(&[own(100), own(128)], &[])],
            Some((1, "shards 0 and 1 share memory")),
        ),
    ] {
        let said = refusal(&tensors);
        let said = said.as_ref().map(|(tensor, what)| (*tensor, what.as_str()));
        assert_eq!(said, expected);
    }
}

#[test]
fn columns_of_one_buffer_are_legal_however_many_tensors_have_one() {
    const TENSORS: i64 = 300;
    let of = |at: i64| column(bytes(4), 4 * at, 3, 2 * TENSORS);
    let mut tensors: Vec<TensorShards> =
        (0..TENSORS).map(|at| tensor(&[of(2 * at)], &[of(2 * at + 1)])).collect();
    assert_eq!(refusal(&tensors), None);
    tensors[200] = tensor(&[of(2 * 17 + 1)], &[]);
    let what = "destination shard 0 shares memory with shard 0 of tensors[17]";
    assert_eq!(refusal(&tensors), Some((200, what.into())));
}

#[test]
fn columns_of_bits_are_legal_beside_columns_of_bytes() {
    let packed = |nibble: i64| {
        // Half a byte of each row of 8 bytes.
        let first = std::ptr::without_provenance_mut((1 << 40) + nibble as usize / 2);
        HostView::new("view", first, PACKED, &[5, 2], Some(&[16, 1])).unwrap()
    };
    let of_bytes = |place: i64| view(place, bytes(1), &[5, 3], &[8, 1]);
    let tensors = |nibble, place| [tensor(&[packed(nibble)], &[]), tensor(&[of_bytes(place)], &[])];
    for (nibble, place, shares) in [(0, 1, false), (0, 0, true), (6, 0, false), (4, 0, true)] {
        assert_eq!(refusal(&tensors(nibble, place)).is_some(), shares, "{nibble}, {place}");
    }
}

/// Row-major tensors that no other one begins inside of, as almost all are, are not looked at again.
#[test]
fn only_tensors_that_may_share_memory_are_compared() {
    let own = |place| view(place, bytes(1), &[2, 5], &[5, 1]);
    let apart = |place| column(bytes(1), place, 2, 5);
    let doubtful = |tensors: &[TensorShards]| Places::new(tensors).unwrap().doubtful;
    let legal = [tensor(&[own(20), own(0)], &[own(10)]), tensor(&[own(30)], &[])];
    assert_eq!(doubtful(&legal), Vec::<usize>::new());
    assert_eq!(doubtful(&[tensor(&[own(0)], &[own(9)]), tensor(&[own(30)], &[])]), [0]);
    assert_eq!(
        doubtful(&[
            tensor(&[own(0)], &[]),
            tensor(&[own(60)], &[apart(30)]),
            tensor(&[apart(50), own(70)], &[]),
            tensor(&[own(100), own(120)], &[]),
            tensor(&[own(109)], &[own(105), own(125)]),
        ]),
        [2, 3, 4]
    );
}
