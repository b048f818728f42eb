"""Every argument of every public function, passed wrongly: the exception names the argument, in Python's words."""

import inspect
import pathlib
import re
import tempfile

import numpy
import pytest

import shardspec
from common import ranks
from shardspec import (
    Checkpoint,
    ChunkShardingSpec,
    Communicator,
    Cut,
    EnumerableShardingSpec,
    FileError,
    Mesh,
    MeshShardingSpec,
    Message,
    Move,
    Multiple,
    Placement,
    Plan,
    Segment,
    Shard,
    ShardedTensor,
    ShardedTensorMetadata,
    ShardMetadata,
    ShardspecError,
    Tensor,
    TensorProperties,
    Transfer,
    save_checkpoint,
)

FULL = numpy.arange(12.0).reshape(4, 3)
SPEC = ChunkShardingSpec(0, ranks(2))
ROWS = SPEC.build_metadata((4, 3), TensorProperties("float64"))
WHOLE = ChunkShardingSpec(0, ranks(1)).build_metadata((4, 3), TensorProperties("float64"))
SHARDS = [FULL[:2].copy(), FULL[2:].copy()]
PLAN = Plan(ROWS, ROWS)
MESH = Mesh({"x": 2})
OVER = MeshShardingSpec(MESH, [Cut(0, "x")])
GRID = Mesh({"p": 2, "q": 2})
MATRIX = MeshShardingSpec.from_scalapack([1, 0, 8, 8, 2, 2, 0, 0, 4], GRID, 0)
TENSOR = ShardedTensor.from_full(ROWS, FULL)
ALONE = Communicator.local(1)[0]
MOVE = [Move("x", [FULL], [numpy.zeros((4, 3))], WHOLE, WHOLE)]
COPYING = {"max_threads": 1, "hint": "cached"}
COLLECTIVE = {**COPYING, "memory_limit": 0}
DRAWING = {"format": "text", "theme": "auto", "color": False, "ascii": True, "width": 80, "axes": (0, 1),
           "window": (slice(0, 2), slice(0, 3))}


_folder = tempfile.TemporaryDirectory()
STORED = pathlib.Path(_folder.name) / "checkpoint"
save_checkpoint(STORED, {"x": (ROWS, dict(enumerate(SHARDS)))})
CHECKPOINT = Checkpoint(STORED)


class Wire(Communicator):
    """A transport of Python's."""

    def exchange(self, sends, receives):
        raise NotImplementedError


def places():
    return [numpy.zeros((2, 3)) for _ in range(2)]


def written_first(path, tensors, files, replace):
    shardspec.write_checkpoint(path, {"x": (ROWS, dict(enumerate(SHARDS)))}, files="one", replace=True)
    shardspec.commit_checkpoint(path, tensors, files=files, replace=replace)


CALLS = {
    "as_tensor": (shardspec.as_tensor, {"tensor": FULL}),
    "check_degrees": (shardspec.check_degrees, {"cuts": [(8, Cut(0, "x"))], "max_degree": 4}),
    "choose_readers": (shardspec.choose_readers, {"layouts": [ROWS]}),
    "draw_shards": (shardspec.draw_shards, {"shards": ROWS.shards_metadata, "tensor_sizes": (4, 3), **DRAWING}),
    "copy": (shardspec.copy, {"source": FULL, "destination": numpy.zeros((4, 3)), **COPYING}),
    "custom_sharding_spec_op": (lambda **given: shardspec.custom_sharding_spec_op(**given)(lambda *given: None), {
        "sharding_spec_class": ChunkShardingSpec, "func": "test.every", "replace": True}),
    "dispatch_custom_op": (shardspec.dispatch_custom_op, {
        "sharding_spec": SPEC, "op": "test.every", "args": (TENSOR,), "kwargs": {}, "process_group": None,
        "results": 1}),
    "has_custom_op": (shardspec.has_custom_op, {"sharding_spec": SPEC, "op": "x"}),
    "remove_custom_op": (shardspec.remove_custom_op, {"sharding_spec": SPEC, "op": "test.every"}),
    "empty": (shardspec.empty, {"shape": (2,), "dtype": "float32"}),
    "find_gaps": (shardspec.find_gaps, {"shards": ROWS, "tensor_sizes": (4, 3), "limit": 3}),
    "find_overlaps": (shardspec.find_overlaps, {"shards": ROWS, "limit": 3}),
    "get_chunk_sharding_params": (shardspec.get_chunk_sharding_params, {
        "sharding_dim_size": 4, "world_size": 2, "spec": SPEC, "rank": 0}),
    "get_chunked_dim_size": (shardspec.get_chunked_dim_size, {
        "dim_size": 4, "split_size": 2, "idx": 0}),
    "get_split_size": (shardspec.get_split_size, {"dim_size": 4, "chunks": 2}),
    "globalize": (shardspec.globalize, {"metadata": ROWS, "places": [(0, (0, 0))]}),
    "infer_sharding_spec_from_shards_metadata": (
        shardspec.infer_sharding_spec_from_shards_metadata, {"shards_metadata": ROWS.shards_metadata, "compat": False}),
    "locate": (shardspec.locate, {"metadata": ROWS, "elements": [(0, 0)]}),
    "numroc": (shardspec.numroc, {"n": 8, "nb": 2, "iproc": 0, "isrcproc": 0, "nprocs": 2}),
    "owner_of": (shardspec.owner_of, {"metadata": ROWS, "element": (0, 0)}),
    "relabel": (shardspec.relabel, {"metadata": ROWS, "placement_indices": [1, 0]}),
    "shards_in_box": (shardspec.shards_in_box, {"metadata": ROWS, "offsets": (0, 0), "sizes": (1, 1)}),
    "transfer": (shardspec.transfer, {"comm": ALONE, "moves": MOVE, **COLLECTIVE}),
    "start_transfer": (lambda **given: shardspec.start_transfer(**given).wait(),
                       {"comm": ALONE, "moves": MOVE, **COLLECTIVE}),
    "Transfer": (Transfer, {"comm": ALONE, "moves": MOVE, **COLLECTIVE}),
    "ChunkShardingSpec": (ChunkShardingSpec, {"dim": 0, "placements": ranks(2)}),
    "ChunkShardingSpec.build_metadata": (SPEC.build_metadata, {
        "tensor_sizes": (4, 3), "tensor_properties": None, "dim_names": ["a", "b"]}),
    "ChunkShardingSpec.shard": (SPEC.shard, {"tensor": FULL, "src_rank": 0, "process_group": None}),
    "ChunkShardingSpec.shard to ranks": (ChunkShardingSpec(0, ranks(1)).shard, {
        "tensor": FULL, "src_rank": 0, "process_group": ALONE}),
    "ChunkShardingSpec.extract_shard": (SPEC.extract_shard, {
        "metadata": ROWS, "index": 0, "full": FULL, "shard": numpy.zeros((2, 3)), **COPYING}),
    "EnumerableShardingSpec": (EnumerableShardingSpec, {"shards": ROWS.shards_metadata}),
    "EnumerableShardingSpec.from_arrays": (EnumerableShardingSpec.from_arrays, {
        "offsets": [[0], [2]], "sizes": [[2], [2]], "placements": ranks(2), "indices": [0, 1]}),
    "ShardedTensorMetadata": (ShardedTensorMetadata, {
        "shards_metadata": ROWS.shards_metadata, "size": (4, 3), "tensor_properties": None}),
    "ShardedTensorMetadata.scatter": (ROWS.scatter, {"full": FULL, "shards": places(), **COPYING}),
    "ShardedTensorMetadata.gather": (ROWS.gather, {
        "shards": SHARDS, "full": numpy.zeros((4, 3)), **COPYING}),
    "ShardedTensorMetadata.extract_shard": (ROWS.extract_shard, {
        "index": 0, "full": FULL, "shard": numpy.zeros((2, 3)), **COPYING}),
    "ShardedTensorMetadata.view_shard": (ROWS.view_shard, {"index": 0, "full": FULL}),
    "ShardedTensorMetadata.digest": (ROWS.digest, {"shards": SHARDS, "max_threads": 1}),
    "ShardedTensorMetadata.shard_digests": (ROWS.shard_digests, {"shards": SHARDS, "max_threads": 1}),
    "ChunkShardingSpec.draw": (SPEC.draw, {"tensor_sizes": (4, 3), **DRAWING}),
    "ShardedTensorMetadata.draw": (ROWS.draw, DRAWING),
    "ShardedTensorMetadata.draw_diff": (ROWS.draw_diff, {"destination": ROWS, **DRAWING}),
    "Plan.draw": (PLAN.draw, {name: DRAWING[name] for name in ("format", "theme", "color", "ascii", "width")}),
    "ShardedTensorMetadata.shards_of_rank": (ROWS.shards_of_rank, {"rank": 0}),
    "ShardedTensorMetadata.shards_of_owner": (ROWS.shards_of_owner, {"owner": 0}),
    "ShardedTensorMetadata.replica": (ROWS.replica, {"shard": 0}),
    "ShardedTensorMetadata.is_box": (ROWS.is_box, {"shard": 0}),
    "ShardedTensorMetadata.blocks": (ROWS.blocks, {"block_sizes": (2, 3)}),
    "ShardedTensorMetadata.stretches": (ROWS.stretches, {"shard": 0, "dim": 0}),
    "ShardedTensorMetadata.indices": (ROWS.indices, {"shard": 0, "dim": 0}),
    "ShardedTensorMetadata.coordinates": (OVER.build_metadata((4,)).coordinates, {"shard": 0}),
    "ShardMetadata": (ShardMetadata, {
        "shard_offsets": [0], "shard_sizes": [2], "placement": "rank:0", "dim_maps": None}),
    "Placement": (Placement, {"remote_device": "rank:0"}),
    "DevicePlacementSpec": (shardspec.DevicePlacementSpec, {"device": "rank:0"}),
    "TensorProperties": (TensorProperties, {
        "dtype": "float32", "layout": "strided", "requires_grad": False,
        "memory_format": "contiguous_format", "pin_memory": False}),
    "TensorProperties.create_from_tensor": (TensorProperties.create_from_tensor, {"tensor": FULL}),
    "Plan": (Plan, {"source": ROWS, "destination": ROWS, "wanted": [1], "nodes": [0, 1]}),
    "Plan.__getitem__": (PLAN.__getitem__, {"index": 0}),
    "Plan.execute": (PLAN.execute, {"sources": SHARDS, "destinations": places(), **COPYING}),
    "Plan.pieces_into": (PLAN.pieces_into, {"destination": 0}),
    "Plan.shard_traffic": (PLAN.shard_traffic, {"itemsize": 8}),
    "Plan.rank_traffic": (PLAN.rank_traffic, {"itemsize": 8}),
    "Plan.shard_runs": (PLAN.shard_runs, {"source": 0, "destination": 0, "itemsize": 8}),
    "Plan.rank_runs": (PLAN.rank_runs, {"source_rank": 0, "destination_rank": 0, "itemsize": 8}),
    "Plan.shard_reads": (PLAN.shard_reads, {
        "source": 0, "destination": 0, "itemsize": 8, "max_gap": 0, "over_read": 1.0, "max_read": 64}),
    "Plan.rank_reads": (PLAN.rank_reads, {
        "source_rank": 0, "destination_rank": 0, "itemsize": 8, "max_gap": 0, "over_read": 1.0, "max_read": 64}),
    "ShardedTensor.empty": (ShardedTensor.empty, {"metadata": ROWS, "owner": None, "indices": [0]}),
    "ShardedTensor.zeros": (ShardedTensor.zeros, {"metadata": ROWS, "owner": 0, "indices": None}),
    "ShardedTensor.from_full": (ShardedTensor.from_full, {
        "layout": SPEC, "full": FULL, "owner": 0, "indices": None, "tensor_properties": None, **COPYING}),
    "ShardedTensor.from_full by indices": (ShardedTensor.from_full, {
        "layout": ROWS, "full": FULL, "owner": None, "indices": [1], "tensor_properties": None, **COPYING}),
    "ShardedTensor.from_rank": (ShardedTensor.from_rank, {
        "layout": WHOLE, "full": FULL, "process_group": ALONE, "src_rank": 0, **COLLECTIVE}),
    "ShardedTensor.from_local_shards": (ShardedTensor.from_local_shards, {
        "local_shards": [(0, SHARDS[0])], "metadata": ROWS, "owner": 0}),
    "ShardedTensor.gather": (TENSOR.gather, {"full": numpy.zeros((4, 3)), **COPYING}),
    "ShardedTensor.digest": (TENSOR.digest, {"max_threads": 1}),
    "ShardedTensor.size": (TENSOR.size, {"dim": 0}),
    "Mesh": (Mesh, {"axes": {"x": 2}, "placements": ranks(2)}),
    "Mesh.coordinates": (MESH.coordinates, {"device": 0}),
    "Mesh.fix": (GRID.fix, {"axis": "p", "coordinate": 0}),
    "Cut": (Cut, {"dim": 0, "axis": "x", "rule": "chunk", "granule": 1, "even": False, "repeat": 1, "block": 1,
                  "first": 0, "sizes": None, "weights": None, "segments": None}),
    "Cut.check": (Cut(0, "x").check, {"length": 8, "count": 2}),
    "Segment": (Segment, {"size": 8, "rule": None, "granule": None, "repeat": None, "even": None, "block": None,
                          "first": None, "sizes": None, "weights": None}),
    "Multiple": (Multiple, {"of": 8}),
    "MeshShardingSpec": (MeshShardingSpec, {
        "mesh": MESH, "cuts": [Cut(0, "x")], "pad": None, "flatten": None, "partial": None}),
    "MeshShardingSpec.balanced": (MeshShardingSpec.balanced, {"dim": 0, "placements": ranks(2)}),
    "MeshShardingSpec.sizes": (MeshShardingSpec.sizes, {"dim": 0, "sizes": [1, 2], "placements": ranks(2)}),
    "MeshShardingSpec.weights": (MeshShardingSpec.weights, {
        "dim": 0, "weights": [1, 2], "placements": ranks(2)}),
    "MeshShardingSpec.cyclic": (MeshShardingSpec.cyclic, {
        "dim": 0, "block": 2, "placements": ranks(2), "first": 0}),
    "MeshShardingSpec.parse": (MeshShardingSpec.parse, {"notation": "dtensor", "written": "S(0)", "mesh": MESH}),
    "MeshShardingSpec.format": (OVER.format, {"notation": "dtensor", "ndim": 2}),
    "MeshShardingSpec.from_scalapack": (MeshShardingSpec.from_scalapack, {
        "descriptor": [1, 0, 8, 8, 2, 2, 0, 0, 4], "mesh": GRID, "device": 0}),
    "MeshShardingSpec.scalapack": (MATRIX.scalapack, {"rows": 8, "columns": 8, "device": 0, "context": 0}),
    "Communicator": (Wire, {"rank": 0, "size": 1}),
    "Communicator.decline": (ALONE.decline, {"reason": "none"}),
    "Communicator.local": (Communicator.local, {"size": 1, "nodes": [0]}),
    "Communicator.exchange": (ALONE.exchange, {"sends": [], "receives": []}),
    "Communicator.exchange_start": (lambda **given: ALONE.exchange_start(**given).wait(),
                                    {"sends": [], "receives": []}),
    "Communicator.node": (ALONE.node, {"rank": 0}),
    "Communicator.group": (ALONE.group, {"members": [0], "placement_ranks": [0]}),
    "Communicator.shard": (ALONE.shard, {
        "metadata": WHOLE, "full": FULL, "shards": [numpy.zeros((4, 3))], "src_rank": 0, **COLLECTIVE}),
    "Communicator.gather": (ALONE.gather, {
        "metadata": WHOLE, "shards": [FULL], "full": numpy.zeros((4, 3)), "dst_rank": 0, **COLLECTIVE}),
    "Communicator.reshard": (ALONE.reshard, {
        "metadata": WHOLE, "shards": [FULL], "to_metadata": WHOLE, "to_shards": [numpy.zeros((4, 3))],
        "tag": None, **COLLECTIVE}),
    "Communicator.reshard with a tag": (ALONE.reshard, {
        "metadata": WHOLE, "shards": [FULL], "to_metadata": WHOLE, "to_shards": [numpy.zeros((4, 3))],
        "tag": "x", **COLLECTIVE}),
    "Communicator.shard_start": (lambda **given: ALONE.shard_start(**given).wait(), {
        "metadata": WHOLE, "full": FULL, "shards": [numpy.zeros((4, 3))], "src_rank": 0, **COLLECTIVE}),
    "Communicator.gather_start": (lambda **given: ALONE.gather_start(**given).wait(), {
        "metadata": WHOLE, "shards": [FULL], "full": numpy.zeros((4, 3)), "dst_rank": 0, **COLLECTIVE}),
    "Communicator.reshard_start": (lambda **given: ALONE.reshard_start(**given).wait(), {
        "metadata": WHOLE, "shards": [FULL], "to_metadata": WHOLE, "to_shards": [numpy.zeros((4, 3))],
        "tag": None, **COLLECTIVE}),
    "Communicator.reshard_start with a tag": (lambda **given: ALONE.reshard_start(**given).wait(), {
        "metadata": WHOLE, "shards": [FULL], "to_metadata": WHOLE, "to_shards": [numpy.zeros((4, 3))],
        "tag": "x", **COLLECTIVE}),
    "Transfer.prepare_start": (lambda **given: Transfer.prepare_start(**given).wait(),
                               {"comm": ALONE, "moves": MOVE, **COLLECTIVE}),
    "Transfer.run": (lambda **given: Transfer(ALONE, MOVE).run(**given), {"moves": MOVE}),
    "Transfer.start": (lambda **given: Transfer(ALONE, MOVE).start(**given).wait(), {"moves": MOVE}),
    "ShardingSpec.from_json": (shardspec.ShardingSpec.from_json, {"text": SPEC.to_json()}),
    "ShardingSpec.from_bytes": (shardspec.ShardingSpec.from_bytes, {"data": SPEC.to_bytes()}),
    "ShardedTensorMetadata.from_json": (ShardedTensorMetadata.from_json, {"text": ROWS.to_json()}),
    "ShardedTensorMetadata.from_bytes": (ShardedTensorMetadata.from_bytes, {"data": ROWS.to_bytes()}),
    "Communicator.abort": (Communicator.local(1)[0].abort, {"reason": "none"}),
    "Checkpoint": (Checkpoint, {"path": STORED}),
    "Checkpoint.metadata": (CHECKPOINT.metadata, {"name": "x"}),
    "Checkpoint.__getitem__": (CHECKPOINT.__getitem__, {"name": "x"}),
    "Checkpoint.check": (CHECKPOINT.check, {"destinations": {"x": numpy.zeros((4, 3))}}),
    "Checkpoint.read": (CHECKPOINT.read, {
        "destinations": {"x": numpy.zeros((4, 3))}, "max_threads": 1, "max_gap": 0, "over_read": 1.0,
        "max_read": 0, "progress": None, "whole": None}),
    "Checkpoint.read_collective": (CHECKPOINT.read_collective, {
        "comm": ALONE, "destinations": {"x": (WHOLE, {0: numpy.zeros((4, 3))})}, "max_threads": 1, "max_gap": 0,
        "over_read": 1.0, "max_read": 0, "memory_limit": 0, "progress": None, "whole": None}),
    "Checkpoint.load": (CHECKPOINT.load, {
        "name": "x", "metadata": ROWS, "owner": None, "indices": [0]}),
    "write_checkpoint": (shardspec.write_checkpoint, {
        "path": "new", "tensors": {"x": (ROWS, dict(enumerate(SHARDS)))}, "files": "one", "replace": True}),
    "save_checkpoint": (shardspec.save_checkpoint, {
        "path": "new", "tensors": {"x": (ROWS, dict(enumerate(SHARDS)))}, "files": "one", "replace": True}),
    "commit_checkpoint": (written_first, {
        "path": "new", "tensors": {"x": ROWS}, "files": "one", "replace": True}),
    "convert_checkpoint": (shardspec.convert_checkpoint, {
        "path": "new", "source": STORED, "rules": {"*": SPEC}, "files": "one", "replace": True, "max_bytes": 0}),
    "Tensor.__dlpack__": (shardspec.as_tensor(FULL).__dlpack__, {
        "stream": None, "max_version": (1, 0), "dl_device": (1, 0), "copy": True}),
    "Tensor.__array__": (shardspec.as_tensor(FULL).__array__, {"dtype": None, "copy": None}),
    "Move": (lambda **given: shardspec.transfer(ALONE, [Move(**given)]), {
        "tag": "x", "shards": [FULL], "to_shards": [numpy.zeros((4, 3))], "metadata": WHOLE, "to_metadata": WHOLE,
        "plan": None, "dtype": "float64"}),
    "Message": (lambda **given: ALONE.exchange_start([Message(**given)], [Message(0, bytearray(3))]).wait(), {
        "peer": 0, "memory": b"abc"}),
    "Shard": (lambda **given: ShardedTensor.from_local_shards([Shard(**given)], ROWS), {
        "tensor": SHARDS[0], "metadata": ROWS.shards_metadata[0]}),
    "Device": (shardspec.Device, {"type": "cuda", "index": 1}),
    "FilePlacement": (shardspec.FilePlacement, {"file": "x"}),
}
"""For each public function: how it is called, and arguments that it accepts. Relative paths are in an empty folder."""


class Thing:
    """Of no use to anybody."""

    def __repr__(self):
        return "<Thing>"


def wrong():
    """Values of which most are wrong for any argument."""
    return [None, Thing(), "a text", b"bytes", 3.5, -1, 1 << 70, [], [None], [Thing()], {}, {"a": None}, {-1: 2}, SPEC,
            ROWS, (), [[]], [-1], ["a"], [1 << 70], float("nan"), numpy.array([{}]), [[1, 2], [3]], True, ...,
            numpy.zeros((2, 2)), 1 << 20_000, -(1 << 20_000)]


EXPECTED = (ShardspecError, TypeError, ValueError, BufferError, LookupError, OverflowError, FileNotFoundError)
OF_C = re.compile(r"\bNULL\b|pointer|\bargument \d|ctypes|\bLP_|_as_parameter_|object has no attribute|int too|"
                  r"cannot be interpreted|unpack|shardspec_|required positional|not iterable|not subscriptable|"
                  r"has no len")


def names_it(error, text, arguments, name, value):
    """Whether an exception says what is wrong."""
    if isinstance(error, (FileNotFoundError, FileError)):
        return True  # It names the file.
    if not isinstance(error, ShardspecError):
        return re.search(rf"\b{name}\b", text)
    # A value that fits by itself may not fit another argument, which is then named, or a shard, or what no shard owns.
    names = "|".join([*(f"{one.removesuffix('s')}s?" for one in arguments), "sends", "local_shards"])
    written = value if isinstance(value, str) else shown(value)
    return re.search(rf"\b({names}|shards? \d+|no shard owns|dim)\b", text) or written in text


def shown(value):
    """Python writes no number of thousands of digits."""
    try:
        return f"{value!r:.60}"
    except ValueError:
        return "a long number"


def problem(function, arguments, name, value):
    """What is wrong with the way in which a wrong argument is refused; None if nothing is."""
    try:
        function(**{**arguments, name: value})
    except EXPECTED as error:
        text = str(error)
        if not names_it(error, text, arguments, name, value):
            return f"{type(error).__name__}, which does not name it: {text}"
        if OF_C.search(text.replace("a/b", "")):
            return f"words of C's or of Python's inside: {text}"
    except BaseException as error:
        return f"{type(error).__name__}: {error}"
    return None


@pytest.mark.parametrize("called", CALLS)
def test_a_wrong_argument_is_named(called, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # Texts are paths, too.
    function, given = CALLS[called]
    problems = []
    for name in given:
        for value in wrong():
            found = problem(function, given, name, value)
            if found:
                problems.append(f"{called}({name}={shown(value)}): {found}")
    assert not problems, "\n" + "\n".join(problems)


@pytest.mark.parametrize("called", CALLS)
def test_the_right_arguments_are_accepted(called, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    function, given = CALLS[called]
    if called in ("remove_custom_op", "dispatch_custom_op"):
        shardspec.custom_sharding_spec_op(ChunkShardingSpec, "test.every", replace=True)(lambda *given: None)
    function(**given)


PLAIN = {"ALL_RANKS", "Gap", "MEM_FORMAT_ENCODING", "Overlap", "Piece", "PlacementSpec", "REPEAT_AS_NEEDED", "Read",
         "ReadReport", "Request", "Run", "ShardArrays", "ShardedTensor", "ShardingSpec", "StoredTensor", "Stretch",
         "StridedPiece", "Tensor", "custom_ops"}
"""What has no arguments, or checks none: plain values, and base classes."""


def test_every_public_function_is_called():
    errors = {name for name in shardspec.__all__ if isinstance(getattr(shardspec, name), type)
              and issubclass(getattr(shardspec, name), ShardspecError)}
    assert set(shardspec.__all__) - CALLS.keys() - PLAIN - errors == set()


ALIKE = {"ShardingSpec", "EnumerableShardingSpec", "MeshShardingSpec"}
"""Their methods are those of ChunkShardingSpec."""
OTHERS = {"Checkpoint.get", "ChunkShardingSpec.fill_shard", "Communicator.start",
          "ChunkShardingSpec.from_json", "ChunkShardingSpec.from_bytes"}


def test_every_public_method_is_called():
    missing = set()
    for name in set(shardspec.__all__) - ALIKE:
        kind = getattr(shardspec, name)
        if not isinstance(kind, type) or issubclass(kind, (ShardspecError, tuple, Tensor)):
            continue
        for method, function in inspect.getmembers(kind, callable):
            if method.startswith("_") or f"{name}.{method}" in CALLS.keys() | OTHERS:
                continue
            if set(inspect.signature(function).parameters) - {"self", "cls"}:
                missing.add(f"{name}.{method}")
    assert not missing


def test_every_parameter_is_passed():
    missing = set()
    for called, (_, given) in CALLS.items():
        name, *method = called.split(" ")[0].split(".")
        function = getattr(getattr(shardspec, name), method[0]) if method else getattr(shardspec, name)
        parameters = inspect.signature(function).parameters.values()
        named = {one.name for one in parameters if one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)}
        missing |= {f"{called}({one})" for one in named - given.keys() - {"self"}}
    assert not missing
