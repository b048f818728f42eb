"""Objects are freed once, whoever drops them, and calls may come from any thread and process."""

import gc
import multiprocessing
import os
import threading
import weakref

import numpy
import pytest

from common import ends_well, ranks
from shardspec import ChunkShardingSpec, HandleError, as_tensor, empty
from shardspec._library import lib


def is_live(handle):
    try:
        lib.text(lib.spec_type_name, handle)
    except HandleError:
        return False
    return True


def test_a_spec_is_freed_when_nobody_has_it():
    spec = ChunkShardingSpec(0, ranks(2))
    handle = spec._as_parameter_
    metadata = spec.build_metadata((4,))
    assert is_live(handle)
    del spec
    gc.collect()
    assert not is_live(handle) and metadata.numel() == 4


def test_a_spec_in_a_cycle_is_freed_too():
    spec = ChunkShardingSpec(0, ranks(2))
    handle = spec._as_parameter_
    spec.itself = spec
    gone = weakref.ref(spec)
    del spec
    gc.collect()
    assert gone() is None and not is_live(handle)


def test_closing_frees_at_once_and_only_once():
    spec = ChunkShardingSpec(0, ranks(2))
    handle = spec._as_parameter_
    with spec:
        assert is_live(handle)
    assert not is_live(handle)
    spec.close()
    # Had the finalizer run again, this one could have been freed in its place.
    others = [ChunkShardingSpec(0, ranks(2)) for _ in range(3)]
    del spec
    gc.collect()
    assert all(is_live(other._as_parameter_) for other in others)


def test_calls_let_other_threads_run():
    python_api = 4  # ctypes' FUNCFLAG_PYTHONAPI: keep Python's lock.
    for name in ("metadata_scatter", "metadata_gather", "spec_build_metadata"):
        assert getattr(lib, name)
        assert getattr(lib.cdll, f"shardspec_{name}")._flags_ & python_api == 0


def test_threads_share_specs_and_close_them_in_each_others_calls():
    full = numpy.arange(4096, dtype="float32").reshape(64, 64)
    spec = ChunkShardingSpec(1, ranks(7))
    failures, shared = [], [spec.build_metadata(full.shape)]

    def work(seed):
        try:
            for turn in range(100):
                metadata = shared[0]
                if turn % 10 == seed:
                    shared[0] = spec.build_metadata(full.shape)
                    metadata.close()
                    continue
                try:
                    again = metadata.gather(metadata.scatter(full))
                except HandleError:
                    continue  # Another thread closed it.
                assert numpy.array_equal(numpy.from_dlpack(again), full)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_memory_is_given_back_on_any_thread():
    sources = [numpy.arange(1000.0) for _ in range(8)]
    gone = [weakref.ref(source) for source in sources]
    lent = [numpy.from_dlpack(as_tensor(source)) for source in sources]
    del sources
    gc.collect()
    assert all(ref() is not None for ref in gone)
    threads = [threading.Thread(target=lent.pop) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    gc.collect()
    assert all(ref() is None for ref in gone)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_child_may_go_on(rows):
    def child():
        full = numpy.arange(15, dtype="float32").reshape(5, 3)
        assert numpy.array_equal(numpy.asarray(rows.gather(rows.scatter(full))), full)
        os._exit(0)

    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    process.join(60)
    assert process.exitcode == 0 and rows.numel() == 15


def test_new_memory_is_not_shared_with_a_forked_child():
    tensor = empty((1 << 20,), "float32")
    process = multiprocessing.get_context("fork").Process(
        target=lambda: numpy.asarray(tensor).fill(1))
    process.start()
    process.join(60)
    assert process.exitcode == 0 and not numpy.asarray(tensor).any()


def test_python_ends_with_objects_open():
    ends_well("import shardspec\n"
              "spec = shardspec.ChunkShardingSpec(0, ['rank:0'])\n"
              "metadata = spec.build_metadata((3,))\n"
              "metadata.itself = metadata\n")
