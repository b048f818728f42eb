"""What the tests of the package share."""

import os
import pathlib
import subprocess
import sys
import threading

import shardspec
from shardspec import _dlpack


def ranks(count):
    return [f"rank:{rank}" for rank in range(count)]


def ends_well(program):
    """Runs a program in a Python of its own, which must have nothing to complain about."""
    package = pathlib.Path(shardspec.__file__).parents[1]
    path = os.pathsep.join([str(package), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run([sys.executable, "-X", "faulthandler", "-X", "dev", "-c", program],
                          capture_output=True, text=True, env={**os.environ, "PYTHONPATH": path})
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def tensor_in(capsule):
    """The tensor in a capsule, to change it."""
    for kind, name, _ in _dlpack.FORMS:
        if _dlpack._is_valid(capsule, name):
            return kind.from_address(_dlpack._pointer(capsule, name)).tensor
    raise AssertionError(capsule)


def on_threads(size, work):
    """What `work(comm)` returned or raised on each of the ranks. A failed assertion fails the test."""
    def run(comm):
        with comm:
            try:
                answers[comm.rank] = work(comm)
            except BaseException as error:
                answers[comm.rank] = error

    answers = [None] * size
    threads = [threading.Thread(target=run, args=(comm,)) for comm in shardspec.Communicator.local(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    for answer in answers:
        if isinstance(answer, AssertionError):
            raise answer
    return answers
