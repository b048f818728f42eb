"""Device meshes, placements and tensors of torch's DTensor."""

from __future__ import annotations

import importlib
import math
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ._arrays import integers, listed
from ._library import lib
from ._torch_common import needs, torch_dtype, unsayable
from ._words import described
from .cuts import Cut
from .mesh import Mesh
from .mesh_spec import MeshShardingSpec
from .placement import Placement
from .properties import TensorProperties
from .sharded_tensor import ShardedTensor

if TYPE_CHECKING:
    from torch.distributed.device_mesh import DeviceMesh  # type: ignore[import-not-found]
    from torch.distributed.tensor import DTensor  # type: ignore[import-not-found]
    from torch.distributed.tensor._dtensor_spec import (  # type: ignore[import-not-found]
        DTensorSpec,
    )
    from torch.distributed.tensor.placement_types import (  # type: ignore[import-not-found]
        Placement as TorchPlacement,
    )


def from_device_mesh(device_mesh: DeviceMesh) -> Mesh:
    """Converts a `DeviceMesh` to a mesh of ranks. Axes without names get the names "dim_0", "dim_1"
    and so on.

    The device of a placement has the type of the mesh and no number: "rank:3/cuda".
    """
    needs("device_mesh", device_mesh, "a DeviceMesh", "mesh", "mesh_dim_names", "device_type")
    ranks = device_mesh.mesh
    names = device_mesh.mesh_dim_names or [*map(_unnamed, range(ranks.ndim))]
    return Mesh(dict(zip(names, ranks.shape)),
                [f"rank:{rank}/{device_mesh.device_type}" for rank in ranks.flatten().tolist()])


def to_device_mesh(mesh: Mesh, device_type: str | None = None) -> DeviceMesh:
    """Returns the `DeviceMesh` of a mesh of ranks.

    The type of devices comes from the placements, or from `device_type`. The function makes process
    groups, like torch's `DeviceMesh`, so all ranks must call the function.
    """
    if not isinstance(mesh, Mesh):
        raise TypeError(f"mesh: a Mesh, not {described(mesh)}")
    placements, axes = mesh.placements, mesh.axes
    ranks = [placement.rank() for placement in placements]
    if None in ranks:
        raise unsayable("mesh", f"{placements[ranks.index(None)]} is no rank, and a DeviceMesh has "
                         "ranks only")
    types = {str(one.device().type) for one in placements if isinstance(one, Placement)}
    if device_type is None and len(types) != 1:
        raise unsayable("mesh", f"devices of {len(types)} types: {', '.join(sorted(types))}; pass "
                         "device_type")
    names = None if [*axes] == [*map(_unnamed, range(len(axes)))] else (*axes,)
    torch = importlib.import_module("torch")
    device_mesh = importlib.import_module("torch.distributed.device_mesh")
    return device_mesh.DeviceMesh(device_type or types.pop(),
                                  torch.tensor(ranks).reshape(*axes.values()), mesh_dim_names=names)


def from_placements(placements: Iterable[TorchPlacement],
                    device_mesh: DeviceMesh | Mesh) -> MeshShardingSpec:
    """Returns the spec of the placements of a DTensor over a mesh.

    The function converts `Shard`, `_StridedShard`, `Replicate` and `Partial`. For any other
    placement, the function raises an error that names the placement.

    >>> from torch.distributed.tensor import Replicate, Shard
    >>> from_placements([Shard(0), Replicate()], Mesh({"dp": 2, "tp": 4})).cuts
    (Cut(dim=0, axis='dp'),)
    """
    mesh = device_mesh if isinstance(device_mesh, Mesh) else from_device_mesh(device_mesh)
    return _spec(mesh, listed("placements", placements, "placements"), None)


def to_placements(spec: MeshShardingSpec, ndim: int | None = None) -> tuple[TorchPlacement, ...]:
    """Returns the placements of a DTensor that is cut by a spec, one for each axis of its mesh.

    `ndim` is the number of dimensions of the tensor. Specs with cuts of negative dimensions need
    `ndim`. If placements can't express the spec, the function raises an error with the reason.

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


def from_dtensor_spec(spec: DTensorSpec) -> MeshShardingSpec:
    """Returns the spec of a `DTensorSpec`. If several axes cut one dimension, the cuts have the order
    that the `DTensorSpec` states in `shard_order`."""
    needs("spec", spec, "a DTensorSpec", "mesh", "placements")
    return _spec(from_device_mesh(spec.mesh), list(spec.placements),
                 getattr(spec, "shard_order", None))


def to_dtensor_spec(spec: MeshShardingSpec, size: Iterable[int], dtype: Any = "float32",
                    device_mesh: DeviceMesh | None = None) -> DTensorSpec:
    """Returns the `DTensorSpec` of a contiguous tensor of this size that is cut by a spec.

    Without a `DeviceMesh`, all ranks together make a `DeviceMesh`.
    """
    sizes = tuple(integers("size", size))
    _tokens(spec, len(sizes))
    torch = importlib.import_module("torch")
    module = importlib.import_module("torch.distributed.tensor._dtensor_spec")
    meta = module.TensorMeta(torch.Size(sizes), _row_major(sizes),
                             torch_dtype(TensorProperties(dtype).dtype))
    return module.DTensorSpec(device_mesh or to_device_mesh(spec.mesh),
                              to_placements(spec, len(sizes)), meta)


def from_dtensor(tensor: DTensor) -> ShardedTensor:
    """Returns the sharded tensor of a DTensor, with the same memory.

    The local shard is the shard of this rank. A rank outside of the mesh has no local shard.
    """
    needs("tensor", tensor, "a DTensor", "_spec", "to_local", "device_mesh")
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

    `spec` is the spec that cut the tensor. Without a `DeviceMesh`, all ranks together make a
    `DeviceMesh`.
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


def _tokens(spec: MeshShardingSpec, ndim: int | None) -> list[tuple[str, str]]:
    """Kind and arguments of each placement."""
    if not isinstance(spec, MeshShardingSpec):
        raise TypeError(f"spec: a MeshShardingSpec, not {described(spec)}")
    return re.findall(r"(_S|S|R|P)(?:\(([^)]*)\))?", spec.format("dtensor", ndim))


def _strided(types: Any, dim: int, factor: int) -> Any:
    return types._StridedShard(dim, split_factor=factor)


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
            raise unsayable("placements", f"{placement!r} over axis {axis!r} is not interpreted")
    first = [axes[number] for _, numbers in order or () for number in numbers]
    ordered = [*dict.fromkeys(first), *(axis for axis in axes if axis not in first)]
    return MeshShardingSpec(mesh, [cuts[axis] for axis in ordered if axis in cuts], partial=partial)


def _unnamed(dim: int) -> str:
    """The axis of a DeviceMesh without names."""
    return f"dim_{dim}"


def _row_major(sizes: tuple[int, ...]) -> tuple[int, ...]:
    """The strides of a contiguous tensor."""
    return tuple(math.prod(max(size, 1) for size in sizes[dim + 1:]) for dim in range(len(sizes)))
