"""Layouts as JSON and as bytes: what is written follows the schema, and comes back."""

import copy
import json
import pickle
import sys

import pytest

import shardspec
from commands import ROOT
from shardspec import (
    ChunkShardingSpec,
    Cut,
    EnumerableShardingSpec,
    Mesh,
    MeshShardingSpec,
    Multiple,
    Plan,
    Segment,
    ShardedTensorMetadata,
    ShardingSpec,
    ShardMetadata,
    TensorProperties,
)

sys.path.insert(0, str(ROOT / "tools"))
import abi

SCHEMA = json.loads((ROOT / "docs/schema/layout.schema.json").read_text())
GOLDEN = sorted((ROOT / "tests/data/interchange").glob("*.json"))
MESH = Mesh({"dp": 2, "tp": 2})

SPECS = [
    ChunkShardingSpec(-1, ["rank:0", "trainer0/cuda:1"]),
    ChunkShardingSpec("rows", ["cpu", "cpu"]),
    EnumerableShardingSpec([ShardMetadata([0, 0], [2, 3], "rank:1"), ShardMetadata([2, 0], [1, 3], "rank:0")]),
    EnumerableShardingSpec([
        ShardMetadata([at], [4], f"rank:{at}", [[(at, 0, 1, 4, 2, 1)]]) for at in (0, 1)]),
    MeshShardingSpec(MESH, [Cut(0, "tp")], partial={"dp": "max"}),
    MeshShardingSpec(MESH, [Cut("x", "dp", "cyclic", block=3, first=1),
                            Cut(-1, "tp", segments=[Segment(4), Segment(2, sizes=(0, 2))])],
                     pad={-1: 6, "x": Multiple(4)}),
    MeshShardingSpec(MESH, [Cut(0, "tp", weights=(1, 2), even=False),
                            Cut(0, "dp", granule=2, repeat=2, segments=3)], flatten=(0, 2)),
]


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_every_golden_text_follows_the_schema_and_is_read(path):
    text = path.read_text().rstrip("\n")
    document = json.loads(text)
    assert not abi.mistakes(document, SCHEMA, SCHEMA)
    if document["kind"] == "shardspec.spec":
        assert ShardingSpec.from_json(text).to_json() == text
        assert ShardingSpec.from_json(json.dumps(document, indent=2)).to_json() == text
    elif document["kind"] == "shardspec.metadata":
        assert ShardedTensorMetadata.from_json(text).to_json() == text
        assert ShardedTensorMetadata.from_json(text.encode()).to_json() == text


def test_the_schema_refuses_what_the_library_refuses():
    document = json.loads(SPECS[0].to_json())
    for change in ({"colour": 1}, {"version": 2}, {"kind": "other"}, {"chunk": {"dim": 0}},
                   {"chunk": {"dim": 1.5, "placements": ["w"]}},
                   {"chunk": {"dim": 0, "placements": ["w"], "owners": [-1]}}):
        wrong = {**document, **change}
        assert abi.mistakes(wrong, SCHEMA, SCHEMA), wrong
        with pytest.raises(shardspec.ShardspecError):
            ShardingSpec.from_json(json.dumps(wrong))


@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_specs_come_back_with_their_parts(spec):
    text, data = spec.to_json(), spec.to_bytes()
    assert not abi.mistakes(json.loads(text), SCHEMA, SCHEMA)
    for read in (ShardingSpec.from_json(text), ShardingSpec.from_bytes(data),
                 pickle.loads(pickle.dumps(ShardingSpec.from_json(text))),
                 copy.copy(ShardingSpec.from_bytes(memoryview(data)))):
        assert type(read) is type(spec)
        assert read == spec
        assert (read.to_json(), read.to_bytes()) == (text, data)
        if isinstance(spec, MeshShardingSpec):
            again = MeshShardingSpec(read.mesh, read.cuts, pad=read.pad, flatten=read.flatten,
                                     partial=read.partial)
            assert again == spec
        else:
            assert repr(read) == repr(spec)


def test_metadata_comes_back_with_its_labels():
    spec = MeshShardingSpec(MESH, [Cut(1, "tp", "cyclic", block=2)], pad={1: Multiple(8)})
    properties = TensorProperties(dtype="bfloat16")
    metadata = spec.build_metadata([2, 11], properties, dim_names=["rows", "columns"])
    for read in (ShardedTensorMetadata.from_json(metadata.to_json()),
                 ShardedTensorMetadata.from_bytes(metadata.to_bytes())):
        assert read == metadata
        assert (read.mesh, read.dim_names, read.partial) == (MESH, ["rows", "columns"], {})
        assert read.stretches(0, 1) == metadata.stretches(0, 1)


def test_a_plan_has_a_summary():
    source = ChunkShardingSpec(0, ["rank:0", "rank:1"]).build_metadata([4, 6], TensorProperties())
    destination = ChunkShardingSpec(1, ["rank:0", "w"]).build_metadata([4, 6], TensorProperties())
    summary = json.loads(Plan(source, destination).to_json())
    assert not abi.mistakes(summary, SCHEMA, SCHEMA)
    assert summary["owners"] == ["rank:0", "rank:1", "w"]
    assert summary["traffic"]["sources"] == [0, 0, 1, 1]
    assert sum(summary["traffic"]["elements"]) == summary["elements"] == 24
    assert summary["messages"] == 3


def test_refusals_have_a_place():
    data = SPECS[0].to_bytes()
    for end in range(len(data)):
        with pytest.raises(shardspec.ShardspecError) as refused:
            ShardingSpec.from_bytes(data[:end])
        assert refused.value.index is not None
    with pytest.raises(NotImplementedError, match="the field \"order\" is not known") as refused:
        ShardingSpec.from_json('{"kind":"shardspec.spec","order":1}')
    assert refused.value.index == 25
    with pytest.raises(ValueError, match="not UTF-8"):
        ShardingSpec.from_json('{"\udc80":1}')
    for wrong in (None, 1, ["{}"]):
        with pytest.raises(TypeError, match="text: a str or bytes"):
            ShardingSpec.from_json(wrong)
        with pytest.raises(TypeError, match="data: bytes"):
            ShardedTensorMetadata.from_bytes(wrong)


def test_specs_of_my_own_are_code():
    class Spiral(ShardingSpec):
        def build_metadata(self, tensor_sizes, tensor_properties=None):
            raise NotImplementedError

    with pytest.raises(NotImplementedError, match="custom type '.*Spiral'"):
        Spiral().to_json()
    with pytest.raises(NotImplementedError, match="custom type '.*Spiral'"):
        Spiral().to_bytes()
