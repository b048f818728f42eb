"""Tensors in host memory: the results of copies."""

from __future__ import annotations

import ctypes
import importlib
import math
import sys
from collections.abc import Iterable
from typing import Any

from . import _dlpack, _memory, _views
from ._arrays import flag, integers
from ._library import lib
from ._words import described
from .dtype import as_numpy, dtype_name, parse, struct_name

FORMATS = {
    lib.DTYPE_INT: {8: "b", 16: "h", 32: "i", 64: "q"},
    lib.DTYPE_UINT: {8: "B", 16: "H", 32: "I", 64: "Q"},
    lib.DTYPE_FLOAT: {16: "e", 32: "f", 64: "d"},
    lib.DTYPE_BOOL: {8: "?"},
}
"""The formats of memoryviews, by code and bits."""
LETTERS = {lib.DTYPE_INT: "i", lib.DTYPE_UINT: "u", lib.DTYPE_FLOAT: "f", lib.DTYPE_COMPLEX: "c",
           lib.DTYPE_BOOL: "b"}
ORDER = "<" if sys.byteorder == "little" else ">"
HOST = (lib.DLPACK_DEVICE_CPU, lib.DLPACK_DEVICE_CUDA_HOST, lib.DLPACK_DEVICE_ROCM_HOST)


class Tensor:
    """A tensor in host memory: new memory, or a view of another object's memory.

    NumPy, torch and JAX use a Tensor without a copy: `numpy.asarray(tensor)`,
    `torch.from_dlpack(tensor)`, `jax.numpy.from_dlpack(tensor)`. The memory is freed together with
    the last array that uses the memory.
    """

    __slots__ = ("__weakref__", "_shardspec_view")

    _shardspec_view: Any
    """A View, until the call is over that it is an argument of."""

    def __init__(self, view: _views.View) -> None:
        self._shardspec_view = view

    @property
    def shape(self) -> tuple[int, ...]:
        """The sizes."""
        struct = self._shardspec_view.struct
        return tuple(struct.shape[:struct.ndim]) if struct.ndim else ()

    @property
    def strides(self) -> tuple[int, ...]:
        """The strides, in elements."""
        struct = self._shardspec_view.struct
        if struct.ndim and struct.strides:
            return tuple(struct.strides[:struct.ndim])
        shape = self.shape
        return tuple(math.prod(shape[dim + 1:]) for dim in range(len(shape)))

    @property
    def dtype(self) -> str:
        """The element type's name."""
        return struct_name(self._shardspec_view.struct.dtype)

    @property
    def nbytes(self) -> int:
        """Number of bytes of all elements."""
        dtype = self._shardspec_view.struct.dtype
        return int(-(-math.prod(self.shape) * dtype.bits * dtype.lanes // 8))

    @property
    def readonly(self) -> bool:
        """True if the memory must not be written."""
        return bool(self._shardspec_view.readonly)

    @property
    def contiguous(self) -> bool:
        """True if the elements follow each other in row-major order."""
        expected = 1
        for size, stride in zip(reversed(self.shape), reversed(self.strides)):
            if size != 1:
                if stride != expected and 0 not in self.shape:
                    return False
                expected *= size
        return True

    def data_ptr(self) -> int:
        """The address of the first element."""
        return int(self._shardspec_view.address)

    def memory(self) -> memoryview:
        """The elements as a memoryview.

        Raises a BufferError for strided tensors, and for elements without a number type in Python,
        such as bfloat16.
        """
        dtype = self._shardspec_view.struct.dtype
        form = FORMATS.get(dtype.code, {}).get(dtype.bits) if dtype.lanes == 1 else None
        if form is None or not self.contiguous:
            raise BufferError(f"a tensor of {self.dtype}{'' if self.contiguous else ', strided,'} "
                              "has no memoryview: take it by DLPack")
        memory: Any = (ctypes.c_char * self.nbytes)()
        if self.nbytes:
            memory = (ctypes.c_char * self.nbytes).from_address(self.data_ptr())
            memory.owner = self._shardspec_view
        elements: Any = memoryview(memory).cast("B")
        if self.readonly:
            elements = elements.toreadonly()
        # Python has no shapes with zeros in them.
        shape = () if 0 in self.shape else (self.shape,)
        typed: memoryview = elements.cast(form, *shape)
        return typed

    def tolist(self) -> Any:
        """The elements as nested lists of numbers, for element types that `memory` supports."""
        def empty(shape: tuple[int, ...]) -> list[Any]:
            return [empty(shape[1:]) for _ in range(shape[0])] if shape else []

        elements = self.memory()
        return empty(self.shape) if 0 in self.shape else elements.tolist()

    def __buffer__(self, flags: int) -> memoryview:
        """Python's way in, from 3.12 on."""
        if self._shardspec_view.kind is not None:
            raise BufferError(f"a buffer can't say what {self._shardspec_view.kind} is")
        if 0 in self.shape and len(self.shape) > 1:
            raise BufferError(f"a memoryview can't have the shape {self.shape}")
        return self.memory()

    @property
    def __array_interface__(self) -> dict[str, Any]:
        """numpy's way in, strides and all."""
        view = self._shardspec_view
        dtype = view.struct.dtype
        letter = LETTERS.get(dtype.code) if dtype.lanes == 1 and dtype.bits % 8 == 0 else None
        if letter is None or view.kind is not None:
            raise AttributeError(f"numpy's name of {self.dtype} is not enough: see __array__")
        return self._interface(f"{ORDER}{letter}{dtype.bits // 8}", dtype.bits // 8)

    def _interface(self, typestr: str, itemsize: int) -> dict[str, Any]:
        # numpy takes no NULL, also where there is nothing to point to.
        address = self.data_ptr() or _memory.ALIGNMENT
        return {"version": 3, "shape": self.shape, "typestr": typestr,
                "data": (address, self.readonly),
                "strides": tuple(stride * itemsize for stride in self.strides)}

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        """numpy's way in for elements whose type numpy has from elsewhere, or of which the library
        knows no more than how many bytes they have. TypeError where numpy has no such type."""
        import numpy

        kind = self._numpy_dtype(numpy)
        wanted = kind if dtype is None else as_numpy("dtype", dtype)
        # numpy knows the bytes by this name whatever they mean, and views them as what they are.
        array = numpy.asarray(_Bytes(self, self._interface(f"|V{kind.itemsize}", kind.itemsize)))
        array = array.view(kind)
        if wanted != kind:
            if copy is False:
                raise ValueError(f"copy: a tensor of {kind} can't be taken as {wanted} without a copy")
            return array.astype(wanted)
        return array.copy() if copy is not None and flag("copy", copy) else array

    def _numpy_dtype(self, numpy: Any) -> Any:
        """The dtype that numpy has for the elements."""
        view = self._shardspec_view
        dtype = view.struct.dtype
        if view.kind is not None:
            return view.kind
        if dtype.lanes == 1 and dtype.bits % 8 == 0 and dtype.code in LETTERS:
            return numpy.dtype(f"{ORDER}{LETTERS[dtype.code]}{dtype.bits // 8}")
        if (dtype.code, dtype.bits) == (lib.DTYPE_UINT, 8):
            return numpy.dtype(f"V{dtype.lanes}")
        try:
            # By its name, for it is no package that this one asks for, nor its hints are.
            kind = numpy.dtype(getattr(importlib.import_module("ml_dtypes"), self.dtype))
        except (ImportError, AttributeError):
            pass
        else:
            if 8 * kind.itemsize == dtype.bits * dtype.lanes:
                return kind
        raise TypeError(f"numpy has no {self.dtype}: take the tensor with torch.from_dlpack or "
                        "jax.numpy.from_dlpack, install ml_dtypes where that has it, or pass a "
                        "place of your own")

    def __dlpack_device__(self) -> tuple[int, int]:
        """Where it is, as DLPack says it: in host memory."""
        device = self._shardspec_view.struct.device
        return device.device_type, device.device_id

    def __dlpack__(self, *, stream: Any = None, max_version: tuple[int, int] | None = None,
                   dl_device: tuple[int, int] | None = None, copy: bool | None = None) -> Any:
        """The tensor in a DLPack capsule: the versioned form where the taker knows it."""
        if stream is not None:
            raise BufferError(f"stream: {described(stream)}, but host memory has none")
        device = self.__dlpack_device__()
        if dl_device is not None and _two("dl_device", dl_device) != device:
            raise BufferError(f"dl_device: the tensor is in host memory, which is {device}")
        versioned = max_version is not None and _two("max_version", max_version) >= (_dlpack.VERSION[0], 0)
        view = self._shardspec_view
        copy = copy is not None and flag("copy", copy)
        if copy:
            from .copies import copied  # It makes tensors, and so imports this module.

            view = copied(self)._shardspec_view
        elif view.readonly and not versioned:
            raise BufferError("the memory is read-only, which only DLPack 1.0 can say: "
                              "pass max_version=(1, 0), or copy=True")
        return _dlpack.lend(view, readonly=view.readonly, copied=copy, versioned=versioned)

    def __copy__(self) -> Tensor:
        return Tensor(self._shardspec_view)

    def __reduce__(self) -> tuple[Any, ...]:
        # Its bytes: what it is in another process, and in a deep copy, is memory of its own.
        from .copies import copied  # It makes tensors, and so imports this module.

        whole = self if self.contiguous else copied(self)
        elements = ctypes.string_at(whole.data_ptr(), whole.nbytes) if whole.nbytes else b""
        return _again, (self.shape, self.dtype, elements, self._shardspec_view.kind)

    def __repr__(self) -> str:
        if isinstance(self._shardspec_view, _views.Ended):
            return "<Tensor of a call that has ended>"
        return f"<Tensor {self.dtype} {list(self.shape)}>"

    def _end(self) -> None:
        """After the call that it was an argument of. Views made of it before are unknown."""
        self._shardspec_view = _views.Ended()


def _two(argument: str, values: Any) -> tuple[int, ...]:
    """Two numbers, as DLPack says a version and a device."""
    found = tuple(integers(argument, values))
    if len(found) != 2:
        raise TypeError(f"{argument}: two integers, not {len(found)}")
    return found


class _Bytes:
    """A tensor for numpy, under another name of its elements. It keeps the memory."""

    def __init__(self, tensor: Tensor, interface: dict[str, Any]) -> None:
        self.tensor, self.__array_interface__ = tensor, interface


def _again(shape: tuple[int, ...], dtype: str, elements: bytes, kind: Any) -> Tensor:
    """A tensor with elements that were pickled."""
    made = new(shape, parse(dtype), kind)
    if len(elements) != made.nbytes:
        raise ValueError(f"{len(elements)} bytes for a tensor of {made.nbytes}")
    if elements:
        ctypes.memmove(made.data_ptr(), elements, len(elements))
    return made


def empty(shape: Iterable[int], dtype: Any) -> Tensor:
    """Returns a new row-major tensor of zeros."""
    sizes = tuple(integers("shape", shape))
    for dim, size in enumerate(sizes):
        if size < 0:
            raise lib.refused("INVALID_ARGUMENT", f"shape: {size} in dimension {dim} is negative",
                              dim=dim, got=size)
    return new(sizes, parse(dtype_name(dtype)))


def new(shape: tuple[int, ...], dtype: Any, kind: Any = None) -> Tensor:
    """The same for an element type of the library's, and what numpy calls it where that is more."""
    nbytes = -(-math.prod(shape) * dtype.bits * dtype.lanes // 8)
    if nbytes > sys.maxsize:
        raise lib.refused("OVERFLOW", f"shape: the bytes of {list(shape)} {struct_name(dtype)} do not fit into a "
                          "signed 64-bit integer")
    _dlpack.take_back_what_nobody_took()
    try:
        address, memory = _memory.allocate(nbytes)
    except (OSError, MemoryError):
        raise lib.refused("OUT_OF_MEMORY", f"shape: there is no memory for the {nbytes} bytes of {list(shape)} "
                          f"{struct_name(dtype)}") from None
    return Tensor(_views.make(address, shape, None, dtype, False, memory, kind))


def as_tensor(tensor: Any) -> Tensor:
    """Returns a Tensor that uses the memory of `tensor`.

    >>> as_tensor(bytearray(3))
    <Tensor uint8 [3]>
    """
    return on_host("tensor", tensor)


def on_host(argument: str, tensor: Any) -> Tensor:
    """The same of an argument with that name."""
    if isinstance(tensor, Tensor):
        return tensor
    view = _views.view(argument, tensor)
    if view.struct.device.device_type not in HOST:
        raise lib.refused("UNSUPPORTED_DEVICE", f"{argument}: it is not in host memory; copy it there",
                          got=view.struct.device.device_type)
    return Tensor(view)
