"""Ops that are hung on types of specs, in Python and across languages."""

import ctypes
import gc
import threading
import weakref

import numpy
import pytest

from common import ranks
from shardspec import (
    CallbackError,
    ChunkShardingSpec,
    Communicator,
    Cut,
    EnumerableShardingSpec,
    Mesh,
    MeshShardingSpec,
    NotFoundError,
    OpArgumentsError,
    RegistrationError,
    ShardedTensor,
    ShardedTensorMetadata,
    ShardingSpec,
    ShardMetadata,
    UnsupportedError,
    _callbacks,
    custom_ops,
    custom_sharding_spec_op,
    dispatch_custom_op,
    has_custom_op,
    ops,
    remove_custom_op,
)
from shardspec._library import lib

CHUNK = ChunkShardingSpec(0, ranks(2))


@pytest.fixture
def sharded():
    return ShardedTensor.from_full(CHUNK, numpy.arange(12, dtype="float32").reshape(4, 3))


@pytest.fixture(autouse=True)
def no_ops_are_left():
    yield
    for spec_type, name in custom_ops():
        lib.op_unregister(lib.answer(ctypes.c_void_p, lib.op_look_up, spec_type.encode(),
                                     name.encode()))


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_op_that_fails_in_whatever_way_is_no_success(sharded, monkeypatch):
    class Unspeakable(Exception):
        def __str__(self):
            raise LookupError("not even this can be said")

    @custom_sharding_spec_op(ChunkShardingSpec, "acme.fails")
    def fails(types, args, kwargs, process_group):
        raise Unspeakable

    with pytest.raises(Unspeakable):
        dispatch_custom_op(CHUNK, "acme.fails", (sharded,))
    monkeypatch.setattr(_callbacks, "_hold", lambda *_: 1 / 0)
    with pytest.raises(CallbackError):
        dispatch_custom_op(CHUNK, "acme.fails", (sharded,))


def test_integers_of_other_libraries_are_integers_for_c(sharded):
    seen = []

    @lib.header.type("op_fn")
    def in_c(ctx, spec, arguments, results, count, err):
        given = arguments.contents
        seen.extend((given.args[at].kind, given.args[at].integer)
                    for at in range(1, given.arg_count))
        return lib.OK

    lib.op_register(b"chunk", b"acme.in_c", in_c, None, lib.header.type("destroy_fn")(), None, None)
    dispatch_custom_op(CHUNK, "acme.in_c", (sharded, numpy.int8(-3), [numpy.int64(1), 2], True))
    assert seen == [(lib.VALUE_I64, -3), (lib.VALUE_I64_LIST, 2), (lib.VALUE_BOOL, 1)]


def test_an_op_gets_what_it_was_called_with_and_its_answer_is_returned(sharded):
    anything, group = object(), object()

    @custom_sharding_spec_op(ChunkShardingSpec, "acme.sum")
    def sum_up(types, args, kwargs, process_group):
        assert types == (ShardedTensor,) and process_group is group
        assert args[0] is sharded and args[1] is anything and kwargs["more"] is numbers
        return sum(numpy.asarray(shard.tensor).sum() for shard in args[0].local_shards()), anything

    numbers = numpy.arange(3)
    assert dispatch_custom_op(CHUNK, "acme.sum", (sharded, anything), {"more": numbers},
                              group) == (66, anything)
    assert dispatch_custom_op(CHUNK, "acme.sum", (sharded, anything), {"more": numbers}, group,
                              results=0) == (66, anything)


def test_ops_are_found_by_the_type_of_the_spec(sharded):
    class Mine(ShardingSpec):
        def build_metadata(self, tensor_sizes, tensor_properties=None):
            return ShardedTensorMetadata([ShardMetadata([0], [3], "rank:0")], (3,))

    @custom_sharding_spec_op(Mine, numpy.matmul)
    def multiply(types, args, kwargs, process_group):
        return "mine"

    @custom_sharding_spec_op(EnumerableShardingSpec, len)
    def length(types, args, kwargs, process_group):
        return "listed"

    assert has_custom_op(Mine(), numpy.matmul) and has_custom_op(Mine, numpy.matmul)
    assert has_custom_op(EnumerableShardingSpec, "builtins.len")
    assert not has_custom_op(CHUNK, numpy.matmul) and not has_custom_op(Mine(), numpy.add)
    assert dispatch_custom_op(Mine(), numpy.matmul, [sharded]) == "mine"
    assert [name for _, name in custom_ops()] == ["builtins.len", "numpy.matmul"]
    with pytest.raises(NotFoundError, match=r"'numpy.matmul'.*'chunk'"):
        dispatch_custom_op(CHUNK, numpy.matmul, [sharded])
    with pytest.raises(TypeError, match="a name or a function"):
        has_custom_op(CHUNK, 3)


def test_ops_are_replaced_only_when_asked_to(sharded):
    def register(answer, **options):
        custom_sharding_spec_op(ChunkShardingSpec, "acme.op", **options)(lambda *_: answer)

    register(1)
    with pytest.raises(RegistrationError) as refused:
        register(2)
    assert refused.value.name == "ALREADY_EXISTS"
    assert dispatch_custom_op(CHUNK, "acme.op", [sharded]) == 1
    register(3, replace=True)
    assert dispatch_custom_op(CHUNK, "acme.op", [sharded]) == 3
    remove_custom_op(CHUNK, "acme.op")
    assert not has_custom_op(CHUNK, "acme.op")
    with pytest.raises(NotFoundError):
        remove_custom_op(CHUNK, "acme.op")


def test_a_function_goes_with_its_registration():
    def op(types, args, kwargs, process_group):
        return None

    gone = weakref.ref(op)
    custom_sharding_spec_op(ChunkShardingSpec, "acme.op")(op)
    with pytest.raises(RegistrationError):
        custom_sharding_spec_op(ChunkShardingSpec, "acme.op")(op)
    del op
    gc.collect()
    assert gone() is not None
    remove_custom_op(ChunkShardingSpec, "acme.op")
    gc.collect()
    assert gone() is None


def test_what_an_op_raises_comes_out_of_the_dispatch(sharded):
    error = KeyError("inside")

    @custom_sharding_spec_op(ChunkShardingSpec, "acme.raises")
    def raises(types, args, kwargs, process_group):
        raise error

    @custom_sharding_spec_op(ChunkShardingSpec, "acme.outer")
    def outer(types, args, kwargs, process_group):
        return dispatch_custom_op(CHUNK, "acme.raises", args)

    for name in ("acme.raises", "acme.outer"):
        with pytest.raises(KeyError) as caught:
            dispatch_custom_op(CHUNK, name, [sharded])
        assert caught.value is error


def test_ops_call_ops_and_each_sees_its_own_arguments(sharded):
    other = ShardedTensor.from_full(CHUNK, numpy.zeros((2, 2)))

    @custom_sharding_spec_op(ChunkShardingSpec, "acme.count")
    def count(types, args, kwargs, process_group):
        depth = kwargs["depth"]
        assert args == ((sharded, other)[depth % 2],)
        if depth == 0:
            return [0]
        return [*dispatch_custom_op(CHUNK, "acme.count", [(sharded, other)[(depth - 1) % 2]],
                                    {"depth": depth - 1}), depth]

    assert dispatch_custom_op(CHUNK, "acme.count", [other], {"depth": 5}) == [0, 1, 2, 3, 4, 5]


def test_validation_is_torchs(sharded):
    custom_sharding_spec_op(ChunkShardingSpec, "acme.op")(lambda *_: None)
    for args, name in (((), "NO_ARGUMENTS"), ((1, "two"), "NO_SHARDED_TENSOR")):
        with pytest.raises(OpArgumentsError) as refused:
            dispatch_custom_op(CHUNK, "acme.op", args)
        assert refused.value.name == name
    assert dispatch_custom_op(CHUNK, "acme.op", kwargs={"input": sharded}) is None


def test_an_op_may_not_end_itself(sharded):
    @custom_sharding_spec_op(ChunkShardingSpec, "acme.op")
    def op(types, args, kwargs, process_group):
        remove_custom_op(CHUNK, "acme.op")

    with pytest.raises(RegistrationError) as refused:
        dispatch_custom_op(CHUNK, "acme.op", [sharded])
    assert refused.value.name == "BUSY" and has_custom_op(CHUNK, "acme.op")


def test_threads_dispatch_at_once(sharded):
    waiting, seen = threading.Barrier(4), []

    @custom_sharding_spec_op(ChunkShardingSpec, "acme.op")
    def op(types, args, kwargs, process_group):
        waiting.wait(30)
        return args[1]

    threads = [threading.Thread(target=lambda number=number: seen.append(
        (number, dispatch_custom_op(CHUNK, "acme.op", (sharded, number))))) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(seen) == [(number, number) for number in range(4)]


def dispatch_from_c(name, values, results, names=(), comm=None):
    """A dispatch that does not come from this package."""
    array = (ops.Value * len(values))(*values)
    kwargs = array[len(values) - len(names):]
    named = (ops.Value * len(names))(*kwargs)
    keys = (ctypes.c_char_p * len(names))(*names)
    arguments = ops.Arguments(ctypes.sizeof(ops.Arguments), array, len(values) - len(names), keys,
                              named, len(names), comm)
    places = (ops.Value * results)()
    lib.op_dispatch(CHUNK, name.encode(), ctypes.byref(arguments), places, results)
    return places


def test_arguments_of_other_languages_arrive_as_pythons(sharded):
    @custom_sharding_spec_op(ChunkShardingSpec, "acme.op")
    def op(types, args, kwargs, process_group):
        tensor, *plain, matrix, numbers = args
        assert types == (ShardedTensor,) and tensor.local_indices() == [0, 1]
        assert plain == [None, True, -7, 0.5, "téxt", 1234]
        assert matrix.shape == (2, 2) and matrix.tolist() == [[1, 2], [3, 4]]
        assert numbers == [5, 6] and kwargs == {"empty": []} and process_group is None
        return None, False, 8, 2.5, ShardedTensor.from_full(CHUNK, numpy.zeros(2))

    names = (b"chunk", b"acme.op")
    call = ops._Call(names, [sharded, None, True, -7, 0.5, "téxt"], {}, None, 0)
    more = ops._Call(names, [numpy.array([[1, 2], [3, 4]], "int8"), [5, 6], []], {}, None, 0)
    values = [call.arguments.args[at] for at in range(6)]
    values += [ops.Value(lib.VALUE_POINTER, pointer=1234)]
    values += [more.arguments.args[at] for at in range(3)]
    results = dispatch_from_c("acme.op", values, 6, [b"empty"])
    kinds = [lib.VALUE_NONE, lib.VALUE_BOOL, lib.VALUE_I64, lib.VALUE_F64, lib.VALUE_SHARDED_TENSOR,
             lib.VALUE_NONE]
    assert [result.kind for result in results] == kinds
    assert (results[1].integer, results[2].integer, results[3].real) == (0, 8, 2.5)
    # The caller's, to free.
    given = ShardedTensor(results[4].pointer)
    gc.collect()
    assert given.size() == (2,)


def test_the_communicator_of_other_languages_arrives_as_pythons(sharded):
    @custom_sharding_spec_op(ChunkShardingSpec, "acme.op")
    def op(types, args, kwargs, process_group):
        assert isinstance(process_group, Communicator)
        assert process_group._as_parameter_ == alone._as_parameter_
        return process_group.size

    value = ops.Value(lib.VALUE_SHARDED_TENSOR, pointer=sharded._as_parameter_)
    with Communicator.local(1)[0] as alone:
        (size,) = dispatch_from_c("acme.op", [value], 1, comm=alone._as_parameter_)
        gc.collect()
        assert size.integer == alone.size == 1


def test_results_that_c_has_nothing_for_are_refused(sharded):
    answers = iter([object(), (1, 2, 3)])
    custom_sharding_spec_op(ChunkShardingSpec, "acme.op")(lambda *_: next(answers))
    value = ops.Value(lib.VALUE_SHARDED_TENSOR, pointer=sharded._as_parameter_)
    with pytest.raises(UnsupportedError, match="object"):
        dispatch_from_c("acme.op", [value], 2)
    with pytest.raises(ValueError, match="gives 3"):
        dispatch_from_c("acme.op", [value], 2)


def test_ops_of_other_languages_are_called_with_what_c_has(sharded):
    seen = []

    @lib.header.type("op_fn")
    def op(ctx, spec, arguments, results, result_count, err):
        given = arguments.contents
        seen.extend((given.args[at].kind, given.args[at].integer) for at in range(given.arg_count))
        results[0] = ops.Value(lib.VALUE_I64, integer=42)
        results[1] = ops.Value(lib.VALUE_F64, real=0.25)
        return 0

    lib.op_register(b"chunk", b"acme.c", op, None, lib.header.type("destroy_fn")(), None, None)
    args = [sharded, None, False, 3, 1.5, "text", [1, 2], numpy.zeros(3), 2**64]
    assert dispatch_custom_op(CHUNK, "acme.c", args, results=3) == (42, 0.25, None)
    assert seen == [(lib.VALUE_SHARDED_TENSOR, 0), (lib.VALUE_NONE, 0), (lib.VALUE_BOOL, 0),
                    (lib.VALUE_I64, 3), (lib.VALUE_F64, 0), (lib.VALUE_TEXT, 0),
                    (lib.VALUE_I64_LIST, 2), (lib.VALUE_TENSOR_VIEW, 0), (lib.VALUE_POINTER, 0)]


def test_torchs_functions_are_ops(sharded):
    torch = pytest.importorskip("torch")

    @custom_sharding_spec_op(ChunkShardingSpec, torch.nn.functional.linear)
    def sharded_linear(types, args, kwargs, process_group):
        weight = torch.cat([torch.from_dlpack(one.tensor) for one in args[1].local_shards()])
        return torch.nn.functional.linear(args[0], weight, kwargs.get("bias"))

    inputs, bias = torch.ones(2, 3, requires_grad=True), torch.arange(4.0)
    full = torch.arange(12.0).reshape(4, 3)
    linear = torch.nn.functional.linear
    answer = dispatch_custom_op(CHUNK, linear, (inputs, sharded), {"bias": bias})
    assert torch.equal(answer, linear(inputs, full, bias))
    answer.sum().backward()
    assert torch.equal(inputs.grad, full.sum(dim=0).expand(2, 3))


def test_an_op_of_mesh_specs_gets_shards_that_are_no_boxes():
    @custom_sharding_spec_op(MeshShardingSpec, "acme.double")
    def double(types, args, kwargs, process_group):
        (tensor,) = args
        parts = [2 * numpy.from_dlpack(shard.tensor) for shard in tensor.local_shards()]
        return tensor.metadata().gather(parts)

    fused = MeshShardingSpec(Mesh({"dp": 2, "tp": 2}), [Cut(0, "tp", segments=[4, 2, 2])])
    weight = numpy.arange(16, dtype="float32").reshape(8, 2)
    tensor = ShardedTensor.from_full(fused, weight)
    assert has_custom_op(MeshShardingSpec, "acme.double") and ("mesh", "acme.double") in custom_ops()
    doubled = dispatch_custom_op(fused, "acme.double", (tensor,))
    assert numpy.array_equal(numpy.asarray(doubled), 2 * weight)
    remove_custom_op(MeshShardingSpec, "acme.double")


def test_shards_of_a_mesh_go_out_and_come_back_by_dlpack():
    deal = MeshShardingSpec.cyclic(0, 2, ranks(2))
    numbers = numpy.arange(9, dtype="float32")
    parts = [numpy.from_dlpack(shard.tensor)
             for shard in ShardedTensor.from_full(deal, numbers).local_shards()]
    assert [part.tolist() for part in parts] == [[0, 1, 4, 5, 8], [2, 3, 6, 7]]
    metadata = deal.build_metadata((9,))
    assert numpy.array_equal(numpy.asarray(metadata.gather(parts)), numbers)
    for number in range(2):
        with pytest.raises(UnsupportedError):
            metadata.view_shard(number, numbers)
