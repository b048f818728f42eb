"""One shard of a tensor: its box and its placement."""

from __future__ import annotations

import ctypes
from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from ._arrays import integers, listed, numbers, pointer
from ._extension import native
from ._library import lib
from ._words import described, written
from .extents import INTERVAL, NO_MAPS, DimMap, DimMaps, Extents, Stretch
from .placement import AnyPlacement, Placements, PlacementSpec, as_placement

NAMES = (("shard_offsets", "shard_sizes"), ("offsets", "sizes"))
"""What shards and chunks call their boxes."""
MANY = 64
"""Shards from which on they are read in C together."""


@dataclass
class ShardMetadata:
    """The offsets, the sizes and the placement of a shard.

    For a shard that is not a box, `dim_maps` has the stretches of each dimension. None stands for
    an interval. `shard_sizes` has the sizes of the shard's buffer.
    """

    __slots__ = ("dim_maps", "placement", "shard_offsets", "shard_sizes")

    shard_offsets: list[int]
    shard_sizes: list[int]
    placement: AnyPlacement | None
    dim_maps: tuple[DimMap | None, ...] | None

    def __init__(self, shard_offsets: Iterable[int], shard_sizes: Iterable[int],
                 placement: Any = None,
                 dim_maps: Iterable[Iterable[Iterable[int]] | None] | None = None) -> None:
        self.shard_offsets = numbers("shard_offsets", shard_offsets)
        self.shard_sizes = numbers("shard_sizes", shard_sizes)
        self.placement = None if placement is None else as_placement(placement)
        if len(self.shard_offsets) != len(self.shard_sizes):
            raise lib.refused(
                "NDIM_MISMATCH", f"shard_offsets: {len(self.shard_offsets)} dimensions, but "
                f"shard_sizes has {len(self.shard_sizes)}", got=len(self.shard_offsets),
                limit=len(self.shard_sizes))
        self.dim_maps = None if dim_maps is None else _dim_maps(dim_maps, len(self.shard_sizes))
        for argument, values in (("shard_offsets", self.shard_offsets),
                                 ("shard_sizes", self.shard_sizes)):
            if values and min(values) < 0:
                dim, value = next((dim, value) for dim, value in enumerate(values) if value < 0)
                raise lib.refused("INVALID_ARGUMENT", f"{argument}: {written(value)} in dimension {dim} "
                                  "is negative", dim=dim, got=value)

    @classmethod
    def _read(cls, offsets: list[int], sizes: list[int], placement: AnyPlacement | None,
              dim_maps: tuple[DimMap | None, ...] | None) -> ShardMetadata:
        """A shard that the library has checked."""
        made = cls.__new__(cls)
        made.shard_offsets, made.shard_sizes = offsets, sizes
        made.placement, made.dim_maps = placement, dim_maps
        return made

    def __reduce__(self) -> tuple[Any, ...]:
        return ShardMetadata, (self.shard_offsets, self.shard_sizes, self.placement,
                               *(() if self.dim_maps is None else (self.dim_maps,)))

    def __repr__(self) -> str:
        maps = "" if self.dim_maps is None else f", dim_maps={self.dim_maps}"
        return (f"ShardMetadata(shard_offsets={self.shard_offsets}, shard_sizes={self.shard_sizes}, "
                f"placement={self.placement!r}{maps})")

    def __hash__(self) -> int:
        return hash((tuple(self.shard_offsets), tuple(self.shard_sizes), self.placement))


def _dim_maps(dim_maps: Iterable[Any], ndim: int) -> tuple[DimMap | None, ...] | None:
    """The stretches of each dimension; None where all are intervals."""
    made: list[DimMap | None] = []
    for dim, given in enumerate(listed("dim_maps", dim_maps, "stretches")):
        where = f"dim_maps[{dim}]"
        if given is None:
            made.append(None)
            continue
        rows = [integers(where, one) for one in listed(where, given, "stretches")]
        for row in rows:
            if len(row) != len(Stretch._fields):
                raise TypeError(f"{where}: a Stretch has {len(Stretch._fields)} numbers, not {len(row)}")
        made.append(tuple(Stretch(*row) for row in rows))
    if len(made) != ndim:
        raise lib.refused("NDIM_MISMATCH", f"dim_maps: {len(made)} dimensions, but shard_sizes has "
                          f"{ndim}", got=len(made), limit=ndim)
    return None if all(one is None for one in made) else tuple(made)


class Packed(NamedTuple):
    """Shards as flat arrays, as the library takes them for a list."""

    ndim: int
    offsets: array[int]
    sizes: array[int]
    placements: Placements
    indices: array[int]
    dim_maps: DimMaps = NO_MAPS

    @property
    def extents(self) -> Extents:
        """What the shards are, to be compared."""
        return Extents(self.ndim, self.offsets, self.sizes, self.indices, self.placements.listed,
                       self.dim_maps)

    def list_handle(self) -> int:
        """A list of them, to be freed."""
        new = (lib.shards_new_from_arrays_with_placement_handles if self.placements.own
               else lib.shards_new_from_arrays)
        return self.dim_maps.applied(int(lib.answer(
            ctypes.c_void_p, new, pointer(self.offsets), pointer(self.sizes), pointer(self.indices),
            self.ndim, len(self.indices), self.placements.array, len(self.placements))))

    def make(self, function: Any, argument: str = "shards") -> int:
        """The handle that a function makes of a list of them."""
        if not self.indices:
            raise lib.refused("INVALID_ARGUMENT", f"{argument}: the list is empty; pass at least one shard")
        shards = self.list_handle()
        try:
            return int(lib.answer(ctypes.c_void_p, function, shards))
        finally:
            lib.shards_free(shards)


def pack(argument: str, shards: Iterable[Any], *, ndim: int | None = None,
         unplaced: bool = False) -> Packed:
    """Takes shards apart: anything that has `shard_offsets`, `shard_sizes` and `placement`, as
    torch's do, or the `offsets` and `sizes` of the chunks of its checkpoints.

    Of no shards, `ndim` says what the number of dimensions would be. `unplaced` accepts shards
    without a placement.
    """
    given = listed(argument, shards, "shards")
    if native is not None and len(given) >= MANY:
        many = _packed_in_c(given, unplaced)
        if many is not None:
            return many
    offsets, sizes = array("q"), array("q")
    # Placements of the user's own are compared by the library, and need not be hashable.
    table: dict[str | int, tuple[int, AnyPlacement | None]] = {}
    indices = array("I")
    mapped: dict[int, tuple[DimMap | None, ...]] = {}
    dims: int | None = None
    for number, shard in enumerate(given):
        if type(shard) is ShardMetadata:
            start = integers("shard_offsets", shard.shard_offsets)
            length = integers("shard_sizes", shard.shard_sizes)
            placement: Any = shard.placement
            dim_maps = shard.dim_maps
        else:
            start, length, placement, dim_maps = parts(f"{argument}[{number}]", shard)
        if dims is None:
            dims = len(start)
        for name, place, values in (("shard_offsets", offsets, start),
                                    ("shard_sizes", sizes, length)):
            if len(values) != dims:
                raise lib.refused(
                    "NDIM_MISMATCH", f"{name}: shard {number} has {len(values)} dimensions, "
                    f"shard 0 has {dims}", first_shard=number, index=number, got=len(values),
                    limit=dims)
            place.extend(values)
        if dim_maps is not None:
            mapped[number] = dim_maps
        if placement is None and not unplaced:
            raise lib.refused(
                "NULL_ARGUMENT", f"{argument}[{number}]: the shard has no placement; say where it "
                "lives, such as 'rank:0', or 'cpu' for nobody in particular", first_shard=number,
                index=number)
        where = None if placement is None else as_placement(placement)
        key = id(where) if where is None or isinstance(where, PlacementSpec) else str(where)
        indices.append(table.setdefault(key, (len(table), where))[0])
    return Packed((ndim or 0) if dims is None else dims, offsets, sizes,
                  Placements([one for _, one in table.values()]), indices,
                  _numbered(mapped, dims or 0, len(indices)))


def _packed_in_c(shards: list[Any], unplaced: bool) -> Packed | None:
    """The same for many boxes of one class. None if there is anything else, also anything that has to be
    refused."""
    kind = type(shards[0])
    if {*map(type, shards)} != {kind}:
        return None
    if issubclass(kind, ShardMetadata) and any(shard.dim_maps is not None for shard in shards):
        return None
    names = NAMES[0] if all(hasattr(shards[0], name) for name in NAMES[0]) else NAMES[1]
    try:
        rows = native.rows(shards, *names)
        places = [getattr(shard, "placement", None) for shard in shards]
        table = None if rows is None else _placed(places, unplaced)
    except (AttributeError, TypeError, ValueError):
        return None
    if rows is None or table is None:
        return None
    ndim, offsets, sizes = rows
    return Packed(ndim, array("q", offsets), array("q", sizes), *table)


def _placed(places: list[Any], unplaced: bool) -> tuple[Placements, array[int]] | None:
    """The different placements, and the number of that of each shard."""
    table: dict[Any, tuple[int, AnyPlacement | None]] = {}
    numbers: dict[int, int] = {}
    # In torch, each shard has an object of its own for the same placement.
    written: dict[tuple[type, str], int] = {}
    for place in {id(place): place for place in places}.values():
        if place is None and not unplaced:
            return None
        text = None if place is None or isinstance(place, PlacementSpec) else (type(place), str(place))
        number = None if text is None else written.get(text)
        if number is None:
            where = None if place is None else as_placement(place)
            key = id(where) if where is None or isinstance(where, PlacementSpec) else str(where)
            number = table.setdefault(key, (len(table), where))[0]
            if text is not None:
                written[text] = number
        numbers[id(place)] = number
    return (Placements([where for _, where in table.values()]),
            array("I", map(numbers.__getitem__, map(id, places))))


def packed(extents: Extents) -> Packed:
    """Shards that were read, to be passed again."""
    return Packed(extents.ndim, extents.offsets, extents.sizes, Placements(extents.placements),
                  extents.indices, extents.dim_maps)


def _numbered(mapped: dict[int, tuple[DimMap | None, ...]], ndim: int, count: int) -> DimMaps:
    """The dim maps of those of `count` shards that have some."""
    if not mapped:
        return NO_MAPS
    numbers = array("I", [INTERVAL]) * (ndim * count)
    maps: list[DimMap] = []
    for shard, dim_maps in mapped.items():
        for dim, stretches in enumerate(dim_maps):
            if stretches is not None:
                numbers[shard * ndim + dim] = len(maps)
                maps.append(stretches)
    return DimMaps.of(maps, numbers)


def parts(argument: str, shard: Any) -> tuple[array[int], array[int], Any, Any]:
    """Offsets, sizes, placement and dim maps of a shard of any library, or a piece of a checkpoint."""
    for names in NAMES:
        if all(hasattr(shard, name) for name in names):
            start, length = (integers(name, getattr(shard, name)) for name in names)
            return (start, length, getattr(shard, "placement", None),
                    shard.dim_maps if isinstance(shard, ShardMetadata) else None)
    raise TypeError(f"{argument}: a shard, which has shard_offsets, shard_sizes and placement, not "
                    f"{described(shard)}")
