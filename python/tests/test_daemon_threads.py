"""Daemon threads that are inside of the library when Python ends.

Python ends such a thread when it next wants Python's lock, by unwinding its stack: through the Python
function that the library called, the library, and whatever called that.
"""

import sys

import pytest

from commands import ROOT, run

PROGRAM = """
import array, ctypes, sys, threading, time
sys.path.insert(0, sys.argv[1])
import shardspec

inside = threading.Event()
chunk = shardspec.ChunkShardingSpec(0, ["rank:0", "rank:1"])
halves = chunk.build_metadata([4])

def wait(*_, **__):
    inside.set()
    while True:
        time.sleep(0.0005)

class Transport(shardspec.Communicator):
    exchange = wait

class Spec(shardspec.ShardingSpec):
    build_metadata = fill_shard = wait

def collective():
    Transport(0, 2).gather(halves, [array.array("f", [0] * 2)])

def transport():
    from shardspec._library import lib

    # Without `destroy`: nothing but the call is unwound.
    Table, Message = lib.header.type("comm_vtable"), lib.header.type("message")
    table = Table(ctypes.sizeof(Table), exchange=dict(Table._fields_)["exchange"](wait))
    comm, message = ctypes.c_void_p(), Message(1, ctypes.addressof(table), 1)
    lib.comm_new(ctypes.byref(table), None, 0, 2, ctypes.byref(comm))
    lib.comm_exchange(comm, ctypes.byref(message), 1, None, 0)

def spec():
    shardspec.ShardedTensor.from_full(Spec(), array.array("f", [0] * 4))

def shard():
    Spec().extract_shard(halves, 0, array.array("f", [0] * 4), array.array("f", [0] * 2))

def op():
    shardspec.custom_sharding_spec_op(shardspec.ChunkShardingSpec, "test.waits")(wait)
    tensor = shardspec.ShardedTensor.from_full(chunk, array.array("f", [0] * 4))
    shardspec.dispatch_custom_op(chunk, "test.waits", [tensor])

class Late:
    def __del__(self, sleep=time.sleep):
        sleep(0.1)

# Python ends slowly, so that the thread wakes up meanwhile.
late = Late()
threading.Thread(target=globals()[sys.argv[2]], daemon=True).start()
assert inside.wait(60)
print("ends")
"""


@pytest.mark.parametrize("where", ["transport", "collective", "spec", "shard", "op"])
def test_python_ends_while_a_daemon_thread_is_in_a_callback(where):
    for _ in range(3):
        done = run(sys.executable, "-c", PROGRAM, ROOT / "python", where, timeout=120)
        assert (done.returncode, done.stdout, done.stderr) == (0, "ends\n", "")
