"""Boxes of other libraries' shards, and which of them overlap."""

from __future__ import annotations

import ctypes
from array import array
from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

from ._arrays import pointer, room
from ._extension import native
from ._library import lib
from .errors import LayoutError
from .placement import Placements
from .shard import Packed
from .shard_list import ShardList

FEW = 8
"""Boxes for which a list of others is searched as a whole. For more, the library searches faster."""
ROOM_FOR_EACH = 4
"""Pairs for each box that there is room for at first."""

Row = Sequence[int]
Column: TypeAlias = "list[int] | array[int]"


class Boxes(NamedTuple):
    """Boxes, by the starts and the lengths of their intervals in each dimension."""

    number: int
    starts: Sequence[Column]
    lengths: Sequence[Column]

    @staticmethod
    def of(shards: Sequence[Any], offsets: str, sizes: str) -> Boxes:
        """The boxes of objects whose attributes of these names are lists of integers.

        Raises one of Python's own exceptions if there are none, or not all have as many dimensions.
        """
        rows = None if native is None else native.rows(shards, offsets, sizes)
        if rows is None:
            starts, lengths = ([getattr(shard, name) for shard in shards] for name in (offsets, sizes))
            return Boxes.of_rows(starts, lengths)
        ndim, *tables = rows
        columns = [_columns(table, ndim) for table in tables]
        return Boxes(len(shards), *columns)

    @staticmethod
    def of_rows(offsets: Sequence[Row], sizes: Sequence[Row]) -> Boxes:
        """The boxes with these offsets and sizes."""
        number, ndim = len(offsets), len(offsets[0])
        for rows in (offsets, sizes):
            if [*map(len, rows)].count(ndim) != number:
                raise ValueError(f"boxes of {ndim} and of other dimensions")
        starts, lengths = ([[row[dim] for row in rows] for dim in range(ndim)]
                           for rows in (offsets, sizes))
        return Boxes(number, starts, lengths)

    def varying_dims(self) -> list[int]:
        """The dimensions in which not all boxes are the same."""
        return [dim for dim, columns in enumerate(zip(self.starts, self.lengths))
                if any(column != column[:1] * self.number for column in columns)]

    def in_dim(self, dim: int) -> Boxes:
        """The intervals of one dimension."""
        return Boxes(self.number, [self.starts[dim]], [self.lengths[dim]])

    def and_then(self, others: Boxes) -> Boxes:
        """These boxes and others, in one list."""
        return Boxes(self.number + others.number,
                     [[*one, *other] for one, other in zip(self.starts, others.starts, strict=True)],
                     [[*one, *other] for one, other in zip(self.lengths, others.lengths, strict=True)])

    def apart(self, first: int) -> Boxes:
        """The boxes with two more dimensions, in which the first of them all miss each other, the
        others miss each other too, and each of the first meets each of the others."""
        others = self.number - first
        return Boxes(
            self.number,
            [*self.starts, [*range(first), *[0] * others], [*[0] * first, *range(others)]],
            [*self.lengths, [*[1] * first, *[first] * others], [*[others] * first, *[1] * others]])

    def without_empty(self) -> Boxes:
        """Boxes of which none is empty, and that overlap where torch says that these do.

        For torch, an empty interval overlaps another one if it begins strictly inside of it, and two
        empty ones never overlap. Here, indices are doubled: an interval of `n` indices from `i` on is
        the `2n - 1` numbers between `2i` and `2(i + n)`, and an empty one the number `2i`. In a
        dimension of their own, empty ones have a number each, which keeps them apart.
        """
        if not any(0 in column for column in self.lengths):
            return self
        doubled, spans = [], []
        for starts, lengths in zip(self.starts, self.lengths):
            doubled.append([2 * start + (length != 0) for start, length in zip(starts, lengths)])
            spans.append([2 * length - 1 if length else 1 for length in lengths])
            if 0 in lengths:
                doubled.append([0 if length else row for row, length in enumerate(lengths)])
                spans.append([self.number if length else 1 for length in lengths])
        return Boxes(self.number, doubled, spans)

    def packed(self, placement: str | None) -> Packed:
        """The boxes as the library takes them, all with one placement."""
        ndim = len(self.starts)
        offsets, sizes = room(ndim * self.number), room(ndim * self.number)
        for dim in range(ndim):
            offsets[dim::ndim] = array("q", self.starts[dim])
            sizes[dim::ndim] = array("q", self.lengths[dim])
        return Packed(ndim, offsets, sizes, Placements([placement]),  # type: ignore[list-item]
                      room(self.number, "I"))


def _columns(table: bytes, ndim: int) -> list[array[int]]:
    """The columns of a table of 64-bit integers."""
    numbers = array("q", table)
    return [numbers[dim::ndim] for dim in range(ndim)]


def overlap(boxes: Boxes) -> tuple[int, int] | None:
    """Two boxes that overlap, in torch's sense of empty ones."""
    try:
        handle = boxes.without_empty().packed("cpu").make(lib.spec_new_enumerable)
    except LayoutError as error:
        if error.name == "OVERLAP" and error.first_shard is not None and error.second_shard is not None:
            return error.first_shard, error.second_shard
        raise
    lib.spec_free(handle)
    return None


def meetings(boxes: Boxes, others: Boxes) -> list[tuple[int, int]]:
    """All pairs of a box and another one that overlap, in torch's sense of empty ones."""
    if boxes.number <= FEW:
        return [(one, other) for one in range(boxes.number) for other in _met(boxes, one, others)]
    every = boxes.and_then(others).without_empty()
    capacity, apart = ROOM_FOR_EACH * every.number, False
    while True:
        with ShardList(every.packed(None)) as some:
            first, second, more = _overlaps(some, capacity)
        pairs = [(one, other - boxes.number) for one, other in zip(first, second)
                 if one < boxes.number <= other]
        if not more:
            return pairs
        if not apart and 2 * len(pairs) < len(first):
            # Boxes of one list overlap each other, and there may be very many such pairs.
            every, apart = every.apart(boxes.number), True
        else:
            capacity *= 4


def _met(boxes: Boxes, one: int, others: Boxes) -> Any:
    """The others that a box overlaps."""
    found: Any = None
    intervals = zip(boxes.starts, boxes.lengths, others.starts, others.lengths, strict=True)
    for begins, lasts, starts, lengths in intervals:
        begin, end = begins[one], begins[one] + lasts[one]
        if found is None:
            found = [other for other, start, length in zip(range(others.number), starts, lengths)
                     if start < end and begin < start + length]
        else:
            found = [other for other in found
                     if starts[other] < end and begin < starts[other] + lengths[other]]
    return found


def _overlaps(boxes: ShardList, capacity: int) -> tuple[array[int], array[int], bool]:
    """The first pairs of boxes that overlap, and whether there are more."""
    first, second = room(capacity, "Q"), room(capacity, "Q")
    count, more = ctypes.c_size_t(), ctypes.c_int32()
    lib.shards_overlaps(boxes, pointer(first), pointer(second), None, None, capacity,
                        ctypes.byref(count), ctypes.byref(more))
    return first[:count.value], second[:count.value], bool(more)
