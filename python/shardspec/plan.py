"""What moves from one layout of a tensor to another, and where elements are."""

from __future__ import annotations

import ctypes
import operator
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

from . import copies
from ._arrays import integers, pointer, room
from ._handle import Handle
from ._library import lib
from ._views import views
from .metadata import ShardedTensorMetadata
from .shard import ShardMetadata, pack
from .tensor import new

RunStruct = lib.header.type("run")
BLOCK = 4096
"""Pieces that are read from the library at once."""

Layout = ShardedTensorMetadata | Sequence[Any]
Tensors = Mapping[int, Any] | Sequence[Any]


class Piece(NamedTuple):
    """A box of elements that one destination shard takes from one source shard."""

    source: int
    destination: int
    source_offsets: tuple[int, ...]
    destination_offsets: tuple[int, ...]
    sizes: tuple[int, ...]


@dataclass(frozen=True)
class Run:
    """Bytes that move alike: `count` blocks of `length` bytes, a stride apart in either buffer."""

    source: int
    destination: int
    source_offset: int
    source_stride: int
    destination_offset: int
    destination_stride: int
    length: int
    count: int


class Overlap(NamedTuple):
    """Two shards, and the box that both own."""

    first: int
    second: int
    offsets: tuple[int, ...]
    sizes: tuple[int, ...]


class Gap(NamedTuple):
    """A box that no shard owns."""

    offsets: tuple[int, ...]
    sizes: tuple[int, ...]


class ShardList(Handle):
    """Shards as they are: they may overlap, and leave gaps."""

    _free = "shards_free"

    def __init__(self, layout: Layout) -> None:
        if isinstance(layout, ShardedTensorMetadata):
            self._own(lib.answer(ctypes.c_void_p, lib.shards_new_from_metadata, layout))
        else:
            self._own(lib.answer(ctypes.c_void_p, lib.shards_new_flat, *pack(layout).arguments()))


class Plan(Handle):
    """The pieces that move from one layout of a tensor to another.

    A layout is metadata, or a list of shards, which may overlap as replicas do. `wanted` are the
    destination shards that the plan is for; without it, all. A plan is a sequence of its pieces, by
    destination, then by source, then by where they lie.
    """

    _free = "plan_free"

    def __init__(self, source: Layout, destination: Layout, *,
                 wanted: Iterable[int] | None = None) -> None:
        self._destination = destination
        if isinstance(source, ShardedTensorMetadata) and isinstance(
                destination, ShardedTensorMetadata):
            if wanted is None:
                self._own(lib.answer(ctypes.c_void_p, lib.plan_new, source, destination))
                return
            local = [destination._index(index) for index in wanted]
            indices = (ctypes.c_size_t * len(local))(*local)
            self._own(lib.answer(ctypes.c_void_p, lib.plan_new_for_destinations, source,
                                 destination, indices, len(indices)))
            return
        if wanted is not None:
            raise lib.refused("INVALID_ARGUMENT", "wanted: of a list, pass only what is wanted")
        with ShardList(source) as first, ShardList(destination) as second:
            self._own(lib.answer(ctypes.c_void_p, lib.plan_new_from_shards, first, second))

    def __len__(self) -> int:
        return int(lib.answer(ctypes.c_size_t, lib.plan_piece_count, self))

    def __getitem__(self, index: int) -> Piece:
        number, count = operator.index(index), len(self)
        if not -count <= number < count:
            raise lib.refused("INDEX_OUT_OF_RANGE", f"index: {number} is out of range; there are "
                              f"{count} pieces", limit=count)
        return self._pieces(number % count, 1)[0]

    def __iter__(self) -> Iterator[Piece]:
        count = len(self)
        for first in range(0, count, BLOCK):
            yield from self._pieces(first, min(BLOCK, count - first))

    def pieces_into(self, destination: int) -> list[Piece]:
        """The pieces that a destination shard takes."""
        first, count = ctypes.c_size_t(), ctypes.c_size_t()
        lib.plan_pieces_into(self, destination, ctypes.byref(first), ctypes.byref(count))
        return self._pieces(first.value, count.value)

    def _pieces(self, first: int, count: int) -> list[Piece]:
        ndim = int(lib.answer(ctypes.c_size_t, lib.plan_ndim, self))
        shards = [room(count, "I") for _ in range(2)]
        boxes = [room(count * ndim) for _ in range(3)]
        lib.plan_pieces(self, first, count, *map(pointer, shards), *map(pointer, boxes))
        return [Piece(shards[0][number], shards[1][number], *(
            tuple(box[number * ndim:(number + 1) * ndim]) for box in boxes))
            for number in range(count)]

    @property
    def is_local(self) -> bool:
        """Whether every piece stays with its owner."""
        return bool(lib.answer(ctypes.c_int32, lib.plan_is_local, self))

    @property
    def is_identity(self) -> bool:
        """Whether every shard that is wanted is there already, and nothing needs to be done."""
        return bool(lib.answer(ctypes.c_int32, lib.plan_is_identity, self))

    def execute(self, sources: Tensors, destinations: Tensors | None = None, *,
                max_threads: int = 0, hint: copies.Hint | None = None) -> Any:
        """Copies what destination shards take from source shards, all in this process.

        Shards are passed in their order, or by their indices. Gives `destinations`, or without them
        new tensors for all shards that the plan is to.
        """
        how = copies.options(max_threads, hint)
        source_arguments = _indexed("sources", sources, write=False)
        if destinations is None:
            if not source_arguments[2]:
                raise lib.refused("INVALID_ARGUMENT", "sources: pass one at least, or destinations")
            dtype = source_arguments[1][0].dtype
            destinations = [new(tuple(shard.shard_sizes), dtype) for shard in self._shards()]
        lib.plan_execute(self, *source_arguments,
                         *_indexed("destinations", destinations, write=True), how)
        return destinations

    def _shards(self) -> Sequence[ShardMetadata]:
        layout = self._destination
        return layout.shards_metadata if isinstance(layout, ShardedTensorMetadata) else layout

    def shard_traffic(self, itemsize: int = 0) -> list[tuple[int, int, int]]:
        """Source shard, destination shard and bytes, for each pair that moves something."""
        return self._traffic(lib.plan_shard_traffic, itemsize, "I")

    def rank_traffic(self, itemsize: int = 0) -> list[tuple[int, int, int]]:
        """Source rank, destination rank and bytes, for each pair; -1 where no rank is named."""
        return self._traffic(lib.plan_rank_traffic, itemsize, "q")

    def _traffic(self, function: Any, itemsize: int, typecode: str) -> list[tuple[int, int, int]]:
        needed = ctypes.c_size_t()
        function(self, itemsize, None, None, None, 0, ctypes.byref(needed))
        arrays = [room(needed.value, code) for code in (typecode, typecode, "q")]
        function(self, itemsize, *map(pointer, arrays), needed.value, None)
        return list(zip(*arrays))

    def shard_runs(self, source: int, destination: int, itemsize: int = 0) -> list[Run]:
        """The runs of bytes that go from one source shard to one destination shard."""
        return self._runs(lib.plan_shard_runs, source, destination, itemsize)

    def rank_runs(self, source_rank: int, destination_rank: int, itemsize: int = 0) -> list[Run]:
        """The runs of bytes that go from one rank to another, or stay on it."""
        return self._runs(lib.plan_rank_runs, source_rank, destination_rank, itemsize)

    def _runs(self, function: Any, source: int, destination: int, itemsize: int) -> list[Run]:
        needed = ctypes.c_size_t()
        function(self, source, destination, itemsize, None, 0, ctypes.byref(needed))
        runs = (RunStruct * needed.value)()
        function(self, source, destination, itemsize, runs, needed.value, None)
        return [Run(*(getattr(run, field.name) for field in fields(Run))) for run in runs]

    def suggest_placements(self) -> tuple[list[int], int, int]:
        """Which worker should be which in the destination, so that the fewest elements move.

        For each of its placements, the one at which its shards should live: `relabel` of metadata
        takes that. Then how many elements move as it is, and as it would be.
        """
        needed, before, after = ctypes.c_size_t(), ctypes.c_int64(), ctypes.c_int64()
        lib.plan_suggest_placements(self, None, 0, ctypes.byref(needed), None, None)
        indices = room(needed.value, "I")
        lib.plan_suggest_placements(self, pointer(indices), len(indices), None,
                                    ctypes.byref(before), ctypes.byref(after))
        return list(indices), before.value, after.value

    def __repr__(self) -> str:
        return "<closed Plan>" if self.closed else f"<Plan of {len(self)} pieces>"


def _indexed(argument: str, tensors: Tensors, *, write: bool) -> tuple[Any, Any, int]:
    """Indices, views and their number: arguments of `plan_execute`."""
    pairs = list(tensors.items() if isinstance(tensors, Mapping) else enumerate(tensors))
    indices = (ctypes.c_size_t * len(pairs))(*(operator.index(index) for index, _ in pairs))
    names = (f"{argument}[{index}]" for index, _ in pairs)
    return indices, views(names, (tensor for _, tensor in pairs), write=write), len(pairs)


def relabel(metadata: ShardedTensorMetadata,
            placement_indices: Sequence[int]) -> ShardedTensorMetadata:
    """Metadata with the same boxes, whose placements are exchanged as `suggest_placements` says."""
    indices = (ctypes.c_uint32 * len(placement_indices))(*placement_indices)
    return ShardedTensorMetadata._of(
        lib.answer(ctypes.c_void_p, lib.metadata_relabel, metadata, indices, len(indices)))


def find_overlaps(shards: Layout, limit: int = 1000) -> list[Overlap]:
    """Pairs of shards that own the same elements, at most `limit`."""
    with ShardList(shards) as listed:
        ndim = _ndim(shards)
        first, second = (ctypes.c_size_t * limit)(), (ctypes.c_size_t * limit)()
        offsets, sizes = room(limit * ndim), room(limit * ndim)
        count = ctypes.c_size_t()
        lib.shards_overlaps(listed, first, second, pointer(offsets), pointer(sizes), limit,
                            ctypes.byref(count), None)
    rows = [slice(number * ndim, (number + 1) * ndim) for number in range(count.value)]
    return [Overlap(first[number], second[number], tuple(offsets[row]), tuple(sizes[row]))
            for number, row in enumerate(rows)]


def find_gaps(shards: Layout, tensor_sizes: Sequence[int], limit: int = 1000) -> list[Gap]:
    """Boxes of a tensor that no shard owns, at most `limit`."""
    whole = integers("tensor_sizes", tensor_sizes)
    ndim = len(whole)
    with ShardList(shards) as listed:
        offsets, sizes = room(limit * ndim), room(limit * ndim)
        count = ctypes.c_size_t()
        lib.shards_gaps(listed, pointer(whole), ndim, pointer(offsets), pointer(sizes), limit,
                        ctypes.byref(count), None)
    rows = [slice(number * ndim, (number + 1) * ndim) for number in range(count.value)]
    return [Gap(tuple(offsets[row]), tuple(sizes[row])) for row in rows]


def _ndim(shards: Layout) -> int:
    if isinstance(shards, ShardedTensorMetadata):
        return len(shards.size)
    return len(shards[0].shard_offsets) if shards else 0


def shards_in_box(metadata: ShardedTensorMetadata, offsets: Sequence[int],
                  sizes: Sequence[int]) -> list[int]:
    """Indices of the shards that share an element with a box, ascending."""
    start, length = integers("offsets", offsets), integers("sizes", sizes)
    if len(start) != len(length):
        raise lib.refused("RANK_MISMATCH", f"offsets: {len(start)} dimensions, but sizes has "
                          f"{len(length)}", got=len(start), limit=len(length))
    box, needed = (pointer(start), pointer(length), len(start)), ctypes.c_size_t()
    lib.metadata_shards_in_box(metadata, *box, None, 0, ctypes.byref(needed))
    indices = (ctypes.c_size_t * needed.value)()
    lib.metadata_shards_in_box(metadata, *box, indices, needed.value, None)
    return list(indices)


def owner_of(metadata: ShardedTensorMetadata, element: Sequence[int]) -> int:
    """The shard that owns the element at that index."""
    index = integers("element", element)
    return int(lib.answer(ctypes.c_size_t, lib.metadata_owner, metadata, pointer(index),
                          len(index)))


def locate(metadata: ShardedTensorMetadata,
           elements: Sequence[Sequence[int]]) -> list[tuple[int, tuple[int, ...]]]:
    """For each index in the tensor, the shard that owns the element, and its index in there."""
    rows = _rows("elements", elements, len(metadata.size))
    shards, local = (ctypes.c_size_t * len(elements))(), room(len(rows))
    lib.metadata_locate(metadata, pointer(rows), len(elements), shards, pointer(local))
    return list(zip(shards, _tuples(local, len(metadata.size), len(elements))))


def globalize(metadata: ShardedTensorMetadata,
              places: Sequence[tuple[int, Sequence[int]]]) -> list[tuple[int, ...]]:
    """`locate` the other way round: for each shard and index in it, the index in the tensor."""
    ndim = len(metadata.size)
    local = _rows("places", [index for _, index in places], ndim)
    shards, elements = (ctypes.c_size_t * len(places))(*(
        metadata._index(shard) for shard, _ in places)), room(len(local))
    lib.metadata_globalize(metadata, shards, pointer(local), len(places), pointer(elements))
    return _tuples(elements, ndim, len(places))


def _rows(argument: str, rows: Sequence[Sequence[int]], ndim: int) -> Any:
    for number, row in enumerate(rows):
        if len(row) != ndim:
            raise lib.refused("RANK_MISMATCH", f"{argument}[{number}]: {len(row)} numbers for "
                              f"{ndim} dimensions", got=len(row), limit=ndim)
    return integers(argument, (number for row in rows for number in row))


def _tuples(numbers: Any, ndim: int, count: int) -> list[tuple[int, ...]]:
    return [tuple(numbers[row * ndim:(row + 1) * ndim]) for row in range(count)]
