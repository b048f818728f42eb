"""One shard of a tensor: the box that it owns and where it lives."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ._library import lib
from .placement import Placement


@dataclass
class ShardMetadata:
    """Where a shard starts, how long it is in each dimension, and where it lives."""

    __slots__ = ("placement", "shard_offsets", "shard_sizes")

    shard_offsets: list[int]
    shard_sizes: list[int]
    placement: Placement | None

    def __init__(self, shard_offsets: Iterable[int], shard_sizes: Iterable[int],
                 placement: Any = None) -> None:
        self.shard_offsets = list(shard_offsets)
        self.shard_sizes = list(shard_sizes)
        self.placement = (placement if placement is None or isinstance(placement, Placement)
                          else Placement(placement))
        if len(self.shard_offsets) != len(self.shard_sizes):
            raise lib.refused(
                "RANK_MISMATCH", f"shard_offsets: {len(self.shard_offsets)} dimensions, but "
                f"shard_sizes has {len(self.shard_sizes)}", got=len(self.shard_offsets),
                limit=len(self.shard_sizes))
        for argument in ("shard_offsets", "shard_sizes"):
            for dim, value in enumerate(getattr(self, argument)):
                if value < 0:
                    raise lib.refused("INVALID_ARGUMENT", f"{argument}: {value} in dimension {dim} "
                                      "is negative", dim=dim, got=value)

    def __hash__(self) -> int:
        return hash((tuple(self.shard_offsets), tuple(self.shard_sizes), self.placement))
