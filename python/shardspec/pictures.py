"""How pictures are drawn: options, and when a terminal has colours."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterable, Sequence
from typing import Any, Literal

from ._arrays import choice, flag, indices, instance, listed
from ._arrays import index as integer
from ._library import lib
from .properties import named

Options = lib.header.type("draw_options")
FORMATS = named("PICTURE_")
THEMES = named("THEME_")
Window = Sequence[slice]


def draw(function: Any, *arguments: Any, format: str, theme: str, color: bool | None, ascii: bool,
         width: int | None, axes: Iterable[int], window: Window | None, size: Sequence[int]) -> str:
    """The picture that a function of the library draws."""
    numbers = (FORMATS, "format", format), (THEMES, "theme", theme)
    chosen = [choice(argument, value, known) for known, argument, value in numbers]
    if color is None:
        color = has_color(sys.stdout)
    kept = indices("axes", axes)
    offsets, sizes = _window(window, size)
    columns = 0 if width is None else integer("width", width)
    if width is not None and not 40 <= columns <= 400:
        raise lib.refused("INVALID_ARGUMENT", f"width: {columns} is not between 40 and 400")
    options = Options(ctypes.sizeof(Options), *chosen, flag("color", color),
                      flag("ascii", ascii), columns, kept, len(kept), offsets, sizes, len(offsets))
    return lib.text(function, *arguments, ctypes.byref(options))


def has_color(stream: Any) -> bool:
    """Whether a stream is a terminal with colours: it is one, `TERM` is not "dumb", and `NO_COLOR`
    is not set."""
    isatty = getattr(stream, "isatty", None)
    return bool(isatty and isatty() and not os.environ.get("NO_COLOR")
                and os.environ.get("TERM") != "dumb")


def svg(function: Any, *arguments: Any) -> str:
    """The picture that a notebook shows."""
    return draw(function, *arguments, format="svg", theme="auto", color=False, ascii=False,
                width=None, axes=(), window=None, size=())


def _window(window: Window | None, size: Sequence[int]) -> tuple[Any, Any]:
    """Where a window starts, and how long it is."""
    if window is None:
        return (ctypes.c_int64 * 0)(), (ctypes.c_int64 * 0)()
    window = listed("window", window, "slices")
    if len(window) != len(size):
        raise lib.refused("INVALID_ARGUMENT", f"window: {len(window)} slices; pass one for each of "
                          f"the {len(size)} dimensions")
    starts, lengths = [], []
    for part, length in zip(window, size, strict=True):
        instance("window", part, slice)
        try:
            start, stop, step = part.indices(length)
        except (TypeError, ValueError) as error:
            raise type(error)(f"window: {part}: {error}") from None
        if step != 1:
            raise lib.refused("INVALID_ARGUMENT", f"window: {part} has a step; pass one without")
        starts.append(start)
        lengths.append(max(stop - start, 0))
    kind = ctypes.c_int64 * len(size)
    return kind(*starts), kind(*lengths)


Format = Literal["text", "svg"]
Theme = Literal["auto", "light", "dark"]
