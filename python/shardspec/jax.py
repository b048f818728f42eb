"""Conversions between this library and JAX: `from_...` takes JAX's object, `to_...` makes one.

| JAX | shardspec | functions |
|---|---|---|
| `Mesh` | `Mesh` | `from_mesh`, `to_mesh` |
| `NamedSharding` | `MeshShardingSpec` | `from_named_sharding`, `to_named_sharding` |

Only functions that need JAX import JAX.
"""

from __future__ import annotations

import ast
import importlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ._arrays import instance, listed
from ._library import lib
from ._words import described
from .mesh import Mesh
from .mesh_spec import MeshShardingSpec

if TYPE_CHECKING:
    from jax import Device  # type: ignore[import-not-found]
    from jax.sharding import Mesh as JaxMesh  # type: ignore[import-not-found]
    from jax.sharding import NamedSharding

__all__ = ["from_mesh", "from_named_sharding", "to_mesh", "to_named_sharding"]

PLATFORMS = {"gpu": "cuda", "rocm": "hip", "tpu": "xla"}
"""The types of devices that have other names in JAX."""


def from_mesh(mesh: JaxMesh) -> Mesh:
    """Converts JAX's mesh to a mesh of this package.

    The placement of a device has the rank of the process and the number of the device:
    "rank:0/cuda:3". Device i of an `AbstractMesh` is on rank i.
    """
    if not all(hasattr(mesh, name) for name in ("shape", "axis_names")):
        raise TypeError(f"mesh: a Mesh of jax, not {described(mesh)}")
    axes = dict(mesh.shape)
    if type(mesh).__name__ == "AbstractMesh":
        return Mesh(axes)
    return Mesh(axes, [*map(_placement, mesh.devices.flat)])


def to_mesh(mesh: Mesh, devices: Sequence[Device] | None = None) -> JaxMesh:
    """Converts a mesh to JAX's mesh.

    `devices` has JAX's devices in the order of the mesh, row-major. Without `devices`, the
    placements of the mesh must name JAX's devices in the form that `from_mesh` returns.
    """
    instance("mesh", mesh, Mesh)
    return _mesh(mesh, devices, frozenset())


def _mesh(mesh: Mesh, devices: Sequence[Device] | None, explicit: frozenset[str]) -> Any:
    """JAX's mesh, of which some axes are of the type `Explicit`."""
    axes, sharding = mesh.axes, importlib.import_module("jax.sharding")
    if devices is None:
        found = {_placement(device): device for device in importlib.import_module("jax").devices()}
        placements = [*map(str, mesh.placements)]
        for device, placement in enumerate(placements):
            if placement not in found:
                raise lib.refused("INVALID_ARGUMENT", f"mesh: jax has no device {placement}; pass "
                                  "devices", index=device)
        chosen = [found[placement] for placement in placements]
    else:
        chosen = listed("devices", devices, "devices")
        if len(chosen) != mesh.device_count:
            raise lib.refused("INVALID_ARGUMENT", f"devices: {len(chosen)} for the "
                              f"{mesh.device_count} of the mesh", got=len(chosen),
                              limit=mesh.device_count)
    numpy = importlib.import_module("numpy")
    array = numpy.empty(len(chosen), dtype=object)
    array[:] = chosen
    types = [sharding.AxisType.Explicit if axis in explicit else sharding.AxisType.Auto for axis in axes]
    return sharding.Mesh(array.reshape(*axes.values()), (*axes,), axis_types=(*types,))


def from_named_sharding(sharding: NamedSharding) -> MeshShardingSpec:
    """Returns the spec of a `NamedSharding`. The function ignores the kind of memory.

    JAX requires pieces of equal sizes, so the cuts of the spec have `even`. The function refuses a
    `PartitionSpec` with unconstrained parts.

    >>> from jax.sharding import AbstractMesh, NamedSharding, PartitionSpec
    >>> sharding = NamedSharding(AbstractMesh((2, 4), ("x", "y")), PartitionSpec("y", None))
    >>> print(from_named_sharding(sharding))
    x=2, y=4: dimension 0 over y by chunk, even
    """
    if not all(hasattr(sharding, name) for name in ("spec", "mesh")):
        raise TypeError(f"sharding: a NamedSharding, not {described(sharding)}")
    return MeshShardingSpec.parse("jax", str(sharding.spec), from_mesh(sharding.mesh))


def to_named_sharding(spec: MeshShardingSpec, ndim: int | None = None,
                      mesh: JaxMesh | None = None) -> NamedSharding:
    """Returns the `NamedSharding` of arrays that are cut by a spec.

    `ndim` is the number of dimensions of the array. `mesh` is JAX's mesh. Without `mesh`, `to_mesh`
    makes the mesh. In JAX, only an axis of the type `Explicit` can be pending a reduction. If
    `to_mesh` makes the mesh, axes that are pending a reduction get the type `Explicit`. If a
    `PartitionSpec` can't express the spec, the function raises an error with the reason.

    >>> import jax
    >>> from shardspec import Cut
    >>> mesh = jax.sharding.AbstractMesh((2, 4), ("x", "y"))
    >>> spec = MeshShardingSpec(from_mesh(mesh), [Cut(1, "y", even=True)])
    >>> tuple(to_named_sharding(spec, ndim=2, mesh=mesh).spec)
    (None, 'y')
    """
    instance("spec", spec, MeshShardingSpec)
    entries, options = _written(spec.format("jax", ndim))
    sharding = importlib.import_module("jax.sharding")
    if mesh is None:
        mesh = _mesh(spec.mesh, None, options.get("unreduced", frozenset()))
    return sharding.NamedSharding(mesh, sharding.PartitionSpec(*entries, **options))


def _written(text: str) -> tuple[list[Any], dict[str, frozenset[str]]]:
    """The arguments of a PartitionSpec, of its text."""
    call: Any = ast.parse(text, mode="eval").body
    return [*map(ast.literal_eval, call.args)], {
        keyword.arg: frozenset(ast.literal_eval(keyword.value)) for keyword in call.keywords}


def _placement(device: Any) -> str:
    """The placement of a device of JAX's."""
    # On GPUs, `id` counts those of all processes.
    number = device.local_hardware_id if device.platform == "gpu" else None
    return (f"rank:{device.process_index}/{PLATFORMS.get(device.platform, device.platform)}:"
            f"{device.id if number is None else number}")
