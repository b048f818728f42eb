"""Functions of the library as Python calls them. Their code is generated from the description of the ABI.

This is the one place where arguments are passed to C. An integer is passed only if it fits, because ctypes
would cut off its top. A failure names the argument, in Python's words.
"""

from __future__ import annotations

import contextlib
import ctypes
import operator
import re
import threading
from collections.abc import Callable, Iterator
from typing import Any

from ._header import SCALARS, Function
from ._words import described, written

CLASSES = {
    "checkpoint": "a Checkpoint", "comm": "a Communicator", "mesh": "a Mesh",
    "metadata": "a ShardedTensorMetadata", "op": "an op", "placement": "a placement", "plan": "a Plan",
    "request": "a Request", "sharded_tensor": "a ShardedTensor", "shards": "a list of shards",
    "spec": "a ShardingSpec", "transfer": "a Transfer",
}
"""The classes of the objects behind handles, by the names of these in C."""

INTEGERS = {kind for kind in SCALARS.values()
            if kind is not None and kind._type_ in "bBhHiIlLqQ"}

CODE = """
def {name}({arguments}):
{checks}
    try:
        error, place = errors.pop()
    except IndexError:
        error, place = new_error()
    try:
        status = function({arguments}, place)
    except ArgumentError as mistake:
        raise mistaken(({arguments},), mistake) from None
    if status:
        raise failure(status, error, ({arguments},))
    errors.append((error, place))
"""
CHECK = """
    if {argument}.__class__ is not int or not {low} <= {argument} <= {high}:
        {argument} = fitting({name!r}, {argument}, {low}, {high})
"""


def generated(name: str, function: Any, declared: Function, python_names: list[str],
              **functions: Callable[..., Any] | list[Any]) -> Callable[..., None]:
    """The Python function that calls `function`. It takes all arguments but the last, the error.

    Another call may begin before this one has ended, and even before its error was read: where a callback, a
    finalizer or a signal comes between. It takes another error of the list `errors`, or a new one.
    """
    arguments = [f"a{number}" for number in range(len(declared.names) - 1)]
    checks = []
    for argument, called, kind in zip(arguments, python_names, declared.argtypes):
        if kind in INTEGERS:
            low, high = bounds(kind)
            checks.append(CHECK.format(argument=argument, name=called, low=low, high=high))
    code = CODE.format(name=name, arguments=", ".join(arguments), checks="".join(checks))
    scope: dict[str, Any] = {"function": function, "ArgumentError": ctypes.ArgumentError, **functions}
    exec(compile(code, f"<shardspec_{name}>", "exec"), scope)
    return scope[name]  # type: ignore[no-any-return]


def bounds(kind: Any) -> tuple[int, int]:
    """The least and the greatest value of an integer type."""
    bits = 8 * ctypes.sizeof(kind)
    return (-(1 << bits - 1), (1 << bits - 1) - 1) if kind(-1).value < 0 else (0, (1 << bits) - 1)


def fitting(refused: Callable[..., Exception], argument: str, value: Any, low: int, high: int) -> Any:
    """An integer to pass, of any library, if it fits."""
    if isinstance(value, ctypes._SimpleCData):
        return value
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{argument}: an integer, not {described(value)}") from None
    if not low <= number <= high:
        raise refused("OVERFLOW", f"{argument}: {written(number)} is not between {low} and {high}")
    return number


_lost = threading.local()


@contextlib.contextmanager
def handed_over(value: Any) -> Iterator[None]:
    """Around what `value` does to be passed, which may fail: ctypes would raise something else."""
    try:
        yield
    except BaseException as error:
        _lost.reason = value, error
        raise


def mistaken(names: list[str], arguments: tuple[Any, ...], mistake: BaseException) -> BaseException:
    """What to raise where an argument is of a type that ctypes does not pass.

    Its own message has the number of the argument, not its name.
    """
    number = re.search(r"argument (\d+)(?:: (KeyboardInterrupt|MemoryError)\b)?", str(mistake))
    if number is None or int(number[1]) > len(arguments):
        return TypeError(str(mistake))
    name, value = names[int(number[1]) - 1], arguments[int(number[1]) - 1]
    reason: tuple[Any, BaseException] | None = _lost.__dict__.pop("reason", None)
    if reason is not None and reason[0] is value:
        return reason[1]
    if number[2]:  # It came from outside, between two lines, and ctypes has put its own in its place.
        return KeyboardInterrupt() if number[2] == "KeyboardInterrupt" else MemoryError()
    kind = type(value)
    if hasattr(kind, "_as_parameter_"):
        return TypeError(f"{name}: this {kind.__name__} was not set up: its __init__ has to call "
                         "super().__init__")
    return TypeError(f"{name}: {described(value)} is of no type that fits")


def no_such_object(declared: Function, names: list[str], arguments: tuple[Any, ...]) -> TypeError | None:
    """What to raise where an argument is none of the objects that a handle can be for.

    The library refuses such a handle, for it knows all of its own. So it is asked only after a failure.
    """
    for name, value, handle, nullable in zip(names, arguments, declared.handles, declared.nullable):
        if handle is None or (value is None and nullable) or isinstance(value, (int, ctypes._SimpleCData)):
            continue
        if getattr(type(value), "_handle_of", None) != handle:
            wanted = CLASSES.get(handle, f"an object of the type {handle}")
            return TypeError(f"{name}: {wanted}, not {described(value)}")
    return None
