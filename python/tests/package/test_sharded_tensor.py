"""Sharded tensors: metadata with the shards that are here."""

import gc
import weakref

import numpy
import pytest

from shardspec import (
    ArgumentError,
    ChunkShardingSpec,
    HandleError,
    NotFoundError,
    NotLocalError,
    Shard,
    ShardedTensor,
    ShardedTensorMetadata,
    ShardingSpec,
    ShardMetadata,
    TensorProperties,
    ViewError,
)

SPEC = ChunkShardingSpec(0, ["rank:0", "rank:1", "rank:1/cuda:0", "trainer0"])


@pytest.fixture
def full():
    return numpy.arange(21, dtype="float32").reshape(7, 3)


@pytest.fixture
def metadata():
    return SPEC.build_metadata((7, 3), TensorProperties("float32", requires_grad=True))


@pytest.mark.parametrize("owner, local", [
    (0, [0]), (numpy.int64(0), [0]), (numpy.uint8(1), [1, 2]), ("rank:1", [1, 2]), ("rank:1/cuda:0", [2]),
    ("trainer0", [3]), (9, []), (None, [0, 1, 2, 3])])
def test_each_owner_gets_its_shards(full, metadata, owner, local):
    for layout in (metadata, SPEC):
        tensor = ShardedTensor.from_full(layout, full, owner)
        assert tensor.local_indices() == local and tensor.size() == (7, 3) and tensor.size(1) == 3
        for shard, index in zip(tensor.local_shards(), local):
            assert shard.metadata == metadata.shards_metadata[index]
            assert shard.tensor.data_ptr() % 64 == 0
            assert numpy.array_equal(numpy.asarray(shard.tensor), full[2 * index:][:2])
    assert ShardedTensor.from_full(metadata, full, indices=local[::-1]).local_indices() == local
    assert ShardedTensor.from_full(SPEC, full, indices=local).local_indices() == local


def test_all_shards_here_make_the_tensor_again(full, metadata):
    tensor = ShardedTensor.from_full(metadata, full)
    assert numpy.array_equal(numpy.asarray(tensor.gather()), full)
    back = numpy.zeros((3, 7), "float32").T
    assert tensor.gather(back, max_threads=1) is back and numpy.array_equal(back, full)
    with pytest.raises(NotLocalError, match="not local") as refused:
        ShardedTensor.from_full(metadata, full, 0).gather(back)
    assert refused.value.first_shard == 1


def test_new_shards_are_zero_when_asked(metadata):
    tensor = ShardedTensor.zeros(metadata, "rank:1")
    assert [shard.tensor.tolist() for shard in tensor.local_shards()] == [[[0] * 3] * 2] * 2
    assert ShardedTensor.empty(metadata, indices=[3]).local_tensor().shape == (1, 3)
    with pytest.raises(ArgumentError, match="2 shards are local"):
        tensor.local_tensor()
    with pytest.raises(ArgumentError, match="type"):
        ShardedTensor.zeros(SPEC.build_metadata((7, 3)))
    with pytest.raises(ArgumentError, match="not both"):
        ShardedTensor.zeros(metadata, 0, indices=[1])


def test_properties_are_carried(full, metadata):
    tensor = ShardedTensor.from_full(metadata, full, 0)
    assert tensor.requires_grad and tensor.dtype == "float32"
    assert tensor.metadata() == metadata and tensor.sharding_spec() == SPEC
    tensor = ShardedTensor.from_full(SPEC, full, tensor_properties=TensorProperties(
        None, pin_memory=True))
    assert tensor.tensor_properties == TensorProperties("float32", pin_memory=True)
    assert "float32, shards [0, 1, 2, 3]" in repr(tensor)


def test_shards_that_are_here_are_used_in_place(full, metadata):
    parts = [full[4:6], full[2:4]]
    tensor = ShardedTensor.from_local_shards([(2, parts[0]), (1, parts[1])], metadata, 1)
    assert [shard.tensor.data_ptr() for shard in tensor.local_shards()] == [
        parts[1].ctypes.data, parts[0].ctypes.data]
    numpy.asarray(tensor.local_shards()[0].tensor)[0, 0] = -1
    assert full[2, 0] == -1
    again = ShardedTensor.from_local_shards(tensor.local_shards(), metadata)
    assert again.local_indices() == [1, 2]


def test_shards_of_other_libraries_are_found_by_what_they_say(full, metadata):
    class Theirs:
        """As torch has it: the placement is an object that shows itself as a text."""

        def __init__(self, offsets, sizes, placement):
            self.shard_offsets, self.shard_sizes = tuple(offsets), tuple(sizes)
            self.placement = type("_remote_device", (), {
                "__module__": "torch.distributed", "__str__": lambda self: placement})()

    given = [Shard(full[2:4], Theirs([2, 0], [2, 3], "rank:1/cpu")),
             Shard(full[:2], Theirs([0, 0], [2, 3], "rank:0/cpu"))]
    tensor = ShardedTensor.from_local_shards(iter(given), metadata)
    assert tensor.local_indices() == [0, 1]
    assert tensor.local_shards()[1].tensor.data_ptr() == full[2:].ctypes.data
    for wrong in (Theirs([2, 0], [2, 3], "rank:0/cpu"), Theirs([2, 0], [1, 3], "rank:1/cpu"),
                  Theirs([9, 0], [2, 3], "rank:1/cpu"), Theirs([2], [2], "rank:1/cpu"),
                  ShardMetadata([2, 0], [2, 3])):
        with pytest.raises(NotFoundError, match=r"local_shards\[1\]") as refused:
            ShardedTensor.from_local_shards([given[1], Shard(full[2:4], wrong)], metadata)
        assert refused.value.first_shard == 1
    with pytest.raises(TypeError, match=r"local_shards\[0\]: a Shard"):
        ShardedTensor.from_local_shards([full[:2]], metadata)


def test_empty_shards_are_found_one_after_the_other():
    rows = ChunkShardingSpec(0, ["rank:0"] * 4).build_metadata((2, 3))
    shards = ShardedTensor.from_full(rows, numpy.zeros((2, 3))).local_shards()
    assert ShardedTensor.from_local_shards(shards, rows).local_indices() == [0, 1, 2, 3]


def test_shards_of_an_owner_are_asked_for_by_any_integer(metadata):
    assert metadata.shards_of_owner(1) == metadata.shards_of_owner(numpy.int8(1)) == [1, 2]
    assert metadata.shards_of_rank(numpy.int64(1)) == [1, 2]
    assert metadata.shards_of_owner("rank:1/cuda:0") == [2]
    for wrong in (1.5, None, b"rank:1"):
        with pytest.raises(TypeError, match="owner: a text"):
            metadata.shards_of_owner(wrong)


def test_read_only_shards_stay_read_only(full, metadata):
    full.flags.writeable = False
    own = numpy.ones((1, 3), "float32")
    tensor = ShardedTensor.from_local_shards([(3, own), (0, full[:2])], metadata)
    first, last = (shard.tensor for shard in tensor.local_shards())
    assert first.readonly and not last.readonly
    assert not numpy.asarray(first).flags.writeable


def test_lent_memory_stays_as_long_as_anyone_uses_it(metadata):
    part = numpy.ones((2, 3), "float32")
    gone = weakref.ref(part)
    tensor = ShardedTensor.from_local_shards([(0, part)], metadata)
    array = numpy.from_dlpack(tensor.local_tensor())
    del part
    tensor.close()
    gc.collect()
    assert gone() is not None and array.sum() == 6
    del array
    gc.collect()
    assert gone() is None


def test_allocated_memory_stays_as_long_as_anyone_uses_it(full, metadata):
    with ShardedTensor.from_full(metadata, full) as tensor:
        arrays = [numpy.asarray(shard.tensor) for shard in tensor.local_shards()]
    others = [ShardedTensor.zeros(metadata) for _ in range(20)]
    gc.collect()
    assert numpy.array_equal(numpy.concatenate(arrays), full) and others
    assert tensor.closed and repr(tensor) == "<closed ShardedTensor>"
    for use in (tensor.size, tensor.local_shards, tensor.gather):
        with pytest.raises(HandleError, match="tensor: "):
            use()
    tensor.close()


def test_refused_shards_are_given_back(full, metadata):
    for index, shape, dtype, kind, name in [
            (0, (3, 3), "float32", ViewError, "SHAPE_MISMATCH"),
            (0, (2, 3), "float64", ViewError, "DTYPE_MISMATCH"),
            (1, (2, 3), "float32", ArgumentError, "INVALID_ARGUMENT")]:
        part = numpy.zeros(shape, dtype)
        gone = weakref.ref(part)
        with pytest.raises(kind) as refused:
            ShardedTensor.from_local_shards([(index, part), (1, full[2:4])], metadata)
        assert refused.value.name == name
        del part, refused
        gc.collect()
        assert gone() is None
    stranger = Shard(full[:2], ShardMetadata([0, 0], [2, 3], "rank:7"))
    with pytest.raises(NotFoundError, match=r"local_shards\[0\].*rank:7"):
        ShardedTensor.from_local_shards([stranger], metadata)
    with pytest.raises(ArgumentError, match="owner"):
        ShardedTensor.from_local_shards([(0, full[:2])], metadata, "rank:1")


def test_a_spec_that_fills_shards_itself_is_asked(full):
    class Negative(ShardingSpec):
        def build_metadata(self, tensor_sizes, tensor_properties=None):
            return ShardedTensorMetadata([ShardMetadata([0, 0], tensor_sizes, "rank:0")],
                                         tensor_sizes, tensor_properties)

        def fill_shard(self, metadata, index, full, shard):
            numpy.negative(numpy.asarray(full), out=numpy.asarray(shard))

    tensor = ShardedTensor.from_full(Negative(), full, 0)
    assert numpy.array_equal(numpy.asarray(tensor.local_tensor()), -full)


def test_torch_uses_the_shards_where_they_are(metadata):
    torch = pytest.importorskip("torch")
    full = torch.arange(21.0).reshape(7, 3)
    tensor = ShardedTensor.from_full(metadata, full, "rank:1")
    parts = [torch.from_dlpack(shard.tensor) for shard in tensor.local_shards()]
    assert torch.equal(torch.cat(parts), full[2:6])
    again = ShardedTensor.from_local_shards(list(zip((1, 2), parts)), metadata, 1)
    assert [shard.tensor.data_ptr() for shard in again.local_shards()] == [
        part.data_ptr() for part in parts]
