"""Refusals: their classes, their data, and that every status has a class."""

import pickle

import pytest

import shardspec
from common import ranks
from shardspec import (
    ArgumentError,
    ChunkShardingSpec,
    EnumerableShardingSpec,
    HandleError,
    LayoutError,
    OutOfRangeError,
    Placement,
    ShardedTensorMetadata,
    ShardMetadata,
    ShardspecError,
    TooLargeError,
)
from shardspec._library import lib
from shardspec.errors import FAMILIES


def refused(kind, *arguments, **named):
    with pytest.raises(ShardspecError) as caught:
        kind(*arguments, **named)
    return caught.value


def test_an_overlap_names_both_shards_and_the_box():
    error = refused(EnumerableShardingSpec, [ShardMetadata([0, 0], [3, 3], "rank:0"),
                                             ShardMetadata([2, 1], [2, 2], "rank:1")])
    assert isinstance(error, LayoutError) and isinstance(error, ValueError)
    assert (error.name, error.status) == ("OVERLAP", 8)
    assert (error.first_shard, error.second_shard, error.dim) == (0, 1, None)
    assert "[2:3, 1:3]" in str(error) == error.message


def test_a_gap_names_the_box():
    error = refused(ShardedTensorMetadata, [ShardMetadata([0, 0], [3, 3], "rank:0")], (3, 4))
    assert isinstance(error, LayoutError) and error.name == "GAP" and "[0:3, 3:4]" in str(error)


@pytest.mark.parametrize("make, family, name", [
    (lambda: ChunkShardingSpec(0, []), ArgumentError, "INVALID_ARGUMENT"),
    (lambda: ChunkShardingSpec(0, ["a/b/c"]), ArgumentError, "INVALID_PLACEMENT"),
    (lambda: ChunkShardingSpec(2, ranks(2)).build_metadata((3, 4)), ArgumentError, "INVALID_DIM"),
    (lambda: ChunkShardingSpec(0, ranks(2)).build_metadata((-1,)), ArgumentError,
     "INVALID_ARGUMENT"),
    (lambda: ChunkShardingSpec(2**63, ranks(2)), TooLargeError, "OVERFLOW"),
    (lambda: ChunkShardingSpec(0, ranks(2)).build_metadata((2**64,)), TooLargeError, "OVERFLOW"),
    (lambda: ChunkShardingSpec(0, ranks(2)).build_metadata((2**62, 4)), TooLargeError, "OVERFLOW"),
    (lambda: shardspec.get_split_size(2**64, 1), TooLargeError, "OVERFLOW"),
    (lambda: Placement("rank:0\0/cuda"), ArgumentError, "INVALID_ARGUMENT"),
    (lambda: Placement("\ud800"), ArgumentError, "INVALID_ARGUMENT"),
    (lambda: ShardMetadata([0], [1, 2]), LayoutError, "NDIM_MISMATCH"),
    (lambda: ShardMetadata([0, -1], [1, 2]), ArgumentError, "INVALID_ARGUMENT"),
    (lambda: EnumerableShardingSpec([]), ArgumentError, "INVALID_ARGUMENT"),
    (lambda: EnumerableShardingSpec([ShardMetadata([0], [1])]), ArgumentError, "NULL_ARGUMENT"),
    (lambda: EnumerableShardingSpec([ShardMetadata([0], [1], "rank:0"),
                                     ShardMetadata([1, 0], [1, 1], "rank:0")]), LayoutError,
     "NDIM_MISMATCH"),
    (lambda: ShardedTensorMetadata([ShardMetadata([0], [3], "rank:0")], (2,)), LayoutError,
     "OUT_OF_BOUNDS"),
    (lambda: ShardedTensorMetadata([ShardMetadata([0], [3], "rank:0")], (3,)).view_shard(
        1, b"abc"), OutOfRangeError, "INDEX_OUT_OF_RANGE"),
])
def test_what_is_wrong_is_refused_with_its_reason(make, family, name):
    error = refused(make)
    assert type(error) is family and error.name == name


def test_wrong_types_are_type_errors():
    for dim in (0.5, None, [0]):
        with pytest.raises(TypeError):
            ChunkShardingSpec(dim, ranks(2))


def test_errors_survive_the_way_to_another_process():
    error = refused(ChunkShardingSpec(2, ranks(2)).build_metadata, (3, 4))
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is ArgumentError and again.__dict__ == error.__dict__
    assert str(again) == str(error)


def test_every_status_has_a_family():
    families = {name: family for family in FAMILIES for name in family.statuses}
    assert len(families) == sum(len(family.statuses) for family in FAMILIES)
    statuses = {lib.status_name(number) for number in range(1, 1000)}
    names = {name for name in statuses if not name.isdigit()}
    assert len(names) > 20 and names == set(families)
    assert all(issubclass(family, ShardspecError) for family in FAMILIES)


def test_closed_objects_are_refused():
    spec = ChunkShardingSpec(0, ranks(2))
    metadata = spec.build_metadata((4,))
    with spec, metadata:
        assert not spec.closed
    assert spec.closed and metadata.closed
    for use in (lambda: spec.dim, lambda: spec.build_metadata((4,)), lambda: metadata.size,
                lambda: metadata.shards_metadata[0], lambda: metadata.scatter(bytes(4))):
        assert isinstance(refused(use), HandleError)
    assert repr(metadata) == "<closed ShardedTensorMetadata>"
    spec.close()
    metadata.close()
