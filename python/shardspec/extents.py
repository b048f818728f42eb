"""The elements that shards have: boxes, and other sets of elements."""

from __future__ import annotations

import ctypes
import hashlib
import sys
from array import array
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from ._arrays import pointer, room
from ._library import lib
from .placement import AnyPlacement

StretchStruct = lib.header.type("stretch")
INTERVAL = (1 << 32) - 1
"""The number of a dim map where there is none: SHARDSPEC_INTERVAL, which is a name of C's own."""
SHOWN = 3
"""Blocks of a dim map that a message shows."""


class Stretch(NamedTuple):
    """Blocks of neighbouring indices of one dimension, at equal steps.

    There are `count` blocks. Block i has `length` indices of the tensor, from `global_start + i *
    global_step` on. In the shard's buffer, block i starts at place `local_start + i * local_step`.
    """

    global_start: int
    local_start: int
    length: int
    count: int  # type: ignore[assignment]  # Of tuples, it is a method that nobody needs here.
    global_step: int
    local_step: int


DimMap = tuple[Stretch, ...]
"""The stretches of one dimension of a shard, by their places in the buffer."""


class DimMaps(NamedTuple):
    """Dimensions of shards that are no intervals: each dim map once, and for each shard and dimension
    the number of its map, or INTERVAL. There are no numbers where all dimensions are intervals.

    Maps are numbered in the order of their first use, so what is the same compares as the same.
    """

    maps: tuple[DimMap, ...]
    numbers: array[int]

    @staticmethod
    def of(maps: Sequence[DimMap], numbers: array[int]) -> DimMaps:
        """From maps that may be unused, or the same."""
        if not any(number != INTERVAL for number in numbers):
            return NO_MAPS
        kept: dict[DimMap, int] = {}
        renumbered = {number: kept.setdefault(maps[number], len(kept))
                      for number in dict.fromkeys(numbers) if number != INTERVAL}
        renumbered[INTERVAL] = INTERVAL
        return DimMaps(tuple(kept), array("I", map(renumbered.__getitem__, numbers)))

    def row(self, first: int, count: int) -> tuple[DimMap | None, ...] | None:
        """The maps of some dimensions; None where all are intervals."""
        if not self.numbers:
            return None
        row = self.numbers[first:first + count]
        if not any(number != INTERVAL for number in row):
            return None
        return tuple(None if number == INTERVAL else self.maps[number] for number in row)

    def applied(self, shards: int) -> int:
        """The handle of a list like `shards` with these dim maps. Frees that one."""
        if not self.numbers:
            return shards
        stretches = [one for stretches in self.maps for one in stretches]
        structs = (StretchStruct * len(stretches))(*stretches)
        ends, end = (ctypes.c_size_t * len(self.maps))(), 0
        for number, one in enumerate(self.maps):
            end += len(one)
            ends[number] = end
        try:
            return int(lib.answer(
                ctypes.c_void_p, lib.shards_new_with_dim_maps, shards, structs, len(stretches), ends,
                len(self.maps), pointer(self.numbers)))
        finally:
            lib.shards_free(shards)


NO_MAPS = DimMaps((), array("I"))


class Flattening(NamedTuple):
    """Dimensions of a tensor of these sizes that are one dimension of its shards."""

    sizes: tuple[int, ...]
    first_dim: int
    dim_count: int


class Extents(NamedTuple):
    """The shards of a layout as flat arrays: equal when they are the same shards.

    The places in the buffers count, too: shards of the same elements in another order differ.
    """

    ndim: int
    offsets: array[int]
    sizes: array[int]
    indices: array[int]
    placements: Sequence[AnyPlacement | None]
    dim_maps: DimMaps = NO_MAPS
    flattening: Flattening | None = None

    @staticmethod
    def of(metadata: Any) -> Extents:
        """Those of metadata."""
        ndim = metadata._buffer_ndim()
        count = int(lib.answer(ctypes.c_size_t, lib.metadata_shard_count, metadata))
        offsets, sizes, indices = room(count * ndim), room(count * ndim), room(count, "I")
        lib.metadata_get_shards(metadata, 0, count, pointer(offsets), pointer(sizes),
                                pointer(indices))
        return Extents(ndim, offsets, sizes, indices, metadata.placements,
                       dim_maps_of(metadata, count * ndim), flattening_of(metadata))

    def digest(self) -> int:
        """64 bits of what the shards are, the same in every process."""
        hashed = hashlib.blake2b(digest_size=8)

        def add(numbers: array[int]) -> None:
            little = array(numbers.typecode, numbers)
            if sys.byteorder == "big":
                little.byteswap()
            hashed.update(little)

        for numbers in (array("q", [self.ndim]), self.offsets, self.sizes, self.indices):
            add(numbers)
        written = ("" if one is None else str(one) for one in self.placements)
        hashed.update("\0".join(written).encode("utf-8", "surrogatepass"))
        # Nothing more of boxes: their hashes are those of versions that knew nothing else.
        if self.dim_maps.numbers:
            hashed.update(b"\0dim maps")
            add(array("q", map(len, self.dim_maps.maps)))
            for stretches in self.dim_maps.maps:
                add(array("q", (number for stretch in stretches for number in stretch)))
            add(self.dim_maps.numbers)
        if self.flattening is not None:
            hashed.update(b"\0flattening")
            add(array("q", (*self.flattening[1:], *self.flattening.sizes)))
        return int.from_bytes(hashed.digest(), "little")

    def shard(self, number: int) -> tuple[Any, ...]:
        """Offsets, sizes, placement and dim maps of one of them."""
        first, count = number * self.ndim, self.ndim
        row = slice(first, first + count)
        return (self.offsets[row], self.sizes[row], self.placements[self.indices[number]],
                self.dim_maps.row(first, count))

    def difference(self, other: Extents) -> str | None:
        """What is different between this layout, which is meant, and another that was passed."""
        if self == other:
            return None
        if self.ndim != other.ndim:
            return f"it has {self.ndim} dimensions there, {other.ndim} here"
        if len(self.indices) != len(other.indices):
            return f"it has {len(self.indices)} shards there, {len(other.indices)} here"
        number = next((number for number in range(len(self.indices))
                       if self.shard(number) != other.shard(number)), None)
        if number is None:
            there, here = ("no dimensions" if one is None else
                           f"dimensions {one.first_dim} to {one.first_dim + one.dim_count - 1} of "
                           f"{list(one.sizes)}" for one in (self.flattening, other.flattening))
            return f"it flattens {there} there, {here} here"
        there, here = (" on ".join((shown(offsets, sizes, maps), str(placement)))
                       for offsets, sizes, placement, maps in (
                           self.shard(number), other.shard(number)))
        if there == here:
            return f"shard {number}, {here}, has other indices further on"
        return f"shard {number} is {there} there, {here} here"


def shown(offsets: Sequence[int], sizes: Sequence[int],
          maps: Sequence[DimMap | None] | None) -> str:
    """A shard as text: an interval for each dimension, or the first blocks of its dim map."""
    dims = (f"{start}:{start + size}" if one is None else _blocks(one)
            for start, size, one in zip(offsets, sizes, maps or [None] * len(sizes)))
    return f"[{', '.join(dims)}]"


def _blocks(stretches: DimMap) -> str:
    blocks: list[str] = []
    for stretch in stretches:
        for block in range(min(stretch.count, SHOWN + 1)):
            start = stretch.global_start + block * stretch.global_step
            blocks.append(f"{start}:{start + stretch.length}")
        if len(blocks) > SHOWN:
            blocks[SHOWN:] = ["..."]
            break
    return f"{{{' '.join(blocks)}}}"


def stretches_of(metadata: Any, shard: int, dim: int) -> DimMap:
    """The stretches of one dimension of a shard of metadata."""
    needed = ctypes.c_size_t()
    lib.metadata_get_stretches(metadata, shard, dim, None, 0, ctypes.byref(needed))
    structs = (StretchStruct * needed.value)()
    lib.metadata_get_stretches(metadata, shard, dim, structs, needed.value, None)
    return tuple(map(_stretch, structs))


def indices_of(stretches: Iterable[Stretch], length: int) -> array[int]:
    """The index of the tensor for each place of a buffer of that length, -1 for a hole."""
    indices = array("q", [-1]) * length
    for stretch in stretches:
        for block in range(stretch.count):
            start = stretch.global_start + block * stretch.global_step
            place = stretch.local_start + block * stretch.local_step
            indices[place:place + stretch.length] = array("q", range(start, start + stretch.length))
    return indices


def _stretch(struct: Any) -> Stretch:
    return Stretch(*(getattr(struct, name) for name in Stretch._fields))


def dim_maps_of(metadata: Any, count: int) -> DimMaps:
    """All dim maps of metadata whose shards have `count` dimensions together."""
    shards = lib.answer(ctypes.c_void_p, lib.shards_new_from_metadata, metadata)
    try:
        if lib.answer(ctypes.c_int32, lib.shards_are_boxes, shards):
            return NO_MAPS
        stretch_count, map_count = ctypes.c_size_t(), ctypes.c_size_t()
        lib.shards_get_dim_maps(shards, None, 0, None, 0, None, 0, ctypes.byref(stretch_count),
                                ctypes.byref(map_count))
        structs = (StretchStruct * stretch_count.value)()
        ends, numbers = (ctypes.c_size_t * map_count.value)(), room(count, "I")
        lib.shards_get_dim_maps(shards, structs, len(structs), ends, len(ends), pointer(numbers),
                                count, None, None)
    finally:
        lib.shards_free(shards)
    stretches = [*map(_stretch, structs)]
    return DimMaps.of([tuple(stretches[start:end]) for start, end in zip([0, *ends], ends)], numbers)


def flattening_of(metadata: Any) -> Flattening | None:
    """Which dimensions of metadata are flattened."""
    first, count = ctypes.c_size_t(), ctypes.c_size_t()
    lib.metadata_get_flattening(metadata, ctypes.byref(first), ctypes.byref(count))
    return Flattening(metadata.size, first.value, count.value) if count.value else None
