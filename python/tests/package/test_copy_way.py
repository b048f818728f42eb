"""Each way of copying that the environment can fix copies the same bytes."""

import os
import subprocess
import sys

import pytest

WAYS = ["", "default", "cached", "stream", "l2", "portable", "avx2,0", "portable,stream,1000,l2", "no such way"]
PROGRAM = """
import numpy
from shardspec import ChunkShardingSpec, TensorProperties

ranks = lambda n: [f"rank:{rank}" for rank in range(n)]
numbers = numpy.arange(2 << 20, dtype=numpy.uint32)
for dim, parts, shape, order in [(0, 4, (1024, 2048), "C"), (1, 4, (1024, 2048), "C"), (1, 128, (2048, 1024), "C"),
                                 (1, 64, (32768, 64), "C"), (0, 4, (2048, 1024), "F")]:
    full = numpy.asarray(numbers.reshape(shape), order=order)
    metadata = ChunkShardingSpec(dim, ranks(parts)).build_metadata(shape, TensorProperties("uint32"))
    shards = [numpy.zeros(shard.shard_sizes, numpy.uint32) for shard in metadata.shards_metadata]
    for threads in (1, 2):
        metadata.scatter(full, shards, max_threads=threads)
        for shard, part in zip(shards, numpy.split(full, parts, dim), strict=True):
            assert numpy.array_equal(shard, part), (dim, parts, threads)
        back = numpy.zeros_like(full)
        metadata.gather(shards, back, max_threads=threads)
        assert numpy.array_equal(back, full), (dim, parts, threads)
"""


@pytest.mark.parametrize("way", WAYS)
def test_every_way_copies_the_same_bytes(way):
    environment = {**os.environ, "SHARDSPEC_COPY_WAY": way, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", PROGRAM]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert ended.returncode == 0, ended.stderr
