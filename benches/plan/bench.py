"""Measures plans and questions about places, through the C library; beside them, torch's planner.

    python benches/plan/bench.py

Prints a table of medians and writes it to target/bench/plan.json. Every plan is made from layouts
that nobody asked before, so that the index of the source is made each time. torch's planner is given
up after some seconds.
"""

import ctypes
import json
import math
import pathlib
import signal
import statistics
import sys
import time

import numpy

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "python"), str(ROOT / "python/tests")]

import binding  # noqa: E402
from binding import numbers, texts  # noqa: E402
from layouts import OverMesh, even, grid, halved_at_random, shifted, slabs  # noqa: E402

try:
    import torch
    from torch.distributed.checkpoint.metadata import ChunkStorageMetadata, TensorProperties, TensorStorageMetadata
    from torch.distributed.checkpoint.planner_helpers import create_read_items_for_chunk_list
except ImportError:
    torch = None

LIB = binding.Raw()
RESULTS = ROOT / "target/bench/plan.json"
ROUNDS = 3
RANKS = texts(*(f"rank:{rank}" for rank in range(64)))
# torch is asked about so many shards, and for so many seconds, at most.
TORCH_SHARDS = 200_000
TORCH_SECONDS = 20
ELEMENTS = 1_000_000
# Seconds for each element.
OWNER_LIMITS = {"": 1e-6, ", in bulk": 0.3e-6}


def metadata_of(layout):
    """New metadata, of which nobody asked anything."""
    if isinstance(layout, OverMesh):
        return LIB.made(LIB.spec_build_metadata, layout.spec, numbers(layout.sizes), len(layout.sizes),
                        None)
    count, ndim = layout.offsets.shape
    placements = (numpy.arange(count) % len(RANKS)).astype(numpy.uint32)
    spec = LIB.enumerable(numbers(layout.offsets), numbers(layout.lengths),
                          placements.ctypes.data_as(ctypes.POINTER(ctypes.c_uint32)), ndim, count,
                          RANKS, len(RANKS))
    metadata = LIB.made(LIB.spec_build_metadata, spec, numbers(layout.sizes), ndim, None)
    LIB.spec_free(spec)
    return metadata


def planned(source, destination):
    """Number of pieces, and the median of the seconds that it takes to plan."""
    times, pieces = [], 0
    for _ in range(ROUNDS):
        a, b = metadata_of(source), metadata_of(destination)
        plan = ctypes.c_void_p()
        start = time.perf_counter()
        LIB.plan_new(a, b, ctypes.byref(plan))
        times.append(time.perf_counter() - start)
        pieces = LIB.number(LIB.plan_piece_count, plan, kind=ctypes.c_size_t)
        LIB.plan_free(plan), LIB.metadata_free(a), LIB.metadata_free(b)
    return pieces, statistics.median(times)


def planned_by_torch(source, destination, pieces):
    """Seconds that torch takes for the same question; None where that would be too many."""
    if torch is None or len(source) + len(destination) > TORCH_SHARDS:
        return None
    chunks = [[ChunkStorageMetadata(torch.Size(offsets), torch.Size(sizes))
               for offsets, sizes in zip(layout.offsets.tolist(), layout.lengths.tolist())]
              for layout in (source, destination)]
    saved = TensorStorageMetadata(TensorProperties(), torch.Size(source.sizes), chunks[0])
    signal.alarm(TORCH_SECONDS)
    try:
        start = time.perf_counter()
        items = create_read_items_for_chunk_list("x", saved, chunks[1])
        seconds = time.perf_counter() - start
    except TimeoutError:
        return None
    finally:
        signal.alarm(0)
    assert len(items) == pieces, f"torch found {len(items)} pieces, not {pieces}"
    return seconds


def give_up(*_):
    raise TimeoutError


signal.signal(signal.SIGALRM, give_up)


def plan_case(name, source, destination, limit):
    pieces, seconds = planned(source, destination)
    beside = planned_by_torch(source, destination, pieces) if limit is not None else None
    return {"case": name, "items": pieces, "seconds": seconds, "limit_seconds": limit,
            "torch_seconds": beside}


def owner_cases(name, layout):
    """Seconds for each of many random elements, asked one by one and all at once."""
    metadata = metadata_of(layout)
    elements = numpy.random.default_rng(3).integers(0, layout.sizes, (ELEMENTS, len(layout.sizes)))
    owners, again = numpy.empty((2, ELEMENTS), numpy.uint64)
    pointer = lambda array: array.ctypes.data_as(ctypes.POINTER(ctypes.c_size_t))
    ask = ctypes.CDLL(str(ROOT / "target/bench/libowner.so")).owner_seconds
    ask.restype = ctypes.c_double
    owner = ctypes.cast(LIB.cdll.shardspec_metadata_shard_at, ctypes.c_void_p)
    singly = lambda: ask(owner, metadata, numbers(elements), ctypes.c_size_t(len(layout.sizes)),
                         ctypes.c_size_t(ELEMENTS), pointer(owners))
    in_bulk = lambda: LIB.metadata_locate(metadata, numbers(elements), ELEMENTS, pointer(again), None)
    # The first question makes the index.
    in_bulk()
    times = {"": [], ", in bulk": []}
    for _ in range(ROUNDS):
        times[""].append(singly())
        start = time.perf_counter()
        in_bulk()
        times[", in bulk"].append(time.perf_counter() - start)
    assert min(times[""]) > 0 and (owners == again).all()
    inside = elements - layout.offsets[owners.astype(numpy.int64)]
    assert ((inside >= 0) & (inside < layout.lengths[owners.astype(numpy.int64)])).all()
    LIB.metadata_free(metadata)
    return [{"case": f"owner of an element, {name}{how}", "items": len(layout),
             "seconds": statistics.median(all_times) / ELEMENTS, "limit_seconds": OWNER_LIMITS[how],
             "torch_seconds": None} for how, all_times in times.items()]


def with_unit(case, source, destination):
    """The same with nanoseconds for each unit of n log n and pieces."""
    shards = len(source) + len(destination)
    unit = 1e9 * case["seconds"] / (shards * math.log2(shards) + case["items"])
    return {**case, "nanoseconds_a_unit": unit}


def growth_cases():
    """Time against size: seconds for each unit of n log n and pieces should stay what they are."""
    for exponent in (12, 14, 16, 18):
        side = 1 << exponent // 2
        pairs = {
            "grids": (grid([even(side * 8, side)] * 2), grid([shifted(side * 8, 9, 4)] * 2)),
            "slabs": (slabs(1 << 24, 1 << exponent, 0), slabs(1 << 24, (3 << exponent) // 4, 0)),
            "random": (halved_at_random([1 << 30] * 2, exponent, 1),
                       halved_at_random([1 << 30] * 2, exponent - 3, 2)),
        }
        for name, (source, destination) in pairs.items():
            case = plan_case(f"growth, {name}, 2^{exponent} shards", source, destination, None)
            yield with_unit(case, source, destination)


def mesh_cases():
    """Layouts over meshes: how long metadata takes, and plans between meshes of as many devices."""
    shards = OverMesh([1 << 20] * 2, [1000, 1000], block=64)
    times = []
    for _ in range(2 * ROUNDS):
        start = time.perf_counter()
        metadata = metadata_of(shards)
        times.append(time.perf_counter() - start)
        LIB.metadata_free(metadata)
    yield {"case": "metadata, 64 x 64 blocks over 1000 x 1000", "items": len(shards),
           "seconds": statistics.median(times), "limit_seconds": 50e-3, "torch_seconds": None}
    for exponent in (6, 8, 10, 12):
        long = 1 << exponent - 4
        for kind, block in [("chunks", 0), ("blocks of 16", 16)]:
            pair = [OverMesh([1 << 16] * 3, axes, block) for axes in ([long, 4, 4], [4, 4, long])]
            yield with_unit(plan_case(f"growth, meshes, {kind}, 2^{exponent} devices", *pair, None),
                            *pair)


def cases():
    size = 1 << 20
    for name, dim in [("wide", 1), ("tall", 0)]:
        yield plan_case(f"4096 x 2048 shards, {name}", slabs(size, 4096, dim),
                        slabs(size, 2048, dim), 5e-3)
    yield plan_case("65536 x 49152 slabs", slabs(1 << 24, 65536, 0), slabs(1 << 24, 49152, 0), 0.15)
    cells = grid([even(8192, 1024)] * 2)
    yield plan_case("1024 x 1024 grid, a shifted one", cells, grid([shifted(8192, 9, 4)] * 2), 2.0)
    yield from owner_cases("grid of 1000 x 1000", grid([even(8000, 1000)] * 2))
    for ndim, size in [(2, 1 << 31), (3, 1 << 20), (4, 1 << 15)]:
        layout = halved_at_random([size] * ndim, 20, ndim)
        yield from owner_cases(f"random cuts, {ndim}-D", layout)
    yield from growth_cases()
    yield from mesh_cases()


def time_text(seconds):
    if seconds is None:
        return "-"
    for factor, unit in [(1, "s"), (1e3, "ms"), (1e6, "us")]:
        if seconds * factor >= 1:
            return f"{seconds * factor:.2f} {unit}"
    return f"{seconds * 1e9:.0f} ns"


def main():
    print(f"{'case':48} {'items':>9} {'time':>10} {'limit':>10} {'torch':>10}  {'unit':>7}")
    rows = []
    for row in cases():
        times = (time_text(row[name]) for name in ("seconds", "limit_seconds", "torch_seconds"))
        unit = row.get("nanoseconds_a_unit")
        print(f"{row['case']:48} {row['items']:9} {' '.join(f'{text:>10}' for text in times)}"
              f"  {'' if unit is None else f'{unit:4.1f} ns':>7}", flush=True)
        rows.append(row)
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps(rows, indent=1) + "\n")
    late = [row["case"] for row in rows
            if row["limit_seconds"] is not None and row["seconds"] > row["limit_seconds"]]
    print(f"\n{len(rows)} cases, {len(late)} over their limit", *late, sep="\n  ")
    return 1 if late else 0


sys.exit(main())
