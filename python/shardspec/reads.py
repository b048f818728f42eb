"""Few reads instead of many: runs of a plan whose bytes are near each other in the source."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

from ._arrays import real, within
from ._library import lib

MAX_GAP = 4 << 10
OVER_READ = 2.0
MAX_READ = 2 << 20
"""The library's own values, with which it reads checkpoints."""


@dataclass(frozen=True)
class Run:
    """`count` blocks of `length` bytes that move together, at equal steps in both buffers."""

    source: int
    destination: int
    source_offset: int
    source_stride: int
    destination_offset: int
    destination_stride: int
    length: int
    count: int


class Read(NamedTuple):
    """One read of `length` bytes from byte `offset` of the source shard `source` on.

    `runs` has the bytes that are needed. The `source_offset` of these runs counts from the first
    byte of the read.
    """

    source: int
    offset: int
    length: int
    runs: tuple[Run, ...]


class _Rule:
    """Which bytes are read together."""

    def __init__(self, max_gap: int, over_read: float, max_read: int) -> None:
        largest = (1 << 63) - 1
        self.max_gap, self.over_read = within("max_gap", max_gap, largest), real("over_read", over_read)
        self.max_read = within("max_read", max_read, largest, 1)
        if not self.over_read >= 1:
            raise lib.refused("INVALID_ARGUMENT", f"over_read: {self.over_read} is below 1")

    def bridges(self, gap: int, span: int, needed: int) -> bool:
        """Whether a gap is read through, in a read of `span` bytes of which `needed` are needed."""
        return gap <= self.max_gap or span <= self.over_read * needed

    def parts(self, run: Run) -> Iterator[Run]:
        """A run, in parts of which each is one read."""
        step, blocks = abs(run.source_stride), 1
        if run.count > 1 and self.bridges(step - run.length, run.length + (run.count - 1) * step,
                                          run.count * run.length):
            blocks += max(self.max_read - run.length, 0) // step if step else run.count
        for first in range(0, run.count, blocks):
            yield replace(run, source_offset=run.source_offset + first * run.source_stride,
                          destination_offset=run.destination_offset + first * run.destination_stride,
                          count=min(blocks, run.count - first))


def merged(runs: Iterable[Run], max_gap: int, over_read: float, max_read: int) -> list[Read]:
    """The reads that have the bytes of some runs, by source and offset."""
    rule = _Rule(max_gap, over_read, max_read)
    parts = sorted(((run.source, *_span(run), run) for whole in runs for run in rule.parts(whole)),
                   key=lambda part: part[:3])
    reads: list[Read] = []
    needed = 0
    some: list[Run] = []
    source, start, end = -1, 0, 0
    for of, first, behind, run in parts:
        size, last = run.count * run.length, max(end, behind)
        if of == source and last - start <= max(rule.max_read, end - start) and rule.bridges(
                max(first - end, 0), last - start, needed + size):
            some.append(run)
            end, needed = last, needed + size
            continue
        if some:
            reads.append(_read(source, start, end, some))
        source, start, end, needed, some = of, first, behind, size, [run]
    if some:
        reads.append(_read(source, start, end, some))
    return reads


def _span(run: Run) -> tuple[int, int]:
    """The first byte of a run in its source, and the byte behind its last one."""
    ends = run.source_offset, run.source_offset + (run.count - 1) * run.source_stride
    return min(ends), max(ends) + run.length


def _read(source: int, start: int, end: int, runs: list[Run]) -> Read:
    return Read(source, start, end - start,
                tuple(replace(run, source_offset=run.source_offset - start) for run in runs))
