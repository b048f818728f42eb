"""The collectives over a transport that knows nothing of the library: Python's own pipes."""

import ctypes
import time
from pipes import on_ranks

import numpy

from binding import Refused, numbers, texts

RANKS = 3
FULL = numpy.arange(7 * 10, dtype="float64").reshape(7, 10)


def cut(lib, dim, count):
    spec = lib.made(lib.spec_new_chunk, dim, texts(*(f"rank:{i % RANKS}" for i in range(count))),
                    count)
    metadata = lib.made(lib.spec_build_metadata, spec, numbers(FULL.shape), 2, None)
    lib.spec_free(spec)
    return metadata


def own_parts(lib, metadata, rank):
    """The slices of the tensor that this rank owns, in the order of its shards."""
    count = lib.number(lib.metadata_shard_count, metadata, kind=ctypes.c_size_t)
    owned, needed = (ctypes.c_size_t * count)(), ctypes.c_size_t()
    lib.metadata_shards_of_rank(metadata, rank, owned, count, ctypes.byref(needed))
    boxes = []
    for index in owned[:needed.value]:
        offsets, sizes = numpy.empty((2, 2), numpy.int64)
        lib.metadata_get_shard(metadata, index, numbers(offsets), numbers(sizes), 2)
        boxes.append(tuple(slice(o, o + s) for o, s in zip(offsets.tolist(), sizes.tolist())))
    return boxes


def shard_and_gather(lib, transport):
    rank = transport.pipes.rank
    for dim, count in [(0, 3), (1, 3), (1, 4), (0, 8)]:
        metadata = cut(lib, dim, count)
        boxes = own_parts(lib, metadata, rank)
        shards = [numpy.full_like(FULL[box], -1, order="C") for box in boxes]
        full = ctypes.byref(lib.view(FULL)) if rank == 1 else None
        lib.comm_scatter(transport.handle, metadata, 1, full, lib.views(shards), len(shards), None)
        assert all(numpy.array_equal(s, FULL[box]) for s, box in zip(shards, boxes))
        back = numpy.zeros_like(FULL)
        lib.comm_gather(transport.handle, metadata, lib.ALL_RANKS, lib.views(shards), len(shards),
                        ctypes.byref(lib.view(back)), None)
        assert numpy.array_equal(back, FULL)
        lib.metadata_free(metadata)
    return transport.exchanges > 0


def disagree(lib, transport):
    rank = transport.pipes.rank
    metadata = cut(lib, 0, 3)
    shard = numpy.zeros([(3, 10), (3, 10), (1, 10)][rank] if rank != 2 else (2, 9))
    start = time.monotonic()
    try:
        lib.comm_scatter(transport.handle, metadata, 0, ctypes.byref(lib.view(FULL)),
                       lib.views([shard]), 1, None)
    except Refused as refused:
        assert time.monotonic() - start < 1 and not shard.any()
        return refused.name, refused.got, str(refused)


def fail(lib, transport):
    metadata = cut(lib, 0, 3)
    shard = numpy.zeros([(3, 10), (3, 10), (1, 10)][transport.pipes.rank])
    arguments = (transport.handle, metadata, 0, ctypes.byref(lib.view(FULL)), lib.views([shard]),
                 1, None)
    transport.fails = OSError("the cable is cut")
    try:
        lib.comm_scatter(*arguments)
    except Refused as refused:
        told = refused.status, str(refused)
    transport.fails = None
    lib.comm_scatter(*arguments)
    assert shard.any()
    return told


def test_a_transport_written_in_python_shards_and_gathers():
    assert on_ranks(RANKS, shard_and_gather) == [True] * RANKS


def test_processes_that_disagree_are_all_told_why():
    *others, culprit = on_ranks(RANKS, disagree)
    assert culprit[0] == "SHAPE_MISMATCH"
    for name, rank, message in others:
        assert (name, rank) == ("DISAGREEMENT", 2)
        assert "rank 2" in message and "size 2 in dimension 0, expected 1" in message


def test_what_a_python_transport_raises_reaches_its_caller():
    assert on_ranks(RANKS, fail) == [(1000, "OSError('the cable is cut')")] * RANKS
