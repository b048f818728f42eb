"""Tensors that come and go as DLPack capsules, without any other library."""

import ctypes
import gc
import weakref

import numpy
import pytest

from common import ends_well, ranks, tensor_in
from shardspec import ChunkShardingSpec, ViewError, _dlpack, as_tensor, empty
from shardspec._library import lib


class Giver:
    """Gives a tensor as an older or a stranger library would."""

    def __init__(self, tensor, **fixed):
        self.tensor, self.fixed = tensor, fixed

    def __dlpack__(self):
        return self.tensor.__dlpack__(**self.fixed)


class Taker:
    """Takes a tensor out of a capsule as a library does."""

    _name = _dlpack._python("PyCapsule_GetName", ctypes.c_char_p, ctypes.py_object)
    _rename = _dlpack._python("PyCapsule_SetName", ctypes.c_int, ctypes.py_object, ctypes.c_char_p)

    def __init__(self, capsule):
        self.name = self._name(capsule)
        self.address = _dlpack._pointer(capsule, self.name)
        self.used = b"used_" + self.name
        self._rename(capsule, self.used)
        kind = _dlpack.Managed if self.name == b"dltensor_versioned" else _dlpack.LegacyManaged
        self.managed = kind.from_address(self.address)

    def give_back(self):
        self.managed.deleter(self.address)


@pytest.mark.parametrize("max_version, name", [
    (None, b"dltensor"), ((0, 8), b"dltensor"), ((1, 0), b"dltensor_versioned"),
    ((1, 3), b"dltensor_versioned"), ((2, 0), b"dltensor_versioned")])
def test_capsules_have_the_form_that_the_taker_knows(max_version, name):
    tensor = empty((2, 3), "float32")
    taken = Taker(tensor.__dlpack__(max_version=max_version))
    view = taken.managed.tensor
    assert taken.name == name and view.data == tensor.data_ptr()
    assert (view.ndim, view.shape[:2], view.strides[:2]) == (2, [2, 3], [3, 1])
    assert (view.dtype.code, view.dtype.bits, view.dtype.lanes) == (lib.DTYPE_FLOAT, 32, 1)
    assert tensor.__dlpack_device__() == (1, 0) == (view.device.device_type, view.device.device_id)
    if name == b"dltensor_versioned":
        assert (taken.managed.major, taken.managed.minor, taken.managed.flags) == (1, 0, 0)
    taken.give_back()


@pytest.mark.parametrize("version", [None, (1, 0)])
def test_the_memory_stays_until_it_is_given_back(version):
    array = numpy.arange(6.0)
    gone = weakref.ref(array)
    tensor = as_tensor(array)
    taken = Taker(tensor.__dlpack__(max_version=version))
    del array, tensor
    gc.collect()
    assert gone() is not None
    taken.give_back()
    gc.collect()
    assert gone() is None


def test_capsules_that_nobody_took_give_the_memory_back():
    array = numpy.arange(6.0)
    gone = weakref.ref(array)
    kept, dropped = as_tensor(array).__dlpack__(), as_tensor(array).__dlpack__(max_version=(1, 0))
    del array, dropped
    empty((1,), "int8")
    gc.collect()
    assert gone() is not None, "one capsule is still there"
    assert as_tensor(Giver(as_tensor(kept_holder(kept)))).tolist() == list(range(6))
    del kept
    empty((1,), "int8")
    gc.collect()
    assert gone() is None


@pytest.mark.parametrize("version", [None, (1, 0)])
def test_a_capsule_that_is_taken_meanwhile_is_not_given_back_twice(version, monkeypatch):
    array = numpy.arange(6.0)
    gone = weakref.ref(array)
    elsewhere = [as_tensor(array).__dlpack__(max_version=version)]
    del array
    taken = []
    is_valid = _dlpack._is_valid

    def and_then_another_thread_takes_it(capsule, name):
        valid = is_valid(capsule, name)
        if elsewhere:
            taken.append(Taker(elsewhere.pop()))  # It lets go of the capsule, and uses the tensor.
        return valid

    monkeypatch.setattr(_dlpack, "_is_valid", and_then_another_thread_takes_it)
    _dlpack.take_back_what_nobody_took()
    assert taken and gone() is not None, "who took the tensor still uses it"
    _dlpack.take_back_what_nobody_took()
    assert gone() is not None
    taken.pop().give_back()
    gc.collect()
    assert gone() is None


def test_threads_take_capsules_while_others_give_theirs_back():
    ends_well("""
import sys, threading, numpy, shardspec

def work():
    for turn in range(3000):
        array = numpy.from_dlpack(shardspec.empty((turn % 50 + 1,), "float64"))
        array[:] = turn
        shardspec.empty((1,), "int8").__dlpack__()
        assert (array == turn).all()

sys.setswitchinterval(1e-6)
threads = [threading.Thread(target=work) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
""")


class kept_holder:
    """Something whose `__dlpack__` gives a capsule that is there already."""

    def __init__(self, capsule):
        self.capsule = capsule

    def __dlpack__(self):
        return self.capsule


def test_an_exception_under_way_survives_what_is_given_back():
    a, b = empty((4,), "float32"), empty((5,), "float32")
    with pytest.raises(ValueError, match="broadcast"):
        numpy.add(numpy.from_dlpack(a), numpy.from_dlpack(b))
    with pytest.raises((RuntimeError, BufferError), match="(?i)dtype"):
        numpy.from_dlpack(empty((4,), "bfloat16"))


def test_read_only_memory_says_so():
    tensor = as_tensor(bytes(8))
    assert Taker(tensor.__dlpack__(max_version=(1, 0))).managed.flags == lib.DLPACK_FLAG_READ_ONLY
    with pytest.raises(BufferError, match="read-only"):
        tensor.__dlpack__()
    copy = Taker(tensor.__dlpack__(copy=True))
    assert copy.managed.tensor.data != tensor.data_ptr()
    copy.give_back()


def test_a_copy_is_a_copy_and_says_so():
    array = numpy.arange(6.0).reshape(2, 3)
    taken = Taker(as_tensor(array.T).__dlpack__(max_version=(1, 0), copy=True))
    assert taken.managed.flags == lib.DLPACK_FLAG_IS_COPIED
    copy = (ctypes.c_double * 6).from_address(taken.managed.tensor.data)
    array[:] = -1
    assert list(copy) == [0, 3, 1, 4, 2, 5] and taken.managed.tensor.shape[:2] == [3, 2]
    taken.give_back()


def test_what_can_not_be_granted_is_a_buffer_error():
    tensor = empty((2,), "int8")
    for asked in ({"stream": 1}, {"dl_device": (2, 0)}):
        with pytest.raises(BufferError, match=next(iter(asked))):
            tensor.__dlpack__(**asked)
    Taker(tensor.__dlpack__(dl_device=(1, 0), copy=False)).give_back()


@pytest.mark.parametrize("fixed", [{}, {"max_version": (1, 0)}], ids=["legacy", "versioned"])
def test_capsules_are_used_in_place(fixed):
    tensor = empty((4, 2), "bfloat16")
    metadata = ChunkShardingSpec(0, ranks(2)).build_metadata((4, 2))
    part = metadata.view_shard(1, Giver(tensor, **fixed))
    assert part.data_ptr() == tensor.data_ptr() + 8 and part.dtype == "bfloat16"
    again = as_tensor(Giver(tensor, **fixed))
    del tensor
    gc.collect()
    assert again.data_ptr() + 8 == part.data_ptr()


def test_read_only_capsules_are_not_written():
    metadata = ChunkShardingSpec(0, ranks(2)).build_metadata((4,))
    shards = metadata.scatter(bytes(4))
    with pytest.raises(BufferError, match="read-only"):
        metadata.gather(shards, Giver(as_tensor(bytes(4)), max_version=(1, 0)))
    with pytest.raises(BufferError, match="read-only"):
        metadata.gather(shards, Giver(as_tensor(bytes(4)), max_version=(1, 0), copy=True))


def test_memory_elsewhere_and_strange_capsules_are_refused():
    class OnDevice:
        def __dlpack__(self):
            capsule = empty((4,), "int8").__dlpack__()
            tensor = tensor_in(capsule)
            tensor.device.device_type = 2
            return capsule

    with pytest.raises(ViewError, match="host memory"):
        as_tensor(OnDevice())
    metadata = ChunkShardingSpec(0, ranks(2)).build_metadata((4,))
    with pytest.raises(ViewError) as refused:
        metadata.scatter(OnDevice())
    assert refused.value.name == "UNSUPPORTED_DEVICE"

    capsule = empty((4,), "int8").__dlpack__(max_version=(1, 0))
    _dlpack.Managed.from_address(_dlpack._pointer(capsule, b"dltensor_versioned")).major = 2
    with pytest.raises(BufferError, match="version 2"):
        as_tensor(kept_holder(capsule))
    taken = empty((4,), "int8").__dlpack__()
    Taker(taken).give_back()
    with pytest.raises(BufferError, match="taken before"):
        as_tensor(kept_holder(taken))
    with pytest.raises(BufferError, match="no DLPack capsule"):
        as_tensor(kept_holder(7))


def test_errors_of_the_giver_are_not_hidden():
    class Broken:
        def __dlpack__(self, **arguments):
            raise ZeroDivisionError("inside")

    with pytest.raises(ZeroDivisionError, match="inside"):
        as_tensor(Broken())


@pytest.mark.parametrize("holding", [
    "kept = numpy.from_dlpack(tensor)", "kept = tensor.__dlpack__()",
    "kept = tensor.__dlpack__(max_version=(1, 0))", "kept = tensor.memory()",
    "kept = [tensor]; kept.append(kept)"])
def test_python_may_end_while_tensors_are_lent(holding):
    ends_well(f"import numpy, shardspec\ntensor = shardspec.empty((9,), 'float32')\n{holding}\n")
