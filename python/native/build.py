"""Builds the module in C that views common tensors: python native/build.py FOLDER

A compiler and Python's headers are needed. Without them, the package does the same in Python, and slower.
"""

import os
import pathlib
import shlex
import subprocess
import sys
import sysconfig

FOLDER = pathlib.Path(__file__).resolve().parent
SOURCES = [FOLDER / name for name in ("views.c", "rows.c", "rows.h")]
INCLUDE = FOLDER.parents[1] / "include"
NAME = "_native.abi3.so"
STABLE = 0x030A0000  # Python 3.10
FLAGS = ["-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared", "-fvisibility=hidden",
         f"-DPy_LIMITED_API={STABLE:#x}"]


def missing():
    """What prevents a build; None if nothing does."""
    headers = pathlib.Path(sysconfig.get_path("include")) / "Python.h"
    if sys.implementation.name != "cpython" or sys.hexversion < STABLE:
        return "this is not CPython 3.10 or newer"
    if sysconfig.get_config_var("Py_GIL_DISABLED"):
        return "this is a free-threaded Python, which has no stable ABI"
    if not headers.exists():
        return f"there is no {headers}: install the headers of Python"
    return None


def build(folder):
    """The path of the module in a folder; None if it can't be built, with the reason printed."""
    reason = missing()
    if reason is None:
        made = pathlib.Path(folder) / NAME
        if made.exists() and made.stat().st_mtime > max(
                path.stat().st_mtime for path in (*SOURCES, INCLUDE / "shardspec.h")):
            return made
        made.parent.mkdir(parents=True, exist_ok=True)
        reason = compiled(made)
        if reason is None:
            return made
    print(f"without {NAME}, arrays are passed more slowly: {reason}", file=sys.stderr)
    return None


def compiled(made):
    """Compiles the module. The new file replaces an old one that a program may have loaded."""
    compiler = shlex.split(os.environ.get("CC") or "cc")
    new = made.with_suffix(f".{os.getpid()}")
    macos = ["-undefined", "dynamic_lookup"] if sys.platform == "darwin" else []
    command = [*compiler, *FLAGS, *macos, "-I", sysconfig.get_path("include"), "-I", INCLUDE,
               *(path for path in SOURCES if path.suffix == ".c"), "-o", new]
    try:
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    except OSError as error:
        return f"there is no compiler: {error}"
    if done.returncode != 0:
        return done.stderr
    new.replace(made)
    return None


if __name__ == "__main__":
    build(sys.argv[1])
