"""Conversions between this library and torch: `from_...` takes torch's object, `to_...` makes one.

| torch | shardspec | functions |
|---|---|---|
| `DeviceMesh` | `Mesh` | `from_device_mesh`, `to_device_mesh` |
| placements of a DTensor | `MeshShardingSpec` | `from_placements`, `to_placements` |
| `DTensorSpec` | `MeshShardingSpec` | `from_dtensor_spec`, `to_dtensor_spec` |
| `DTensor` | `ShardedTensor` | `from_dtensor`, `to_dtensor` |
| `ShardedTensor` | the same | `from_sharded_tensor`, `to_sharded_tensor` |
| `ChunkShardingSpec`, `EnumerableShardingSpec` | the same | `from_sharding_spec`, `to_sharding_spec` |
| `ShardMetadata` | the same | `from_shard_metadata`, `to_shard_metadata` |
| `ShardedTensorMetadata` | the same | `from_sharded_tensor_metadata`, `to_sharded_tensor_metadata` |
| `TensorStorageMetadata` of a checkpoint | `ShardedTensorMetadata` | `from_storage_metadata`, `to_storage_metadata` |
| `ChunkStorageMetadata` of a checkpoint | `ShardMetadata` | `from_chunk`, `to_chunk` |

`patch` puts this library in the place of functions of torch that are slow for many shards. torch is
imported by the functions that need it, and not with this module.
"""

from __future__ import annotations

import importlib
import math
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from ._arrays import described, integers, listed, tuples
from ._library import lib
from ._torch_patch import Patch, patch, unpatch
from .cuts import Cut
from .extents import Extents
from .mesh import Mesh
from .mesh_spec import MeshShardingSpec
from .metadata import ShardedTensorMetadata, metadata_of
from .placement import Placement
from .properties import TensorProperties
from .shard import ShardMetadata
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
    from torch.distributed.device_mesh import DeviceMesh  # type: ignore[import-not-found]
    from torch.distributed.tensor import DTensor  # type: ignore[import-not-found]
    from torch.distributed.tensor._dtensor_spec import (  # type: ignore[import-not-found]
        DTensorSpec,
    )
    from torch.distributed.tensor.placement_types import (  # type: ignore[import-not-found]
        Placement as TorchPlacement,
    )

__all__ = [
    "Patch",
    "from_chunk",
    "from_device_mesh",
    "from_dtensor",
    "from_dtensor_spec",
    "from_placements",
    "from_shard_metadata",
    "from_sharded_tensor",
    "from_sharded_tensor_metadata",
    "from_sharding_spec",
    "from_storage_metadata",
    "patch",
    "to_chunk",
    "to_device_mesh",
    "to_dtensor",
    "to_dtensor_spec",
    "to_placements",
    "to_shard_metadata",
    "to_sharded_tensor",
    "to_sharded_tensor_metadata",
    "to_sharding_spec",
    "to_storage_metadata",
    "unpatch",
]

SHARDED = "torch.distributed._shard.sharded_tensor.metadata"
STORED = "torch.distributed.checkpoint.metadata"


def from_device_mesh(device_mesh: DeviceMesh) -> Mesh:
    """Returns the mesh of the ranks of a `DeviceMesh`. Its axes without names are "dim_0", "dim_1"
    and so on.

    The device of a placement has the type of the mesh and no number, as in "rank:3/cuda".
    """
    _needs("device_mesh", device_mesh, "a DeviceMesh", "mesh", "mesh_dim_names", "device_type")
    ranks = device_mesh.mesh
    names = device_mesh.mesh_dim_names or [*map(_unnamed, range(ranks.ndim))]
    return Mesh(dict(zip(names, ranks.shape)),
                [f"rank:{rank}/{device_mesh.device_type}" for rank in ranks.flatten().tolist()])


def to_device_mesh(mesh: Mesh, device_type: str | None = None) -> DeviceMesh:
    """Returns the `DeviceMesh` of a mesh of ranks.

    Its type of devices is that of the placements, or `device_type`. As `DeviceMesh` does, the call
    makes process groups, so all ranks make it.
    """
    if not isinstance(mesh, Mesh):
        raise TypeError(f"mesh: a Mesh, not {described(mesh)}")
    placements, axes = mesh.placements, mesh.axes
    ranks = [placement.rank() for placement in placements]
    if None in ranks:
        raise _unsayable("mesh", f"{placements[ranks.index(None)]} is no rank, and a DeviceMesh has "
                         "ranks only")
    types = {str(one.device().type) for one in placements if isinstance(one, Placement)}
    if device_type is None and len(types) != 1:
        raise _unsayable("mesh", f"devices of {len(types)} types: {', '.join(sorted(types))}; pass "
                         "device_type")
    names = None if [*axes] == [*map(_unnamed, range(len(axes)))] else (*axes,)
    torch = importlib.import_module("torch")
    device_mesh = importlib.import_module("torch.distributed.device_mesh")
    return device_mesh.DeviceMesh(device_type or types.pop(),
                                  torch.tensor(ranks).reshape(*axes.values()), mesh_dim_names=names)


def from_placements(placements: Iterable[TorchPlacement],
                    device_mesh: DeviceMesh | Mesh) -> MeshShardingSpec:
    """Returns the spec of the placements of a DTensor over a mesh.

    `Shard`, `_StridedShard`, `Replicate` and `Partial` are converted. Others are refused by name.

    >>> from torch.distributed.tensor import Replicate, Shard
    >>> from_placements([Shard(0), Replicate()], Mesh({"dp": 2, "tp": 4})).cuts
    (Cut(dim=0, axis='dp'),)
    """
    mesh = device_mesh if isinstance(device_mesh, Mesh) else from_device_mesh(device_mesh)
    return _spec(mesh, listed("placements", placements, "placements"), None)


def to_placements(spec: MeshShardingSpec, ndim: int | None = None) -> tuple[TorchPlacement, ...]:
    """Returns the placements of a DTensor that is cut by a spec, one for each axis of its mesh.

    `ndim` is the number of dimensions of the tensor. It is needed if the spec has cuts of dimensions
    that are counted from the last one. A spec that placements can't express is refused with the
    reason.

    >>> to_placements(MeshShardingSpec(Mesh({"dp": 2, "tp": 4}), [Cut(-1, "tp")]), ndim=2)
    (Replicate(), Shard(dim=1))
    """
    tokens = _tokens(spec, ndim)
    types = importlib.import_module("torch.distributed.tensor.placement_types")
    return tuple(
        types.Shard(int(arguments)) if kind == "S"
        else _strided(types, *map(int, arguments.split(","))) if kind == "_S"
        else types.Partial(arguments) if kind == "P" else types.Replicate()
        for kind, arguments in tokens)


def _tokens(spec: MeshShardingSpec, ndim: int | None) -> list[tuple[str, str]]:
    """Kind and arguments of each placement."""
    if not isinstance(spec, MeshShardingSpec):
        raise TypeError(f"spec: a MeshShardingSpec, not {described(spec)}")
    return re.findall(r"(_S|S|R|P)(?:\(([^)]*)\))?", spec.format("dtensor", ndim))


def _strided(types: Any, dim: int, factor: int) -> Any:
    return types._StridedShard(dim, split_factor=factor)


def from_dtensor_spec(spec: DTensorSpec) -> MeshShardingSpec:
    """Returns the spec of a `DTensorSpec`. Cuts of one dimension are applied in its `shard_order`."""
    _needs("spec", spec, "a DTensorSpec", "mesh", "placements")
    return _spec(from_device_mesh(spec.mesh), list(spec.placements),
                 getattr(spec, "shard_order", None))


def to_dtensor_spec(spec: MeshShardingSpec, size: Iterable[int], dtype: Any = "float32",
                    device_mesh: DeviceMesh | None = None) -> DTensorSpec:
    """Returns the `DTensorSpec` of a tensor of that size, contiguous and cut by a spec.

    Without a `DeviceMesh`, one is made, by all ranks together.
    """
    sizes = tuple(integers("size", size))
    _tokens(spec, len(sizes))
    torch = importlib.import_module("torch")
    module = importlib.import_module("torch.distributed.tensor._dtensor_spec")
    meta = module.TensorMeta(torch.Size(sizes), _row_major(sizes),
                             _dtype(TensorProperties(dtype).dtype))
    return module.DTensorSpec(device_mesh or to_device_mesh(spec.mesh),
                              to_placements(spec, len(sizes)), meta)


def from_dtensor(tensor: DTensor) -> ShardedTensor:
    """Returns the sharded tensor of a DTensor, with the same memory.

    Its local shard is this rank's. A rank outside of the mesh has none.
    """
    _needs("tensor", tensor, "a DTensor", "_spec", "to_local", "device_mesh")
    spec, local = from_dtensor_spec(tensor._spec), tensor.to_local().detach()
    metadata = spec.build_metadata(tensor.shape, TensorProperties(
        tensor.dtype, requires_grad=tensor.requires_grad))
    at = tensor.device_mesh.get_coordinate()
    if at is None:
        return ShardedTensor.from_local_shards([], metadata)
    index = 0
    for coordinate, count in zip(at, spec.mesh.axes.values()):
        index = index * count + coordinate
    return ShardedTensor.from_local_shards([(index, local)], metadata)


def to_dtensor(tensor: ShardedTensor, spec: MeshShardingSpec,
               device_mesh: DeviceMesh | None = None) -> DTensor:
    """Returns the DTensor of a sharded tensor with one local shard, with the same memory.

    `spec` is the spec that cut the tensor. Without a `DeviceMesh`, one is made, by all ranks
    together.
    """
    if not isinstance(tensor, ShardedTensor):
        raise TypeError(f"tensor: a ShardedTensor, not {described(tensor)}")
    metadata = tensor.metadata()
    sizes = metadata.size
    placements = to_placements(spec, len(sizes))
    if spec.build_metadata(sizes, metadata.tensor_properties) != metadata:
        raise lib.refused("INVALID_ARGUMENT", f"spec: {spec} does not cut the tensor into its shards")
    torch = importlib.import_module("torch")
    module = importlib.import_module("torch.distributed.tensor")
    local = torch.from_dlpack(tensor.local_tensor())
    return module.DTensor.from_local(
        local, device_mesh or to_device_mesh(spec.mesh), placements, run_check=False,
        shape=torch.Size(sizes), stride=_row_major(sizes))


def from_sharded_tensor(tensor: TorchShardedTensor) -> ShardedTensor:
    """Returns torch's sharded tensor as this package's, with the same memory."""
    _needs("tensor", tensor, "a ShardedTensor of torch", "local_shards", "metadata")
    return ShardedTensor.from_local_shards(tensor.local_shards(),
                                           from_sharded_tensor_metadata(tensor.metadata()))


def to_sharded_tensor(tensor: ShardedTensor, process_group: Any = None) -> TorchShardedTensor:
    """Returns a sharded tensor as torch's, with the same memory.

    torch asks for placements on the ranks of the process group. The local shards have to be those of
    this rank.
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
    """Returns torch's shard as this package's.

    >>> from_shard_metadata(to_shard_metadata(ShardMetadata([0, 4], [2, 4], "rank:1")))
    ShardMetadata(shard_offsets=[0, 4], shard_sizes=[2, 4], placement=rank:1/cpu)
    """
    _needs("shard", shard, "a ShardMetadata of torch", "shard_offsets", "shard_sizes", "placement")
    return ShardMetadata(shard.shard_offsets, shard.shard_sizes, shard.placement)


def to_shard_metadata(shard: ShardMetadata) -> TorchShard:
    """Returns a shard as torch's. A shard that is not a box is refused."""
    _box(shard)
    module = importlib.import_module("torch.distributed._shard.metadata")
    return module.ShardMetadata([*shard.shard_offsets], [*shard.shard_sizes],
                                None if shard.placement is None else str(shard.placement))


def from_sharding_spec(spec: sharding_spec.ShardingSpec) -> ChunkShardingSpec | EnumerableShardingSpec:
    """Returns torch's `ChunkShardingSpec` or `EnumerableShardingSpec` as this package's."""
    kind = type(spec).__name__
    if kind == "ChunkShardingSpec":
        return ChunkShardingSpec(spec.dim, spec.placements)
    if kind == "EnumerableShardingSpec":
        return EnumerableShardingSpec(map(from_shard_metadata, spec.shards))
    raise TypeError(f"spec: torch's ChunkShardingSpec or EnumerableShardingSpec, not {described(spec)}")


def to_sharding_spec(spec: ChunkShardingSpec | EnumerableShardingSpec) -> sharding_spec.ShardingSpec:
    """Returns a `ChunkShardingSpec` or an `EnumerableShardingSpec` as torch's.

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
    """Returns the metadata of torch's `ShardedTensor` as this package's.

    The shards must cover the tensor and must not overlap.
    """
    _needs("metadata", metadata, "a ShardedTensorMetadata of torch", "shards_metadata", "size",
           "tensor_properties")
    return ShardedTensorMetadata(metadata.shards_metadata, metadata.size,
                                 _properties(metadata.tensor_properties))


def to_sharded_tensor_metadata(metadata: ShardedTensorMetadata) -> TorchMetadata:
    """Returns metadata as that of torch's `ShardedTensor`.

    The metadata must state its element type. Shards that are not boxes, and replicas, are refused.

    >>> spec = ChunkShardingSpec(0, ["rank:0", "rank:1"])
    >>> theirs = to_sharded_tensor_metadata(spec.build_metadata((4, 2), TensorProperties("float32")))
    >>> theirs.size, len(theirs.shards_metadata)
    (torch.Size([4, 2]), 2)
    """
    if metadata_of("metadata", metadata).has_replicas:
        raise _unsayable("metadata", "shards that are replicas; a ShardedTensor has none")
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

    A stored chunk has no owner. `placements` has one for each chunk. Without them, all are on "cpu".
    """
    _needs("stored", stored, "a TensorStorageMetadata", "chunks", "size", "properties")
    where = ["cpu"] * len(stored.chunks) if placements is None else listed(
        "placements", placements, "placements")
    if len(where) != len(stored.chunks):
        raise lib.refused("INVALID_ARGUMENT", f"placements: {len(where)} for {len(stored.chunks)} "
                          "chunks; pass one for each", got=len(where), limit=len(stored.chunks))
    return ShardedTensorMetadata(
        [ShardMetadata(chunk.offsets, chunk.sizes, placement)
         for chunk, placement in zip(stored.chunks, where)], stored.size,
        _properties(stored.properties))


def to_storage_metadata(metadata: ShardedTensorMetadata) -> TensorStorageMetadata:
    """Returns metadata as that of a tensor in a distributed checkpoint.

    It has a chunk for each shard. Of replicas, it has one. The metadata must state its element type.
    Shards that are not boxes are refused.

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
    _needs("chunk", chunk, "a ChunkStorageMetadata", "offsets", "sizes")
    return ShardMetadata(chunk.offsets, chunk.sizes)


def to_chunk(shard: ShardMetadata) -> ChunkStorageMetadata:
    """Returns the box of a shard as a stored chunk. A shard that is not a box is refused."""
    _box(shard)
    size = importlib.import_module("torch").Size
    return importlib.import_module(STORED).ChunkStorageMetadata(size(shard.shard_offsets),
                                                                size(shard.shard_sizes))


def _spec(mesh: Mesh, placements: list[Any], order: Any) -> MeshShardingSpec:
    """The spec of placements; `order` has the axes of each dimension, in the order of their cuts."""
    axes = [*mesh.axes]
    if len(placements) != len(axes):
        raise lib.refused("INVALID_ARGUMENT", f"placements: {len(placements)} for the {len(axes)} axes "
                          f"of the mesh {mesh}", got=len(placements), limit=len(axes))
    cuts: dict[str, Cut] = {}
    partial: dict[str, str] = {}
    for axis, placement in zip(axes, placements):
        # A subclass is a placement with a meaning of its own.
        kind = type(placement).__name__
        if kind == "Shard":
            cuts[axis] = Cut(placement.dim, axis)
        elif kind == "_StridedShard":
            cuts[axis] = Cut(placement.dim, axis, segments=int(placement.split_factor))
        elif kind == "Partial":
            partial[axis] = placement.reduce_op
        elif kind != "Replicate":
            raise _unsayable("placements", f"{placement!r} over axis {axis!r} is not interpreted")
    first = [axes[number] for _, numbers in order or () for number in numbers]
    ordered = [*dict.fromkeys(first), *(axis for axis in axes if axis not in first)]
    return MeshShardingSpec(mesh, [cuts[axis] for axis in ordered if axis in cuts], partial=partial)


def _needs(argument: str, value: Any, kind: str, *attributes: str) -> None:
    """Refuses what does not have the attributes of torch's class."""
    if not all(hasattr(value, attribute) for attribute in attributes):
        raise TypeError(f"{argument}: {kind}, not {described(value)}")


def _box(shard: Any) -> None:
    """Refuses what is not a shard that is a box."""
    if not isinstance(shard, ShardMetadata):
        raise TypeError(f"shard: a ShardMetadata, not {described(shard)}")
    if shard.dim_maps is not None:
        raise _no_box("shard")


def _unnamed(dim: int) -> str:
    """The axis of a DeviceMesh without names."""
    return f"dim_{dim}"


def _row_major(sizes: tuple[int, ...]) -> tuple[int, ...]:
    """The strides of a contiguous tensor."""
    return tuple(math.prod(max(size, 1) for size in sizes[dim + 1:]) for dim in range(len(sizes)))


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
        dtype=_dtype(properties.dtype), layout=getattr(torch, properties.layout),
        requires_grad=properties.requires_grad,
        memory_format=getattr(torch, properties.memory_format), pin_memory=properties.pin_memory)


def _dtype(name: str | None) -> Any:
    if name is None:
        raise lib.refused("INVALID_ARGUMENT", "metadata: it states no element type, which torch needs; "
                          "build it with TensorProperties")
    found = getattr(importlib.import_module("torch"), name, None)
    if found is None:
        raise _unsayable("dtype", f"torch has no {name}")
    return found


def _unsayable(argument: str, problem: str) -> Exception:
    return lib.refused("UNSUPPORTED", f"{argument}: {problem}")


def _no_box(argument: str) -> Exception:
    return _unsayable(argument, "a shard that is not a box, which torch's metadata can't express")
