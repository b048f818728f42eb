"""Python functions that the library calls, and the exceptions that they raise.

A C callback answers with a status, here in its error. An exception becomes one that belongs to it
alone; the library
hands it back unchanged, and the call that it comes out of raises the exception again.
"""

from __future__ import annotations

import ctypes
import itertools
import sys
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

from ._library import lib
from .errors import ShardspecError

Kept = TypeVar("Kept")

SUCCESS: int = lib.CALLBACK_OK_IN_ERR
"""The status of a callback that has done its part. It is written into the error: where an exception
comes between, as Ctrl-C may before the first line of a function, ctypes returns what was returned
before."""
FIRST, COUNT = 1 << 30, 1 << 29
"""The statuses that exceptions get, far from those that C callbacks may choose."""
MAX_HELD = 256
"""Exceptions that wait to be raised. A status may get lost on its way through C."""

_turns = itertools.count()
_objects: dict[int, Any] = {}
"""What callbacks are about, by the `ctx` that they are given."""


def keep(thing: Any) -> int:
    """A `ctx` for a thing, which stays until `DESTROY` is called with it."""
    ctx = next(_turns) + 1
    _objects[ctx] = thing
    return ctx


def kept(ctx: int | None, kind: type[Kept]) -> Kept | None:
    """What that `ctx` is for, if it is of this kind."""
    thing = _objects.get(ctx or 0)
    return thing if isinstance(thing, kind) else None


def hash_of(thing: Any) -> int:
    """A hash as the library takes it. What has none may equal anything."""
    return hash(thing) & (1 << 64) - 1 if isinstance(thing, Hashable) else 0


def forget(ctx: int, objects: dict[int, Any] = _objects) -> None:
    """Ends what a `ctx` is for."""
    objects.pop(ctx, None)


DESTROY = lib.header.type("destroy_fn")(forget)


def table(kind: Any, **functions: Any) -> Any:
    """A table of such callbacks."""
    return kind(struct_size=ctypes.sizeof(kind), destroy=DESTROY, success_status=SUCCESS,
                **functions)


def callback(kind: Any) -> Callable[[Callable[..., Any]], Any]:
    """Makes a function a C callback of that type. It need not look at statuses or at `err`."""
    def decorate(function: Callable[..., Any]) -> Any:
        def run(*arguments: Any) -> int:
            err = arguments[-1].contents
            try:
                function(*arguments[:-1])
                err.status = SUCCESS
            except BaseException as error:  # It is raised again by the call that led here.
                _hold(error, err)
            return 0  # The library does not look at it.

        return kind(run)

    return decorate


def question(kind: Any, otherwise: int) -> Callable[[Callable[..., Any]], Any]:
    """Makes a function a C callback that answers a question and can't fail.

    An exception in it can't be caught: it is printed, and the answer is `otherwise`.
    """
    def decorate(function: Callable[..., Any]) -> Any:
        def run(*arguments: Any) -> int:
            try:
                return int(function(*arguments))
            except BaseException:
                sys.excepthook(*sys.exc_info())
                return otherwise

        return kind(run)

    return decorate


def description(error: BaseException) -> str:
    """The text of an exception, or its type's name where that fails."""
    name = type(error).__name__
    try:
        return f"{name}: {error}"
    except BaseException:
        return name


def _hold(error: BaseException, err: Any) -> None:
    """The status of an exception. `err` also receives its text."""
    status = FIRST + next(_turns) % COUNT
    lib.raised[status] = error
    for oldest in list(lib.raised)[:-MAX_HELD]:
        lib.raised.pop(oldest, None)
    err.status = status
    text = description(error).encode(errors="replace")
    room = lib.MESSAGE_CAPACITY - 1
    err.message = text if len(text) <= room else text[:room - 3].decode(
        errors="ignore").encode() + b"..."
    if isinstance(error, ShardspecError):
        err.got, err.limit = error.got, error.limit
        for field in ("first_shard", "second_shard", "dim", "index"):
            value = getattr(error, field)
            setattr(err, field, -1 if value is None else value)
