"""Memory that runs out inside of the library, seen from Python."""

import os
import shutil
import subprocess
import sys

import pytest

import shardspec
from commands import ROOT
from out_of_memory import PROGRAMS

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux") or shutil.which("cc") is None,
                                reason="needs Linux and a C compiler")


@pytest.fixture(scope="session")
def failing_malloc(tmp_path_factory):
    library = tmp_path_factory.mktemp("failing_malloc") / "failing_malloc.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror", "-o", library,
                    ROOT / "python/tests/failing_malloc.c"], check=True)
    return library


@pytest.mark.parametrize("program", [program.__name__ for program in PROGRAMS])
def test_memory_that_runs_out_is_a_memory_error_and_nothing_breaks(program, failing_malloc):
    package = os.path.dirname(os.path.dirname(shardspec.__file__))
    done = subprocess.run([sys.executable, "-X", "faulthandler", ROOT / "python/tests/out_of_memory.py", program],
                          capture_output=True, text=True, timeout=120,
                          env={**os.environ, "LD_PRELOAD": str(failing_malloc), "PYTHONPATH": package})
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    # How many allocations there were: `pytest -s` shows them.
    print(done.stdout, end="")
