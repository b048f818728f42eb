"""Plans between layouts, and where elements are."""

import ctypes
import itertools
import pickle

import numpy
import pytest

from common import ranks
from shardspec import (
    ArgumentError,
    ChunkShardingSpec,
    EnumerableShardingSpec,
    Gap,
    LayoutError,
    MeshShardingSpec,
    NotFoundError,
    OutOfRangeError,
    PlacementSpec,
    Plan,
    ShardedTensor,
    ShardMetadata,
    TensorProperties,
    UnsupportedError,
    ViewError,
    find_gaps,
    find_overlaps,
    globalize,
    locate,
    owner_of,
    relabel,
    shards_in_box,
)
from shardspec._arrays import integers, pointer
from shardspec._library import lib
from shardspec.shard import pack
from shardspec.shard_list import ShardList

FULL = numpy.arange(35, dtype="float32").reshape(5, 7)
ROWS = ChunkShardingSpec(0, ranks(3)).build_metadata(FULL.shape, TensorProperties("float32"))
COLUMNS = ChunkShardingSpec(1, ranks(2)).build_metadata(FULL.shape, TensorProperties("float32"))


def test_a_plan_is_its_pieces():
    plan = Plan(ROWS, COLUMNS)
    assert len(plan) == 6 and list(plan)[-1] == plan[-1] and plan.pieces_into(1) == list(plan)[3:]
    assert plan[3] == (0, 1, (0, 4), (0, 0), (2, 3))
    seen = numpy.zeros(FULL.shape, int)
    for piece in plan:
        source, to = ROWS.shards_metadata[piece.source], COLUMNS.shards_metadata[piece.destination]
        starts = [a + b for a, b in zip(source.shard_offsets, piece.source_offsets)]
        assert starts == [a + b for a, b in zip(to.shard_offsets, piece.destination_offsets)]
        seen[tuple(slice(start, start + size) for start, size in zip(starts, piece.sizes))] += 1
    assert (seen == 1).all()
    with pytest.raises(OutOfRangeError):
        plan[6]
    assert plan[1:3] == list(plan)[1:3] and plan[::-2] == list(plan)[::-2] and plan[9:] == []
    assert not plan.is_local and not plan.is_identity
    assert Plan(ROWS, ROWS).is_identity and Plan(ROWS, ROWS).is_local


def test_carrying_a_plan_out_reshards():
    plan = Plan(ROWS, COLUMNS)
    columns = plan.execute(ROWS.scatter(FULL))
    assert numpy.array_equal(numpy.asarray(columns[1]), FULL[:, 4:])
    place = numpy.zeros((3, 5), "float32").T
    rows = dict(enumerate(ROWS.scatter(FULL)))
    assert plan.execute(rows, {1: place}, max_threads=1)[1] is place
    assert numpy.array_equal(place, FULL[:, 4:])
    with pytest.raises(NotFoundError):
        plan.execute({0: rows[0]}, {1: place})
    with pytest.raises(ViewError):
        plan.execute(rows, {1: numpy.zeros((5, 4), "float32")})
    with pytest.raises(ArgumentError):
        plan.execute([])


def test_a_plan_may_be_for_some_shards():
    plan = Plan(ROWS, COLUMNS, wanted=[-1])
    assert len(plan) == 3 and {piece.destination for piece in plan} == {1}
    made = plan.execute(ROWS.scatter(FULL))
    assert list(made) == [1] and numpy.array_equal(numpy.asarray(made[1]), FULL[:, 4:])
    assert Plan(ROWS, COLUMNS, wanted=[]).execute(ROWS.scatter(FULL)) == {}
    with pytest.raises(ArgumentError, match="wanted"):
        Plan(list(ROWS.shards_metadata), COLUMNS, wanted=[0])


def test_replicas_are_read_where_they_are_nearest():
    copies = [ShardMetadata([0, 0], [5, 7], "rank:0"), ShardMetadata([0, 0], [5, 7], "rank:1")]
    plan = Plan(copies, COLUMNS)
    assert [(piece.source, piece.destination) for piece in plan] == [(0, 0), (1, 1)]
    assert plan.is_local
    with pytest.raises(LayoutError) as refused:
        Plan([ShardMetadata([0, 0], [4, 7], "rank:0")], COLUMNS)
    assert refused.value.name == "GAP" and refused.value.first_shard == 0


def test_replicas_on_the_same_node_are_read_first():
    copies = [ShardMetadata([0, 0], [5, 7], f"rank:{rank}") for rank in (2, 3)]
    plan = Plan(copies, COLUMNS, nodes=[7, 4, 4, 7])
    assert [(piece.source, piece.destination) for piece in plan] == [(1, 0), (0, 1)]
    assert list(pickle.loads(pickle.dumps(plan))) == list(plan)
    with pytest.raises(TypeError):
        Plan(copies, COLUMNS, nodes=["a"])


def test_a_plan_says_what_moves():
    plan = Plan(ROWS, COLUMNS)
    assert sum(number for *_, number in plan.shard_traffic()) == FULL.nbytes
    assert plan.rank_traffic()[0] == (0, 0, 32)
    runs = plan.shard_runs(0, 1)
    sources = [shard.memory().cast("B") for shard in ROWS.scatter(FULL)]
    place = bytearray(5 * 3 * 4)
    for source in range(3):
        for run in plan.shard_runs(source, 1):
            for block in range(run.count):
                start = run.source_offset + block * run.source_stride
                to = run.destination_offset + block * run.destination_stride
                place[to:to + run.length] = sources[source][start:start + run.length]
    assert bytes(place) == FULL[:, 4:].tobytes() and runs == plan.rank_runs(0, 1)


def test_workers_are_relabelled_so_that_less_moves():
    turned = ChunkShardingSpec(0, ["rank:1", "rank:2", "rank:0"]).build_metadata(FULL.shape)
    plan = Plan(ROWS, turned)
    indices, before, after = plan.suggest_placements()
    assert (before, after) == (35, 0)
    assert Plan(ROWS, relabel(turned, indices)).is_local


def test_elements_are_found_and_found_again():
    elements = list(itertools.product(range(5), range(7)))
    places = locate(ROWS, elements)
    assert [shard for shard, _ in places] == [row // 2 for row, _ in elements]
    assert globalize(ROWS, places) == elements
    assert [owner_of(ROWS, element) for element in elements] == [shard for shard, _ in places]
    assert shards_in_box(ROWS, [1, 0], [2, 1]) == [0, 1]
    assert shards_in_box(ROWS, [1, 0], [0, 9]) == []
    with pytest.raises(OutOfRangeError) as refused:
        owner_of(ROWS, (5, 0))
    assert refused.value.dim == 0
    for call in (lambda: owner_of(ROWS, (1,)), lambda: locate(ROWS, [(1,)]),
                 lambda: shards_in_box(ROWS, [1], [1, 2])):
        with pytest.raises(LayoutError):
            call()


def test_all_overlaps_and_gaps_are_told():
    shards = [ShardMetadata([0, 0], [3, 3], "rank:0"), ShardMetadata([2, 1], [3, 2], "rank:0"),
              ShardMetadata([4, 2], [1, 5], "rank:0")]
    assert find_overlaps(shards) == [(0, 1, (2, 1), (1, 2)), (1, 2, (4, 2), (1, 1))]
    assert find_overlaps(shards, limit=1) == [(0, 1, (2, 1), (1, 2))] and find_overlaps(ROWS) == []
    assert find_overlaps(shards, limit=0) == [] == find_gaps(shards, (5, 7), limit=0)
    assert find_gaps(iter(shards), (5, 7), limit=1) == find_gaps(shards, (5, 7))[:1]
    for call in (lambda: find_overlaps(shards, -1), lambda: find_gaps(shards, (5, 7), -1)):
        with pytest.raises(ArgumentError, match="limit: -1"):
            call()
    missing = numpy.ones((5, 7), int)
    for shard in shards:
        missing[tuple(slice(a, a + b) for a, b in zip(shard.shard_offsets, shard.shard_sizes))] = 0
    for gap in find_gaps(shards, (5, 7)):
        box = missing[tuple(slice(a, a + b) for a, b in zip(*gap))]
        assert (box == 1).all() and box.size
        box[:] = 0
    assert not missing.any()


def test_many_overlaps_and_gaps_are_all_told():
    apart = [ShardMetadata([2 * number], [1], "rank:0") for number in range(2048)]
    assert find_gaps(apart, (4096,)) == [((2 * number + 1,), (1,)) for number in range(2048)]
    equal = [ShardMetadata([0], [4], "rank:0")] * 64
    assert find_overlaps(equal) == [(first, second, (0,), (4,)) for first, second
                                    in itertools.combinations(range(64), 2)]
    assert len(find_overlaps(equal, limit=1500)) == 1500


def test_lists_may_be_empty():
    some = [ShardMetadata([0], [4], "rank:0")]
    assert find_gaps([], (8, 3)) == [Gap((0, 0), (8, 3))] and find_overlaps([]) == []
    assert find_gaps([], (8, 0)) == []
    assert list(Plan(some, [])) == [] == list(Plan([], [])) and Plan(ROWS, []).execute(
        ROWS.scatter(FULL)) == []
    with pytest.raises(LayoutError, match=r"\[0:4\]") as refused:
        Plan([], some)
    assert refused.value.name == "GAP" and refused.value.first_shard == 0
    with pytest.raises(LayoutError) as refused:
        Plan([], ROWS)
    assert refused.value.name == "GAP"


def test_shards_that_are_nobodys_are_fine_in_lists_but_not_in_metadata():
    parts = [ShardMetadata([0, 0], [2, 7]), ShardMetadata([2, 0], [3, 7])]
    assert find_overlaps(parts) == [] == find_gaps(parts, (5, 7))
    columns = Plan(parts, COLUMNS).execute([FULL[:2], FULL[2:]])
    assert numpy.array_equal(numpy.asarray(columns[1]), FULL[:, 4:])
    assert Plan(parts, parts).is_identity and Plan(parts, parts).rank_traffic(4) == [(-1, -1, 140)]
    class Rack(PlacementSpec):
        pass

    for listed in ([ShardMetadata([0, 0], [5, 7], Rack())],
                   [*parts, ShardMetadata([0, 0], [5, 7], Rack())]):
        with pytest.raises(UnsupportedError, match="shards: in lists, a placement is a text"):
            find_overlaps(listed)
    for call in (lambda: EnumerableShardingSpec(parts),
                 lambda: EnumerableShardingSpec([COLUMNS.shards_metadata[0], parts[0]])):
        with pytest.raises(ArgumentError, match=r"shards\[\d\]: the shard has no placement"):
            call()


def test_chunks_of_torchs_checkpoints_are_shards():
    class ChunkStorageMetadata:
        def __init__(self, offsets, sizes):
            self.offsets, self.sizes = offsets, sizes

    saved = [ChunkStorageMetadata((0, 0), (2, 7)), ChunkStorageMetadata((2, 0), (3, 7))]
    assert find_gaps(saved, (6, 7)) == [((5, 0), (1, 7))]
    columns = Plan(saved, COLUMNS).execute([FULL[:2], FULL[2:]])
    assert numpy.array_equal(numpy.asarray(columns[0]), FULL[:, :4])
    with pytest.raises(TypeError, match=r"source\[1\]: a shard, which has .*, not a str"):
        Plan([saved[0], "rank:0"], COLUMNS)


def test_whatever_yields_shards_is_a_list_of_them():
    plan = Plan((shard for shard in ROWS.shards_metadata), iter(list(COLUMNS.shards_metadata)))
    assert list(plan) == list(Plan(ROWS, COLUMNS))
    assert plan.source_hash == ROWS.layout_hash and plan.destination_hash == COLUMNS.layout_hash
    assert numpy.array_equal(numpy.asarray(plan.execute(iter(ROWS.scatter(FULL)))[1]), FULL[:, 4:])
    places = [numpy.zeros_like(FULL[:, :4]), numpy.zeros_like(FULL[:, 4:])]
    assert plan.execute(ROWS.scatter(FULL), iter(places))[1] is places[1]


def test_a_stale_plan_is_refused():
    old = EnumerableShardingSpec([ShardMetadata([0], [4], "rank:0"),
                                  ShardMetadata([4], [4], "rank:1")]).build_metadata((8,))
    new = EnumerableShardingSpec([ShardMetadata([4], [4], "rank:0"),
                                  ShardMetadata([0], [4], "rank:1")]).build_metadata((8,))
    whole = ChunkShardingSpec(0, ranks(1)).build_metadata((8,))
    full = numpy.arange(8)
    plan, place = Plan(old, whole), numpy.full(8, -1)
    tensor = ShardedTensor.from_full(old, full)
    assert plan.execute(tensor)[0].tolist() == list(range(8))
    with pytest.raises(ArgumentError, match=r"sources: .* shard 0 is \[0:4\] on rank:0/cpu there, "
                       r"\[4:8\] on rank:0/cpu here") as refused:
        plan.execute(ShardedTensor.from_full(new, full), [place])
    for layout in (old, new):
        assert f"{layout.layout_hash:#x}" in str(refused.value)
    assert plan.source_hash == old.layout_hash != new.layout_hash and (place == -1).all()
    # Where it goes is looked at alike, also who has it and how many there are.
    for other in (ChunkShardingSpec(0, ["rank:1"]), ChunkShardingSpec(0, ranks(2))):
        with pytest.raises(ArgumentError, match="destinations: its layout is not the plan's"):
            plan.execute(tensor, ShardedTensor.zeros(other.build_metadata(
                (8,), TensorProperties("int64"))))
    into = ShardedTensor.zeros(ChunkShardingSpec(0, ranks(1)).build_metadata(
        (8,), TensorProperties("int64")))
    assert plan.execute(tensor, into) is into and into.local_tensor().tolist() == list(range(8))
    with pytest.raises(NotFoundError):
        plan.execute(ShardedTensor.from_full(old, full, owner=1))


def test_numbers_of_less_than_a_byte_move_in_runs_that_are_whole_bytes():
    stated = TensorProperties("uint4")
    rows = ChunkShardingSpec(0, ["rank:0"]).build_metadata((64, 256), stated)
    halves = ChunkShardingSpec(1, ranks(2)).build_metadata((64, 256), stated)
    (run,) = Plan(rows, halves).shard_runs(0, 1)
    assert (run.source_offset, run.source_stride, run.length, run.count) == (64, 128, 64, 64)
    assert (run.destination_offset, run.destination_stride) == (0, 64)
    odd = ChunkShardingSpec(1, ranks(2)).build_metadata((64, 6), stated)
    whole = ChunkShardingSpec(0, ["rank:0"]).build_metadata((64, 6), stated)
    with pytest.raises(UnsupportedError, match="byte"):
        Plan(whole, odd).shard_runs(0, 1)


def test_rows_are_as_long_as_buffers_where_dimensions_are_flattened():
    sizes = integers("sizes", FULL.shape)
    shards = [ShardMetadata([0], [11], "rank:0"), ShardMetadata([11], [24], "rank:1")]
    with ShardList(pack("shards", shards)) as lines:
        flat = lib.answer(ctypes.c_void_p, lib.shards_new_flattened, lines, pointer(sizes), 2, 0, 2)
    metadata = type(ROWS)._of(lib.answer(
        ctypes.c_void_p, lib.metadata_new_from_shards, flat, pointer(sizes), 2, None, 0))
    lib.shards_free(flat)
    assert list(metadata.shards_metadata) == shards and metadata.shards_metadata[1] == shards[1]
    assert metadata.size == FULL.shape
    elements = list(itertools.product(range(5), range(7)))
    found = locate(metadata, elements)
    assert found == [(int(number >= 11), (number % 11 if number < 11 else number - 11,))
                     for number in range(35)]
    assert globalize(metadata, found) == elements
    parts = metadata.scatter(FULL)
    assert [part.shape for part in parts] == [(11,), (24,)]
    assert numpy.array_equal(metadata.gather(parts), FULL)
    plan = Plan(metadata, COLUMNS)
    for piece in plan:
        assert len(piece.source_offsets) == 1 and len(piece.destination_offsets) == 2
        element = globalize(metadata, [(piece.source, piece.source_offsets)])
        assert element == globalize(COLUMNS, [(piece.destination, piece.destination_offsets)])
    assert numpy.array_equal(COLUMNS.gather(plan.execute(parts)), FULL)
    assert find_overlaps(metadata) == [] and plan.source_hash == metadata.layout_hash


def random_layout(rng, shape):
    """Chunks, blocks in turn, or boxes in a grid."""
    owners = ranks(int(rng.integers(1, 5)))
    dim = int(rng.integers(len(shape)))
    spec = (ChunkShardingSpec(dim, owners), MeshShardingSpec.cyclic(dim, int(rng.integers(1, 4)), owners))[
        int(rng.integers(2))]
    return spec.build_metadata(shape)


def test_reads_get_the_bytes_of_all_runs_and_no_more_than_was_allowed():
    rng, joined, split = numpy.random.default_rng(11), 0, 0
    for _ in range(150):
        shape = tuple(int(size) for size in rng.integers(1, 12, int(rng.integers(1, 4))))
        source, destination = random_layout(rng, shape), random_layout(rng, shape)
        plan, full = Plan(source, destination), rng.integers(0, 1 << 15, shape, "int16")
        sources = [numpy.ascontiguousarray(one) for one in source.scatter(full)]
        places = [numpy.zeros(shard.shard_sizes, "int16") for shard in destination.shards_metadata]
        over_read = float(rng.choice([1, 1.5, 2, 1e9]))
        gap, most = int(rng.choice([0, 0, 2, 8])), int(rng.choice([1, 8, 50, 1 << 20]))
        options = {"max_gap": gap, "over_read": over_read, "max_read": most}
        for first in range(len(sources)):
            for second in range(len(places)):
                reads, runs = plan.shard_reads(first, second, 2, **options), plan.shard_runs(first, second, 2)
                fill(reads, sources, places)
                starts = [read.offset for read in reads]
                assert starts == sorted(starts) and all(read.source == first for read in reads)
                blocks = sum(run.count for run in runs)
                assert sum(run.count for read in reads for run in read.runs) == blocks
                for read in reads:
                    needed = sum(run.count * run.length for run in read.runs)
                    alone = sum(run.count for run in read.runs) == 1
                    assert read.length <= most or alone
                    assert gap or read.length <= over_read * needed
                joined += len(reads) < blocks
                split += len(reads) > len(runs)
        for place, wanted in zip(places, destination.scatter(full), strict=True):
            assert place.tobytes() == numpy.ascontiguousarray(wanted).tobytes()
    assert joined > 100 and split > 50


def fill(reads, sources, places):
    """What a program does with reads: each gets bytes of its own, and its runs say where they go."""
    for read in reads:
        got = sources[read.source].tobytes()[read.offset:read.offset + read.length]
        assert len(got) == read.length
        for run in read.runs:
            memory = memoryview(places[run.destination]).cast("B")
            for block in range(run.count):
                start = run.source_offset + block * run.source_stride
                place = run.destination_offset + block * run.destination_stride
                memory[place:place + run.length] = got[start:start + run.length]


def test_half_of_the_columns_of_a_file_are_one_read():
    file = [ShardMetadata([0, 0], [4096, 128], "rank:0")]
    plan = Plan(file, [ShardMetadata([0, 0], [4096, 64], "rank:0")])
    (run,) = plan.shard_runs(0, 0, 4)
    assert (run.count, run.length) == (4096, 256)
    ((_, offset, length, runs),) = plan.shard_reads(0, 0, 4)
    assert (offset, length, runs) == (0, (2 << 20) - 256, (run,))
    assert plan.rank_reads(0, 0, 4) == plan.shard_reads(0, 0, 4)
    assert len(plan.shard_reads(0, 0, 4, max_gap=0, over_read=1.0)) == 4096
    assert len(plan.shard_reads(0, 0, 4, max_read=1 << 20)) == 2
    with pytest.raises(ArgumentError, match="over_read: 0.5 is no factor; pass 1.0 or more, or 0"):
        plan.shard_reads(0, 0, 4, over_read=0.5)
