"""Memory for new tensors."""

from __future__ import annotations

import contextlib
import ctypes
import mmap
from typing import Any

ALIGNMENT = 64
"""Bytes. jax takes no less without a copy."""
LARGE = 1 << 20
HUGE = 1 << 22


def allocate(nbytes: int) -> tuple[int, Any]:
    """The address of that much memory, all zero, and the object that keeps it."""
    if nbytes < LARGE:
        memory: Any = bytearray(nbytes + ALIGNMENT)
        address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
        return address + -address % ALIGNMENT, memory
    # Pages that the system zeroes when they are first touched, which is when the data comes.
    memory = mmap.mmap(-1, nbytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if nbytes >= HUGE and hasattr(mmap, "MADV_HUGEPAGE"):
        with contextlib.suppress(OSError):  # Some systems have no huge pages.
            memory.madvise(mmap.MADV_HUGEPAGE)
    return ctypes.addressof(ctypes.c_char.from_buffer(memory)), memory
