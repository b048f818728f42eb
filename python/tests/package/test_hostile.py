"""Objects that lie, change or fail while they are used."""

import ctypes
import threading

import numpy
import pytest

from common import ends_well, ranks
from fuzz_calls import fuzz
from shardspec import ChunkShardingSpec, ShardedTensor, ShardingSpec, _dlpack, as_tensor, copy, empty

HALVES = ChunkShardingSpec(0, ranks(2)).build_metadata((4,))
FULL = numpy.arange(4.0)


class Exported:
    """An exporter whose tensor was changed after it was made."""

    def __init__(self, change):
        self.change = change

    def __dlpack__(self, **arguments):
        capsule = as_tensor(FULL).__dlpack__(max_version=(1, 0))
        tensor, _ = _dlpack.read(capsule)
        self.change(tensor)
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
