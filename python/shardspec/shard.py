"""One shard of a tensor: the box that it owns and where it lives."""

from __future__ import annotations

import ctypes
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ._arrays import integers, pointer
from ._library import lib
from .placement import AnyPlacement, Placements, PlacementSpec, as_placement


@dataclass
class ShardMetadata:
    """Where a shard starts, how long it is in each dimension, and where it lives."""

    __slots__ = ("placement", "shard_offsets", "shard_sizes")

    shard_offsets: list[int]
    shard_sizes: list[int]
    placement: AnyPlacement | None

    def __init__(self, shard_offsets: Iterable[int], shard_sizes: Iterable[int],
                 placement: Any = None) -> None:
        self.shard_offsets = list(shard_offsets)
        self.shard_sizes = list(shard_sizes)
        self.placement = None if placement is None else as_placement(placement)
        if len(self.shard_offsets) != len(self.shard_sizes):
            raise lib.refused(
                "RANK_MISMATCH", f"shard_offsets: {len(self.shard_offsets)} dimensions, but "
                f"shard_sizes has {len(self.shard_sizes)}", got=len(self.shard_offsets),
                limit=len(self.shard_sizes))
        for argument in ("shard_offsets", "shard_sizes"):
            for dim, value in enumerate(getattr(self, argument)):
                if value < 0:
                    raise lib.refused("INVALID_ARGUMENT", f"{argument}: {value} in dimension {dim} "
                                      "is negative", dim=dim, got=value)

    def __hash__(self) -> int:
        return hash((tuple(self.shard_offsets), tuple(self.shard_sizes), self.placement))


class Packed(NamedTuple):
    """Shards as flat arrays, as the library's functions for many shards take them."""

    ndim: int
    offsets: array[int]
    sizes: array[int]
    placements: Placements
    indices: array[int]

    def arguments(self) -> tuple[Any, ...]:
        return (self.ndim, pointer(self.offsets), pointer(self.sizes), len(self.indices),
                self.placements.array, len(self.placements), pointer(self.indices))

    def make(self, function: str) -> int:
        """The handle that a function makes of them; `function` is its name but for the end."""
        form = getattr(lib, f"{function}_{'placed' if self.placements.own else 'flat'}")
        return int(lib.answer(ctypes.c_void_p, form, *self.arguments()))


def pack(shards: Sequence[Any]) -> Packed:
    """Takes apart what has `shard_offsets`, `shard_sizes` and `placement`: torch's are fine too."""
    ndim = len(shards[0].shard_offsets) if shards else 0
    offsets, sizes = integers("shard_offsets", ()), integers("shard_sizes", ())
    # Placements of the user's own are told apart by the library, and need not be hashable.
    table: dict[str | int | None, tuple[int, AnyPlacement | None]] = {}
    indices = array("I")
    for number, shard in enumerate(shards):
        for argument, place, values in (("shard_offsets", offsets, shard.shard_offsets),
                                        ("shard_sizes", sizes, shard.shard_sizes)):
            if len(values) != ndim:
                raise lib.refused(
                    "RANK_MISMATCH", f"{argument}: shard {number} has {len(values)} dimensions, "
                    f"shard 0 has {ndim}", first_shard=number, got=len(values), limit=ndim)
            place.extend(integers(argument, values))
        placement = None if shard.placement is None else as_placement(shard.placement)
        own = isinstance(placement, PlacementSpec)
        key = id(placement) if own else None if placement is None else str(placement)
        indices.append(table.setdefault(key, (len(table), placement))[0])
    return Packed(ndim, offsets, sizes, Placements([one for _, one in table.values()]), indices)
