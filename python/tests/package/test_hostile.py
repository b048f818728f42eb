"""Objects that lie, change or fail while they are used."""

import array
import contextlib
import ctypes
import gc
import mmap
import signal
import sys
import threading

import numpy
import pytest

from common import ends_well, ranks, tensor_in
from fuzz_calls import fuzz
from shardspec import (
    Checkpoint,
    ChunkShardingSpec,
    Communicator,
    HandleError,
    Plan,
    ShardedTensor,
    ShardingSpec,
    TensorProperties,
    as_tensor,
    copy,
    custom_sharding_spec_op,
    dispatch_custom_op,
    empty,
    save_checkpoint,
)

HALVES = ChunkShardingSpec(0, ranks(2)).build_metadata((4,))
FULL = numpy.arange(4.0)


class Exported:
    """An exporter whose tensor was changed after it was made."""

    def __init__(self, change):
        self.change = change

    def __dlpack__(self, **arguments):
        capsule = as_tensor(FULL).__dlpack__(max_version=(1, 0))
        self.change(tensor_in(capsule))
        return capsule


def has(**fields):
    def change(tensor):
        for name, value in fields.items():
            setattr(tensor, name, value)
    return change


NO_SHAPE = ctypes.POINTER(ctypes.c_int64)()


@pytest.mark.parametrize("change, error", [
    (has(ndim=-1), BufferError), (has(ndim=33), BufferError), (has(ndim=1 << 30), BufferError),
    (has(shape=NO_SHAPE), BufferError), (has(shape=(ctypes.c_int64 * 1)(-4)), ValueError),
    (has(data=None), BufferError)], ids=str)
def test_a_capsule_with_an_impossible_tensor_is_refused(change, error):
    for call in (lambda: HALVES.scatter(Exported(change)),
                 lambda: HALVES.gather([FULL[:2], FULL[2:]], Exported(change)),
                 lambda: HALVES.gather([Exported(change), FULL[2:]])):
        with pytest.raises(error, match=r"^(full|shards\[0\])"):
            call()


def numbers(*values):
    return (ctypes.c_int64 * len(values))(*values)


@pytest.mark.parametrize("change, of_source, of_destination", [
    (has(strides=numbers(1 << 62)), OverflowError, OverflowError),
    (has(strides=numbers(-(1 << 63))), OverflowError, OverflowError),
    (has(shape=numbers((1 << 63) - 1)), OverflowError, OverflowError),
    (has(ndim=2, shape=numbers(1 << 62, 4), strides=numbers(1, 1)), OverflowError, OverflowError),
    (has(byte_offset=(1 << 64) - 8), OverflowError, OverflowError),
    (has(strides=numbers(0)), None, ValueError)], ids=str)
def test_strides_and_offsets_that_lead_nowhere_are_refused(change, of_source, of_destination):
    if of_source is None:
        assert [part.tolist() for part in HALVES.scatter(Exported(change))] == [[0, 0], [0, 0]]
    else:
        with pytest.raises(of_source, match="^full: "):
            HALVES.scatter(Exported(change))
    with pytest.raises(of_destination, match="^full: "):
        HALVES.gather([FULL[:2].copy(), FULL[2:].copy()], Exported(change))


class Interface:
    """Has numpy's interface only, and lies in it."""

    def __init__(self, changed):
        self.keep = numpy.arange(4.0)
        self.__array_interface__ = {**self.keep.__array_interface__, **changed}


@pytest.mark.parametrize("changed, name", [
    ({"shape": None}, "shape"), ({"shape": 4}, "shape"), ({"shape": (4.0,)}, "shape"), ({"shape": ("a",)}, "shape"),
    ({"shape": (1 << 70,)}, "shape"), ({"shape": (-4,)}, "shape"), ({"strides": 8}, "strides"),
    ({"strides": ("a",)}, "strides"), ({"strides": (8, 8)}, "strides"), ({"strides": (1 << 70,)}, "strides"),
    ({"strides": (1 << 62,)}, "strides"), ({"data": ("x", False)}, "data"), ({"data": (1 << 70, False)}, "data"),
    ({"data": (-8, False)}, "data"), ({"data": (0, False)}, "data"), ({"data": (1,)}, "neither"),
    ({"data": None}, "neither"), ({"typestr": 3}, "neither"), ({"typestr": "<f99"}, "neither"),
    ({"typestr": "|O8"}, "neither"), ({"shape": (1,) * 33}, "neither")], ids=str)
def test_an_interface_that_can_not_be_is_refused_by_what_is_wrong_in_it(changed, name):
    with pytest.raises((TypeError, ValueError, OverflowError), match=rf"^full\b.*\b{name}") as refused:
        HALVES.scatter(Interface(changed))
    assert "has no len" not in str(refused.value) and "formatting" not in str(refused.value)
    assert [part.tolist() for part in HALVES.scatter(Interface({}))] == [[0, 1], [2, 3]]


@pytest.mark.parametrize("version", [None, (1, 0)], ids=["legacy", "versioned"])
def test_an_exporter_can_not_give_the_same_memory_to_two_owners(version):
    exporter = Capsule(as_tensor(bytearray(b"abcd")).__dlpack__(max_version=version))
    tensor = as_tensor(exporter)
    for take in (as_tensor, numpy.from_dlpack):
        with pytest.raises((BufferError, ValueError, RuntimeError)):
            take(exporter)
    del exporter
    gc.collect()
    assert tensor.memory().tobytes() == b"abcd"


class Capsule:
    """Gives one capsule to all."""

    def __init__(self, capsule):
        self.capsule = capsule

    def __dlpack__(self, **arguments):
        return self.capsule

    def __dlpack_device__(self):
        return 1, 0


class TakesItself(type):
    """The type of an exporter whose tensor another takes, if it can, while its module's name is asked for."""

    @property
    def __module__(cls):
        given, cls.given = cls.given, None
        if given is not None:
            with contextlib.suppress(BufferError, ValueError, RuntimeError):
                cls.others.append(numpy.from_dlpack(Capsule(given)))
        return "hostile"


@pytest.mark.parametrize("version", [None, (1, 0)], ids=["legacy", "versioned"])
def test_a_capsule_is_taken_before_anything_else_is_asked(version):
    class Gives(metaclass=TakesItself):
        given, others = None, []

        def __dlpack__(self, **arguments):
            type(self).given = as_tensor(FULL).__dlpack__(max_version=version)
            return type(self).given

    assert as_tensor(Gives()).tolist() == FULL.tolist() and not Gives.others


def test_of_threads_that_take_one_capsule_only_one_gets_it():
    def take(exporter, taker):
        try:
            got.append(taker(exporter))
        except (BufferError, ValueError, RuntimeError) as refused:
            assert "called with" not in str(refused) or taker is not as_tensor
            got.append(None)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for number in range(300):
            got = []
            exporter = Capsule(as_tensor(numpy.full(64, number)).__dlpack__(max_version=(1, 0)))
            threads = [threading.Thread(target=take, args=(exporter, taker)) for taker in (
                as_tensor, as_tensor, numpy.from_dlpack)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(20)
            (one,) = [taken for taken in got if taken is not None]
            assert numpy.asarray(one).tolist() == [number] * 64
    finally:
        sys.setswitchinterval(interval)


def test_what_was_taken_out_of_a_capsule_is_given_back_once_when_nothing_uses_it():
    class Gives:
        def __dlpack__(self, **arguments):
            self.source = memoryview(bytearray(b"abcd"))
            return as_tensor(self.source).__dlpack__(max_version=(1, 0))

    gives = Gives()
    tensor = as_tensor(gives)
    view = HALVES.view_shard(1, tensor)
    with pytest.raises(BufferError):
        gives.source.obj.extend(b"e")  # It is lent.
    memory = gives.source.obj
    gives.source = None
    del tensor
    gc.collect()
    with pytest.raises(BufferError):
        memory.extend(b"e")
    assert view.tolist() == [99, 100]
    del view
    gc.collect()
    memory.extend(b"e")


def test_a_tensor_of_a_negative_size_is_none():
    with pytest.raises(ValueError, match="^tensor: its shape holds the negative size -4"):
        as_tensor(Exported(has(shape=numbers(-4))))


@pytest.mark.parametrize("field, value", [("device_type", 2), ("device_type", 99), ("device_type", -1)])
def test_memory_of_another_device_is_not_read(field, value):
    def change(tensor):
        setattr(tensor.device, field, value)

    for call in (lambda: HALVES.scatter(Exported(change)), lambda: as_tensor(Exported(change))):
        with pytest.raises(ValueError, match="full|tensor"):
            call()


@pytest.mark.parametrize("raised", [BufferError, RuntimeError, KeyboardInterrupt, MemoryError])
def test_what_an_exporter_raises_comes_out(raised):
    class Raises:
        def __dlpack__(self, **arguments):
            raise raised("of mine")

    with pytest.raises(raised, match="of mine"):
        HALVES.scatter(Raises())


def test_no_capsule_is_no_tensor():
    class Exports:
        def __init__(self, answer):
            self.answer = answer

        def __dlpack__(self, **arguments):
            return self.answer

    for answer in (None, 3, "dltensor", object()):
        with pytest.raises(BufferError, match="full: .*capsule"):
            HALVES.scatter(Exports(answer))


def test_a_buffer_can_not_be_resized_while_it_is_used():
    place, kept = bytearray(32), []

    class Resizes(ShardingSpec):
        def build_metadata(self, tensor_sizes, tensor_properties=None):
            return ChunkShardingSpec(0, ranks(1)).build_metadata(tensor_sizes, tensor_properties)

        def fill_shard(self, metadata, index, full, shard):
            for change in (lambda: place.extend(b"1"), place.clear):
                with pytest.raises(BufferError):
                    change()
                kept.append(True)
            super().fill_shard(metadata, index, full, shard)

    spec = Resizes()
    spec.extract_shard(spec.build_metadata((32,)), 0, bytes(range(32)), place)
    assert kept == [True, True] and place == bytes(range(32))
    place.extend(b"1")


def test_a_memoryview_that_was_released_is_refused_and_one_in_use_stays():
    memory = memoryview(bytearray(4))
    tensor = as_tensor(memory)
    memory.release()
    assert tensor.tolist() == [0] * 4
    with pytest.raises((TypeError, ValueError), match="tensor"):
        as_tensor(memory)


@pytest.mark.parametrize("raised", [KeyboardInterrupt, SystemExit, ZeroDivisionError])
def test_exceptions_of_callbacks_come_out_and_nothing_breaks(raised):
    class Raises(ShardingSpec):
        def build_metadata(self, tensor_sizes, tensor_properties=None):
            raise raised("of mine")

    spec = Raises()
    for _ in range(3):
        with pytest.raises(raised, match="of mine"):
            ShardedTensor.from_full(spec, FULL)
    assert HALVES.scatter(FULL)[1].tolist() == [2, 3]


def test_threads_switch_inside_of_callbacks():
    class Waits(ShardingSpec):
        def build_metadata(self, tensor_sizes, tensor_properties=None):
            return HALVES

        def fill_shard(self, metadata, index, full, shard):
            barrier.wait(20)
            super().fill_shard(metadata, index, full, shard)

    barrier, spec, answers = threading.Barrier(2), Waits(), [None, None]

    def work(number):
        answers[number] = spec.extract_shard(HALVES, number, FULL).tolist()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [[0, 1], [2, 3]]


def in_build_metadata(act, _):
    class Interrupted(ShardingSpec):
        def build_metadata(self, tensor_sizes, tensor_properties=None):
            act()
            return HALVES

    return ShardedTensor.from_full(Interrupted(), FULL).local_tensor


def in_fill_shard(act, _):
    class Interrupted(ShardingSpec):
        def build_metadata(self, tensor_sizes, tensor_properties=None):
            return HALVES

        def fill_shard(self, metadata, index, full, shard):
            act()
            super().fill_shard(metadata, index, full, shard)

    return Interrupted().extract_shard(HALVES, 0, FULL)


def in_an_op(act, _):
    custom_sharding_spec_op(ChunkShardingSpec, "test.hostile", replace=True)(lambda *given: act())
    return dispatch_custom_op(ChunkShardingSpec(0, ranks(1)), "test.hostile", (
        ShardedTensor.from_full(ChunkShardingSpec(0, ranks(1)), FULL),))


def in_an_exchange(act, _):
    class Wire(Communicator):
        def exchange(self, sends, receives):
            act()

    return Wire(0, 2).reshard(HALVES, [FULL[:2]], HALVES)


def in_progress(act, folder):
    halves = ChunkShardingSpec(0, ranks(2)).build_metadata((4,), TensorProperties("float64"))
    save_checkpoint(folder / "x", {"x": (halves, {0: FULL[:2], 1: FULL[2:]})}, replace=True)
    return Checkpoint(folder / "x").read({"x": numpy.zeros(4)}, progress=lambda done, total: act())


def in_an_iterator(act, _):
    return HALVES.gather(act() for _ in range(2))


def in_an_exporter(act, _):
    class Interrupted:
        def __dlpack__(self, **arguments):
            act()

    return HALVES.scatter(Interrupted())


@pytest.fixture
def ctrl_c():
    """Python's own handler of Ctrl-C. A process in the background has none."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ctrl_c")
@pytest.mark.parametrize("call", [in_build_metadata, in_fill_shard, in_an_op, in_an_exchange, in_progress,
                                  in_an_iterator, in_an_exporter])
@pytest.mark.parametrize("act, raised", [
    (lambda: signal.raise_signal(signal.SIGINT), KeyboardInterrupt), (lambda: sys.exit(3), SystemExit),
    (lambda: 1 / 0, ZeroDivisionError), (lambda: {}["x"], KeyError)], ids=["SIGINT", "exit", "division", "key"])
def test_what_interrupts_a_callback_comes_out_of_the_call(call, act, raised, tmp_path):
    for _ in range(3):
        with pytest.raises(raised):
            call(act, tmp_path)
    assert HALVES.scatter(FULL)[1].tolist() == [2, 3]


@pytest.mark.parametrize("raised", [KeyboardInterrupt, MemoryError])
def test_what_comes_while_an_object_is_passed_is_not_turned_into_a_type_error(raised):
    def come(frame, event, argument):
        if frame.f_code.co_name == "_as_parameter_":
            raise raised

    class Own(ShardingSpec):
        def build_metadata(self, tensor_sizes, tensor_properties=None):
            return HALVES

    own, tensor, plan = Own(), ShardedTensor.from_full(ChunkShardingSpec(0, ranks(1)), FULL), Plan(HALVES, HALVES)
    for call in (lambda: ShardedTensor.from_full(own, FULL), tensor.gather, lambda: plan.rank_runs(0, 0, 8)):
        sys.settrace(come)
        try:
            call()
        except raised:
            pass
        finally:
            sys.settrace(None)


@pytest.mark.parametrize("place", [lambda: array.array("d", FULL), lambda: mapped(32), lambda: bytearray(32)],
                         ids=["array", "mmap", "bytearray"])
def test_memory_that_is_viewed_can_neither_grow_nor_go(place):
    memory = place()
    tensor = as_tensor(memory)
    for change in (lambda: memory.extend(memory[:1]), lambda: memory.resize(1 << 16), lambda: memory.close()):
        with pytest.raises((BufferError, AttributeError)):
            change()
    view = copy(tensor, empty(tensor.shape, tensor.dtype))
    del tensor
    gc.collect()
    assert view.nbytes == 32
    if hasattr(memory, "close"):
        memory.close()
    else:
        memory.extend(memory[:1])


def mapped(nbytes):
    return mmap.mmap(-1, nbytes)


def test_threads_share_objects_while_one_closes_them():
    """Each call is right, or says that the object was closed."""
    rows, columns = HALVES, ChunkShardingSpec(0, ranks(4)).build_metadata((4,))
    wrong = []

    def use(plan, tensor, metadata, begun):
        begun.wait(20)
        for _ in range(20):
            try:
                right = ([part.tolist() for part in plan.execute([FULL[:2], FULL[2:]])] == [[0], [1], [2], [3]]
                         and tensor.gather().tolist() == FULL.tolist() and metadata.shards_of_rank(1) == [1]
                         and len([*plan]) == 4 and len(metadata.shards_metadata) == 2)
            except HandleError:
                return
            except BaseException as error:
                wrong.append(error)
                return
            if not right:
                wrong.append("a wrong answer")

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(20):
            given = (Plan(rows, columns), ShardedTensor.from_full(rows, FULL),
                     ChunkShardingSpec(0, ranks(2)).build_metadata((4,)))
            begun = threading.Barrier(4)
            threads = [threading.Thread(target=use, args=(*given, begun)) for _ in range(3)]
            for thread in threads:
                thread.start()
            begun.wait(20)
            for one in given:
                one.close()
            for thread in threads:
                thread.join(20)
    finally:
        sys.setswitchinterval(interval)
    assert not wrong


def test_objects_that_end_with_python_end_well():
    ends_well("""
import atexit, gc, weakref
import shardspec

class Late:
    def __init__(self, of): self.of, self.itself = of, self
    def __del__(self):
        try: repr(self.of)
        except Exception: pass

spec = shardspec.ChunkShardingSpec(0, ["rank:0", "rank:1"])
metadata = spec.build_metadata((4,))
late = [Late(metadata), Late(spec), Late(metadata.scatter(bytearray(4))), Late(
    shardspec.ShardedTensor.zeros(spec.build_metadata((4,), shardspec.TensorProperties("int8"))))]
capsule = shardspec.empty((4,), "int8").__dlpack__(max_version=(1, 0))
atexit.register(lambda: metadata.scatter(bytearray(4)))
shardspec.held = late
""")


SUB = """
try:
    import _interpreters as module
    run = module.exec
except ImportError:
    import _xxsubinterpreters as module
    run = module.run_string
import shardspec
sub = module.create()
run(sub, '''
import sys
sys.path[:0] = %r
try:
    import shardspec
except ImportError as error:
    print(error)
''' % (sys.path,))
module.destroy(sub)
print(shardspec.empty((2,), "int8").tolist())
"""


def test_sub_interpreters_and_pythons_without_a_lock_are_refused_at_import():
    printed = ends_well(f"import sys\n{SUB}")
    assert printed.splitlines() == [
        "shardspec can't be used in a sub-interpreter: its callbacks enter the main interpreter; import it there",
        "[0, 0]"]
    printed = ends_well("import sys\nsys._is_gil_enabled = lambda: False\ntry:\n    import shardspec\n"
                        "except ImportError as error:\n    print(error)\n")
    assert "PYTHON_GIL=1" in printed


def test_a_tensor_keeps_what_it_is_a_view_of():
    class Array(numpy.ndarray):
        pass

    source = numpy.arange(4.0).view(Array)
    place = empty((4,), "float64")
    copy(source, place)
    tensor = as_tensor(numpy.arange(1000.0)[10:14])
    assert tensor.tolist() == [10, 11, 12, 13] and place.tolist() == [0, 1, 2, 3]


def test_random_calls_with_random_objects_end_well():
    wrong = fuzz(1500, 1)
    assert not wrong, "\n" + "\n".join(sorted(set(wrong)))
