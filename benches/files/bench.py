"""Measures reading parts of a checkpoint, beside plain reads of the same bytes, safetensors and torch.

    python benches/files/bench.py [--folder FOLDER] [--rounds N] [--cases NAME ...] [--without-torch]

Writes four safetensors files of 256 MiB into FOLDER, or a temporary one, and reads them as ranks do.
A FOLDER that is not empty has such files from an earlier call.
Prints a table, with the reads that were issued and the bytes that were read beyond those that are
needed, and writes it to target/bench/files.json. "Cold" is after `posix_fadvise(DONTNEED)`, which asks
the system to drop the files from its cache.

All contenders run in turn in each round, in another order in each. "ratio" is the median, over the
rounds, of the library's speed divided by that of the contender in the same round: what else the machine
does changes the ratios less than the speeds.

"pread of the runs" reads the very runs of a file that a rank needs, straight to their places, with as
many threads: the bar is 0.9 of it. "pread, contiguous" reads as many bytes from the starts of the files.
For rows, both are the same kind of reads. No program that needs columns of a row-major file can read
contiguous bytes, so there the second is no bar, and tells what columns cost.
"""

import argparse
import json
import os
import pathlib
import statistics
import struct
import sys
import tempfile
import time

import numpy

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "python"))

import peer  # noqa: E402
import shardspec  # noqa: E402

try:
    import safetensors
except ImportError:
    safetensors = None
try:
    import torch
    from torch.distributed.checkpoint import HuggingFaceStorageReader
except ImportError:
    torch = None

RESULTS = ROOT / "target/bench/files.json"
ROUNDS = 7
FILES, TENSORS, SHAPE = 4, 2, (8192, 4096)
THREADS, BLOCK = 4, 8 << 20
PEER = peer.load()


def write(folder):
    """The files; what is in them does not matter, but that the system has to read it."""
    nbytes = SHAPE[0] * SHAPE[1] * 4
    block = numpy.random.default_rng(1).integers(0, 255, BLOCK, numpy.uint8).tobytes()
    for file in range(FILES):
        header = {f"layer.{file}.{number}": {"dtype": "F32", "shape": SHAPE, "data_offsets": [
            number * nbytes, (number + 1) * nbytes]} for number in range(TENSORS)}
        text = json.dumps(header).encode()
        text += b" " * (-len(text) % 8)
        with open(folder / f"model-{file + 1:05}-of-{FILES:05}.safetensors", "wb") as out:
            out.write(struct.pack("<Q", len(text)) + text)
            for _ in range(TENSORS * nbytes // BLOCK):
                out.write(block)
            out.flush()
            os.fsync(out.fileno())


def layout(dim, ranks):
    mesh = shardspec.Mesh({"tp": ranks})
    return shardspec.MeshShardingSpec(mesh, [shardspec.Cut(dim, "tp")]).build_metadata(SHAPE)


CASES = {"TP-1": (0, 1), "TP-4 columns": (1, 4), "TP-4 rows": (0, 4), "FSDP rows of 8": (0, 8)}
RANK = 0


def part_of(dim, ranks):
    """The slices of a rank."""
    length = SHAPE[dim] // ranks
    own = slice(RANK * length, (RANK + 1) * length)
    return (own, slice(None)) if dim == 0 else (slice(None), own)


def ours(folder, dim, ranks):
    metadata = layout(dim, ranks)
    checkpoint = shardspec.Checkpoint(folder)
    shape = metadata.shards_metadata[RANK].shard_sizes
    arrays = {name: numpy.empty(shape, numpy.float32) for name in checkpoint}
    report = None

    def go():
        nonlocal report
        report = checkpoint.read({name: (metadata, {RANK: array}) for name, array in arrays.items()})

    go()
    return go, lambda: report


def open_files(folder):
    """The files, each with where its tensors start."""
    files = []
    for path in sorted(folder.glob("*.safetensors")):
        file = os.open(path, os.O_RDONLY)
        (length,) = struct.unpack("<Q", os.pread(file, 8, 0))
        files.append((file, 8 + length))
    return files


def preads(runs, buffers, files):
    def go():
        if PEER.peer_read(runs.ctypes.data, len(runs), THREADS):
            raise OSError("a plain read failed")

    go()
    go.kept = buffers, files
    return go, None


def plain_runs(folder, dim, ranks):
    """The runs that a rank needs, by as many threads."""
    length, row = SHAPE[dim] // ranks, SHAPE[1] * 4
    needed, files, runs, buffers = SHAPE[0] * row // ranks, open_files(folder), [], []
    for file, start in files:
        for number in range(TENSORS):
            buffers.append(numpy.empty(needed, numpy.uint8))
            place, first = buffers[-1].ctypes.data, start + number * SHAPE[0] * row
            if dim == 0:
                runs.append(peer.rows(file, first + RANK * needed, 0, needed, 1, place, 0))
            else:
                run = length * 4
                runs.append(peer.rows(file, first + RANK * run, row, run, SHAPE[0], place, run))
    return preads(numpy.concatenate(runs), buffers, files)


def plain(folder, dim, ranks):
    """As many bytes as a rank needs, from the start of each file, by as many threads."""
    del dim
    needed, files = SHAPE[0] * SHAPE[1] * 4 * TENSORS // ranks, open_files(folder)
    buffers = [numpy.empty(needed, numpy.uint8) for _ in files]
    runs = [peer.rows(file, 0, 0, needed, 1, buffer.ctypes.data, 0) for (file, _), buffer in zip(files, buffers)]
    return preads(numpy.concatenate(runs), buffers, files)


def get_slice(folder, dim, ranks):
    """safetensors' own way to a part of a tensor."""
    part, paths = part_of(dim, ranks), sorted(folder.glob("*.safetensors"))

    def go():
        for path in paths:
            with safetensors.safe_open(path, framework="numpy") as file:
                for name in file.keys():  # noqa: SIM118, which is no dict.
                    file.get_slice(name)[part]

    return go, None


def dcp(folder, dim, ranks):
    """torch's distributed checkpoint, with one rank's part of a DTensor's state."""
    import torch.distributed.checkpoint as checkpoint

    part = part_of(dim, ranks)
    names = [f"layer.{file}.{number}" for file in range(FILES) for number in range(TENSORS)]

    def go():
        # torch reads whole tensors where a process has no mesh; the part is taken from them.
        state = {name: torch.empty(SHAPE) for name in names}
        checkpoint.load(state, storage_reader=HuggingFaceStorageReader(str(folder)), no_dist=True)
        for tensor in state.values():
            tensor[part].clone()

    return go, None


def drop(folder):
    for path in folder.glob("*.safetensors"):
        file = os.open(path, os.O_RDONLY)
        os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(file)


def times_of(contenders, folder, cold, rounds):
    """The seconds of each contender in each round."""
    times = {who: [] for who in contenders}
    names = list(contenders)
    for number in range(rounds):
        first = number % len(names)
        for who in names[first:] + names[:first]:
            if cold:
                drop(folder)
            start = time.perf_counter()
            contenders[who]()
            times[who].append(time.perf_counter() - start)
    return times


def measure(folder, cases, rounds, with_torch):
    makers = {"shardspec": ours, "pread of the runs": plain_runs, "pread, contiguous": plain}
    if safetensors is not None:
        makers["safetensors get_slice"] = get_slice
    if torch is not None and with_torch:
        makers["torch DCP"] = dcp
    results = []
    print(peer.processor())
    print(f"{'case':16} {'cache':5} {'who':22} {'GB/s':>7} {'ratio':>8} {'reads':>7} {'over-read':>12}")
    for case in cases:
        dim, ranks = CASES[case]
        needed = FILES * TENSORS * SHAPE[0] * SHAPE[1] * 4 // ranks
        made = {who: make(folder, dim, ranks) for who, make in makers.items()}
        report = made["shardspec"][1]
        for cold in (False, True):
            times = times_of({who: go for who, (go, _) in made.items()}, folder, cold, rounds)
            for who, own in times.items():
                ratio = statistics.median(other / mine for mine, other in zip(times["shardspec"], own))
                row = {"case": case, "cache": "cold" if cold else "warm", "who": who, "ratio": ratio,
                       "gb_per_s": needed / statistics.median(own) / 1e9, "seconds": own}
                if who == "shardspec":
                    row |= {"reads": report().read_count,
                            "over_read": report().bytes_read - report().bytes_needed}
                bar = {"shardspec": 0, "pread of the runs": 0.9, "pread, contiguous": 0}.get(who, 1)
                print(f"{case:16} {row['cache']:5} {who:22} {row['gb_per_s']:7.2f} {ratio:8.2f} "
                      f"{row.get('reads', ''):>7} {row.get('over_read', ''):>12}"
                      + ("   below the bar" if ratio < bar else ""), flush=True)
                results.append(row)
    return results


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--without-torch", action="store_true")
    options = parser.parse_args()
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=RESULTS.parent) as name:
        folder = options.folder or pathlib.Path(name)
        folder.mkdir(parents=True, exist_ok=True)
        if not any(folder.iterdir()):
            write(folder)
        results = measure(folder, options.cases, options.rounds, not options.without_torch)
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
