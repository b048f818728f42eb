"""DLPack capsules: memory that goes from one library to another without a copy.

Source: https://dmlc.github.io/dlpack/latest/python_spec.html and `dlpack.h` 1.0.
"""

from __future__ import annotations

import ctypes
import sys
from collections import deque
from functools import partial
from typing import Any

from ._lease import Lease
from ._library import lib

VERSION = (lib.DLPACK_MAJOR_VERSION, lib.DLPACK_MINOR_VERSION)
SUBBYTE_PADDED = 4
"""A flag of DLPack 1.2: elements smaller than a byte have one each."""
LEGACY, VERSIONED = b"dltensor", b"dltensor_versioned"
USED_LEGACY, USED_VERSIONED = b"used_dltensor", b"used_dltensor_versioned"
Deleter = ctypes.PYFUNCTYPE(None, ctypes.c_void_p)
"""Called with Python's lock, as a capsule would do it."""

Managed = lib.header.type("managed_tensor")
LegacyManaged = lib.header.type("legacy_managed_tensor")


def _python(name: str, restype: Any, *argtypes: Any) -> Any:
    """A function of Python's own C interface."""
    return ctypes.PYFUNCTYPE(restype, *argtypes)((name, ctypes.pythonapi))


_new = _python("PyCapsule_New", ctypes.py_object, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)
_is_valid = _python("PyCapsule_IsValid", ctypes.c_int, ctypes.py_object, ctypes.c_char_p)
_pointer = _python("PyCapsule_GetPointer", ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)
_rename = _python("PyCapsule_SetName", ctypes.c_int, ctypes.py_object, ctypes.c_char_p)
_keep = _python("Py_IncRef", None, ctypes.py_object)


def capsule_of(tensor: Any) -> Any:
    """The capsule of a tensor that has `__dlpack__`; a copy is not wanted."""
    for wanted in ({"max_version": VERSION, "copy": False}, {"max_version": VERSION}):
        try:
            return tensor.__dlpack__(**wanted)
        except TypeError:
            continue  # An older `__dlpack__`, which does not know these arguments.
    return tensor.__dlpack__()


FORMS = ((Managed, VERSIONED, USED_VERSIONED), (LegacyManaged, LEGACY, USED_LEGACY))
"""The forms of a capsule: the struct in it, and its names before and after that was taken."""


class Taken:
    """A tensor that was taken out of a capsule, which nobody else can take then. It is given back when
    this goes."""

    __slots__ = ("_capsule", "_managed")

    def __init__(self, capsule: Any) -> None:
        for kind, name, used in FORMS:
            if not _is_valid(capsule, name):
                continue
            try:
                # The two calls follow each other in C. So no other thread takes the tensor between them.
                address, _ = map(partial.__call__, (partial(_pointer, capsule, name), partial(_rename, capsule, used)))
            except ValueError:
                continue  # Another thread was faster.
            self._managed, self._capsule = kind.from_address(address), capsule
            break
        else:
            raise BufferError(f"{capsule!r} is no DLPack capsule, or its tensor was taken before")
        if self.flags is not None and self._managed.major != VERSION[0]:
            raise BufferError(f"the capsule has DLPack version {self._managed.major}.{self._managed.minor}, "
                              f"but only {VERSION[0]} is understood")

    @property
    def tensor(self) -> Any:
        """The tensor, whose memory stays for as long as this does."""
        return self._managed.tensor

    @property
    def flags(self) -> int | None:
        """Its flags, which only the versioned form has."""
        return self._managed.flags if isinstance(self._managed, Managed) else None

    def __del__(self, give_back: Any = Deleter, address: Any = ctypes.cast, pointer: Any = ctypes.c_void_p,
                place: Any = ctypes.addressof) -> None:
        # What Python itself is no longer sure to have by then are the defaults.
        managed = getattr(self, "_managed", None)
        deleter = None if managed is None else address(managed.deleter, pointer).value
        if deleter:
            give_back(deleter)(place(managed))


_offered: deque[tuple[Any, bytes, Any]] = deque()
"""Capsules that were not taken yet, the names that they have until then, and their tensors.

A capsule's own destructor can't be a function of Python for the same reason.
"""
# The names must be there for as long as any capsule.
for name in (LEGACY, VERSIONED, USED_LEGACY, USED_VERSIONED):
    _keep(name)


def lend(view: Any, *, readonly: bool, copied: bool, versioned: bool) -> Any:
    """A capsule with the tensor of a view, which stays until its receiver gives it back."""
    take_back_what_nobody_took()
    lent = Lease(view).grant()
    if versioned:
        managed = ctypes.POINTER(Managed)()
        flags = lib.DLPACK_FLAG_READ_ONLY * readonly | lib.DLPACK_FLAG_IS_COPIED * copied
        lib.managed_tensor_new(ctypes.byref(view.struct), flags, *lent, ctypes.byref(managed))
    else:
        managed = ctypes.POINTER(LegacyManaged)()
        lib.legacy_managed_tensor_new(ctypes.byref(view.struct), *lent, ctypes.byref(managed))
    name = VERSIONED if versioned else LEGACY
    capsule = _new(ctypes.addressof(managed.contents), name, None)
    _offered.append((capsule, name, managed.contents))
    return capsule


def _references(offer: tuple[Any, bytes, Any]) -> int:
    return sys.getrefcount(offer[0])


ALONE = _references((object(), LEGACY, None))


def take_back_what_nobody_took() -> None:
    """Gives back the tensors of capsules that went without having been taken."""
    waiting = len(_offered)
    while waiting > 0:
        waiting -= 1
        try:
            offer = _offered.popleft()
        except IndexError:
            return  # Another thread does the same.
        # In this order. A capsule without another user can't be taken any more; asked before,
        # it may be taken, and let go of, between the two questions.
        alone = _references(offer) <= ALONE
        capsule, name, managed = offer
        if not _is_valid(capsule, name):
            continue  # Who took the tensor gives it back.
        if alone:
            managed.deleter(ctypes.addressof(managed))
            # Its tensor may have kept another capsule.
            waiting = len(_offered)
        else:
            _offered.append(offer)
