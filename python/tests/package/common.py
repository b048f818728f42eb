"""What the tests of the package share."""

import os
import pathlib
import subprocess
import sys

import shardspec


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
