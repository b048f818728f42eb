"""Layouts as JSON and as bytes."""

from __future__ import annotations

import ctypes
import json
from typing import Any

from ._library import lib
from ._words import described
from .cuts import Cut, Segment
from .extents import Stretch
from .mesh_spec import MeshShardingSpec, Multiple
from .placement import as_placements
from .shard import ShardMetadata
from .spec import BuiltInSpec, ChunkShardingSpec, EnumerableShardingSpec

Bytes = ctypes.POINTER(ctypes.c_uint8)


def to_bytes(function: Any, value: Any) -> bytes:
    """The bytes that a function writes of a value."""
    needed = ctypes.c_size_t()
    function(value, None, 0, ctypes.byref(needed))
    buffer = ctypes.create_string_buffer(needed.value)
    function(value, ctypes.cast(buffer, Bytes), needed.value, None)
    return buffer.raw


def from_json(function: Any, text: Any) -> int:
    """The handle that a function makes of a JSON text, or of its bytes."""
    if isinstance(text, str):
        # What has no UTF-8 is no JSON either, and refused with its place.
        text = text.encode("utf-8", "surrogatepass")
    data = _bytes("text", text)
    return int(lib.answer(ctypes.c_void_p, function, data, len(data)))


def from_bytes(function: Any, data: Any) -> int:
    """The handle that a function makes of bytes."""
    data = _bytes("data", data)
    return int(lib.answer(ctypes.c_void_p, function, ctypes.cast(data, Bytes), len(data)))


def _bytes(argument: str, data: Any) -> bytes:
    if not isinstance(data, (bytes, bytearray, memoryview)):
        kinds = "a str or bytes" if argument == "text" else "bytes"
        raise TypeError(f"{argument}: {kinds}, not {described(data)}")
    return bytes(data)


def spec_of(handle: int) -> BuiltInSpec:
    """The spec of a new handle. What Python knows of it is read off the library's own text."""
    kind = lib.text(lib.spec_type_name, handle)
    if kind == "chunk":
        return ChunkShardingSpec._of(handle)
    spec: BuiltInSpec
    if kind == "enumerable":
        spec = listed = EnumerableShardingSpec._of(handle)
        listed._shards = _shards(json.loads(spec.to_json())["enumerable"])
    else:
        spec = meshed = MeshShardingSpec._of(handle)
        layout = json.loads(spec.to_json())["mesh"]
        flatten, pads = layout.get("flatten"), layout.get("pads", ())
        meshed._cuts = tuple(map(_cut, layout["cuts"]))
        meshed._pad = {pad["dim"]: pad["size"] if "size" in pad else Multiple(pad["multiple"])
                       for pad in pads}
        meshed._flatten = None if flatten is None else (flatten["first"], flatten["count"])
        meshed._partial = {one["axis"]: one["reduction"] for one in layout.get("partial", ())}
    # Its parts need not say all of it: a copy is made from its bytes.
    spec._is_read = True
    return spec


def _shards(document: dict[str, Any]) -> list[ShardMetadata]:
    """The shards of a list."""
    ndim, offsets, sizes = document["ndim"], document["offsets"], document["sizes"]
    table = as_placements("placements", document["placements"])
    owners = document.get("owners", range(len(table)))
    maps = _dim_maps(document.get("dim_maps"))
    shards = []
    for number, owner in enumerate(owners):
        row = slice(number * ndim, (number + 1) * ndim)
        shards.append(ShardMetadata(offsets[row], sizes[row], table[owner],
                                    None if maps is None else maps[row]))
    return shards


def _dim_maps(document: dict[str, Any] | None) -> list[tuple[Stretch, ...] | None] | None:
    """For each dimension of each shard, its stretches, or None for an interval."""
    if document is None:
        return None
    numbers, table = iter(document["stretches"]), []
    for count in document["stretch_counts"]:
        table.append(tuple(Stretch(*(next(numbers) for _ in Stretch._fields)) for _ in range(count)))
    return [None if number < 0 else table[number] for number in document["numbers"]]


def _cut(document: dict[str, Any]) -> Cut:
    """A cut. Segments of a list have rules of their own."""
    segments = document.get("segments")
    if isinstance(segments, list):
        segments = tuple(Segment(**_rule({"rule": "chunk", "granule": 1, "repeat": 1, "even": False, **one}))
                         for one in segments)
    return Cut(**_rule({**document, "segments": segments}))


def _rule(document: dict[str, Any]) -> dict[str, Any]:
    """The fields of a cut or a segment, with lists that can be compared."""
    return {name: tuple(value) if isinstance(value, list) else value
            for name, value in document.items()}
