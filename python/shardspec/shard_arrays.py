"""Boxes and their placements as flat arrays, for layouts of very many shards."""

from __future__ import annotations

import ctypes
from array import array
from collections.abc import Iterable
from typing import Any, NamedTuple

from . import _views
from ._arrays import integers, listed
from ._library import lib
from .dtype import parse
from .placement import AnyPlacement, Placements, as_placements
from .shard import ShardMetadata
from .tensor import Tensor, new, on_host

INTEGERS = (lib.DTYPE_INT, lib.DTYPE_UINT)
NAMES = {"q": "int64", "I": "uint32"}


class ShardArrays(NamedTuple):
    """The shards of a layout as flat arrays. Shard i has the offsets `offsets[i]`, the sizes `sizes[i]`
    and the placement `placements[indices[i]]`.
    """

    offsets: Tensor
    """int64, one row for each shard."""
    sizes: Tensor
    """The same."""
    placements: list[AnyPlacement]
    """The different placements."""
    indices: Tensor
    """uint32, the number of the placement of each shard."""


class Flat:
    """An array of integers as the library takes it: all of one type, one after the other."""

    def __init__(self, argument: str, values: Any, typecode: str, ndim: int) -> None:
        tensor = _tensor(argument, values, ndim)
        if len(tensor.shape) != ndim:
            raise lib.refused("NDIM_MISMATCH", f"{argument}: an array of {len(tensor.shape)} dimensions; "
                              f"pass one of {ndim}", got=len(tensor.shape), limit=ndim)
        dtype, kind = tensor._shardspec_view.type
        if dtype.code not in INTEGERS or dtype.lanes != 1 or dtype.bits < 8:
            raise TypeError(f"{argument}: an array of integers of this machine's byte order, not of "
                            f"{tensor.dtype if kind is None else kind}")
        self.shape = tensor.shape
        self.tensor, self._is_own = tensor, False
        if tensor.dtype != NAMES[typecode] or not tensor.contiguous:
            self.tensor, self._is_own = _converted(argument, tensor, typecode), True

    def keep(self) -> None:
        """Copies numbers that a caller could change."""
        from .copies import copied  # It moves elements, for which tensors have to be there.

        if not self._is_own:
            self.tensor, self._is_own = copied(self.tensor), True

    @property
    def pointer(self) -> Any:
        """Where the first number is; None if there are no numbers."""
        return first_of(self.tensor)


def first_of(tensor: Tensor) -> Any:
    """The first element of a tensor of integers, as ctypes passes its address."""
    kind = ctypes.c_uint32 if tensor.dtype == "uint32" else ctypes.c_int64
    return kind.from_address(tensor.data_ptr()) if tensor.nbytes else None


def _tensor(argument: str, values: Any, ndim: int) -> Tensor:
    """An array, or lists of numbers as one."""
    if not isinstance(values, (list, tuple)):
        return on_host(argument, values)
    rows = [integers(f"{argument}[{number}]", row) for number, row in enumerate(
        listed(argument, values, "rows"))] if ndim == 2 else [integers(argument, values)]
    for number, row in enumerate(rows):
        if len(row) != len(rows[0]):
            raise lib.refused("NDIM_MISMATCH", f"{argument}[{number}]: {len(row)} numbers, but {argument}[0] "
                              f"has {len(rows[0])}", index=number, got=len(row), limit=len(rows[0]))
    shape = (len(rows), len(rows[0]) if rows else 0) if ndim == 2 else (len(rows[0]),)
    numbers = array("q")
    for row in rows:
        numbers.extend(row)
    return Tensor(_views.make(numbers.buffer_info()[0], shape, None, parse("int64"), True, numbers))


def _converted(argument: str, tensor: Tensor, typecode: str) -> Tensor:
    """The same numbers as another type, one after the other."""
    from .copies import copied  # It moves elements, for which tensors have to be there.

    made = new(tensor.shape, parse(NAMES[typecode]))
    if not tensor.nbytes:
        return made
    elements = memoryview(copied(tensor).memory())
    form = elements.format
    try:
        numbers = array(typecode, elements.cast("B").cast(form))  # type: ignore[call-overload]
    except OverflowError:
        raise lib.refused("OVERFLOW", f"{argument}: a number does not fit into {NAMES[typecode]}") from None
    ctypes.memmove(made.data_ptr(), numbers.buffer_info()[0], made.nbytes)
    return made


class Boxes:
    """Boxes that were passed as flat arrays, checked against each other."""

    def __init__(self, offsets: Any, sizes: Any, placements: Iterable[Any], indices: Any) -> None:
        self.offsets, self.sizes = Flat("offsets", offsets, "q", 2), Flat("sizes", sizes, "q", 2)
        self.count, self.ndim = self.offsets.shape
        if self.sizes.shape != self.offsets.shape:
            raise lib.refused("NDIM_MISMATCH", f"sizes: its shape is {list(self.sizes.shape)}, but that of "
                              f"offsets is {list(self.offsets.shape)}")
        self.placements = Placements(as_placements("placements", placements))
        self.indices = None if indices is None else Flat("indices", indices, "I", 1)
        argument, given = ("placements", len(self.placements)) if self.indices is None else (
            "indices", self.indices.shape[0])
        if given != self.count:
            raise lib.refused("INVALID_ARGUMENT", f"{argument}: {given} for {self.count} shards; pass one for "
                              "each", got=given, limit=self.count)

    def copied(self) -> Boxes:
        """The same in arrays of its own, which a caller can't change."""
        for flat in (self.offsets, self.sizes, self.indices):
            if flat is not None:
                flat.keep()
        return self

    def arguments(self) -> tuple[Any, ...]:
        """What makes the same boxes."""
        return (self.offsets.tensor, self.sizes.tensor, self.placements.listed,
                None if self.indices is None else self.indices.tensor)

    def shards(self) -> list[ShardMetadata]:
        """Each box as a shard."""
        numbers = range(self.count) if self.indices is None else self.indices.tensor.tolist()
        rows = (flat.tensor.tolist() for flat in (self.offsets, self.sizes))
        return [ShardMetadata._read(start, length, self.placements.listed[number], None)
                for start, length, number in zip(*rows, numbers)]

    def list_handle(self) -> int:
        """A list of them, to be freed."""
        new_list = (lib.shards_new_from_arrays_with_placement_handles if self.placements.own
                    else lib.shards_new_from_arrays)
        return int(lib.answer(
            ctypes.c_void_p, new_list, self.offsets.pointer, self.sizes.pointer,
            None if self.indices is None else self.indices.pointer, self.ndim, self.count,
            self.placements.array, len(self.placements)))


def arrays_of(metadata: Any) -> ShardArrays:
    """All shards of metadata."""
    if not metadata._are_boxes():
        raise lib.refused("UNSUPPORTED", "to_arrays: not all shards are boxes of the tensor; see "
                          "shards_metadata and stretches")
    count, ndim = metadata._count(), metadata._buffer_ndim()
    offsets, sizes = (new((count, ndim), parse("int64")) for _ in range(2))
    indices = new((count,), parse("uint32"))
    lib.metadata_get_shards(metadata, 0, count, *map(first_of, (offsets, sizes, indices)))
    return ShardArrays(offsets, sizes, metadata.placements, indices)

