"""The shard and the place of an element, and the inverse."""

from __future__ import annotations

import ctypes
from array import array
from collections.abc import Iterable
from typing import Any

from ._arrays import integers, listed, pointer, room, tuples
from ._library import lib
from .metadata import ShardedTensorMetadata, metadata_of


def shards_in_box(metadata: ShardedTensorMetadata, offsets: Iterable[int],
                  sizes: Iterable[int]) -> list[int]:
    """Returns the indices of the shards that share an element with a box, in ascending order."""
    metadata_of("metadata", metadata)
    start, length = integers("offsets", offsets), integers("sizes", sizes)
    if len(start) != len(length):
        raise lib.refused("NDIM_MISMATCH", f"offsets: {len(start)} dimensions, but sizes has "
                          f"{len(length)}", got=len(start), limit=len(length))
    box, needed = (pointer(start), pointer(length), len(start)), ctypes.c_size_t()
    lib.metadata_shards_in_box(metadata, *box, None, 0, ctypes.byref(needed))
    found = (ctypes.c_size_t * needed.value)()
    lib.metadata_shards_in_box(metadata, *box, found, needed.value, None)
    return list(found)


def owner_of(metadata: ShardedTensorMetadata, element: Iterable[int]) -> int:
    """Returns the shard that owns the element at an index."""
    metadata_of("metadata", metadata)
    index = integers("element", element)
    return int(lib.answer(ctypes.c_size_t, lib.metadata_shard_at, metadata, pointer(index),
                          len(index)))


def locate(metadata: ShardedTensorMetadata,
           elements: Iterable[Iterable[int]]) -> list[tuple[int, tuple[int, ...]]]:
    """Returns, for each index in the tensor, the shard that owns the element, and the index in this
    shard.

    >>> from shardspec import ChunkShardingSpec
    >>> rows = ChunkShardingSpec(0, ["rank:0", "rank:1"]).build_metadata((4, 3))
    >>> locate(rows, [(0, 2), (3, 1)])
    [(0, (0, 2)), (1, (1, 1))]
    """
    ndim = len(metadata_of("metadata", metadata).size)
    rows, count = _rows("elements", elements, ndim)
    buffer_ndim = metadata._buffer_ndim()
    shards, local = (ctypes.c_size_t * count)(), room(count * buffer_ndim)
    lib.metadata_locate(metadata, pointer(rows), count, shards, pointer(local))
    return list(zip(shards, tuples(local, buffer_ndim, count)))


def globalize(metadata: ShardedTensorMetadata,
              places: Iterable[tuple[int, Iterable[int]]]) -> list[tuple[int, ...]]:
    """The inverse of `locate`. Returns the index in the tensor for each pair of a shard and an
    index in this shard.
    """
    ndim = len(metadata_of("metadata", metadata).size)
    pairs = [listed(f"places[{number}]", place, "a shard and an index in it")
             for number, place in enumerate(listed("places", places, "shards and indices"))]
    for number, pair in enumerate(pairs):
        if len(pair) != 2:
            raise TypeError(f"places[{number}]: a shard and an index in it, not {len(pair)} values")
    local, count = _rows("places", [place for _, place in pairs], metadata._buffer_ndim())
    shards = (ctypes.c_size_t * count)(*(metadata._index(shard, "places") for shard, _ in pairs))
    elements = room(count * ndim)
    lib.metadata_globalize(metadata, shards, pointer(local), count, pointer(elements))
    return tuples(elements, ndim, count)


def _rows(argument: str, rows: Iterable[Iterable[int]], ndim: int) -> tuple[Any, int]:
    """Numbers of rows of that many, and how many rows there are."""
    numbers, count = array("q"), 0
    for count, row in enumerate(listed(argument, rows, "indices in the tensor"), start=1):
        one = integers(f"{argument}[{count - 1}]", row)
        if len(one) != ndim:
            raise lib.refused("NDIM_MISMATCH", f"{argument}[{count - 1}]: {len(one)} numbers for "
                              f"{ndim} dimensions", index=count - 1, got=len(one), limit=ndim)
        numbers.extend(one)
    return numbers, count
