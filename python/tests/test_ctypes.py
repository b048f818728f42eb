"""The main job and its refusals through ctypes, as a foreign runtime sees them."""

import ctypes
import itertools

import numpy
import pytest

from binding import Refused, TensorView, numbers, texts

RANKS = texts("rank:0", "rank:1", "rank:2", "rank:3")


@pytest.fixture
def make(lib):
    """Makes handles and frees them after the test."""
    made = []

    def make(function, *arguments):
        handle = (function(*arguments) if function == lib.enumerable
                  else lib.made(function, *arguments))
        made.append((function.__name__, handle))
        kind = {"spec": lib.spec_free, "metadata": lib.metadata_free}
        made[-1] = (kind["metadata" if function in (
            lib.spec_build_metadata, lib.spec_build_metadata_with_dim_names) else "spec"], handle)
        return handle

    yield make
    for free, handle in made:
        free(handle)


def boxes_of(lib, metadata, ndim):
    count = lib.number(lib.metadata_shard_count, metadata, kind=ctypes.c_size_t)
    offsets, sizes = numpy.empty((2, count, ndim), numpy.int64)
    lib.metadata_get_shards(metadata, 0, count, numbers(offsets), numbers(sizes), None)
    return offsets, sizes


def test_every_function_of_the_header_can_be_called(lib):
    assert len(lib.names) > 50
    for name in lib.names:
        lib.bind(name)
        function = getattr(lib.cdll, f"shardspec_{name}")
        if function.argtypes and function.restype is ctypes.c_int32:
            # All zeros: a status comes back, and nothing else happens.
            nothing = [None if issubclass(kind, ctypes._Pointer) else kind()
                       for kind in function.argtypes]
            assert not lib.status_name(function(*nothing)).isdigit(), name
    assert lib.abi_version() == lib.ABI_VERSION
    assert lib.text(lib.version_text) == "0.1.0"


@pytest.mark.parametrize("dtype", ["float32", "float64", "int8", "uint16", "complex64", "bool"])
@pytest.mark.parametrize("order", ["C", "F", "reversed", "strided"])
@pytest.mark.parametrize("dim", [0, 1, -1])
def test_scatter_equals_slicing_and_gather_puts_it_back(lib, make, dtype, order, dim):
    count = 5 * 7 * 3
    full = (numpy.arange(count) % 2 if dtype == "bool" else numpy.arange(count))
    full = full.astype(dtype).reshape(5, 7, 3)
    if order == "F":
        full = numpy.asfortranarray(full)
    elif order == "reversed":
        full = full[::-1, :, ::-1]
    elif order == "strided":
        full = numpy.repeat(full, 2, axis=1)[:, ::2]
    spec = make(lib.spec_new_chunk, dim, RANKS, 4)
    metadata = make(lib.spec_build_metadata, spec, numbers(full.shape), 3, None)
    offsets, sizes = boxes_of(lib, metadata, 3)
    shards = [numpy.empty(size, dtype) for size in sizes]
    lib.metadata_scatter(metadata, ctypes.byref(lib.view(full)), lib.views(shards), 4, None)
    for shard, offset, size in zip(shards, offsets, sizes):
        box = tuple(slice(start, start + length) for start, length in zip(offset, size))
        assert numpy.array_equal(shard, full[box])
    back = numpy.zeros_like(full)
    lib.metadata_gather(metadata, lib.views(shards), 4, ctypes.byref(lib.view(back)), None)
    assert numpy.array_equal(full, back)


def test_a_mapped_file_gives_each_rank_its_shard(lib, make, root):
    full = numpy.load(root / "examples/data/iris.npy", mmap_mode="r")
    spec = make(lib.spec_new_chunk, 0, RANKS, 4)
    metadata = make(lib.spec_build_metadata, spec, numbers(full.shape), 2, None)
    offsets, sizes = boxes_of(lib, metadata, 2)
    for rank in range(4):
        shard = numpy.empty(sizes[rank], full.dtype)
        lib.metadata_extract_shard(metadata, rank, ctypes.byref(lib.view(full)),
                                   ctypes.byref(lib.view(shard)), None)
        assert numpy.array_equal(shard, full[offsets[rank][0]:][:sizes[rank][0]])


def test_a_view_of_a_shard_is_the_same_memory(lib, make):
    full = numpy.arange(24, dtype="float32").reshape(4, 6)
    spec = make(lib.spec_new_chunk, 1, RANKS, 3)
    metadata = make(lib.spec_build_metadata, spec, numbers(full.shape), 2, None)
    shape, strides, view = numbers([0, 0]), numbers([0, 0]), TensorView()
    lib.metadata_view_shard(metadata, 1, ctypes.byref(lib.view(full)), shape, strides, 2,
                            ctypes.byref(view))
    assert view.data + view.byte_offset == full[:, 2:].ctypes.data
    assert list(shape.keep) == [4, 2] and list(strides.keep) == [6, 1]


def test_an_overlap_names_both_shards_and_a_gap_the_box(lib, make):
    offsets, sizes = [[0, 0], [2, 1]], [[3, 3], [2, 2]]
    with pytest.raises(Refused, match=r"0 \(.*\) and 1 \(.*\) both own \[2:3, 1:3\]") as refused:
        lib.enumerable(numbers(offsets), numbers(sizes), None, 2, 2, RANKS, 2)
    assert refused.value.status == lib.OVERLAP
    assert (refused.value.first_shard, refused.value.second_shard) == (0, 1)
    offsets[1] = [3, 1]
    spec = make(lib.enumerable, numbers(offsets), numbers(sizes), None, 2, 2, RANKS, 2)
    with pytest.raises(Refused, match=r"\[3:5, 0:1\]") as refused:
        lib.made(lib.spec_build_metadata, spec, numbers([5, 3]), 2, None)
    assert refused.value.status == lib.GAP


def test_a_refused_scatter_writes_nothing(lib, make):
    full = numpy.arange(20, dtype="float32").reshape(5, 4)
    spec = make(lib.spec_new_chunk, 0, RANKS, 4)
    metadata = make(lib.spec_build_metadata, spec, numbers(full.shape), 2, None)
    shards = [numpy.full(size, 7, "float32") for size in boxes_of(lib, metadata, 2)[1]]
    shards[2] = numpy.full((1, 3), 7, "float32")
    with pytest.raises(Refused, match="shard 2") as refused:
        lib.metadata_scatter(metadata, ctypes.byref(lib.view(full)), lib.views(shards), 4, None)
    assert refused.value.status == lib.SHAPE_MISMATCH
    assert (refused.value.got, refused.value.limit) == (3, 4)
    assert all((shard == 7).all() for shard in shards)


def test_freed_handles_are_refused(lib):
    spec = lib.made(lib.spec_new_chunk, 0, RANKS, 4)
    lib.spec_free(spec)
    for use in (lambda: lib.spec_free(spec), lambda: lib.text(lib.spec_type_name, spec)):
        with pytest.raises(Refused) as refused:
            use()
        assert refused.value.status == lib.INVALID_HANDLE


def test_equal_specs_are_equal_however_they_are_made(lib, make):
    grid = list(itertools.product(range(0, 6, 2), range(0, 4, 2)))
    flat = make(lib.enumerable, numbers(grid), numbers([[2, 2]] * 6), None, 2, 6,
                texts(*(f"rank:{i}" for i in range(6))), 6)
    again = make(lib.enumerable, numbers(grid), numbers([[2, 2]] * 6), None, 2, 6,
                 texts(*(f"rank:{i}/cpu" for i in range(6))), 6)
    assert lib.number(lib.spec_equal, flat, again, kind=ctypes.c_int32) == 1
    hashes = {lib.number(lib.spec_hash, spec, kind=ctypes.c_uint64) for spec in (flat, again)}
    assert len(hashes) == 1
