"""The parts of a layout that was parsed from the text of another program."""

from __future__ import annotations

import ast
import re
from typing import Any

from ._library import lib
from ._words import described
from .cuts import Cut
from .properties import named

NOTATIONS = named("NOTATION_")


def number_of(notation: Any) -> int:
    """The constant of a notation."""
    if not isinstance(notation, str):
        raise TypeError(f"notation: a text, not {described(notation)}")
    if notation not in NOTATIONS:
        raise lib.refused("INVALID_ARGUMENT", f"notation: {notation!r} is none of "
                          f"{', '.join(map(repr, NOTATIONS))}")
    return int(NOTATIONS[notation])


def parts(found: Any, notation: str, axes: list[str]) -> tuple[list[Cut], dict[str, str]]:
    """The cuts and the partial axes of a spec that was parsed, read off the library's own text."""
    if notation == "dtensor":
        return _placements(lib.text(lib.spec_format, found, NOTATIONS["dtensor"], 0), axes)
    # Of XLA and Shardy, the cuts of a dimension are even if there are several; of JAX, all are.
    written = lib.text(lib.spec_format, found, NOTATIONS["jax"], 0)
    return _partition_spec(written, all_even=notation == "jax")


def _placements(written: str, axes: list[str]) -> tuple[list[Cut], dict[str, str]]:
    cuts, partial = [], {}
    placements = re.findall(r"(_S|S|R|P)(?:\(([^)]*)\))?", written)
    for axis, (kind, arguments) in zip(axes, placements):
        if kind == "S":
            cuts.append(Cut(int(arguments), axis))
        elif kind == "_S":
            dim, factor = map(int, arguments.split(","))
            cuts.append(Cut(dim, axis, segments=factor))
        elif kind == "P":
            partial[axis] = arguments
    return cuts, partial


def _partition_spec(written: str, all_even: bool) -> tuple[list[Cut], dict[str, str]]:
    call: Any = ast.parse(written, mode="eval").body
    cuts = []
    for dim, entry in enumerate(map(ast.literal_eval, call.args)):
        axes = entry if isinstance(entry, tuple) else () if entry is None else (entry,)
        cuts += [Cut(dim, axis, even=all_even or len(axes) > 1) for axis in axes]
    pending = [axis.value for keyword in call.keywords for axis in keyword.value.elts]
    return cuts, dict.fromkeys(pending, "sum")
