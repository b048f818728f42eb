"""Specs and placements that are classes of the user's own."""

import copy
import ctypes
import dataclasses
import gc
import pickle
import threading
import weakref

import numpy
import pytest

import shardspec
from common import ranks
from shardspec import (
    ArgumentError,
    CallbackError,
    ChunkShardingSpec,
    DevicePlacementSpec,
    EnumerableShardingSpec,
    HandleError,
    LayoutError,
    Placement,
    PlacementSpec,
    ShardedTensor,
    ShardedTensorMetadata,
    ShardingSpec,
    ShardMetadata,
    ShardspecError,
    TensorProperties,
    _callbacks,
)
from shardspec._callbacks import _objects
from shardspec._library import lib
from shardspec.metadata import build


class Dealt(ShardingSpec):
    """Blocks of rows, dealt out like cards."""

    def __init__(self, rows, hands, wrong=0):
        self.rows, self.hands, self.wrong = rows, hands, wrong

    def build_metadata(self, tensor_sizes, tensor_properties=None):
        height, *rest = tensor_sizes
        shards = [ShardMetadata([first] + [0] * len(rest),
                                [min(self.rows + self.wrong, height - first), *rest],
                                f"rank:{number % self.hands}")
                  for number, first in enumerate(range(0, height, self.rows))]
        return ShardedTensorMetadata(shards, tensor_sizes, tensor_properties)


class Backwards(Dealt):
    """Holds each block upside down."""

    def fill_shard(self, metadata, index, full, shard):
        part = numpy.asarray(metadata.view_shard(index, full))
        numpy.asarray(shard)[:] = part[::-1]


@dataclasses.dataclass(frozen=True)
class Rack(PlacementSpec):
    row: int
    owner: int = 0

    def rank(self):
        return self.owner

    def __str__(self):
        return f"rack {self.row}"


def through_the_library(spec, sizes, properties=None):
    """Metadata that the library asked the spec for."""
    return ShardedTensorMetadata._of(build(spec, sizes, properties))


def test_a_class_is_a_type_of_spec():
    spec = Dealt(2, 2)
    metadata = through_the_library(spec, (5, 3), TensorProperties("int8"))
    assert metadata == spec.build_metadata((5, 3), TensorProperties("int8"))
    assert metadata.shards_of_rank(0) == [0, 2]
    assert lib.text(lib.spec_type_name, spec) == f"{__name__}.Dealt"


def test_a_spec_may_fill_shards_itself():
    full = numpy.arange(15, dtype="float32").reshape(5, 3)
    chunks = ChunkShardingSpec(0, ranks(3))
    for spec, step in ((Dealt(2, 2), 1), (chunks, 1), (Backwards(2, 2), -1)):
        metadata = spec.build_metadata(full.shape)
        shards = [spec.extract_shard(metadata, index, full) for index in range(3)]
        for index, shard in enumerate(shards):
            assert numpy.array_equal(numpy.asarray(shard), full[2 * index:][:2][::step])
    place = numpy.zeros((1, 3), "float32")
    assert spec.extract_shard(metadata, -1, full, place, max_threads=1) is place
    assert numpy.array_equal(place, full[4:])


@pytest.mark.parametrize("error", [KeyError("inside"), KeyboardInterrupt(), ShardspecError(
    "mine", 1234, "MINE", first_shard=3)], ids=lambda error: type(error).__name__)
def test_what_a_spec_raises_comes_out_of_the_call(error):
    class Raises(ShardingSpec):
        def build_metadata(self, tensor_sizes, tensor_properties=None):
            raise error

    for _ in range(2):
        with pytest.raises(type(error)) as caught:
            through_the_library(Raises(), (3,))
        assert caught.value is error
    assert not lib.raised


class Unspeakable(Exception):
    def __str__(self):
        raise LookupError("not even this can be said")


def test_an_exception_that_can_not_be_told_is_no_success():
    class Raises(Dealt):
        def build_metadata(self, tensor_sizes, tensor_properties=None):
            if self.wrong:
                raise Unspeakable
            return super().build_metadata(tensor_sizes, tensor_properties)

        def fill_shard(self, metadata, index, full, shard):
            raise Unspeakable

    with pytest.raises(Unspeakable):
        through_the_library(Raises(2, 2, wrong=1), (3,))
    spec = Raises(2, 2)
    with pytest.raises(Unspeakable):
        spec.extract_shard(spec.build_metadata((3,)), 0, numpy.arange(3))
    assert not lib.raised


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_what_fails_around_a_callback_is_no_success(monkeypatch):
    def fails(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(_callbacks, "_hold", fails)
    spec, full = Backwards(2, 2), numpy.arange(3)
    metadata = spec.build_metadata((3,))
    monkeypatch.setattr(Backwards, "fill_shard", lambda *_: 1 / 0)
    with pytest.raises(CallbackError) as refused:
        spec.extract_shard(metadata, 0, full)
    assert refused.value.name == "CALLBACK_FAILED" and "probably threw" in str(refused.value)
    monkeypatch.setattr(Backwards, "build_metadata", lambda *_: 1 / 0)
    with pytest.raises(CallbackError):
        through_the_library(spec, (3,))


def test_exceptions_pass_through_calls_inside_of_calls():
    class Outer(ShardingSpec):
        def build_metadata(self, tensor_sizes, tensor_properties=None):
            return through_the_library(Dealt(0, 2), tensor_sizes)

    with pytest.raises(ValueError, match="must not be zero"):
        through_the_library(Outer(), (3,))


def test_a_lost_exception_is_told_to_whoever_sees_the_status():
    class Raises(ShardingSpec):
        def build_metadata(self, tensor_sizes, tensor_properties=None):
            raise ShardspecError("é" * 600, 1234, "MINE", first_shard=3, got=7)

    raised, lib.raised = lib.raised, {}
    try:
        class Losing(dict):
            def __setitem__(self, status, error):
                pass

        lib.raised = Losing()
        with pytest.raises(ShardspecError, match="^ShardspecError: éé.*é...$") as caught:
            through_the_library(Raises(), (3,))
    finally:
        lib.raised = raised
    assert caught.value.status >= lib.USER_STATUS and caught.value.first_shard == 3
    assert caught.value.name == str(caught.value.status) and caught.value.got == 7


def test_each_thread_gets_its_own_exception():
    class Raises(ShardingSpec):
        def __init__(self, number):
            self.number = number

        def build_metadata(self, tensor_sizes, tensor_properties=None):
            waiting.wait(30)
            raise LookupError(self.number)

    def work(number):
        try:
            through_the_library(Raises(number), (3,))
        except LookupError as error:
            seen.append((number, error.args[0]))

    waiting, seen = threading.Barrier(8), []
    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(seen) == [(number, number) for number in range(8)]


def test_what_a_spec_answers_is_checked():
    class Anything(ShardingSpec):
        def __init__(self, shards):
            self.shards_metadata = shards

        def build_metadata(self, tensor_sizes, tensor_properties=None):
            return self

    for shards, name in (([ShardMetadata([0], [2], "rank:0"), ShardMetadata([1], [2], "rank:0")],
                          "OVERLAP"), ([ShardMetadata([0], [2], "rank:0")], "GAP"),
                         ([ShardMetadata([0], [4], "rank:0")], "OUT_OF_BOUNDS")):
        with pytest.raises(LayoutError, match=r"Anything") as refused:
            through_the_library(Anything(shards), (3,))
        assert refused.value.name == name
    with pytest.raises(LayoutError, match="overlap"):
        Dealt(2, 2, wrong=1).build_metadata((5, 3))


def test_specs_of_a_class_are_equal_when_python_says_so():
    @dataclasses.dataclass(frozen=True)
    class Whole(ShardingSpec):
        owner: int

        def build_metadata(self, tensor_sizes, tensor_properties=None):
            return ShardedTensorMetadata([ShardMetadata([0], tensor_sizes, f"rank:{self.owner}")],
                                         tensor_sizes)

    def equal(a, b):
        return lib.answer(ctypes.c_int32, lib.spec_equal, a, b)

    assert equal(Whole(1), Whole(1)) and not equal(Whole(1), Whole(2))
    dealt = Dealt(2, 2)
    assert equal(dealt, dealt) and not equal(dealt, Dealt(2, 2)) and not equal(dealt, Whole(1))
    assert ChunkShardingSpec(0, ranks(1)) != dealt


def test_a_spec_goes_when_nobody_has_it():
    spec = Dealt(2, 2)
    gc.collect()
    before = len(_objects)
    metadata = through_the_library(spec, (5, 3))
    handle, gone = spec._as_parameter_, weakref.ref(spec)
    assert len(_objects) == before + 1
    del spec
    gc.collect()
    assert gone() is None and len(_objects) == before and len(metadata.shards_metadata) == 3
    with pytest.raises(HandleError):
        lib.text(lib.spec_type_name, handle)


def test_specs_of_a_class_can_be_pickled_and_copied():
    spec = Dealt(2, 2)
    metadata = through_the_library(spec, (5, 3))
    for again in (pickle.loads(pickle.dumps(spec)), copy.copy(spec), copy.deepcopy(spec)):
        assert again._as_parameter_ != spec._as_parameter_
        assert through_the_library(again, (5, 3)) == metadata


def test_placements_of_a_class_come_back_as_they_are():
    racks = [Rack(1, 5), Rack(2), Placement("rank:1")]
    spec = ChunkShardingSpec(0, [racks[0], racks[1], "rank:1"])
    assert spec.placements == racks and spec.placements[0] is racks[0]
    metadata = spec.build_metadata((6,))
    assert [shard.placement for shard in metadata.shards_metadata] == racks
    assert metadata.shards_metadata[1].placement is racks[1] and metadata.placements == racks
    assert metadata.shards_of_rank(5) == [0] and "row=1" in repr(metadata)
    again = ShardedTensorMetadata(metadata.shards_metadata, (6,))
    assert again == metadata and hash(again) == hash(metadata)
    listed = EnumerableShardingSpec(metadata.shards_metadata)
    assert listed.build_metadata((6,)) == metadata
    inferred = shardspec.infer_sharding_spec_from_shards_metadata(metadata.shards_metadata)
    assert inferred == spec == ChunkShardingSpec(0, [Rack(1, 5), Rack(2), "rank:1"])
    assert spec != ChunkShardingSpec(0, [Rack(1, 5), Rack(3), "rank:1"])
    assert pickle.loads(pickle.dumps(spec)) == spec


def test_placements_of_a_class_work_in_specs_of_a_class():
    class InRacks(ShardingSpec):
        def build_metadata(self, tensor_sizes, tensor_properties=None):
            return ShardedTensorMetadata(
                [ShardMetadata([0], [1], Rack(1)), ShardMetadata([1], [2], "rank:3")], tensor_sizes)

    metadata = through_the_library(InRacks(), (3,))
    assert metadata.placements == [Rack(1), Placement("rank:3")]


def test_placements_of_a_class_go_with_the_last_that_uses_them():
    class Shelf(PlacementSpec):
        def __str__(self):
            return "shelf"

    shelf = Shelf()
    gone = weakref.ref(shelf)
    metadata = ChunkShardingSpec(0, [shelf]).build_metadata((3,))
    del shelf
    gc.collect()
    assert gone() is not None and metadata.placements[0] is gone()
    metadata.close()
    gc.collect()
    assert gone() is None


def test_placements_that_can_not_be_compared_are_different(capsys):
    class Broken(PlacementSpec):
        def __str__(self):
            return "broken"

        def __eq__(self, other):
            raise ZeroDivisionError("compared")

    ChunkShardingSpec(0, [Broken(), Broken()])
    assert "compared" in capsys.readouterr().err


def test_a_device_placement_spec_is_its_device():
    spec = ChunkShardingSpec(0, [DevicePlacementSpec("rank:1/cuda:0"), "rank:2"])
    assert spec == ChunkShardingSpec(0, ["rank:1/cuda:0", "rank:2"])


def test_what_is_no_placement_is_a_type_error():
    for wrong in (None, 3, b"rank:0"):
        with pytest.raises(TypeError, match=r"placements\[1\]: a text such as"):
            ChunkShardingSpec(0, ["rank:0", wrong])


def test_named_dimensions_may_live_on_placements_of_a_class():
    spec = ChunkShardingSpec("x", [Rack(1)])
    assert spec.dim == "x" and spec.placements == [Rack(1)]


def test_what_fails_while_a_spec_is_passed_comes_out():
    class Strange(Dealt):
        pass

    Strange.__qualname__ = "Str\0nge"
    for _ in range(2):
        with pytest.raises(ArgumentError, match="^type_name: .*NUL"):
            ShardedTensor.from_full(Strange(2, 2), numpy.arange(4.0))
