"""Memory of Python's that others use until they are done with it."""

from __future__ import annotations

import atexit
import ctypes
import weakref
from typing import Any

from ._library import lib

Entered = lib.header.type("runtime_ctx")
Destroy = lib.header.type("destroy_fn")


class Lease:
    """Memory that others have. It is kept until they give it back.

    They may do that on any thread, and while an exception is under way, which a callback into
    Python would lose. So the library is given C functions that do it.
    """

    __slots__ = ("__weakref__", "entered", "memory")

    def __init__(self, memory: Any) -> None:
        self.memory = memory
        self.entered = Entered(ctypes.sizeof(Entered), *ENTER_AND_LET_GO, id(self), LEAVE)

    def grant(self) -> tuple[Any, Any]:
        """`ctx` and `release` for the library: the lease lasts until it calls the one with the
        other, which it does exactly once."""
        _keep(self)
        _leases.add(self)
        return ctypes.byref(self.entered), RELEASE


def _address(function: Any) -> int:
    return ctypes.cast(function, ctypes.c_void_p).value or 0


_fields = dict(Entered._fields_)
ENTER_AND_LET_GO = (_fields["enter"](_address(ctypes.pythonapi.PyGILState_Ensure)),
                    Destroy(_address(ctypes.pythonapi.Py_DecRef)))
LEAVE = _fields["leave"](_address(ctypes.pythonapi.PyGILState_Release))
RELEASE = Destroy(_address(lib.runtime_ctx_destroy))

_leases: weakref.WeakSet[Lease] = weakref.WeakSet()
_keep = ctypes.PYFUNCTYPE(None, ctypes.py_object)(("Py_IncRef", ctypes.pythonapi))


@atexit.register
def _leave() -> None:
    """When Python ends, others may still have tensors, and give them back after it has ended. There
    is no way to give them back then: nothing is called, and the memory stays."""
    for lease in list(_leases):
        ctypes.memset(ctypes.byref(lease.entered), 0, ctypes.sizeof(Entered))
