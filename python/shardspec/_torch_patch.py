"""This library in the place of functions of torch that are slow for many shards."""

from __future__ import annotations

import ctypes
import functools
import importlib
import math
import operator
import sys
import threading
import types
from array import array
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Any

from ._arrays import integers, pointer, room
from ._boxes import Boxes, meetings, overlap
from ._library import lib
from .errors import UnsupportedError
from .shard_list import ShardList

INTERNALS = "torch.distributed._shard.sharding_spec._internals"
PLANNER = "torch.distributed.checkpoint.planner_helpers"
UNUSUAL = (AttributeError, IndexError, OverflowError, TypeError, UnsupportedError, ValueError)
"""What arguments raise that torch's function is left to answer, with its exceptions."""
MANY = 64
"""Shards, or pairs of chunks, from which on the library is faster than torch. Fewer are left to torch."""
MAX = (1 << 63) - 1

Function = Callable[..., Any]


class Unusual(ValueError):
    """Arguments that torch's own function answers as fast."""


def boxes_of(shards: Sequence[Any]) -> Boxes:
    """The boxes of many shards."""
    if len(shards) < MANY:
        raise Unusual
    return Boxes.of(shards, "shard_offsets", "shard_sizes")


def overlapping(shards: Sequence[Any]) -> tuple[int, int] | None:
    """Two shards that overlap, as torch sees it."""
    boxes = boxes_of(shards)
    dims = boxes.varying_dims()
    if not dims:
        raise Unusual  # All the same.
    # If only one dimension is cut, torch does not look at the others, which may be empty.
    return overlap(boxes.in_dim(dims[0]) if len(dims) == 1 else boxes)


def problem(torch: Any, shards: Sequence[Any], tensor_dims: Sequence[int]) -> str | None:
    """Why shards can't be those of a tensor of these sizes, as torch sees it."""
    boxes, sizes = boxes_of(shards), [*map(operator.index, tensor_dims)]
    if len(sizes) != len(boxes.starts) or not sizes:
        raise Unusual
    volumes, largest = None, boxes.number
    for dim, size in enumerate(sizes):
        starts, lengths = (torch.frombuffer(array("q", columns[dim]), dtype=torch.int64)
                           for columns in (boxes.starts, boxes.lengths))
        (lowest, highest), (shortest, longest) = (map(int, column.aminmax())
                                                  for column in (starts, lengths))
        largest *= max(longest, 1)
        if min(lowest, shortest) < 0 or max(highest + longest, largest) > MAX:
            raise Unusual  # Some number might not fit into 64 bits.
        if highest + longest > size and (starts + lengths).max() > size:
            row = int((starts + lengths > size).nonzero()[0])
            return (f"Shard offset {starts[row]} and length {lengths[row]} exceeds tensor dim: {size} "
                    f"for shard {shards[row]}")
        volumes = lengths if volumes is None else volumes * lengths
    held, whole = int(volumes.sum()), math.prod(sizes)  # type: ignore[union-attr]  # Not None.
    if held == whole:
        return None
    return (f"Total volume of shards: {held} does not match tensor volume: {whole}"
            f"{_uncovered(boxes, sizes)}")


def _uncovered(boxes: Boxes, sizes: list[int]) -> str:
    """Which box no shard holds, for a message."""
    offsets, lengths = room(len(sizes)), room(len(sizes))
    count = ctypes.c_size_t()
    try:
        with ShardList(boxes.packed(None)) as shards:
            lib.shards_gaps(shards, pointer(integers("tensor_dims", sizes)), len(sizes),
                            pointer(offsets), pointer(lengths), 1, ctypes.byref(count), None)
    except UNUSUAL:
        return ""
    if not count.value:
        return ", and shards overlap"
    box = ", ".join(f"{start}:{start + length}" for start, length in zip(offsets, lengths))
    return f"; no shard holds [{box}]"


class Reads:
    """What is read of each saved chunk into each local one."""

    def __init__(self, local: Sequence[Any], saved: Sequence[Any]) -> None:
        if len(local) * len(saved) < MANY:
            raise Unusual
        self._boxes, self._others = (Boxes.of(chunks, "offsets", "sizes") for chunks in (local, saved))
        if not self._boxes.starts:
            raise Unusual
        self._pairs = meetings(self._boxes, self._others)

    def ordered(self) -> list[tuple[int, int]]:
        """The pairs of a local and a saved chunk, in the order of torch's planner.

        It sweeps along the longest dimension.
        """
        if len(self._pairs) < 2:
            return self._pairs
        swept = self._longest()
        starts = self._boxes.starts[swept]
        others, lengths = self._others.starts[swept], self._others.lengths[swept]
        return sorted(self._pairs, key=lambda pair: (
            starts[pair[0]], pair[0], others[pair[1]] + lengths[pair[1]], pair[1]))

    def _longest(self) -> int:
        """The first of the longest dimensions."""
        if len(self._boxes.starts) == 1:
            return 0
        ends = [max(max(map(operator.add, starts, lengths))
                    for starts, lengths in ((boxes.starts[dim], boxes.lengths[dim])
                                            for boxes in (self._boxes, self._others)))
                for dim in range(len(self._boxes.starts))]
        return ends.index(max(ends))

    def regions(self, pairs: list[tuple[int, int]]) -> Iterator[tuple[Any, Any, Any]]:
        """Where the saved and the local chunk of each pair have the box that they share, and its
        sizes."""
        columns: tuple[list[Any], list[Any], list[Any]] = ([], [], [])
        for here, sizes, there, others in zip(
                self._boxes.starts, self._boxes.lengths, self._others.starts, self._others.lengths):
            stored, placed, lengths = [], [], []
            for local, saved in pairs:
                start, other = here[local], there[saved]
                end, other_end = start + sizes[local], other + others[saved]
                first = start if start > other else other
                stored.append(first - other)
                placed.append(first - start)
                lengths.append((end if end < other_end else other_end) - first)
            for column, numbers in zip(columns, (stored, placed, lengths)):
                column.append(numbers)
        return zip(*(zip(*of_dims) for of_dims in columns))


def _validate(original: Function) -> Function:
    def validate_non_overlapping_shards_metadata(shards: Any) -> None:
        try:
            pair = overlapping(shards)
        except UNUSUAL:
            original(shards)
            return
        if pair is not None:
            raise ValueError(f"Shards {shards[pair[0]]} and {shards[pair[1]]} overlap")

    return validate_non_overlapping_shards_metadata


def _check(original: Function) -> Function:
    torch = importlib.import_module("torch")

    def check_tensor(shards_metadata: Any, tensor_dims: Any) -> None:
        try:
            found = problem(torch, shards_metadata, tensor_dims)
        except UNUSUAL:
            original(shards_metadata, tensor_dims)
            return
        if found is not None:
            raise ValueError(found)

    return check_tensor


def _create(original: Function) -> Function:
    planner = importlib.import_module("torch.distributed.checkpoint.planner")
    index_of = importlib.import_module("torch.distributed.checkpoint.metadata").MetadataIndex
    read_item, kind = planner.ReadItem, planner.LoadItemType.TENSOR
    size = importlib.import_module("torch").Size

    def create_read_items_for_chunk_list(fqn: Any, checkpoint_md: Any, local_chunks: Any) -> Any:
        try:
            saved_chunks = checkpoint_md.chunks
            reads = Reads(local_chunks, saved_chunks)
        except UNUSUAL:
            return original(fqn, checkpoint_md, local_chunks)

        @functools.cache
        def place(local: int) -> Any:
            return index_of(fqn, local_chunks[local].offsets, local)

        @functools.cache
        def stored(saved: int) -> Any:
            return index_of(fqn, saved_chunks[saved].offsets, saved)

        pairs = reads.ordered()
        return [read_item(type=kind, dest_index=place(local), dest_offsets=size(here),
                          storage_index=stored(saved), storage_offsets=size(there), lengths=size(lengths))
                for (local, saved), (there, here, lengths) in zip(pairs, reads.regions(pairs))]

    return create_read_items_for_chunk_list


TARGETS: tuple[tuple[str, str, Callable[[Function], Function]], ...] = (
    (INTERNALS, "validate_non_overlapping_shards_metadata", _validate),
    (INTERNALS, "check_tensor", _check),
    (PLANNER, "create_read_items_for_chunk_list", _create),
)
_lock = threading.Lock()
_replaced: list[tuple[Function, Function]] = []
"""torch's functions, and what is in their places."""


class Patch:
    """The state of torch's functions after `patch`. As a context manager, this object calls
    `unpatch` at the end of the block."""

    def __init__(self, made: bool) -> None:
        self._made = made

    def __enter__(self) -> Patch:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 traceback: TracebackType | None) -> None:
        if self._made:
            unpatch()


def patch() -> Patch:
    """Replaces functions of torch that are slow for many shards by functions of this library.

    `validate_non_overlapping_shards_metadata` and `check_tensor` check the shards of a
    `ShardedTensor`. `create_read_items_for_chunk_list` plans the reads of a distributed checkpoint.
    The new functions accept and refuse the same shards as torch's functions, and plan the same
    reads. The exceptions have the classes of torch's exceptions. If shards do not cover a tensor,
    the message of the exception names a missing box.

    Modules that imported these functions also get the new functions. If the functions are already
    replaced, `patch` does nothing. In nested `with patch():` blocks, only the outermost block calls
    `unpatch` at its end.

    >>> from torch.distributed._shard.sharding_spec import _internals
    >>> with patch():
    ...     _internals.check_tensor.__module__, hasattr(_internals.check_tensor, "__wrapped__")
    ('torch.distributed._shard.sharding_spec._internals', True)
    >>> hasattr(_internals.check_tensor, "__wrapped__")
    False
    """
    with _lock:
        if _replaced:
            return Patch(made=False)
        originals = [(getattr(importlib.import_module(module), name), replacement)
                     for module, name, replacement in TARGETS]
        pairs: list[tuple[Function, Function]] = [
            (original, functools.wraps(original)(replacement(original)))
            for original, replacement in originals]
        _replaced.extend(pairs)
        _exchange(pairs)
    return Patch(made=True)


def unpatch() -> None:
    """Restores torch's own functions. Before the first `patch`, this call does nothing."""
    with _lock:
        _exchange([(replacement, original) for original, replacement in _replaced])
        _replaced.clear()


def _exchange(pairs: list[tuple[Function, Function]]) -> None:
    """Puts the second of each pair everywhere where a module has the first, by any name."""
    by_identity = {id(old): new for old, new in pairs}
    for module in list(sys.modules.values()):
        if not isinstance(module, types.ModuleType) or module.__name__ == __name__:
            continue
        names = vars(module)
        for name, value in list(names.items()):
            if id(value) in by_identity:
                names[name] = by_identity[id(value)]
