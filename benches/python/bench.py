"""Measures what the Python package costs beside the library: one view, one call, and very many boxes.

    python benches/python/bench.py

Prints a table of medians with the limits that the package sets itself, and writes it to
target/bench/python.json. With torch, its tensors are measured too. Numbers of a busy machine are too
large: run it where nothing else runs.
"""

import ctypes
import json
import pathlib
import platform
import statistics
import sys
import time

import numpy

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "python"))

import shardspec  # noqa: E402
from shardspec import ChunkShardingSpec, EnumerableShardingSpec, Shard, ShardedTensor, copy  # noqa: E402
from shardspec._extension import native  # noqa: E402
from shardspec._library import lib  # noqa: E402
from shardspec._views import view  # noqa: E402

try:
    import torch
except ImportError:
    torch = None

RESULTS = ROOT / "target/bench/python.json"
ROUNDS = 9
PLACES, BOXES, SHARDS = 20_000, 1_000_000, 2_000
MICROSECONDS, MILLISECONDS = 1e6, 1e3


def median(call, times=1, rounds=ROUNDS):
    """The median of the seconds that a call takes."""
    call()
    found = []
    for _ in range(rounds):
        start = time.perf_counter()
        for _ in range(times):
            call()
        found.append((time.perf_counter() - start) / times)
    return statistics.median(found)


def one_view():
    array = numpy.zeros((16, 4), "float32")
    yield "a view of a numpy array", 3e-6, lambda: view("x", array), 20_000
    yield "a view of a Tensor", None, lambda made=shardspec.empty((4, 4), "float32"): view("x", made), 20_000
    yield "a view of a bytearray", None, lambda made=bytearray(64): view("x", made), 20_000
    if torch is not None:
        yield "a view of a torch tensor", 6e-6, lambda made=torch.zeros(16, 4): view("x", made), 20_000


def small_copies():
    source, place = numpy.ones(16, "float32"), numpy.zeros(16, "float32")
    yield "copy of 64 bytes", None, lambda: copy(source, place), 5_000
    yield "  numpy's own", None, lambda: numpy.copyto(place, source), 20_000
    if torch is not None:
        tensors = torch.ones(16), torch.zeros(16)
        yield "copy of 64 bytes, torch", None, lambda: copy(*tensors), 5_000
        yield "  torch's own", None, lambda: tensors[1].copy_(tensors[0]), 20_000
    halves = ChunkShardingSpec(0, ["rank:0", "rank:1"]).build_metadata((16,))
    parts = [place[:8], place[8:]]
    yield "scatter of 64 bytes into 2", None, lambda: halves.scatter(source, parts), 5_000
    yield "scatter of 64 bytes into 2 new", None, lambda: halves.scatter(source), 5_000


def many_views():
    rows = ChunkShardingSpec(0, [f"rank:{rank}" for rank in range(PLACES)]).build_metadata((PLACES, 4))
    full = numpy.ones((PLACES, 4), "float32")
    places = [numpy.zeros((1, 4), "float32") for _ in range(PLACES)]

    def by_numpy():
        for place, row in zip(places, full):
            place[...] = row

    yield f"scatter into {PLACES} arrays", 60e-3, lambda: rows.scatter(full, places), 1
    yield "  numpy's own, a loop", None, by_numpy, 1
    if torch is not None:
        tensors = [torch.zeros(1, 4) for _ in range(PLACES)]
        yield f"scatter into {PLACES} torch tensors", 60e-3, lambda: rows.scatter(full, tensors), 1


def very_many_boxes():
    side = 1000
    rows, columns = numpy.divmod(numpy.arange(BOXES), side)
    offsets = numpy.stack([rows, columns], axis=1) * 4
    sizes = numpy.full((BOXES, 2), 4)
    placements = [f"rank:{rank}" for rank in range(64)]
    indices = (numpy.arange(BOXES) % 64).astype("uint32")
    spec = EnumerableShardingSpec.from_arrays(offsets, sizes, placements, indices)
    texts = (ctypes.c_char_p * 64)(*map(str.encode, placements))

    def by_c():
        pointers = [array.ctypes.data_as(ctypes.POINTER(kind)) for array, kind in (
            (offsets, ctypes.c_int64), (sizes, ctypes.c_int64), (indices, ctypes.c_uint32))]
        shards = lib.answer(ctypes.c_void_p, lib.shards_new_from_arrays, *pointers, 2, BOXES, texts, 64)
        lib.spec_free(lib.answer(ctypes.c_void_p, lib.spec_new_enumerable, shards))
        lib.shards_free(shards)

    metadata = spec.build_metadata((4 * side, 4 * side))
    places = numpy.empty((BOXES, 2), "int64"), numpy.empty((BOXES, 2), "int64"), numpy.empty(BOXES, "uint32")

    def out_by_c():
        lib.metadata_get_shards(metadata, 0, BOXES, *(place.ctypes.data_as(ctypes.POINTER(kind)) for place, kind in
                                                      zip(places, (ctypes.c_int64, ctypes.c_int64, ctypes.c_uint32))))

    yield f"{BOXES} boxes in", None, lambda: EnumerableShardingSpec.from_arrays(
        offsets, sizes, placements, indices), 1
    yield "  C's own", None, by_c, 1
    yield f"{BOXES} boxes out", None, metadata.to_arrays, 1
    yield "  C's own, into used memory", None, out_by_c, 1


def local_shards():
    rows = ChunkShardingSpec(0, [f"rank:{rank % 2}" for rank in range(SHARDS)]).build_metadata((SHARDS, 4))
    given = [Shard(numpy.zeros((1, 4), "float32"), rows.shards_metadata[index]) for index in range(0, SHARDS, 2)]
    tensor = ShardedTensor.from_local_shards(given, rows)
    shards = rows.shards_metadata
    yield f"from_local_shards, {len(given)} of {SHARDS}", 0.1, lambda: ShardedTensor.from_local_shards(
        given, rows), 1
    yield "local_shards of them", None, tensor.local_shards, 1
    yield "shards_metadata[i]", None, lambda: shards[7], 1_000
    yield f"iteration of {SHARDS} shards", None, lambda: list(shards), 1


GROUPS = [one_view, small_copies, many_views, very_many_boxes, local_shards]


def shown(seconds):
    if seconds is None:
        return ""
    return f"{seconds * MICROSECONDS:.2f} us" if seconds < 1e-3 else f"{seconds * MILLISECONDS:.2f} ms"


def main():
    how = "with the module in C" if native is not None else "in Python alone"
    print(f"Python {platform.python_version()}, numpy {numpy.__version__}, "
          f"torch {torch.__version__ if torch else 'none'}, {how}\n")
    print(f"{'case':40} {'median':>12} {'limit':>12}")
    cases = []
    for group in GROUPS:
        for name, limit, call, times in group():
            seconds = median(call, times)
            over = limit is not None and seconds > limit
            cases.append({"name": name.strip(), "median_seconds": seconds, "limit_seconds": limit})
            print(f"{name:40} {shown(seconds):>12} {shown(limit):>12}{'  over the limit' if over else ''}",
                  flush=True)
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps({
        "python": platform.python_version(), "numpy": numpy.__version__,
        "torch": torch.__version__ if torch else None, "native": native is not None, "cases": cases}, indent=1))


if __name__ == "__main__":
    main()
