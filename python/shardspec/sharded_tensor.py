"""Metadata together with the shards that are in this process."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any

from . import copies, metadata, spec
from ._arrays import text
from ._handle import Handle
from ._lease import Lease
from ._library import lib
from ._views import TensorView, View, numbered, view
from .metadata import ShardedTensorMetadata
from .properties import TensorProperties
from .shard import ShardMetadata
from .tensor import Tensor, new

if TYPE_CHECKING:
    from .comm import Communicator


@dataclass
class Shard:
    """A shard that is here: its elements, and which part of the whole they are."""

    tensor: Any
    metadata: ShardMetadata


class Memory(Handle):
    """A sharded tensor of the library. Its memory is there for as long as this is."""

    _free = "sharded_tensor_free"


class ShardedTensor:
    """Metadata together with the shards that are in this process: torch's `ShardedTensor`.

    `empty` and `zeros` allocate the shards, `from_full` copies them out of a tensor, `from_rank` out
    of one that another rank may have, and `from_local_shards` uses those that are there already, in
    place.

    Which shards are local is said by an `owner`, a rank or a text such as "trainer0" or
    "rank:1/cuda:0", or by their indices; without either, all are.
    """

    def __init__(self, handle: int, read_only: Iterable[int] = ()) -> None:
        self._memory: Memory | None = Memory._of(handle)
        self._read_only = frozenset(read_only)
        self._process_group: Communicator | None = None

    @classmethod
    def _lent(cls, handle: int) -> ShardedTensor:
        """One that is somebody else's, there for as long as they say."""
        made = cls.__new__(cls)
        made._memory, made._read_only = Memory._lent(handle), frozenset()
        made._process_group = None
        return made

    def _give_away(self) -> None:
        """Leaves it to whoever has its handle to free it."""
        if self._memory is not None:
            self._memory._finalizer.detach()

    @classmethod
    def empty(cls, metadata: ShardedTensorMetadata, owner: int | str | None = None, *,
              indices: Iterable[int] | None = None) -> ShardedTensor:
        """New shards that hold anything."""
        return cls._allocated(metadata, owner, indices, lib.FILL_UNINITIALIZED)

    @classmethod
    def zeros(cls, metadata: ShardedTensorMetadata, owner: int | str | None = None, *,
              indices: Iterable[int] | None = None) -> ShardedTensor:
        """New shards that hold zeros."""
        return cls._allocated(metadata, owner, indices, lib.FILL_ZERO)

    @classmethod
    def _allocated(cls, metadata: ShardedTensorMetadata, owner: int | str | None,
                   indices: Iterable[int] | None, fill: int) -> ShardedTensor:
        if indices is None:
            return cls(lib.answer(ctypes.c_void_p, lib.sharded_tensor_new, metadata, _owner(owner),
                                  fill))
        local = _indices(metadata, owner, indices)
        return cls(lib.answer(ctypes.c_void_p, lib.sharded_tensor_new_shards, metadata, local,
                              len(local), fill))

    @classmethod
    def from_full(cls, layout: spec.ShardingSpec | ShardedTensorMetadata, full: Any,
                  owner: int | str | None = None, *, indices: Iterable[int] | None = None,
                  tensor_properties: TensorProperties | None = None, max_threads: int = 0,
                  hint: copies.Hint | None = None) -> ShardedTensor:
        """Copies local shards out of a tensor, which is cut as a spec or metadata say.

        The properties are for a spec, to build metadata with. A spec that fills shards itself is
        asked for those of an owner.
        """
        source, how = view("full", full), copies.options(max_threads, hint)
        if isinstance(layout, spec.ShardingSpec) and indices is None:
            stated = None if tensor_properties is None else ctypes.byref(
                tensor_properties._struct())
            return cls(lib.answer(ctypes.c_void_p, lib.sharded_tensor_new_from_spec, layout, stated,
                                  _owner(owner), ctypes.byref(source.struct), how))
        if isinstance(layout, spec.ShardingSpec):
            shape = source.struct.shape[:source.struct.ndim] if source.struct.ndim else ()
            layout = ShardedTensorMetadata._of(metadata.build(layout, shape, tensor_properties))
        if indices is None:
            return cls(lib.answer(ctypes.c_void_p, lib.sharded_tensor_new_from_full, layout,
                                  _owner(owner), ctypes.byref(source.struct), how))
        local = _indices(layout, owner, indices)
        return cls(lib.answer(ctypes.c_void_p, lib.sharded_tensor_new_from_full_shards, layout,
                              local, len(local), ctypes.byref(source.struct), how))

    @classmethod
    def from_rank(cls, layout: spec.ShardingSpec | ShardedTensorMetadata, full: Any,
                  process_group: Communicator, src_rank: int = 0, *, memory_limit: int = 0,
                  max_threads: int = 0, hint: copies.Hint | None = None) -> ShardedTensor:
        """Cuts the tensor that rank `src_rank` has, into the local shards of every rank.

        All ranks call this. With a spec, all pass tensors of the same sizes and type, of which that
        of `src_rank` is cut; with metadata, which must state the element type, others may pass None.
        """
        from . import comm  # It knows sharded tensors, and so imports this module.

        def prepare() -> tuple[Any, ...]:
            how = comm.options(memory_limit, max_threads, hint)
            whole = layout
            if isinstance(whole, spec.ShardingSpec):
                whole = whole.build_metadata(tuple(full.shape),
                                             TensorProperties.create_from_tensor(full))
            struct = None
            if process_group.rank == src_rank and full is not None:
                kept.append(view("full", full))
                struct = ctypes.byref(kept[0].struct)
            return whole, src_rank, struct, how, ctypes.byref(handle)

        kept: list[Any] = []
        handle = ctypes.c_void_p()
        comm.together(lib.sharded_tensor_new_from_rank, process_group, prepare)
        assert handle.value is not None
        made = cls(handle.value)
        made._process_group = process_group
        return made

    @classmethod
    def from_local_shards(cls, local_shards: Sequence[Shard | tuple[int, Any]],
                          metadata: ShardedTensorMetadata, owner: int | str | None = None,
                          ) -> ShardedTensor:
        """Uses shards that are here already, in place.

        Each is a Shard, or the index of a shard of the metadata and its tensor. With an owner, they
        must be exactly its shards.
        """
        tensors = [one[1] if isinstance(one, tuple) else one.tensor for one in local_shards]
        structs, count = numbered("local_shards", tensors, write=False)
        local = _indices(metadata, None, (
            one[0] if isinstance(one, tuple) else _find(metadata, one.metadata, number)
            for number, one in enumerate(local_shards)))
        arguments = metadata, _owner(owner), local, structs, count
        handle = lib.answer(ctypes.c_void_p, lib.sharded_tensor_new_from_local, *arguments,
                            *Lease(structs.kept).grant())
        return cls(handle, [index for index, one in zip(local, structs.kept) if one.readonly])

    def local_shards(self) -> list[Shard]:
        """The shards that are here, in the order of the metadata. Their memory is this tensor's."""
        count = lib.answer(ctypes.c_size_t, lib.sharded_tensor_local_count, self)
        return [self._local(number) for number in range(count)]

    def _local(self, number: int) -> Shard:
        index = int(lib.answer(ctypes.c_size_t, lib.sharded_tensor_local_index, self, number))
        owned = self.metadata().shards_metadata[index]
        ndim = len(owned.shard_sizes)
        shape, strides, struct = (ctypes.c_int64 * ndim)(), (ctypes.c_int64 * ndim)(), TensorView()
        lib.sharded_tensor_local_view(self, number, shape, strides, ndim, ctypes.byref(struct))
        place = View(struct, index in self._read_only, self._memory, (shape, strides))
        return Shard(Tensor(place), owned)

    def local_tensor(self) -> Tensor:
        """The shard that is here, where there is exactly one."""
        shards = self.local_shards()
        if len(shards) != 1:
            raise lib.refused("INVALID_ARGUMENT", f"local_tensor: {len(shards)} shards are local; "
                              "see local_shards", got=len(shards), limit=1)
        tensor: Tensor = shards[0].tensor
        return tensor

    def local_indices(self) -> list[int]:
        """Which shards of the metadata the local ones are."""
        count = lib.answer(ctypes.c_size_t, lib.sharded_tensor_local_count, self)
        return [int(lib.answer(ctypes.c_size_t, lib.sharded_tensor_local_index, self, number))
                for number in range(count)]

    def metadata(self) -> ShardedTensorMetadata:
        """Who owns what, with the element type stated."""
        return ShardedTensorMetadata._of(
            lib.answer(ctypes.c_void_p, lib.sharded_tensor_metadata, self))

    def sharding_spec(self) -> spec.BuiltInSpec:
        """The spec that cuts a tensor into these shards."""
        return spec.infer_sharding_spec_from_shards_metadata(self.metadata().shards_metadata)

    @property
    def process_group(self) -> Communicator | None:
        """The communicator that it carries: whose ranks made it together."""
        from .comm import NativeCommunicator

        handle = lib.answer(ctypes.c_void_p, lib.sharded_tensor_comm, self)
        if self._process_group is not None or handle is None:
            return self._process_group
        return NativeCommunicator._lent(handle)

    def size(self, dim: int | None = None) -> Any:
        """The sizes of the whole tensor, or of one dimension."""
        sizes = self.metadata().size
        return sizes if dim is None else sizes[dim]

    @property
    def tensor_properties(self) -> TensorProperties:
        """The tensor's properties."""
        return self.metadata().tensor_properties

    @property
    def dtype(self) -> str | None:
        """The element type's name; None where no shard is here to tell it."""
        return self.tensor_properties.dtype

    @property
    def requires_grad(self) -> bool:
        """Whether the tensor wants gradients. It is only carried along."""
        return self.tensor_properties.requires_grad

    def gather(self, full: Any = None, *, max_threads: int = 0,
               hint: copies.Hint | None = None) -> Any:
        """Copies all shards into `full`, or into a new tensor. All must be here."""
        how = copies.options(max_threads, hint)
        if full is None:
            struct = self.tensor_properties._struct()
            full = new(self.size(), struct.dtype)
        place = view("full", full, write=True)
        lib.sharded_tensor_gather(self, ctypes.byref(place.struct), how)
        return full

    def close(self) -> None:
        """Lets go of the memory now. Tensors that were taken from here keep it for themselves."""
        self._memory = None

    @property
    def closed(self) -> bool:
        """Whether the sharded tensor was closed."""
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

    def __repr__(self) -> str:
        if self.closed:
            return "<closed ShardedTensor>"
        return f"<ShardedTensor {list(self.size())} of {self.dtype}, shards {self.local_indices()}>"


def _owner(owner: int | str | None) -> bytes | None:
    """An owner as the library takes it: a rank may be a number."""
    if owner is None:
        return None
    return text("owner", f"rank:{owner}" if isinstance(owner, int) else owner)


def _indices(metadata: ShardedTensorMetadata, owner: int | str | None,
             indices: Iterable[int]) -> Any:
    if owner is not None:
        raise lib.refused("INVALID_ARGUMENT", "indices: pass either an owner or indices, not both")
    local = [metadata._index(index) for index in indices]
    return (ctypes.c_size_t * len(local))(*local)


def _find(metadata: ShardedTensorMetadata, shard: ShardMetadata, number: int) -> int:
    """Which shard of the metadata it is."""
    try:
        return metadata.shards_metadata.index(shard)
    except ValueError:
        raise lib.refused("NOT_FOUND", f"local_shards[{number}]: {shard} is no shard of the "
                          "metadata", first_shard=number) from None
