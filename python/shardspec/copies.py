"""Moving data between a tensor and its shards."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from . import _views
from ._arrays import choice, listed, pointer, room, within
from ._library import lib
from .tensor import Tensor, new

Hint = Literal["stream", "cached"]
Options = lib.header.type("copy_options")
HINTS = {None: 0, "stream": lib.COPY_HINT_STREAM, "cached": lib.COPY_HINT_CACHED}


DEFAULT = ctypes.byref(Options(ctypes.sizeof(Options)))
"""Most calls say nothing about it."""


def options(max_threads: int, hint: Hint | None) -> Any:
    """How to copy, for the library."""
    if type(max_threads) is int and max_threads == 0 and hint is None:
        return DEFAULT
    return ctypes.byref(option_struct(max_threads, hint))


def option_struct(max_threads: int, hint: Hint | None) -> Any:
    """The same where it is a part of other options."""
    threads = within("max_threads", max_threads, (1 << 32) - 1)
    return Options(ctypes.sizeof(Options), threads, choice("hint", hint, HINTS))


def copy(source: Any, destination: Any, *, max_threads: int = 0, hint: Hint | None = None) -> Any:
    """Copies all elements of a tensor into another tensor of the same shape and element type. Both
    tensors may have any strides. Returns the destination.

    >>> copy(memoryview(b"abcd")[::-1], bytearray(4))
    bytearray(b'dcba')
    """
    views = _views.view("source", source), _views.view("destination", destination, write=True)
    _views.alike(("source", views[0]), ("destination", views[1]))
    lib.tensor_copy(*(ctypes.byref(view.struct) for view in views), options(max_threads, hint))
    return destination


def scatter(metadata: Any, full: Any, shards: Sequence[Any] | None, how: Any) -> list[Any]:
    """Copies every shard out of `full`. Returns the shards."""
    source = _views.view("full", full)
    if shards is None:
        count, ndim = metadata._count(), metadata._buffer_ndim()
        sizes = room(count * ndim)
        lib.metadata_get_shards(metadata, 0, count, None, pointer(sizes), None)
        places: list[Any] = [
            new(tuple(sizes[row * ndim:(row + 1) * ndim]), source.struct.dtype, source.kind)
            for row in range(count)]
    else:
        places = listed("shards", shards, "tensors")
    views, count = _all("shards", metadata, places, write=True)
    _views.alike(("full", source), ("shards", views))
    lib.metadata_scatter(metadata, ctypes.byref(source.struct), views.array, count, how)
    return places


def gather(metadata: Any, shards: Sequence[Any], full: Any, how: Any) -> Any:
    """Copies every shard into `full`. Returns `full`."""
    views, count = _all("shards", metadata, shards, write=False)
    if full is None:
        full = new(metadata.size, *views.type)
    place = _views.view("full", full, write=True)
    _views.alike(("shards", views), ("full", place))
    lib.metadata_gather(metadata, views.array, count, ctypes.byref(place.struct), how)
    return full


def digest(metadata: Any, shards: Any, how: Any) -> int:
    """Returns the digest of some shards: their contribution to the digest of the tensor."""
    numbers, views = _some(metadata, shards)
    out = ctypes.c_uint64()
    lib.metadata_digest(metadata, numbers, views.array, len(views), how, ctypes.byref(out))
    return out.value


def shard_digests(metadata: Any, shards: Any, how: Any) -> Any:
    """Returns the digest of each of some shards, by index if they are passed by index."""
    numbers, views = _some(metadata, shards)
    out = (ctypes.c_uint64 * len(views))()
    lib.metadata_shard_digests(metadata, numbers, views.array, len(views), how, out)
    return dict(zip(numbers, out)) if isinstance(shards, Mapping) else list(out)


def _some(metadata: Any, shards: Any) -> tuple[Any, Any]:
    """Indices and views of shards that are passed by their indices, or in their order."""
    pairs = shards.items() if isinstance(shards, Mapping) else enumerate(
        listed("shards", shards, "tensors"))
    given = [(metadata._index(index, "shards"), tensor) for index, tensor in pairs]
    numbers = (ctypes.c_size_t * len(given))(*(index for index, _ in given))
    return numbers, _views.views(lambda number: f"shards[{numbers[number]}]",
                                 (tensor for _, tensor in given), write=False)


def _all(argument: str, metadata: Any, tensors: Iterable[Any], *, write: bool) -> tuple[Any, int]:
    """Views of tensors for all shards."""
    views, count = _views.numbered(argument, tensors, write=write)
    shards = metadata._count()
    if count != shards:
        raise lib.refused("INVALID_ARGUMENT", f"{argument}: {count} tensors for {shards} shards; "
                          "pass one for each", got=count, limit=shards)
    return views, count


def extract_shard(metadata: Any, index: int, full: Any, shard: Any, how: Any,
                  spec: Any = None) -> Any:
    """Copies one shard out of `full`, or calls the spec to fill it. Returns the shard."""
    source = _views.view("full", full)
    if shard is None:
        sizes = metadata.shards_metadata[index].shard_sizes
        shard = new(tuple(sizes), source.struct.dtype, source.kind)
    place = _views.view("shard", shard, write=True)
    _views.alike(("full", source), ("shard", place))
    arguments = metadata, index, ctypes.byref(source.struct), ctypes.byref(place.struct), how
    if spec is None:
        lib.metadata_extract_shard(*arguments)
    else:
        lib.spec_fill_shard(spec, *arguments)
    return shard


def view_shard(metadata: Any, index: int, full: Any) -> Tensor:
    """Returns a view of the shard inside `full`."""
    source = _views.view("full", full)
    ndim = len(metadata.size)
    shape, strides = (ctypes.c_int64 * ndim)(), (ctypes.c_int64 * ndim)()
    part = _views.TensorView()
    lib.metadata_view_shard(metadata, index, ctypes.byref(source.struct), shape, strides, ndim,
                            ctypes.byref(part))
    return Tensor(_views.View(part, source.readonly, source, (shape, strides),
                              source.kind))


def copied(tensor: Tensor) -> Tensor:
    """A copy of a tensor, row-major, in memory of its own."""
    view = _views.view("tensor", tensor)
    place: Tensor = copy(tensor, new(tensor.shape, view.struct.dtype, view.kind))
    return place
