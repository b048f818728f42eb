"""Metadata together with the shards that are in this process."""

from __future__ import annotations

import ctypes
import operator
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any

from . import copies, metadata, spec
from ._arrays import index as integer
from ._arrays import listed, pointer, room, tuples
from ._handle import Handle
from ._lease import Lease
from ._library import lib
from ._views import alike, make, view, views
from ._words import described
from .extents import flattening_of
from .mesh import from_the_end
from .metadata import ShardedTensorMetadata, metadata_of
from .placement import AnyPlacement, as_placement
from .properties import TensorProperties, properties_of, stated_struct
from .shard import ShardMetadata, parts
from .tensor import Tensor, new

if TYPE_CHECKING:
    from .comm import Communicator

MANY = 8
"""All shards of metadata are read where one of so many is needed: one alone takes about as long."""


@dataclass
class Shard:
    """A local shard: its tensor and its metadata."""

    tensor: Any
    metadata: ShardMetadata


class Memory(Handle):
    """A sharded tensor of the library. Its memory is there for as long as this is."""

    _free = "sharded_tensor_free"


class ShardedTensor:
    """Metadata together with the shards that are in this process: torch's `ShardedTensor`.

    `empty` and `zeros` allocate the shards. `from_full` copies the shards out of a tensor, and
    `from_rank` out of a tensor of one rank. `from_local_shards` uses existing tensors in place.

    An `owner` selects the local shards: a rank, or a text such as "trainer0" or "rank:1/cuda:0".
    A list of indices can also select the shards. By default, all shards are local.

    >>> rows = spec.ChunkShardingSpec(0, ["rank:0", "rank:1"])
    >>> ShardedTensor.from_full(rows, memoryview(b"abcd"), owner=1).local_tensor().tolist()
    [99, 100]
    """

    _handle_of = "sharded_tensor"

    def __init__(self, handle: int, read_only: Iterable[int] = (), kind: Any = None) -> None:
        self._memory: Memory | None = Memory._of(handle)
        self._read_only = frozenset(read_only)
        self._kind = kind
        self._process_group: Communicator | None = None

    @classmethod
    def _lent(cls, handle: int) -> ShardedTensor:
        """One that this object does not own, valid as long as its owner says."""
        made = cls.__new__(cls)
        made._memory, made._read_only = Memory._lent(handle), frozenset()
        made._kind = made._process_group = None
        return made

    def _give_away(self) -> None:
        """Leaves freeing to the owner of its handle."""
        if self._memory is not None:
            self._memory._finalizer.detach()

    @classmethod
    def empty(cls, metadata: ShardedTensorMetadata, owner: int | str | None = None, *,
              indices: Iterable[int] | None = None) -> ShardedTensor:
        """Returns a sharded tensor with new, uninitialised shards."""
        return cls._allocated(metadata, owner, indices, lib.FILL_UNINITIALIZED)

    @classmethod
    def zeros(cls, metadata: ShardedTensorMetadata, owner: int | str | None = None, *,
              indices: Iterable[int] | None = None) -> ShardedTensor:
        """Returns a sharded tensor with new shards of zeros."""
        return cls._allocated(metadata, owner, indices, lib.FILL_ZERO)

    @classmethod
    def _allocated(cls, metadata: ShardedTensorMetadata, owner: int | str | None,
                   indices: Iterable[int] | None, fill: int) -> ShardedTensor:
        metadata_of("metadata", metadata)
        if indices is None:
            return cls(lib.answer(ctypes.c_void_p, lib.sharded_tensor_new, metadata, _owner(owner),
                                  fill))
        local = _indices(metadata, owner, indices)
        return cls(lib.answer(ctypes.c_void_p, lib.sharded_tensor_new_for_indices, metadata, local,
                              len(local), fill))

    @classmethod
    def from_full(cls, layout: spec.ShardingSpec | ShardedTensorMetadata, full: Any,
                  owner: int | str | None = None, *, indices: Iterable[int] | None = None,
                  tensor_properties: TensorProperties | None = None, max_threads: int = 0,
                  hint: copies.Hint | None = None) -> ShardedTensor:
        """Copies the local shards out of a tensor. `layout` is the spec or the metadata that cuts
        the tensor.

        If `layout` is a spec, the method builds metadata with `tensor_properties`. If the spec has
        its own `fill_shard`, the method calls `fill_shard` for each local shard. With `indices`,
        the method copies the shards and does not call `fill_shard`.
        """
        source, how = view("full", full), copies.options(max_threads, hint)
        if isinstance(layout, spec.ShardingSpec) and indices is None:
            stated = stated_struct("tensor_properties", tensor_properties)
            return cls(lib.answer(ctypes.c_void_p, lib.sharded_tensor_new_from_spec, layout, stated,
                                  _owner(owner), ctypes.byref(source.struct), how),
                       kind=source.kind)
        if isinstance(layout, spec.ShardingSpec):
            shape = source.struct.shape[:source.struct.ndim] if source.struct.ndim else ()
            layout = ShardedTensorMetadata._of(metadata.build(layout, shape, tensor_properties))
        layout = metadata_of("layout", layout)
        if indices is None:
            return cls(lib.answer(ctypes.c_void_p, lib.sharded_tensor_new_from_full, layout,
                                  _owner(owner), ctypes.byref(source.struct), how),
                       kind=source.kind)
        local = _indices(layout, owner, indices)
        return cls(lib.answer(ctypes.c_void_p, lib.sharded_tensor_new_from_full_for_indices, layout,
                              local, len(local), ctypes.byref(source.struct), how),
                   kind=source.kind)

    @classmethod
    def from_rank(cls, layout: spec.ShardingSpec | ShardedTensorMetadata, full: Any,
                  process_group: Communicator, src_rank: int = 0, *, memory_limit: int = 0,
                  max_threads: int = 0, hint: copies.Hint | None = None) -> ShardedTensor:
        """Cuts the tensor of rank `src_rank` into the local shards of every rank.

        All ranks call this function. With a spec, all ranks pass tensors of the same sizes and
        type, and the tensor of `src_rank` is cut. If `layout` is metadata that states the element
        type, other ranks may pass None.
        """
        from . import comm  # It knows sharded tensors, and so imports this module.

        return cls._from_rank("full", layout, full, process_group, src_rank,
                              lambda: comm.options(memory_limit, max_threads, hint))

    @classmethod
    def _from_rank(cls, argument: str, layout: spec.ShardingSpec | ShardedTensorMetadata, full: Any,
                   process_group: Communicator, src_rank: int, options: Callable[[], Any]) -> ShardedTensor:
        """The same for a tensor that is called `argument`."""
        from . import comm  # It knows sharded tensors, and so imports this module.

        comm.comm_of("process_group", process_group)

        def prepare() -> tuple[Any, ...]:
            how, whole = options(), layout
            if isinstance(whole, spec.ShardingSpec):
                properties = properties_of(argument, full)
                whole = spec.answered(whole, whole.build_metadata(tuple(full.shape), properties))
            else:
                metadata_of("layout", whole)
            struct, rank = None, integer("src_rank", src_rank)
            if process_group.placement_rank == rank:
                kept.append(comm.full_of(argument, full, rank))
                struct = ctypes.byref(kept[0].struct)
            return whole, rank, struct, how, ctypes.byref(handle)

        kept: list[Any] = []
        handle = ctypes.c_void_p()
        comm.together(lib.sharded_tensor_new_from_rank, process_group, prepare)
        assert handle.value is not None
        made = cls(handle.value, kind=kept[0].kind if kept else None)
        made._process_group = process_group
        return made

    @classmethod
    def from_local_shards(cls, local_shards: Iterable[Shard | tuple[int, Any]],
                          metadata: ShardedTensorMetadata, owner: int | str | None = None,
                          ) -> ShardedTensor:
        """Uses existing shards in place.

        Each element is a Shard, or a pair of an index and a tensor. With an owner, the elements
        must be exactly the shards of that owner.
        """
        given = listed("local_shards", local_shards, "shards")
        found = Found(metadata_of("metadata", metadata))
        pairs = [_pair(found, number, one) for number, one in enumerate(given)]
        structs = views(lambda number: f"local_shards[{number}]" + ".tensor" * hasattr(given[number], "tensor"),
                        [tensor for _, tensor in pairs], write=False)
        alike(("local_shards", structs))
        local = _indices(metadata, None, [index for index, _ in pairs], "local_shards")
        arguments = metadata, _owner(owner), local, structs.array, len(structs)
        handle = lib.answer(ctypes.c_void_p, lib.sharded_tensor_new_from_local, *arguments,
                            *Lease(structs.array.kept).grant())
        return cls(handle, [local[number] for number in structs.readonly],
                   next(iter(structs.kinds), None))

    def local_shards(self) -> list[Shard]:
        """Returns the local shards, in the order of the metadata. The tensors share the memory of
        this sharded tensor.
        """
        indices, layout = self.local_indices(), self.metadata()
        count, ndim = len(indices), layout._buffer_ndim()
        owned: Sequence[ShardMetadata] = layout.shards_metadata
        if len(indices) > len(owned) // MANY:
            owned = list(owned)  # Read at once, not one by one.
        addresses, shapes, strides = room(count, "Q"), room(count * ndim), room(count * ndim)
        # One call for all shards, not one for each.
        lib.sharded_tensor_local_views_flat(self, pointer(addresses), pointer(shapes),
                                            pointer(strides), count, None)
        dtype = layout.tensor_properties._struct().dtype
        rows = zip(indices, addresses, tuples(shapes, ndim, count), tuples(strides, ndim, count))
        return [Shard(Tensor(make(address, shape, steps, dtype, index in self._read_only,
                                  self._memory, self._kind)), owned[index])
                for index, address, shape, steps in rows]

    def local_tensor(self) -> Tensor:
        """Returns the tensor of the local shard, if there is exactly one."""
        shards = self.local_shards()
        if len(shards) != 1:
            raise lib.refused("INVALID_ARGUMENT", f"local_tensor: {len(shards)} shards are local; "
                              "see local_shards", got=len(shards), limit=1)
        tensor: Tensor = shards[0].tensor
        return tensor

    def local_indices(self) -> list[int]:
        """Returns the indices of the local shards in the metadata."""
        count = lib.answer(ctypes.c_size_t, lib.sharded_tensor_local_count, self)
        return [int(lib.answer(ctypes.c_size_t, lib.sharded_tensor_local_index, self, number))
                for number in range(count)]

    def metadata(self) -> ShardedTensorMetadata:
        """Returns the metadata, which states the element type."""
        return ShardedTensorMetadata._of(
            lib.answer(ctypes.c_void_p, lib.sharded_tensor_metadata, self))

    def sharding_spec(self) -> spec.BuiltInSpec:
        """Returns the spec that cuts a tensor into these shards.

        The method refuses replicas and flattened dimensions, because a list of shards can't express
        them.
        """
        layout = self.metadata()
        if flattening_of(layout) is not None:
            raise lib.refused("UNSUPPORTED", "sharding_spec: dimensions are flattened, and no list of "
                              "shards says so; keep the spec that made the metadata")
        return spec.infer_sharding_spec_from_shards_metadata(layout.shards_metadata)

    @property
    def process_group(self) -> Communicator | None:
        """The communicator of the ranks that made this sharded tensor, or None."""
        from .comm import NativeCommunicator

        handle = lib.answer(ctypes.c_void_p, lib.sharded_tensor_comm, self)
        if self._process_group is not None or handle is None:
            return self._process_group
        return NativeCommunicator._lent(handle)

    def size(self, dim: int | None = None) -> Any:
        """The sizes of the whole tensor, or of one dimension."""
        sizes = self.metadata().size
        return sizes if dim is None else sizes[from_the_end("dim", dim, len(sizes), "dimensions")]

    @property
    def tensor_properties(self) -> TensorProperties:
        """The tensor's properties."""
        return self.metadata().tensor_properties

    @property
    def dtype(self) -> str | None:
        """The name of the element type. None if neither the metadata nor a local shard has an
        element type."""
        return self.tensor_properties.dtype

    @property
    def requires_grad(self) -> bool:
        """True if the tensor requires gradients. The library stores this property, but computes no
        gradients."""
        return self.tensor_properties.requires_grad

    def gather(self, full: Any = None, *, max_threads: int = 0,
               hint: copies.Hint | None = None) -> Any:
        """Copies all shards into `full`, or into a new tensor. All shards must be local."""
        how = copies.options(max_threads, hint)
        if full is None:
            struct = self.tensor_properties._struct()
            full = new(self.size(), struct.dtype, self._kind)
        place = view("full", full, write=True)
        if self._kind is not None and place.kind not in (None, self._kind):
            raise lib.refused("DTYPE_MISMATCH", f"full: elements of {place.kind}, but those of the "
                              f"shards are {self._kind}")
        lib.sharded_tensor_gather(self, ctypes.byref(place.struct), how)
        return full

    def digest(self, *, max_threads: int = 0) -> int:
        """Returns the digest of the local shards: their contribution to the digest of the tensor.

        The exclusive or (`^`) of the digests of all processes is the CRC-64/NVME of the tensor's
        bytes in row-major order. The digest of the tensor does not depend on the cuts of the
        tensor.
        """
        how = copies.options(max_threads, None)
        return int(lib.answer(ctypes.c_uint64, lib.sharded_tensor_digest, self, how))

    def close(self) -> None:
        """Releases the memory now. Tensors that use the memory of local shards keep this memory."""
        self._memory = None

    @property
    def closed(self) -> bool:
        """True if the sharded tensor was closed."""
        return self._memory is None

    def __enter__(self) -> ShardedTensor:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 traceback: TracebackType | None) -> None:
        self.close()

    @property
    def _as_parameter_(self) -> int:
        """What ctypes passes where this object is passed: after it was closed, no handle at all."""
        return 1 if self._memory is None else self._memory._handle

    def __reduce__(self) -> tuple[Any, ...]:
        # A real copy: its shards travel, each with its bytes.
        if self.process_group is not None:
            raise TypeError("a ShardedTensor that carries a communicator can't be pickled or "
                            "copied; make one from its local_shards and its metadata")
        shards = [shard.tensor for shard in self.local_shards()]
        return _again, (type(self), self.metadata(), self.local_indices(), shards)

    def __repr__(self) -> str:
        if self.closed:
            return "<closed ShardedTensor>"
        return f"<ShardedTensor {list(self.size())} of {self.dtype}, shards {self.local_indices()}>"


def _again(kind: type[ShardedTensor], metadata: ShardedTensorMetadata, indices: list[int],
           shards: list[Tensor]) -> ShardedTensor:
    """A sharded tensor that was pickled."""
    return kind.from_local_shards(list(zip(indices, shards)), metadata)


def _owner(owner: int | str | None) -> bytes | None:
    """An owner as the library takes it; none, where none is meant."""
    return None if owner is None else metadata.owner_text(owner)


def _indices(metadata: ShardedTensorMetadata, owner: int | str | None,
             indices: Iterable[int], argument: str = "indices") -> Any:
    if owner is not None:
        raise lib.refused("INVALID_ARGUMENT", "indices: pass either an owner or indices, not both")
    local = [metadata._index(index, argument) for index in listed("indices", indices, "indices")]
    return (ctypes.c_size_t * len(local))(*local)


def _pair(found: Found, number: int, one: Any) -> tuple[int, Any]:
    """The index of a local shard, and its tensor."""
    if isinstance(one, tuple) and len(one) == 2:
        return one
    if not hasattr(one, "tensor") or not hasattr(one, "metadata"):
        raise TypeError(f"local_shards[{number}]: a Shard, or an index and a tensor, not "
                        f"{described(one)}")
    index = found.index(f"local_shards[{number}].metadata", one.metadata)
    if index is None:
        raise lib.refused("NOT_FOUND", f"local_shards[{number}]: {one.metadata} is no shard of the "
                          "metadata", first_shard=number, index=number)
    return index, one.tensor


class Found:
    """Which shards of metadata some shards are, of whatever library they are."""

    def __init__(self, metadata: ShardedTensorMetadata) -> None:
        self._metadata = metadata
        self._size = metadata.size
        self._places: dict[int, AnyPlacement] = {}
        self._empty: list[tuple[int, Any]] | None = None
        self._is_plain = metadata._are_boxes() and not metadata.has_replicas
        self._listed: list[Any] | None = None
        self._passed: dict[int, int] = {}

    def index(self, argument: str, shard: Any) -> int | None:
        """The shard with the same offsets, sizes and placement, and of the same indices."""
        offsets, sizes, placement, dim_maps = parts(argument, shard)
        wanted = offsets, sizes, None if placement is None else as_placement(placement), dim_maps
        if 0 in sizes:
            return self._next_empty(wanted)
        if not self._is_plain:
            return self._next_listed(wanted)
        if len(offsets) != len(self._size) or any(map(operator.ge, offsets, self._size)):
            return None
        owner = int(lib.answer(ctypes.c_size_t, lib.metadata_shard_at, self._metadata,
                               pointer(offsets), len(offsets)))
        return owner if self._shard(owner) == wanted else None

    def _shard(self, number: int) -> Any:
        ndim = self._metadata._buffer_ndim()
        offsets, sizes, index = room(ndim), room(ndim), room(1, "I")
        lib.metadata_get_shards(self._metadata, number, 1, pointer(offsets), pointer(sizes),
                            pointer(index))
        if index[0] not in self._places:
            self._places[index[0]] = self._metadata._placement(index[0])
        return offsets, sizes, self._places[index[0]], None

    def _next_listed(self, wanted: Any) -> int | None:
        """Replicas have elements in common, so that no element tells them. Where several are the
        same in the same place, each is found once."""
        if self._listed is None:
            self._listed = [parts("metadata", shard) for shard in self._metadata.shards_metadata]
        same = [number for number, shard in enumerate(self._listed) if shard == wanted]
        if not same:
            return None
        passed = self._passed.get(same[0], 0)
        self._passed[same[0]] = passed + 1
        return same[passed % len(same)]

    def _next_empty(self, wanted: Any) -> int | None:
        """No element tells an empty shard; of several that are the same, each is found once."""
        if self._empty is None:
            self._empty = [(number, parts("metadata", shard))
                           for number, shard in enumerate(self._metadata.shards_metadata)
                           if 0 in shard.shard_sizes]
        for at, (number, shard) in enumerate(self._empty):
            if shard == wanted:
                del self._empty[at]
                return number
        return None
