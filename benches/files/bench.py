"""Measures reading parts of a checkpoint, beside plain reads of as many bytes, safetensors and torch.

    python benches/files/bench.py [FOLDER]

Writes four safetensors files of 256 MiB into FOLDER, or a temporary one, and reads them as ranks do.
Prints a table of medians, with the reads that were issued and the bytes that were read beyond those
that are needed, and writes it to target/bench/files.json. "Cold" is after `posix_fadvise(DONTNEED)`,
which asks the system to drop the files from its cache.
"""

import concurrent.futures
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
ROUNDS = 5
FILES, TENSORS, SHAPE = 4, 2, (8192, 4096)
THREADS, BLOCK = 4, 8 << 20


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


def plain(folder, dim, ranks):
    """As many bytes as a rank needs, from the start of each file, by as many threads."""
    del dim
    needed = SHAPE[0] * SHAPE[1] * 4 * TENSORS // ranks
    files = [os.open(path, os.O_RDONLY) for path in sorted(folder.glob("*.safetensors"))]
    buffers = [numpy.empty(needed, numpy.uint8) for _ in files]
    blocks = [(file, memoryview(buffer)[at:at + BLOCK], at) for file, buffer in zip(files, buffers)
              for at in range(0, needed, BLOCK)]

    def go():
        with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(lambda block: os.preadv(block[0], [block[1]], block[2]), blocks))

    go()
    return go, None


def get_slice(folder, dim, ranks):
    """safetensors' own way to a part of a tensor."""
    part, paths = part_of(dim, ranks), sorted(folder.glob("*.safetensors"))

    def go():
        for path in paths:
            with safetensors.safe_open(path, framework="numpy") as file:
                for name in file.keys():
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


def seconds(go, folder, cold):
    times = []
    for _ in range(ROUNDS):
        if cold:
            drop(folder)
        start = time.perf_counter()
        go()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def measure(folder):
    contenders = {"shardspec": ours, "plain pread": plain}
    if safetensors is not None:
        contenders["safetensors get_slice"] = get_slice
    if torch is not None:
        contenders["torch DCP"] = dcp
    results = []
    print(f"{'case':16} {'cache':5} {'who':22} {'GB/s':>7} {'of plain':>9} {'reads':>7} {'over-read':>12}")
    for case, (dim, ranks) in CASES.items():
        needed = FILES * TENSORS * SHAPE[0] * SHAPE[1] * 4 // ranks
        for cold in (False, True):
            own = []
            for who, prepare in contenders.items():
                go, report = prepare(folder, dim, ranks)
                rate = needed / seconds(go, folder, cold) / 1e9
                row = {"case": case, "cache": "cold" if cold else "warm", "who": who, "gb_per_s": rate}
                if report is not None:
                    told = report()
                    row |= {"reads": told.read_count, "over_read": told.bytes_read - told.bytes_needed}
                own.append(row)
            (limit,) = (row["gb_per_s"] for row in own if row["who"] == "plain pread")
            for row in own:
                row["of_plain"] = row["gb_per_s"] / limit
                print(f"{case:16} {row['cache']:5} {row['who']:22} {row['gb_per_s']:7.2f} "
                      f"{row['of_plain']:9.2f} {row.get('reads', ''):>7} {row.get('over_read', ''):>12}",
                      flush=True)
            results += own
    return results


def main():
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    if len(sys.argv) > 1:
        folder = pathlib.Path(sys.argv[1])
        folder.mkdir(parents=True, exist_ok=True)
        write(folder)
        results = measure(folder)
    else:
        with tempfile.TemporaryDirectory(dir=RESULTS.parent) as name:
            write(pathlib.Path(name))
            results = measure(pathlib.Path(name))
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
