"""How a tensor is cut."""

from __future__ import annotations

import abc
import ctypes
from collections.abc import Iterable, Sequence
from typing import Any

from ._arrays import pack, text, texts
from ._handle import Handle
from ._library import lib
from .errors import SpecTypeError
from .metadata import ShardedTensorMetadata, build
from .placement import Placement
from .properties import TensorProperties
from .shard import ShardMetadata


class ShardingSpec(abc.ABC):
    """Base class of everything that says how a tensor is cut."""

    @abc.abstractmethod
    def build_metadata(self, tensor_sizes: Iterable[int],
                       tensor_properties: TensorProperties | None = None,
                       ) -> ShardedTensorMetadata:
        """Who owns what of a tensor of these sizes.

        Without properties nothing is stated about its elements, and data of any type may be moved.
        """


class BuiltInSpec(Handle, ShardingSpec):
    """A spec of the library's own."""

    _free = "spec_free"

    def build_metadata(self, tensor_sizes: Iterable[int],
                       tensor_properties: TensorProperties | None = None, *,
                       dim_names: Sequence[str] | None = None) -> ShardedTensorMetadata:
        """Who owns what of a tensor of these sizes; `dim_names` are names of its dimensions."""
        return ShardedTensorMetadata._of(
            build(self, tensor_sizes, tensor_properties, dim_names))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, BuiltInSpec):
            return NotImplemented
        return bool(lib.answer(ctypes.c_int32, lib.spec_equal, self, other))

    def __hash__(self) -> int:
        return int(lib.answer(ctypes.c_uint64, lib.spec_hash, self))


class ChunkShardingSpec(BuiltInSpec):
    """Cuts one dimension into as many equal chunks as there are placements, as `torch.chunk` does.

    `dim` is a number, counted from the last dimension where it is negative, or the name of a
    dimension. The last chunks may be shorter, or empty.
    """

    def __init__(self, dim: int | str, placements: Iterable[Any]) -> None:
        where = [str(placement) for placement in placements]
        new = lib.spec_new_chunk_named if isinstance(dim, str) else lib.spec_new_chunk
        cut = text("dim", dim) if isinstance(dim, str) else dim
        self._own(lib.answer(ctypes.c_void_p, new, cut, texts("placements", where), len(where)))

    @property
    def dim(self) -> int | str:
        """The dimension that is cut, as it was given."""
        try:
            return int(lib.answer(ctypes.c_int64, lib.spec_chunk_dim, self))
        except SpecTypeError:
            return lib.text(lib.spec_chunk_dim_name, self)

    @property
    def placements(self) -> list[Placement]:
        """Where the chunks live, in their order."""
        count = lib.answer(ctypes.c_size_t, lib.spec_shard_count, self)
        return [Placement._from_handle(lib.answer(ctypes.c_void_p, lib.spec_placement, self, index))
                for index in range(count)]

    def __repr__(self) -> str:
        return f"ChunkShardingSpec(dim={self.dim!r}, placements={self.placements})"

    def __reduce__(self) -> tuple[Any, ...]:
        return ChunkShardingSpec, (self.dim, self.placements)


class EnumerableShardingSpec(BuiltInSpec):
    """Lists the shards: boxes of any sizes that overlap nowhere.

    Anything that has `shard_offsets`, `shard_sizes` and `placement` is a shard, torch's too.
    """

    def __init__(self, shards: Iterable[Any]) -> None:
        listed = list(shards)
        self._own(lib.answer(ctypes.c_void_p, lib.spec_new_enumerable_flat,
                             *pack(listed).arguments()))
        self._shards = listed

    @property
    def shards(self) -> list[ShardMetadata]:
        """The shards, as they were given."""
        return list(self._shards)

    def __repr__(self) -> str:
        return f"EnumerableShardingSpec(shards={self._shards})"

    def __reduce__(self) -> tuple[Any, ...]:
        return EnumerableShardingSpec, (self._shards,)


def infer_sharding_spec_from_shards_metadata(shards_metadata: Iterable[Any]) -> BuiltInSpec:
    """The spec that cuts a tensor into these shards.

    A ChunkShardingSpec when cutting so gives exactly these boxes, in whatever order they come, and
    else an EnumerableShardingSpec of them.
    """
    shards = list(shards_metadata)
    handle = lib.answer(ctypes.c_void_p, lib.spec_infer_flat, *pack(shards).arguments())
    if lib.text(lib.spec_type_name, handle) == "chunk":
        return ChunkShardingSpec._of(handle)
    spec = EnumerableShardingSpec._of(handle)
    spec._shards = shards
    return spec
