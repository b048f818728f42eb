"""Tensors in files. A process reads the elements that it needs."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from ._arrays import function, indices, instance, listed, real, text, within
from ._arrays import path as as_path
from ._callbacks import DESTROY, SUCCESS, callback, keep, kept
from ._handle import Handle
from ._library import lib
from ._views import views
from ._words import described
from .comm import Communicator, together
from .comm import options as comm_options
from .dtype import struct_name
from .errors import NotFoundError, ShardspecError
from .metadata import ShardedTensorMetadata, metadata_of
from .sharded_tensor import ShardedTensor

Item = lib.header.type("checkpoint_item")
Options = lib.header.type("checkpoint_read_options")
Report = lib.header.type("checkpoint_read_report")
DType = lib.header.type("dtype")
Problem = lib.header.type("error")

FIRST_ROOM = 16
"""Room for problems at first, where their number is unknown."""

Destination = Any
"""A ShardedTensor; a pair of metadata and a mapping from shard indices to tensors; or a tensor, which
gets the whole."""


class StoredTensor(NamedTuple):
    """Describes a tensor of a checkpoint."""

    name: str
    dtype: str
    shape: tuple[int, ...]


class ReadReport(NamedTuple):
    """Numbers about a read. If two destinations need a byte, `bytes_needed` counts the byte
    twice."""

    read_count: int
    bytes_read: int
    bytes_needed: int


class Checkpoint(Handle, Mapping[str, StoredTensor]):
    """A mapping from the names of tensors in a file or a directory to their types and shapes.

    A path is a safetensors file, a directory of safetensors files, a directory of torch's
    distributed checkpoint, or a `.npy` file. Only `read` and similar methods read elements. No file
    stays open after a call.
    """

    _free = "checkpoint_free"

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._own(lib.answer(ctypes.c_void_p, lib.checkpoint_open, as_path("path", path)))

    def __len__(self) -> int:
        return int(lib.answer(ctypes.c_size_t, lib.checkpoint_tensor_count, self))

    def __iter__(self) -> Iterator[str]:
        return (lib.text(lib.checkpoint_tensor_name, self, index) for index in range(len(self)))

    def __getitem__(self, name: str) -> StoredTensor:
        index = self._index(name)
        dtype, sizes, ndim = DType(), (ctypes.c_int64 * lib.MAX_NDIM)(), ctypes.c_size_t()
        lib.checkpoint_get_tensor(self, index, ctypes.byref(dtype), sizes, len(sizes),
                                  ctypes.byref(ndim))
        return StoredTensor(name, struct_name(dtype), tuple(sizes[:ndim.value]))

    def __contains__(self, name: object) -> bool:
        try:
            self._index(name)
        except (NotFoundError, TypeError):
            return False
        return True

    def _index(self, name: Any) -> int:
        return int(lib.answer(ctypes.c_size_t, lib.checkpoint_find_tensor, self, text("name", name)))

    def metadata(self, name: str) -> ShardedTensorMetadata:
        """Returns metadata of the stored tensor: the file of each element.

        The chunks of the tensor are shards, and files are their placements. Raises LayoutError if
        elements are missing because files are missing.
        """
        return ShardedTensorMetadata._of(lib.answer(
            ctypes.c_void_p, lib.checkpoint_tensor_metadata, self, self._index(name)))

    def check(self, destinations: Mapping[str, Destination] | Iterable[tuple[str, Destination]] = (),
              ) -> list[ShardspecError]:
        """Returns all reasons why tensors can't be read. The `index` of a reason is the position of
        the tensor in `destinations`.

        Without destinations, returns all problems of the checkpoint. For a destination with a
        layout, pass the tensors of its shards, or only a list of the shards' indices.
        """
        items = _Items(destinations, write=False)
        room = FIRST_ROOM
        while True:
            problems, count = (Problem * room)(), ctypes.c_size_t()
            for one in problems:
                one.struct_size = ctypes.sizeof(Problem)
            lib.checkpoint_check(self, items.array, len(items.array), problems, room,
                                 ctypes.byref(count))
            if count.value <= room:
                break
            room = count.value
        found = (lib.refusal(one.status, one, {"items": "destinations"}) for one in problems[:count.value])
        return [one for one in found if isinstance(one, ShardspecError)]

    def read(self, destinations: Mapping[str, Destination] | Iterable[tuple[str, Destination]], *,
             max_threads: int = 0, max_gap: int = 0, over_read: float = 0.0, max_read: int = 0,
             progress: Callable[[int, int], Any] | None = None,
             whole: list[bool] | None = None) -> ReadReport:
        """Reads the elements that the destinations need into memory.

        One read from a file gets needed bytes that are near each other. A gap between needed bytes
        is always part of the read if the gap has at most `max_gap` bytes. A larger gap is part of
        the read if the whole read has at most `over_read` times as many bytes as its needed bytes.
        The library calls `progress` with the number of bytes that have been read and the number of
        all bytes. An exception in `progress` cancels the read. `whole` receives one value for each
        destination: true if the destination was read completely. The library sets `whole` also if
        the call fails.
        """
        how = _Reading(self, destinations, progress, whole, max_threads, max_gap, over_read, max_read)
        with how:
            lib.checkpoint_read(self, *how.inputs, *how.outputs)
        return how.report_read()

    def read_collective(self, comm: Communicator,
                        destinations: Mapping[str, Destination] | Iterable[tuple[str, Destination]], *,
                        max_threads: int = 0, max_gap: int = 0, over_read: float = 0.0,
                        max_read: int = 0, memory_limit: int = 0,
                        progress: Callable[[int, int], Any] | None = None,
                        whole: list[bool] | None = None) -> ReadReport:
        """Reads tensors on all ranks of a communicator together. The ranks share the work: for each
        needed element, only one rank reads the element from a file.

        All ranks pass the same names and layouts in the same order. Each rank passes all of its own
        shards. If several shards have the same elements, one rank reads these elements and sends
        them to the other ranks. For a destination without metadata, every rank receives the whole
        tensor. If a rank can't read, all ranks raise an error with the rank and the reason.
        `memory_limit` limits the memory for messages between ranks. `read` explains the other
        arguments.
        """
        def prepare() -> tuple[Any, ...]:
            made.append(_Reading(self, destinations, progress, whole, max_threads, max_gap, over_read,
                                 max_read))
            return *made[0].inputs, comm_options(memory_limit, 0, None), *made[0].outputs

        def read(comm: Communicator, *arguments: Any) -> None:
            with made[0]:
                lib.checkpoint_read_collective(self, comm, *arguments)

        made: list[_Reading] = []
        together(read, comm, prepare)
        return made[0].report_read()

    def load(self, name: str, metadata: ShardedTensorMetadata, owner: int | str | None = None, *,
             indices: Iterable[int] | None = None) -> ShardedTensor:
        """Returns the local shards of one tensor, in new memory.

        `metadata` must state the element type of the tensor.
        """
        text("name", name)
        tensor = ShardedTensor.empty(metadata, owner, indices=indices)
        self.read({name: tensor})
        return tensor

    def __repr__(self) -> str:
        return "<closed Checkpoint>" if self.closed else f"<Checkpoint of {len(self)} tensors>"


def choose_readers(layouts: Iterable[ShardedTensorMetadata]) -> list[list[int]]:
    """Chooses one reader for each set of shards with the same elements.

    Returns one number for each shard of each layout. If the number is the shard's own index, the
    rank of the shard reads the shard from files. If the number is another index, the shard receives
    its elements from the shard with this index.
    """
    metadatas = [metadata_of(f"layouts[{number}]", layout)
                 for number, layout in enumerate(listed("layouts", layouts, "metadata"))]
    handles = (ctypes.c_void_p * len(metadatas))(*(one._as_parameter_ for one in metadatas))
    needed = ctypes.c_size_t()
    lib.checkpoint_choose_readers(handles, len(handles), None, 0, ctypes.byref(needed))
    flat = (ctypes.c_uint32 * needed.value)()
    lib.checkpoint_choose_readers(handles, len(handles), flat, needed.value, None)
    numbers = iter(flat)
    return [[next(numbers) for _ in metadata.shards_metadata] for metadata in metadatas]


class _Progress:
    """A function that is called during a read."""

    def __init__(self, function: Callable[[int, int], Any]) -> None:
        self.function = function


@callback(lib.header.type("progress_fn"))
def _tell(ctx: int, done: int, total: int) -> None:
    progress = kept(ctx, _Progress)
    if progress is not None:
        progress.function(done, total)


class _Reading:
    """The arguments of a read. Around the call, it keeps the progress function."""

    def __init__(self, checkpoint: Checkpoint,
                 destinations: Mapping[str, Destination] | Iterable[tuple[str, Destination]],
                 progress: Callable[[int, int], Any] | None, whole: list[bool] | None,
                 max_threads: int, max_gap: int, over_read: float, max_read: int) -> None:
        self.items = _Items(destinations, write=True)
        count = len(self.items.array)
        self.options = Options(
            ctypes.sizeof(Options), within("max_threads", max_threads, (1 << 32) - 1), SUCCESS,
            within("max_gap", max_gap, (1 << 64) - 1), real("over_read", over_read),
            within("max_read", max_read, (1 << 64) - 1))
        self.progress = function("progress", progress)
        self.whole = None if whole is None else instance("whole", whole, list)
        self.flags, self.report = (ctypes.c_int32 * count)(), Report(ctypes.sizeof(Report))
        self.inputs = self.items.array, count, ctypes.byref(self.options)
        self.outputs = self.flags, ctypes.byref(self.report)

    def __enter__(self) -> None:
        if self.progress is not None:
            self.options.progress = _tell
            self.options.progress_ctx = keep(_Progress(self.progress))

    def __exit__(self, *_: object) -> None:
        if self.progress is not None:
            DESTROY(self.options.progress_ctx)
        if self.whole is not None:
            self.whole[:] = map(bool, self.flags)

    def report_read(self) -> ReadReport:
        return ReadReport(self.report.read_count, self.report.bytes_read, self.report.bytes_needed)


class _Items:
    """Destinations as the library takes them, and what keeps their memory."""

    def __init__(self, destinations: Mapping[str, Destination] | Iterable[tuple[str, Destination]],
                 *, write: bool) -> None:
        given: Any = destinations.items() if isinstance(destinations, Mapping) else destinations
        pairs = listed("destinations", given, "names and destinations")
        self.kept: list[Any] = []
        for number, pair in enumerate(pairs):
            if not isinstance(pair, tuple) or len(pair) != 2:
                raise TypeError(f"destinations[{number}]: a name and a destination, not {described(pair)}")
        made = [self._item(name, destination, write) for name, destination in pairs]
        self.array = (Item * len(made))(*made)

    def _item(self, name: str, destination: Destination, write: bool) -> Any:
        item = Item(ctypes.sizeof(Item), text("destinations", name))
        self.kept.append((item.name, destination))
        if isinstance(destination, ShardedTensor):
            item.tensor = destination._as_parameter_
            return item
        shards: Any = {0: destination}
        if isinstance(destination, tuple):
            metadata, shards = destination if len(destination) == 2 else (None, None)
            if not isinstance(metadata, ShardedTensorMetadata):
                raise TypeError(f"destinations[{name!r}]: a pair of metadata and tensors, not "
                                f"{described(metadata)} and more")
            item.metadata = metadata._as_parameter_
        numbers = indices(f"destinations[{name!r}]", listed(f"destinations[{name!r}]", shards, "indices"))
        item.shard_count = len(numbers)
        if item.metadata:
            item.indices = numbers
            self.kept.append(numbers)
        if isinstance(shards, Mapping) and (write or isinstance(destination, tuple)):
            order = [*shards]
            tensors = views(lambda number: f"destinations[{name!r}][{order[number]}]", shards.values(),
                            write=write)
            item.shards = tensors.array
            self.kept.append(tensors.array)
        return item
