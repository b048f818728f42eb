"""Layouts as flat arrays, and views with and without the module in C."""

import array
import copy
import gc
import os
import pickle
import subprocess
import sys
import tracemalloc

import numpy
import pytest

from common import ranks
from shardspec import (
    ChunkShardingSpec,
    Cut,
    EnumerableShardingSpec,
    Mesh,
    MeshShardingSpec,
    PlacementSpec,
    ShardMetadata,
    ShardspecError,
    as_tensor,
)
from shardspec._extension import OFF, native
from shardspec._views import _view, view

OFFSETS, SIZES = [[0, 0], [0, 2], [2, 0]], [[2, 2], [2, 1], [2, 3]]
LISTED = EnumerableShardingSpec([
    ShardMetadata(start, length, f"rank:{rank}") for start, length, rank in zip(OFFSETS, SIZES, (1, 0, 1))])


def from_arrays(offsets=OFFSETS, sizes=SIZES, placements=("rank:1", "rank:0"), indices=(0, 1, 0)):
    return EnumerableShardingSpec.from_arrays(offsets, sizes, placements, indices)


@pytest.mark.parametrize("kind", ["int64", "int32", "uint8", "uint64", ">i8"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_arrays_of_any_integers_list_the_same_shards(kind, order):
    if kind == ">i8":
        with pytest.raises(TypeError, match="offsets: an array of integers"):
            from_arrays(numpy.array(OFFSETS, kind))
        return
    offsets, sizes = (numpy.array(rows, kind, order=order) for rows in (OFFSETS, SIZES))
    for indices in ([0, 1, 0], numpy.array([0, 1, 0], "uint32"), numpy.array([0, 1, 0], "int64"), array.array(
            "I", [0, 1, 0])):
        spec = from_arrays(offsets, sizes, indices=indices)
        assert spec == LISTED and spec.shards == LISTED.shards
        assert spec.build_metadata((4, 3)) == LISTED.build_metadata((4, 3))


def test_what_is_written_is_what_is_read():
    arrays = LISTED.build_metadata((4, 3)).to_arrays()
    assert (arrays.offsets.tolist(), arrays.sizes.tolist()) == (OFFSETS, SIZES)
    assert arrays.indices.tolist() == [0, 1, 0] and arrays.placements == LISTED.build_metadata((4, 3)).placements
    assert (arrays.offsets.dtype, arrays.indices.dtype) == ("int64", "uint32")
    assert EnumerableShardingSpec.from_arrays(*arrays) == LISTED
    # They are the caller's: the metadata does not change with them.
    numpy.asarray(arrays.offsets)[:] = 7
    assert LISTED.build_metadata((4, 3)).to_arrays().offsets.tolist() == OFFSETS


def test_a_spec_does_not_change_with_the_arrays_that_it_was_made_from():
    offsets = numpy.array(OFFSETS)
    spec = from_arrays(offsets)
    offsets[:] = 9
    assert spec.shards == LISTED.shards and pickle.loads(pickle.dumps(spec)) == LISTED
    assert copy.deepcopy(spec).shards == LISTED.shards and "rank:1" in repr(spec)


def test_placements_may_be_one_for_each_shard_and_of_the_users_own():
    assert from_arrays(placements=["rank:1", "rank:0", "rank:1"], indices=None) == LISTED

    class Rack(PlacementSpec):
        pass

    rack = Rack()
    spec = EnumerableShardingSpec.from_arrays([[0], [2]], [[2], [2]], [rack, "cpu"])
    assert spec.build_metadata((4,)).to_arrays().placements[0] is rack


def test_no_shards_have_no_elements():
    empty = numpy.zeros((0, 2), "int64")
    with pytest.raises(ShardspecError):
        EnumerableShardingSpec.from_arrays(empty, empty, [], numpy.zeros(0, "uint32")).build_metadata((4, 3))
    arrays = ChunkShardingSpec(0, ranks(1)).build_metadata((0, 3)).to_arrays()
    assert arrays.sizes.tolist() == [[0, 3]]


@pytest.mark.parametrize("given, words", [
    ({"offsets": [[0, 0], [0, 2]]}, r"sizes: its shape is \[3, 2\], but that of offsets is \[2, 2\]"),
    ({"offsets": [[0, 0], [0]]}, r"offsets\[1\]: 1 numbers, but offsets\[0\] has 2"),
    ({"offsets": [0, 1, 2]}, r"offsets\[0\]: a list of integers, not 0"),
    ({"offsets": numpy.zeros(3, "int64")}, "offsets: an array of 1 dimensions; pass one of 2"),
    ({"sizes": numpy.zeros((3, 2))}, "sizes: an array of integers .*, not of float64"),
    ({"sizes": numpy.full((3, 2), 1 << 63, "uint64")}, "sizes: a number does not fit into int64"),
    ({"indices": [0, 1]}, "indices: 2 for 3 shards; pass one for each"),
    ({"indices": [0, -1, 0]}, "indices: a number does not fit into uint32"),
    ({"indices": [0, 2, 0]}, r"indices\[1\]: 2 is out of range"),
    ({"indices": None}, "placements: 2 for 3 shards; pass one for each"),
    ({"placements": "rank:0"}, "placements: a list of placements, not a text"),
    ({"sizes": [[2, 3], [2, 2], [2, 3]]}, r"shards 0 \(rank:1/cpu\) and 1 \(rank:0/cpu\) both own"),
    ({"offsets": [[0, 0], [0, -2], [2, 0]]}, "offset"),
])
def test_arrays_that_do_not_fit_are_refused_with_their_names(given, words):
    with pytest.raises((ShardspecError, TypeError), match=words):
        from_arrays(**given)


def test_shards_that_are_no_boxes_have_no_arrays():
    deal = MeshShardingSpec(Mesh({"x": 2}), [Cut(0, "x", "cyclic", block=1)])
    with pytest.raises(ShardspecError, match="not all shards are boxes"):
        deal.build_metadata((6,)).to_arrays()


def seen(found):
    struct = found.struct
    shape = tuple(struct.shape[:struct.ndim]) if struct.ndim else ()
    strides = tuple(struct.strides[:struct.ndim]) if struct.ndim and struct.strides else None
    return (struct.data if 0 not in shape else None, struct.byte_offset, struct.device.device_type, shape,
            struct.dtype.code, struct.dtype.bits, struct.dtype.lanes, bool(found.readonly),
            None if 0 in shape else stepped(shape, strides))


def stepped(shape, strides):
    """The strides of the dimensions that have any."""
    steps, step = [], 1
    for size in reversed(shape):
        steps.append(step)
        step *= size
    return [one for one, size in zip(strides or steps[::-1], shape) if size > 1]


def arrays():
    for kind in "?bhilqBHILQefdgFD":
        yield numpy.zeros((2, 3), kind)
    whole = numpy.arange(24.0).reshape(2, 3, 4)
    yield from (whole[::-1], whole.T, whole[:, 1], whole[..., ::2], whole[:0], whole[:, :1],
                numpy.zeros(()), numpy.zeros((1,) * 32), numpy.broadcast_to(whole, (2, 2, 3, 4)))
    fixed = whole.copy()
    fixed.flags.writeable = False
    yield fixed
    yield from (b"abc", b"", bytearray(5), array.array("d", [1, 2]), memoryview(whole), memoryview(b"abcd").cast("I"))
    yield from (memoryview(bytearray(8))[::2], as_tensor(whole), as_tensor(fixed), as_tensor(whole[::2]))


@pytest.mark.skipif(native is None, reason="the module in C was not built, or is turned off")
@pytest.mark.parametrize("tensor", list(arrays()), ids=lambda one: f"{type(one).__name__}")
def test_the_module_in_c_sees_what_python_sees(tensor):
    assert seen(view("x", tensor)) == seen(_view("x", tensor, False))


@pytest.mark.skipif(native is None, reason="the module in C was not built, or is turned off")
def test_the_common_types_are_viewed_by_the_module_in_c():
    from shardspec._views import TensorView

    for tensor in (numpy.zeros(3), numpy.zeros((2, 3), "int8")[:, ::2], bytearray(3), as_tensor(numpy.zeros(3))):
        assert native.one(TensorView(), tensor) is not None
    for tensor in (3, numpy.zeros(3, ">i4"), numpy.zeros(3, "M8[s]"), numpy.ma.array([1]), numpy.float32(1)):
        assert native.one(TensorView(), tensor) is None


@pytest.mark.skipif(native is None, reason="the module in C was not built, or is turned off")
def test_the_module_in_c_refuses_what_is_no_room():
    for room in (bytearray(47), bytes(48), 3):
        with pytest.raises((ValueError, TypeError, BufferError)):
            native.one(room, numpy.zeros(3))
    for wrong in ([], ["a"], [None] * 5):
        with pytest.raises(TypeError):
            native.many(*wrong)
    with pytest.raises(ZeroDivisionError):
        native.many(bytearray(48), (3,), False, lambda number: 1 // 0, [])
    with pytest.raises(AttributeError):
        native.many(bytearray(48), (3,), False, lambda number: 3, [])


@pytest.mark.skipif(native is None, reason="the module in C was not built, or is turned off")
def test_views_leave_nothing_behind():
    from shardspec._views import views

    class Fails:
        def __dlpack__(self, **arguments):
            raise BufferError("no")

    tensors = [numpy.zeros((2, 3)), bytearray(8), as_tensor(numpy.zeros(4)), numpy.zeros(3, ">i4"), b"1"]

    def fails(given, write):
        try:
            views(str, given, write=write)
        except (TypeError, BufferError):
            return
        raise AssertionError("it was not refused")

    def work():
        for tensor in tensors:
            view("x", tensor)
        views(str, tensors, write=False)
        for wrong in (3, Fails()):
            fails([*tensors, wrong], False)
        fails(tensors, True)

    def grown(times):
        """Bytes that are in use after so many turns, and were not before."""
        gc.collect()
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(times):
            work()
        gc.collect()
        return tracemalloc.get_traced_memory()[0] - before

    work()
    gc.collect()  # What other tests have left.
    before = [sys.getrefcount(tensor) for tensor in tensors], sys.getrefcount(None)
    tracemalloc.start()
    grown(100)  # Caches fill.
    more = grown(500)
    tracemalloc.stop()
    assert [sys.getrefcount(tensor) for tensor in tensors] == before[0]
    # One object in each turn would be more.
    assert abs(sys.getrefcount(None) - before[1]) < 100 and more < 500 * 40
    tensors[1].extend(b"1")  # Nothing holds its buffer any more.


def test_python_alone_does_the_same():
    program = """
import numpy, shardspec
from shardspec._extension import native
assert native is None
halves = shardspec.ChunkShardingSpec(0, ["rank:0", "rank:1"]).build_metadata((4,))
full = numpy.arange(4.0)
parts = halves.scatter(full)
print(numpy.asarray(halves.gather(parts)).tolist(), halves.scatter(b"abcd")[1].tolist())
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env={
        **os.environ, OFF: "1", "PYTHONPATH": os.pathsep.join(sys.path)})
    assert done.stdout == "[0.0, 1.0, 2.0, 3.0] [99, 100]\n"
