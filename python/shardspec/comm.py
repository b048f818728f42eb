"""Ranks that send bytes to each other, and what they do together."""

from __future__ import annotations

import ctypes
import weakref
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from . import copies
from ._callbacks import DESTROY, callback, keep, kept
from ._handle import Handle
from ._library import lib
from ._views import numbered, view
from .dtype import parse
from .metadata import ShardedTensorMetadata
from .sharded_tensor import ShardedTensor
from .tensor import new

ALL_RANKS: int = lib.ALL_RANKS
"""In the place of a `dst_rank`: all ranks get the tensor."""

VTable = lib.header.type("comm_vtable")
Options = lib.header.type("comm_options")
MessageStruct = lib.header.type("message")


class Message(NamedTuple):
    """One message of an exchange: the rank that it goes to or comes from, and its bytes."""

    peer: int
    memory: memoryview


class Communicator(Handle):
    """Some ranks that can send bytes to each other, as one of them sees it.

    A subclass with an `exchange` is a transport: `super().__init__(rank, size)` and a way to move
    messages is all that it takes. `Communicator.local(size)` has one, between threads. A rank is
    one thread at a time.

    Every rank calls the same method with the same metadata, and its own buffers. When one of them
    passes something wrong, all of them are told, and nothing was written.
    """

    _free = "comm_free"

    def __init__(self, rank: int, size: int) -> None:
        table = VTable(ctypes.sizeof(VTable), DESTROY, _exchange)
        self._own(lib.answer(ctypes.c_void_p, lib.comm_new, ctypes.byref(table),
                             keep(weakref.ref(self)), rank, size))

    @staticmethod
    def local(size: int) -> list[Communicator]:
        """Communicators between the threads of this process, one for each rank."""
        handles = (ctypes.c_void_p * size)()
        lib.comm_new_local(size, handles)
        return [NativeCommunicator._of(handle) for handle in handles if handle is not None]

    def exchange(self, sends: Sequence[Message], recvs: Sequence[Message]) -> None:
        """Starts all of these messages, and returns when all are complete.

        No message is to oneself or without bytes, and both sides give it the same number of bytes.
        Of several messages from one rank to another, the first that is sent is the first that is
        received. The memory is there during the call.
        """
        raise NotImplementedError(f"{type(self).__name__} has no exchange")

    @property
    def rank(self) -> int:
        """This rank."""
        return int(lib.answer(ctypes.c_int64, lib.comm_rank, self))

    @property
    def size(self) -> int:
        """Number of ranks."""
        return int(lib.answer(ctypes.c_int64, lib.comm_size, self))

    def shard(self, metadata: ShardedTensorMetadata, full: Any = None,
              shards: Sequence[Any] | ShardedTensor | None = None, src_rank: int = 0, *,
              memory_limit: int = 0, max_threads: int = 0,
              hint: copies.Hint | None = None) -> list[Any]:
        """Cuts a tensor that rank `src_rank` has into the shards of all ranks.

        `full` is not looked at on other ranks. Gives this rank's shards in the order of the
        metadata: `shards`, or new tensors, for which the metadata must state the element type where
        `full` is not there. At most `memory_limit` bytes, 0 for 64 MiB, are used beyond them.
        """
        def prepare() -> tuple[Any, ...]:
            how = options(memory_limit, max_threads, hint)
            source = view("full", full) if self.rank == src_rank and full is not None else None
            made = _shards(shards) if shards is not None else self._new_shards(
                metadata, None if source is None else source.struct.dtype)
            given.extend(made)
            struct = None if source is None else ctypes.byref(source.struct)
            return (metadata, src_rank, struct, *numbered("shards", made, write=True), how)

        given: list[Any] = []
        together(lib.comm_shard, self, prepare)
        return given

    def gather(self, metadata: ShardedTensorMetadata, shards: Sequence[Any] | ShardedTensor,
               full: Any = None, dst_rank: int = 0, *, memory_limit: int = 0, max_threads: int = 0,
               hint: copies.Hint | None = None) -> Any:
        """Puts a tensor together from the shards of all ranks, on `dst_rank` or on ALL_RANKS.

        Gives `full`, or a new tensor, on a rank that gets it, and None on others.
        """
        def prepare() -> tuple[Any, ...]:
            how = options(memory_limit, max_threads, hint)
            views, count = numbered("shards", _shards(shards), write=False)
            if dst_rank not in (ALL_RANKS, self.rank):
                return metadata, dst_rank, views, count, None, how
            whole = full
            if whole is None:
                whole = new(metadata.size, views[0].dtype if count else _stated(metadata))
            given.append(whole)
            place = view("full", whole, write=True)
            return metadata, dst_rank, views, count, ctypes.byref(place.struct), how

        given: list[Any] = []
        together(lib.comm_gather, self, prepare)
        return given[0] if given else None

    def reshard(self, metadata: ShardedTensorMetadata, shards: Sequence[Any] | ShardedTensor,
                to_metadata: ShardedTensorMetadata,
                to_shards: Sequence[Any] | ShardedTensor | None = None, *, memory_limit: int = 0,
                max_threads: int = 0, hint: copies.Hint | None = None) -> list[Any]:
        """Moves a tensor from one layout to another. Gives this rank's shards of the other."""
        def prepare() -> tuple[Any, ...]:
            how = options(memory_limit, max_threads, hint)
            views, count = numbered("shards", _shards(shards), write=False)
            made = _shards(to_shards) if to_shards is not None else self._new_shards(
                to_metadata, views[0].dtype if count else None)
            given.extend(made)
            return (metadata, views, count, to_metadata,
                    *numbered("to_shards", made, write=True), how)

        given: list[Any] = []
        together(lib.comm_reshard, self, prepare)
        return given

    def _new_shards(self, metadata: ShardedTensorMetadata, dtype: Any) -> list[Any]:
        """New tensors for the shards of this rank."""
        owned = [metadata.shards_metadata[index] for index in metadata.shards_of_rank(self.rank)]
        kind = dtype if dtype is not None or not owned else _stated(metadata)
        return [new(tuple(shard.shard_sizes), kind) for shard in owned]


class NativeCommunicator(Communicator):
    """A rank whose messages don't go by Python: a thread of this process, or whatever C made."""

    def exchange(self, sends: Sequence[Message], recvs: Sequence[Message]) -> None:
        """Exchanges messages with other ranks."""
        lists = [(MessageStruct * len(messages))(*(
            MessageStruct(message.peer, _bytes(message, write), message.memory.nbytes)
            for message in messages)) for messages, write in ((sends, False), (recvs, True))]
        lib.comm_exchange(self, lists[0], len(sends), lists[1], len(recvs))


def _bytes(message: Message, write: bool) -> int:
    return view("messages", message.memory, write=write).address


def options(memory_limit: int, max_threads: int, hint: copies.Hint | None) -> Any:
    """How a collective works, for the library."""
    if not 0 <= memory_limit < 1 << 64:
        raise lib.refused("INVALID_ARGUMENT", f"memory_limit: {memory_limit} is not between 0 and "
                          "2**64")
    copy = ctypes.pointer(copies.option_struct(max_threads, hint))
    return ctypes.byref(Options(ctypes.sizeof(Options), memory_limit, copy))


def _stated(metadata: ShardedTensorMetadata) -> Any:
    """The element type that metadata state."""
    dtype = metadata.tensor_properties.dtype
    if dtype is None:
        raise lib.refused("INVALID_ARGUMENT", "metadata: it states no dtype; pass tensors, or "
                          "build it with properties that do")
    return parse(dtype)


def _shards(shards: Sequence[Any] | ShardedTensor) -> list[Any]:
    if isinstance(shards, ShardedTensor):
        return [shard.tensor for shard in shards.local_shards()]
    return list(shards)


def together(function: Any, comm: Communicator, prepare: Callable[[], tuple[Any, ...]]) -> None:
    """Calls a collective. Where this rank has nothing to call it with, the others are told."""
    try:
        arguments = prepare()
    except BaseException:
        kinds = lib.header.function(function.__name__).argtypes[1:-1]
        try:
            function(comm, *(None if kind not in (ctypes.c_int64, ctypes.c_size_t) else 0
                             for kind in kinds))
        except Exception:
            pass  # What was wrong here comes first.
        raise
    function(comm, *arguments)


@callback(dict(VTable._fields_)["exchange"])
def _exchange(ctx: int, sends: Any, n_sends: int, recvs: Any, n_recvs: int) -> None:
    reference = kept(ctx, weakref.ref)
    comm = None if reference is None else reference()
    if not isinstance(comm, Communicator):
        raise lib.refused("INVALID_HANDLE", "comm: it is gone")
    comm.exchange([_message(sends[at], False) for at in range(n_sends)],
                  [_message(recvs[at], True) for at in range(n_recvs)])


def _message(struct: Any, write: bool) -> Message:
    memory = memoryview((ctypes.c_char * struct.bytes).from_address(struct.pointer)).cast("B")
    return Message(struct.peer, memory if write else memory.toreadonly())
