"""Measures torch's checks of shards and planner of reads, without and with `shardspec.torch.patch`.

    python benches/plan/torch_patch.py [SIDE [CASE ...]]

SIDE x SIDE shards are checked (1,024 if it is left out), and 16,384 stored chunks are read into as many
chunks of another shape. Prints a table of the fastest of some calls. torch's functions are given up after
20 seconds: a signal interrupts them. With words, only the cases whose names have one of them are measured.
"""

import functools
import gc
import importlib
import pathlib
import signal
import sys
import time

import torch
from torch.distributed._shard.metadata import ShardMetadata
from torch.distributed._shard.sharding_spec import _internals
from torch.distributed.checkpoint import planner_helpers
from torch.distributed.checkpoint.metadata import (
    ChunkStorageMetadata,
    TensorProperties,
    TensorStorageMetadata,
)

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "python"))
import shardspec.torch

SECONDS = 20


def grid(rows, columns, height, width):
    """The boxes of a grid: offsets and sizes."""
    return [([row * height, column * width], [height, width])
            for row in range(rows) for column in range(columns)]


def shards(boxes):
    return [ShardMetadata(offsets, sizes, None) for offsets, sizes in boxes]


def chunks(boxes):
    return [ChunkStorageMetadata(torch.Size(offsets), torch.Size(sizes)) for offsets, sizes in boxes]


def give_up(signal_number, frame):
    raise TimeoutError


def seconds(call, rounds):
    """The time of the fastest of some calls, or None if one takes too long."""
    fastest = None
    for _ in range(rounds):
        gc.collect()
        gc.disable()
        signal.alarm(SECONDS)
        start = time.perf_counter()
        try:
            call()
        except TimeoutError:
            return fastest
        except ValueError:
            pass
        finally:
            taken = time.perf_counter() - start
            signal.alarm(0)
            gc.enable()
        fastest = taken if fastest is None else min(fastest, taken)
    return fastest


def cases(side):
    """The names of the cases, and what makes the call that is measured."""
    validate = _internals.validate_non_overlapping_shards_metadata
    check, plan = _internals.check_tensor, planner_helpers.create_read_items_for_chunk_list
    count, sizes, last = f"{side} x {side} shards", [4 * side, 4 * side], 4 * side - 4

    def whole(*other):
        made = shards(grid(side, side, 4, 4))
        made[len(made) - len(other):] = shards(other)
        return made

    def saved(*of):
        return TensorStorageMetadata(TensorProperties(), torch.Size([4096, 4096]), chunks(grid(*of)))

    row = [([1000, 0], [32, 4096])]
    return {
        f"validate, {count}": lambda: (validate, whole()),
        f"validate, {count}, an overlap": lambda: (validate, whole(([0, 1], [4, 4]))),
        f"validate, {side * side} rows": lambda: (validate, shards(grid(side * side, 1, 4, 64))),
        f"check_tensor, {count}": lambda: (check, whole(), sizes),
        f"check_tensor, {count}, a gap": lambda: (check, whole(([last, last], [4, 3])), sizes),
        "reads, 16384 chunks into 16384": lambda: (
            plan, "w", saved(128, 128, 32, 32), chunks(grid(64, 256, 64, 16))),
        "reads, 16384 chunks into 1": lambda: (plan, "w", saved(128, 128, 32, 32), chunks(row)),
        "reads, 8 chunks into 1": lambda: (plan, "w", saved(8, 1, 512, 4096), chunks(row)),
    }


def main():
    signal.signal(signal.SIGALRM, give_up)
    side, words = int((sys.argv[1:] or ["1024"])[0]), sys.argv[2:] or [""]
    rounds = 1 if side >= 1024 else 3
    print(f"torch {torch.__version__}\n{'case':50} {'torch':>10} {'patched':>10}")
    for name, prepare in cases(side).items():
        if not any(word in name for word in words):
            continue
        function, *arguments = prepare()
        before = seconds(functools.partial(function, *arguments), rounds)
        with shardspec.torch.patch():
            module = importlib.import_module(function.__module__)
            patched = getattr(module, function.__name__)
            after = seconds(functools.partial(patched, *arguments), rounds)
        first = f"> {SECONDS} s" if before is None else f"{1e3 * before:.2f} ms"
        print(f"{name:50} {first:>10} {1e3 * after:>7.2f} ms", flush=True)


if __name__ == "__main__":
    main()
