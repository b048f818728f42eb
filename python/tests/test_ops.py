"""Ops whose functions are Python's, through raw ctypes."""

import ctypes
import threading

import numpy
import pytest

from binding import STRUCTS, Refused, texts
from shardspec._library import lib as library

Arguments, Value, Options = STRUCTS["op_arguments"], STRUCTS["value"], STRUCTS["op_options"]
OP, DESTROY = library.header.type("op_fn"), library.header.type("destroy_fn")


class Op:
    """An op: a Python function of the arguments, which are pairs of kind and payload. What it raises
    becomes a status, and is raised again by the call that led to it."""

    def __init__(self, lib, function, name, spec_type=b"chunk", flags=0):
        self.lib, self.function, self.name = lib, function, name
        self.raised, self.ended = None, []
        self.callback, self.destroy = OP(self.run), DESTROY(self.ended.append)
        options = Options(ctypes.sizeof(Options), flags, lib.CALLBACK_OK_IN_ERR)
        self.handle = lib.made(lib.op_register, spec_type, name, self.callback, 7, self.destroy,
                               ctypes.byref(options))

    def run(self, ctx, spec, arguments, results, result_count, err):
        try:
            given = arguments.contents
            values = self.function(*(given.args[at] for at in range(given.arg_count)))
            for at, value in enumerate(values[:result_count]):
                results[at] = value
            err.contents.status = self.lib.CALLBACK_OK_IN_ERR
        except BaseException as raised:
            self.raised = raised
            err.contents.message = f"{type(raised).__name__}: {raised}".encode()
            err.contents.status = self.lib.USER_STATUS + 5
        return 0

    def dispatch(self, spec, *values, results=0):
        given = (Value * len(values))(*values)
        arguments = Arguments(ctypes.sizeof(Arguments), given, len(values))
        places = (Value * results)()
        try:
            self.lib.op_dispatch(spec, self.name, ctypes.byref(arguments), places, results)
        except Refused as refused:
            if refused.status == self.lib.USER_STATUS + 5:
                raise self.raised from refused
            raise
        return list(places)


@pytest.fixture
def spec(lib):
    spec = lib.made(lib.spec_new_chunk, 0, texts("rank:0", "rank:1"), 2)
    yield spec
    lib.spec_free(spec)


@pytest.fixture
def tensor(lib, spec):
    full = numpy.arange(12, dtype="float32").reshape(4, 3)
    tensor = lib.made(lib.sharded_tensor_new_from_spec, spec, None, None,
                      ctypes.byref(lib.view(full)), None)
    yield tensor
    lib.sharded_tensor_free(tensor)


def sharded(lib, tensor):
    return Value(kind=lib.VALUE_SHARDED_TENSOR, pointer=tensor)


def integer(lib, number):
    return Value(kind=lib.VALUE_I64, integer=number)


def test_an_op_written_in_python_is_called_and_answers(lib, spec, tensor):
    def add(tensor, first, second):
        count = lib.number(lib.sharded_tensor_local_count, tensor.pointer, kind=ctypes.c_size_t)
        return [integer(lib, first.integer + second.integer + count)]

    op = Op(lib, add, b"test.add")
    result, = op.dispatch(spec, sharded(lib, tensor), integer(lib, 30), integer(lib, 10), results=1)
    assert (result.kind, result.integer) == (lib.VALUE_I64, 42)
    lib.op_unregister(op.handle)
    assert op.ended == [7]


@pytest.mark.parametrize("raised", [ValueError("no such row"), KeyError(3), SystemExit(2)])
def test_an_exception_in_an_op_is_the_callers(lib, spec, tensor, raised):
    def fail(*_):
        raise raised

    op = Op(lib, fail, b"test.fail")
    with pytest.raises(type(raised)) as caught:
        op.dispatch(spec, sharded(lib, tensor), results=3)
    assert caught.value is raised
    assert caught.value.__cause__.status == lib.USER_STATUS + 5
    assert type(raised).__name__ in str(caught.value.__cause__)
    lib.op_unregister(op.handle)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_what_is_raised_out_of_a_callback_is_no_success(lib, spec, tensor):
    class Careless(Op):
        """Lets everything out that is raised: ctypes returns what the call before returned."""

        careless = False

        def run(self, *arguments):
            if self.careless:
                raise KeyError(3)
            super().run(*arguments)
            return self.lib.CALLBACK_OK_IN_ERR

    op = Careless(lib, lambda *_: [], b"test.careless")
    for _ in range(3):
        op.dispatch(spec, sharded(lib, tensor))
    op.careless = True
    for _ in range(3):
        with pytest.raises(Refused, match="'test.careless' .* probably threw") as refused:
            op.dispatch(spec, sharded(lib, tensor))
        assert refused.value.status == lib.CALLBACK_FAILED
    lib.op_unregister(op.handle)


def test_a_failed_registration_ends_once_and_replacing_ends_the_old_op(lib, spec, tensor):
    first = Op(lib, lambda *_: [], b"test.once")
    with pytest.raises(Refused, match="'test.once' for specs of type 'chunk'") as refused:
        Op(lib, lambda *_: [], b"test.once")
    assert refused.value.status == lib.ALREADY_EXISTS and first.ended == []
    second = Op(lib, lambda *_: [], b"test.once", flags=lib.OP_FLAG_REPLACE)
    assert first.ended == [7] and second.ended == []
    second.dispatch(spec, sharded(lib, tensor))
    lib.op_unregister(second.handle)
    with pytest.raises(Refused) as refused:
        lib.op_unregister(first.handle)
    assert refused.value.status == lib.INVALID_HANDLE


def test_calls_are_refused_as_torch_refuses_them(lib, spec, tensor):
    called = []
    op = Op(lib, lambda *values: called.append(values) or [], b"test.valid")
    for values, status in [((), lib.NO_ARGUMENTS), ((integer(lib, 1),), lib.NO_SHARDED_TENSOR)]:
        with pytest.raises(Refused, match="test.valid") as refused:
            op.dispatch(spec, *values)
        assert refused.value.status == status
    lib.op_unregister(op.handle)
    with pytest.raises(Refused, match="'test.valid' for specs of type 'chunk'") as refused:
        op.dispatch(spec, sharded(lib, tensor))
    assert refused.value.status == lib.NOT_FOUND and not called


def test_an_op_can_not_end_itself(lib, spec, tensor):
    def end(*_):
        lib.op_unregister(op.handle)

    op = Op(lib, end, b"test.end")
    with pytest.raises(Refused, match="running") as refused:
        op.dispatch(spec, sharded(lib, tensor))
    assert refused.value.status == lib.BUSY
    lib.op_unregister(op.handle)
    assert op.ended == [7]


def test_unregistering_waits_for_the_calls_of_other_threads(lib, spec, tensor):
    inside, go_on, returned = threading.Event(), threading.Event(), []

    def wait(*_):
        inside.set()
        assert go_on.wait(10)
        returned.append(True)
        return []

    op = Op(lib, wait, b"test.wait")
    caller = threading.Thread(target=op.dispatch, args=(spec, sharded(lib, tensor)))
    caller.start()
    assert inside.wait(10)
    threading.Timer(0.05, go_on.set).start()
    lib.op_unregister(op.handle)
    assert returned == [True] and op.ended == [7]
    caller.join()
