"""Cuts: the indices of one dimension are divided among the coordinates of one axis of a mesh."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any

from ._arrays import flag, integers, listed, numbers, pointer, room, text, within
from ._arrays import index as integer
from ._library import lib
from ._words import described
from .properties import named

CutStruct = lib.header.type("cut")
SegmentStruct = lib.header.type("segment")
RULES = named("RULE_")
REPEAT_AS_NEEDED: int = lib.REPEAT_AS_NEEDED
"""A value for `repeat` of a cut or a segment. If there are fewer granules than coordinates, several
coordinates have the same granule."""
# The least value of each number.
LEAST = {"granule": 1, "repeat": 1, "block": 1, "first": 0, "size": 0}


@dataclass(frozen=True, repr=False)
class Segment:
    """A range of a dimension that is cut separately, such as the keys of a fused QKV weight.

    `size` is the number of indices in the segment. The other fields have the meaning of the fields
    of `Cut`. If a field is None, the segment takes the value of this field from its cut.
    """

    size: int
    rule: str | None = None
    granule: int | None = None
    repeat: int | None = None
    even: bool | None = None
    block: int | None = None
    first: int | None = None
    sizes: tuple[int, ...] | None = None
    weights: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        _set(self, "size", int64("size", self.size, LEAST["size"]))
        _check(self)
        _set(self, "rule", _rule(self.rule, self.sizes, self.weights))

    def __repr__(self) -> str:
        return _written(self)


@dataclass(frozen=True, repr=False)
class Cut:
    """A cut of one dimension over one axis of a mesh.

    `dim` is the number or the name of a dimension. A negative number counts from the last
    dimension. `rule` defines which indices each coordinate of `axis` has:

    - "chunk": equal pieces, the last pieces may be shorter or empty (`torch.chunk`);
    - "balanced": sizes differ by one at most (`numpy.array_split`);
    - "sizes" and "weights": pieces of the listed `sizes`, or in proportion to `weights`. If you
      pass a list, you need not pass the rule;
    - "cyclic": blocks of `block` indices. Coordinate `first` gets the first block, the next
      coordinate gets the next block, and so on.

    A granule is a block of `granule` neighbouring indices that stay in one piece, such as the rows
    of an attention head. With `even`, the library refuses pieces of different sizes. With `repeat`
    n, n neighbouring coordinates have the same piece. With REPEAT_AS_NEEDED, the library computes n
    from the numbers of coordinates and granules. `segments` are ranges of the dimension that are
    cut separately: a number of equal segments, or a list of sizes or of Segment. A coordinate has
    one piece of each segment, in the order of the segments.

    >>> Cut(0, "tp", granule=128).check(1024, 8)
    >>> check_degrees([(12, Cut(0, "tp", even=True))], 5)
    [None, None, None, None, 0]
    """

    dim: int | str
    axis: str
    rule: str = "chunk"
    granule: int = 1
    even: bool = False
    repeat: int = 1
    block: int = 1
    first: int = 0
    sizes: tuple[int, ...] | None = None
    weights: tuple[int, ...] | None = None
    segments: int | tuple[Segment, ...] | None = None

    def __post_init__(self) -> None:
        _set(self, "dim", as_dim("dim", self.dim))
        text("axis", self.axis)
        for argument in ("granule", "even", "repeat", "block", "first", "rule"):
            if getattr(self, argument) is None:
                raise TypeError(f"{argument}: None is for segments; leave it out")
        _check(self)
        implied = None if isinstance(self.rule, str) and self.rule == "chunk" else self.rule
        _set(self, "rule", _rule(implied, self.sizes, self.weights) or "chunk")
        _set(self, "segments", _segments(self.segments))

    def __repr__(self) -> str:
        return _written(self)

    def check(self, length: int, count: int) -> None:
        """Raises an error if `length` indices can't be cut over `count` coordinates.

        `build_metadata` raises this error too.
        """
        packed = Packed(self, integer("count", count))
        lib.cut_check(ctypes.byref(packed.struct), length, count)


MAX_DEGREE = 1 << 20
"""The answer has a number for each degree; nobody has so many devices."""


def check_degrees(cuts: Iterable[tuple[int, Cut]], max_degree: int) -> list[int | None]:
    """Checks several cuts for each degree of parallelism up to a maximum.

    `cuts` are pairs of a length and its cut. Lengths are numbers of heads, blocks or experts. The
    result has one entry for each degree from 1 to `max_degree`: None for a legal degree, else the
    position of the first illegal cut. `Cut.check(length, degree)` raises an error with the reason.
    """
    pairs = []
    for number, pair in enumerate(listed("cuts", cuts, "lengths and cuts")):
        both = listed(f"cuts[{number}]", pair, "a length and a Cut")
        if len(both) != 2 or not isinstance(both[1], Cut):
            raise TypeError(f"cuts[{number}]: a length and a Cut, not {described(pair)}")
        pairs.append(both)
    lengths = integers("lengths", [length for length, _ in pairs])
    packed = [Packed(cut, 1) for _, cut in pairs]
    structs = (CutStruct * len(packed))(*(one.struct for one in packed))
    degrees = within("max_degree", max_degree, MAX_DEGREE, 1)
    forbidding = room(degrees)
    lib.cuts_check_degrees(structs, pointer(lengths), len(packed), degrees, pointer(forbidding))
    return [None if first < 0 else first for first in forbidding]


class Packed:
    """A cut as the library takes it, and what it points to."""

    def __init__(self, cut: Cut, count: int) -> None:
        """`count` is the number of coordinates of its axis."""
        self.kept: list[Any] = []
        self.struct = struct = CutStruct(ctypes.sizeof(CutStruct))
        if isinstance(cut.dim, str):
            struct.dim_name = text("dim", cut.dim)
        else:
            struct.dim = cut.dim
        struct.axis = text("axis", cut.axis)
        self._fill(struct, cut)
        if cut.block == 1:
            struct.block = 0  # Other rules have no block, not even of the default.
        if isinstance(cut.segments, int):
            struct.segment_count = cut.segments
        elif cut.segments is not None:
            made = (SegmentStruct * len(cut.segments))()
            for place, segment in zip(made, cut.segments):
                place.struct_size, place.size = ctypes.sizeof(SegmentStruct), segment.size
                self._fill(place, segment)
                if segment.first == 0 and cut.first:
                    # 0 would mean the cut's. Pieces are counted modulo their number, which divides
                    # that of the coordinates.
                    place.first = count
            self.kept.append(made)
            struct.segments, struct.segment_count = made, len(made)

    def _fill(self, struct: Any, rule: Cut | Segment) -> None:
        """What cuts and segments have in common."""
        struct.rule = 0 if rule.rule is None else RULES[rule.rule]
        struct.even = 0 if rule.even is None else 1 if rule.even else -1
        for name in ("granule", "repeat", "block", "first"):
            setattr(struct, name, getattr(rule, name) or 0)
        values = rule.weights if rule.sizes is None else rule.sizes
        if values is not None:
            given = (ctypes.c_int64 * len(values))(*integers("sizes", values))
            struct.values, struct.value_count = given, len(given)


def int64(argument: str, value: Any, least: int | None = None) -> int:
    """An integer of 64 bits, of any library."""
    number = integers(argument, [integer(argument, value)])[0]
    if least is not None and number < least:
        raise lib.refused("INVALID_ARGUMENT", f"{argument}: {number} is below {least}", got=number,
                          limit=least)
    return number


def as_dim(argument: str, dim: Any) -> int | str:
    """A dimension, by its number or its name."""
    if isinstance(dim, str):
        if not text(argument, dim):
            raise lib.refused("INVALID_ARGUMENT", f"{argument}: it is empty; name a dimension")
        return dim
    if not hasattr(dim, "__index__"):
        raise TypeError(f"{argument}: the number or the name of a dimension, not {described(dim)}")
    return int64(argument, dim)


def _set(rule: Cut | Segment, name: str, value: Any) -> None:
    """Sets a field of a frozen object while it is made."""
    object.__setattr__(rule, name, value)


def _written(rule: Cut | Segment) -> str:
    """As it would be written: fields that have their defaults are left out."""
    given = [(field.name, getattr(rule, field.name)) for field in fields(rule)
             if getattr(rule, field.name) != field.default]
    listed = ", ".join(f"{name}={list(value) if isinstance(value, tuple) else value!r}"
                       for name, value in given)
    return f"{type(rule).__name__}({listed})"


def _check(rule: Cut | Segment) -> None:
    """Checks and converts what cuts and segments have in common."""
    for name in ("granule", "repeat", "block", "first"):
        value = getattr(rule, name)
        if value is not None:
            number = int64(name, value)
            as_needed = name == "repeat" and number == REPEAT_AS_NEEDED
            _set(rule, name, number if as_needed else int64(name, number, LEAST[name]))
    if rule.even is not None:
        _set(rule, "even", flag("even", rule.even))
    for name in ("sizes", "weights"):
        value = getattr(rule, name)
        if value is None:
            continue
        given = tuple(numbers(name, value))
        integers(name, given)
        if not given:
            raise lib.refused("INVALID_ARGUMENT", f"{name}: there are none; pass one for each piece")
        _set(rule, name, given)


def _rule(rule: Any, sizes: Any, weights: Any) -> str | None:
    """The rule, which lists of sizes or weights imply."""
    if sizes is not None and weights is not None:
        raise lib.refused("INVALID_ARGUMENT", "weights: pass either sizes or weights, not both")
    implied = "sizes" if sizes is not None else "weights" if weights is not None else None
    if rule is None:
        return implied
    if not isinstance(rule, str):
        raise TypeError(f"rule: a text, not {described(rule)}")
    if rule not in RULES:
        raise lib.refused("INVALID_ARGUMENT",
                          f"rule: {rule!r} is none of {', '.join(map(repr, RULES))}")
    if implied not in (None, rule):
        raise lib.refused("INVALID_ARGUMENT", f"{implied}: they are for the rule {implied!r}, not "
                          f"for {rule!r}; leave the rule out")
    return rule


def _segments(segments: int | Iterable[Any] | None) -> int | tuple[Segment, ...] | None:
    """Segments: a number of equal ones, or each."""
    if segments is None:
        return None
    if hasattr(segments, "__index__") and not getattr(segments, "ndim", 0):
        return int64("segments", segments, 1)
    made = []
    for number, segment in enumerate(listed("segments", segments, "segments")):
        where = f"segments[{number}]"
        if not isinstance(segment, Segment):
            if not hasattr(segment, "__index__"):
                raise TypeError(f"{where}: a size or a Segment, not {described(segment)}")
            segment = Segment(int64(where, segment, LEAST["size"]))
        made.append(segment)
    if not made:
        raise lib.refused("INVALID_ARGUMENT", "segments: there are none; pass None to cut the "
                          "dimension as a whole")
    return tuple(made)
