"""Moving data with numpy arrays and with what only has a buffer."""

import array
import mmap
import sys

import numpy
import pytest

import shardspec
from common import ranks
from shardspec import (
    ArgumentError,
    ChunkShardingSpec,
    EnumerableShardingSpec,
    LayoutError,
    ShardMetadata,
    ShardspecError,
    Tensor,
    TensorProperties,
    ViewError,
    _memory,
    as_tensor,
    empty,
)

ORDERS = {
    "C": lambda full: full, "F": numpy.asfortranarray, "reversed": lambda full: full[::-1, :, ::-1],
    "strided": lambda full: numpy.repeat(full, 2, axis=1)[:, ::2],
    "read-only": lambda full: numpy.frombuffer(full.tobytes(), full.dtype).reshape(full.shape),
}
UNEVEN = EnumerableShardingSpec([
    ShardMetadata([0, 0, 0], [2, 7, 3], "rank:0"), ShardMetadata([2, 0, 0], [3, 4, 3], "rank:1"),
    ShardMetadata([2, 4, 0], [3, 3, 1], "rank:0"), ShardMetadata([2, 4, 1], [3, 3, 2], "rank:1")])


def slices(shard):
    return tuple(slice(start, start + size)
                 for start, size in zip(shard.shard_offsets, shard.shard_sizes))


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "longdouble", "int8", "uint16",
                                   "int64", "complex64", "bool"])
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("spec", [ChunkShardingSpec(0, ranks(4)), ChunkShardingSpec(-1, ranks(2)),
                                  UNEVEN], ids=["rows", "columns", "uneven"])
def test_scatter_equals_slicing_and_gather_puts_it_back(spec, order, dtype):
    full = ORDERS[order]((numpy.arange(105) % 2 if dtype == "bool" else numpy.arange(105))
                         .astype(dtype).reshape(5, 7, 3))
    metadata = spec.build_metadata(full.shape)
    shards = metadata.scatter(full)
    for index, (shard, owned) in enumerate(zip(shards, metadata.shards_metadata)):
        wanted = full[slices(owned)]
        assert shard.shape == wanted.shape and shard.contiguous
        assert numpy.array_equal(numpy.asarray(shard), wanted)
        assert numpy.array_equal(numpy.asarray(metadata.extract_shard(index, full)), wanted)
        view = numpy.asarray(metadata.view_shard(index, full))
        assert numpy.array_equal(view, wanted) and (
            view.size == 0 or numpy.shares_memory(view, full))
        assert view.flags.writeable == full.flags.writeable
    assert numpy.array_equal(numpy.asarray(metadata.gather(shards)), full)


def test_data_goes_where_it_is_asked_to_go(rows):
    full = numpy.arange(15, dtype="float32").reshape(5, 3)
    places = [numpy.zeros(one.shard_sizes, "float32") for one in rows.shards_metadata]
    assert all(map(lambda a, b: a is b, rows.scatter(full, places), places))
    assert numpy.array_equal(numpy.concatenate(places), full)
    back = numpy.zeros((5, 6), "float32")[:, ::2]
    assert rows.gather(places, back, max_threads=1, hint="stream") is back
    assert numpy.array_equal(back, full)
    one = numpy.zeros((3, 2), "float32").T
    assert rows.extract_shard(-3, full, one, hint="cached") is one
    assert numpy.array_equal(one, full[2:4])


def test_a_view_writes_into_the_tensor(rows):
    full = numpy.zeros((5, 3), "float32")
    part = rows.view_shard(1, full)
    assert part.data_ptr() == full[2:].ctypes.data and part.strides == (3, 1)
    numpy.asarray(part)[:] = 7
    assert (full[2:4] == 7).all() and full.sum() == 42


@pytest.mark.parametrize("make", [
    lambda data: data, bytearray, memoryview, lambda data: array.array("B", data),
    lambda data: numpy.frombuffer(data, "uint8"),
    lambda data: memoryview(bytes(2 * len(data)))[::2] if False else memoryview(data)[::-1][::-1],
], ids=["bytes", "bytearray", "memoryview", "array", "read-only array", "reversed twice"])
def test_whatever_has_a_buffer_is_read_in_place(make):
    data = bytes(range(10))
    metadata = ChunkShardingSpec(0, ranks(3)).build_metadata((10,))
    assert [bytes(shard.memory()) for shard in metadata.scatter(make(data))] == [
        data[:4], data[4:8], data[8:]]


@pytest.mark.parametrize("make", [bytearray, lambda count: array.array("d", [0] * (count // 8)),
                                  lambda count: mmap.mmap(-1, count)],
                         ids=["bytearray", "array", "mmap"])
def test_whatever_has_a_buffer_is_written_in_place(make):
    place = make(80)
    form = memoryview(place).format
    full = numpy.arange(80 // memoryview(place).itemsize).astype(form)
    metadata = ChunkShardingSpec(0, ranks(3)).build_metadata(full.shape)
    metadata.gather(metadata.scatter(full), place)
    assert bytes(place) == full.tobytes()


def test_what_is_read_only_is_not_written(rows):
    full = numpy.arange(15, dtype="float32").reshape(5, 3)
    shards = rows.scatter(full)
    full.flags.writeable = False
    for call in (lambda: rows.gather(shards, full), lambda: rows.scatter(full, [full] * 4),
                 lambda: rows.extract_shard(0, full, bytes(24)),
                 lambda: rows.extract_shard(0, full, rows.view_shard(0, full))):
        with pytest.raises(BufferError, match="read-only"):
            call()


@pytest.mark.parametrize("tensor", [[1, 2], "text", None, 3, {}], ids=repr)
def test_what_is_no_tensor_is_a_type_error(tensor):
    metadata = ChunkShardingSpec(0, ranks(2)).build_metadata((2,))
    with pytest.raises(TypeError, match="full: .* has neither a buffer"):
        metadata.scatter(tensor)


def test_refusals_name_the_tensor_and_nothing_is_written(rows):
    full = numpy.arange(15, dtype="float32").reshape(5, 3)
    places = [numpy.full(one.shard_sizes, 7, "float32") for one in rows.shards_metadata]
    places[2] = numpy.full((1, 2), 7, "float32")
    with pytest.raises(ViewError, match="shard 2") as refused:
        rows.scatter(full, places)
    assert (refused.value.first_shard, refused.value.got, refused.value.limit) == (2, 2, 3)
    assert all((place == 7).all() for place in places)
    with pytest.raises(ViewError) as refused:
        rows.gather([*rows.scatter(full)[:3], empty((0, 3), "int32")])
    assert refused.value.name == "DTYPE_MISMATCH"
    with pytest.raises(ViewError) as refused:
        rows.extract_shard(0, full, full[1:3])
    assert refused.value.name == "ALIASED"
    with pytest.raises(LayoutError):
        rows.scatter(full[0])
    with pytest.raises(ArgumentError):
        rows.gather([])
    for wrong in ({"max_threads": -1}, {"max_threads": 2**32}, {"hint": "fast"}):
        with pytest.raises(ArgumentError, match=next(iter(wrong))):
            rows.scatter(full, **wrong)


def test_a_stated_type_refuses_others():
    metadata = ChunkShardingSpec(0, ranks(2)).build_metadata((4,), TensorProperties("float64"))
    metadata.scatter(numpy.zeros(4))
    with pytest.raises(ViewError, match="float64"):
        metadata.scatter(numpy.zeros(4, "float32"))


def test_properties_come_from_a_tensor():
    assert TensorProperties.create_from_tensor(numpy.zeros(3, "int16")).dtype == "int16"
    assert TensorProperties.create_from_tensor(empty((2,), "bfloat16")).dtype == "bfloat16"


@pytest.mark.parametrize("shape", [(), (7,), (0,), (2, 0, 3), (3, 1, 2)])
@pytest.mark.parametrize("dtype", ["float32", "int8", "uint64", "bool", "float64"])
def test_tensors_are_buffers(shape, dtype):
    tensor = empty(shape, dtype)
    source = numpy.arange(tensor.nbytes // numpy.dtype(dtype).itemsize).astype(dtype)
    numpy.asarray(tensor)[...] = source.reshape(shape)
    memory = tensor.memory()
    assert tensor.shape == shape and tensor.dtype == dtype and not tensor.readonly
    assert not memory.readonly and bytes(memory) == source.tobytes()
    assert tensor.tolist() == source.reshape(shape).tolist()
    assert tensor.data_ptr() % 64 == 0


@pytest.mark.skipif(sys.version_info < (3, 12), reason="classes have no buffers before Python 3.12")
def test_tensors_have_the_buffer_protocol():
    tensor = as_tensor(numpy.arange(6, dtype="int16").reshape(2, 3))
    assert memoryview(tensor).tolist() == [[0, 1, 2], [3, 4, 5]] and bytes(tensor)[2:4] == b"\1\0"
    for strange in (as_tensor(numpy.zeros((2, 3)).T), empty((2, 0), "int8")):
        with pytest.raises(BufferError):
            memoryview(strange)


def test_large_tensors_are_zero_and_writable():
    tensor = empty((3, 1 << 20), "int16")
    assert tensor.nbytes == 6 << 20 and not numpy.asarray(tensor).any()
    numpy.asarray(tensor)[2, -1] = 5
    assert tensor.memory()[2, (1 << 20) - 1] == 5


def test_large_tensors_need_no_huge_pages(monkeypatch):
    class WithoutHugePages(mmap.mmap):
        def madvise(self, *arguments):
            raise OSError(22, "Invalid argument")

    monkeypatch.setattr(_memory.mmap, "mmap", WithoutHugePages)
    assert not numpy.asarray(empty((3, 1 << 20), "int16")).any()


def test_memory_says_why_there_is_none():
    for tensor, problem in ((empty((3,), "bfloat16"), "bfloat16"),
                            (empty((3,), "complex64"), "complex64"),
                            (as_tensor(numpy.zeros((2, 2)).T), "strided")):
        with pytest.raises(BufferError, match=problem):
            tensor.memory()


def test_as_tensor_shares_and_keeps_the_memory():
    full = numpy.arange(6, dtype="int32").reshape(2, 3)
    tensor = as_tensor(full.T)
    assert isinstance(tensor, Tensor) and as_tensor(tensor) is tensor
    assert (tensor.shape, tensor.strides) == ((3, 2), (1, 3))
    assert tensor.data_ptr() == full.ctypes.data
    assert as_tensor(b"abc").readonly and as_tensor(b"abc").tolist() == [97, 98, 99]
    resized = bytearray(10)
    tensor = as_tensor(resized)
    with pytest.raises(BufferError):
        resized.append(1)
    del tensor
    resized.append(1)


def test_a_tensor_is_copied_into_another_whatever_their_strides():
    source = numpy.arange(6, dtype="float32").reshape(2, 3)
    place = numpy.zeros((3, 2), "float32").T
    assert shardspec.copy(source, place, max_threads=1, hint="cached") is place
    assert numpy.array_equal(place, source)
    back = array.array("f", [0] * 6)
    shardspec.copy(source[::-1, ::-1].reshape(-1), back)
    assert back.tolist() == [5, 4, 3, 2, 1, 0]


def test_a_copy_that_is_refused_writes_nothing():
    source, place = numpy.arange(6, dtype="float32").reshape(2, 3), numpy.zeros((2, 3), "float32")
    for destination, name in ((place.T, "SHAPE_MISMATCH"), (place[0], "NDIM_MISMATCH"),
                              (place.view("int32"), "DTYPE_MISMATCH"), (source, "ALIASED")):
        with pytest.raises(ShardspecError) as refused:
            shardspec.copy(source, destination)
        assert refused.value.name == name
    place.flags.writeable = False
    with pytest.raises(BufferError, match="destination: .*read-only"):
        shardspec.copy(source, place)
    assert not place.any() and source[1, 2] == 5
