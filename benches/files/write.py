"""How fast checkpoints are written, beside plain pwrite of the same bytes.

    python benches/files/write.py [bytes] [folder]

Four ranks write their row and column shards of a tensor, one after the other in one process, into a file
for each rank and into one file for all. Beside that, the same bytes are written by `pwrite`, into as many
files. Both flush to the disk. The bar is 0.9 of pwrite.
"""

import json
import os
import pathlib
import shutil
import statistics
import sys
import tempfile
import time

import numpy

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "python"))
import shardspec  # noqa: E402

RANKS = [f"rank:{rank}" for rank in range(4)]
ROUNDS = 5


def plainly(folder, parts):
    """The same bytes in as many files, flushed, by pwrite alone."""
    os.mkdir(folder)
    for number, part in enumerate(parts):
        descriptor = os.open(folder / f"{number}", os.O_CREAT | os.O_WRONLY)
        view, at = memoryview(part).cast("B"), 0
        while at < len(view):
            at += os.pwrite(descriptor, view[at:at + (1 << 30)], at)
        os.fsync(descriptor)
        os.close(descriptor)


def timed(work, folder):
    shutil.rmtree(folder, ignore_errors=True)
    os.sync()
    started = time.perf_counter()
    work(folder)
    taken = time.perf_counter() - started
    shutil.rmtree(folder, ignore_errors=True)
    return taken


def measure(name, metadata, parts, files, folder):
    shards = dict(enumerate(parts))

    def ours(path):
        shardspec.save_checkpoint(path, {"w": (metadata, shards)}, files=files)

    dense = [numpy.ascontiguousarray(part) for part in parts]
    whole = [numpy.concatenate([part.reshape(-1) for part in dense])] if files == "one" else dense
    pairs = [(timed(ours, folder / "ours"), timed(lambda path: plainly(path, whole), folder / "plain"))
             for _ in range(ROUNDS)]
    total = sum(part.nbytes for part in parts)
    own, plain = (statistics.median(times) for times in zip(*pairs))
    ratio = plain / own
    print(f"{name:24} {total / own / 1e9:6.2f} GB/s   pwrite {total / plain / 1e9:6.2f} GB/s   {ratio:5.2f}"
          + ("" if ratio >= 0.9 else "   below the bar"))
    return {"case": name, "seconds": own, "pwrite_seconds": plain, "ratio": ratio}


def main():
    size = int(float(sys.argv[1])) if len(sys.argv) > 1 else 1 << 30
    with tempfile.TemporaryDirectory(dir=sys.argv[2] if len(sys.argv) > 2 else None) as temporary:
        folder, columns, results = pathlib.Path(temporary), 4096, []
        rows = max(4, size // 4 // columns // 4 * 4)
        full = numpy.random.default_rng(1).standard_normal((rows, columns), dtype=numpy.float32)
        for dim, word in enumerate(["rows", "columns"]):
            spec = shardspec.ChunkShardingSpec(dim, RANKS)
            metadata = spec.build_metadata(full.shape, shardspec.TensorProperties(dtype="float32"))
            views = numpy.split(full, 4, dim)
            parts = [numpy.ascontiguousarray(view) for view in views]
            results.append(measure(f"{word}, files of owners", metadata, parts, "of owners", folder))
            results.append(measure(f"{word}, one file", metadata, parts, "one", folder))
        results.append(measure("columns, strided", metadata, views, "of owners", folder))
    target = ROOT / "target" / "bench"
    target.mkdir(parents=True, exist_ok=True)
    (target / "files-write.json").write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
