"""Plans through ctypes: what moves, moving it, and the refusals, as a foreign runtime sees them."""

import contextlib
import ctypes
import itertools
import json

import numpy
import pytest

from binding import STRUCTS, Refused, numbers, texts

RANKS = texts(*(f"rank:{rank}" for rank in range(8)))
FREE = {"spec": "spec_free", "metadata": "metadata_free", "shards": "shards_free",
        "plan": "plan_free"}


@pytest.fixture
def make(lib):
    """Makes a handle of a kind, and frees it after the test."""
    with contextlib.ExitStack() as stack:
        def make(kind, function, *arguments):
            handle = lib.made(getattr(lib, function), *arguments)
            stack.callback(getattr(lib, FREE[kind]), handle)
            return handle

        yield make


def indices(*values):
    return (ctypes.c_size_t * len(values))(*values)


def chunks(lib, make, sizes, dim, count, dtype=None):
    spec = make("spec", "spec_new_chunk", dim, RANKS, count)
    properties = None
    if dtype is not None:
        properties = STRUCTS["tensor_properties"]()
        properties.struct_size = ctypes.sizeof(properties)
        lib.tensor_properties_init(ctypes.byref(properties))
        lib.dtype_parse(dtype.encode(), ctypes.byref(properties.dtype))
        properties = ctypes.byref(properties)
    return make("metadata", "spec_build_metadata", spec, numbers(sizes), len(sizes), properties)


def boxes(make, sizes, list_of_boxes):
    """Metadata of boxes, all on rank 0."""
    offsets = numbers([box["offsets"] for box in list_of_boxes])
    lengths = numbers([box["sizes"] for box in list_of_boxes])
    count = len(list_of_boxes)
    shards = make("shards", "shards_new_from_arrays", offsets, lengths, (ctypes.c_uint32 * count)(),
                  len(sizes), count, RANKS, 1)
    spec = make("spec", "spec_new_enumerable", shards)
    return make("metadata", "spec_build_metadata", spec, numbers(sizes), len(sizes), None)


def pieces_of(lib, plan, ndim):
    count = lib.number(lib.plan_piece_count, plan, kind=ctypes.c_size_t)
    shards = (ctypes.c_size_t * count)(), (ctypes.c_size_t * count)()
    rows = numpy.empty((3, count, ndim), numpy.int64)
    lib.plan_pieces(plan, 0, count, *shards, *(numbers(array) for array in rows))
    return [(source, destination, *(row.tolist() for row in piece))
            for source, destination, piece in zip(*shards, rows.transpose(1, 0, 2))]


def shard_boxes(lib, metadata, ndim):
    count = lib.number(lib.metadata_shard_count, metadata, kind=ctypes.c_size_t)
    offsets, sizes = numpy.empty((2, count, ndim), numpy.int64)
    lib.metadata_get_shards(metadata, 0, count, numbers(offsets), numbers(sizes), None)
    return [tuple(slice(start, start + size) for start, size in zip(*box))
            for box in zip(offsets.tolist(), sizes.tolist())]


def test_plans_read_what_torch_reads(lib, root):
    for case in json.loads((root / "tests/data/reshard.json").read_text())["cases"]:
        with contextlib.ExitStack() as stack:
            def make(kind, function, *arguments):
                handle = lib.made(getattr(lib, function), *arguments)
                stack.callback(getattr(lib, FREE[kind]), handle)
                return handle

            source, destination = (boxes(make, case["sizes"], case[side])
                                   for side in ("source", "destination"))
            plan = make("plan", "plan_new", source, destination)
            names = ("source", "destination", "source_offsets", "destination_offsets", "sizes")
            torch = [tuple(item[name] for name in names) for item in case["answer"]["ok"]]
            torch.sort(key=lambda piece: (piece[1], piece[0]))
            assert pieces_of(lib, plan, len(case["sizes"])) == torch


@pytest.mark.parametrize("dims", itertools.product(range(3), repeat=2))
@pytest.mark.parametrize("order", ["C", "F"])
def test_a_plan_moves_shards_to_where_they_belong(lib, make, dims, order):
    full = numpy.arange(5 * 7 * 6, dtype="float32").reshape(5, 7, 6)
    source = chunks(lib, make, full.shape, dims[0], 4)
    destination = chunks(lib, make, full.shape, dims[1], 3)
    have = [numpy.array(full[box], order=order) for box in shard_boxes(lib, source, 3)]
    want = [full[box] for box in shard_boxes(lib, destination, 3)]
    got = [numpy.zeros_like(shard, order="C") for shard in want]
    plan = make("plan", "plan_new", source, destination)
    lib.plan_execute(plan, None, lib.views(have), 4, None, lib.views(got), 3, None)
    assert all(numpy.array_equal(*pair) for pair in zip(want, got))
    equal = dims[0] == dims[1] and len(have) == len(got)
    assert lib.number(lib.plan_is_identity, plan, kind=ctypes.c_int32) == equal


def test_a_worker_loads_its_own_shard_only(lib, make):
    full = numpy.arange(40, dtype="int16").reshape(8, 5)
    saved = chunks(lib, make, full.shape, 0, 4)
    loaded = chunks(lib, make, full.shape, 1, 2)
    plan = make("plan", "plan_new_for_destinations", saved, loaded, indices(1), 1)
    got = numpy.zeros((8, 2), "int16")
    have = [full[box] for box in shard_boxes(lib, saved, 2)]
    lib.plan_execute(plan, None, lib.views(have), 4, indices(1), lib.views([got]), 1, None)
    assert numpy.array_equal(got, full[:, 3:])
    with pytest.raises(Refused, match="destination 0") as refused:
        lib.plan_execute(plan, None, lib.views(have), 4, indices(0),
                         lib.views([numpy.zeros((8, 3), "int16")]), 1, None)
    assert refused.value.status == lib.NOT_FOUND


def test_runs_are_all_that_a_transport_needs(lib, make):
    full = numpy.arange(6 * 10, dtype="float64").reshape(6, 10)
    source, destination = chunks(lib, make, full.shape, 0, 3), chunks(lib, make, full.shape, 1, 5)
    plan = make("plan", "plan_new", source, destination)
    have = [full[box].tobytes() for box in shard_boxes(lib, source, 2)]
    want = [full[box].tobytes() for box in shard_boxes(lib, destination, 2)]
    got = [bytearray(len(shard)) for shard in want]
    runs = (STRUCTS["run"] * 100)()
    needed = ctypes.c_size_t()
    moved = 0
    for pair in itertools.product(range(3), range(5)):
        lib.plan_rank_runs(plan, *pair, 8, runs, 100, ctypes.byref(needed))
        for run in runs[:needed.value]:
            for block in range(run.block_count):
                start = run.source_offset + block * run.source_stride
                place = run.destination_offset + block * run.destination_stride
                got[run.destination][place:place + run.block_length] = (
                    have[run.source][start:start + run.block_length])
                moved += run.block_length
    assert got == want and moved == full.nbytes
    ranks, bytes_moved = numpy.empty((2, 15), numpy.int64), numpy.empty(15, numpy.int64)
    lib.plan_rank_traffic(plan, 8, numbers(ranks[0]), numbers(ranks[1]), numbers(bytes_moved), 15,
                          ctypes.byref(needed))
    assert needed.value == 15 and bytes_moved.sum() == full.nbytes


def test_a_layout_that_is_shifted_moves_nothing_when_relabelled(lib, make):
    sizes, count = [800], 800
    names = [texts(*(f"rank:{(rank + shift) % count}" for rank in range(count))) for shift in (0, 8)]
    source, destination = (
        make("metadata", "spec_build_metadata",
             make("spec", "spec_new_chunk", 0, ranks, count), numbers(sizes), 1, None)
        for ranks in names)
    plan = make("plan", "plan_new", source, destination)
    placements = (ctypes.c_uint32 * count)()
    before, after = ctypes.c_int64(), ctypes.c_int64()
    lib.plan_suggest_placements(plan, placements, count, None, ctypes.byref(before),
                                ctypes.byref(after))
    assert (before.value, after.value) == (800, 0)
    better = make("metadata", "metadata_relabel", destination, placements, count)
    plan = make("plan", "plan_new", source, better)
    assert lib.number(lib.plan_is_local, plan, kind=ctypes.c_int32) == 1


def test_elements_are_located_in_bulk(lib, make):
    metadata = chunks(lib, make, [100, 30], 0, 8)
    elements = numpy.random.default_rng(1).integers(0, [100, 30], (1000, 2))
    owners = (ctypes.c_size_t * 1000)()
    local = numpy.empty((1000, 2), numpy.int64)
    lib.metadata_locate(metadata, numbers(elements), 1000, owners, numbers(local))
    assert list(owners) == (elements[:, 0] // 13).tolist()
    assert numpy.array_equal(local, numpy.stack([elements[:, 0] % 13, elements[:, 1]], 1))
    back = numpy.empty_like(elements)
    lib.metadata_globalize(metadata, owners, numbers(local), 1000, numbers(back))
    assert numpy.array_equal(back, elements)
    found, needed = (ctypes.c_size_t * 8)(), ctypes.c_size_t()
    lib.metadata_shards_in_box(metadata, numbers([12, 3]), numbers([15, 1]), 2, found, 8,
                               ctypes.byref(needed))
    assert found[:needed.value] == [0, 1, 2]


def test_overlaps_and_gaps_are_data(lib, make):
    shards = make("shards", "shards_new_from_arrays", numbers([0, 2, 6]), numbers([3, 3, 2]), None, 1,
                  3, RANKS, 3)
    first, second = indices(9, 9), indices(9, 9)
    offsets, sizes = numpy.empty((2, 2), numpy.int64)
    count, more = ctypes.c_size_t(), ctypes.c_int32()
    lib.shards_overlaps(shards, first, second, numbers(offsets), numbers(sizes), 2,
                        ctypes.byref(count), ctypes.byref(more))
    assert (count.value, more.value, first[0], second[0], offsets[0], sizes[0]) == (1, 0, 0, 1, 2, 1)
    lib.shards_gaps(shards, numbers([10]), 1, numbers(offsets), numbers(sizes), 2,
                    ctypes.byref(count), ctypes.byref(more))
    assert (count.value, more.value) == (2, 0)
    assert (offsets.tolist(), sizes.tolist()) == ([5, 8], [1, 2])


def test_layouts_of_different_tensors_are_refused(lib, make):
    rows = chunks(lib, make, [6, 4], 0, 2, "float32")
    for other, status in [(chunks(lib, make, [6, 5], 0, 2), lib.SHAPE_MISMATCH),
                          (chunks(lib, make, [24], 0, 2), lib.NDIM_MISMATCH),
                          (chunks(lib, make, [6, 4], 0, 2, "int32"), lib.DTYPE_MISMATCH)]:
        with pytest.raises(Refused) as refused:
            lib.made(lib.plan_new, rows, other)
        assert refused.value.status == status


def test_stale_handles_and_small_outputs_are_refused(lib, make):
    rows, columns = chunks(lib, make, [6, 4], 0, 2), chunks(lib, make, [6, 4], 1, 2)
    plan = lib.made(lib.plan_new, rows, columns)
    needed = ctypes.c_size_t(77)
    runs = (STRUCTS["run"] * 1)()
    runs[0].block_length = 77
    for small in (lambda: lib.plan_shard_traffic(plan, 4, (ctypes.c_size_t * 3)(), None, None, 3,
                                                 ctypes.byref(needed)),
                  lambda: lib.plan_rank_traffic(plan, 4, numbers([0] * 3), None, None, 3,
                                                ctypes.byref(needed)),
                  lambda: lib.plan_suggest_placements(plan, (ctypes.c_uint32 * 1)(), 1,
                                                      ctypes.byref(needed), None, None),
                  lambda: lib.metadata_shards_in_box(rows, numbers([0, 0]), numbers([6, 4]), 2,
                                                     indices(7), 1, ctypes.byref(needed))):
        with pytest.raises(Refused) as refused:
            small()
        assert refused.value.status == lib.BUFFER_TOO_SMALL
        assert needed.value == 77 and runs[0].block_length == 77
    with pytest.raises(Refused):
        lib.plan_pieces(plan, 0, 5, None, None, None, None, None)
    lib.plan_free(plan)
    for use in (lambda: lib.plan_free(plan), lambda: pieces_of(lib, plan, 2),
                lambda: lib.plan_execute(plan, None, None, 0, None, None, 0, None),
                lambda: lib.plan_rank_runs(plan, 0, 0, 4, None, 0, None)):
        with pytest.raises(Refused) as refused:
            use()
        assert refused.value.status == lib.INVALID_HANDLE
    stale = lib.made(lib.shards_new_from_metadata, rows)
    lib.shards_free(stale)
    with pytest.raises(Refused) as refused:
        lib.made(lib.plan_new_from_shards, stale, stale)
    assert refused.value.status == lib.INVALID_HANDLE


def test_a_refused_execution_writes_nothing(lib, make):
    full = numpy.arange(24, dtype="float32").reshape(6, 4)
    rows, columns = chunks(lib, make, [6, 4], 0, 2), chunks(lib, make, [6, 4], 1, 2)
    plan = make("plan", "plan_new", rows, columns)
    have = [full[:3], full[3:]]
    got = [numpy.full((6, 2), 7, "float32"), numpy.full((6, 3), 7, "float32")]
    with pytest.raises(Refused, match="destination 1") as refused:
        lib.plan_execute(plan, None, lib.views(have), 2, None, lib.views(got), 2, None)
    assert refused.value.status == lib.SHAPE_MISMATCH and refused.value.first_shard == 1
    got[1] = full[:, 2:]
    with pytest.raises(Refused) as refused:
        lib.plan_execute(plan, None, lib.views(have), 2, None, lib.views(got), 2, None)
    assert refused.value.status == lib.ALIASED
    assert (got[0] == 7).all()
