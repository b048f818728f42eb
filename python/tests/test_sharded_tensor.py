"""Sharded tensors through ctypes: numpy arrays sharded, lent and put together again."""

import ctypes

import numpy
import pytest

from binding import Refused, TensorView, numbers, texts
from shardspec._library import lib as library

RANKS = texts("rank:0", "rank:1", "rank:1", "trainer0")
RELEASE = library.header.type("destroy_fn")


@pytest.fixture
def metadata(lib):
    spec = lib.made(lib.spec_new_chunk, 0, RANKS, 4)
    metadata = lib.made(lib.spec_build_metadata, spec, numbers([7, 3]), 2, None)
    yield metadata
    lib.metadata_free(metadata)
    lib.spec_free(spec)


def sizes(*values):
    return (ctypes.c_size_t * len(values))(*values)


def local(lib, tensor, index):
    """A local shard as an array that uses its memory."""
    shape, strides, view = numbers([0, 0]), numbers([0, 0]), TensorView()
    lib.sharded_tensor_local_view(tensor, index, shape, strides, 2, ctypes.byref(view))
    count = int(numpy.prod(shape.keep))
    data = (ctypes.c_float * count).from_address(view.data) if count else ()
    return numpy.asarray(data, "float32").reshape(shape.keep)


@pytest.mark.parametrize("owner, rows", [("rank:0", [(0, 2)]), ("rank:1", [(2, 4), (4, 6)]),
                                         ("trainer0", [(6, 7)]), ("rank:5", []),
                                         (None, [(0, 2), (2, 4), (4, 6), (6, 7)])])
def test_each_owner_gets_what_slicing_gives(lib, metadata, owner, rows):
    full = numpy.arange(21, dtype="float32").reshape(7, 3)
    tensor = lib.made(lib.sharded_tensor_new_from_full, metadata, owner and owner.encode(),
                      ctypes.byref(lib.view(full)), None)
    assert lib.number(lib.sharded_tensor_local_count, tensor, kind=ctypes.c_size_t) == len(rows)
    for index, (start, end) in enumerate(rows):
        assert numpy.array_equal(local(lib, tensor, index), full[start:end])
    back = numpy.zeros_like(full)
    if owner is None:
        lib.sharded_tensor_gather(tensor, ctypes.byref(lib.view(back)), None)
        assert numpy.array_equal(full, back)
    else:
        with pytest.raises(Refused, match="not local") as refused:
            lib.sharded_tensor_gather(tensor, ctypes.byref(lib.view(back)), None)
        assert refused.value.status == lib.NOT_LOCAL
        assert refused.value.first_shard == (1 if owner == "rank:0" else 0)
        assert not back.any()
    lib.sharded_tensor_free(tensor)


def test_arrays_are_used_where_they_are_and_given_back(lib, metadata):
    full = numpy.arange(21, dtype="float32").reshape(7, 3)
    released = []
    release = RELEASE(released.append)
    tensor = lib.made(lib.sharded_tensor_new_from_local, metadata, b"rank:1", sizes(2, 1),
                      lib.views([full[4:6], full[2:4]]), 2, 7, release)
    local(lib, tensor, 0)
    shard = (ctypes.c_float * 6).from_address(full[2:].ctypes.data)
    shard[0] = -1
    assert local(lib, tensor, 0)[0, 0] == -1 and not released
    lib.sharded_tensor_free(tensor)
    assert released == [7]


def test_refused_arrays_are_given_back_too(lib, metadata):
    full = numpy.arange(21, dtype="float32").reshape(7, 3)
    released = []
    release = RELEASE(released.append)
    for arrays, problem in [([full[0:3]], "size 3 in dimension 0"), ([full[0:2].T], "size 3")]:
        with pytest.raises(Refused, match=problem) as refused:
            lib.made(lib.sharded_tensor_new_from_local, metadata, None, sizes(0),
                     lib.views(arrays), 1, 7, release)
        assert refused.value.first_shard == 0
    assert released == [7, 7]
