"""Placements: the owner and the device of a shard."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ._arrays import index as integer
from ._arrays import listed, text
from ._callbacks import DESTROY, hash_of, keep, kept, question
from ._handle import Handle
from ._library import lib
from ._words import described
from .errors import ArgumentError

DEVICE_TYPES = {value: name.removeprefix("DEVICE_").lower()
                for name, value in lib.header.constants.items() if name.startswith("DEVICE_")}


@dataclass(frozen=True)
class Device:
    """A device: "cuda" and 1, or "cpu" and None."""

    type: str
    index: int | None = None

    def __post_init__(self) -> None:
        text("type", self.type)
        if self.index is not None:
            object.__setattr__(self, "index", integer("index", self.index))

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"


class Placement:
    """An owner and a device: torch's `_remote_device`.

    The text of a placement is "rank:1/cuda:0", "rank:1", "trainer0/cpu", "trainer0" or "cuda:1",
    for example. The default device is "cpu". The constructor also accepts a `torch.device` or
    torch's own `_remote_device`.
    """

    __slots__ = ("_fields",)

    def __init__(self, remote_device: Any) -> None:
        self._fields = _parsed("remote_device", remote_device, -1)

    def rank(self) -> int | None:
        """The rank of the placement, or None."""
        return self._fields.rank

    def worker_name(self) -> str | None:
        """The name of the worker that the placement names, or None."""
        return self._fields.worker_name

    def device(self) -> Device:
        """The device of the placement."""
        return self._fields.device

    def __str__(self) -> str:
        return self._fields.text

    def __repr__(self) -> str:
        return self._fields.text

    def __eq__(self, other: object) -> bool:
        return self._fields.text == other._fields.text if isinstance(
            other, Placement) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._fields.text)

    def __reduce__(self) -> tuple[Any, ...]:
        return Placement, (self._fields.text,)


class PlacementSpec:
    """Base class of custom placements, which have data besides an owner and a device (torch:
    `PlacementSpec`).

    Every function that accepts placements accepts an object of a subclass. Specs and metadata
    return the same object. The text of a placement is its `str()`. Two placements are equal if the
    objects are equal. `rank` is the rank of the placement, or None. Collectives send to the rank of
    the placement.
    """

    def rank(self) -> int | None:
        """The rank of the placement, or None."""
        return None


@dataclass
class DevicePlacementSpec(PlacementSpec):
    """The placement of an entity on one device."""

    device: Placement

    def __post_init__(self) -> None:
        if not isinstance(self.device, Placement):
            self.device = Placement(_parsed("device", self.device, -1).text)

    def rank(self) -> int | None:
        """The rank of the placement, or None."""
        return self.device.rank()

    def __str__(self) -> str:
        return str(self.device)


class FilePlacement(PlacementSpec):
    """A file of a checkpoint: the placement of a stored chunk."""

    def __init__(self, file: str) -> None:
        text("file", file)
        self.file = file

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FilePlacement) and other.file == self.file

    def __hash__(self) -> int:
        return hash(self.file)

    def __str__(self) -> str:
        return self.file


AnyPlacement = Placement | PlacementSpec


def as_placement(placement: Any, argument: str = "placement",
                 index: int = -1) -> AnyPlacement:
    """What was meant by something that stands where a placement does."""
    if isinstance(placement, DevicePlacementSpec):
        return placement.device
    if isinstance(placement, AnyPlacement):
        return placement
    made = Placement.__new__(Placement)
    made._fields = _parsed(argument, placement, index)
    return made


def _parsed(argument: str, placement: Any, index: int) -> _Fields:
    """What a placement says. Where its text is wrong, the library calls it something else."""
    written = _written(argument, placement)
    try:
        return _read(written)
    except ArgumentError as error:
        problem = error.message
        for prefix in ("placement: ", "placement ", "text: "):
            problem = problem.removeprefix(prefix)
        position = {} if index < 0 else {"index": index}
        raise lib.refused(error.name, f"{argument}: {problem}", **position) from None


def as_placements(argument: str, placements: Any) -> list[AnyPlacement]:
    """The placements in a list. An error of one has its position."""
    return [as_placement(one, f"{argument}[{number}]", number)
            for number, one in enumerate(listed(argument, placements, "placements"))]


def _written(argument: str, placement: Any) -> str:
    """A placement's text: of torch's and our own objects, what they show."""
    torchs = type(placement).__module__.partition(".")[0] == "torch"
    if not torchs and not isinstance(placement, (str, Placement, Device)):
        raise TypeError(f"{argument}: a text such as 'rank:0/cuda:0', not {described(placement)}")
    return str(placement)


class PlacementHandle(Handle):
    """A placement of the library."""

    _free = "placement_free"

    def read(self) -> AnyPlacement:
        """The placement that it names."""
        name = lib.text(lib.placement_type_name, self)
        if name == "device":
            return Placement(lib.text(lib.placement_text, self))
        if name == "file":
            return FilePlacement(lib.text(lib.placement_text, self))
        ctx = lib.answer(ctypes.c_void_p, lib.placement_custom_ctx, self, text("type_name", name))
        # One that was made in C is not Python's, whatever its type is called.
        found = kept(ctx, PlacementSpec)
        if found is None or type_name(type(found)) != name:
            raise lib.refused("UNSUPPORTED", f"a placement of type {name!r} was not made by this "
                              "package")
        return found


def type_name(kind: type) -> str:
    """The name of a class as a type of the user's own: it has a dot in it."""
    return f"{kind.__module__}.{kind.__qualname__}"


Struct = lib.header.type("placement_vtable")
_fields = dict(Struct._fields_)


@question(_fields["equal"], otherwise=False)
def _equal(ctx: int, other_ctx: int) -> bool:
    return kept(ctx, PlacementSpec) == kept(other_ctx, PlacementSpec)


@question(_fields["hash"], otherwise=0)
def _hash(ctx: int) -> int:
    return hash_of(kept(ctx, PlacementSpec))


VTABLE = Struct(ctypes.sizeof(Struct), DESTROY, _equal, _hash)


def placement_handle(placement: AnyPlacement) -> PlacementHandle:
    """A placement of the library's, which keeps what was made in Python for as long as it needs."""
    if isinstance(placement, Placement):
        made = lib.answer(ctypes.c_void_p, lib.placement_parse, text("placement", str(placement)))
    else:
        rank, name = placement.rank(), text("type_name", type_name(type(placement)))
        made = lib.answer(
            ctypes.c_void_p, lib.placement_new_custom, name, text("placement", str(placement)),
            -1 if rank is None else rank, ctypes.byref(VTABLE), keep(placement))
    return PlacementHandle._of(made)


class Placements:
    """Placements as the library takes them: texts, or handles where some are of the user's own."""

    def __init__(self, placements: Sequence[AnyPlacement | None]) -> None:
        self.listed = placements
        self.own = any(isinstance(placement, PlacementSpec) for placement in placements)
        self._handles: list[PlacementHandle] = []
        self.array: Any
        if self.own:
            self._handles = [placement_handle(one) for one in placements if one is not None]
            self.array = (ctypes.c_void_p * len(self._handles))(*(
                handle._handle for handle in self._handles))
        else:
            self.array = (ctypes.c_char_p * len(placements))(*(
                None if one is None else text("placement", str(one)) for one in placements))

    def __len__(self) -> int:
        return len(self.array)


class _Fields(NamedTuple):
    text: str
    rank: int | None
    worker_name: str | None
    device: Device


@functools.lru_cache(maxsize=1 << 16)
def _read(written: str) -> _Fields:
    """What a placement's text says. Cached: many shards live in few places."""
    handle = lib.answer(ctypes.c_void_p, lib.placement_parse, text("placement", written))
    with PlacementHandle._of(handle) as placement:
        canonical = lib.text(lib.placement_text, placement)
        rank = lib.answer(ctypes.c_int64, lib.placement_rank, placement)
        kind = lib.answer(ctypes.c_int32, lib.placement_device_type, placement)
        index = lib.answer(ctypes.c_int32, lib.placement_device_index, placement)
    owner, slash, _ = canonical.rpartition("/")
    return _Fields(canonical, rank if rank >= 0 else None,
                   owner if slash and rank < 0 else None,
                   Device(DEVICE_TYPES[kind], index if index >= 0 else None))
