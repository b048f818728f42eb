"""Specs and metadata of torch's ShardedTensor, and metadata of its distributed checkpoints."""

from __future__ import annotations

import importlib
from array import array
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from ._arrays import room, tuples
from ._library import lib
from ._torch_common import needs, torch_dtype, unsayable
from ._words import described
from .extents import Extents
from .metadata import ShardedTensorMetadata, build, metadata_of
from .placement import Placements, as_placement, as_placements
from .properties import TensorProperties
from .shard import ShardMetadata, pack
from .sharded_tensor import ShardedTensor
from .spec import ChunkShardingSpec, EnumerableShardingSpec

if TYPE_CHECKING:
    from torch.distributed._shard import sharding_spec  # type: ignore[import-not-found]
    from torch.distributed._shard.metadata import (  # type: ignore[import-not-found]
        ShardMetadata as TorchShard,
    )
    from torch.distributed._shard.sharded_tensor import (  # type: ignore[import-not-found]
        ShardedTensor as TorchShardedTensor,
    )
    from torch.distributed._shard.sharded_tensor.metadata import (  # type: ignore[import-not-found]
        ShardedTensorMetadata as TorchMetadata,
    )
    from torch.distributed.checkpoint.metadata import (  # type: ignore[import-not-found]
        ChunkStorageMetadata,
        TensorStorageMetadata,
    )

SHARDED = "torch.distributed._shard.sharded_tensor.metadata"
STORED = "torch.distributed.checkpoint.metadata"


def from_sharded_tensor(tensor: TorchShardedTensor) -> ShardedTensor:
    """Converts torch's sharded tensor to a sharded tensor of this package, with the same memory."""
    needs("tensor", tensor, "a ShardedTensor of torch", "local_shards", "metadata")
    return ShardedTensor.from_local_shards(tensor.local_shards(),
                                           from_sharded_tensor_metadata(tensor.metadata()))


def to_sharded_tensor(tensor: ShardedTensor, process_group: Any = None) -> TorchShardedTensor:
    """Converts a sharded tensor to torch's sharded tensor, with the same memory.

    torch requires placements on the ranks of the process group. The local shards must be exactly
    the shards of this rank.
    """
    if not isinstance(tensor, ShardedTensor):
        raise TypeError(f"tensor: a ShardedTensor, not {described(tensor)}")
    torch, metadata = importlib.import_module("torch"), to_sharded_tensor_metadata(tensor.metadata())
    module = importlib.import_module("torch.distributed._shard.sharded_tensor")
    local = [module.Shard(torch.from_dlpack(shard.tensor), metadata.shards_metadata[index])
             for index, shard in zip(tensor.local_indices(), tensor.local_shards())]
    return module.ShardedTensor._init_from_local_shards_and_global_metadata(
        local, metadata, process_group=process_group)


def from_shard_metadata(shard: TorchShard) -> ShardMetadata:
    """Converts torch's shard to a shard of this package.

    >>> from_shard_metadata(to_shard_metadata(ShardMetadata([0, 4], [2, 4], "rank:1")))
    ShardMetadata(shard_offsets=[0, 4], shard_sizes=[2, 4], placement=rank:1/cpu)
    """
    needs("shard", shard, "a ShardMetadata of torch", "shard_offsets", "shard_sizes", "placement")
    return ShardMetadata(shard.shard_offsets, shard.shard_sizes, shard.placement)


def to_shard_metadata(shard: ShardMetadata) -> TorchShard:
    """Converts a shard to torch's shard. The function refuses a shard that is not a box."""
    _box(shard)
    module = importlib.import_module("torch.distributed._shard.metadata")
    return module.ShardMetadata([*shard.shard_offsets], [*shard.shard_sizes],
                                None if shard.placement is None else str(shard.placement))


def from_sharding_spec(spec: sharding_spec.ShardingSpec) -> ChunkShardingSpec | EnumerableShardingSpec:
    """Converts torch's `ChunkShardingSpec` or `EnumerableShardingSpec` to a spec of this
    package."""
    kind = type(spec).__name__
    if kind == "ChunkShardingSpec":
        return ChunkShardingSpec(spec.dim, spec.placements)
    if kind == "EnumerableShardingSpec":
        return EnumerableShardingSpec(map(from_shard_metadata, spec.shards))
    raise TypeError(f"spec: torch's ChunkShardingSpec or EnumerableShardingSpec, not {described(spec)}")


def to_sharding_spec(spec: ChunkShardingSpec | EnumerableShardingSpec) -> sharding_spec.ShardingSpec:
    """Converts a `ChunkShardingSpec` or an `EnumerableShardingSpec` to torch's spec.

    >>> to_sharding_spec(ChunkShardingSpec(0, ["rank:0/cuda:0", "rank:1/cuda:1"]))
    ChunkShardingSpec(dim=0, placements=[rank:0/cuda:0, rank:1/cuda:1])
    """
    module = importlib.import_module("torch.distributed._shard.sharding_spec")
    if isinstance(spec, ChunkShardingSpec):
        return module.ChunkShardingSpec(spec.dim, [*map(str, spec.placements)])
    if isinstance(spec, EnumerableShardingSpec):
        return module.EnumerableShardingSpec([to_shard_metadata(from_shard_metadata(one))
                                              for one in spec.shards])
    raise TypeError(f"spec: a ChunkShardingSpec or an EnumerableShardingSpec, not {described(spec)}")


def from_sharded_tensor_metadata(metadata: TorchMetadata) -> ShardedTensorMetadata:
    """Converts the metadata of torch's `ShardedTensor` to metadata of this package.

    The shards must cover the tensor and must not overlap.
    """
    needs("metadata", metadata, "a ShardedTensorMetadata of torch", "shards_metadata", "size",
           "tensor_properties")
    return ShardedTensorMetadata(metadata.shards_metadata, metadata.size,
                                 _properties(metadata.tensor_properties))


def to_sharded_tensor_metadata(metadata: ShardedTensorMetadata) -> TorchMetadata:
    """Converts metadata to the metadata of torch's `ShardedTensor`.

    The metadata must state its element type. The function refuses replicas, and shards that are not
    boxes.

    >>> spec = ChunkShardingSpec(0, ["rank:0", "rank:1"])
    >>> theirs = to_sharded_tensor_metadata(spec.build_metadata((4, 2), TensorProperties("float32")))
    >>> theirs.size, len(theirs.shards_metadata)
    (torch.Size([4, 2]), 2)
    """
    if metadata_of("metadata", metadata).has_replicas:
        raise unsayable("metadata", "shards that are replicas; a ShardedTensor has none")
    shards, placements = _rows(metadata)
    module = importlib.import_module(SHARDED)
    shard, remote = (getattr(importlib.import_module(f"torch.distributed.{name}"), kind)
                     for name, kind in (("_shard.metadata", "ShardMetadata"),
                                        ("remote_device", "_remote_device")))
    where = [remote(str(placement)) for placement in placements]
    return module.ShardedTensorMetadata(
        [shard([*offsets], [*sizes], where[index]) for offsets, sizes, index in shards],
        _size(metadata), _stated(SHARDED, metadata))


def from_storage_metadata(stored: TensorStorageMetadata,
                          placements: Sequence[Any] | None = None) -> ShardedTensorMetadata:
    """Returns the metadata of a tensor in a distributed checkpoint.

    A stored chunk has no owner. `placements` has one placement for each chunk. Without
    `placements`, all chunks are on "cpu".
    """
    needs("stored", stored, "a TensorStorageMetadata", "chunks", "size", "properties")
    boxes = pack("stored", stored.chunks, ndim=len(stored.size), unplaced=True)
    where = [as_placement("cpu")] if placements is None else as_placements("placements", placements)
    count = len(boxes.indices)
    if placements is not None and len(where) != count:
        raise lib.refused("INVALID_ARGUMENT", f"placements: {len(where)} for {count} chunks; pass one for "
                          "each", got=len(where), limit=count)
    numbers = room(count, "I") if placements is None else array("I", range(count))
    spec = boxes._replace(placements=Placements(where), indices=numbers).make(lib.spec_new_enumerable,
                                                                              "stored")
    try:
        return ShardedTensorMetadata._of(build(spec, stored.size, _properties(stored.properties),
                                               argument="stored"))
    finally:
        lib.spec_free(spec)


def to_storage_metadata(metadata: ShardedTensorMetadata) -> TensorStorageMetadata:
    """Converts metadata to the description of a tensor in a distributed checkpoint.

    The description has one chunk for each set of replicas, and one chunk for each other shard. The
    metadata must state its element type. The function refuses shards that are not boxes.

    >>> spec = ChunkShardingSpec(0, ["rank:0", "rank:1"])
    >>> theirs = to_storage_metadata(spec.build_metadata((4, 2), TensorProperties("float32")))
    >>> theirs.chunks[1]
    ChunkStorageMetadata(offsets=torch.Size([2, 0]), sizes=torch.Size([2, 2]))
    """
    shards, _ = _rows(metadata)
    module, size = importlib.import_module(STORED), importlib.import_module("torch").Size
    boxes: Iterable[tuple[tuple[int, ...], tuple[int, ...]]] = (shard[:2] for shard in shards)
    if metadata.has_replicas:
        boxes = dict.fromkeys(boxes)
    return module.TensorStorageMetadata(
        _stated(STORED, metadata), _size(metadata),
        [module.ChunkStorageMetadata(size(offsets), size(sizes)) for offsets, sizes in boxes])


def from_chunk(chunk: ChunkStorageMetadata) -> ShardMetadata:
    """Returns a stored chunk as a shard without a placement.

    >>> from_chunk(to_chunk(ShardMetadata([0, 4], [2, 4])))
    ShardMetadata(shard_offsets=[0, 4], shard_sizes=[2, 4], placement=None)
    """
    needs("chunk", chunk, "a ChunkStorageMetadata", "offsets", "sizes")
    return ShardMetadata(chunk.offsets, chunk.sizes)


def to_chunk(shard: ShardMetadata) -> ChunkStorageMetadata:
    """Converts the box of a shard to a stored chunk. The function refuses a shard that is not a
    box."""
    _box(shard)
    size = importlib.import_module("torch").Size
    return importlib.import_module(STORED).ChunkStorageMetadata(size(shard.shard_offsets),
                                                                size(shard.shard_sizes))


def _box(shard: Any) -> None:
    """Refuses all but shards that are boxes."""
    if not isinstance(shard, ShardMetadata):
        raise TypeError(f"shard: a ShardMetadata, not {described(shard)}")
    if shard.dim_maps is not None:
        raise _no_box("shard")


def _rows(metadata: ShardedTensorMetadata) -> tuple[list[tuple[Any, Any, int]], list[Any]]:
    """Offsets, sizes and number of the placement of each shard, and the placements."""
    extents = Extents.of(metadata_of("metadata", metadata))
    if extents.dim_maps.numbers or extents.flattening is not None:
        raise _no_box("metadata")
    offsets, sizes = (tuples(numbers, extents.ndim, len(extents.indices))
                      for numbers in (extents.offsets, extents.sizes))
    return [*zip(offsets, sizes, extents.indices)], list(extents.placements)


def _size(metadata: ShardedTensorMetadata) -> Any:
    return importlib.import_module("torch").Size(metadata.size)


def _properties(properties: Any) -> TensorProperties:
    """torch's properties of a tensor as this package's."""
    return TensorProperties(properties.dtype, properties.layout, properties.requires_grad,
                            properties.memory_format, properties.pin_memory)


def _stated(module: str, metadata: ShardedTensorMetadata) -> Any:
    """The properties of a tensor as torch's class of that module."""
    torch, properties = importlib.import_module("torch"), metadata.tensor_properties
    return importlib.import_module(module).TensorProperties(
        dtype=torch_dtype(properties.dtype), layout=getattr(torch, properties.layout),
        requires_grad=properties.requires_grad,
        memory_format=getattr(torch, properties.memory_format), pin_memory=properties.pin_memory)


def _no_box(argument: str) -> Exception:
    return unsayable(argument, "a shard that is not a box, which torch's metadata can't express")
