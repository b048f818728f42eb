"""Numbers and texts as the arrays that the library takes."""

from __future__ import annotations

import ctypes
from array import array
from collections.abc import Iterable, Sequence
from typing import Any

from ._library import lib

INT64 = ctypes.POINTER(ctypes.c_int64)
INDICES = ctypes.POINTER(ctypes.c_uint32)


def integers(argument: str, values: Iterable[int]) -> array[int]:
    """64-bit integers; what does not fit is refused."""
    try:
        return array("q", values)
    except OverflowError:
        raise lib.refused("OVERFLOW", f"{argument}: a number does not fit into 64 bits") from None


def room(length: int, typecode: str = "q") -> array[int]:
    """Room for `length` numbers that the library writes."""
    return array(typecode, bytes(length * array(typecode).itemsize))


def pointer(numbers: array[int]) -> Any:
    """A pointer to an array, which it keeps."""
    kind: Any = INDICES if numbers.typecode == "I" else INT64
    made = ctypes.cast(numbers.buffer_info()[0], kind)
    made.numbers = numbers
    return made


def text(argument: str, value: str) -> bytes:
    """A text as the library takes it: NUL would end it early."""
    if "\0" in value:
        raise lib.refused("INVALID_ARGUMENT", f"{argument}: {value!r} contains a NUL character")
    return value.encode("utf-8", "surrogatepass")


def texts(argument: str, values: Sequence[str]) -> Any:
    """An array of texts."""
    return (ctypes.c_char_p * len(values))(*(text(argument, value) for value in values))
