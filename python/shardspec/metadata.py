"""The shards of one tensor and their owners."""

from __future__ import annotations

import ctypes
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, overload

from . import copies, pictures
from ._arrays import index as integer
from ._arrays import instance, integers, listed, pointer, room, text, texts
from ._handle import Handle
from ._library import lib
from .errors import LayoutError, NotFoundError
from .extents import (
    DimMaps,
    Extents,
    Stretch,
    dim_maps_of,
    indices_of,
    stretches_of,
)
from .mesh import Mesh, coordinates, from_the_end
from .placement import AnyPlacement, PlacementHandle
from .properties import Struct, TensorProperties, named, stated_struct
from .shard import ShardMetadata, pack
from .shard_arrays import ShardArrays, arrays_of
from .tensor import Tensor

REDUCTIONS = {value: name for name, value in named("REDUCTION_").items()}
BLOCK = 4096
"""Shards that are read from the library at once."""


class Known(NamedTuple):
    """What the package asks metadata for again and again."""

    count: int  # type: ignore[assignment]  # Of tuples, it is a method that nobody needs here.
    ndim: int
    are_boxes: bool
    places: dict[int, AnyPlacement]
    """Placements that were read, by their numbers."""


class ShardedTensorMetadata(Handle):
    """All shards of a tensor, its sizes and its properties.

    `build_metadata` of a spec creates metadata. The constructor of this class creates metadata from
    shards. The shards must cover the tensor and must not overlap. The object is immutable.

    `scatter`, `gather`, `extract_shard` and `view_shard` move data between a tensor and its shards.
    All four methods accept any object with the buffer protocol or `__dlpack__`, and use the memory
    of the object in place.

    >>> metadata = ShardedTensorMetadata(
    ...     [ShardMetadata([0], [1], "rank:0"), ShardMetadata([1], [2], "rank:1")], (3,))
    >>> parts = metadata.scatter(bytearray([7, 8, 9]))
    >>> [part.tolist() for part in parts], metadata.gather(parts).tolist()
    ([[7], [8, 9]], [7, 8, 9])
    """

    _free = "metadata_free"
    _read_once: Known | None = None

    def __init__(self, shards_metadata: Iterable[Any], size: Iterable[int],
                 tensor_properties: TensorProperties | None = None) -> None:
        spec = pack("shards_metadata", shards_metadata).make(lib.spec_new_enumerable, "shards_metadata")
        try:
            self._own(build(spec, size, tensor_properties, argument="size"))
        finally:
            lib.spec_free(spec)

    def to_json(self) -> str:
        """Returns the metadata as a JSON text without spaces, with flat arrays of numbers.

        If a placement is of your own type, the method raises NotImplementedError, because a text
        can't contain code.
        """
        return lib.text(lib.metadata_to_json, self)

    @classmethod
    def from_json(cls, text: str | bytes) -> ShardedTensorMetadata:
        """Returns the metadata of a JSON text. The `index` of a `ShardspecError` is the number of
        the wrong byte of the text.

        The method checks the bounds of the shards, and refuses overlaps and gaps.
        """
        from .interchange import from_json  # It knows specs, and so imports this module.

        return ShardedTensorMetadata._of(from_json(lib.metadata_new_from_json, text))

    def to_bytes(self) -> bytes:
        """Returns the metadata as bytes with a checksum."""
        from .interchange import to_bytes

        return to_bytes(lib.metadata_to_bytes, self)

    @classmethod
    def from_bytes(cls, data: bytes | bytearray | memoryview) -> ShardedTensorMetadata:
        """Makes metadata from bytes that `to_bytes` made. Damaged bytes raise an error."""
        from .interchange import from_bytes

        return ShardedTensorMetadata._of(from_bytes(lib.metadata_new_from_bytes, data))

    @property
    def shards_metadata(self) -> Sequence[ShardMetadata]:
        """The shards, in the order of the spec. The sequence reads a shard from the library when
        the program indexes the sequence."""
        return Shards(self)

    def to_arrays(self) -> ShardArrays:
        """Returns all shards as flat arrays, which `EnumerableShardingSpec.from_arrays` accepts.

        For many shards, this method is much faster than reads of single shards. All shards must be
        boxes.
        """
        return arrays_of(self)

    @property
    def size(self) -> tuple[int, ...]:
        """The tensor's sizes."""
        sizes = room(lib.answer(ctypes.c_size_t, lib.metadata_ndim, self))
        lib.metadata_sizes(self, pointer(sizes), len(sizes), None)
        return tuple(sizes)

    @property
    def tensor_properties(self) -> TensorProperties:
        """The tensor's properties. The dtype is None for metadata without an element type."""
        properties = Struct(ctypes.sizeof(Struct))
        lib.metadata_properties(self, ctypes.byref(properties))
        return TensorProperties._from_struct(properties)

    @property
    def placements(self) -> list[AnyPlacement]:
        """The different placements, in the order of their first shards."""
        count = lib.answer(ctypes.c_size_t, lib.metadata_placement_count, self)
        return [self._placement(index) for index in range(count)]

    def _placement(self, placement_index: int) -> AnyPlacement:
        handle = lib.answer(ctypes.c_void_p, lib.metadata_placement, self, placement_index)
        with PlacementHandle._of(handle) as placement:
            return placement.read()

    def numel(self) -> int:
        """Number of elements of the tensor."""
        return int(lib.answer(ctypes.c_int64, lib.metadata_numel, self))

    def shards_of_rank(self, rank: int) -> list[int]:
        """Returns the indices of the shards on `rank`, in ascending order."""
        return self._shards_of(lib.metadata_shards_of_rank, rank)

    def shards_of_owner(self, owner: int | str) -> list[int]:
        """Returns the indices of the shards of an owner such as "rank:1", "trainer0" or
        "rank:1/cuda:0". A number is a rank."""
        return self._shards_of(lib.metadata_shards_of_owner, owner_text(owner))

    def _shards_of(self, function: Any, owner: Any) -> list[int]:
        needed = ctypes.c_size_t()
        function(self, owner, None, 0, ctypes.byref(needed))
        indices = (ctypes.c_size_t * needed.value)()
        function(self, owner, indices, needed.value, None)
        return list(indices)

    def draw(self, format: pictures.Format = "text", *, theme: pictures.Theme = "auto",
             color: bool | None = None, ascii: bool = False, width: int | None = None,
             axes: Iterable[int] = (), window: Sequence[slice] | None = None) -> str:
        """Returns a picture of the owners of all elements, as text or as SVG.

        `color` adds colours to a picture as text. With None, the picture has colours if `sys.stdout` is a
        terminal and `NO_COLOR` has no value. `axes` holds the dimension of the rows and the
        dimension of the columns. `window` holds a slice for each dimension: the part of the tensor
        to draw.
        """
        return pictures.draw(lib.metadata_draw, self, format=format, theme=theme, color=color,
                             ascii=ascii, width=width, axes=axes, window=window, size=self.size)

    def draw_diff(self, destination: ShardedTensorMetadata, format: pictures.Format = "text", *,
                  theme: pictures.Theme = "auto", color: bool | None = None, ascii: bool = False,
                  width: int | None = None, axes: Iterable[int] = (),
                  window: Sequence[slice] | None = None) -> str:
        """Returns a picture of the elements that change their owner from this layout to another.

        `draw` explains the options.
        """
        return pictures.draw(lib.metadata_draw_diff, self, destination, format=format, theme=theme,
                             color=color, ascii=ascii, width=width, axes=axes, window=window,
                             size=self.size)

    def _repr_svg_(self) -> str:
        return pictures.svg(lib.metadata_draw, self)

    def scatter(self, full: Any, shards: Sequence[Any] | None = None, *, max_threads: int = 0,
                hint: copies.Hint | None = None) -> list[Any]:
        """Copies every shard out of `full`, into `shards` or into new tensors.

        `max_threads` is the maximum number of threads; 0 lets the library choose. `hint` is
        "stream" for data that is not used again soon, or "cached" for data that is used next.
        """
        return copies.scatter(self, full, shards, copies.options(max_threads, hint))

    def gather(self, shards: Sequence[Any], full: Any = None, *, max_threads: int = 0,
               hint: copies.Hint | None = None) -> Any:
        """Copies all shards into `full`, or into a new tensor. This method is the inverse of
        `scatter`."""
        return copies.gather(self, shards, full, copies.options(max_threads, hint))

    def extract_shard(self, index: int, full: Any, shard: Any = None, *, max_threads: int = 0,
                      hint: copies.Hint | None = None) -> Any:
        """Copies one shard out of `full`, into `shard` or into a new tensor."""
        return copies.extract_shard(self, self._index(index), full, shard,
                                    copies.options(max_threads, hint))

    def view_shard(self, index: int, full: Any) -> Tensor:
        """Returns a view of the shard inside `full`, with the same memory."""
        return copies.view_shard(self, self._index(index), full)

    def digest(self, shards: Sequence[Any] | Mapping[int, Any], *, max_threads: int = 0) -> int:
        """Returns the digest of some shards: their contribution to the digest of the tensor.

        Pass the shards in the order of the metadata, or by index. The exclusive or (`^`) of the
        digests of all shards, in any order, is the CRC-64/NVME of the tensor's bytes in row-major
        order. The digest of the tensor does not depend on the cuts of the tensor. An element of
        several shards counts once.
        """
        return copies.digest(self, shards, copies.options(max_threads, None))

    def shard_digests(self, shards: Sequence[Any] | Mapping[int, Any], *,
                      max_threads: int = 0) -> Any:
        """Returns the CRC-64/NVME of each shard that is passed. Equal replicas have equal digests.

        Pass the shards in the order of the metadata, or by index. The result is a dictionary if the
        argument is a dictionary, else a list. Holes count as zeros.
        """
        return copies.shard_digests(self, shards, copies.options(max_threads, None))

    def _known(self) -> Known:
        """What is asked again and again. It is read once."""
        if self._read_once is None:
            shards = lib.answer(ctypes.c_void_p, lib.shards_new_from_metadata, self)
            try:
                are_boxes = bool(lib.answer(ctypes.c_int32, lib.shards_are_boxes, shards))
            finally:
                lib.shards_free(shards)
            self._read_once = Known(
                lib.answer(ctypes.c_size_t, lib.metadata_shard_count, self),
                lib.answer(ctypes.c_size_t, lib.metadata_buffer_ndim, self), are_boxes, {})
        return self._read_once

    def _count(self) -> int:
        """Number of shards."""
        return self._known().count

    def _buffer_ndim(self) -> int:
        """Dimensions of the shards' buffers: fewer than the tensor's where some are flattened."""
        return self._known().ndim

    def _are_boxes(self) -> bool:
        """Whether all shards are boxes of the tensor."""
        return self._known().are_boxes

    def _index(self, index: int, argument: str = "index") -> int:
        """Counts negative indices from the last shard, as Python does."""
        return from_the_end(argument, index, self._count(), "shards")

    @property
    def mesh(self) -> Mesh | None:
        """The mesh that cuts the tensor, or None. Shard i belongs to device i."""
        try:
            return Mesh._of(lib.answer(ctypes.c_void_p, lib.metadata_mesh, self))
        except NotFoundError:
            return None

    def coordinates(self, shard: int) -> dict[str, int]:
        """Returns the coordinate of a shard along each axis of the mesh that cuts the tensor.
        """
        mesh = self.mesh
        return coordinates(lib.metadata_get_coordinates, self, self._index(shard, "shard"),
                           [] if mesh is None else list(mesh.axes))

    @property
    def dim_names(self) -> list[str] | None:
        """The names of the tensor's dimensions, or None."""
        try:
            return [lib.text(lib.metadata_dim_name, self, dim) for dim in range(len(self.size))]
        except NotFoundError:
            return None

    @property
    def partial(self) -> dict[str, str]:
        """The axes that are pending a reduction, and the reductions."""
        count = lib.answer(ctypes.c_size_t, lib.metadata_partial_count, self)
        reduction, pending = ctypes.c_int32(), {}
        for number in range(count):
            needed = ctypes.c_size_t()
            lib.metadata_partial(self, number, None, 0, ctypes.byref(needed), None)
            axis = ctypes.create_string_buffer(needed.value)
            lib.metadata_partial(self, number, axis, needed.value, None, ctypes.byref(reduction))
            pending[axis.value.decode()] = REDUCTIONS[reduction.value]
        return pending

    @property
    def has_replicas(self) -> bool:
        """True if several shards may hold the same element. The first shard that holds an element
        is its primary owner.
        """
        return bool(lib.answer(ctypes.c_int32, lib.metadata_has_replicas, self))

    def replica(self, shard: int) -> tuple[int, int]:
        """Returns the replica number of a shard, and the index of its primary shard. Two shards are
        replicas if they have the same elements at the same places of their buffers. The replica
        number counts the replicas with lower indices. The primary shard is the replica with the
        lowest index, or this shard itself."""
        number, primary = ctypes.c_size_t(), ctypes.c_size_t()
        lib.metadata_replica(self, self._index(shard, "shard"), ctypes.byref(number),
                             ctypes.byref(primary))
        return number.value, primary.value

    def blocks(self, block_sizes: Iterable[int]) -> ShardedTensorMetadata:
        """Returns metadata for a tensor with one element for each block of this tensor, such as the
        scales of a quantised weight. `block_sizes` has the length of a block in each dimension.
        """
        sizes = integers("block_sizes", block_sizes)
        return ShardedTensorMetadata._of(lib.answer(
            ctypes.c_void_p, lib.metadata_blocks, self, pointer(sizes), len(sizes)))

    def is_box(self, shard: int) -> bool:
        """Returns whether a shard is a box of the tensor. A box has neither holes nor flattened
        dimensions.
        """
        return bool(lib.answer(ctypes.c_int32, lib.metadata_is_box, self,
                               self._index(shard, "shard")))

    def stretches(self, shard: int, dim: int) -> list[Stretch]:
        """Returns the indices that a shard has in one dimension of its buffer, as stretches in the
        order of the buffer.
        """
        return list(stretches_of(self, *self._at(shard, dim)))

    def indices(self, shard: int, dim: int) -> array[int]:
        """Returns, for each place of a shard's buffer along one dimension, the index in the tensor,
        or -1 for a hole.

        For flattened dimensions, the result has indices in the flattened dimension.
        """
        number, at = self._at(shard, dim)
        sizes = room(self._buffer_ndim())
        lib.metadata_get_shard(self, number, None, pointer(sizes), len(sizes))
        return indices_of(stretches_of(self, number, at), sizes[at] if at < len(sizes) else 0)

    def _at(self, shard: int, dim: int) -> tuple[int, int]:
        """The numbers of a shard and of a dimension of its buffer."""
        return (self._index(shard, "shard"),
                from_the_end("dim", dim, self._buffer_ndim(), "dimensions of its buffer"))

    @property
    def layout_hash(self) -> int:
        """A hash of the shards and their placements. Every process computes the same hash.
        `source_hash` and `destination_hash` of a plan are hashes of this kind.

        The hash depends on the indices of each shard, and on the order of the indices in the
        buffer. The hash does not depend on sizes and properties of the tensor.
        """
        return Extents.of(self).digest()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ShardedTensorMetadata):
            return NotImplemented
        return bool(lib.answer(ctypes.c_int32, lib.metadata_equal, self, other))

    def __hash__(self) -> int:
        return int(lib.answer(ctypes.c_uint64, lib.metadata_hash, self))

    def __repr__(self) -> str:
        if self.closed:
            return "<closed ShardedTensorMetadata>"
        return (f"ShardedTensorMetadata(shards_metadata={self.shards_metadata!r}, "
                f"size={self.size}, tensor_properties={self.tensor_properties})")

    def __reduce__(self) -> tuple[Any, ...]:
        from .restored import Labels, restored  # It makes metadata, and so imports this module.

        mesh, names, extents = self.mesh, self.dim_names, Extents.of(self)
        plain = extents.flattening is None and not extents.dim_maps.numbers
        if plain and not self.has_replicas and mesh is None and names is None:
            return ShardedTensorMetadata, (list(self.shards_metadata), self.size,
                                           self.tensor_properties)
        return restored, (extents, self.size, self.tensor_properties, self.has_replicas,
                          Labels(mesh, self.partial, names))


class Shards(Sequence[ShardMetadata]):
    """The shards of metadata as a sequence that reads them when it is asked."""

    def __init__(self, metadata: ShardedTensorMetadata) -> None:
        self._metadata = metadata
        known = metadata._known()
        self._ndim, self._count, self._are_boxes = known.ndim, known.count, known.are_boxes
        self._places = known.places
        self._dim_maps: DimMaps | None = None

    def _all_maps(self) -> DimMaps | None:
        """The dim maps of all shards, which are read once; None if all are boxes."""
        if self._dim_maps is None and not self._are_boxes:
            self._dim_maps = dim_maps_of(self._metadata, self._count * self._ndim)
        return self._dim_maps

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> ShardMetadata: ...
    @overload
    def __getitem__(self, index: slice) -> list[ShardMetadata]: ...

    def __getitem__(self, index: int | slice) -> ShardMetadata | list[ShardMetadata]:
        if isinstance(index, slice):
            numbers = range(*index.indices(self._count))
            return [*self._blocks(numbers.start, len(numbers))] if numbers.step == 1 else [
                self._at(number) for number in numbers]
        return self._at(from_the_end("index", index, self._count, "shards"))

    def __iter__(self) -> Iterator[ShardMetadata]:
        return self._blocks(0, self._count)

    def _blocks(self, first: int, count: int) -> Iterator[ShardMetadata]:
        maps = self._all_maps()
        for start in range(first, first + count, BLOCK):
            yield from self._read(start, min(BLOCK, first + count - start), maps)

    def _at(self, number: int) -> ShardMetadata:
        (shard,) = self._read(number, 1, self._all_maps())
        return shard

    def _read(self, first: int, count: int, maps: DimMaps | None) -> Iterator[ShardMetadata]:
        ndim = self._ndim
        offsets, sizes, indices = room(count * ndim), room(count * ndim), room(count, "I")
        lib.metadata_get_shards(self._metadata, first, count, pointer(offsets), pointer(sizes),
                                pointer(indices))
        starts, lengths, places = offsets.tolist(), sizes.tolist(), self._places
        for index in {*indices} - places.keys():
            places[index] = self._metadata._placement(index)
        for number, index in enumerate(indices):
            row = number * ndim
            yield ShardMetadata._read(
                starts[row:row + ndim], lengths[row:row + ndim], places[index],
                None if maps is None else maps.row((first + number) * ndim, ndim))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence):
            return NotImplemented
        return len(self) == len(other) and all(map(ShardMetadata.__eq__, self, other))

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        if len(self) <= 8:
            return repr(list(self))
        return f"[{self[0]!r}, ... {len(self) - 2} more ..., {self[-1]!r}]"


def metadata_of(argument: str, value: Any) -> ShardedTensorMetadata:
    """Metadata as an argument: any number would be taken for a handle."""
    found: ShardedTensorMetadata = instance(argument, value, ShardedTensorMetadata)
    return found


def owner_text(owner: Any) -> bytes:
    """An owner as the library takes it: a rank may be an integer, of any library."""
    if not hasattr(owner, "__index__"):
        return text("owner", owner)
    rank = integer("owner", owner)
    if not 0 <= rank < 1 << 63:
        raise lib.refused("INVALID_PLACEMENT", f"owner: {rank} is no rank; pass one from 0 on, or a text")
    return b"rank:%d" % rank


def build(spec: Any, size: Iterable[int], properties: TensorProperties | None,
          dim_names: Iterable[str] | None = None, *, argument: str = "tensor_sizes") -> int:
    """The handle of the metadata that a spec makes; `argument` is what the sizes are called."""
    sizes = integers(argument, size)
    for dim, one in enumerate(sizes):
        if one < 0:
            raise lib.refused("INVALID_ARGUMENT", f"{argument}: size {one} in dimension {dim} is negative; it "
                              "must be >= 0", dim=dim, got=one)
    stated = stated_struct("tensor_properties", properties)
    if dim_names is None:
        try:
            return int(lib.answer(ctypes.c_void_p, lib.spec_build_metadata, spec, pointer(sizes),
                                  len(sizes), stated))
        except LayoutError as error:
            if error.name != "NDIM_MISMATCH" or error.message.startswith(argument):
                raise
            # The library says which shard; here, most often the sizes are wrong.
            raise lib.refused(error.name, f"{argument}: {error.message}", **error.numbers) from None
    names = texts("dim_names", listed("dim_names", dim_names, "names"))
    if len(names) != len(sizes):
        raise lib.refused("NDIM_MISMATCH", f"dim_names: {len(names)} names for {len(sizes)} "
                          "dimensions", got=len(names), limit=len(sizes))
    return int(lib.answer(ctypes.c_void_p, lib.spec_build_metadata_with_dim_names, spec, pointer(sizes),
                          names, len(sizes), stated))
