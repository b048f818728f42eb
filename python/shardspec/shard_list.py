"""Lists of shards that may overlap and leave gaps, and queries about them."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from . import pictures
from ._arrays import index as integer
from ._arrays import integers, pointer, room, tuples
from ._handle import Handle
from ._library import lib
from .extents import Extents
from .metadata import ShardedTensorMetadata
from .shard import Packed, pack

FIRST_ROOM = 1024
"""Room for answers at first, where their number is unknown."""

Layout = ShardedTensorMetadata | Iterable[Any]


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
    """Shards as they are: they may overlap, leave gaps, and have no owner."""

    _free = "shards_free"

    def __init__(self, layout: ShardedTensorMetadata | Packed) -> None:
        if isinstance(layout, ShardedTensorMetadata):
            self.ndim = len(layout.size)
            self._own(lib.answer(ctypes.c_void_p, lib.shards_new_from_metadata, layout))
        else:
            self.ndim = layout.ndim
            if layout.placements.own:
                raise lib.refused("UNSUPPORTED", "shards: in lists, a placement is a text, not of a "
                                  "class of your own; pass metadata")
            self._own(layout.list_handle())


def layout_of(argument: str, layout: Layout, ndim: int = 0) -> ShardedTensorMetadata | Packed:
    """A layout, of which a list is read once. Of an empty list, `ndim` is what it would have."""
    if isinstance(layout, ShardedTensorMetadata):
        return layout
    return pack(argument, layout, ndim=ndim, unplaced=True)


def extents_of(layout: ShardedTensorMetadata | Packed) -> Extents:
    return layout.extents if isinstance(layout, Packed) else Extents.of(layout)


def are_boxes(layout: ShardedTensorMetadata | Packed) -> bool:
    """Whether its shards are boxes of the tensor."""
    return not layout.dim_maps.numbers if isinstance(layout, Packed) else layout._are_boxes()


def ndim_of(layout: ShardedTensorMetadata | Packed) -> int:
    return len(layout.size) if isinstance(layout, ShardedTensorMetadata) else layout.ndim


def find_overlaps(shards: Layout, limit: int | None = None) -> list[Overlap]:
    """Returns the pairs of shards that own the same elements: all, or the first `limit`.

    >>> from shardspec import ShardMetadata
    >>> find_overlaps([ShardMetadata([0], [3]), ShardMetadata([2], [2])])
    [Overlap(first=0, second=1, offsets=(2,), sizes=(1,))]
    """
    with ShardList(layout_of("shards", shards)) as some:
        ndim = some.ndim

        def ask(capacity: int, count: Any, more: Any) -> tuple[Any, ...]:
            first, second = (ctypes.c_size_t * capacity)(), (ctypes.c_size_t * capacity)()
            offsets, sizes = room(capacity * ndim), room(capacity * ndim)
            lib.shards_overlaps(some, first, second, pointer(offsets), pointer(sizes), capacity,
                                count, more)
            return first, second, offsets, sizes

        count, (first, second, offsets, sizes) = _up_to(limit, ask)
    return [Overlap(first[number], second[number], *boxes)
            for number, boxes in enumerate(zip(*(tuples(numbers, ndim, count)
                                                 for numbers in (offsets, sizes))))]


def find_gaps(shards: Layout, tensor_sizes: Iterable[int], limit: int | None = None) -> list[Gap]:
    """Returns the boxes of a tensor that no shard owns: all, or the first `limit`.

    >>> from shardspec import ShardMetadata
    >>> find_gaps([ShardMetadata([0], [3])], (4,))
    [Gap(offsets=(3,), sizes=(1,))]
    """
    whole = integers("tensor_sizes", tensor_sizes)
    ndim = len(whole)
    layout = layout_of("shards", shards, ndim)
    if ndim_of(layout) != ndim:
        raise lib.refused("NDIM_MISMATCH", f"tensor_sizes: {ndim} dimensions, but the shards have "
                          f"{ndim_of(layout)}", got=ndim, limit=ndim_of(layout))
    with ShardList(layout) as some:

        def ask(capacity: int, count: Any, more: Any) -> tuple[Any, ...]:
            offsets, sizes = room(capacity * ndim), room(capacity * ndim)
            lib.shards_gaps(some, pointer(whole), ndim, pointer(offsets), pointer(sizes), capacity,
                            count, more)
            return offsets, sizes

        count, boxes = _up_to(limit, ask)
    return [Gap(*box) for box in zip(*(tuples(numbers, ndim, count) for numbers in boxes))]


def draw_shards(shards: Layout, tensor_sizes: Iterable[int], format: pictures.Format = "text", *,
                theme: pictures.Theme = "auto", color: bool | None = None, ascii: bool = False,
                width: int | None = None, axes: Iterable[int] = (),
                window: Sequence[slice] | None = None) -> str:
    """Returns a picture of the owners of a tensor's elements, for any list of shards.

    The picture marks gaps and overlaps. `ShardedTensorMetadata.draw` explains the options.
    """
    whole = integers("tensor_sizes", tensor_sizes)
    with ShardList(layout_of("shards", shards, len(whole))) as some:
        return pictures.draw(lib.shards_draw, some, pointer(whole), len(whole), format=format,
                             theme=theme, color=color, ascii=ascii, width=width, axes=axes,
                             window=window, size=whole)


def _up_to(limit: int | None,
           ask: Callable[[int, Any, Any], tuple[Any, ...]]) -> tuple[int, tuple[Any, ...]]:
    """How many answers there are, up to a limit, and the arrays that hold them.

    `ask` has room for some and says whether there are more; then there is room for four times as
    many, so that all together cost little more than the last.
    """
    most = None if limit is None else integer("limit", limit)
    if most is not None and most < 0:
        raise lib.refused("INVALID_ARGUMENT", f"limit: {most} is negative", got=most)
    capacity = FIRST_ROOM if most is None else min(most, FIRST_ROOM)
    while True:
        count, more = ctypes.c_size_t(), ctypes.c_int32()
        answers = ask(capacity, ctypes.byref(count), ctypes.byref(more))
        if not more or capacity == most:
            return count.value, answers
        capacity = 4 * capacity if most is None else min(most, 4 * capacity)
