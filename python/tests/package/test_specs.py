"""Specs, shards and metadata as Python objects."""

import copy
import pickle

import pytest

import shardspec
from common import ranks
from shardspec import (
    MEM_FORMAT_ENCODING,
    ArgumentError,
    ChunkShardingSpec,
    Device,
    DevicePlacementSpec,
    EnumerableShardingSpec,
    LayoutError,
    Placement,
    ShardedTensorMetadata,
    ShardingSpec,
    ShardMetadata,
    TensorProperties,
    get_chunk_sharding_params,
    get_chunked_dim_size,
    get_split_size,
    infer_sharding_spec_from_shards_metadata,
)

GRID = [ShardMetadata([row, column], [2, 2], f"rank:{row}") for row in (0, 2) for column in (0, 2)]


def test_a_chunk_spec_says_what_it_was_given():
    spec = ChunkShardingSpec(dim=-1, placements=["rank:0/cuda:0", "trainer1", "cuda:1"])
    assert isinstance(spec, ShardingSpec) and spec.dim == -1
    assert [str(one) for one in spec.placements] == ["rank:0/cuda:0", "trainer1/cpu", "cuda:1"]
    assert repr(spec) == (
        "ChunkShardingSpec(dim=-1, placements=[rank:0/cuda:0, trainer1/cpu, cuda:1])")


def test_a_placement_says_who_and_where():
    placement = Placement("rank:3/cuda:1")
    assert (placement.rank(), placement.worker_name(), placement.device()) == (
        3, None, Device("cuda", 1))
    assert Placement("trainer0") == Placement("trainer0/cpu") != Placement("trainer1")
    assert Placement("trainer0").worker_name() == "trainer0"
    assert len({Placement("rank:1"), Placement("rank:1/cpu"), Placement("rank:2")}) == 2
    assert str(placement.device()) == "cuda:1" and str(Device("cpu")) == "cpu"
    assert DevicePlacementSpec("rank:1").device == Placement("rank:1")


def test_shards_past_the_end_are_empty(rows):
    assert [(one.shard_offsets, one.shard_sizes) for one in rows.shards_metadata] == [
        ([0, 0], [2, 3]), ([2, 0], [2, 3]), ([4, 0], [1, 3]), ([6, 0], [0, 3])]
    assert rows.size == (5, 3) and rows.numel() == 15


def test_dimensions_may_have_names():
    spec = ChunkShardingSpec(dim="batch", placements=ranks(2))
    assert spec.dim == "batch"
    metadata = spec.build_metadata((3, 4), dim_names=("features", "batch"))
    assert metadata.shards_metadata[1].shard_offsets == [0, 2]
    with pytest.raises(ArgumentError, match="batch"):
        spec.build_metadata((3, 4))
    with pytest.raises(LayoutError, match="1 names for 2 dimensions"):
        spec.build_metadata((3, 4), dim_names=["batch"])


def test_shards_are_a_sequence_that_is_read_when_asked(rows):
    shards = rows.shards_metadata
    assert len(shards) == 4 and shards[-1] == list(shards)[3] and shards[1:3] == list(shards)[1:3]
    assert shards == list(shards) and shards != list(shards)[:3]
    assert shards[0] in shards and shards.index(shards[2]) == 2
    for index in (4, -5):
        with pytest.raises(IndexError):
            shards[index]
    many = ChunkShardingSpec(0, ranks(10_000)).build_metadata((20_000,))
    assert [one.shard_offsets[0] for one in many.shards_metadata] == list(range(0, 20_000, 2))
    assert "9998 more" in repr(many.shards_metadata)


def test_ranks_find_their_shards():
    metadata = EnumerableShardingSpec(GRID).build_metadata((4, 4))
    assert metadata.shards_of_rank(2) == [2, 3] and metadata.shards_of_rank(7) == []
    assert metadata.placements == [Placement("rank:0"), Placement("rank:2")]


def test_owners_find_their_shards():
    where = ["rank:1/cuda:0", "trainer0", "rank:1/cuda:1", "rank:0"]
    metadata = ChunkShardingSpec(0, where).build_metadata((4,))
    assert metadata.shards_of_owner("rank:1") == [0, 2]
    assert metadata.shards_of_owner("rank:1/cuda:1") == [2]
    assert metadata.shards_of_owner("trainer0") == [1] and metadata.shards_of_owner("nobody") == []
    with pytest.raises(ValueError) as refused:
        metadata.shards_of_owner("rank:x")
    assert refused.value.name == "INVALID_PLACEMENT"


def test_specs_and_metadata_are_compared_by_what_they_say():
    assert ChunkShardingSpec(0, ranks(2)) == ChunkShardingSpec(0, ["rank:0/cpu", "rank:1/cpu"])
    assert ChunkShardingSpec(0, ranks(2)) != ChunkShardingSpec(-2, ranks(2))
    assert EnumerableShardingSpec(GRID) != ChunkShardingSpec(0, ranks(2)) != "chunk"
    grid = EnumerableShardingSpec(GRID)
    assert len({grid, EnumerableShardingSpec(GRID), ChunkShardingSpec(0, ranks(2))}) == 2
    assert len({grid.build_metadata((4, 4)), ShardedTensorMetadata(GRID, (4, 4))}) == 1
    assert ShardedTensorMetadata(GRID, (4, 4)) != ShardedTensorMetadata(
        GRID, (4, 4), TensorProperties())
    assert len({*GRID, ShardMetadata([0, 0], [2, 2], "rank:0/cpu")}) == 4


@pytest.mark.parametrize("original", [
    ChunkShardingSpec("x", ["rank:0/cuda:1"]), EnumerableShardingSpec(GRID), GRID[0],
    Placement("rank:1"), TensorProperties("int8", requires_grad=True),
    ShardedTensorMetadata(GRID, (4, 4), TensorProperties(None)),
], ids=lambda one: type(one).__name__)
def test_everything_can_be_pickled_and_copied(original):
    for again in (pickle.loads(pickle.dumps(original)), copy.deepcopy(original)):
        assert again == original and again is not original


def test_inference_finds_chunks_in_any_order():
    cut = ChunkShardingSpec(1, ranks(3)).build_metadata((2, 7)).shards_metadata
    spec = infer_sharding_spec_from_shards_metadata([cut[2], cut[0], cut[1]])
    assert spec == ChunkShardingSpec(1, ranks(3))
    spec = infer_sharding_spec_from_shards_metadata(GRID, compat=True)
    assert isinstance(spec, EnumerableShardingSpec) and spec.shards == GRID


def test_the_arithmetic_of_chunks():
    assert get_split_size(5, 4) == 2
    assert [get_chunked_dim_size(5, 2, index) for index in range(4)] == [2, 2, 1, 0]
    spec = ChunkShardingSpec(0, ["rank:1", "rank:0"])
    assert [get_chunk_sharding_params(5, 2, spec, rank) for rank in (0, 1)] == [(3, 2), (0, 3)]
    with pytest.raises(shardspec.NotFoundError):
        get_chunk_sharding_params(5, 2, spec, 2)


def test_properties_have_torchs_defaults_and_names():
    assert TensorProperties() == TensorProperties("float32", "strided", False, "contiguous_format",
                                                  False)
    properties = TensorProperties(
        dtype="bfloat16", layout="torch._mkldnn", requires_grad=True,
        memory_format=MEM_FORMAT_ENCODING.TORCH_CHANNELS_LAST, pin_memory=True)
    assert (properties.layout, properties.memory_format) == ("_mkldnn", "channels_last")
    metadata = ChunkShardingSpec(0, ranks(2)).build_metadata((4,), properties)
    assert metadata.tensor_properties == properties
    assert ChunkShardingSpec(0, ranks(2)).build_metadata((4,)).tensor_properties.dtype is None
    for wrong in ({"dtype": "float"}, {"layout": "dense"}, {"memory_format": "rows"}):
        with pytest.raises(ArgumentError, match=next(iter(wrong.values()))):
            TensorProperties(**wrong)


def test_dtypes_of_other_libraries_are_taken():
    numpy = pytest.importorskip("numpy")
    for dtype in (numpy.float16, numpy.dtype("float16"), "float16"):
        assert TensorProperties(dtype).dtype == "float16"
    # What the library can't name is moved as so many bytes.
    for dtype in (">f2", "S2", "V2"):
        assert TensorProperties(numpy.dtype(dtype)).dtype == "uint8x2"
    with pytest.raises(ArgumentError, match=">f2"):
        TensorProperties(">f2")
    with pytest.raises(TypeError, match="dtype: .* object"):
        TensorProperties(numpy.dtype(("O", (2,))))


def test_shards_of_other_libraries_are_taken():
    class Shard:
        def __init__(self, start):
            self.shard_offsets, self.shard_sizes, self.placement = (start,), (2,), "rank:1"

    spec = EnumerableShardingSpec([Shard(0), Shard(2)])
    assert spec == EnumerableShardingSpec([ShardMetadata([0], [2], "rank:1"),
                                           ShardMetadata([2], [2], "rank:1")])
