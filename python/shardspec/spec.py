"""Sharding specs: how a tensor is cut."""

from __future__ import annotations

import abc
import ctypes
import weakref
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from . import copies, pictures
from ._arrays import flag, listed, text
from ._callbacks import callback, hash_of, keep, kept, question, table
from ._calls import handed_over
from ._handle import Handle
from ._library import lib
from ._views import View
from ._words import described
from .errors import SpecTypeError
from .metadata import ShardedTensorMetadata, build, metadata_of
from .placement import (
    AnyPlacement,
    PlacementHandle,
    Placements,
    as_placements,
    type_name,
)
from .properties import TensorProperties
from .shard import ShardMetadata, pack
from .shard_arrays import Boxes
from .tensor import Tensor, as_tensor

if TYPE_CHECKING:
    from .sharded_tensor import ShardedTensor


MAX_SHOWN = 8
"""Shards of flat arrays that a text shows."""


class ShardingSpec(abc.ABC):
    """Base class of all specs.

    A subclass with a method `build_metadata` is a type of spec. The library checks the shards of
    such a spec like the shards of all other specs.
    """

    _handle_of = "spec"

    @abc.abstractmethod
    def build_metadata(self, tensor_sizes: Iterable[int],
                       tensor_properties: TensorProperties | None = None,
                       ) -> ShardedTensorMetadata:
        """Returns the metadata of a tensor of these sizes.

        By default, the metadata states no element type and accepts data of any type.
        """

    def draw(self, tensor_sizes: Iterable[int], format: pictures.Format = "text", *,
             theme: pictures.Theme = "auto", color: bool | None = None, ascii: bool = False,
             width: int | None = None, axes: Iterable[int] = (),
             window: Sequence[slice] | None = None) -> str:
        """Returns a picture of the owners of all elements of a tensor of these sizes.

        `ShardedTensorMetadata.draw` explains the options.
        """
        return self.build_metadata(tensor_sizes).draw(
            format, theme=theme, color=color, ascii=ascii, width=width, axes=axes, window=window)

    def shard(self, tensor: Any, src_rank: int = 0, process_group: Any = None) -> ShardedTensor:
        """Cuts the tensor of rank `src_rank` into the local shards of every rank.

        All ranks of the Communicator `process_group` call this method with tensors of the same
        sizes and type. The method reads only the elements on `src_rank`. The sharded tensor stores
        the communicator. Without a communicator, all shards are local.
        """
        from .sharded_tensor import ShardedTensor  # It knows specs, and so imports this module.

        if process_group is None:
            as_tensor(tensor)  # It is refused by this name.
            properties = TensorProperties.create_from_tensor(tensor)
            return ShardedTensor.from_full(self, tensor, tensor_properties=properties)
        return ShardedTensor._from_rank("tensor", self, tensor, process_group, src_rank, lambda: None)

    def fill_shard(self, metadata: ShardedTensorMetadata, index: int, full: Tensor,
                   shard: Tensor) -> None:
        """Writes the elements of shard `index` of `full` to `shard`.

        The default copies the shard's box. A subclass may override this method. The arguments are
        valid until the method returns.
        """
        metadata.extract_shard(index, full, shard)

    def extract_shard(self, metadata: ShardedTensorMetadata, index: int, full: Any,
                      shard: Any = None, *, max_threads: int = 0,
                      hint: copies.Hint | None = None) -> Any:
        """Calls `fill_shard` to write shard `index` of `full` into `shard`, or into a new tensor.

        `metadata` is the metadata that the spec built for that tensor.
        """
        metadata_of("metadata", metadata)
        return copies.extract_shard(metadata, metadata._index(index), full, shard,
                                    copies.options(max_threads, hint), spec=self)

    def to_json(self) -> str:
        """Returns the spec as a JSON text without spaces. Equal specs have equal texts.

        If the spec is of your own type, the method raises NotImplementedError, because a text can't
        contain code.
        """
        return lib.text(lib.spec_to_json, self)

    @staticmethod
    def from_json(text: str | bytes) -> BuiltInSpec:
        """Returns the spec of a JSON text. The `index` of a `ShardspecError` is the number of the
        wrong byte of the text."""
        from .interchange import from_json, spec_of  # It knows specs, and so imports this module.

        return spec_of(from_json(lib.spec_new_from_json, text))

    def to_bytes(self) -> bytes:
        """Returns the spec as bytes with a checksum. Equal specs have equal bytes."""
        from .interchange import to_bytes

        return to_bytes(lib.spec_to_bytes, self)

    @staticmethod
    def from_bytes(data: bytes | bytearray | memoryview) -> BuiltInSpec:
        """Makes a spec from bytes that `to_bytes` made. Damaged bytes raise an error."""
        from .interchange import from_bytes, spec_of

        return spec_of(from_bytes(lib.spec_new_from_bytes, data))

    @property
    def _as_parameter_(self) -> int:
        """What ctypes passes where this object is passed."""
        with handed_over(self):
            return custom_handle(self)._handle


class SpecHandle(Handle):
    """A spec of the library."""

    _free = "spec_free"
    owner: Callable[[], ShardingSpec | None]
    """The object of Python's that it stands for."""

    def __reduce__(self) -> tuple[Any, ...]:
        # One that belongs to an object of Python's is made anew where that is copied to.
        return type(None), ()


class BuiltInSpec(SpecHandle, ShardingSpec):
    """A spec of the library's own."""

    _is_read = False
    """Whether it was read from a text or from bytes."""

    def build_metadata(self, tensor_sizes: Iterable[int],
                       tensor_properties: TensorProperties | None = None, *,
                       dim_names: Iterable[str] | None = None) -> ShardedTensorMetadata:
        """Returns the metadata of a tensor of these sizes. `dim_names` holds the names of the
        dimensions.
        """
        return ShardedTensorMetadata._of(
            build(self, tensor_sizes, tensor_properties, dim_names))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ShardingSpec):
            return NotImplemented
        return bool(lib.answer(ctypes.c_int32, lib.spec_equal, self, other))

    def __hash__(self) -> int:
        return int(lib.answer(ctypes.c_uint64, lib.spec_hash, self))


class ChunkShardingSpec(BuiltInSpec):
    """Cuts one dimension into equal chunks, one for each placement, as `torch.chunk` does.

    `dim` is the number or the name of a dimension. A negative number counts from the last
    dimension. The last chunks may be shorter, or empty.

    >>> rows = ChunkShardingSpec(0, ["rank:0", "rank:1/cuda:0"]).build_metadata((5, 2))
    >>> rows.shards_metadata[1]
    ShardMetadata(shard_offsets=[3, 0], shard_sizes=[2, 2], placement=rank:1/cuda:0)
    """

    def __init__(self, dim: int | str, placements: Iterable[Any]) -> None:
        where = Placements(as_placements("placements", placements))
        name = text("dim", dim) if isinstance(dim, str) else None
        cut: tuple[Any, ...]
        if where.own:
            new, cut = lib.spec_new_chunk_with_placement_handles, (dim if name is None else 0, name)
        elif name is not None:
            new, cut = lib.spec_new_chunk_by_dim_name, (name,)
        else:
            new, cut = lib.spec_new_chunk, (dim,)
        self._own(lib.answer(ctypes.c_void_p, new, *cut, where.array, len(where)))

    @property
    def dim(self) -> int | str:
        """The dimension that is cut, as it was passed."""
        try:
            return int(lib.answer(ctypes.c_int64, lib.spec_chunk_dim, self))
        except SpecTypeError:
            return lib.text(lib.spec_chunk_dim_name, self)

    @property
    def placements(self) -> list[AnyPlacement]:
        """The placements of the chunks, in the order of the chunks."""
        count = lib.answer(ctypes.c_size_t, lib.spec_shard_count, self)
        return [self._placement(index) for index in range(count)]

    def _placement(self, index: int) -> AnyPlacement:
        handle = lib.answer(ctypes.c_void_p, lib.spec_placement, self, index)
        with PlacementHandle._of(handle) as placement:
            return placement.read()

    def __repr__(self) -> str:
        return f"ChunkShardingSpec(dim={self.dim!r}, placements={self.placements})"

    def __reduce__(self) -> tuple[Any, ...]:
        return ChunkShardingSpec, (self.dim, self.placements)


class EnumerableShardingSpec(BuiltInSpec):
    """Lists the shards: boxes of any sizes that do not overlap.

    Any object with `shard_offsets`, `shard_sizes` and `placement` is a shard. For example, an
    object of torch's `ShardMetadata` is a shard.

    >>> spec = EnumerableShardingSpec([ShardMetadata([0], [3], "rank:0"), ShardMetadata([3], [1], "rank:1")])
    >>> spec.build_metadata((4,)).shards_of_rank(1)
    [1]
    """

    def __init__(self, shards: Iterable[Any]) -> None:
        given = listed("shards", shards, "shards")
        self._own(pack("shards", given).make(lib.spec_new_enumerable))
        self._shards: list[Any] | Boxes = given

    @classmethod
    def from_arrays(cls, offsets: Any, sizes: Any, placements: Iterable[Any],
                    indices: Any = None) -> EnumerableShardingSpec:
        """Lists shards by flat arrays of integers. This method is fast for very many boxes.

        Row i of `offsets` and of `sizes` is the box of shard i. The placement of shard i is
        `placements[indices[i]]`, or `placements[i]` without `indices`. The method reads arrays of
        the types int64 and uint32 in place, and converts all other arrays.

        >>> halves = EnumerableShardingSpec.from_arrays([[0], [2]], [[2], [2]], ["rank:0", "rank:1"])
        >>> halves.build_metadata((4,)).shards_of_rank(1)
        [1]
        """
        boxes = Boxes(offsets, sizes, placements, indices)
        shards = boxes.list_handle()
        try:
            made = cls._of(int(lib.answer(ctypes.c_void_p, lib.spec_new_enumerable, shards)))
        finally:
            lib.shards_free(shards)
        made._shards = boxes.copied()
        return made

    @property
    def shards(self) -> list[ShardMetadata]:
        """The shards, as they were passed."""
        if isinstance(self._shards, Boxes):
            return self._shards.shards()
        return list(self._shards)

    def __repr__(self) -> str:
        if isinstance(self._shards, Boxes) and self._shards.count > MAX_SHOWN:
            return f"<EnumerableShardingSpec of {self._shards.count} shards>"
        return f"EnumerableShardingSpec(shards={self.shards})"

    def __reduce__(self) -> tuple[Any, ...]:
        if isinstance(self._shards, Boxes):
            return EnumerableShardingSpec.from_arrays, self._shards.arguments()
        if self._is_read:
            return ShardingSpec.from_bytes, (self.to_bytes(),)
        return EnumerableShardingSpec, (self._shards,)


def infer_sharding_spec_from_shards_metadata(shards_metadata: Iterable[Any], *,
                                             compat: bool = False) -> BuiltInSpec:
    """Returns the most regular spec that cuts a tensor into these shards.

    For the chunks of one dimension, in any order, the result is a ChunkShardingSpec. For another
    grid of boxes, also with replicas, the result is a MeshShardingSpec. For all other shards, the
    result is an EnumerableShardingSpec. With `compat`, the result is torch's result, which is never
    a spec over a mesh.

    >>> infer_sharding_spec_from_shards_metadata([
    ...     ShardMetadata([0, 0], [2, 4], "rank:0"), ShardMetadata([2, 0], [2, 4], "rank:1")])
    ChunkShardingSpec(dim=0, placements=[rank:0/cpu, rank:1/cpu])
    """
    from .mesh_spec import inferred  # It knows specs, and so imports this module.

    shards = listed("shards_metadata", shards_metadata, "shards")
    packed = pack("shards_metadata", shards)
    handle = packed.make(lib.spec_infer_compat if flag("compat", compat) else lib.spec_infer, "shards_metadata")
    kind = lib.text(lib.spec_type_name, handle)
    if kind == "chunk":
        return ChunkShardingSpec._of(handle)
    if kind == "mesh":
        ends = [list(map(sum, zip(packed.offsets[dim::packed.ndim], packed.sizes[dim::packed.ndim])))
                for dim in range(packed.ndim)]
        return inferred(handle, [max(of_dim) for of_dim in ends])
    spec = EnumerableShardingSpec._of(handle)
    spec._shards = shards
    return spec


VTable = lib.header.type("spec_vtable")
_fields = dict(VTable._fields_)


def _spec(ctx: int) -> ShardingSpec:
    """The spec that a callback is about. The caller of the library holds it."""
    spec = kept(ctx, weakref.ref)
    found = None if spec is None else spec()
    if not isinstance(found, ShardingSpec):
        raise lib.refused("INVALID_HANDLE", "spec: it is gone")
    return found


@callback(_fields["build_metadata"])
def _build_metadata(ctx: int, sizes: Any, dim_names: Any, ndim: int, properties: Any,
                    builder: int) -> None:
    spec = _spec(ctx)
    stated = TensorProperties._from_struct(properties.contents)
    names = {"dim_names": [dim_names[dim].decode() for dim in range(ndim)]} if dim_names else {}
    made = spec.build_metadata(tuple(sizes[:ndim]), stated, **names)
    shards = listed("shards_metadata", answered(spec, made).shards_metadata, "shards")
    listed_shards = pack("shards_metadata", shards).list_handle()
    try:
        lib.metadata_builder_add_shards(builder, listed_shards)
    finally:
        lib.shards_free(listed_shards)


def answered(spec: ShardingSpec, made: Any) -> Any:
    """What a spec's `build_metadata` returned, if that is metadata: torch's is fine too."""
    if not hasattr(made, "shards_metadata"):
        raise TypeError(f"{type(spec).__name__}.build_metadata returned {described(made)}; it has to "
                        "return a ShardedTensorMetadata")
    return made


@callback(_fields["fill_shard"])
def _fill_shard(ctx: int, metadata: int, index: int, full: Any, shard: Any, options: Any) -> None:
    lent = ShardedTensorMetadata._lent(metadata)
    source, place = (Tensor(View(view.contents, readonly, None))
                     for view, readonly in ((full, True), (shard, False)))
    try:
        _spec(ctx).fill_shard(lent, index, source, place)
    finally:
        source._end()
        place._end()


@question(_fields["equal"], otherwise=False)
def _equal(ctx: int, other_ctx: int) -> bool:
    return _spec(ctx) == _spec(other_ctx)


@question(_fields["hash"], otherwise=0)
def _hash(ctx: int) -> int:
    return hash_of(_spec(ctx))


def custom_handle(spec: ShardingSpec) -> SpecHandle:
    """The library's spec that stands for one of Python's. It is made once, and goes with it."""
    found: SpecHandle | None = getattr(spec, "_shardspec_handle", None)
    # A shallow copy has the handle of what it was copied from.
    if found is None or found.owner() is not spec:
        fills = type(spec).fill_shard is not ShardingSpec.fill_shard
        functions = table(VTable, build_metadata=_build_metadata, equal=_equal, hash=_hash,
                          fill_shard=_fill_shard if fills else _fields["fill_shard"]())
        found = SpecHandle._of(lib.answer(
            ctypes.c_void_p, lib.spec_new_custom, text("type_name", type_name(type(spec))),
            ctypes.byref(functions), keep(weakref.ref(spec))))
        found.owner = weakref.ref(spec)
        object.__setattr__(spec, "_shardspec_handle", found)
    return found
