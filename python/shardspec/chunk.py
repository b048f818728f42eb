"""The arithmetic of chunks, by torch's names."""

from __future__ import annotations

import ctypes

from ._arrays import instance
from ._library import lib
from .spec import ChunkShardingSpec


def get_split_size(dim_size: int, chunks: int) -> int:
    """Returns the number of elements of a full chunk if `dim_size` elements are cut into `chunks`
    chunks.
    """
    return int(lib.answer(ctypes.c_int64, lib.chunk_split_size, dim_size, chunks))


def get_chunked_dim_size(dim_size: int, split_size: int, idx: int) -> int:
    """Returns the number of elements of chunk `idx` if `dim_size` elements are cut into pieces of
    `split_size`.
    """
    return int(lib.answer(ctypes.c_int64, lib.chunk_dim_size, dim_size, split_size, idx))


def get_chunk_sharding_params(sharding_dim_size: int, world_size: int, spec: ChunkShardingSpec,
                              rank: int) -> tuple[int, int]:
    """Returns the start and the length of the chunk of `rank`. A dimension of `sharding_dim_size` elements
    is cut for `world_size` workers, in the order of the spec's placements."""
    instance("spec", spec, ChunkShardingSpec)
    start, size = ctypes.c_int64(), ctypes.c_int64()
    lib.chunk_sharding_params(spec, sharding_dim_size, world_size, rank, ctypes.byref(start),
                              ctypes.byref(size))
    return start.value, size.value
