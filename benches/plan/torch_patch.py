"""Measures torch's checks of shards and planner of reads, without and with `shardspec.torch.patch`.

    python benches/plan/torch_patch.py [SIDE]

SIDE x SIDE shards are checked (1,024 if it is left out), and 16,384 stored chunks are read into as many
chunks of another shape. Prints a table of the fastest of some calls. torch's functions are given up after
20 seconds: a signal interrupts them.
"""

import gc
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

import shardspec.torch

SECONDS = 20
ROUNDS = 3


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


def seconds(call):
    """The time of the fastest of some calls, or None if one takes too long."""
    fastest = None
    for _ in range(ROUNDS):
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
    whole, sizes = shards(grid(side, side, 4, 4)), [4 * side, 4 * side]
    hole = [*whole[:-1], ShardMetadata([4 * side - 4, 4 * side - 4], [4, 3], None)]
    twice = [*whole[:-1], ShardMetadata([0, 1], [4, 4], None)]
    rows = shards(grid(side * side, 1, 4, 64))
    saved = TensorStorageMetadata(TensorProperties(), torch.Size([4096, 4096]),
                                  chunks(grid(128, 128, 32, 32)))
    others, mine = chunks(grid(64, 256, 64, 16)), chunks([([1000, 0], [32, 4096])])
    few = TensorStorageMetadata(TensorProperties(), torch.Size([4096, 4096]),
                                chunks(grid(8, 1, 512, 4096)))
    count = f"{side} x {side} shards"
    return [
        (f"validate, {count}", lambda: _internals.validate_non_overlapping_shards_metadata(whole)),
        (f"validate, {count}, an overlap",
         lambda: _internals.validate_non_overlapping_shards_metadata(twice)),
        (f"validate, {side * side} rows", lambda: _internals.validate_non_overlapping_shards_metadata(rows)),
        (f"check_tensor, {count}", lambda: _internals.check_tensor(whole, sizes)),
        (f"check_tensor, {count}, a gap", lambda: _internals.check_tensor(hole, sizes)),
        ("reads, 16384 chunks into 16384",
         lambda: planner_helpers.create_read_items_for_chunk_list("w", saved, others)),
        ("reads, 16384 chunks into 1",
         lambda: planner_helpers.create_read_items_for_chunk_list("w", saved, mine)),
        ("reads, 8 chunks into 1, a thousand times", lambda: [
            planner_helpers.create_read_items_for_chunk_list("w", few, mine) for _ in range(1000)]),
    ]


def main():
    signal.signal(signal.SIGALRM, give_up)
    side = int(sys.argv[1]) if len(sys.argv) > 1 else 1024
    print(f"torch {torch.__version__}\n{'case':50} {'torch':>10} {'patched':>10}")
    for name, call in cases(side):
        before = seconds(call)
        with shardspec.torch.patch():
            after = seconds(call)
        first = f"> {SECONDS} s" if before is None else f"{before:.3f} s"
        print(f"{name:50} {first:>10} {after:>8.3f} s", flush=True)


if __name__ == "__main__":
    main()
