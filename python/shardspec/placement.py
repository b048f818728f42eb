"""Where a shard lives."""

from __future__ import annotations

import ctypes
import functools
from dataclasses import dataclass
from typing import Any, NamedTuple

from ._arrays import text
from ._handle import Handle
from ._library import lib

DEVICE_TYPES = {value: name.removeprefix("DEVICE_").lower()
                for name, value in lib.header.constants.items() if name.startswith("DEVICE_")}


@dataclass(frozen=True)
class Device:
    """A device: "cuda" and 1, or "cpu" and None."""

    type: str
    index: int | None = None

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"


class Placement:
    """An owner and a device: torch's `_remote_device`.

    Written "rank:1/cuda:0", "rank:1", "trainer0/cpu", "trainer0" or "cuda:1"; without a device,
    "cpu" is meant. Anything whose text is one of these is taken: a text, a `torch.device`, torch's
    own `_remote_device`.
    """

    __slots__ = ("_fields",)

    def __init__(self, remote_device: Any) -> None:
        self._fields = _read(str(remote_device))

    @staticmethod
    def _from_handle(handle: int) -> Placement:
        """The placement that a new handle names. The handle is freed."""
        with _Handle._of(handle) as placement:
            return Placement(lib.text(lib.placement_text, placement))

    def rank(self) -> int | None:
        """The rank that owns it, or None where no rank does."""
        return self._fields.rank

    def worker_name(self) -> str | None:
        """The name of the worker that owns it, or None where no worker is named."""
        return self._fields.worker_name

    def device(self) -> Device:
        """The device, on its owner."""
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
    """Base class of placements of an entity: torch's `PlacementSpec`."""


@dataclass
class DevicePlacementSpec(PlacementSpec):
    """The placement of an entity on one device."""

    device: Placement

    def __post_init__(self) -> None:
        if not isinstance(self.device, Placement):
            self.device = Placement(self.device)


class _Fields(NamedTuple):
    text: str
    rank: int | None
    worker_name: str | None
    device: Device


class _Handle(Handle):
    """A placement of the library, as long as it takes to read it."""

    _free = "placement_free"


@functools.lru_cache(maxsize=1 << 16)
def _read(written: str) -> _Fields:
    """What a placement's text says. Cached: many shards live in few places."""
    handle = lib.answer(ctypes.c_void_p, lib.placement_parse, text("placement", written))
    with _Handle._of(handle) as placement:
        canonical = lib.text(lib.placement_text, placement)
        rank = lib.answer(ctypes.c_int64, lib.placement_rank, placement)
        kind = lib.answer(ctypes.c_int32, lib.placement_device_type, placement)
        index = lib.answer(ctypes.c_int32, lib.placement_device_index, placement)
    owner, slash, _ = canonical.rpartition("/")
    return _Fields(canonical, rank if rank >= 0 else None,
                   owner if slash and rank < 0 else None,
                   Device(DEVICE_TYPES[kind], index if index >= 0 else None))
