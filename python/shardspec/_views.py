"""Other people's memory as the library sees it, without a copy."""

from __future__ import annotations

import array
import contextlib
import ctypes
import mmap
import re
import sys
from collections.abc import Callable, Iterable
from typing import Any

from . import _dlpack
from ._arrays import integers, listed, within
from ._extension import native
from ._library import lib
from ._words import described
from .dtype import DType, is_numpy, of_numpy, opaque, parse, struct_name, too_wide
from .errors import ArgumentError

TensorView = lib.header.type("tensor_view")
Device = lib.header.type("device")
CPU = Device(lib.DLPACK_DEVICE_CPU, 0)

KINDS = {"?": lib.DTYPE_BOOL, **dict.fromkeys("bhilqn", lib.DTYPE_INT),
         **dict.fromkeys("cBHILQN", lib.DTYPE_UINT), **dict.fromkeys("efdg", lib.DTYPE_FLOAT),
         **dict.fromkeys(("Zf", "Zd", "Zg"), lib.DTYPE_COMPLEX)}
"""The formats of the `struct` module that are element types, and what they are."""
INTEGERS = [ctypes.c_int64 * ndim for ndim in range(lib.MAX_NDIM + 1)]
NATIVE = "@=" + ("<" if sys.byteorder == "little" else ">")
PLAIN = re.compile(r"(Z[fdg]|[T{}()\[\],\s\d@=<>!^?cbBhHiIlLqQnNefdgsxw])+")
"""Formats, the names in them left out, of bytes that mean the same wherever they are moved."""


class View:
    """A view of an object's memory, which stays while this does."""

    __slots__ = ("kind", "owner", "readonly", "struct")

    def __init__(self, struct: Any, readonly: bool, owner: Any, numbers: Any = None,
                 kind: Any = None) -> None:
        self.struct = struct
        """The library's form of it. It keeps the memory, as its `kept`."""
        struct.kept = owner, numbers
        self.readonly = readonly
        self.owner = owner
        self.kind = kind
        """numpy's dtype of elements of which the library only knows how many bytes they have."""

    @property
    def address(self) -> int:
        """Where the element at index 0 is."""
        return (self.struct.data or 0) + int(self.struct.byte_offset)

    @property
    def kinds(self) -> tuple[Any, ...]:
        """Its kind, if there is one."""
        return () if self.kind is None else (self.kind,)

    @property
    def type(self) -> tuple[Any, Any]:
        """The type of new tensors of the same elements."""
        return self.struct.dtype, self.kind


class Ended:
    """In the place of a view whose memory was there during a call only."""

    @property
    def struct(self) -> Any:
        raise lib.refused("INVALID_HANDLE", "tensor: it was there during the call only that it was an argument of")

    readonly = kind = owner = address = struct


class Views:
    """Views of several tensors, one after the other in an array."""

    __slots__ = ("_kinds", "array", "readonly")

    def __init__(self, array: Any) -> None:
        self.array = array
        """The array, as the library takes it. It keeps the memory, as its `kept`."""
        self._kinds: dict[int, Any] = {}
        self.readonly: list[int] = []
        """Numbers of the views whose memory is read-only."""

    def __len__(self) -> int:
        return len(self.array)

    @property
    def kinds(self) -> list[Any]:
        """The kinds of those that have one."""
        return list(self._kinds.values())

    @property
    def type(self) -> tuple[Any, Any]:
        """The type of new tensors of the same elements as the first."""
        if not len(self):
            raise lib.refused("INVALID_ARGUMENT", "shards: there are none that tell the element type; "
                              "pass the place")
        return self.array[0].dtype, self._kinds.get(0)


def make(address: int, shape: tuple[int, ...], strides: tuple[int, ...] | None, dtype: Any,
         readonly: bool, owner: Any, kind: Any = None) -> View:
    """A view of host memory; strides in elements, None for row-major."""
    integers = INTEGERS[len(shape)]
    sizes = integers(*shape)
    steps = None if strides is None else integers(*strides)
    struct = TensorView(address if 0 not in shape else None, CPU, len(shape), dtype, sizes, steps, 0)
    return View(struct, readonly, owner, (sizes, steps), kind)


def view(argument: str, tensor: Any, *, write: bool = False) -> View:
    """A view of a tensor: of anything with the buffer protocol, `__dlpack__` or, where an element
    type has no name in either, `__array_interface__`.
    """
    if native is not None:
        struct = TensorView()
        found = native.one(struct, tensor)
        if found is not None and not (write and found[1]):
            return View(struct, found[1], found[0])
    return _view(argument, tensor, write)


def _view(argument: str, tensor: Any, write: bool) -> View:
    """The same without the module in C, and for what that leaves to Python."""
    own = getattr(tensor, "_shardspec_view", None)
    if isinstance(own, (View, Ended)):
        found: Any = own
    else:
        numpy = sys.modules.get("numpy")
        if numpy is None or type(tensor) is not numpy.ndarray:
            tensor = _all_that_it_is(argument, tensor, numpy)
        found = (_of_buffer(argument, tensor) or _of_numpy(argument, tensor)
                 or _of_dlpack(argument, tensor) or _of_interface(argument, tensor))
    if found is None:
        raise TypeError(f"{argument}: {described(tensor)} has neither a buffer of numbers, nor "
                        "__dlpack__")
    if write and found.readonly:
        raise BufferError(f"{argument}: the memory of this {type(tensor).__name__} is read-only")
    return found  # type: ignore[no-any-return]


def views(name: Callable[[int], str], tensors: Iterable[Any], *, write: bool) -> Views:
    """Views of tensors. `name` says what a tensor is called, by its number."""
    given = tuple(tensors)
    found = Views((TensorView * len(given))())

    def by_python(number: int) -> View:
        one = _view(name(number), given[number], write)
        if one.kind is not None:
            found._kinds[number] = one.kind
        if one.readonly:
            found.readonly.append(number)
        return one

    if native is not None:
        found.array.kept = native.many(found.array, given, write, by_python, found.readonly)
        return found
    found.array.kept = kept = [by_python(number) for number in range(len(given))]
    for number, one in enumerate(kept):
        found.array[number] = one.struct
    return found


def numbered(argument: str, tensors: Iterable[Any], *, write: bool) -> tuple[Views, int]:
    """Views of tensors that are passed in their order, and how many they are."""
    given = listed(argument, tensors, "tensors")
    return views(lambda number: f"{argument}[{number}]", given, write=write), len(given)


def alike(*groups: tuple[str, View | Views | None]) -> None:
    """Refuses to move elements into others of which only the number of bytes is the same."""
    first, of = None, ""
    for argument, group in groups:
        for kind in () if group is None else group.kinds:
            if first is not None and kind != first:
                raise lib.refused("DTYPE_MISMATCH", f"{argument}: elements of {kind}, but those of "
                                  f"{of} are {first}")
            first, of = kind, argument


def _classify(kind: type) -> int:
    """How the module in C views objects of a type. A subclass may be anything."""
    numpy, torch, own = map(sys.modules.get, ("numpy", "torch", f"{__package__}.tensor"))
    if numpy is not None and kind is numpy.ndarray:
        return int(native.KIND_ARRAY)
    if kind in (bytes, bytearray, memoryview, array.array, mmap.mmap):
        return int(native.KIND_BUFFER)
    if kind is getattr(own, "Tensor", None):
        return int(native.KIND_TENSOR)
    # torch 2.10 and later have C functions for it.
    if torch is not None and kind in (torch.Tensor, torch.nn.Parameter) and hasattr(
            kind, "__dlpack_c_exchange_api__"):
        return int(native.KIND_EXCHANGE)
    return int(native.KIND_OTHER)


if native is not None:
    native.setup(_classify)


def _all_that_it_is(argument: str, tensor: Any, numpy: Any) -> Any:
    """What has the memory of a tensor, if that says all about its elements."""
    # torch gives no capsule of a tensor that requires gradients; this is the same memory.
    if getattr(tensor, "requires_grad", False) is True and hasattr(tensor, "detach"):
        tensor = tensor.detach()
    masked = sys.modules.get("numpy.ma")
    if masked is not None and isinstance(tensor, masked.MaskedArray):
        raise TypeError(f"{argument}: a masked array, whose mask would be lost; pass its filled(), "
                        "or its data and its mask")
    if hasattr(tensor, "to_local") and hasattr(tensor, "device_mesh"):
        raise TypeError(f"{argument}: a {type(tensor).__name__}; pass its to_local()")
    for bit, name in (("is_conj", "conj"), ("is_neg", "neg")):
        ask = getattr(tensor, bit, None)
        if callable(ask) and ask() is True:
            raise BufferError(f"{argument}: the {name} bit of this {type(tensor).__name__} is set, "
                              "so that its memory holds other numbers than it shows; pass its "
                              f"resolve_{name}()")
    if numpy is not None and isinstance(tensor, numpy.generic):
        # A scalar has memory of its own: what it lends is gone at once, or has another shape.
        tensor = numpy.array(tensor)
        tensor.flags.writeable = False
    return tensor


def _of_buffer(argument: str, tensor: Any) -> View | None:
    """A view of what has the buffer protocol; None where that does not tell the element type."""
    try:
        memory = memoryview(tensor)
    except (TypeError, ValueError, BufferError):
        return None  # No buffer, or one of elements that it can't describe.
    if memory.suboffsets or memory.ndim > lib.MAX_NDIM:
        return None
    itemsize, kind = memory.itemsize, None
    code = KINDS.get(memory.format)
    if code is None:
        code = KINDS.get(memory.format.lstrip(NATIVE if itemsize > 1 else "@=<>!"))
    if code is None:
        if _of_numpy_dtype(tensor) or not PLAIN.fullmatch(re.sub(r":[^:]*:", "", memory.format)):
            return None
        dtype = opaque(argument, repr(memory.format), itemsize)
        numpy = sys.modules.get("numpy")
        kind = None if numpy is None else numpy.asarray(memory).dtype
    elif 8 * itemsize > 255:
        raise TypeError(too_wide(argument, f"complex{8 * itemsize}", itemsize))
    else:
        dtype = DType(code, 8 * itemsize, 1)
    shape = memory.shape or ()
    steps = None if memory.c_contiguous else _in_elements(argument, tensor, shape, memory.strides or (),
                                                          itemsize)
    address = _address(memory) if memory.nbytes else 0
    return make(address, shape, steps, dtype, memory.readonly, memory, kind)


def _in_elements(argument: str, tensor: Any, shape: tuple[int, ...], strides: tuple[int, ...],
                 itemsize: int) -> tuple[int, ...]:
    """Strides in elements. Where bytes lie between elements that make up no whole ones, there are
    none: so it is with a field of packed records."""
    steps = []
    for dim, (size, stride) in enumerate(zip(shape, strides)):
        used = size > 1 and 0 not in shape
        if used and stride % itemsize:
            raise BufferError(
                f"{argument}: {stride} bytes from one element to the next in dimension {dim} are "
                f"no multiple of {itemsize}, an element's, so this {type(tensor).__name__} can't be "
                "used in place; pass the whole records, or a contiguous array")
        steps.append(stride // itemsize if used or stride % itemsize == 0 else 0)
    return tuple(steps)


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
    if memory.c_contiguous and not memory.readonly:
        return ctypes.addressof(ctypes.c_char.from_buffer(memory))
    buffer = _Buffer()
    _get(memory, ctypes.byref(buffer), FULL_READ_ONLY)
    try:
        return int(buffer.buf)
    finally:
        _release(ctypes.byref(buffer))


def _of_numpy_dtype(tensor: Any) -> bool:
    return is_numpy(getattr(tensor, "dtype", None)) and hasattr(tensor, "__array_interface__")


def _of_numpy(argument: str, tensor: Any) -> View | None:
    """A view of a numpy array whose element type a buffer does not tell: that of another package,
    such as ml_dtypes' bfloat16, or one of which the library knows only how many bytes it has.
    """
    if not _of_numpy_dtype(tensor):
        return None
    dtype, bare = of_numpy(argument, tensor.dtype)
    return _from_interface(argument, tensor, tensor.__array_interface__, dtype,
                           tensor.dtype.itemsize, tensor.dtype if bare else None)


def _from_interface(argument: str, tensor: Any, interface: Any, dtype: Any, itemsize: int,
                    kind: Any) -> View | None:
    """A view of what has `__array_interface__`, with its elements known."""
    def listed_as(name: str) -> tuple[int, ...]:
        return tuple(integers(f"{argument}.__array_interface__[{name!r}]", interface.get(name)))

    data, shape, strides = interface.get("data"), listed_as("shape"), interface.get("strides")
    if interface.get("mask") is not None:
        raise TypeError(f"{argument}: {described(tensor)} with a mask, which would be lost; pass "
                        "its data and its mask")
    if not isinstance(data, tuple) or len(data) != 2 or len(shape) > lib.MAX_NDIM:
        return None
    refuse_negative(argument, shape)
    steps = None
    if strides is not None:
        in_bytes = listed_as("strides")
        if len(in_bytes) != len(shape):
            raise TypeError(f"{argument}.__array_interface__['strides']: {len(in_bytes)} numbers for {len(shape)} "
                            "dimensions")
        steps = _in_elements(argument, tensor, shape, in_bytes, itemsize)
    address = within(f"{argument}.__array_interface__['data']", data[0], (1 << 64) - 1)
    return make(address, shape, steps, dtype, bool(data[1]), tensor, kind)


def refuse_negative(argument: str, shape: tuple[int, ...]) -> None:
    """Refuses a shape that the library would refuse, before anything else uses it."""
    if shape and min(shape) < 0:
        raise lib.refused("INVALID_ARGUMENT", f"{argument}: its shape holds the negative size {min(shape)}")


def _of_interface(argument: str, tensor: Any) -> View | None:
    """A view of what has no more than `__array_interface__`."""
    interface = getattr(tensor, "__array_interface__", None)
    written = re.fullmatch(rf"[|{NATIVE[-1]}]([iufcb])(\d+)",
                           str(interface.get("typestr")) if isinstance(interface, dict) else "")
    if written is None:
        return None
    names = {"i": "int", "u": "uint", "f": "float", "c": "complex", "b": "bool"}
    itemsize = int(written[2])
    try:
        dtype = parse(names[written[1]] + (str(8 * itemsize) if written[1] != "b" else ""))
    except ArgumentError:
        return None
    return _from_interface(argument, tensor, interface, dtype, itemsize, None)


def _of_dlpack(argument: str, tensor: Any) -> View | None:
    """A view of what has `__dlpack__`."""
    if not hasattr(tensor, "__dlpack__"):
        return None
    # A capsule of torch's follows the tensor to other memory (`tensor.data = other`).
    storage, torch = None, sys.modules.get("torch")
    if torch is not None and isinstance(tensor, torch.Tensor):
        with contextlib.suppress(Exception):  # It is called otherwise before torch 2.
            storage = getattr(tensor, "untyped_storage", tensor.storage)()
    capsule = _dlpack.capsule_of(tensor)
    try:
        taken = _dlpack.Taken(capsule)
    except BufferError as error:
        raise BufferError(f"{argument}: {error}") from None
    struct, flags = taken.tensor, taken.flags
    if not 0 <= struct.ndim <= lib.MAX_NDIM or (struct.ndim and not struct.shape):
        raise BufferError(f"{argument}: the capsule of this {type(tensor).__name__} holds {struct.ndim} "
                          f"dimensions{'' if struct.shape else ', but no shape'}; it may have 0 to {lib.MAX_NDIM}")
    shape = tuple(struct.shape[:struct.ndim]) if struct.ndim else ()
    refuse_negative(argument, shape)
    if not struct.dtype.bits or not struct.dtype.lanes:
        raise TypeError(f"{argument}: the capsule of this {type(tensor).__name__} holds elements of no bits")
    if flags is None:
        # The older form can't say that memory must not be written. jax has only that, and its arrays never change.
        readonly = type(tensor).__module__.partition(".")[0] in ("jax", "jaxlib")
    else:
        readonly = bool(flags & (lib.DLPACK_FLAG_READ_ONLY | lib.DLPACK_FLAG_IS_COPIED))
        if flags & _dlpack.SUBBYTE_PADDED and struct.dtype.bits < 8:
            raise TypeError(f"{argument}: elements of {struct_name(struct.dtype)} that have a byte "
                            "each; pack them, or pass the bytes as uint8")
    if not struct.data and all(shape):
        raise BufferError(f"{argument}: a {type(tensor).__name__} that has no memory")
    # The shape of a capsule of torch's is the tensor's, which may change.
    sizes = INTEGERS[len(shape)](*shape)
    steps = INTEGERS[len(shape)](*struct.strides[:len(shape)]) if shape and struct.strides else None
    own = TensorView(struct.data, struct.device, len(shape), struct.dtype, sizes, steps, struct.byte_offset)
    return View(own, readonly, (taken, storage), (sizes, steps))
