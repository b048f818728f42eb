"""Measures copies: this library, the limit, numpy and torch, in turn and on the same buffers.

    python benches/copy/bench.py [WORD ...]      only cases whose name or direction holds each word

Prints a table of medians in GB/s and writes them to target/bench/copy.json. A ratio compares two
numbers of one run; numbers of two runs say as much about the machine as about the code.
"""

import ctypes
import json
import pathlib
import statistics
import sys

import numpy

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "python"), str(ROOT / "python/tests")]

import binding  # noqa: E402
from cases import LARGE, SMALL  # noqa: E402
from contenders import Buffers, Ours, by_hand, limits, seconds, with_numpy, with_torch  # noqa: E402
from shardspec._library import lib  # noqa: E402

try:
    import torch
except ImportError:
    torch = None

ROUNDS = 4
# In a round, each runs so many times in succession, and the first time does not count: it would pay for what
# the one before left in the caches. Cached stores are written to the memory later.
IN_SUCCESSION = 3
# Whoever took so many times as long as the fastest, so many times, is measured no more: one
# that takes seconds would take most of the time of all.
FAR_BEHIND, FEWEST = 3, 2
# Before those that count. A virtual machine is given its memory when it first touches it, and whoever
# allocates first would pay.
WARM_ROUNDS = {"allocate": 8}
# A small copy is done so many times before the clock is read again.
REPEATS = 500
RESULTS = ROOT / "target/bench/copy.json"
# The least ratio to the limit, for runs of so many bytes and more; and where elements are transposed.
BARS = [(32, 0.95), (16, 0.85), (4, 0.65), (2, 0.50), (1, 0.40)]
TRANSPOSED_BAR = 0.70
# The least ratio to torch where shards are allocated. Otherwise it is 1, and so is that to numpy.
ALLOCATED_BAR = 2.5
# The least ratio of a digest to reading the same bytes, for runs of so many bytes and more.
DIGEST_BARS = [(4096, 0.50), (32, 0.20), (1, 0.08)]
COLUMNS = (f"{'case':24} {'direction':9} {'run':>8} {'threads':>7} {'ours':>7} {'limit':>7} "
           f"{'C':>7} {'numpy':>7} {'torch':>7}   {'/limit':>6} {'/C':>6} {'/numpy':>6} {'/torch':>6}")


class Run(ctypes.Structure):
    _fields_ = [("to", ctypes.c_void_p), ("source", ctypes.c_void_p), ("bytes", ctypes.c_size_t)]


def load_limit():
    limit = ctypes.CDLL(str(ROOT / "target/bench/liblimit.so"))
    pointer, size = ctypes.c_void_p, ctypes.c_size_t
    limit.limit_copy.argtypes = [pointer, pointer, size, ctypes.c_int, size]
    limit.limit_copy.restype = None
    limit.limit_way.argtypes, limit.limit_way.restype = [size], ctypes.c_char_p
    limit.best_does.argtypes = [size, ctypes.c_char_p, ctypes.c_char_p]
    limit.best_copy.argtypes, limit.best_copy.restype = [pointer, pointer, ctypes.c_int, size], None
    limit.best_runs_known.argtypes = [size]
    limit.best_runs.argtypes = [pointer, pointer, pointer, pointer, size, ctypes.c_int, size]
    limit.best_allocated.argtypes = [pointer, size, size, size, ctypes.c_int]
    limit.best_runs.restype = limit.best_allocated.restype = None
    limit.limit_read.argtypes, limit.limit_read.restype = [pointer, size, ctypes.c_int], ctypes.c_uint64
    for name, arguments in {"runs": [pointer, size, size],
                            "scatter": [pointer, pointer, pointer, pointer, size, size],
                            "gather": [pointer, pointer, pointer, size, pointer, size]}.items():
        function = getattr(limit, f"limit_time_{name}")
        function.argtypes, function.restype = arguments, ctypes.c_double
    return limit


def medians(timers, warm=1):
    """The median of what each timer says. Timers are asked in rounds, of which the first ones don't count, and
    several times in succession, of which the first time does not count."""
    times = {name: [] for name in timers}
    for number in range(ROUNDS + warm):
        fastest = min(min(own, default=0) for own in times.values())
        for name, timer in timers.items():
            if number >= warm and len(times[name]) >= FEWEST and min(times[name]) > FAR_BEHIND * fastest:
                continue
            own = [timer() for _ in range(IN_SUCCESSION if number >= warm else 1)]
            times[name] += own[1:]
    return {name: statistics.median(own) for name, own in times.items()}


def best(times, who):
    """The least time of a contender's ways; None where it was left out."""
    return min((time for name, time in times.items() if name.split()[0] == who), default=None)


def result(case, direction, threads, times):
    rate = lambda time: None if time is None else case.moved_bytes / time / 1e9
    return {"case": case.name, "direction": direction, "element_bytes": case.element_bytes,
            "run_bytes": case.run_bytes(), "threads": threads,
            **{f"{who}_gbps": rate(best(times, who)) for who in ("ours", "limit", "c", "numpy", "torch")}}


def large(library, limit, case, direction, threads, buffers):
    ours = Ours(library, buffers)
    ways = {"ours": ours.call(direction, threads), **limits(limit, buffers, direction, threads),
            **by_hand(limit, buffers, direction, threads), **with_numpy(buffers, direction)}
    if torch:
        ways.update(with_torch(torch, buffers, direction, threads))
    if direction not in ("allocate", "digest"):
        buffers.erase(direction)
        ways["ours"]()
        assert buffers.copied(), f"{case.name}, {direction}: the copy is wrong"
    times = medians({name: lambda way=way: seconds(way) for name, way in ways.items()},
                    WARM_ROUNDS.get(direction, 1))
    # The limit moved the bytes as if both sides were laid out alike: put right what is read next.
    ours.call("scatter", threads)()
    return result(case, direction, threads, times)


def runs_of(case, buffers, direction):
    """Each run of the case: what a loop over memcpy would do."""
    runs = []
    for part, shard in buffers.parts:
        if part.flags.c_contiguous:
            part, shard = part.reshape(1, -1), shard.reshape(1, -1)
        for pair in zip(part, shard):
            to, source = pair if direction == "gather" else pair[::-1]
            runs.append(Run(to.ctypes.data, source.ctypes.data, to.nbytes))
    return (Run * len(runs))(*runs)


def small(library, limit, case, direction, threads, buffers):
    """Called from C, so that nothing but the call is measured."""
    ours, runs = Ours(library, buffers), runs_of(case, buffers, direction)
    address = lambda name: ctypes.cast(getattr(lib.cdll, name), ctypes.c_void_p)
    if direction == "scatter":
        call = lambda: limit.limit_time_scatter(
            address("shardspec_metadata_scatter"), ours.metadata, ctypes.addressof(ours.full),
            ctypes.addressof(ours.shards), ours.count, REPEATS)
    else:
        call = lambda: limit.limit_time_gather(
            address("shardspec_metadata_gather"), ours.metadata, ctypes.addressof(ours.shards),
            ours.count, ctypes.addressof(ours.full), REPEATS)
    repeated = lambda way: lambda: seconds(lambda: [way() for _ in range(REPEATS)]) / REPEATS
    timers = {"ours": call, "limit": lambda: limit.limit_time_runs(runs, len(runs), REPEATS)}
    peers = with_numpy(buffers, direction)
    if torch:
        peers.update(with_torch(torch, buffers, direction, threads))
    timers.update({name: repeated(way) for name, way in peers.items()})
    times = medians(timers)
    assert times["ours"] > 0, f"{case.name}: refused"
    return result(case, direction, threads, times)


def ratio(row, who):
    return row["ours_gbps"] / row[f"{who}_gbps"] if row[f"{who}_gbps"] else None


def shown(value, digits):
    return "-" if value is None else f"{value:.{digits}f}"


def table_line(row):
    rates = " ".join(f"{shown(row[who + '_gbps'], 2):>7}" for who in ("ours", "limit", "c", "numpy", "torch"))
    ratios = " ".join(f"{shown(ratio(row, who), 2):>6}" for who in ("limit", "c", "numpy", "torch"))
    return (f"{row['case']:24} {row['direction']:9} {row['run_bytes']:>8} {row['threads']:>7} "
            f"{rates}   {ratios}")


def missed(row, case):
    """What a result is below of, in words."""
    time = lambda who: case.moved_bytes / row[f"{who}_gbps"]
    if case in SMALL:
        allowed = 1.5 * time("limit") + 300
        if time("ours") > allowed:
            yield f"{time('ours'):.0f} ns, allowed are {allowed:.0f}"
        return
    if row["direction"] == "digest":
        least = next(least for run, least in DIGEST_BARS if row["run_bytes"] >= run)
        if ratio(row, "limit") < least:
            yield f"{ratio(row, 'limit'):.2f} of reading, the bar is {least:.2f}"
        return
    least = next(least for run, least in BARS if row["run_bytes"] >= run)
    if case.order == "F":
        least = TRANSPOSED_BAR
    if row["direction"] != "allocate" and ratio(row, "limit") < least:
        by_hand = f"; C for this case {row['c_gbps'] / row['limit_gbps']:.2f}" if row["c_gbps"] else ""
        yield f"{ratio(row, 'limit'):.2f} of the limit, the bar is {least:.2f}{by_hand}"
    for who in ("numpy", "torch"):
        least = ALLOCATED_BAR if (row["direction"], who) == ("allocate", "torch") else 1.0
        if (ratio(row, who) or least) < least:
            yield f"{ratio(row, who):.2f} times {who}, the bar is {least:g}"


def main(words):
    library = binding.Raw()
    limit = load_limit()
    if torch is None:
        print("torch can't be imported: it is left out")
    print(f"numpy {numpy.__version__}" + (f", torch {torch.__version__}" if torch else ""))
    print(COLUMNS)
    rows, below = [], []
    for case in LARGE + SMALL:
        chosen = [direction for direction in case.directions
                  if all(word in f"{case.name}, {direction}" for word in words)]
        if not chosen:
            continue
        buffers = Buffers(case)
        measure = small if case in SMALL else large
        for direction in chosen:
            for threads in case.threads:
                row = measure(library, limit, case, direction, threads, buffers)
                rows.append(row)
                below += [f"{case.name}, {direction}: {what}" for what in missed(row, case)]
                print(table_line(row), flush=True)
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps(rows, indent=1) + "\n")
    print(f"written to {RESULTS.relative_to(ROOT)}")
    print("\n".join(below) if below else "every bar is reached")


if __name__ == "__main__":
    main(sys.argv[1:])
