"""Layouts over a mesh: meshes, cuts, specs, what they move and how they travel."""

import copy
import pickle
import random

import numpy
import pytest

from common import ends_well, ranks
from shardspec import (
    REPEAT_AS_NEEDED,
    ArgumentError,
    ChunkShardingSpec,
    Communicator,
    Cut,
    EnumerableShardingSpec,
    HandleError,
    LayoutError,
    Mesh,
    MeshShardingSpec,
    Multiple,
    NotFoundError,
    OutOfRangeError,
    Piece,
    Placement,
    PlacementSpec,
    Plan,
    Segment,
    ShardedTensor,
    ShardedTensorMetadata,
    ShardingSpec,
    ShardMetadata,
    Stretch,
    StridedPiece,
    TensorProperties,
    TooLargeError,
    UnsupportedError,
    check_degrees,
    globalize,
    infer_sharding_spec_from_shards_metadata,
    locate,
    owner_of,
)

LINE = Mesh({"tp": 2})
QKV = Cut(dim=0, axis="tp", segments=[8, 4, 4])
FUSED = MeshShardingSpec(LINE, [QKV]).build_metadata((16, 3), TensorProperties("int64"))
PLAIN = MeshShardingSpec(LINE, [Cut(0, "tp")]).build_metadata((16, 3), TensorProperties("int64"))
FULL = numpy.arange(48, dtype="int64").reshape(16, 3)
GRID = Mesh({"dp": 2, "tp": 2})
LAYOUTS = {
    "fused": FUSED,
    "padded": MeshShardingSpec(LINE, [Cut(0, "tp", granule=4)], pad={0: Multiple(5)}).build_metadata(
        (16, 3)),
    "cyclic": MeshShardingSpec.cyclic(0, 3, ranks(3), first=1).build_metadata((16, 3)),
    "flattened": MeshShardingSpec(LINE, [Cut(0, "tp", "balanced")], flatten=(0, 2)).build_metadata(
        (16, 3)),
    "replicated": MeshShardingSpec(GRID, [QKV]).build_metadata((16, 3)),
    "replicated boxes": MeshShardingSpec(GRID, [Cut(1, "dp")]).build_metadata((16, 3)),
    "cyclic grid": MeshShardingSpec(
        GRID, [Cut(0, "tp", "cyclic", block=2), Cut(1, "dp", "cyclic")]).build_metadata((16, 3)),
    "partial": MeshShardingSpec(GRID, [Cut(0, "tp")], partial={"dp": "max"}).build_metadata((16, 3)),
    "named": MeshShardingSpec(GRID, [Cut("rows", "tp"), Cut("columns", "dp")]).build_metadata(
        (16, 3), dim_names=["rows", "columns"]),
    "chunked and named": ChunkShardingSpec("rows", ranks(2)).build_metadata(
        (16, 3), dim_names=["rows", "columns"]),
    "everything": MeshShardingSpec(
        GRID, [Cut(0, "tp", "cyclic", block=2)], pad={0: 60}, flatten=(0, 2),
        partial={"dp": "sum"}).build_metadata((16, 3), TensorProperties("int64"),
                                              dim_names=["rows", "columns"]),
}
WAYS = [copy.copy, copy.deepcopy, lambda thing: pickle.loads(pickle.dumps(thing))]


def taken(full, metadata, shard):
    """What a shard has of a tensor, by its indices: zeros where it has holes."""
    dims = len(metadata.shards_metadata[shard].shard_sizes)
    if dims < full.ndim:
        assert dims == 1
        full = full.reshape(-1)
    indices = [numpy.array(metadata.indices(shard, dim), "int64") for dim in range(dims)]
    values = full[numpy.ix_(*(numpy.maximum(one, 0) for one in indices))]
    is_element = numpy.ones(values.shape, bool)
    for dim, one in enumerate(indices):
        is_element &= (one >= 0).reshape([-1 if dim == at else 1 for at in range(dims)])
    return numpy.where(is_element, values, 0)


def same(shards, expected):
    assert len(shards) == len(expected)
    for shard, wanted in zip(shards, expected):
        assert numpy.array_equal(numpy.asarray(shard), wanted)


def test_a_mesh_has_axes_and_devices_in_row_major_order():
    mesh = Mesh({"dp": 2, "tp": 4})
    assert mesh.axes == {"dp": 2, "tp": 4} and list(mesh.axes) == ["dp", "tp"]
    assert mesh.device_count == 8 and mesh.placements == [Placement(one) for one in ranks(8)]
    assert mesh.coordinates(5) == {"dp": 1, "tp": 1} == mesh.coordinates(-3)
    assert mesh.fix("dp", 1) == Mesh({"tp": 4}, [4, 5, 6, 7])
    assert mesh.fix("tp", -1) == Mesh({"dp": 2}, ["rank:3", "rank:7"])
    assert str(mesh) == "dp=2, tp=4" and repr(mesh) == "Mesh({'dp': 2, 'tp': 4})"
    assert repr(Mesh({"tp": 2}, [1, 0])) == "Mesh({'tp': 2}, [rank:1/cpu, rank:0/cpu])"
    assert Mesh({}).device_count == 1 and str(Mesh({})) == "one device"


@pytest.mark.parametrize("placements", [
    range(4), [0, 1, 2, 3], [[0, 1], [2, 3]], numpy.arange(4), numpy.arange(4).reshape(2, 2),
    ["rank:0", Placement("rank:1"), numpy.int32(2), 3], (ranks(2), [2, "rank:3/cpu"])], ids=repr)
def test_placements_of_a_mesh_may_be_nested_and_numbers_are_ranks(placements):
    mesh = Mesh({"dp": 2, "tp": 2}, placements)
    assert mesh == GRID and hash(mesh) == hash(GRID)


def test_meshes_differ_by_axes_their_order_and_placements():
    others = [Mesh({"tp": 2, "dp": 2}), Mesh({"dp": 2, "tp": 2}, [0, 1, 3, 2]), Mesh({"dp": 4}), 7]
    assert all(other != GRID for other in others)


@pytest.mark.parametrize("way", WAYS)
def test_a_copied_mesh_is_equal(way):
    for mesh in (GRID, Mesh({}), Mesh({"a": 2}, ["trainer0", "rank:1/cuda:0"])):
        assert way(mesh) == mesh and hash(way(mesh)) == hash(mesh)


class Island(PlacementSpec):
    def __init__(self, number):
        self.number = number

    def __eq__(self, other):
        return isinstance(other, Island) and self.number == other.number

    def __hash__(self):
        return self.number

    def __str__(self):
        return f"island {self.number}"


def test_placements_of_ones_own_may_stand_on_a_mesh():
    mesh = Mesh({"tp": 2}, [Island(4), "rank:1"])
    assert mesh.placements == [Island(4), Placement("rank:1")] and pickle.loads(
        pickle.dumps(mesh)) == mesh
    metadata = MeshShardingSpec(mesh, [QKV]).build_metadata((16,))
    assert metadata.shards_metadata[0].placement == Island(4)


def test_fused_weights_are_cut_by_their_parts():
    same(FUSED.scatter(FULL), [
        numpy.concatenate([FULL[0:4], FULL[8:10], FULL[12:14]]),
        numpy.concatenate([FULL[4:8], FULL[10:12], FULL[14:16]])])
    assert numpy.array_equal(FUSED.gather(FUSED.scatter(FULL)), FULL)
    assert FUSED.stretches(0, 0) == [Stretch(0, 0, 4, 1, 4, 4), Stretch(8, 4, 2, 2, 4, 2)]
    assert list(FUSED.indices(1, 0)) == [4, 5, 6, 7, 10, 11, 14, 15]
    assert list(FUSED.indices(-1, -1)) == [0, 1, 2]
    assert not FUSED.is_box(0) and PLAIN.is_box(0)


def test_key_and_value_heads_may_be_fewer_than_ranks():
    cut = Cut(0, "tp", granule=2, segments=[Segment(16), Segment(4, repeat=2), Segment(4, repeat=2)])
    metadata = MeshShardingSpec(Mesh({"tp": 4}), [cut]).build_metadata((24,))
    full = numpy.arange(24)
    same(metadata.scatter(full), [
        numpy.concatenate([full[4 * rank:4 * rank + 4], full[16:][2 * (rank // 2):][:2],
                           full[20:][2 * (rank // 2):][:2]]) for rank in range(4)])
    assert metadata.has_replicas and not FUSED.has_replicas


def test_padding_has_places_and_no_elements():
    spec = MeshShardingSpec(Mesh({"tp": 4}), [Cut(0, "tp", even=True)], pad={0: Multiple(8)})
    metadata = spec.build_metadata((10, 2))
    full = numpy.arange(1, 21).reshape(10, 2)
    padded = numpy.concatenate([full, numpy.zeros((6, 2), full.dtype)])
    shards = metadata.scatter(full)
    same(shards, [padded[4 * rank:4 * rank + 4] for rank in range(4)])
    numpy.asarray(shards[3])[:] = 99  # Holes are not read.
    assert numpy.array_equal(metadata.gather(shards), full)
    assert list(metadata.indices(2, 0)) == [8, 9, -1, -1] and metadata.stretches(3, 0) == []


def test_axes_that_no_cut_uses_replicate():
    metadata = LAYOUTS["replicated"]
    halves = FUSED.scatter(FULL)
    same(metadata.scatter(FULL), [*halves, *halves])
    assert metadata.has_replicas and metadata.mesh == GRID and metadata.size == (16, 3)
    assert [metadata.coordinates(shard) for shard in range(4)] == [
        {"dp": dp, "tp": tp} for dp in range(2) for tp in range(2)]
    assert owner_of(metadata, (5, 1)) == 1 and locate(metadata, [(10, 2)]) == [(1, (4, 2))]
    assert globalize(metadata, [(3, (4, 2))]) == [(10, 2)]


def test_replicas_are_numbered_and_the_lowest_is_the_primary():
    assert [LAYOUTS["replicated"].replica(shard) for shard in range(4)] == [
        (0, 0), (0, 1), (1, 0), (1, 1)]
    assert FUSED.replica(-1) == (0, 1)


def test_scales_are_cut_as_their_weight():
    scales = FUSED.blocks((2, 3))
    assert scales.size == (8, 1) and scales.mesh == LINE
    assert [list(scales.indices(shard, 0)) for shard in range(2)] == [[0, 1, 4, 6], [2, 3, 5, 7]]
    with pytest.raises(LayoutError) as refused:
        FUSED.blocks((4, 1))
    assert refused.value.name == "ILLEGAL_CUT" and refused.value.limit == 4


def test_short_forms_cut_one_dimension():
    full = numpy.arange(11)
    spec = MeshShardingSpec.balanced(0, ranks(3))
    same(spec.build_metadata((11,)).scatter(full), numpy.array_split(full, 3))
    spec = MeshShardingSpec.sizes(-1, [5, 0, 6], [2, 1, 0])
    same(spec.build_metadata((11,)).scatter(full), numpy.split(full, [5, 5]))
    assert spec.mesh.placements[0] == Placement("rank:2")
    spec = MeshShardingSpec.weights("x", [1, 3, 0], ranks(3))
    same(spec.build_metadata((11,), dim_names=["x"]).scatter(full), numpy.split(full, [3, 11]))
    spec = MeshShardingSpec.cyclic(0, 2, ranks(3), first=1)
    same(spec.build_metadata((11,)).scatter(full), [
        full[[4, 5, 10]], full[[0, 1, 6, 7]], full[[2, 3, 8, 9]]])


def test_flattened_dimensions_are_one_in_the_buffers():
    metadata = LAYOUTS["flattened"]
    same(metadata.scatter(FULL), numpy.array_split(FULL.reshape(-1), 2))
    assert numpy.array_equal(metadata.gather(metadata.scatter(FULL)), FULL)
    assert [shard.shard_sizes for shard in metadata.shards_metadata] == [[24], [24]]
    assert not metadata.is_box(0) and list(metadata.indices(1, 0)) == list(range(24, 48))


def test_a_partial_tensor_is_described_and_not_moved():
    metadata = LAYOUTS["partial"]
    assert metadata.partial == {"dp": "max"} and PLAIN.partial == {}
    with pytest.raises(LayoutError, match='axis "dp" .* pending a reduction .max.') as refused:
        metadata.scatter(FULL)
    assert refused.value.name == "PARTIAL"


def test_names_of_dimensions_are_carried():
    assert LAYOUTS["named"].dim_names == ["rows", "columns"] and PLAIN.dim_names is None
    assert LAYOUTS["named"].shards_metadata[3].shard_offsets == [8, 2]


def test_what_was_not_cut_over_a_mesh_has_none():
    metadata = ChunkShardingSpec(0, ranks(2)).build_metadata((4,))
    assert metadata.mesh is None and not metadata.has_replicas
    with pytest.raises(NotFoundError, match="not cut over a mesh"):
        metadata.coordinates(0)


@pytest.mark.parametrize("spec", [
    MeshShardingSpec(GRID, [Cut("rows", "tp", granule=2, segments=3), Cut(1, "dp", "cyclic", block=2)],
                     pad={"rows": 9, 1: Multiple(4)}),
    MeshShardingSpec(GRID, [], flatten=(0, 2), partial={"tp": "sum", "dp": "max"}),
    MeshShardingSpec.weights(0, [1, 2], ["trainer0", "rank:1"])], ids=str)
def test_specs_travel_and_compare(spec):
    for way in WAYS:
        again = way(spec)
        assert again == spec and hash(again) == hash(spec) and repr(again) == repr(spec)
        assert (again.mesh, again.cuts, again.pad, again.flatten, again.partial) == (
            spec.mesh, spec.cuts, spec.pad, spec.flatten, spec.partial)
    assert spec != MeshShardingSpec(GRID, []) and spec != ChunkShardingSpec(0, ranks(2))


def test_specs_are_written_as_they_are_made():
    spec = MeshShardingSpec(LINE, [Cut(0, "tp", granule=2, segments=[8, Segment(4, repeat=2)])],
                            pad={0: Multiple(4), "x": 8}, partial=None)
    assert repr(spec) == (
        "MeshShardingSpec(Mesh({'tp': 2}), [Cut(dim=0, axis='tp', granule=2, "
        "segments=[Segment(size=8), Segment(size=4, repeat=2)])], "
        "pad={0: Multiple(of=4), 'x': 8})")
    assert str(MeshShardingSpec(GRID, [Cut(0, "tp")])) == "dp=2, tp=2: dimension 0 over tp by chunk"


def test_the_order_of_pads_and_partial_axes_makes_no_difference():
    assert MeshShardingSpec(GRID, [], pad={1: 9, 0: 8}, partial={"tp": "sum", "dp": "sum"}) == (
        MeshShardingSpec(GRID, [], pad={0: 8, 1: 9}, partial={"dp": "sum", "tp": "sum"}))


def test_segments_override_the_cut():
    cut = Cut(0, "tp", "cyclic", block=2, first=1, segments=[
        Segment(8), Segment(8, block=1, first=0), Segment(4, "chunk"), Segment(4, sizes=[1, 3])])
    metadata = MeshShardingSpec(LINE, [cut]).build_metadata((24,))
    assert list(metadata.indices(0, 0)) == [2, 3, 6, 7, 8, 10, 12, 14, 16, 17, 20]
    even = Cut(0, "tp", even=True, segments=[Segment(4), Segment(3, even=False)])
    even.check(7, 2)


def random_layout(dice, sizes):
    """A layout of any kind, whose cuts divide what they need to."""
    axes = {"a": dice.choice([1, 2, 3]), "b": dice.choice([1, 2]), "c": dice.choice([1, 2])}
    placements = list(range(axes["a"] * axes["b"] * axes["c"]))
    dice.shuffle(placements)
    flatten = (0, 2) if dice.random() < 0.2 else None
    dims = len(sizes) - (flatten is not None)
    cuts = []
    for axis, count in dice.sample(sorted(axes.items()), dice.randint(0, 3)):
        options = {"rule": dice.choice(["chunk", "balanced", "cyclic", "weights"])}
        if options["rule"] == "cyclic":
            options |= {"block": dice.randint(1, 3), "first": dice.randint(0, 4)}
        if options["rule"] == "weights":
            options["weights"] = [dice.randint(1, 5) for _ in range(count)]
        if options["rule"] != "cyclic":
            options["granule"] = dice.randint(1, 3)
        if dice.random() < 0.3 and flatten is None and not cuts:
            options["segments"] = dice.randint(1, 3)
        if flatten is not None and options["rule"] == "cyclic":
            continue
        cuts.append(Cut(dice.randrange(dims), axis, **options))
    pad = {dice.randrange(dims): Multiple(dice.randint(1, 5))} if dice.random() < 0.4 else None
    return MeshShardingSpec(Mesh(axes, placements), cuts, pad=pad, flatten=flatten)


@pytest.mark.parametrize("seed", range(60))
def test_any_layout_is_scattered_gathered_and_resharded_bit_for_bit(seed):
    dice = random.Random(seed)
    sizes = (dice.randint(0, 13), dice.randint(1, 7))
    full = numpy.arange(1, 1 + sizes[0] * sizes[1]).reshape(sizes)
    first, second = (random_layout(dice, sizes).build_metadata(sizes) for _ in range(2))
    sources = first.scatter(full)
    same(sources, [taken(full, first, shard) for shard in range(len(sources))])
    assert numpy.array_equal(first.gather(sources), full)
    plan = Plan(first, second)
    expected = second.scatter(full)
    same(plan.execute(sources), expected)
    by_hand = [numpy.zeros_like(numpy.asarray(shard)) for shard in expected]
    for piece in plan:
        carry_out(piece, sources, by_hand)
    same(by_hand, expected)
    assert list(pickle.loads(pickle.dumps(plan))) == list(plan)
    for metadata in (first, second):
        again = pickle.loads(pickle.dumps(metadata))
        assert again == metadata and again.layout_hash == metadata.layout_hash


def carry_out(piece, sources, destinations):
    """Copies the elements of a piece one by one."""
    steps = piece if isinstance(piece, StridedPiece) else None
    dims = range(len(piece.sizes))

    def place(offsets, of, by, index):
        at = list(offsets)
        for dim in dims:
            at[of[dim] if of else dim] += index[dim] * (by[dim] if by else 1)
        return tuple(at)

    for index in numpy.ndindex(*piece.sizes):
        source = place(piece.source_offsets, steps and steps.source_dims,
                       steps and steps.source_steps, index)
        destination = place(piece.destination_offsets, steps and steps.destination_dims,
                            steps and steps.destination_steps, index)
        destinations[piece.destination][destination] = numpy.asarray(
            sources[piece.source])[source]


def test_pieces_of_boxes_stay_what_they_were():
    plan = Plan(PLAIN, ChunkShardingSpec(1, ranks(3)).build_metadata((16, 3)))
    assert all(type(piece) is Piece for piece in plan)
    source, _, _, _, sizes = plan[0]
    assert (source, sizes) == (0, (8, 1))
    assert all(type(piece) is StridedPiece for piece in Plan(FUSED, PLAIN))


def test_layouts_of_other_rows_are_other_layouts():
    assert [shard.shard_sizes for shard in FUSED.shards_metadata] == [
        shard.shard_sizes for shard in PLAIN.shards_metadata]
    hashes = {name: metadata.layout_hash for name, metadata in LAYOUTS.items()}
    assert len({*hashes.values(), PLAIN.layout_hash}) == len(LAYOUTS)
    assert hashes["chunked and named"] == PLAIN.layout_hash
    assert FUSED.shards_metadata[0] != PLAIN.shards_metadata[0]
    assert FUSED.layout_hash == MeshShardingSpec(
        LINE, [QKV]).build_metadata((16, 3)).layout_hash


def test_two_flattenings_of_equal_shards_differ():
    spec = MeshShardingSpec(LINE, [Cut(0, "tp")], flatten=(0, 2))
    one, other = (spec.build_metadata(sizes) for sizes in ((4, 6), (6, 4)))
    line = MeshShardingSpec(LINE, [Cut(0, "tp")]).build_metadata((24,))
    assert len({one.layout_hash, other.layout_hash, line.layout_hash}) == 3
    with pytest.raises(ArgumentError, match=r"flattens dimensions 0 to 1 of \[6, 4\] there, dimensions "
                                            r"0 to 1 of \[4, 6\] here"):
        Plan(other, other).execute(ShardedTensor.zeros(
            spec.build_metadata((4, 6), TensorProperties("int8"))))


def test_a_plan_refuses_shards_of_another_layout():
    plan = Plan(FUSED, PLAIN)
    fused, plain = (ShardedTensor.from_full(one, FULL) for one in (FUSED, PLAIN))
    same(plan.execute(fused), PLAIN.scatter(FULL))
    with pytest.raises(ArgumentError) as refused:
        plan.execute(plain)
    assert refused.value.message == (
        "sources: its layout is not the plan's source: shard 0 is [{0:4 8:10 12:14}, 0:3] on "
        "rank:0/cpu there, [0:8, 0:3] on rank:0/cpu here; make the plan anew "
        f"(plan.source_hash is {FUSED.layout_hash:#x}, layout_hash here is "
        f"{PLAIN.layout_hash:#x})")


def test_a_communicator_refuses_shards_of_another_layout():
    spec = MeshShardingSpec(Mesh({"tp": 1}), [Cut(0, "tp", segments=[8, 9])], pad={0: 17})
    other = spec.build_metadata((16, 3), TensorProperties("int64"))
    plain = MeshShardingSpec(Mesh({"tp": 1}), []).build_metadata((16, 3))
    with Communicator.local(1)[0] as comm:
        with pytest.raises(ArgumentError, match="its layout is not that of the metadata"):
            comm.gather(plain, ShardedTensor.from_full(other, FULL))
        moved = comm.reshard(plain, [FULL], other)
        same(moved, other.scatter(FULL))


@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.parametrize("way", WAYS)
def test_copied_metadata_is_all_of_it(way, name):
    metadata = LAYOUTS[name]
    again = way(metadata)
    assert again == metadata and hash(again) == hash(metadata)
    assert again.layout_hash == metadata.layout_hash
    assert (again.mesh, again.partial, again.dim_names, again.has_replicas, again.size) == (
        metadata.mesh, metadata.partial, metadata.dim_names, metadata.has_replicas, metadata.size)
    assert list(again.shards_metadata) == list(metadata.shards_metadata)
    if not metadata.partial:
        same(again.scatter(FULL), metadata.scatter(FULL))
    else:
        with pytest.raises(LayoutError, match="pending a reduction"):
            again.scatter(FULL)


@pytest.mark.parametrize("name", LAYOUTS)
def test_metadata_in_another_process_is_the_same(name):
    metadata = LAYOUTS[name]
    printed = ends_well(f"""
import pickle
metadata = pickle.loads({pickle.dumps(metadata)!r})
print(metadata.layout_hash, hash(metadata), metadata.partial, metadata.dim_names)
""")
    assert printed.split(" ", 1)[0] == str(metadata.layout_hash)
    assert printed.endswith(f"{metadata.partial} {metadata.dim_names}\n")


@pytest.mark.parametrize("name", [name for name in LAYOUTS if not LAYOUTS[name].partial])
def test_sharded_tensors_travel_with_their_layout(name):
    tensor = ShardedTensor.from_full(LAYOUTS[name], FULL)
    again = pickle.loads(pickle.dumps(tensor))
    assert again.metadata() == tensor.metadata() and again.metadata().mesh == LAYOUTS[name].mesh
    assert numpy.array_equal(again.gather(), FULL)


@pytest.mark.parametrize("name", [name for name in LAYOUTS if not LAYOUTS[name].partial])
def test_local_shards_are_found_again(name):
    tensor = ShardedTensor.from_full(LAYOUTS[name], FULL)
    shards = tensor.local_shards()
    again = ShardedTensor.from_local_shards(reversed(shards), tensor.metadata())
    assert again.local_indices() == tensor.local_indices()
    assert numpy.array_equal(again.gather(), FULL)


def test_local_shards_of_other_rows_are_refused():
    fused, plain = (ShardedTensor.from_full(one, FULL) for one in (FUSED, PLAIN))
    for tensor, other in ((fused, PLAIN), (plain, FUSED)):
        with pytest.raises(NotFoundError, match=r"local_shards\[0\]: .* is no shard of the metadata"):
            ShardedTensor.from_local_shards(tensor.local_shards(), other)


def test_replicas_are_told_apart_by_where_they_are():
    metadata = LAYOUTS["replicated boxes"]
    shards = ShardedTensor.from_full(metadata, FULL).local_shards()
    for index in (3, 2, 1, 0):
        found = ShardedTensor.from_local_shards([shards[index]], metadata)
        assert found.local_indices() == [index]


def test_replicas_in_one_place_are_each_found_once():
    mesh = Mesh({"dp": 2}, ["rank:0", "rank:0"])
    metadata = MeshShardingSpec(mesh, []).build_metadata((16, 3))
    shards = ShardedTensor.from_full(metadata, FULL).local_shards()
    assert ShardedTensor.from_local_shards(shards, metadata).local_indices() == [0, 1]


def test_a_spec_of_ones_own_may_answer_with_shards_that_are_no_boxes():
    class Own(ShardingSpec):
        def build_metadata(self, tensor_sizes, tensor_properties=None):
            return FUSED

    tensor = ShardedTensor.from_full(Own(), FULL)
    assert tensor.metadata() == FUSED and numpy.array_equal(tensor.gather(), FULL)


def test_the_spec_of_a_sharded_tensor_cuts_the_same_rows():
    tensor = ShardedTensor.from_full(FUSED, FULL)
    assert tensor.sharding_spec().build_metadata((16, 3), TensorProperties("int64")) == FUSED


@pytest.mark.parametrize("spec", [
    MeshShardingSpec(GRID, [Cut(0, "dp", "balanced"), Cut(1, "tp", sizes=[2, 1])]),
    MeshShardingSpec(GRID, [Cut(0, "dp", sizes=[9, 7])]), MeshShardingSpec(GRID, [Cut(1, "tp")]),
    MeshShardingSpec(Mesh({"a": 3, "b": 2}, [5, 3, 0, 1, 2, 4]), [Cut(0, "b"), Cut(1, "a")])], ids=str)
def test_a_grid_of_boxes_is_a_spec_over_a_mesh(spec):
    shards = spec.build_metadata((16, 3)).shards_metadata
    found = infer_sharding_spec_from_shards_metadata(shards)
    assert type(found) is MeshShardingSpec and pickle.loads(pickle.dumps(found)) == found
    assert found.build_metadata((16, 3)).shards_metadata == shards
    if not spec.build_metadata((16, 3)).has_replicas:
        boxes = infer_sharding_spec_from_shards_metadata(shards, compat=True)
        assert type(boxes) is EnumerableShardingSpec and boxes.shards == list(shards)


def test_what_no_list_of_shards_says_has_no_spec():
    flattened = ShardedTensor.from_full(LAYOUTS["flattened"], FULL)
    with pytest.raises(UnsupportedError, match="dimensions are flattened"):
        flattened.sharding_spec()
    with pytest.raises(LayoutError, match="must not overlap"):
        ShardedTensor.from_full(LAYOUTS["replicated"], FULL).sharding_spec()


def test_lists_of_shards_keep_their_dim_maps():
    listed = list(FUSED.shards_metadata)
    assert listed[0].dim_maps == (tuple(FUSED.stretches(0, 0)), None)
    assert PLAIN.shards_metadata[0].dim_maps is None
    assert pickle.loads(pickle.dumps(listed)) == listed and "dim_maps" in repr(listed[0])
    assert ShardMetadata([0, 0], [8, 3], "rank:0", listed[0].dim_maps) == listed[0]
    plan = Plan(listed, PLAIN)
    assert plan.source_hash == FUSED.layout_hash
    same(plan.execute(FUSED.scatter(FULL)), PLAIN.scatter(FULL))
    assert list(pickle.loads(pickle.dumps(plan))) == list(plan)
    metadata = ShardedTensorMetadata(listed, (16, 3), TensorProperties("int64"))
    assert metadata == FUSED and numpy.array_equal(metadata.gather(FUSED.scatter(FULL)), FULL)
    assert EnumerableShardingSpec(listed).build_metadata((16, 3)).layout_hash == FUSED.layout_hash


def test_hashes_of_boxes_are_those_of_before():
    metadata = ChunkShardingSpec(0, ranks(2)).build_metadata((8,))
    assert metadata.layout_hash == 6873004779228931561


CASES = [
    (lambda: Mesh([("a", 2)]), TypeError, "axes: a dict of names and sizes, not a list"),
    (lambda: Mesh({3: 2}), TypeError, "axes: a text, not 3"),
    (lambda: Mesh({"a": 1.5}), TypeError, r"axes\[0\]: an integer, not 1.5"),
    (lambda: Mesh({"a": 0}), ArgumentError, r"axes\[0\]: 0 is too small"),
    (lambda: Mesh({"": 1}), ArgumentError, r"axes\[0\]: the name is empty"),
    (lambda: Mesh({"a": 1 << 64}), TooLargeError, "axes: a number does not fit"),
    (lambda: Mesh({"a": 1 << 20, "b": 1 << 20}), TooLargeError, "4294967295"),
    (lambda: Mesh({"a": 2}, [1]), ArgumentError, "there are 1 for 2 devices"),
    (lambda: Mesh({"a": 2}, []), ArgumentError, "placements: there are none"),
    (lambda: Mesh({"a": 2}, "rank:0"), TypeError, "placements: a list of placements, not a text"),
    (lambda: Mesh({"a": 2}, 7), TypeError, "placements: a list of placements, not 7"),
    (lambda: Mesh({"a": 2}, [0, -1]), ArgumentError, r"placements\[1\]: .*rank:-1"),
    (lambda: Mesh({"a": 2, "b": 2}, [[0, 1, 2, 3]]), ArgumentError, "1 entries along an axis of 2"),
    (lambda: Mesh({"a": 2, "b": 2}, [[0, 1], 5]), TypeError, r"placements\[1\]: a list"),
    (lambda: Mesh({"a": 2}, numpy.arange(4).reshape(2, 2)), ArgumentError, "not so many axes"),
    (lambda: GRID.fix("x", 0), ArgumentError, 'no axis named "x"'),
    (lambda: GRID.fix("tp", 2), OutOfRangeError, "coordinate: 2 is out of range"),
    (lambda: GRID.fix("tp", -3), OutOfRangeError, "coordinate: -3 is out of range"),
    (lambda: GRID.coordinates(4), OutOfRangeError, "device: 4 is out of range"),
    (lambda: Cut(1.5, "tp"), TypeError, "dim: the number or the name of a dimension, not 1.5"),
    (lambda: Cut(0, 3), TypeError, "axis: a text, not 3"),
    (lambda: Cut(0, "tp", "foo"), ArgumentError, "rule: 'foo' is none of 'chunk', 'balanced'"),
    (lambda: Cut(0, "tp", rule=None), TypeError, "rule: None is for segments"),
    (lambda: Cut(0, "tp", granule=0), ArgumentError, "granule: 0 is below 1"),
    (lambda: Cut(0, "tp", block=1 << 64), TooLargeError, "block: a number does not fit"),
    (lambda: Cut(0, "tp", first=-1), ArgumentError, "first: -1 is below 0"),
    (lambda: Cut(0, "tp", even="yes"), TypeError, "even: True or False, not a str"),
    (lambda: Cut(0, "tp", sizes=[1], weights=[1]), ArgumentError, "either sizes or weights"),
    (lambda: Cut(0, "tp", "balanced", sizes=[1]), ArgumentError, "they are for the rule 'sizes'"),
    (lambda: Cut(0, "tp", sizes=[]), ArgumentError, "sizes: there are none"),
    (lambda: Cut(0, "tp", sizes=[1 << 64]), TooLargeError, "sizes: a number does not fit"),
    (lambda: Cut(0, "tp", segments=0), ArgumentError, "segments: 0 is below 1"),
    (lambda: Cut(0, "tp", segments=[]), ArgumentError, "segments: there are none"),
    (lambda: Cut(0, "tp", segments=["a"]), TypeError, r"segments\[0\]: a size or a Segment"),
    (lambda: Segment(-1), ArgumentError, "size: -1 is below 0"),
    (lambda: Segment(4, granule=0), ArgumentError, "granule: 0 is below 1"),
    (lambda: Multiple(0), ArgumentError, "of: 0 is below 1"),
    (lambda: Cut(0, "tp", even=True).check(5, 2), LayoutError, "5 does not divide into 2"),
    (lambda: Cut(0, "tp", sizes=[2, 2]).check(5, 2), LayoutError, "add up to 4, not to 5"),
    (lambda: Cut(0, "tp", repeat=3).check(5, 2), LayoutError, "repeat 3 does not divide"),
    (lambda: Cut(0, "tp").check(5, 0), ArgumentError, "count: 0 is too small"),
    (lambda: Cut(0, "tp").check(1 << 64, 2), TooLargeError, "length: 18446744073709551616"),
    (lambda: Cut(0, "tp", block=2).check(5, 2), ArgumentError, "pass it with the rule 'cyclic'"),
    (lambda: MeshShardingSpec(7, []), TypeError, "mesh: a Mesh, not 7"),
    (lambda: MeshShardingSpec(GRID, Cut(0, "tp")), TypeError, "cuts: a list of cuts, not a Cut"),
    (lambda: MeshShardingSpec(GRID, [0]), TypeError, r"cuts\[0\]: a Cut, not 0"),
    (lambda: MeshShardingSpec(GRID, [Cut(0, "x")]), ArgumentError, r'cuts\[0\]: .*no axis named "x"'),
    (lambda: MeshShardingSpec(GRID, [Cut(0, "tp"), Cut(1, "tp")]), ArgumentError, "used twice"),
    (lambda: MeshShardingSpec(GRID, [], pad=[3]), TypeError, "pad: a dict"),
    (lambda: MeshShardingSpec(GRID, [], pad={0: "x"}), TypeError, r"pad\[0\]: a length or a Multiple"),
    (lambda: MeshShardingSpec(GRID, [], pad={0: 0}), ArgumentError, r"pad\[0\]: 0 is below 1"),
    (lambda: MeshShardingSpec(GRID, [], flatten=3), TypeError, "flatten: a list of two numbers"),
    (lambda: MeshShardingSpec(GRID, [], flatten=(0, 1, 2)), TypeError, "not 3 numbers"),
    (lambda: MeshShardingSpec(GRID, [], flatten=(0, 0)), ArgumentError, "flatten: 0 dimensions"),
    (lambda: MeshShardingSpec(GRID, [], partial=["dp"]), TypeError, "partial: a dict"),
    (lambda: MeshShardingSpec(GRID, [], partial={"dp": 1}), TypeError, r"partial\['dp'\]"),
    (lambda: MeshShardingSpec(GRID, [], partial={"dp": "or"}), ArgumentError, "none of 'sum'"),
    (lambda: MeshShardingSpec(GRID, [], partial={"x": "sum"}), ArgumentError, 'no axis named "x"'),
    (lambda: MeshShardingSpec(GRID, [Cut(0, "tp")], partial={"tp": "sum"}), ArgumentError, "twice"),
    (lambda: MeshShardingSpec.balanced(0, []), ArgumentError, "placements: there are none"),
    (lambda: MeshShardingSpec.sizes(0, "ab", ranks(2)), TypeError, "sizes: a list of integers"),
    (lambda: MeshShardingSpec(LINE, [Cut(0, "tp", even=True)]).build_metadata((5,)), LayoutError,
     r"cuts\[0\]: dimension 0: 5 does not divide into 2 equal pieces; pad to 6"),
    (lambda: MeshShardingSpec(LINE, [], pad={0: 3}).build_metadata((5,)), ArgumentError, "3 is too"),
    (lambda: MeshShardingSpec(LINE, [Cut("x", "tp")]).build_metadata((5,)), ArgumentError, '"x"'),
    (lambda: FUSED.stretches(2, 0), OutOfRangeError, "shard: 2 is out of range"),
    (lambda: FUSED.stretches(0, 2), OutOfRangeError, "dim: 2 is out of range"),
    (lambda: FUSED.indices(0, -3), OutOfRangeError, "dim: -3 is out of range"),
    (lambda: FUSED.is_box("0"), TypeError, "shard: an integer, not a str"),
    (lambda: ShardMetadata([0], [8], None, [None, None]), LayoutError, "dim_maps: 2 dimensions"),
    (lambda: ShardMetadata([0], [8], None, [[(1, 2)]]), TypeError, r"dim_maps\[0\]: a Stretch has 6"),
]


@pytest.mark.parametrize(("refused", "kind", "message"), CASES, ids=[case[2] for case in CASES])
def test_what_is_refused_is_named(refused, kind, message):
    with pytest.raises(kind, match=message):
        refused()


def test_a_closed_mesh_is_refused():
    mesh = Mesh({"tp": 2})
    spec = MeshShardingSpec(mesh, [QKV])
    mesh.close()
    assert repr(mesh) == "<closed Mesh>"
    with pytest.raises(HandleError, match="^mesh: it is closed$"):
        mesh.axes
    assert spec.build_metadata((16, 3)).layout_hash == FUSED.layout_hash


def test_a_length_that_lies_is_not_believed():
    class Liar(list):
        def __len__(self):
            return 1 << 40

    assert MeshShardingSpec(Mesh({"tp": 2}, Liar([0, 1])), Liar([
        Cut(0, "tp", segments=Liar([8, 4, 4]))])) == MeshShardingSpec(LINE, [QKV])


def test_degrees_are_legal_where_every_cut_is():
    whole = Cut(0, "tp", even=True)
    as_needed = Cut(0, "tp", even=True, repeat=REPEAT_AS_NEEDED)
    forbidding = check_degrees([(32, whole), (8, as_needed), (112, whole)], 20)
    for degree, first in enumerate(forbidding, start=1):
        expected = [32 % degree == 0, 8 % degree == 0 or degree % 8 == 0, 112 % degree == 0]
        assert first == next((at for at, legal in enumerate(expected) if not legal), None)
    layout = MeshShardingSpec(Mesh({"tp": 16}), [as_needed]).build_metadata((8,))
    assert [list(layout.indices(shard, 0)) for shard in range(16)] == [[n // 2] for n in range(16)]
    for wrong in ([(32, 4)], [(32,)], [3]):
        with pytest.raises(TypeError, match=r"cuts\[0\]|Cut"):
            check_degrees(wrong, 4)
    with pytest.raises(ValueError, match="max_degree"):
        check_degrees([(32, whole)], 0)
