"""What is pickled and copied: nothing carries a handle to where it names something else."""

import copy
import pickle
import subprocess
import sys

import numpy
import pytest

from common import ends_well, ranks
from shardspec import (
    ChunkShardingSpec,
    Communicator,
    Plan,
    ShardedTensor,
    ShardMetadata,
    TensorProperties,
    as_tensor,
    empty,
)
from shardspec._handle import Handle
from shardspec.placement import placement_handle

FULL = numpy.arange(8, dtype="int64")
ROWS = ChunkShardingSpec(0, ranks(2)).build_metadata((8,), TensorProperties("int64"))
TURNED = ChunkShardingSpec(0, ["rank:1", "rank:0"]).build_metadata(
    (8,), TensorProperties("int64"))
WAYS = [copy.copy, copy.deepcopy, *(
    lambda thing, protocol=protocol: pickle.loads(pickle.dumps(thing, protocol))
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1))]


class Transport(Communicator):
    def exchange(self, sends, receives):
        raise NotImplementedError


@pytest.mark.parametrize("way", WAYS)
def test_what_belongs_to_a_process_is_no_luggage(way):
    with Communicator.local(1)[0] as comm, placement_handle(
            ROWS.shards_metadata[0].placement) as placement:
        carried = ChunkShardingSpec(0, ranks(1)).shard(FULL, 0, comm)
        for thing in (comm, Transport(0, 1), placement, carried, carried._memory):
            with pytest.raises(TypeError, match="can't be pickled or copied"):
                way(thing)
        assert comm.size == 1 and carried.local_indices() == [0]


def test_a_class_that_travels_says_how():
    class Named(Transport):
        def __reduce__(self):
            return Named, (0, 7)

    assert copy.copy(Named(0, 7)).size == 7


@pytest.mark.parametrize("way", WAYS)
def test_a_copied_plan_is_made_anew(way):
    for plan in (Plan(ROWS, TURNED), Plan(ROWS, TURNED, wanted=[1]),
                 Plan(list(ROWS.shards_metadata), [ShardMetadata([6], [2])])):
        again = way(plan)
        assert list(again) == list(plan) and again._handle != plan._handle
        assert (again.source_hash, again.destination_hash) == (
            plan.source_hash, plan.destination_hash)
        pieces = list(plan)
        plan.close()
        assert list(again) == pieces and "closed" not in repr(again)
        parts = again.execute([FULL[:4], FULL[4:]])
        assert all((numpy.asarray(part) >= 4).all() for part in (
            parts.values() if isinstance(parts, dict) else parts[1:] or parts))


def test_a_plan_in_another_process_is_that_plan_and_not_the_first_one_there():
    plan = pickle.dumps(Plan(ROWS, TURNED))
    printed = ends_well(f"""
import pickle, numpy, shardspec
there = shardspec.ChunkShardingSpec(0, ['rank:0', 'rank:1']).build_metadata((8,))
here = shardspec.ChunkShardingSpec(0, ['rank:0', 'rank:1', 'rank:2']).build_metadata((8,))
first = shardspec.Plan(here, there)
plan = pickle.loads({plan!r})
full = numpy.arange(8)
parts = plan.execute([full[:4], full[4:]])
print(numpy.concatenate([numpy.asarray(part) for part in parts]).tolist(), repr(plan))
""")
    assert printed == "[0, 1, 2, 3, 4, 5, 6, 7] <Plan of 2 pieces>\n"


@pytest.mark.parametrize("way", WAYS)
def test_a_copied_sharded_tensor_has_shards_of_its_own(way):
    tensor = ShardedTensor.zeros(ROWS, 1)
    again = way(tensor)
    assert again.metadata() == tensor.metadata() and again.local_indices() == [1]
    if way is not copy.copy:
        numpy.asarray(tensor.local_tensor())[:] = 7
    del tensor
    assert again.local_tensor().tolist() == [0, 0, 0, 0]
    numpy.asarray(again.local_tensor())[:] = 9
    assert again.local_tensor().tolist() == [9] * 4


def test_a_shallow_copy_of_a_sharded_tensor_shares_its_memory():
    tensor = ShardedTensor.zeros(ROWS, 1)
    again = copy.copy(tensor)
    numpy.asarray(tensor.local_tensor())[:] = 7
    assert again.local_tensor().tolist() == [7] * 4


@pytest.mark.parametrize("tensor", [
    empty((2, 3), "bfloat16"), empty((), "float64"), empty((0, 4), "int8"), empty((3,), "uint4"),
    as_tensor(numpy.arange(6.0).reshape(2, 3).T), as_tensor(numpy.arange(6.0)[::-2]),
    as_tensor(b"abc"), empty((2,), "uint8x5")], ids=repr)
def test_a_copied_tensor_is_its_elements(tensor):
    for way in WAYS[1:]:
        again = way(tensor)
        assert (again.shape, again.dtype) == (tensor.shape, tensor.dtype)
        assert again.contiguous and not again.readonly
        assert again.__reduce__()[1] == tensor.__reduce__()[1]
        assert again.data_ptr() != tensor.data_ptr() or not tensor.nbytes
    assert copy.copy(tensor).data_ptr() == tensor.data_ptr()


def test_shards_and_lists_of_tensors_are_copied_with_their_elements():
    shards = ShardedTensor.from_full(ROWS, FULL).local_shards()
    again = pickle.loads(pickle.dumps(shards))
    assert [one.metadata for one in again] == [one.metadata for one in shards]
    assert again[1].tensor.tolist() == [4, 5, 6, 7]


def test_every_class_with_a_handle_says_what_a_copy_of_it_is():
    def below(kind):
        for one in kind.__subclasses__():
            yield one
            yield from below(one)

    kinds = {one for one in below(Handle) if one.__module__.startswith("shardspec")}
    travel = {one.__name__ for one in kinds if one.__reduce__ is not Handle.__reduce__}
    assert travel == {"Plan", "ShardedTensorMetadata", "SpecHandle", "BuiltInSpec",
                      "ChunkShardingSpec", "EnumerableShardingSpec", "Mesh", "MeshShardingSpec"}


def test_a_plan_of_lists_does_not_change_with_them():
    shards = [ShardMetadata([0], [4], "rank:0"), ShardMetadata([4], [4], "rank:1")]
    plan = Plan(shards, ROWS)
    before = plan.source_hash
    shards[0].shard_sizes[0] = 3
    shards.pop()
    assert plan.source_hash == before == ROWS.layout_hash
    assert list(copy.deepcopy(plan)) == list(plan)


def test_hashes_of_layouts_are_the_same_in_every_process():
    printed = subprocess.run(
        [sys.executable, "-c", ("import sys; sys.path[:0] = sys.argv[1:]; import shardspec\n"
                                "print(shardspec.ChunkShardingSpec(0, ['rank:0', 'rank:1']).build_metadata((8,))"
                                ".layout_hash)"), *sys.path], capture_output=True, text=True, check=True).stdout
    assert int(printed) == ROWS.layout_hash == 6873004779228931561
