"""Element types, by their names: "float32", "bfloat16", "int64", "bool", "float8_e4m3fn"."""

from __future__ import annotations

import ctypes
import functools
from typing import Any

from ._arrays import text
from ._library import lib

DType = lib.header.type("dtype")


def dtype_name(dtype: Any) -> str:
    """The name of an element type: a name, or a dtype of numpy, torch or jax."""
    if isinstance(dtype, type):
        name = dtype.__name__
    else:
        name = str(dtype).removeprefix("torch.")
    return struct_name(parse(name))


def parse(name: str) -> Any:
    """The library's element type of that name."""
    return DType(*_parse(name))


@functools.lru_cache(maxsize=256)
def _parse(name: str) -> tuple[int, int, int]:
    out = DType()
    lib.dtype_parse(text("dtype", name), ctypes.byref(out))
    return out.code, out.bits, out.lanes


def struct_name(dtype: Any) -> str:
    """The name of the library's element type."""
    return _name(dtype.code, dtype.bits, dtype.lanes)


@functools.lru_cache(maxsize=256)
def _name(code: int, bits: int, lanes: int) -> str:
    return lib.text(lib.dtype_text, ctypes.byref(DType(code, bits, lanes)))
