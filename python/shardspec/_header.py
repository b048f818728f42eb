"""What the C header declares: its constants, and its types and functions as ctypes sees them.

`shardspec.json`, which the library's build writes, is the one description of the binary interface.
Nothing of it is repeated here, so what a later version declares can be called without a change to this
package.
"""

from __future__ import annotations

import ctypes
import re
from typing import Any, NamedTuple

SCALARS: dict[str, Any] = {
    "void": None, "char": ctypes.c_char, "size_t": ctypes.c_size_t, "double": ctypes.c_double,
    **{f"{sign}int{bits}_t": getattr(ctypes, f"c_{sign}int{bits}")
       for sign in ("", "u") for bits in (8, 16, 32, 64)},
}
PREFIX = "shardspec_"
# A type as the description writes it: `const char *const *`, `char [968]`.
TYPE = re.compile(r"(const )?(\w+)((?: ?(?:\*|const))*)(?: ?\[(\w+)\])?")


class Function(NamedTuple):
    """A function's ctypes signature, and what is declared about its arguments."""

    restype: Any
    argtypes: list[Any]
    names: list[str]
    handles: list[str | None]
    """The names of the types of arguments that are handles."""
    nullable: list[bool]


class Header:
    """The declarations of a description by their names, without the prefix that all of them have.

    Types are made when they are first asked for, so reading the description costs little.
    """

    def __init__(self, description: dict[str, Any]) -> None:
        items = [item for section in description["sections"] for item in section["items"]]
        self.constants = {_short(item["name"]): item["value"] for item in items
                          if item["kind"] == "constant"}
        self._functions = {_short(item["name"]): item for item in items
                           if item["kind"] == "function"}
        self._types = {_short(item["name"]): item for item in items
                       if item["kind"] in ("alias", "callback", "handle", "struct")}
        self._made: dict[str, Any] = {}

    @property
    def functions(self) -> list[str]:
        """Names of all functions, in the header's order."""
        return list(self._functions)

    @property
    def structs(self) -> list[str]:
        """Names of all structs that have fields, in the header's order."""
        return [name for name, item in self._types.items() if item["kind"] == "struct"]

    def function(self, name: str) -> Function:
        """The signature of a function."""
        item = self._functions[name]
        parameters = item["parameters"]
        return Function(self.named(item["result"]),
                        [self.named(parameter["type"]) for parameter in parameters],
                        [parameter["name"] for parameter in parameters],
                        [_handle(parameter) for parameter in parameters],
                        [parameter.get("null") == "allowed" for parameter in parameters])

    def type(self, name: str) -> Any:
        """What a name stands for: a struct's class, a callback's type, or a scalar.

        `Opaque` for the types behind handles, of which only pointers exist.
        """
        if name not in self._made:
            item = self._types[name]
            if item["kind"] == "struct":
                self._make_struct(name, item)
            elif item["kind"] == "handle":
                self._made[name] = Opaque
            elif item["kind"] == "alias":
                self._made[name] = self.named(item["type"])
            else:
                kinds = [self.named(parameter["type"]) for parameter in item["parameters"]]
                self._made[name] = ctypes.CFUNCTYPE(self.named(item["result"]), *kinds)
        return self._made[name]

    def _make_struct(self, name: str, item: dict[str, Any]) -> None:
        struct: Any = type(PREFIX + name, (ctypes.Structure,), {})
        # Known before its fields are, which may point to it.
        self._made[name] = struct
        struct._fields_ = [(field["name"], self.named(field["type"])) for field in item["fields"]]

    def named(self, text: str) -> Any:
        """The ctypes type that a type of C is."""
        found = TYPE.fullmatch(text)
        if found is None:
            raise SyntaxError(f"'{text}' is no type that this package knows")
        constant, name, stars, length = found.groups()
        base = SCALARS[name] if name in SCALARS else self.type(_short(name))
        base = pointers(base, stars.count("*"), constant is not None)
        if length is None:
            return base
        return base * (int(length) if length.isdecimal() else self.constants[_short(length)])


class Opaque(ctypes.Structure):
    """What a handle names. A pointer to it is a number, which ctypes calls a void pointer."""


def pointers(base: Any, stars: int, constant: bool) -> Any:
    """`base` behind that many pointers.

    A handle or a `void *` is a number. A text that is read is bytes; one that is written is the
    address of a buffer.
    """
    if stars and (base is Opaque or base is None):
        base, stars = ctypes.c_void_p, stars - 1
    elif stars and base is ctypes.c_char:
        base, stars = (ctypes.c_char_p if constant else ctypes.c_void_p), stars - 1
    for _ in range(stars):
        base = ctypes.POINTER(base)
    return base


def _handle(parameter: dict[str, Any]) -> str | None:
    """The name of the type of a handle that is passed, of other parameters None."""
    if parameter.get("kind") != "handle":
        return None
    return _short(str(parameter["type"]).removeprefix("const ").rstrip(" *"))


def _short(name: str) -> str:
    return name.removeprefix(PREFIX).removeprefix(PREFIX.upper())
