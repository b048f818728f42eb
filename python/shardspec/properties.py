"""The properties of a tensor besides its sizes."""

from __future__ import annotations

import ctypes
import enum
from dataclasses import dataclass, fields
from typing import Any

from ._arrays import flag, spelled
from ._library import lib
from ._words import described
from .dtype import DType, dtype_name, is_numpy, of_numpy, parse, struct_name

Struct = lib.header.type("tensor_properties")


def named(prefix: str) -> dict[str, int]:
    return {name.removeprefix(prefix).lower(): value
            for name, value in lib.header.constants.items() if name.startswith(prefix)}


# torch spells two layouts and two memory formats otherwise than the constants do.
LAYOUTS = {{"mkldnn": "_mkldnn"}.get(name, name): value
           for name, value in named("LAYOUT_").items()}
MEMORY_FORMATS = {f"{name}_format" if name in ("contiguous", "preserve") else name: value
                  for name, value in named("MEMORY_FORMAT_").items()}


class MEM_FORMAT_ENCODING(enum.Enum):
    """The memory formats with the numbers in torch's pickles. These numbers differ from the numbers
    of the C header."""

    TORCH_CONTIGUOUS_FORMAT = 0
    TORCH_CHANNELS_LAST = 1
    TORCH_PRESERVE_FORMAT = 2


@dataclass
class TensorProperties:
    """Properties of a tensor. The defaults are torch's.

    Only the element type has an effect: data of another type is refused. With None, data of any
    type may be moved. Element types, layouts and memory formats are texts ("float32", "strided",
    "contiguous_format"). The constructor also accepts torch's objects.
    """

    dtype: str | None = "float32"
    layout: str = "strided"
    requires_grad: bool = False
    memory_format: str = "contiguous_format"
    pin_memory: bool = False

    def __post_init__(self) -> None:
        self.dtype = None if self.dtype is None else dtype_name(self.dtype)
        if isinstance(self.memory_format, MEM_FORMAT_ENCODING):
            self.memory_format = self.memory_format.name.removeprefix("TORCH_").lower()
        self.layout = _known("layout", self.layout, LAYOUTS)
        self.memory_format = _known("memory_format", self.memory_format, MEMORY_FORMATS)
        self.requires_grad = flag("requires_grad", self.requires_grad)
        self.pin_memory = flag("pin_memory", self.pin_memory)

    @staticmethod
    def create_from_tensor(tensor: Any) -> TensorProperties:
        """Returns the properties of a Tensor, or of an array of torch, numpy or jax."""
        return properties_of("tensor", tensor)

    def _struct(self) -> Any:
        """The library's form of it."""
        dtype = DType() if self.dtype is None else parse(self.dtype)
        return Struct(ctypes.sizeof(Struct), dtype, LAYOUTS[self.layout],
                      MEMORY_FORMATS[self.memory_format], flag("requires_grad", self.requires_grad),
                      flag("pin_memory", self.pin_memory), 0)

    @staticmethod
    def _from_struct(struct: Any) -> TensorProperties:
        def name(names: dict[str, int], value: int) -> str:
            return next(known for known, number in names.items() if number == value)

        return TensorProperties(
            struct_name(struct.dtype) if struct.dtype.bits else None,
            name(LAYOUTS, struct.layout), bool(struct.requires_grad),
            name(MEMORY_FORMATS, struct.memory_format), bool(struct.pin_memory))


def properties_of(argument: str, tensor: Any) -> TensorProperties:
    """The properties of a tensor that is called `argument`."""
    pinned = getattr(tensor, "is_pinned", None)
    if not hasattr(tensor, "dtype"):
        raise TypeError(f"{argument}: a tensor or array, which has a dtype, not {described(tensor)}")
    dtype = tensor.dtype
    if is_numpy(dtype) and hasattr(tensor, "__array_interface__"):
        dtype = struct_name(of_numpy(argument, dtype)[0])  # What its elements are moved as.
    return TensorProperties(
        dtype=dtype, layout=getattr(tensor, "layout", "strided"),
        requires_grad=flag(f"{argument}.requires_grad", getattr(tensor, "requires_grad", False)),
        pin_memory=flag(f"{argument}.is_pinned()", pinned()) if callable(pinned) else False)


def stated_struct(argument: str, properties: Any) -> Any:
    """Properties as the library takes them, torch's own too; none, where nothing is stated."""
    if properties is None:
        return None
    if not isinstance(properties, TensorProperties):
        names = [field.name for field in fields(TensorProperties)]
        if not all(hasattr(properties, name) for name in names):
            raise TypeError(f"{argument}: TensorProperties, not {described(properties)}")
        properties = TensorProperties(**{name: getattr(properties, name) for name in names})
    return ctypes.byref(properties._struct())


def _known(argument: str, value: Any, names: dict[str, int]) -> str:
    name = spelled(argument, value).removeprefix("torch.")
    if name not in names:
        raise lib.refused("INVALID_ARGUMENT",
                          f"{argument}: {name!r} is none of {', '.join(map(repr, names))}")
    return name
