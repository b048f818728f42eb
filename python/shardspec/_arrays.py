"""Converts numbers and texts to the arrays that the library takes.

Each array is made once, and its length is that of the array, because `len()` of an argument may be
wrong.
"""

from __future__ import annotations

import ctypes
import operator
import os
from array import array
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar

from ._library import lib
from ._words import LONGEST, described, with_article, written

Kind = TypeVar("Kind")

TYPES: dict[str, Any] = {"q": ctypes.c_int64, "I": ctypes.c_uint32, "Q": ctypes.c_size_t}
TEXTS = (str, bytes, bytearray)
PLAIN = frozenset((list, tuple, array))


def iterator(argument: str, values: Any, of: str) -> Iterator[Any]:
    """An iterator of what should be a list of that. A text is none, though Python iterates it."""
    if isinstance(values, TEXTS):
        raise TypeError(f"{argument}: a list of {of}, not a text")
    if isinstance(values, memoryview) and values.ndim > 1:
        raise TypeError(f"{argument}: a list of {of}, not a memoryview of {values.ndim} dimensions")
    try:
        return iter(values)
    except TypeError:
        raise TypeError(f"{argument}: a list of {of}, not {described(values)}") from None


def listed(argument: str, values: Any, of: str) -> list[Any]:
    """Everything that an iterable yields."""
    # `list` would ask for a length, and reserve that much.
    return [one for one in iterator(argument, values, of)]  # noqa: C416


def integers(argument: str, values: Iterable[int]) -> array[int]:
    """64-bit integers; what does not fit is refused."""
    if type(values) in PLAIN:
        try:
            return array("q", values)
        except (OverflowError, TypeError):
            pass  # It is refused below.
    given = [index(f"{argument}[{number}]", value)
             for number, value in enumerate(iterator(argument, values, "integers"))]
    try:
        return array("q", given)
    except OverflowError:
        raise lib.refused("OVERFLOW", f"{argument}: a number does not fit into 64 bits") from None


def numbers(argument: str, values: Iterable[int]) -> list[int]:
    """Integers as a list of Python's own."""
    if type(values) in PLAIN:
        try:
            return [*map(operator.index, values)]
        except TypeError:
            pass  # It is refused below.
    return [*integers(argument, values)]


def room(length: int, typecode: str = "q") -> array[int]:
    """Room for `length` numbers that the library writes."""
    return array(typecode, bytes(length * array(typecode).itemsize))


def pointer(numbers: array[int]) -> Any:
    """An array as an argument, which keeps it. Meanwhile, the array can't change its length."""
    # The first number: ctypes passes its address.
    return TYPES[numbers.typecode].from_buffer(numbers) if numbers else None


def tuples(numbers: Any, ndim: int, count: int) -> list[tuple[int, ...]]:
    """Rows of that many numbers, which lie one after the other."""
    return [tuple(numbers[row * ndim:(row + 1) * ndim]) for row in range(count)]


def indices(argument: str, values: Iterable[int], kind: Any = ctypes.c_size_t) -> Any:
    """Indices as an array of that unsigned type, which would wrap what it has no room for."""
    made = [index(argument, value) for value in iterator(argument, values, "indices")]
    for position, number in enumerate(made):
        if not 0 <= number < 1 << 8 * ctypes.sizeof(kind):
            raise lib.refused("INDEX_OUT_OF_RANGE", f"{argument}[{position}]: {number} is no index",
                              index=position)
    return (kind * len(made))(*made)


def index(argument: str, value: Any) -> int:
    """An integer of any library. What a message can't show is refused here."""
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{argument}: an integer, not {described(value)}") from None
    if number.bit_length() > LONGEST:
        raise lib.refused("OVERFLOW", f"{argument}: {written(number)} does not fit into 64 bits")
    return number


def within(argument: str, value: Any, most: int, least: int = 0) -> int:
    """An integer of any library that is not out of range."""
    number = index(argument, value)
    if not least <= number <= most:
        raise lib.refused("INVALID_ARGUMENT", f"{argument}: {number} is not between {least} and {most}",
                          got=number if abs(number) < 1 << 63 else 0)
    return number


def flag(argument: str, value: Any) -> bool:
    """A boolean, or a number in its place. A text such as "no" would be true, and so would most objects."""
    if not isinstance(value, int) and (type(value).__module__ != "numpy" or getattr(value, "shape", None) != ()):
        raise TypeError(f"{argument}: True or False, not {described(value)}")
    return bool(value)


def real(argument: str, value: Any) -> float:
    """A real number of any library."""
    if getattr(value, "ndim", 0) == 0 and (hasattr(type(value), "__float__") or hasattr(type(value), "__index__")):
        try:
            return float(value)
        except (TypeError, ValueError, OverflowError):
            pass  # It is refused below.
    raise TypeError(f"{argument}: a number, not {described(value)}")


def instance(argument: str, value: Kind, *kinds: type[Any]) -> Kind:
    """An object of a class, or of one of some."""
    if not isinstance(value, kinds):
        named = " or ".join(with_article(kind.__name__) for kind in kinds)
        raise TypeError(f"{argument}: {named}, not {described(value)}")
    return value


def buffer(argument: str, value: Any) -> memoryview:
    """The memory of what has the buffer protocol."""
    try:
        return memoryview(value)
    except (TypeError, ValueError, BufferError):
        raise TypeError(f"{argument}: an object with the buffer protocol, not {described(value)}") from None


def function(argument: str, value: Any) -> Any:
    """What can be called, or None."""
    if value is not None and not callable(value):
        raise TypeError(f"{argument}: a function, not {described(value)}")
    return value


def choice(argument: str, value: Any, names: Mapping[Any, Any]) -> Any:
    """What a name stands for."""
    if value is not None and not isinstance(value, str):
        raise TypeError(f"{argument}: a text, not {described(value)}")
    if value not in names:
        known = ", ".join(repr(name) for name in names if name is not None)
        raise lib.refused("INVALID_ARGUMENT", f"{argument}: {value!r} is none of {known}")
    return names[value]


def items(argument: str, values: Any, of: str) -> list[tuple[Any, Any]]:
    """The pairs of a dict."""
    if not isinstance(values, Mapping):
        raise TypeError(f"{argument}: a dict of {of}, not {described(values)}")
    return listed(argument, values.items(), of)


def path(argument: str, value: Any) -> bytes:
    """A path as the library takes it."""
    try:
        return text(argument, os.fspath(value))
    except TypeError:
        raise TypeError(f"{argument}: a path, not {described(value)}") from None


def text(argument: str, value: Any) -> bytes:
    """A text as the library takes it: NUL would end it early."""
    if not isinstance(value, str):
        raise TypeError(f"{argument}: a text, not {described(value)}")
    if "\0" in value:
        raise lib.refused("INVALID_ARGUMENT", f"{argument}: {value!r} contains a NUL character")
    try:
        return value.encode()
    except UnicodeEncodeError:
        raise lib.refused("INVALID_ARGUMENT", f"{argument}: {value!r} has a lone surrogate, which is no "
                          "character") from None


def spelled(argument: str, value: Any) -> str:
    """A text, or the text of an object that stands for one, such as those of torch."""
    try:
        return str(value)
    except ValueError:
        raise TypeError(f"{argument}: a text, not {described(value)}") from None


def texts(argument: str, values: Iterable[str]) -> Any:
    """An array of texts."""
    made = [text(argument, value) for value in values]
    return (ctypes.c_char_p * len(made))(*made)
