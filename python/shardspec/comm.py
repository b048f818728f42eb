"""Communicators, and collectives between their ranks."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import sys
import weakref
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from . import copies
from ._arrays import buffer, instance, integers, listed, pointer, text, within
from ._arrays import index as integer
from ._callbacks import description, keep, table
from ._handle import Handle
from ._library import lib
from ._transport import (
    Message,
    MessageStruct,
    VTable,
    exchange_function,
    node_function,
    start_function,
    test_function,
    wait_function,
)
from ._views import View, alike, numbered, view
from ._words import described
from .dtype import parse
from .errors import HandleError, OutOfMemoryError, ShardspecError
from .extents import Extents
from .metadata import ShardedTensorMetadata, metadata_of
from .sharded_tensor import ShardedTensor
from .tensor import new

ALL_RANKS: int = lib.ALL_RANKS
"""In the place of a `dst_rank`: all ranks get the tensor."""

MAX_LOCAL = 1 << 16
"""Ranks of one process: each is a thread, and no system has more."""

Options = lib.header.type("comm_options")
TensorStruct = lib.header.type("comm_tensor")


class Request(Handle):
    """An exchange or a collective that was started.

    A request makes progress in `test` and `wait` only. The request keeps its tensors until the
    program closes or drops the request. If the program closes or drops a running request, the
    request aborts the communicator, and the other ranks stop waiting. With a transport that can't
    abort, `close` waits for the end of the request.
    """

    _free = "request_free"

    @classmethod
    def _started(cls, handle: int, kept: Any, refusal: BaseException | None = None,
                 then: Callable[[], None] | None = None,
                 result: Callable[[], Any] | None = None) -> Request:
        """A request that uses some memory. `then` is called when it has succeeded, and `result` for
        what `wait` returns. With `refusal`, it tells that to the other ranks, and ends with it."""
        made = cls.__new__(cls)
        made._handle = handle
        made._refusal = refusal
        made._then = then
        made._result = result
        made._finalizer = weakref.finalize(made, functools.partial(_free_request, kept=[kept]), handle)
        return made

    _refusal: BaseException | None = None
    _then: Callable[[], None] | None = None
    _result: Callable[[], Any] | None = None

    def test(self) -> bool:
        """Makes progress without waiting for other ranks. Returns whether the request has ended."""
        return self._ended(lambda: bool(lib.answer(ctypes.c_int32, lib.request_test, self)))

    def wait(self) -> Any:
        """Waits for other ranks until the request has ended.

        Returns the result of the collective: the shards, the tensor or the Transfer. A collective without a
        result returns None.
        """
        self._ended(lambda: lib.request_wait(self) or True)
        return None if self._result is None else self._result()

    def _ended(self, ask: Callable[[], bool]) -> bool:
        try:
            ended = ask()
        except HandleError:
            raise
        except Exception as error:
            if self._refusal is not None:
                raise self._refusal from None  # What was wrong here comes first.
            if not isinstance(error, ShardspecError):
                self._refusal = error  # What a transport raised, which the library can't repeat.
            raise
        if ended and self._refusal is not None:
            raise self._refusal
        if ended and self._then is not None:
            self._then()
            self._then = None
        return ended


def _free_request(handle: int, kept: list[Any]) -> None:
    """Frees a request, and after it the memory that it used."""
    lib.request_free(handle)
    kept.clear()


class Communicator(Handle):
    """Connects ranks that can send bytes to each other. The object belongs to one rank.

    A subclass with a method `exchange` is a transport. The subclass calls `super().__init__(rank,
    size)` and moves messages. If the subclass has a method `start`, requests make progress inside
    of `test`. `Communicator.local(size)` connects threads. A rank uses its communicator from one
    thread at a time.

    Every rank calls the same method with equal metadata and its own buffers. If one rank passes an
    invalid argument, all ranks raise an error before the first write.
    """

    _free = "comm_free"

    def __init__(self, rank: int, size: int) -> None:
        functions = table(VTable, exchange=exchange_function, **self._optional())
        self._own(lib.answer(ctypes.c_void_p, lib.comm_new, ctypes.byref(functions),
                             keep(weakref.ref(self)), rank, size))

    @classmethod
    def _optional(cls) -> dict[str, Any]:
        """The functions of the table that a transport need not have."""
        node = {"node": node_function} if cls.node is not Communicator.node else {}
        starts = {"start": start_function, "test": test_function, "wait": wait_function}
        return node | (starts if cls.start is not Communicator.start else {})

    @staticmethod
    def local(size: int, nodes: Iterable[int] | None = None) -> list[Communicator]:
        """Returns communicators between the threads of this process, one for each rank.

        With `nodes`, rank r counts as a rank on node `nodes[r]`. If possible, a collective reads a
        replica on the node of the rank that needs the elements.
        """
        count = within("size", size, MAX_LOCAL)
        handles = (ctypes.c_void_p * count)()
        if nodes is None:
            lib.comm_new_local(count, handles)
        else:
            of_ranks = integers("nodes", nodes)
            if len(of_ranks) != count:
                raise lib.refused("INVALID_ARGUMENT", f"nodes: {len(of_ranks)} numbers for {count} "
                                  "ranks; pass one for each", got=len(of_ranks), limit=count)
            lib.comm_new_local_on_nodes(pointer(of_ranks), count, handles)
        return [NativeCommunicator._of(handle) for handle in handles if handle is not None]

    def exchange(self, sends: Sequence[Message], receives: Sequence[Message]) -> None:
        """Starts all messages, and returns when all messages are complete.

        A message is never empty. The peer of a message is never the calling rank. Both ends of a
        message have the same number of bytes. Messages from one rank to another must arrive in the
        order of the sends. The memory is valid until this method returns.
        """
        raise NotImplementedError(f"{type(self).__name__} has no exchange")

    def start(self, sends: Sequence[Message], receives: Sequence[Message]) -> Any:
        """Starts an exchange, and does not wait for other ranks. This method is optional.

        Returns an object with `test()` and `wait()`. `test()` returns true if all messages are
        complete. `wait()` returns when all messages are complete. The memory of the messages is
        valid until `test` returns true, `wait` returns, or one of the two methods raises an
        exception.
        """
        raise NotImplementedError(f"{type(self).__name__} has no start")

    def exchange_start(self, sends: Sequence[Message], receives: Sequence[Message]) -> Request:
        """Starts an exchange of messages.

        Messages to this rank and empty messages are allowed. The other ranks may call `exchange`
        instead. Until the exchange has ended, the program must not use the communicator for other
        calls.
        """
        kept: list[Any] = [self]
        outgoing = _messages("sends", sends, kept, write=False)
        incoming = _messages("receives", receives, kept, write=True)
        return Request._started(lib.answer(ctypes.c_void_p, lib.comm_exchange_start, self, outgoing,
                                           len(outgoing), incoming, len(incoming)), kept)

    def abort(self, reason: str = "") -> None:
        """Makes running and later exchanges fail, on all ranks that the transport can reach.

        Local communicators, and communicators from C code, reach all ranks. A subclass may override
        this method, for example to close its connections. The library calls this method if
        `exchange` raises an exception, because other ranks may wait for messages.
        """
        lib.comm_abort(self, text("reason", reason))

    def _abort_after(self, error: BaseException) -> None:
        """Ends a transport of Python's, where it says how, for the other ranks."""
        if type(self).abort is not Communicator.abort:
            try:
                self.abort(description(error))
            except Exception:
                sys.excepthook(*sys.exc_info())  # What went wrong first is raised.

    def decline(self, reason: BaseException | str) -> None:
        """Reports to the collective of the other ranks that this rank can't call the collective.

        All other ranks raise `CommunicationError` with this reason, and no data moves. Methods of
        this class that raise an error call `decline` themselves.
        """
        lib.comm_decline(self, *_told(instance("reason", reason, str, BaseException)))

    @property
    def rank(self) -> int:
        """The number of the calling rank."""
        return int(lib.answer(ctypes.c_int64, lib.comm_rank, self))

    @property
    def size(self) -> int:
        """Number of ranks."""
        return int(lib.answer(ctypes.c_int64, lib.comm_size, self))

    @property
    def placement_rank(self) -> int:
        """The number of this rank in placements, `src_rank` and `dst_rank`. In a group, this number
        may differ from `rank`."""
        return int(lib.answer(ctypes.c_int64, lib.comm_placement_rank, self, self.rank))

    @property
    def placement_ranks(self) -> list[int]:
        """The placement ranks of all ranks."""
        return [int(lib.answer(ctypes.c_int64, lib.comm_placement_rank, self, rank))
                for rank in range(self.size)]

    def node(self, rank: int) -> int:
        """Returns the number of the node of a rank.

        Ranks that share a node have equal numbers. A negative number means that the node is not
        known. A subclass may override this method. The method must return the same number each
        time, and must not raise.
        """
        return int(lib.answer(ctypes.c_int64, lib.comm_node, self, integer("rank", rank)))

    def group(self, members: Iterable[int] | None = None,
              placement_ranks: Iterable[int] | None = None) -> Communicator:
        """Creates a communicator of some ranks of this communicator.

        `members` lists ranks of this communicator. The default is all ranks. `placement_ranks`
        lists the ranks of the members in placements. By default, the members keep their placement
        ranks. Only the members call this method, and all members pass equal lists. A rank must not
        use the group and this communicator at the same time.
        """
        chosen = None if members is None else integers("members", members)
        if chosen is not None and not chosen:
            raise lib.refused("INVALID_ARGUMENT", "members: there are none; pass this rank at least")
        names = None if placement_ranks is None else integers("placement_ranks", placement_ranks)
        count = self.size if chosen is None else len(chosen)
        if names is not None and len(names) != count:
            raise lib.refused("INVALID_ARGUMENT", f"placement_ranks: {len(names)} for {count} ranks; "
                              "pass one for each", got=len(names), limit=count)
        lists = [None if one is None else pointer(one) for one in (chosen, names)]
        made = NativeCommunicator._of(lib.answer(ctypes.c_void_p, lib.comm_new_group, self, *lists, count))
        made._parent = self  # A transport of Python's stays as long as its groups.
        return made

    def shard(self, metadata: ShardedTensorMetadata, full: Any = None,
              shards: Iterable[Any] | ShardedTensor | None = None, src_rank: int = 0, *,
              memory_limit: int = 0, max_threads: int = 0,
              hint: copies.Hint | None = None) -> list[Any]:
        """Cuts a tensor of rank `src_rank` into the shards of all ranks.

        On all other ranks, the method ignores `full`. Returns this rank's shards, in the order of
        the metadata: `shards`, or new tensors. If `shards` and `full` are None, the metadata must
        state the element type of the new tensors. The messages of a rank use at most
        `memory_limit` bytes of additional memory; 0 means 64 MiB.
        """
        given: list[Any] = []
        together(lib.comm_scatter, self, lambda: self._for_shard(
            given, metadata, full, shards, src_rank, options(memory_limit, max_threads, hint)))
        return given

    def shard_start(self, metadata: ShardedTensorMetadata, full: Any = None,
                    shards: Iterable[Any] | ShardedTensor | None = None, src_rank: int = 0, *,
                    memory_limit: int = 0, max_threads: int = 0,
                    hint: copies.Hint | None = None) -> Request:
        """Starts the collective of `shard`. Other ranks may call `shard` instead of this method.
        `wait` of the request returns this rank's shards. If an argument is invalid, `wait` raises
        the error after the other ranks have received the error.
        """
        given: list[Any] = []
        return started(lib.comm_scatter_start, self, lambda: self._for_shard(
            given, metadata, full, shards, src_rank, options(memory_limit, max_threads, hint)),
            result=lambda: given)

    def _for_shard(self, given: list[Any], metadata: ShardedTensorMetadata, full: Any,
                   shards: Iterable[Any] | ShardedTensor | None, src_rank: int, how: Any,
                   ) -> tuple[Any, ...]:
        """Arguments of the library. `given` gets the shards of this rank."""
        metadata_of("metadata", metadata)
        rank = integer("src_rank", src_rank)
        source = full_of("full", full, rank) if self.placement_rank == rank else None
        made = self._shards("shards", metadata, shards) if shards is not None else (
            self._new_shards(metadata, None if source is None else source.type))
        given.extend(made)
        struct = None if source is None else ctypes.byref(source.struct)
        views, count = numbered("shards", made, write=True)
        alike(("full", source), ("shards", views))
        return metadata, rank, struct, views.array, count, how

    def gather(self, metadata: ShardedTensorMetadata, shards: Iterable[Any] | ShardedTensor,
               full: Any = None, dst_rank: int = 0, *, memory_limit: int = 0, max_threads: int = 0,
               hint: copies.Hint | None = None) -> Any:
        """Copies the shards of all ranks into a tensor on the rank `dst_rank`. With ALL_RANKS as
        `dst_rank`, every rank receives the tensor.

        On a rank that receives the tensor, returns `full` or a new tensor. On other ranks, returns
        None.
        """
        given: list[Any] = []
        together(lib.comm_gather, self, lambda: self._for_gather(
            given, metadata, shards, full, dst_rank, options(memory_limit, max_threads, hint)))
        return given[0] if given else None

    def gather_start(self, metadata: ShardedTensorMetadata, shards: Iterable[Any] | ShardedTensor,
                     full: Any = None, dst_rank: int = 0, *, memory_limit: int = 0,
                     max_threads: int = 0, hint: copies.Hint | None = None) -> Request:
        """Starts the collective of `gather`. Other ranks may call `gather` instead of this method.
        `wait` of the request returns the tensor or None. If an argument is invalid, `wait` raises
        the error after the other ranks have received the error.
        """
        given: list[Any] = []
        return started(lib.comm_gather_start, self, lambda: self._for_gather(
            given, metadata, shards, full, dst_rank, options(memory_limit, max_threads, hint)),
            result=lambda: given[0] if given else None)

    def _for_gather(self, given: list[Any], metadata: ShardedTensorMetadata,
                    shards: Iterable[Any] | ShardedTensor, full: Any, dst_rank: int, how: Any,
                    ) -> tuple[Any, ...]:
        """Arguments of the library. `given` gets the tensor, on a rank that receives it."""
        views, count = numbered("shards", self._shards("shards", metadata, shards), write=False)
        rank = integer("dst_rank", dst_rank)
        if rank not in (ALL_RANKS, self.placement_rank):
            return metadata, rank, views.array, count, None, how
        whole = full
        if whole is None:
            whole = new(metadata.size, *(views.type if count else (_stated(metadata),)))
        given.append(whole)
        place = view("full", whole, write=True)
        alike(("shards", views), ("full", place))
        return metadata, rank, views.array, count, ctypes.byref(place.struct), how

    def reshard(self, metadata: ShardedTensorMetadata, shards: Iterable[Any] | ShardedTensor,
                to_metadata: ShardedTensorMetadata,
                to_shards: Iterable[Any] | ShardedTensor | None = None, *, tag: str | None = None,
                memory_limit: int = 0, max_threads: int = 0,
                hint: copies.Hint | None = None) -> list[Any]:
        """Moves a tensor from one layout to another. Returns this rank's shards of the destination
        layout.

        `tag` is a name for the tensor, such as the name of a parameter. If the tags of two ranks
        differ, all ranks raise an error with both tags, and no data moves. With tags, the library
        detects that two ranks move tensors of equal layouts in different orders. Either all ranks
        pass a tag, or no rank passes a tag.
        """
        given: list[Any] = []
        together(lib.comm_reshard if tag is None else lib.comm_transfer, self, lambda: self._for_reshard(
            given, (metadata, shards), (to_metadata, to_shards), tag,
            options(memory_limit, max_threads, hint)))
        return given

    def reshard_start(self, metadata: ShardedTensorMetadata, shards: Iterable[Any] | ShardedTensor,
                      to_metadata: ShardedTensorMetadata,
                      to_shards: Iterable[Any] | ShardedTensor | None = None, *,
                      tag: str | None = None, memory_limit: int = 0, max_threads: int = 0,
                      hint: copies.Hint | None = None) -> Request:
        """Starts the collective of `reshard`. Other ranks may call `reshard` instead of this
        method. `wait` of the request returns this rank's shards. If an argument is invalid, `wait`
        raises the error after the other ranks have received the error.
        """
        given: list[Any] = []
        start = lib.comm_reshard_start if tag is None else lib.comm_transfer_start
        return started(start, self, lambda: self._for_reshard(
            given, (metadata, shards), (to_metadata, to_shards), tag,
            options(memory_limit, max_threads, hint)), result=lambda: given)

    def _for_reshard(self, given: list[Any],
                     source: tuple[ShardedTensorMetadata, Iterable[Any] | ShardedTensor],
                     destination: tuple[ShardedTensorMetadata, Iterable[Any] | ShardedTensor | None],
                     tag: str | None, how: Any) -> tuple[Any, ...]:
        """Arguments of the library. `given` gets the shards of this rank."""
        (metadata, shards), (to_metadata, to_shards) = source, destination
        views, count = numbered("shards", self._shards("shards", metadata, shards), write=False)
        made = self._shards("to_shards", to_metadata, to_shards) if to_shards is not None else (
            self._new_shards(to_metadata, views.type if count else None))
        given.extend(made)
        places, to_count = numbered("to_shards", made, write=True)
        alike(("shards", views), ("to_shards", places))
        if tag is None:
            return metadata, views.array, count, to_metadata, places.array, to_count, how
        # A batch of one tensor: the ranks of a batch compare tags.
        batch: Any = (TensorStruct * 1)(TensorStruct(
            ctypes.sizeof(TensorStruct), text("tag", tag), metadata._as_parameter_, to_metadata._as_parameter_,
            None, views.array, count, places.array, to_count))
        batch.kept = metadata, to_metadata, views, places
        return batch, 1, how

    def _new_shards(self, metadata: ShardedTensorMetadata, like: tuple[Any, Any] | None) -> list[Any]:
        """New tensors for the shards of this rank, of the type of a view or else of what is
        stated."""
        metadata_of("to_metadata", metadata)
        owned = [metadata.shards_metadata[index] for index in metadata.shards_of_rank(
            self.placement_rank)]
        if not owned:
            return []
        kind = (_stated(metadata), None) if like is None else like
        return [new(tuple(shard.shard_sizes), *kind) for shard in owned]

    def _shards(self, argument: str, metadata: ShardedTensorMetadata,
                shards: Iterable[Any] | ShardedTensor) -> list[Any]:
        """The tensors of some shards. Those of a sharded tensor have to be what is meant."""
        metadata_of("to_metadata" if argument == "to_shards" else "metadata", metadata)
        if not isinstance(shards, ShardedTensor):
            return listed(argument, shards, "tensors")
        difference = Extents.of(metadata).difference(Extents.of(shards.metadata()))
        if difference is not None:
            raise lib.refused("INVALID_ARGUMENT", f"{argument}: its layout is not that of the "
                              f"metadata: {difference}")
        rank, here = self.placement_rank, shards.local_indices()
        mine = metadata.shards_of_rank(rank)
        if mine != here:
            raise lib.refused("INVALID_ARGUMENT", f"{argument}: it has shards {here}, but those of "
                              f"rank {rank} are {mine}")
        return [shard.tensor for shard in shards.local_shards()]


class NativeCommunicator(Communicator):
    """A rank whose messages don't go by Python: a thread of this process, or whatever C made."""

    _parent: Communicator | None = None
    """The communicator that this is a group of."""

    def exchange(self, sends: Sequence[Message], receives: Sequence[Message]) -> None:
        """Exchanges messages with other ranks."""
        kept: list[Any] = []
        lists = [_messages(argument, messages, kept, write=write) for argument, messages, write in (
            ("sends", sends, False), ("receives", receives, True))]
        lib.comm_exchange(self, lists[0], len(lists[0]), lists[1], len(lists[1]))


def _messages(argument: str, messages: Iterable[Message], kept: list[Any], *, write: bool) -> Any:
    """Messages as the library takes them. Their memory has to be one piece."""
    structs = []
    for number, message in enumerate(listed(argument, messages, "messages")):
        if not hasattr(message, "peer") or not hasattr(message, "memory"):
            raise TypeError(f"{argument}[{number}]: a Message, not {described(message)}")
        where = f"{argument}[{number}].memory"
        memory = buffer(where, message.memory)
        if not memory.c_contiguous:
            raise BufferError(f"{where}: it has to be contiguous")
        seen = view(where, memory.cast("B") if memory.nbytes else b"", write=write and memory.nbytes > 0)
        kept.append(seen)
        structs.append(MessageStruct(integer(f"{argument}[{number}].peer", message.peer),
                                     seen.address, memory.nbytes))
    return (MessageStruct * len(structs))(*structs)


def full_of(argument: str, full: Any, src_rank: int) -> View:
    """A view of the tensor that the source rank has to have."""
    if full is None:
        raise lib.refused("NULL_ARGUMENT", f"{argument}: pass the tensor on src_rank {src_rank}")
    return view(argument, full)


def options(memory_limit: int, max_threads: int, hint: copies.Hint | None) -> Any:
    """How a collective works, for the library."""
    limit = within("memory_limit", memory_limit, (1 << 64) - 1)
    copy = ctypes.pointer(copies.option_struct(max_threads, hint))
    return ctypes.byref(Options(ctypes.sizeof(Options), limit, copy))


def _stated(metadata: ShardedTensorMetadata) -> Any:
    """The element type that metadata state."""
    dtype = metadata.tensor_properties.dtype
    if dtype is None:
        raise lib.refused("INVALID_ARGUMENT", "metadata: it states no dtype; pass tensors, or "
                          "build it with properties that do")
    return parse(dtype)


STATUSES = ((MemoryError, lib.OUT_OF_MEMORY), (TypeError, lib.INVALID_ARGUMENT),
            (ValueError, lib.INVALID_ARGUMENT), (BufferError, lib.INVALID_ARGUMENT))
"""The statuses that other ranks are told where an exception is none of this package's."""


def _told(reason: BaseException | str) -> tuple[int, bytes]:
    """Status and message that other ranks receive."""
    if isinstance(reason, ShardspecError):
        status, message = reason.status, reason.message
    elif isinstance(reason, BaseException):
        known = (status for kind, status in STATUSES if isinstance(reason, kind))
        status, message = next(known, lib.USER_STATUS), description(reason)
    else:
        status, message = lib.USER_STATUS, str(reason)
    return status, message.replace("\0", " ").encode(errors="replace")


def started(function: Any, comm: Communicator, prepare: Callable[[], tuple[Any, ...]],
            kept: Any = None, then: Callable[[], None] | None = None,
            result: Callable[[], Any] | None = None) -> Request:
    """Starts a collective. A failure before the call is the result of the request, which has `kept`."""
    comm_of("comm", comm)
    try:
        arguments = prepare()
    except Exception as error:
        handle = lib.answer(ctypes.c_void_p, lib.comm_decline_start, comm, *_told(error))
        return Request._started(handle, comm, error)
    handle = lib.answer(ctypes.c_void_p, function, comm, *arguments)
    return Request._started(handle, (comm, arguments, kept), then=then, result=result)


def comm_of(argument: str, value: Any) -> Communicator:
    """A communicator as an argument: any number would be taken for a handle."""
    found: Communicator = instance(argument, value, Communicator)
    return found


def together(function: Any, comm: Communicator, prepare: Callable[[], tuple[Any, ...]]) -> None:
    """Calls a collective. A failure before the call is reported to the other ranks."""
    comm_of("comm", comm)
    try:
        arguments = prepare()
    except BaseException as error:
        with contextlib.suppress(Exception):  # What was wrong here comes first.
            comm.decline(error)
        raise
    try:
        function(comm, *arguments)
    except OutOfMemoryError as error:
        comm._abort_after(error)  # Others may have begun to rely on this rank.
        raise
