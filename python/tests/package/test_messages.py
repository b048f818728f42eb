"""What is said about a wrong argument: its name here, what was passed, and what to pass."""

import contextlib

import numpy
import pytest

from common import ranks
from shardspec import (
    ArgumentError,
    ChunkShardingSpec,
    Communicator,
    Cut,
    EnumerableShardingSpec,
    Message,
    OutOfMemoryError,
    Plan,
    ShardedTensor,
    ShardedTensorMetadata,
    ShardingSpec,
    ShardMetadata,
    ShardspecError,
    TensorProperties,
    TooLargeError,
    as_tensor,
    commit_checkpoint,
    custom_sharding_spec_op,
    dispatch_custom_op,
    empty,
    find_gaps,
    find_overlaps,
    get_chunk_sharding_params,
    globalize,
    has_custom_op,
    infer_sharding_spec_from_shards_metadata,
    locate,
    owner_of,
    relabel,
    shards_in_box,
)

FULL = numpy.arange(12.0).reshape(4, 3)
SPEC = ChunkShardingSpec(0, ranks(2))
ROWS = SPEC.build_metadata((4, 3))
WHOLE = ChunkShardingSpec(0, ranks(1)).build_metadata((4, 3))
ALONE = Communicator.local(1)[0]


class Listing(ShardingSpec):
    def build_metadata(self, tensor_sizes, tensor_properties=None):
        return [ShardMetadata([0], [4], "rank:0")]


class Unready(Communicator):
    def __init__(self):
        pass


TEXTS = [
    (lambda: ChunkShardingSpec(0, "worker"), "placements: a list of placements, not a text"),
    (lambda: ChunkShardingSpec(0, "rank:0"), "placements: a list of placements, not a text"),
    (lambda: EnumerableShardingSpec("rank:0"), "shards: a list of shards, not a text"),
    (lambda: ShardedTensorMetadata("ab", (4,)), "shards_metadata: a list of shards, not a text"),
    (lambda: SPEC.build_metadata("44"), "tensor_sizes: a list of integers, not a text"),
    (lambda: SPEC.build_metadata((4,), dim_names="x"), "dim_names: a list of names, not a text"),
    (lambda: ShardMetadata("1", "2"), "shard_offsets: a list of integers, not a text"),
    (lambda: find_overlaps("ab"), "shards: a list of shards, not a text"),
    (lambda: Plan(ROWS, "ab"), "destination: a list of shards, not a text"),
    (lambda: Plan(ROWS, ROWS, wanted="01"), "wanted: a list of indices, not a text"),
    (lambda: ShardedTensor.zeros(ROWS, indices="01"), "indices: a list of indices, not a text"),
    (lambda: ROWS.gather(b"01"), "shards: a list of tensors, not a text"),
    (lambda: relabel(ROWS, b"01"), "placement_indices: a list of indices, not a text"),
    (lambda: dispatch_custom_op(SPEC, "no", "ab"), "args: a list of arguments, not a text"),
    (lambda: locate(ROWS, ["01"]), r"elements\[0\]: a list of integers, not a text"),
    (lambda: ALONE.gather(WHOLE, "ab"), "shards: a list of tensors, not a text"),
]
NO_LISTS = [
    (lambda: ChunkShardingSpec(0, 4), "placements: a list of placements, not 4"),
    (lambda: SPEC.build_metadata(8), "tensor_sizes: a list of integers, not 8"),
    (lambda: ShardedTensorMetadata([], 4), "shards: the list is empty|size: a list"),
    (lambda: empty(3, "float32"), "shape: a list of integers, not 3"),
    (lambda: locate(ROWS, [1, 2]), r"elements\[0\]: a list of integers, not 1"),
    (lambda: globalize(ROWS, [1]), r"places\[0\]: a list of a shard and an index in it, not 1"),
    (lambda: globalize(ROWS, [(1, 2, 3)]), r"places\[0\]: a shard and an index in it"),
    (lambda: owner_of(ROWS, 3), "element: a list of integers, not 3"),
    (lambda: shards_in_box(ROWS, 3, (1, 1)), "offsets: a list of integers, not 3"),
    (lambda: find_gaps(ROWS, 4), "tensor_sizes: a list of integers, not 4"),
    (lambda: find_gaps(None, (4,)), "shards: a list of shards, not None"),
    (lambda: ROWS.scatter(FULL, 3), "shards: a list of tensors, not 3"),
    (lambda: Plan(ROWS, ROWS).execute(3), "sources: a list of tensors, not 3"),
    (lambda: ShardedTensor.from_local_shards(3, ROWS), "local_shards: a list of shards, not 3"),
    (lambda: infer_sharding_spec_from_shards_metadata(3), "shards_metadata: a list of shards"),
    (lambda: ALONE.gather(WHOLE, None), "shards: a list of tensors, not None"),
    (lambda: ALONE.exchange(3, []), "sends: a list of messages, not 3"),
]
OTHER_TYPES = [
    (lambda: ShardedTensorMetadata([1], (4,)), r"shards_metadata\[0\]: a shard, .* not 1"),
    (lambda: SPEC.build_metadata([8.5]), r"tensor_sizes\[0\]: an integer, not 8.5"),
    (lambda: SPEC.build_metadata((4,), "float32"), "tensor_properties: TensorProperties, not a"),
    (lambda: ShardMetadata([0], [4], 7), "placement: a text such as 'rank:0/cuda:0', not 7"),
    (lambda: TensorProperties.create_from_tensor([1]), "tensor: a tensor or array"),
    (lambda: Plan(ROWS, ROWS)["a"], "index: an integer, not a str"),
    (lambda: Plan(ROWS, ROWS, wanted=["a"]), "wanted: an integer, not a str"),
    (lambda: Plan(ROWS, ROWS).execute({"a": FULL}), r"sources: an integer, not a str"),
    (lambda: Plan(ROWS, ROWS).execute([FULL[:2], 3]), r"sources\[1\]: 3 has neither"),
    (lambda: find_overlaps(ROWS, "x"), "limit: an integer, not a str"),
    (lambda: ROWS.scatter(FULL, max_threads="a"), "max_threads: an integer, not a str"),
    (lambda: ROWS.shards_of_rank("a"), "rank: an integer, not a str"),
    (lambda: ROWS.shards_metadata["a"], "index: an integer, not a str"),
    (lambda: ChunkShardingSpec(0.5, ranks(2)), "dim: an integer, not 0.5"),
    (lambda: ShardedTensor.zeros(3), "metadata: a ShardedTensorMetadata, not 3"),
    (lambda: ShardedTensor.from_full(3, FULL), "layout: a ShardedTensorMetadata, not 3"),
    (lambda: ShardedTensor.from_local_shards([(0, FULL)], None), "metadata: .*, not None"),
    (lambda: ShardedTensor.from_full(ROWS, FULL, indices=["a"]), "indices: an integer, not a str"),
    (lambda: owner_of(SPEC, (0, 0)), "metadata: a ShardedTensorMetadata, not a ChunkShardingSpec"),
    (lambda: get_chunk_sharding_params(4, 2, 3, 1), "spec: a ChunkShardingSpec, not 3"),
    (lambda: custom_sharding_spec_op(3, "x")(print), "sharding_spec_class: a ShardingSpec .*, not 3"),
    (lambda: has_custom_op(int, "x"), "sharding_spec: a ShardingSpec"),
    (lambda: dispatch_custom_op(SPEC, 3), "op: a name or a function, not 3"),
    (lambda: ALONE.gather(None, [FULL]), "metadata: a ShardedTensorMetadata, not None"),
    (lambda: ALONE.shard(None, FULL), "metadata: a ShardedTensorMetadata, not None"),
    (lambda: ALONE.reshard(WHOLE, [FULL], None), "to_metadata: .*, not None"),
    (lambda: ALONE.shard(WHOLE, FULL, src_rank="a"), "src_rank: an integer, not a str"),
    (lambda: ALONE.gather(WHOLE, [FULL], memory_limit="a"), "memory_limit: an integer, not a str"),
    (lambda: Communicator.local("a"), "size: an integer, not a str"),
    (lambda: ALONE.exchange([3], []), r"sends\[0\]: a Message, not 3"),
    (lambda: ALONE.exchange([Message("a", b"x")], []), r"sends\[0\].peer: an integer, not a str"),
    (lambda: Unready().rank, "this Unready was not set up: its __init__ has to call super"),
    (lambda: Unready().gather(WHOLE, [FULL]), "this Unready was not set up"),
    (lambda: Listing().shard(FULL), "Listing.build_metadata returned a list; it has to return a "),
    (lambda: Listing().shard(FULL, 0, ALONE), "Listing.build_metadata returned a list"),
    (lambda: ShardedTensor.from_full(Listing(), FULL), "Listing.build_metadata returned a list"),
]
REFUSALS = [
    (lambda: ChunkShardingSpec(0, ["rank:0", "a/b/c"]), r'placements\[1\]: "a/b/c": it has more'),
    (lambda: empty((2, -3), "float32"), "shape: -3 in dimension 1 is negative"),
    (lambda: empty((3,), "f4"), 'dtype: "f4" is not a dtype; write a name such as'),
    (lambda: TensorProperties(dtype="BF16"), 'dtype: "BF16" is not a dtype'),
    (lambda: ROWS.scatter(FULL, [FULL]), "shards: 1 tensors for 2 shards; pass one for each"),
    (lambda: ROWS.gather([FULL]), "shards: 1 tensors for 2 shards; pass one for each"),
    (lambda: ALONE.shard(WHOLE, None), "full: pass the tensor on src_rank 0"),
    (lambda: ShardedTensor.from_rank(WHOLE, None, ALONE), "full: pass the tensor on src_rank 0"),
    (lambda: Communicator.local(-1), "size: -1 is not between 0 and"),
    (lambda: EnumerableShardingSpec([ShardMetadata([0], [4])]),
     r"shards\[0\]: the shard has no placement; say where it lives, such as 'rank:0'"),
]


def test_a_tensor_that_fits_into_no_memory_is_refused_by_its_shape():
    with pytest.raises(OutOfMemoryError, match=r"^shape: there is no memory for the \d+ bytes of \[1125899906842624\]"):
        empty((1 << 50,), "float64")
    for shape in ((1 << 62,), ((1 << 63) - 1, 2)):
        with pytest.raises(TooLargeError, match=r"^shape: the bytes of \[\d+(, 2)?\] float64 do not fit"):
            empty(shape, "float64")
    assert issubclass(OutOfMemoryError, MemoryError)


FLAGS = {
    "compat": lambda flag: infer_sharding_spec_from_shards_metadata(ROWS.shards_metadata, compat=flag),
    "ascii": lambda flag: ROWS.draw(ascii=flag),
    "color": lambda flag: ROWS.draw(color=flag),
    "requires_grad": lambda flag: TensorProperties(requires_grad=flag),
    "pin_memory": lambda flag: TensorProperties(pin_memory=flag),
    "even": lambda flag: Cut(0, "x", even=flag),
    "replace": lambda flag: commit_checkpoint("no/such/path", {"x": ROWS}, replace=flag),
    "copy": lambda flag: as_tensor(numpy.zeros(3)).__dlpack__(copy=flag),
}


@pytest.mark.parametrize("name", FLAGS)
def test_a_flag_is_a_boolean_or_a_number(name):
    for wrong in ("no", [], {}, 0.0, numpy.zeros(1)):
        with pytest.raises(TypeError, match=rf"^{name}: True or False, not "):
            FLAGS[name](wrong)
    for right in (True, False, 1, 0, numpy.True_, numpy.False_, numpy.int8(1)):
        with contextlib.suppress(ShardspecError):  # Of a path that is not there.
            FLAGS[name](right)


@pytest.mark.parametrize("call, words", TEXTS + NO_LISTS[:2] + NO_LISTS[3:] + OTHER_TYPES)
def test_a_wrong_type_is_told_with_the_arguments_name(call, words):
    with pytest.raises(TypeError, match=words) as refused:
        call()
    assert not isinstance(refused.value, ShardspecError)


def test_the_position_in_a_list_is_a_number():
    for call, index in (
            (lambda: ChunkShardingSpec(0, ["rank:0", "a/b/c"]), 1),
            (lambda: EnumerableShardingSpec([ROWS.shards_metadata[0], ShardMetadata([2, 0], [2, 3])]),
             1),
            (lambda: EnumerableShardingSpec([ROWS.shards_metadata[0], ShardMetadata([2], [2], "cpu")]),
             1),
            (lambda: locate(ROWS, [(0, 0), (1, 1), (2,)]), 2), (lambda: relabel(ROWS, [0, -1]), 1),
            (lambda: locate(ROWS, [(0, 0), (9, 9)]), 1)):
        with pytest.raises(ShardspecError) as refused:
            call()
        assert refused.value.index == index


def test_errors_name_owners_and_how_many_more():
    with pytest.raises(ShardspecError, match=r"shards 0 \(rank:1/cpu\) and 1 \(rank:2/cpu\) both own"):
        EnumerableShardingSpec([ShardMetadata([0], [2], "rank:1"),
                                ShardMetadata([1], [2], "rank:2")])
    with pytest.raises(ShardspecError, match=r"next to shard 0 \(rank:1/cpu\), and 1 other box"):
        ShardedTensorMetadata([ShardMetadata([2], [2], "rank:1"), ShardMetadata([6], [2], "rank:1")],
                              (8,))
    with pytest.raises(ArgumentError, match="a tensor without dimensions can't be cut") as refused:
        SPEC.build_metadata(())
    assert refused.value.name == "INVALID_DIM" and refused.value.dim == 0


@pytest.mark.parametrize("call, words", REFUSALS)
def test_a_wrong_value_is_told_with_the_arguments_name(call, words):
    with pytest.raises(ArgumentError, match=words):
        call()


def test_null_is_no_word_of_pythons():
    from shardspec._library import lib

    with pytest.raises(TypeError, match="^metadata: a ShardedTensorMetadata, not None$"):
        lib.metadata_numel(None, None)
    with pytest.raises(ArgumentError, match="^out: is None; pass an object$"):
        lib.metadata_numel(ROWS, None)


def test_torchs_properties_are_properties():
    class Torchs:
        dtype, layout, requires_grad = "float64", "strided", True
        memory_format, pin_memory = "contiguous_format", False

    assert SPEC.build_metadata((4,), Torchs()).tensor_properties == TensorProperties(
        "float64", requires_grad=True)
