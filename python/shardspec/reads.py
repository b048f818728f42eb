"""Runs of bytes that a plan moves, and few reads in place of many: runs whose bytes are near each other."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import Any, NamedTuple

from ._arrays import real, within
from ._library import lib

RunStruct, ReadStruct = lib.header.type("run"), lib.header.type("read")
Options = lib.header.type("merge_options")


@dataclass(frozen=True)
class Run:
    """`count` blocks of `length` bytes that move together.

    The blocks have equal steps in the source buffer, and equal steps in the destination buffer.
    """

    source: int
    destination: int
    source_offset: int
    source_stride: int
    destination_offset: int
    destination_stride: int
    length: int
    count: int


class Read(NamedTuple):
    """One read of `length` bytes from the source shard `source`, beginning at byte `offset`.

    `runs` has the bytes that are needed. The `source_offset` of these runs counts from the first
    byte of the read.
    """

    source: int
    offset: int
    length: int
    runs: tuple[Run, ...]


def runs_of(array: Any) -> list[Run]:
    """Runs from an array of C's."""
    return [Run(*(getattr(run, name) for name, _ in RunStruct._fields_)) for run in array]


def options(max_gap: int | None, over_read: float, max_read: int) -> Any:
    """A pointer to the options of a merge. In C, a gap of 0 is the default, and a negative one is none."""
    largest = (1 << 63) - 1
    gap = 0 if max_gap is None else within("max_gap", max_gap, largest) or -1
    return ctypes.byref(Options(
        ctypes.sizeof(Options), gap, real("over_read", over_read), within("max_read", max_read, largest)))


def reads_of(function: Any, *arguments: Any) -> list[Read]:
    """The reads that `function` of the library finds with some arguments."""
    read_count, run_count = ctypes.c_size_t(), ctypes.c_size_t()
    counts = ctypes.byref(read_count), ctypes.byref(run_count)
    function(*arguments, None, 0, None, 0, *counts)
    reads, array = (ReadStruct * read_count.value)(), (RunStruct * run_count.value)()
    function(*arguments, reads, len(reads), array, len(array), *counts)
    runs = runs_of(array)
    return [Read(read.source, read.offset, read.length,
                 tuple(runs[read.first_run:read.first_run + read.run_count])) for read in reads]
