"""Plans: the elements that move from one layout of a tensor to another."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple, overload

from . import copies, pictures
from ._arrays import index as integer
from ._arrays import indices, integers, listed, pointer, room
from ._handle import Handle
from ._library import lib
from ._views import Views, alike, views
from .extents import Extents
from .metadata import ShardedTensorMetadata, metadata_of
from .reads import Read, Run, RunStruct, options, reads_of, runs_of
from .shard import Packed, ShardMetadata
from .shard_list import Layout, ShardList, are_boxes, extents_of, layout_of, ndim_of
from .sharded_tensor import ShardedTensor
from .tensor import new

BLOCK = 4096
"""Pieces that are read from the library at once."""

Tensors = Mapping[int, Any] | Iterable[Any] | ShardedTensor


class Piece(NamedTuple):
    """A box of elements that one destination shard takes from one source shard."""

    source: int
    destination: int
    source_offsets: tuple[int, ...]
    destination_offsets: tuple[int, ...]
    sizes: tuple[int, ...]


class StridedPiece(NamedTuple):
    """Elements that one destination shard takes from one source shard, if one of the two shards is not
    a box.

    Element `(i[0], i[1], ...)` of the piece has an index in dimension d of the source's buffer. The
    index is `source_offsets[d]` plus the sum of `i[k] * source_steps[k]` over all k with
    `source_dims[k] == d`. The fields for the destination have the corresponding meaning.
    """

    source: int
    destination: int
    source_offsets: tuple[int, ...]
    destination_offsets: tuple[int, ...]
    sizes: tuple[int, ...]
    source_dims: tuple[int, ...]
    destination_dims: tuple[int, ...]
    source_steps: tuple[int, ...]
    destination_steps: tuple[int, ...]


AnyPiece = Piece | StridedPiece


class Plan(Handle):
    """The pieces that move from one layout of a tensor to another.

    A layout is metadata, or a list of shards. The shards of a list may overlap like replicas.
    `wanted` lists the destination shards of the plan. The default is all shards. A plan is a
    sequence of its pieces, ordered by destination, then by source, then by position. If all shards
    of both layouts are boxes, each piece is a Piece. If a shard is not a box, each piece is a
    StridedPiece.

    With `nodes`, rank r is on node `nodes[r]`. If several sources have an element, the plan prefers
    a source on the destination's rank, and in second place a source on the destination's node. A
    negative number stands for an unknown node.

    `pickle` and `copy` compute a plan again from the same layouts.

    >>> halves = [ShardMetadata([0], [2], "rank:0"), ShardMetadata([2], [2], "rank:1")]
    >>> plan = Plan(halves, [ShardMetadata([1], [3], "rank:0")])
    >>> [(piece.source, piece.sizes) for piece in plan]
    [(0, (1,)), (1, (2,))]
    >>> plan.execute([b"ab", b"cd"])[0].memory().tobytes()
    b'bcd'
    """

    _free = "plan_free"

    def __init__(self, source: Layout, destination: Layout, *,
                 wanted: Iterable[int] | None = None,
                 nodes: Iterable[int] | None = None) -> None:
        of_ranks = None if nodes is None else integers("nodes", nodes)
        first, second = layout_of("source", source), layout_of("destination", destination)
        # Of nothing, the other list says what kind of a tensor it is nothing of.
        if isinstance(first, Packed) and not first.indices:
            first = first._replace(ndim=ndim_of(second))
        if isinstance(second, Packed) and not second.indices:
            second = second._replace(ndim=ndim_of(first))
        self._source, self._destination = first, second
        self._wanted: list[int] | None = None
        self._extents: dict[str, Extents] = {}
        self._of_boxes = are_boxes(first) and are_boxes(second)
        self._nodes = None if of_ranks is None else list(of_ranks)
        self._make(first, second, wanted)
        if of_ranks is not None:
            near = lib.answer(ctypes.c_void_p, lib.plan_new_on_nodes, self, pointer(of_ranks),
                              len(of_ranks))
            self.close()
            self._own(near)

    def _make(self, first: ShardedTensorMetadata | Packed, second: ShardedTensorMetadata | Packed,
              wanted: Iterable[int] | None) -> None:
        """Makes the plan for ranks of which no node is known."""
        if isinstance(first, ShardedTensorMetadata) and isinstance(second, ShardedTensorMetadata):
            if wanted is None:
                self._own(lib.answer(ctypes.c_void_p, lib.plan_new, first, second))
                return
            self._wanted = [second._index(index, "wanted")
                            for index in listed("wanted", wanted, "indices")]
            numbers = (ctypes.c_size_t * len(self._wanted))(*self._wanted)
            self._own(lib.answer(ctypes.c_void_p, lib.plan_new_for_destinations, first, second,
                                 numbers, len(numbers)))
            return
        if wanted is not None:
            raise lib.refused("INVALID_ARGUMENT", "wanted: of a list, pass only what is wanted")
        with ShardList(first) as sources, ShardList(second) as destinations:
            self._own(lib.answer(ctypes.c_void_p, lib.plan_new_from_shards, sources,
                                 destinations))

    def draw(self, format: pictures.Format = "text", *, theme: pictures.Theme = "auto",
             color: bool | None = None, ascii: bool = False, width: int | None = None) -> str:
        """Returns a picture of the traffic between each pair of owners, as text or as SVG.

        `color` adds colours to a text. With None, the text has colours if `sys.stdout` is a
        terminal and `NO_COLOR` has no value.
        """
        return pictures.draw(lib.plan_draw, self, format=format, theme=theme, color=color,
                             ascii=ascii, width=width, axes=(), window=None, size=())

    def _repr_svg_(self) -> str:
        return pictures.svg(lib.plan_draw, self)

    def __len__(self) -> int:
        return int(lib.answer(ctypes.c_size_t, lib.plan_piece_count, self))

    @overload
    def __getitem__(self, index: int) -> AnyPiece: ...
    @overload
    def __getitem__(self, index: slice) -> list[AnyPiece]: ...

    def __getitem__(self, index: int | slice) -> AnyPiece | list[AnyPiece]:
        count = len(self)
        if isinstance(index, slice):
            numbers = range(*index.indices(count))
            if numbers.step == 1:
                return self._pieces(numbers.start, len(numbers))
            return [self._pieces(number, 1)[0] for number in numbers]
        number = integer("index", index)
        if not -count <= number < count:
            raise lib.refused("INDEX_OUT_OF_RANGE", f"index: {number} is out of range; there are "
                              f"{count} pieces", limit=count)
        return self._pieces(number % count, 1)[0]

    def __iter__(self) -> Iterator[AnyPiece]:
        count = len(self)
        for first in range(0, count, BLOCK):
            yield from self._pieces(first, min(BLOCK, count - first))

    def pieces_into(self, destination: int) -> list[AnyPiece]:
        """Returns the pieces that a destination shard takes."""
        first, count = ctypes.c_size_t(), ctypes.c_size_t()
        lib.plan_pieces_of_destination(self, destination, ctypes.byref(first), ctypes.byref(count))
        return self._pieces(first.value, count.value)

    def _pieces(self, first: int, count: int) -> list[AnyPiece]:
        # Those of source buffers, of destination buffers, and of pieces.
        counts = [ctypes.c_size_t() for _ in range(3)]
        lib.plan_ndims(self, *map(ctypes.byref, counts))
        ndims = [one.value for one in counts]
        shards = [room(count, "Q") for _ in range(2)]
        boxes = [room(count * ndim) for ndim in ndims]
        lib.plan_pieces(self, first, count, *map(pointer, shards), *map(pointer, boxes))
        rows: list[tuple[Any, ...]] = [(shards[0][number], shards[1][number], *(
            tuple(box[number * ndim:(number + 1) * ndim]) for box, ndim in zip(boxes, ndims)))
            for number in range(count)]
        if self._of_boxes:
            return [Piece(*row) for row in rows]
        ndim = ndims[2]
        dims = [(ctypes.c_size_t * ndim)() for _ in range(2)]
        steps = [room(count * ndim) for _ in range(2)]
        lib.plan_piece_steps(self, first, count, *dims, *map(pointer, steps))
        return [StridedPiece(*row, *map(tuple, dims), *(
            tuple(step[number * ndim:(number + 1) * ndim]) for step in steps))
            for number, row in enumerate(rows)]

    @property
    def is_local(self) -> bool:
        """True if no piece changes its owner."""
        return bool(lib.answer(ctypes.c_int32, lib.plan_is_local, self))

    @property
    def is_identity(self) -> bool:
        """True if no element moves, because every wanted shard is equal to the source shard with
        the same index.
        """
        return bool(lib.answer(ctypes.c_int32, lib.plan_is_identity, self))

    @property
    def source_hash(self) -> int:
        """The `layout_hash` of the source layout. To find out whether a plan is out of date,
        compare this hash with the `layout_hash` of the metadata.
        """
        return self._layout("source").digest()

    @property
    def destination_hash(self) -> int:
        """The `layout_hash` of the destination layout."""
        return self._layout("destination").digest()

    def _layout(self, side: str) -> Extents:
        if side not in self._extents:
            self._extents[side] = extents_of(self._source if side == "source" else self._destination)
        return self._extents[side]

    def execute(self, sources: Tensors, destinations: Tensors | None = None, *,
                max_threads: int = 0, hint: copies.Hint | None = None) -> Any:
        """Copies the pieces from source shards to destination shards, all in this process.

        Pass a list of all shards, a dictionary of shards by index, or a ShardedTensor with its
        local shards.

        The method refuses a ShardedTensor with another layout than the plan's layout. For other
        tensors, the method compares only the sizes. Returns `destinations` or new tensors. New
        tensors are a list of all shards, or a dictionary by index if the plan is for `wanted`
        shards.
        """
        how = copies.options(max_threads, hint)
        numbers, tensors, count = self._indexed("source", sources, write=False)
        if destinations is None:
            if not count:
                raise lib.refused("INVALID_ARGUMENT", "sources: pass one at least, or destinations")
            shards, (dtype, kind) = self._layout("destination"), tensors.type
            made = {number: new(tuple(shards.shard(number)[1]), dtype, kind) for number in (
                range(len(shards.indices)) if self._wanted is None else self._wanted)}
            destinations = list(made.values()) if self._wanted is None else made
        elif not isinstance(destinations, (Mapping, ShardedTensor, list, tuple)):
            destinations = listed("destinations", destinations, "tensors")
        to_numbers, places, to_count = self._indexed("destination", destinations, write=True)
        alike(("sources", tensors), ("destinations", places))
        lib.plan_execute(self, numbers, tensors.array, count, to_numbers, places.array, to_count, how)
        return destinations

    def _indexed(self, side: str, tensors: Tensors, *, write: bool) -> tuple[Any, Views, int]:
        """Indices, views and their number: arguments of `plan_execute`."""
        argument = f"{side}s"
        if isinstance(tensors, ShardedTensor):
            self._same(side, tensors)
            pairs = [(index, shard.tensor) for index, shard in zip(
                tensors.local_indices(), tensors.local_shards())]
        elif isinstance(tensors, Mapping):
            pairs = [(integer(argument, index), tensor) for index, tensor in tensors.items()]
        else:
            pairs = list(enumerate(listed(argument, tensors, "tensors")))
        numbers = indices(argument, [index for index, _ in pairs])
        found = views(lambda number: f"{argument}[{pairs[number][0]}]", (tensor for _, tensor in pairs),
                      write=write)
        return numbers, found, len(pairs)

    def _same(self, side: str, tensor: ShardedTensor) -> None:
        """Refuses a sharded tensor of another layout than the plan's, whatever its sizes."""
        there, here = self._layout(side), Extents.of(tensor.metadata())
        difference = there.difference(here)
        if difference is not None:
            raise lib.refused(
                "INVALID_ARGUMENT", f"{side}s: its layout is not the plan's {side}: {difference}; "
                f"make the plan anew (plan.{side}_hash is {there.digest():#x}, layout_hash here is "
                f"{here.digest():#x})")

    def shard_traffic(self, itemsize: int = 0) -> list[tuple[int, int, int]]:
        """Returns source shard, destination shard and bytes, for each pair with traffic."""
        return self._traffic(lib.plan_shard_traffic, itemsize, "Q")

    def rank_traffic(self, itemsize: int = 0) -> list[tuple[int, int, int]]:
        """Returns source rank, destination rank and bytes, for each pair with traffic. -1 stands
        for an owner without a rank."""
        return self._traffic(lib.plan_rank_traffic, itemsize, "q")

    def _traffic(self, function: Any, itemsize: int, typecode: str) -> list[tuple[int, int, int]]:
        needed = ctypes.c_size_t()
        function(self, itemsize, None, None, None, 0, ctypes.byref(needed))
        arrays = [room(needed.value, code) for code in (typecode, typecode, "q")]
        function(self, itemsize, *map(pointer, arrays), needed.value, None)
        return list(zip(*arrays))

    def shard_runs(self, source: int, destination: int, itemsize: int = 0) -> list[Run]:
        """Returns the runs of bytes that move from one source shard to one destination shard."""
        return self._runs(lib.plan_shard_runs, source, destination, itemsize)

    def rank_runs(self, source_rank: int, destination_rank: int, itemsize: int = 0) -> list[Run]:
        """Returns the runs of bytes that move from one rank to another, or stay on one rank."""
        return self._runs(lib.plan_rank_runs, source_rank, destination_rank, itemsize)

    def shard_reads(self, source: int, destination: int, itemsize: int = 0, *, max_gap: int | None = None,
                    over_read: float = 0.0, max_read: int = 0) -> list[Read]:
        """Returns the reads that get the bytes of `shard_runs`, for a source in a file or far away.

        One read gets needed bytes that are near each other. A gap between needed bytes is part of
        the read if the gap has at most `max_gap` bytes (default: 4096). A larger gap is part of the
        read if the whole read has at most `over_read` times as many bytes as its needed bytes. An
        `over_read` of 0 means 2.0. A read of several blocks has at most `max_read` bytes. A
        `max_read` of 0 means 2 MiB.

        >>> columns = [ShardMetadata([0, 0], [4096, 64], "rank:0")]
        >>> plan = Plan([ShardMetadata([0, 0], [4096, 128], "rank:0")], columns)
        >>> [(read.length, len(read.runs)) for read in plan.shard_reads(0, 0, itemsize=4)]
        [(2096896, 1)]
        """
        return reads_of(lib.plan_shard_reads, self, source, destination, itemsize,
                        options(max_gap, over_read, max_read))

    def rank_reads(self, source_rank: int, destination_rank: int, itemsize: int = 0, *,
                   max_gap: int | None = None, over_read: float = 0.0, max_read: int = 0) -> list[Read]:
        """Returns the reads that get the bytes of `rank_runs`. `shard_reads` explains the
        options."""
        return reads_of(lib.plan_rank_reads, self, source_rank, destination_rank, itemsize,
                        options(max_gap, over_read, max_read))

    def _runs(self, function: Any, source: int, destination: int, itemsize: int) -> list[Run]:
        needed = ctypes.c_size_t()
        function(self, source, destination, itemsize, None, 0, ctypes.byref(needed))
        runs = (RunStruct * needed.value)()
        function(self, source, destination, itemsize, runs, needed.value, None)
        return runs_of(runs)

    def suggest_placements(self) -> tuple[list[int], int, int]:
        """Suggests a permutation of the destination's placements, so that the fewest elements move.

        Returns three values. The first value is a list for `relabel`, with one entry for each
        different placement of the destination. Entry i is the index of the new placement for all
        shards with placement i. The second value is the number of elements that move without the
        suggestion. The third value is the number of elements that move with the suggestion.
        """
        needed, before, after = ctypes.c_size_t(), ctypes.c_int64(), ctypes.c_int64()
        lib.plan_suggest_placements(self, None, 0, ctypes.byref(needed), None, None)
        indices = room(needed.value, "I")
        lib.plan_suggest_placements(self, pointer(indices), len(indices), None,
                                    ctypes.byref(before), ctypes.byref(after))
        return list(indices), before.value, after.value

    def to_json(self) -> str:
        """Returns a summary of the plan as a JSON text: the number of pieces, elements and bytes,
        and the traffic between each pair of owners.
        """
        return lib.text(lib.plan_to_json, self)

    def __reduce__(self) -> tuple[Any, ...]:
        layouts = (layout if isinstance(layout, ShardedTensorMetadata) else [
            ShardMetadata(*shard) for shard in map(layout.extents.shard, range(len(layout.indices)))]
            for layout in (self._source, self._destination))
        return _again, (type(self), *layouts, self._wanted, self._nodes)

    def __repr__(self) -> str:
        return "<closed Plan>" if self.closed else f"<Plan of {len(self)} pieces>"


def _again(kind: type[Plan], source: Layout, destination: Layout,
           wanted: list[int] | None, nodes: list[int] | None) -> Plan:
    """A plan that was pickled."""
    return kind(source, destination, wanted=wanted, nodes=nodes)


def relabel(metadata: ShardedTensorMetadata,
            placement_indices: Iterable[int]) -> ShardedTensorMetadata:
    """Returns metadata with the same elements in each shard, and with other placements. Shards with
    placement i get the placement with the index `placement_indices[i]`. `suggest_placements`
    returns such a list.
    """
    numbers = indices("placement_indices", placement_indices, ctypes.c_uint32)
    return ShardedTensorMetadata._of(
        lib.answer(ctypes.c_void_p, lib.metadata_relabel, metadata_of("metadata", metadata),
                   numbers, len(numbers)))
