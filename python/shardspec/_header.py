"""The C header, read: its constants, and its types and functions as ctypes sees them.

The header is the one description of the binary interface. Nothing of it is repeated here, so what a
later version declares can be called without a change to this package.
"""

from __future__ import annotations

import ctypes
import re
from typing import Any, NamedTuple

SCALARS: dict[str, Any] = {
    "void": None, "char": ctypes.c_char, "int": ctypes.c_int, "size_t": ctypes.c_size_t,
    "float": ctypes.c_float, "double": ctypes.c_double,
    **{f"{sign}int{bits}_t": getattr(ctypes, f"c_{sign}int{bits}")
       for sign in ("", "u") for bits in (8, 16, 32, 64)},
}
QUALIFIERS = {"const", "struct", "union", "volatile", "typedef"}
PREFIX = "shardspec_"


class Function(NamedTuple):
    """A function's ctypes signature, and the names of its arguments."""

    restype: Any
    argtypes: list[Any]
    names: list[str]


class Header:
    """The declarations of a header by their names, without the prefix that all of them have.

    Types are made when they are first asked for, so reading the header costs little.
    """

    def __init__(self, text: str) -> None:
        self.constants = {
            name: int(value, 0)
            for name, value in re.findall(r"^#define SHARDSPEC_(\w+) (-?\w+)$", text, re.M)
            if re.fullmatch(r"-?(0[xX][0-9a-fA-F]+|\d+)", value)
        }
        code = re.sub(r"/\*.*?\*/", " ", text, flags=re.S)
        code = re.sub(r"^\s*#.*$|extern \"C\" \{", "", code, flags=re.M)
        self._functions: dict[str, list[str]] = {}
        self._types: dict[str, list[str]] = {}
        self._made: dict[str, Any] = {}
        for statement in statements(re.findall(r"\w+|\S", code)):
            self._index(statement)

    def _index(self, statement: list[str]) -> None:
        """Files a statement under the name that it declares."""
        if statement[0] != "typedef":
            self._functions[_short(statement[statement.index("(") - 1])] = statement
        elif "{" in statement:
            self._types[_short(statement[-1])] = statement
        elif "(" in statement:
            self._types[_short(statement[statement.index("*") + 1])] = statement
        else:
            # The forward declaration of a struct whose fields come later says nothing more.
            self._types.setdefault(_short(statement[-1]), statement)

    @property
    def functions(self) -> list[str]:
        """Names of all functions, in the header's order."""
        return list(self._functions)

    @property
    def structs(self) -> list[str]:
        """Names of all structs that have fields, in the header's order."""
        return [name for name, statement in self._types.items() if "{" in statement]

    def function(self, name: str) -> Function:
        """The signature of a function."""
        function: Function = Parser(self, self._functions[name]).declaration()[1]
        return function

    def type(self, name: str) -> Any:
        """What a name stands for: a struct's class, a callback's type, or a scalar.

        `Opaque` for the types behind handles, of which only pointers exist.
        """
        if name not in self._made:
            statement = self._types[name]
            if "{" in statement:
                self._make_struct(name, statement)
            elif statement[1] == "struct" and "(" not in statement:
                self._made[name] = Opaque
            else:
                self._made[name] = Parser(self, statement).declaration()[1]
        return self._made[name]

    def _make_struct(self, name: str, statement: list[str]) -> None:
        base = ctypes.Union if statement[1] == "union" else ctypes.Structure
        struct: Any = type(PREFIX + name, (base,), {})
        # Known before its fields are, which may point to it.
        self._made[name] = struct
        start, end = statement.index("{") + 1, len(statement) - 1 - statement[::-1].index("}")
        body = statements(statement[start:end])
        struct._fields_ = [Parser(self, field).declaration() for field in body]


class Opaque(ctypes.Structure):
    """What a handle names. A pointer to it is a number, which ctypes calls a void pointer."""


class Parser:
    """Reads one declaration, as far as this header's C goes."""

    def __init__(self, header: Header, tokens: list[str]) -> None:
        self.header = header
        self.tokens = tokens
        self.at = 0

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self, expected: str = "") -> str:
        token = self.peek()
        if expected and token != expected:
            raise SyntaxError(f"'{expected}' expected at '{token}' in {' '.join(self.tokens)}")
        self.at += 1
        return token

    def declaration(self) -> tuple[str, Any]:
        """The declared name and its type: `const int64_t *sizes`, `char text[4]`, functions."""
        constant = False
        while self.peek() in QUALIFIERS:
            constant |= self.take() == "const"
        base = self.named(self.take())
        stars = 0
        while self.peek() in ("*", "const"):
            stars += self.take() == "*"
        base = pointers(base, stars, constant)
        if self.peek() == "(":
            return self.callback(base)
        name = self.take() if re.match(r"[A-Za-z_]", self.peek()) else ""
        if self.peek() == "(":
            parameters = self.parameters()
            return name, Function(base, [kind for _, kind in parameters],
                                  [name for name, _ in parameters])
        return name, self.array(base)

    def named(self, name: str) -> Any:
        return SCALARS[name] if name in SCALARS else self.header.type(_short(name))

    def callback(self, restype: Any) -> tuple[str, Any]:
        self.take("(")
        self.take("*")
        name = self.take()
        self.take(")")
        return name, ctypes.CFUNCTYPE(restype, *(kind for _, kind in self.parameters()))

    def parameters(self) -> list[tuple[str, Any]]:
        self.take("(")
        parameters = []
        while self.peek() != ")":
            parameters.append(self.declaration())
            if self.peek() != ")":
                self.take(",")
        self.take(")")
        return [] if parameters == [("", None)] else parameters

    def array(self, base: Any) -> Any:
        lengths = []
        while self.peek() == "[":
            self.take("[")
            written = self.take()
            short = written.removeprefix("SHARDSPEC_")
            lengths.append(self.header.constants[short] if short != written else int(written, 0))
            self.take("]")
        for length in reversed(lengths):
            base = base * length
        return base


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


def statements(tokens: list[str]) -> list[list[str]]:
    """The parts of `tokens` that end in a semicolon outside of braces."""
    found: list[list[str]] = []
    current: list[str] = []
    depth = 0
    for token in tokens:
        depth += (token == "{") - (token == "}")
        if depth < 0:
            break  # The end of extern "C".
        if token == ";" and depth == 0:
            found.append(current)
            current = []
        else:
            current.append(token)
    return found


def _short(name: str) -> str:
    return name.removeprefix(PREFIX)
