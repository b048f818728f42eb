"""Sequences whose `len` is another than what they yield: what crosses is counted when it is made."""


import numpy
import pytest

from common import ranks
from shardspec import (
    ChunkShardingSpec,
    Communicator,
    EnumerableShardingSpec,
    Message,
    Plan,
    ShardedTensor,
    ShardedTensorMetadata,
    ShardMetadata,
    ShardspecError,
    custom_sharding_spec_op,
    dispatch_custom_op,
    find_gaps,
    find_overlaps,
    globalize,
    infer_sharding_spec_from_shards_metadata,
    locate,
    owner_of,
    relabel,
    remove_custom_op,
    shards_in_box,
)

FULL = numpy.arange(12.0).reshape(4, 3)
ROWS = ChunkShardingSpec(0, ranks(2)).build_metadata((4, 3))
PARTS = [FULL[:2], FULL[2:]]
SHARDS = [ShardMetadata([0, 0], [2, 3], "rank:0"), ShardMetadata([2, 0], [2, 3], "rank:1")]


class Lying:
    """Yields what it has, and says that there is more or less."""

    def __init__(self, values, says):
        self.values, self.says = list(values), says

    def __len__(self):
        return self.says

    def __length_hint__(self):
        return self.says

    def __getitem__(self, index):
        return self.values[index]

    def __iter__(self):
        return iter(self.values)


class LyingList(list):
    """The same as a list, whose own items are other than what it yields."""

    says = 0

    def __len__(self):
        return self.says


def lying_list(values, says):
    made = LyingList(values)
    made.says = says
    return made


@pytest.fixture(params=[0, 1, 5, 1 << 40])
def says(request):
    return request.param


@pytest.fixture(params=[Lying, lying_list], ids=["sequence", "list"])
def lying(request, says):
    return lambda values: request.param(values, says)


def test_what_is_yielded_is_what_counts(lying):
    shards = ROWS.scatter(FULL)
    for made in (ROWS.gather(lying(shards)), ROWS.gather(lying(PARTS))):
        assert numpy.array_equal(numpy.asarray(made), FULL)
    places = [numpy.zeros((2, 3)) for _ in range(2)]
    ROWS.scatter(FULL, lying(places))
    assert numpy.array_equal(numpy.concatenate(places), FULL)
    assert ChunkShardingSpec(0, lying(ranks(2))).build_metadata(lying((4, 3))) == ROWS
    assert EnumerableShardingSpec(lying(SHARDS)).build_metadata((4, 3)) == ROWS
    assert ShardedTensorMetadata(lying(SHARDS), lying((4, 3))) == ROWS
    assert infer_sharding_spec_from_shards_metadata(lying(SHARDS)) == ChunkShardingSpec(0, ranks(2))
    assert ShardMetadata(lying([2, 0]), lying([2, 3]), "rank:1") == SHARDS[1]
    named = ChunkShardingSpec("rows", ranks(2))
    assert named.build_metadata((4, 3), dim_names=lying(["rows", "columns"])) == ROWS


def test_plans_and_places_are_counted_too(lying):
    plan = Plan(lying(SHARDS), lying(SHARDS[::-1]))
    assert [(piece.source, piece.destination) for piece in plan] == [(1, 0), (0, 1)]
    assert numpy.array_equal(numpy.asarray(plan.execute(lying(PARTS))[1]), FULL[:2])
    places = [numpy.zeros((2, 3)) for _ in range(2)]
    plan.execute(PARTS, lying(places))
    assert numpy.array_equal(places[0], FULL[2:])
    assert len(Plan(ROWS, ROWS, wanted=lying([1]))) == 1
    assert find_overlaps(lying(SHARDS)) == [] and find_gaps(lying(SHARDS), lying((4, 3))) == []
    assert locate(ROWS, lying([lying((3, 1)), lying((0, 0))])) == [(1, (1, 1)), (0, (0, 0))]
    assert globalize(ROWS, lying([(1, lying((1, 1)))])) == [(3, 1)]
    assert owner_of(ROWS, lying((3, 1))) == 1
    assert shards_in_box(ROWS, lying((0, 0)), lying((4, 1))) == [0, 1]
    assert relabel(ROWS, lying([1, 0])).shards_of_rank(0) == [1]


def test_sharded_tensors_and_messages_are_counted_too(lying):
    tensor = ShardedTensor.from_local_shards(lying([(1, PARTS[1]), (0, PARTS[0])]), ROWS)
    assert numpy.array_equal(numpy.asarray(tensor.gather()), FULL)
    assert ShardedTensor.zeros(tensor.metadata(), indices=lying([1])).local_indices() == [1]
    with Communicator.local(1)[0] as alone:
        alone.exchange(lying([]), lying([]))
        whole = ChunkShardingSpec(0, ranks(1)).build_metadata((4, 3))
        assert numpy.array_equal(numpy.asarray(alone.gather(whole, lying([FULL]))), FULL)
        (shard,) = alone.reshard(whole, lying([FULL]), whole, lying([numpy.zeros((4, 3))]))
        assert numpy.array_equal(shard, FULL)


def test_an_op_is_called_with_what_was_yielded(lying):
    spec = ChunkShardingSpec(0, ranks(2))
    tensor = ShardedTensor.from_full(ROWS, FULL)
    seen = []
    custom_sharding_spec_op(ChunkShardingSpec, "test.lengths")(
        lambda types, args, kwargs, group: seen.append(args))
    try:
        dispatch_custom_op(spec, "test.lengths", lying([tensor, 3, lying([1, 2])]))
    finally:
        remove_custom_op(spec, "test.lengths")
    assert seen[0][:2] == (tensor, 3) and len(seen[0]) == 3


def test_shards_with_lying_boxes_are_not_read_past_their_end(lying):
    class Torchs:
        placement = "rank:0"

        def __init__(self, offsets, sizes):
            self.shard_offsets, self.shard_sizes = lying(offsets), lying(sizes)

    spec = EnumerableShardingSpec([Torchs([0, 0], [2, 3]), Torchs([2, 0], [2, 3])])
    assert [one.shard_sizes for one in spec.build_metadata((4, 3)).shards_metadata] == [[2, 3]] * 2
    with pytest.raises(ShardspecError, match="dimensions"):
        EnumerableShardingSpec([Torchs([0, 0], [2, 3]), Torchs([2], [2])])


def test_a_message_is_as_long_as_its_memory():
    with Communicator.local(1)[0] as alone, pytest.raises(BufferError, match=r"sends\[0\].*contiguous"):
        alone.exchange([Message(0, memoryview(bytes(8))[::2])], [])

    class Longer:
        """Memory that says it is longer than it is."""

        nbytes = 1 << 20

        def __init__(self):
            self.memory = bytearray(8)

    with Communicator.local(1)[0] as alone, pytest.raises(TypeError):
        alone.exchange([Message(0, Longer())], [])


def test_raw_arrays_of_numbers_are_no_numbers():
    for raw in (bytes(16), bytearray(16), "44"):
        with pytest.raises(TypeError, match="tensor_sizes: a list of integers, not a text"):
            ChunkShardingSpec(0, ranks(2)).build_metadata(raw)
    with pytest.raises(IndexError, match=r"placement_indices\[0\]"):
        relabel(ROWS, [1 << 32, 1])
    with pytest.raises(IndexError, match=r"sources\[0\]"):
        Plan(ROWS, ROWS).execute({-1: PARTS[0]})
