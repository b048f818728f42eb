"""Batches of tensors that move between ranks, once or again and again."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from . import copies
from ._arrays import instance, listed, text
from ._handle import Handle
from ._library import lib
from ._views import alike, numbered
from .comm import Communicator, Request, TensorStruct, comm_of, options, started, together
from .dtype import DType, dtype_name, parse
from .metadata import ShardedTensorMetadata, metadata_of
from .plan import Plan
from .sharded_tensor import ShardedTensor


@dataclass(frozen=True)
class Move:
    """One tensor of a batch, as an argument of one rank. All ranks pass equal fields, except the
    shards.

    `shards` holds this rank's shards of `metadata`, in the order of their indices. `to_shards`
    holds this rank's shards of `to_metadata`. A `plan` between any lists of shards may replace both
    metadata objects. `dtype` states the element type if the metadata does not state it. For such
    metadata, a rank without shards of the tensor must pass `dtype`.
    """

    tag: str
    shards: Iterable[Any] | ShardedTensor
    to_shards: Iterable[Any] | ShardedTensor
    metadata: ShardedTensorMetadata | None = None
    to_metadata: ShardedTensorMetadata | None = None
    plan: Plan | None = None
    dtype: Any = None


def transfer(comm: Communicator, moves: Iterable[Move], *, memory_limit: int = 0, max_threads: int = 0,
             hint: copies.Hint | None = None) -> None:
    """Moves a batch of tensors between all ranks of a communicator.

    If the tensors of two ranks differ or are invalid, all ranks raise an error before the first
    write. The error names the tensor.
    """
    def prepare() -> tuple[Any, ...]:
        how = options(memory_limit, max_threads, hint)
        tensors = _tensors(moves)
        return tensors, len(tensors), how

    together(lib.comm_transfer, comm, prepare)


def start_transfer(comm: Communicator, moves: Iterable[Move], *, memory_limit: int = 0,
                   max_threads: int = 0, hint: copies.Hint | None = None) -> Request:
    """Starts the collective of `transfer`. Other ranks may call `transfer` instead of this
    function.

    The request keeps the tensors. If a tensor is invalid, `test` or `wait` raises the error after
    the other ranks have received the error.
    """
    def prepare() -> tuple[Any, ...]:
        how = options(memory_limit, max_threads, hint)
        tensors = _tensors(moves)
        return tensors, len(tensors), how

    return started(lib.comm_transfer_start, comm, prepare)


class Transfer(Handle):
    """A batch of tensors that all ranks have agreed to move. The batch may move any number of
    times.

    All ranks create a transfer together. The creation moves no data. The transfer keeps the tensors
    of `moves`, and the communicator.
    """

    _free = "transfer_free"

    def __init__(self, comm: Communicator, moves: Iterable[Move], *, memory_limit: int = 0,
                 max_threads: int = 0, hint: copies.Hint | None = None) -> None:
        self._comm = comm_of("comm", comm)
        self._kept: list[Any] = []
        """What the library may read or write in a run without `moves`."""
        made = ctypes.c_void_p()

        def prepare() -> tuple[Any, ...]:
            how = options(memory_limit, max_threads, hint)
            tensors = _tensors(moves)
            self._kept = [tensors]
            return tensors, len(tensors), how, ctypes.byref(made)

        together(lib.transfer_prepare, comm, prepare)
        self._own(made.value or 0)

    @classmethod
    def prepare_start(cls, comm: Communicator, moves: Iterable[Move], *, memory_limit: int = 0,
                      max_threads: int = 0, hint: copies.Hint | None = None) -> Request:
        """Starts to create a transfer. Other ranks may create the transfer without a request.
        `wait` of the request returns the transfer. If an argument is invalid, `wait` raises the
        error after the other ranks have received the error.
        """
        transfer = cls.__new__(cls)
        transfer._comm, transfer._kept = comm, []
        made = ctypes.c_void_p()

        def prepare() -> tuple[Any, ...]:
            how = options(memory_limit, max_threads, hint)
            tensors = _tensors(moves)
            transfer._kept = [tensors]
            return tensors, len(tensors), how, ctypes.byref(made)

        request = started(lib.transfer_prepare_start, comm, prepare, transfer,
                          result=lambda: transfer)
        transfer._own(made.value or 0)
        return request

    def run(self, moves: Iterable[Move] | None = None) -> None:
        """Moves all tensors, on all ranks together. Without `moves`, the run uses the tensors of the
        last run that succeeded. If no run has succeeded yet, the run uses the tensors of the
        creation. With `moves`, the run uses the tags and the shards of `moves`. The new
        shards must have the shapes and strides of the shards that the transfer was created with.
        """
        def run(comm: Communicator, tensors: Any, count: int) -> None:
            lib.transfer_run(self, comm, tensors, count)
            self._has_run(tensors)

        together(run, self._comm, lambda: self._for_run(moves))

    def start(self, moves: Iterable[Move] | None = None) -> Request:
        """Starts the collective of `run`. Other ranks may call `run` instead of this method. A
        transfer has one run at a time.

        If a tensor of `moves` is invalid, `test` or `wait` of the request raises the error after
        the other ranks have received the error.
        """
        used: list[Any] = []

        def prepare() -> tuple[Any, ...]:
            arguments = self._for_run(moves)
            used.append(arguments[0])
            return arguments

        return started(lambda comm, *rest: lib.transfer_start(self, comm, *rest), self._comm, prepare,
                       self, lambda: self._has_run(*used))

    def _for_run(self, moves: Iterable[Move] | None) -> tuple[Any, int]:
        """The tensors of a run. From here on the library may use them, also where the run fails."""
        if moves is None:
            return None, 0
        tensors = _tensors(moves, layouts=False)
        self._kept.append(tensors)
        return tensors, len(tensors)

    def _has_run(self, tensors: Any) -> None:
        """After a run that succeeded, the library uses its tensors only."""
        if tensors is not None:
            self._kept = [tensors]

    @property
    def fingerprint(self) -> int:
        """A hash of 64 bits of the tags, layouts, element types and order of the tensors. All ranks
        have the same hash.
        """
        return int(lib.answer(ctypes.c_uint64, lib.transfer_fingerprint, self))


def _tensors(moves: Iterable[Move], *, layouts: bool = True) -> Any:
    """The tensors as the library takes them. The array keeps what they are made of, as its `kept`."""
    structs, kept = [], []
    for number, move in enumerate(listed("moves", moves, "moves")):
        instance(f"moves[{number}]", move, Move)
        struct = TensorStruct(ctypes.sizeof(TensorStruct))
        struct.tag = text(f"moves[{number}].tag", move.tag)
        name = f"moves[{number}] '{move.tag}'"
        if layouts:
            _set_layouts(name, struct, move)
        views, count = numbered(f"{name}.shards", _local(move.shards), write=False)
        places, to_count = numbered(f"{name}.to_shards", _local(move.to_shards), write=True)
        alike(("shards", views), ("to_shards", places))
        struct.source_shards, struct.source_shard_count = views.array, count
        struct.destination_shards, struct.destination_shard_count = places.array, to_count
        structs.append(struct)
        kept.append((move, views, places))
    array: Any = (TensorStruct * len(structs))(*structs)
    array.kept = kept
    return array


def _set_layouts(name: str, struct: Any, move: Move) -> None:
    if move.plan is not None:
        struct.plan = instance(f"{name}.plan", move.plan, Plan)._as_parameter_
    if move.metadata is not None or move.plan is None:
        struct.source = metadata_of(f"{name}.metadata", move.metadata)._as_parameter_
    if move.to_metadata is not None or move.plan is None:
        struct.destination = metadata_of(f"{name}.to_metadata", move.to_metadata)._as_parameter_
    if move.dtype is not None:
        struct.dtype = move.dtype if isinstance(move.dtype, DType) else parse(dtype_name(move.dtype))


def _local(shards: Iterable[Any] | ShardedTensor) -> Iterable[Any]:
    """The tensors of shards."""
    if isinstance(shards, ShardedTensor):
        return [shard.tensor for shard in shards.local_shards()]
    return shards
