"""Placements in a grid with named axes."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Mapping
from typing import Any

from ._arrays import TEXTS, integers, items, listed, pointer, room, texts
from ._arrays import index as integer
from ._handle import Handle
from ._library import lib
from ._words import described
from .placement import AnyPlacement, Device, PlacementHandle, Placements, as_placements


class Mesh(Handle):
    """Placements in a grid with named axes, equivalent to torch's `DeviceMesh` and JAX's `Mesh`.

    `axes` are the names and sizes of the axes: `Mesh({"dp": 2, "tp": 4})`. `placements` has one
    placement for each device: a text, an object, or the number of a rank. Placements are in
    row-major order, so the last axis varies fastest. Nested lists and arrays must have the mesh's
    shape. Without placements, device i is on rank i.

    A mesh is immutable. Two meshes are equal if they have the same axes in the same order, and the
    same placements.
    """

    _free = "mesh_free"

    def __init__(self, axes: Mapping[str, int], placements: Any = None) -> None:
        pairs = items("axes", axes, "names and sizes")
        names, sizes = texts("axes", [name for name, _ in pairs]), integers(
            "axes", [size for _, size in pairs])
        arguments = names, pointer(sizes), len(pairs)
        if placements is None:
            self._own(lib.answer(ctypes.c_void_p, lib.mesh_new, *arguments, None, 0))
            return
        where = Placements(as_placements("placements", ranks(_row_major(placements, [*sizes]))))
        if not len(where):
            raise lib.refused("INVALID_ARGUMENT", "placements: there are none; pass one for each "
                              "device, or None for ranks from 0 on")
        new = lib.mesh_new_with_placement_handles if where.own else lib.mesh_new
        self._own(lib.answer(ctypes.c_void_p, new, *arguments, where.array, len(where)))

    @property
    def axes(self) -> dict[str, int]:
        """The names and sizes of the axes, in their order."""
        sizes = room(lib.answer(ctypes.c_size_t, lib.mesh_ndim, self))
        lib.mesh_get_axis_sizes(self, pointer(sizes), len(sizes), None)
        return {lib.text(lib.mesh_axis_name, self, axis): size for axis, size in enumerate(sizes)}

    @property
    def device_count(self) -> int:
        """Number of devices: the product of the sizes of the axes."""
        return int(lib.answer(ctypes.c_size_t, lib.mesh_device_count, self))

    @property
    def placements(self) -> list[AnyPlacement]:
        """The placement of each device, row-major."""
        return [self._placement(device) for device in range(self.device_count)]

    def _placement(self, device: int) -> AnyPlacement:
        handle = lib.answer(ctypes.c_void_p, lib.mesh_placement, self, device)
        with PlacementHandle._of(handle) as placement:
            return placement.read()

    def coordinates(self, device: int) -> dict[str, int]:
        """The coordinate of a device along each axis."""
        return coordinates(lib.mesh_get_coordinates, self, from_the_end(
            "device", device, self.device_count, "devices"), list(self.axes))

    def fix(self, axis: str, coordinate: int) -> Mesh:
        """Returns the devices at one coordinate of an axis, as a mesh without that axis."""
        names = texts("axis", [axis])
        size = self.axes.get(axis, 0)
        number = from_the_end("coordinate", coordinate, size, "coordinates") if size else 0
        return Mesh._of(lib.answer(ctypes.c_void_p, lib.mesh_new_submesh, self, names[0], number))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Mesh):
            return NotImplemented
        return bool(lib.answer(ctypes.c_int32, lib.mesh_equal, self, other))

    def __hash__(self) -> int:
        return int(lib.answer(ctypes.c_uint64, lib.mesh_hash, self))

    def __str__(self) -> str:
        return "<closed Mesh>" if self.closed else lib.text(lib.mesh_text, self)

    def __repr__(self) -> str:
        if self.closed:
            return "<closed Mesh>"
        placements = self._listed()
        return f"Mesh({self.axes}{'' if placements is None else f', {placements}'})"

    def _listed(self) -> list[AnyPlacement] | None:
        """The placements, where device i is not on rank i."""
        with Mesh(self.axes) as ranks:
            return None if self == ranks else self.placements

    def __reduce__(self) -> tuple[Any, ...]:
        return Mesh, (self.axes, self._listed())


def coordinates(function: Any, thing: Any, number: int, axes: list[str]) -> dict[str, int]:
    """The coordinates that a function of the library writes, by the axes' names."""
    numbers = (ctypes.c_size_t * len(axes))()
    function(thing, number, numbers, len(axes), None)
    return dict(zip(axes, numbers))


def from_the_end(argument: str, value: int, count: int, of: str) -> int:
    """An index, of which negative ones count from the end."""
    number = integer(argument, value)
    if not -count <= number < count:
        raise lib.refused("INDEX_OUT_OF_RANGE", f"{argument}: {number} is out of range; there are "
                          f"{count} {of}", limit=count)
    return number if number >= 0 else number + count


def ranks(placements: list[Any]) -> list[Any]:
    """Placements, where a number means a rank."""
    return [f"rank:{integer(f'placements[{number}]', one)}" if hasattr(one, "__index__") else one
            for number, one in enumerate(placements)]


def _row_major(placements: Any, sizes: list[int]) -> list[Any]:
    """The placements of lists of lists, which have to be as long as the axes."""
    rows = listed("placements", placements, "placements")
    return [*_flat("placements", rows, sizes)] if any(map(_is_list, rows)) else rows


def _is_list(value: Any) -> bool:
    """Whether it is a list of placements, and not one: arrays of numbers say of how many
    dimensions they are."""
    if isinstance(value, (*TEXTS, AnyPlacement, Device)):
        return False
    if hasattr(value, "__index__"):
        return bool(getattr(value, "ndim", 0))
    return hasattr(value, "__iter__")


def _flat(argument: str, rows: list[Any], sizes: list[int]) -> Iterator[Any]:
    if not sizes:
        raise lib.refused("INVALID_ARGUMENT", f"{argument}: a list; the mesh has not so many axes")
    if len(rows) != sizes[0]:
        raise lib.refused("INVALID_ARGUMENT", f"{argument}: {len(rows)} entries along an axis of "
                          f"{sizes[0]}", got=len(rows), limit=sizes[0])
    for number, row in enumerate(rows):
        where = f"{argument}[{number}]"
        if _is_list(row):
            yield from _flat(where, listed(where, row, "placements"), sizes[1:])
        elif len(sizes) > 1:
            raise TypeError(f"{where}: a list of placements, not {described(row)}; pass all as one "
                            "list, or lists of the mesh's shape")
        else:
            yield row
