"""What torch itself answered, asked of the package. torch-parity.md lists the differences."""

import collections
import json
import pathlib

import pytest

import shardspec
from shardspec import (
    ChunkShardingSpec,
    EnumerableShardingSpec,
    Placement,
    ShardMetadata,
    ShardspecError,
    TooLargeError,
    infer_sharding_spec_from_shards_metadata,
)

DATA = pathlib.Path(__file__).resolve().parents[3] / "tests/data"


def cases(name):
    return json.loads((DATA / f"{name}.json").read_text())["cases"]


def shards(listed):
    return [ShardMetadata(one["offsets"], one["sizes"], one["placement"]) for one in listed]


def plain(listed):
    return [{"offsets": one.shard_offsets, "sizes": one.shard_sizes,
             "placement": str(one.placement)} for one in listed]


def test_placements_are_read_as_torch_reads_them():
    tally = collections.Counter()
    for case in cases("placements"):
        wanted = case["answer"].get("ok")
        try:
            placement = Placement(case["text"])
        except ValueError as error:
            assert isinstance(error, ShardspecError) and error.name == "INVALID_PLACEMENT"
            tally["differs" if wanted else "refused"] += 1
            continue
        device = placement.device()
        assert wanted == {"worker": placement.worker_name(), "rank": placement.rank(),
                          "device": device.type, "index": device.index, "text": str(placement)}
        tally["same"] += 1
    assert tally == {"same": 104, "refused": 315, "differs": 18}


def test_chunk_specs_cut_as_torch_cuts():
    tally = collections.Counter()
    for case in cases("chunk"):
        spec = ChunkShardingSpec(case["dim"], case["placements"])
        try:
            metadata = spec.build_metadata(case["sizes"])
        except TooLargeError:
            tally["more elements than 64 bits count"] += 1
        except ValueError as error:
            assert error.name == "INVALID_DIM" and "ok" not in case["answer"]
            tally["refused"] += 1
        else:
            assert plain(metadata.shards_metadata) == case["answer"]["ok"]
            tally["same"] += 1
    assert tally == {"same": 233, "refused": 61, "more elements than 64 bits count": 6}


def test_enumerable_specs_accept_and_refuse_as_torch_does():
    tally = collections.Counter()
    for case in cases("enumerable"):
        accepted = "ok" in case["answer"]
        try:
            listed = shards(case["shards"])
            metadata = EnumerableShardingSpec(listed).build_metadata(case["sizes"])
        except ShardspecError as error:
            assert isinstance(error, (ValueError, OverflowError))
            tally["refused", accepted] += 1
        else:
            assert list(metadata.shards_metadata) == listed
            tally["accepted", accepted] += 1
    # Empty shards own nothing, so we accept where torch does not; never the other way round, but
    # for what 64 bits can't count.
    assert tally["refused", True] == 0 and sum(tally.values()) == 400
    assert tally["accepted", True] > 100 and tally["refused", False] > 100
    assert tally["accepted", False] < 100


@pytest.mark.parametrize("case", cases("infer"), ids=lambda case: case["kind"])
def test_inference_answers_what_torch_does_or_what_describes_the_shards(case):
    listed = shards(case["shards"])
    wanted = case["answer"].get("ok")
    try:
        spec = infer_sharding_spec_from_shards_metadata(listed)
    except ShardspecError as error:
        assert wanted is None or isinstance(error, shardspec.LayoutError)
        return
    if isinstance(spec, EnumerableShardingSpec):
        assert spec.shards == listed
    else:
        size = [max(one.shard_offsets[dim] + one.shard_sizes[dim] for one in listed
                    if all(one.shard_sizes)) for dim in range(len(listed[0].shard_offsets))]
        made = plain(spec.build_metadata(size).shards_metadata)
        assert sorted(made, key=str) == sorted(plain(listed), key=str)
        if wanted and wanted["kind"] == "chunk":
            assert spec.dim == wanted["dim"]
            assert [str(one) for one in spec.placements] == wanted["placements"]
