"""Lets memory run out at every allocation of the library in some programs: python out_of_memory.py [NAME ...]

Run with the library of failing_malloc.c preloaded. Each program runs once for each allocation, which fails alone, and
once more for it and all after it. The program then raises MemoryError or does without that memory; afterwards it runs
as ever.
"""

import ctypes
import pathlib
import pickle
import sys
import tempfile
import threading
import traceback

import numpy

import shardspec
from shardspec import (
    ChunkShardingSpec,
    Communicator,
    Cut,
    EnumerableShardingSpec,
    Mesh,
    MeshShardingSpec,
    Plan,
    ShardedTensor,
    ShardedTensorMetadata,
    ShardMetadata,
    TensorProperties,
    dtype,
    placement,
)
from shardspec._library import lib

RANKS = ["rank:0", "rank:1/cuda:0"]
FULL = numpy.arange(24.0).reshape(6, 4)
OF_FULL = TensorProperties("float64")
FOLDER = tempfile.TemporaryDirectory()


def specs():
    spec = ChunkShardingSpec(0, RANKS)
    rows = spec.build_metadata((6, 4), OF_FULL)
    shards = list(rows.shards_metadata)
    assert [shard.shard_offsets for shard in shards] == [[0, 0], [3, 0]]
    assert ShardedTensorMetadata(shards, (6, 4)).shards_of_rank(1) == [1]
    assert EnumerableShardingSpec(shards).build_metadata((6, 4), OF_FULL) == rows
    assert shardspec.infer_sharding_spec_from_shards_metadata(shards) == spec
    assert shardspec.find_gaps(shards[:1], (6, 4))[0].offsets == (3, 0)
    assert shardspec.find_overlaps([*shards, shards[0]])[0].sizes == (3, 4)


def documents():
    rows = ChunkShardingSpec(0, RANKS).build_metadata((6, 4), OF_FULL)
    assert ShardedTensorMetadata.from_json(rows.to_json()) == rows
    assert ShardedTensorMetadata.from_bytes(rows.to_bytes()) == rows
    assert pickle.loads(pickle.dumps(rows)) == rows
    assert "[6, 4]" in rows.draw(color=False) and rows.draw("svg").startswith("<svg")


def meshes():
    mesh = Mesh({"dp": 2, "tp": 2})
    spec = MeshShardingSpec(mesh, [Cut(0, "tp", "cyclic", block=2)], pad={0: 8})
    metadata = spec.build_metadata((6, 4), OF_FULL)
    parts = metadata.scatter(FULL)
    assert numpy.array_equal(metadata.gather(parts), FULL)
    assert metadata.coordinates(3) == {"dp": 1, "tp": 1} and metadata.has_replicas
    assert MeshShardingSpec.parse("dtensor", "S(0)R", mesh).format("jax", 2)


def copies():
    rows = ChunkShardingSpec(0, RANKS).build_metadata((6, 4))
    parts = rows.scatter(FULL[:, ::-1])
    assert numpy.array_equal(rows.gather(parts), FULL[:, ::-1])
    assert rows.view_shard(1, FULL).tolist() == FULL[3:].tolist()
    assert rows.digest(parts) == rows.digest([FULL[:3, ::-1], FULL[3:, ::-1]])
    assert numpy.array_equal(shardspec.copy(FULL.T, numpy.zeros((4, 6))), FULL.T)
    assert numpy.from_dlpack(parts[0]).shape == (3, 4)


def plans():
    rows, columns = (ChunkShardingSpec(dim, RANKS).build_metadata((6, 4), OF_FULL) for dim in range(2))
    plan = Plan(rows, columns)
    assert len(list(plan)) == 4 and plan.rank_traffic()[0] == (0, 0, 48)
    assert plan.shard_runs(0, 1)[0].count == 3 and len(plan.shard_reads(0, 1)) == 1
    assert plan.execute([FULL[:3], FULL[3:]])[1].tolist() == FULL[:, 2:].tolist()
    assert shardspec.relabel(columns, plan.suggest_placements()[0]).numel() == 24
    assert shardspec.locate(rows, [(4, 1)]) == [(1, (1, 1))]
    assert len(Plan(list(rows.shards_metadata), [ShardMetadata([1, 1], [2, 2])])) == 1


def sharded_tensors():
    spec = ChunkShardingSpec(0, RANKS)
    tensor = ShardedTensor.from_full(spec, FULL, tensor_properties=OF_FULL)
    assert numpy.array_equal(tensor.gather(), FULL)
    own = ShardedTensor.from_local_shards(tensor.local_shards(), tensor.metadata())
    assert numpy.array_equal(pickle.loads(pickle.dumps(own)).gather(), FULL)
    assert tensor.digest() == own.digest() and tensor.sharding_spec() == spec


def second(types, args, kwargs, group):
    """An op."""
    return args[1]


class Backwards(shardspec.ShardingSpec):
    """A spec of a user's own."""

    def build_metadata(self, tensor_sizes, tensor_properties=None):
        return ChunkShardingSpec(0, RANKS[::-1]).build_metadata(tensor_sizes, tensor_properties)

    def fill_shard(self, metadata, index, full, shard):
        metadata.extract_shard(index, full, shard)


class Rack(shardspec.PlacementSpec):
    """A placement of a user's own."""

    def __str__(self):
        return "rack"


def callbacks():
    tensor = ShardedTensor.from_full(Backwards(), FULL, owner=1)
    assert tensor.local_tensor().tolist() == FULL[:3].tolist()
    assert isinstance(ChunkShardingSpec(0, [Rack()]).build_metadata((2,)).placements[0], Rack)
    shardspec.custom_sharding_spec_op(Backwards, "test.memory", replace=True)(second)
    assert shardspec.dispatch_custom_op(Backwards(), "test.memory", (tensor, "x")) == "x"
    shardspec.remove_custom_op(Backwards, "test.memory")


def checkpoints():
    rows = ChunkShardingSpec(0, RANKS).build_metadata((6, 4), OF_FULL)
    path = pathlib.Path(FOLDER.name) / "checkpoint"
    shardspec.save_checkpoint(path, {"w": (rows, {0: FULL[:3], 1: FULL[3:]})}, replace=True)
    with shardspec.Checkpoint(path) as stored:
        whole = numpy.zeros((6, 4))
        assert stored["w"].shape == (6, 4) and stored.check({"w": whole}) == []
        stored.read({"w": whole})
        assert numpy.array_equal(whole, FULL)
        assert numpy.array_equal(stored.load("w", rows).gather(), FULL)


def collectives():
    rows, columns = (ChunkShardingSpec(dim, RANKS).build_metadata((6, 4), OF_FULL) for dim in range(2))

    def work(comm):
        try:
            mine = comm.shard(rows, FULL if comm.rank == 0 else None)
            halves = comm.reshard_start(rows, mine, columns, tag="w").wait()
            answers[comm.rank] = numpy.array_equal(comm.gather(columns, halves, dst_rank=shardspec.ALL_RANKS), FULL)
        except Exception as error:
            answers[comm.rank] = error
        finally:
            comm.close()

    answers = [None, None]
    threads = [threading.Thread(target=work, args=(comm,)) for comm in Communicator.local(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    errors = [answer for answer in answers if isinstance(answer, Exception)]
    for error in sorted(errors, key=lambda error: not isinstance(error, MemoryError)):
        raise error  # The other rank raises that this one failed.
    assert answers == [True, True]


PROGRAMS = [specs, documents, meshes, copies, plans, sharded_tensors, callbacks, checkpoints, collectives]


def preloaded():
    """The functions of failing_malloc.c, for allocations of the library."""
    functions = ctypes.CDLL(None)
    functions.failing_malloc_of.argtypes = [ctypes.c_size_t] * 2
    functions.failing_malloc_arm.argtypes = [ctypes.c_long, ctypes.c_int]
    functions.failing_malloc_disarm.restype = ctypes.c_long
    lines = pathlib.Path("/proc/self/maps").read_text().splitlines()
    path = str(lib.path.resolve())
    ends = [int(end, 16) for line in lines if line.endswith(path) for end in line.split()[0].split("-")]
    functions.failing_malloc_of(min(ends), max(ends))
    return functions


def outcome(program):
    """The exception that a program ends with."""
    placement._read.cache_clear()
    dtype._parse.cache_clear()
    dtype._name.cache_clear()
    try:
        program()
    except Exception as error:
        return error
    return None


def starve(functions, program):
    """How many allocations there were, how many calls failed, and what was wrong."""
    outcome(program)
    functions.failing_malloc_arm(-1, 0)
    error = outcome(program)
    allocations, failures, wrong = functions.failing_malloc_disarm(), 0, []
    if error is not None:
        return allocations, 0, [error]
    for number in range(1, allocations + 1):
        for all_after in range(2):
            functions.failing_malloc_arm(number, all_after)
            error = outcome(program)
            functions.failing_malloc_disarm()
            failures += error is not None
            if not isinstance(error, (MemoryError, type(None))):
                wrong.append(error)
        again = outcome(program)
        if again is not None:
            wrong.append(again)
    return allocations, failures, wrong


def main():
    functions, failed = preloaded(), False
    for program in PROGRAMS:
        if len(sys.argv) > 1 and program.__name__ not in sys.argv[1:]:
            continue
        allocations, failures, wrong = starve(functions, program)
        print(f"{program.__name__}: {allocations} allocations, {failures} failures, {len(wrong)} wrong", flush=True)
        for error in wrong[:3]:
            traceback.print_exception(error, file=sys.stdout)
        failed = failed or bool(wrong) or not failures
    sys.exit(failed)


if __name__ == "__main__":
    main()
