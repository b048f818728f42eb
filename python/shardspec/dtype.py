"""Element types, by their names: "float32", "bfloat16", "int64", "bool", "float8_e4m3fn"."""

from __future__ import annotations

import ctypes
import functools
import sys
from typing import Any

from ._arrays import spelled, text
from ._library import lib
from ._words import described
from .errors import ArgumentError

DType = lib.header.type("dtype")
MAX_BITS = 255
MAX_LANES = (1 << 16) - 1


def dtype_name(dtype: Any) -> str:
    """The name of an element type: a name, or a dtype of numpy, torch or jax."""
    if isinstance(dtype, type):
        name = dtype.__name__
    elif is_numpy(dtype):
        if not dtype.isnative or dtype.type is sys.modules["numpy"].void or dtype.kind in "SUMm":
            return struct_name(of_numpy("dtype", dtype)[0])
        name = dtype.name
    else:
        name = spelled("dtype", dtype).removeprefix("torch.")
    return struct_name(parse(name))


def parse(name: str) -> Any:
    """The library's element type of that name."""
    return DType(*_parse(name))


@functools.lru_cache(maxsize=256)
def _parse(name: str) -> tuple[int, int, int]:
    out = DType()
    try:
        lib.dtype_parse(text("dtype", name), ctypes.byref(out))
    except ArgumentError as error:
        problem = error.message.partition(": ")[2]
        raise lib.refused(error.name, f"dtype: {problem}", got=error.got,
                          limit=error.limit) from None
    return out.code, out.bits, out.lanes


def struct_name(dtype: Any) -> str:
    """The name of the library's element type."""
    return _name(dtype.code, dtype.bits, dtype.lanes)


@functools.lru_cache(maxsize=256)
def _name(code: int, bits: int, lanes: int) -> str:
    return lib.text(lib.dtype_text, ctypes.byref(DType(code, bits, lanes)))


def is_numpy(dtype: Any) -> bool:
    """Whether it is one of numpy's dtypes. numpy is there, where one is."""
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(dtype, numpy.dtype)


def as_numpy(argument: str, dtype: Any) -> Any:
    """What numpy makes a dtype of. numpy is there."""
    try:
        return sys.modules["numpy"].dtype(dtype)
    except Exception:  # Its parts may be anything.
        raise TypeError(f"{argument}: numpy makes no dtype of {described(dtype)}") from None


def of_numpy(argument: str, dtype: Any) -> tuple[Any, bool]:
    """The element type of a dtype of numpy's, and whether the library knows no more of it than how
    many bytes there are: foreign byte order, records, times, texts.
    """
    if dtype.hasobject or dtype.kind not in "biufcSUVMm":
        raise TypeError(f"{argument}: elements of {dtype} are references to objects, which can't be "
                        "moved")
    if dtype.isnative and dtype.names is None and dtype.subdtype is None:
        if dtype.kind in "fc" and 8 * dtype.itemsize > MAX_BITS:
            raise TypeError(too_wide(argument, dtype.name, dtype.itemsize))
        try:
            named = parse(dtype.name)
        except ArgumentError:
            pass
        else:
            # Elements of less than a byte have one each in numpy, and are packed here.
            if named.bits * named.lanes == 8 * dtype.itemsize:
                return named, False
    return opaque(argument, str(dtype), dtype.itemsize), True


def opaque(argument: str, name: str, itemsize: int) -> Any:
    """The element type of so many bytes that mean anything: "uint8x5"."""
    if not 0 < itemsize <= MAX_LANES:
        raise TypeError(f"{argument}: {name}: elements of {itemsize} bytes; an element has 1 to "
                        f"{MAX_LANES} bytes")
    return DType(lib.DTYPE_UINT, 8, itemsize)


def too_wide(argument: str, name: str, itemsize: int) -> str:
    """What to say of complex numbers of more bits than an element type can have."""
    return (f"{argument}: {name}: {8 * itemsize} bits; an element type has at most {MAX_BITS}; pass "
            f"it as float{4 * itemsize} with a last dimension of 2")
