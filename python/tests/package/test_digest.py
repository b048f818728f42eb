"""Digests of tensors in shards: one tensor has one, however it is cut."""

import functools
import operator

import numpy
import pytest

import shardspec


def crc(data):
    """CRC-64/NVME, bit by bit."""
    register = (1 << 64) - 1
    for byte in bytes(data):
        register ^= byte
        for _ in range(8):
            register = register >> 1 ^ (0x9a6c9329ac4bc9b5 if register & 1 else 0)
    return register ^ (1 << 64) - 1


@pytest.fixture
def full():
    return numpy.arange(77, dtype="float32").reshape(7, 11)


def test_the_check_value():
    assert crc(b"123456789") == 0xae8b14860a799888


@pytest.mark.parametrize("dim, ranks", [(0, 4), (0, 8), (1, 3)])
def test_parts_of_ranks_are_the_crc_of_the_tensor(full, dim, ranks):
    spec = shardspec.ChunkShardingSpec(dim, [f"rank:{rank}" for rank in range(ranks)])
    metadata = spec.build_metadata(full.shape)
    shards = metadata.scatter(full)
    assert metadata.digest(shards) == crc(full.tobytes())
    parts = [metadata.digest({index: shard}) for index, shard in enumerate(shards)]
    assert functools.reduce(operator.xor, reversed(parts)) == crc(full.tobytes())
    alone = [crc(numpy.asarray(shard).tobytes()) for shard in shards]
    assert metadata.shard_digests(shards) == alone
    assert metadata.shard_digests({-1: shards[-1]}) == {ranks - 1: alone[-1]}
    parts = []
    for rank in range(ranks):
        with shardspec.ShardedTensor.from_full(metadata, full, rank) as tensor:
            parts.append(tensor.digest(max_threads=1))
    assert functools.reduce(operator.xor, parts) == crc(full.tobytes())


def test_refusals(full):
    metadata = shardspec.ChunkShardingSpec(0, ["rank:0", "rank:1"]).build_metadata(full.shape)
    shards = metadata.scatter(full)
    assert metadata.digest([]) == 0 and metadata.digest({}) == 0
    with pytest.raises(shardspec.OutOfRangeError):
        metadata.digest({2: shards[0]})
    with pytest.raises(shardspec.ArgumentError, match="twice"):
        metadata.digest({1: shards[1], -1: shards[1]})
    with pytest.raises(shardspec.ShardspecError) as refused:
        metadata.digest({1: shards[0]})
    assert refused.value.name == "SHAPE_MISMATCH" and refused.value.first_shard == 1
