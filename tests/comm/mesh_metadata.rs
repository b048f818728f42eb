//! What metadata of a mesh carries, and what is refused: partial elements stay where they are.

#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a wrong index should fail the test"
)]

use std::sync::atomic::Ordering;

use crate::common::copies;
use crate::common::ranks::{Counting, on_all, on_each};
use shardspec::comm::{
    Communicator, Gather, Options, Reshard, Root, Scatter, ShardRanks, gather, reshard, scatter,
};
use shardspec::model::{
    Cut, DataType, Error, Mesh, MeshCut, MeshLayout, MeshShardingSpec, ModelError, Pad, PadTo,
    PartialAxis, Placement, Placements, Reduction, Result, RuleKind, Segments,
    ShardedTensorMetadata, ShardingDim, ShardingSpec, TensorProperties, TensorShape,
};
use shardspec::plan::ReshardPlan;
use shardspec::transfer::{CopyOptions, Fill, HostView, ShardedTensor, view_shard};

const U8: DataType = DataType { code: 1, bits: 8, lanes: 1 };

fn mesh() -> Mesh {
    Mesh::new(&[("dp", 2), ("tp", 2)]).unwrap()
}

fn rows(axis: &str) -> MeshCut {
    MeshCut::new(0, axis, RuleKind::Chunk).unwrap()
}

fn build(mesh: Mesh, layout: MeshLayout, sizes: &[i64]) -> Result<ShardedTensorMetadata> {
    let spec = MeshShardingSpec::new(mesh, layout)?;
    spec.build_metadata(TensorShape::new(sizes), TensorProperties::default())
}

fn replicated() -> ShardedTensorMetadata {
    let layout = MeshLayout { cuts: vec![rows("tp")], ..MeshLayout::default() };
    build(mesh(), layout, &[4]).unwrap()
}

fn partial() -> ShardedTensorMetadata {
    let partial = vec![PartialAxis { axis: "dp".into(), reduction: Reduction::Sum }];
    let layout = MeshLayout { cuts: vec![rows("tp")], partial, ..MeshLayout::default() };
    build(mesh(), layout, &[4]).unwrap()
}

#[track_caller]
fn assert_partial<T>(refused: Result<T>) {
    let Err(error) = refused else { panic!("it was not refused") };
    let message = error.to_string();
    assert!(matches!(error, Error::Model(ModelError::Partial { .. })), "{message}");
    assert!(message.contains("\"dp\"") && message.contains("sum"), "{message}");
}

#[test]
fn partial_elements_are_carried_and_compared_and_moved_by_nothing() {
    let (partial, complete) = (partial(), replicated());
    assert_eq!(partial.partial()[0].reduction, Reduction::Sum);
    assert_ne!(partial, complete);
    assert_ne!(partial.hash_value(), complete.hash_value());

    let mut bytes = [7u8; 8];
    let mut view =
        |size: i64| HostView::new("view", bytes.as_mut_ptr(), U8, &[size], None).unwrap();
    let (full, shard) = (view(4), view(2));
    let options = CopyOptions::default();
    // SAFETY: the views are of these bytes, which nobody else uses.
    unsafe {
        assert_partial(copies::scatter(&partial, &full, |_| shard, &options));
        assert_partial(copies::gather(&partial, |_| shard, &full, &options));
        assert_partial(copies::extract(&partial, 0, &full, &shard, &options));
        assert_partial(ShardedTensor::from_full(&partial, &[0], &full, &options).map(|_| ()));
    }
    assert_partial(view_shard(&partial, 0, &full).map(|_| ()));
    assert_partial(ReshardPlan::new(&partial, &complete).map(|_| ()));
    assert_partial(ReshardPlan::new(&complete, &partial).map(|_| ()));
    assert_eq!(bytes, [7; 8]);

    // Buffers of partial elements may be held: that is where the values come from.
    ShardedTensor::new(&partial.with_dtype(U8), &[0, 3], Fill::Zero).unwrap();
}

#[test]
fn collectives_refuse_partial_elements_on_every_rank() {
    let (partial, complete) = (partial(), replicated());
    on_all(4, |rank, comm| {
        let mut bytes = [[7u8; 2]; 2];
        let shards = ShardRanks::new(complete.shared_shards(), 4).unwrap().shards_of(rank).unwrap();
        let [source, destination] = bytes
            .each_mut()
            .map(|bytes| HostView::new("view", bytes.as_mut_ptr(), U8, &[2], None).unwrap());
        assert_eq!(shards.len(), 1);
        let own =
            |metadata: &ShardedTensorMetadata, view| copies::own(comm, metadata, &[view]).unwrap();
        let arguments = Reshard {
            source: &partial,
            source_shards: own(&partial, source),
            destination: &complete,
            destination_shards: own(&complete, destination),
            options: Options::default(),
        };
        // SAFETY: the views are of this rank's own bytes.
        let done: Result<()> = unsafe { reshard(comm, arguments) };
        let message = done.unwrap_err().to_string();
        assert!(message.contains("\"dp\""), "{message}");
        assert_eq!(bytes, [[7; 2]; 2]);
    });
}

#[test]
fn other_placements_leave_replicas_mesh_and_reductions_as_they_are() {
    for metadata in [replicated(), partial()] {
        let relabelled = metadata.relabel(&[3, 2, 1, 0]).unwrap();
        assert!(relabelled.has_replicas());
        assert_eq!(relabelled.partial(), metadata.partial());
        let mesh = relabelled.mesh().unwrap();
        assert_eq!(mesh.axes(), metadata.mesh().unwrap().axes());
        assert_eq!(mesh.placements().get(0).unwrap().rank(), Some(3));
        assert_eq!(relabelled.shards().placements(), mesh.placements());
    }
}

#[test]
fn devices_may_stand_in_any_order_and_an_axis_be_fixed() {
    let placements =
        Placements::new([3, 1, 2, 0].map(|rank| Placement::on_rank(rank).unwrap()).into_iter());
    let mesh = Mesh::with_placements(&[("dp", 2), ("tp", 2)], placements.unwrap()).unwrap();
    assert_eq!(mesh.to_string(), "dp=2, tp=2");
    assert_eq!(mesh.coordinates(2).unwrap(), [1, 0]);
    let ranks = |mesh: &Mesh| mesh.placements().iter().map(|one| one.rank()).collect::<Vec<_>>();
    assert_eq!(ranks(&mesh.fix("dp", 1).unwrap()), [Some(2), Some(0)]);
    assert_eq!(ranks(&mesh.fix("tp", 0).unwrap()), [Some(3), Some(2)]);
    assert!(mesh.fix("tp", 2).is_err() && mesh.fix("pp", 0).is_err());
    let one = Mesh::new(&[]).unwrap();
    assert_eq!((one.device_count(), one.to_string().as_str()), (1, "one device"));
}

#[test]
fn what_no_layout_says_is_refused_with_its_place() {
    let with =
        |cuts: Vec<MeshCut>| build(mesh(), MeshLayout { cuts, ..MeshLayout::default() }, &[6]);
    let refused = |result: Result<ShardedTensorMetadata>| result.unwrap_err().to_string();
    let twice = refused(with(vec![rows("tp"), rows("tp")]));
    assert!(twice.contains("cuts[1]") && twice.contains("\"tp\" is used twice"), "{twice}");
    let unknown = refused(with(vec![rows("pp")]));
    assert!(unknown.contains("\"pp\"") && unknown.contains("dp=2, tp=2"), "{unknown}");
    let no_dim = refused(with(vec![MeshCut::new(1, "tp", RuleKind::Chunk).unwrap()]));
    assert!(no_dim.contains("cuts[0]") && no_dim.contains("1-dimensional"), "{no_dim}");
    let sizes = |sizes: &[i64]| MeshCut::new(0, "tp", RuleKind::Sizes(sizes.into())).unwrap();
    let sum = refused(with(vec![sizes(&[2, 3])]));
    assert!(sum.contains("dimension 0") && sum.contains("add up to 5, not to 6"), "{sum}");
    let few = refused(with(vec![sizes(&[6])]));
    assert!(few.contains("there are 1 for 2 pieces"), "{few}");
    let huge = refused(with(vec![sizes(&[i64::MAX, i64::MAX])]));
    assert!(huge.contains("more than 64 bits count"), "{huge}");

    let padded = |to| {
        let pads = vec![Pad { dim: 0.into(), to }];
        build(mesh(), MeshLayout { pads, ..MeshLayout::default() }, &[6])
    };
    let short = refused(padded(PadTo::Size(5)));
    assert!(short.contains("pads[0]") && short.contains("at least 6"), "{short}");
    assert_eq!(padded(PadTo::Multiple(4)).unwrap().shards().sizes(), [8; 4]);

    let flat = |flatten| {
        build(mesh(), MeshLayout { flatten: Some(flatten), ..MeshLayout::default() }, &[6])
    };
    assert!(
        flat(0..1).is_err() && flat(0..2).is_err() && flat(usize::MAX - 1..usize::MAX).is_err()
    );
}

#[test]
fn an_uneven_even_cut_says_what_would_do() {
    let even = |granule, length| {
        let mut cut: Cut = RuleKind::Chunk.into();
        (cut.rule.even, cut.rule.granule) = (true, granule);
        cut.check_length(length, 4).unwrap_err().to_string()
    };
    assert_eq!(
        even(1, 50257),
        "50257 does not divide into 4 equal pieces; pad to 50260 or drop 'even'"
    );
    assert!(even(128, 50257).contains("whole units of 128; pad to 50688"), "{}", even(128, 50257));
    let inside = Cut {
        rule: shardspec::model::Rule { granule: 4, ..RuleKind::Sizes([6, 2].into()).into() },
        segments: Segments::One,
    };
    let message = inside.check_length(8, 2).unwrap_err().to_string();
    assert!(
        message.contains("piece 1 starts at 6, inside of a unit of 4; start it at 4 or 8"),
        "{message}"
    );
}

#[test]
fn dimensions_are_cut_by_name_and_their_names_are_carried() {
    let name = |name: &str| ShardingDim::Name(name.into());
    let layout = |dim: ShardingDim| MeshLayout {
        cuts: vec![MeshCut::new(dim, "tp", RuleKind::Chunk).unwrap()],
        ..MeshLayout::default()
    };
    let names = ["vocab", "hidden", "depth"];
    let shape = TensorShape { sizes: &[4, 6, 2], dim_names: Some(&names) };
    let build = |layout| {
        MeshShardingSpec::new(mesh(), layout)
            .and_then(|spec| spec.build_metadata(shape, TensorProperties::default()))
    };
    let metadata = build(layout(name("hidden"))).unwrap();
    assert_eq!(metadata.shards().get(1).unwrap().offsets, [0, 3, 0]);
    assert!(build(layout(name("heads"))).is_err());
    // Others than the flattened ones keep their names.
    let flat = |dim| MeshLayout { flatten: Some(1..3), ..layout(dim) };
    assert_eq!(build(flat(name("vocab"))).unwrap().shards().get(1).unwrap().offsets, [2, 0]);
    assert_eq!(build(flat(1.into())).unwrap().shards().get(1).unwrap().offsets, [0, 6]);
    let refused = build(flat(name("hidden"))).unwrap_err().to_string();
    assert!(refused.contains("flattened"), "{refused}");
    let named = metadata.with_dim_names(&names).unwrap();
    assert_eq!(&*named.dim_names().unwrap()[1], "hidden");
}

#[test]
fn blocks_of_flattened_dimensions_that_are_too_many_are_refused_and_not_waited_for() {
    let layout = |block| MeshLayout {
        cuts: vec![MeshCut::new(0, "tp", RuleKind::Cyclic { block, first: 0 }).unwrap()],
        flatten: Some(0..2),
        ..MeshLayout::default()
    };
    let huge = build(mesh(), layout(1), &[1 << 20, (1 << 20) + 1]).unwrap();
    let refused = huge.shard_at(&[5, 7]).unwrap_err();
    assert!(matches!(refused, Error::Unsupported { .. }), "{refused}");
    assert!(!ReshardPlan::new(&huge, &huge).unwrap().is_empty());
    let few = build(mesh(), layout(3), &[100, 7]).unwrap();
    assert_eq!(few.shard_at(&[5, 7 - 1]).unwrap(), ((5 * 7 + 6) / 3 % 2) as usize);
}

/// Bytes that all ranks send while each does `work` with a shard of rows and one of columns, both of a
/// quarter of a megabyte over 2 copies and 2 pieces, and with the tensor.
fn bytes_sent(
    work: impl Fn(&dyn Communicator, [&ShardedTensorMetadata; 2], [HostView; 3]) + Sync,
) -> usize {
    let cut = |dim: i64| {
        let cuts = vec![MeshCut::new(dim, "tp", RuleKind::Chunk).unwrap()];
        build(mesh(), MeshLayout { cuts, ..MeshLayout::default() }, &[512, 512]).unwrap()
    };
    let layouts = [cut(0), cut(1)];
    let sent = on_each(Counting::all(4), |comm| {
        let mut memory: Vec<Vec<u8>> =
            vec![vec![0; 256 * 512], vec![0; 512 * 256], vec![0; 512 * 512]];
        let shapes = [[256, 512], [512, 256], [512, 512]];
        let views: Vec<HostView> = memory
            .iter_mut()
            .zip(shapes)
            .map(|(bytes, shape)| {
                HostView::new("view", bytes.as_mut_ptr(), U8, &shape, None).unwrap()
            })
            .collect();
        work(&comm, [&layouts[0], &layouts[1]], views.try_into().unwrap());
        comm.traffic.bytes_sent.load(Ordering::Relaxed)
    });
    sent.into_iter().sum()
}

#[test]
fn a_collective_sends_each_element_to_each_holder_once() {
    let quarter = 512 * 512 / 4;
    let options = Options::default();
    let assert_sends = |sent: usize, data: usize| {
        // Ranks also agree about the call.
        assert!(
            (data..data + 16_384).contains(&sent),
            "{sent} bytes, of which {data} are elements"
        );
    };
    let scattered = bytes_sent(|comm, [rows, _], [shard, _, full]| {
        let full = (comm.rank() == 0).then_some(full);
        let root = Root::One("source_rank", 0);
        let shards = copies::with_full(comm, rows, &[shard], root, full).unwrap();
        let arguments = Scatter { metadata: rows, source: 0, full, shards, options };
        // SAFETY: the views are of this rank's own bytes.
        let done: Result<()> = unsafe { scatter(comm, arguments) };
        done.unwrap();
    });
    // Three of the four holders are elsewhere, each of a half.
    assert_sends(scattered, 3 * 2 * quarter);
    let gathered = bytes_sent(|comm, [rows, _], [shard, _, full]| {
        let full = (comm.rank() == 0).then_some(full);
        let root = Root::One("destination_rank", 0);
        let shards = copies::with_full(comm, rows, &[shard], root, full).unwrap();
        let arguments = Gather { metadata: rows, destination: Some(0), shards, full, options };
        // SAFETY: as above.
        let done: Result<()> = unsafe { gather(comm, arguments) };
        done.unwrap();
    });
    // One half is there already.
    assert_sends(gathered, 2 * quarter);
    let resharded = bytes_sent(|comm, [rows, columns], [source, destination, _]| {
        let arguments = Reshard {
            source: rows,
            source_shards: copies::own(comm, rows, &[source]).unwrap(),
            destination: columns,
            destination_shards: copies::own(comm, columns, &[destination]).unwrap(),
            options,
        };
        // SAFETY: as above.
        let done: Result<()> = unsafe { reshard(comm, arguments) };
        done.unwrap();
    });
    // Each rank has half of its columns already.
    assert_sends(resharded, 4 * quarter);
}
