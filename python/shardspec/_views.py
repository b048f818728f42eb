"""Other people's memory as the library sees it, without a copy."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from . import _dlpack
from ._library import lib
from .dtype import DType, parse
from .errors import ArgumentError

TensorView = lib.header.type("tensor_view")
Device = lib.header.type("device")

KINDS = {"?": lib.DTYPE_BOOL, **dict.fromkeys("bhilqn", lib.DTYPE_INT),
         **dict.fromkeys("cBHILQN", lib.DTYPE_UINT), **dict.fromkeys("efdg", lib.DTYPE_FLOAT),
         **dict.fromkeys(("Zf", "Zd", "Zg"), lib.DTYPE_COMPLEX)}
"""The formats of the `struct` module that are element types, and what they are."""
NATIVE = "@=" + ("<" if sys.byteorder == "little" else ">")


class View:
    """A view of somebody's memory, which stays while this does."""

    __slots__ = ("_numbers", "owner", "readonly", "struct")

    def __init__(self, struct: Any, readonly: bool, owner: Any, numbers: Any = None) -> None:
        self.struct = struct
        """The library's form of it."""
        self.readonly = readonly
        self.owner = owner
        """Keeps the memory."""
        self._numbers = numbers

    @property
    def address(self) -> int:
        """Where the element at index 0 is."""
        return (self.struct.data or 0) + int(self.struct.byte_offset)


def make(address: int, shape: tuple[int, ...], strides: tuple[int, ...] | None, dtype: Any,
         readonly: bool, owner: Any) -> View:
    """A view of host memory; strides in elements, None for row-major."""
    integers = ctypes.c_int64 * len(shape)
    sizes = integers(*shape)
    steps = None if strides is None else integers(*strides)
    struct = TensorView(address if all(shape) else None, Device(lib.DL_CPU, 0), len(shape), dtype,
                        sizes, steps, 0)
    return View(struct, readonly, owner, (sizes, steps))


def view(argument: str, tensor: Any, *, write: bool = False) -> View:
    """A view of a tensor: of anything with the buffer protocol, `__dlpack__` or, where an element
    type has no name in either, `__array_interface__`.
    """
    # torch gives no capsule of a tensor that wants gradients; this is the same memory.
    if getattr(tensor, "requires_grad", False) is True and hasattr(tensor, "detach"):
        tensor = tensor.detach()
    own = getattr(tensor, "_shardspec_view", None)
    found = own if isinstance(own, View) else (
        _of_buffer(tensor) or _of_dlpack(tensor) or _of_interface(tensor))
    if found is None:
        raise TypeError(f"{argument}: {type(tensor).__name__} has neither a buffer of numbers in "
                        "this machine's byte order nor __dlpack__")
    if write and found.readonly:
        raise BufferError(f"{argument}: the memory of this {type(tensor).__name__} is read-only")
    return found


def views(names: Iterable[str], tensors: Iterable[Any], *, write: bool) -> Any:
    """Views of tensors, one after the other in an array. It keeps them, as its `kept`."""
    kept = [view(name, tensor, write=write) for name, tensor in zip(names, tensors)]
    array: Any = (TensorView * len(kept))(*(one.struct for one in kept))
    array.kept = kept
    return array


def numbered(argument: str, tensors: Sequence[Any], *, write: bool) -> tuple[Any, int]:
    """Views of tensors that are passed in their order, and how many they are."""
    names = (f"{argument}[{number}]" for number in range(len(tensors)))
    return views(names, tensors, write=write), len(tensors)


def _of_buffer(tensor: Any) -> View | None:
    """A view of what has the buffer protocol; None where that does not tell the element type."""
    try:
        memory = memoryview(tensor)
    except (TypeError, ValueError, BufferError):
        return None  # No buffer, or one of elements that it can't describe.
    kind = KINDS.get(memory.format.lstrip(NATIVE)) if memory.itemsize > 1 else KINDS.get(
        memory.format.lstrip("@=<>!"))
    if kind is None or memory.suboffsets or memory.ndim > lib.MAX_NDIM:
        return None
    shape, steps = memory.shape or (), memory.strides or ()
    if any(step % memory.itemsize for step in steps):
        return None
    address = _address(memory) if memory.nbytes else 0
    return make(address, shape, tuple(step // memory.itemsize for step in steps),
                DType(kind, 8 * memory.itemsize, 1), memory.readonly, memory)


class _Buffer(ctypes.Structure):
    """Python's `Py_buffer`."""

    _fields_ = [("buf", ctypes.c_void_p), ("obj", ctypes.c_void_p), ("len", ctypes.c_ssize_t),
                ("itemsize", ctypes.c_ssize_t), ("readonly", ctypes.c_int), ("ndim", ctypes.c_int),
                ("format", ctypes.c_void_p), ("shape", ctypes.c_void_p),
                ("strides", ctypes.c_void_p), ("suboffsets", ctypes.c_void_p),
                ("internal", ctypes.c_void_p)]


_get = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.py_object, ctypes.POINTER(_Buffer), ctypes.c_int)(
    ("PyObject_GetBuffer", ctypes.pythonapi))
_release = ctypes.PYFUNCTYPE(None, ctypes.POINTER(_Buffer))(("PyBuffer_Release", ctypes.pythonapi))
FULL_READ_ONLY = 0x11C


def _address(memory: memoryview) -> int:
    """Where a memoryview's element at index 0 is. The memoryview keeps the memory."""
    buffer = _Buffer()
    _get(memory, ctypes.byref(buffer), FULL_READ_ONLY)
    try:
        return int(buffer.buf)
    finally:
        _release(ctypes.byref(buffer))


def _of_dlpack(tensor: Any) -> View | None:
    """A view of what has `__dlpack__`."""
    if not hasattr(tensor, "__dlpack__"):
        return None
    try:
        capsule = _dlpack.capsule_of(tensor)
    except BufferError:
        if hasattr(tensor, "__array_interface__"):
            return None  # numpy, for an element type that DLPack has but numpy does not know.
        raise
    struct, flags = _dlpack.read(capsule)
    if flags is None:
        # The older form can't say that memory must not be written. jax has only that, and its
        # arrays never change.
        readonly = type(tensor).__module__.partition(".")[0] in ("jax", "jaxlib")
    else:
        readonly = bool(flags & (lib.DLPACK_READ_ONLY | lib.DLPACK_IS_COPIED))
        if flags & _dlpack.SUBBYTE_PADDED and struct.dtype.bits < 8:
            return None
    return View(struct, readonly, capsule)


def _of_interface(tensor: Any) -> View | None:
    """A view of a numpy array whose element type is from elsewhere, such as ml_dtypes' bfloat16."""
    interface = getattr(tensor, "__array_interface__", None)
    if interface is None or interface.get("mask") is not None:
        return None
    try:
        dtype = parse(str(tensor.dtype))
    except ArgumentError:
        return None
    itemsize = tensor.dtype.itemsize
    if dtype.bits * dtype.lanes != 8 * itemsize:
        return None
    address, readonly = interface["data"]
    strides = interface.get("strides")
    steps = None if strides is None else tuple(step // itemsize for step in strides)
    return make(address, interface["shape"], steps, dtype, readonly, tensor)
