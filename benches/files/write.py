"""How fast checkpoints are written, beside plain pwrite of the same bytes.

    python benches/files/write.py [bytes] [folder]

Four ranks write their row and column shards of a tensor, one after the other in one process, into a file
for each rank and into one file for all. Beside that, the same bytes are written by `pwrite`, into as many
files, from memory where they are contiguous. Both flush to the disk. The bar is 0.9 of pwrite.

In the last case, one rank writes its columns into the file of all. Nothing of it is contiguous in the
file but its runs. There the peer writes the same runs, one `pwrite` each.
"""

import json
import os
import pathlib
import shutil
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

RANKS = [f"rank:{rank}" for rank in range(4)]
ROUNDS = 5
PEER = peer.load()


def plainly(folder, files):
    """The same bytes in as many files, flushed, by pwrite alone: for each file its length and its runs."""
    os.mkdir(folder)
    for number, (length, runs) in enumerate(files):
        descriptor = os.open(folder / f"{number}", os.O_CREAT | os.O_WRONLY)
        os.ftruncate(descriptor, length)
        runs["file"] = descriptor
        if PEER.peer_write(runs.ctypes.data, len(runs)):
            raise OSError("a plain write failed")
        os.fsync(descriptor)
        os.close(descriptor)


def whole(part):
    """A file of all bytes of an array."""
    return part.nbytes, peer.rows(0, 0, 0, part.nbytes, 1, part.ctypes.data, 0)


def timed(work, folder):
    shutil.rmtree(folder, ignore_errors=True)
    os.sync()
    started = time.perf_counter()
    work(folder)
    taken = time.perf_counter() - started
    shutil.rmtree(folder, ignore_errors=True)
    return taken


def measure(name, metadata, shards, files, folder, plain_files):
    def ours(path):
        shardspec.write_checkpoint(path, {"w": (metadata, shards)}, files=files)
        if len(shards) == len(RANKS):
            shardspec.commit_checkpoint(path, {"w": metadata}, files=files)

    def clean(work, path):
        taken = timed(work, path)
        shutil.rmtree(f"{path}.saving", ignore_errors=True)
        return taken

    pairs = [(clean(ours, folder / "ours"), clean(lambda path: plainly(path, plain_files), folder / "plain"))
             for _ in range(ROUNDS)]
    total = sum(shard.nbytes for shard in shards.values())
    own, plain = (statistics.median(times) for times in zip(*pairs))
    ratio = statistics.median(plain / own for own, plain in pairs)
    print(f"{name:28} {total / own / 1e9:6.2f} GB/s   pwrite {total / plain / 1e9:6.2f} GB/s   {ratio:5.2f}"
          + ("" if ratio >= 0.9 else "   below the bar"), flush=True)
    return {"case": name, "seconds": own, "pwrite_seconds": plain, "ratio": ratio}


def data_start(metadata, shards, path):
    """Where the tensor starts in one file of all ranks."""
    shardspec.save_checkpoint(path, {"w": (metadata, shards)}, files="one")
    with open(path / "model.safetensors", "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
    shutil.rmtree(path)
    return 8 + length


def main():
    size = int(float(sys.argv[1])) if len(sys.argv) > 1 else 1 << 30
    with tempfile.TemporaryDirectory(dir=sys.argv[2] if len(sys.argv) > 2 else None) as temporary:
        folder, columns, results = pathlib.Path(temporary), 4096, []
        rows = max(4, size // 4 // columns // 4 * 4)
        full = numpy.random.default_rng(1).standard_normal((rows, columns), dtype=numpy.float32)
        print(peer.processor())
        for dim, word in enumerate(["rows", "columns"]):
            spec = shardspec.ChunkShardingSpec(dim, RANKS)
            metadata = spec.build_metadata(full.shape, shardspec.TensorProperties(dtype="float32"))
            views = numpy.split(full, 4, dim)
            parts = [numpy.ascontiguousarray(view) for view in views]
            shards, apart = dict(enumerate(parts)), [whole(part) for part in parts]
            for name, own, files, plain in (
                    (f"{word}, files of owners", shards, "of owners", apart),
                    (f"{word}, one file", shards, "one", [whole(full)]),
                    (f"{word}, strided", dict(enumerate(views)), "of owners", apart)):
                results.append(measure(name, metadata, own, files, folder, plain))
        # The same places, also in their pages: behind a header as long.
        start = data_start(metadata, shards, folder / "start")
        run, row = parts[1].strides[0], full.strides[0]
        runs = [(start + full.nbytes, peer.rows(0, start + run, row, run, rows, parts[1].ctypes.data, run))]
        results.append(measure("columns of one rank, one file", metadata, {1: parts[1]}, "one", folder, runs))
    target = ROOT / "target" / "bench"
    target.mkdir(parents=True, exist_ok=True)
    (target / "files-write.json").write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
