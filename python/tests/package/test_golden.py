"""What torch itself answered, asked of the package; and layouts over a mesh, index by index.
torch-parity.md lists the differences."""

import collections
import json
import pathlib

import pytest

import shardspec
from shardspec import (
    ChunkShardingSpec,
    Cut,
    EnumerableShardingSpec,
    Mesh,
    MeshShardingSpec,
    Placement,
    Segment,
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
        spec = infer_sharding_spec_from_shards_metadata(listed, compat=True)
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


def cut_of(case):
    """A cut of a case, whose axes are numbers."""
    options = dict(case, axis=str(case["axis"]))
    if isinstance(options.get("segments"), list):
        options["segments"] = [Segment(**segment) for segment in options["segments"]]
    return Cut(**options)


def runs(indices):
    """Indices as the file writes them: the first index, or -1 for a hole, and how many."""
    found = []
    for index in indices:
        if found and index == (found[-1][0] + found[-1][1] if found[-1][0] >= 0 else -1):
            found[-1][1] += 1
        else:
            found.append([index, 1])
    return found


def test_every_layout_over_a_mesh_is_answered_index_by_index():
    tally = collections.Counter()
    for case in cases("layouts"):
        mesh = Mesh({str(axis): size for axis, size in enumerate(case["mesh"])})
        # A dimension of no length that is to have none needs no pad.
        pad = {int(dim): length for dim, length in case.get("pad", {}).items() if length}
        try:
            spec = MeshShardingSpec(mesh, map(cut_of, case["cuts"]), pad=pad,
                                    flatten=case.get("flatten"))
            metadata = spec.build_metadata(case["sizes"])
        except ShardspecError as error:
            assert isinstance(error, ValueError) and "refused" in case["answer"]
            tally["refused"] += 1
            continue
        dims = len(metadata.shards_metadata[0].shard_sizes)
        assert case["answer"]["ok"] == [
            [runs(metadata.indices(shard, dim)) for dim in range(dims)]
            for shard in range(mesh.device_count)]
        tally["same"] += 1
    assert tally == {"same": 361, "refused": 39}


def dtensor_cut(axis, written):
    """`S(1)` or `_S(1, 2)` of a DTensor, as a cut over an axis; none of `R`."""
    if "(" not in written:
        return []
    dim, _, number = written.partition("(")[2].removesuffix(")").partition(",")
    return [Cut(int(dim), str(axis), segments=int(number) if number else None)]


def test_cuts_from_left_to_right_are_a_dtensor():
    for case in cases("dtensor"):
        mesh = Mesh({str(axis): size for axis, size in enumerate(case["mesh"])})
        cuts = [cut for axis, written in enumerate(case["placements"])
                for cut in dtensor_cut(axis, written)]
        metadata = MeshShardingSpec(mesh, cuts).build_metadata(case["sizes"])
        for shard, answer in zip(metadata.shards_metadata, case["answer"]["ok"], strict=True):
            assert shard.shard_sizes == answer["local_shape"]
            assert shard.shard_offsets == answer["global_offset"]
        assert [[*metadata.coordinates(shard).values()] for shard in range(mesh.device_count)] == [
            answer["coordinate"] for answer in case["answer"]["ok"]]
