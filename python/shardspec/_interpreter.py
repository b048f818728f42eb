"""Refuses the kinds of Python for which the package was not made, when it is imported."""

from __future__ import annotations

import ctypes
import sys


def is_main() -> bool:
    """Whether this is the main interpreter of the process.

    Callbacks of the library, and memory that is given back on another thread, enter Python by
    `PyGILState_Ensure`, which only knows the main interpreter.
    """
    api = ctypes.pythonapi
    for function in (api.PyInterpreterState_Get, api.PyInterpreterState_Main):
        function.restype = ctypes.c_void_p
    return bool(api.PyInterpreterState_Get() == api.PyInterpreterState_Main())


def has_lock() -> bool:
    """Whether Python's lock is there. Without it, several threads may change one object of the package."""
    return bool(getattr(sys, "_is_gil_enabled", lambda: True)())


if not is_main():
    raise ImportError("shardspec can't be used in a sub-interpreter: its callbacks enter the main interpreter; "
                      "import it there")
if not has_lock():
    raise ImportError("shardspec needs Python's lock; start Python with PYTHON_GIL=1 in the environment")
