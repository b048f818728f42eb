"""Objects of the library, owned by objects of Python."""

from __future__ import annotations

import operator
import weakref
from types import TracebackType
from typing import Any, ClassVar, TypeVar

from ._library import lib

Self = TypeVar("Self", bound="Handle")


def _leave(handle: int) -> None:
    """Frees nothing."""


class Handle:
    """An object that is freed when it is closed or when nothing uses it.

    It can't be freed twice, because the finalizer runs once and the library refuses a freed handle.
    """

    _free: ClassVar[str]
    """The library's function that frees it."""
    _handle_of: ClassVar[str]
    """What C calls the objects of this class."""

    def __init_subclass__(cls, **arguments: Any) -> None:
        super().__init_subclass__(**arguments)
        if "_free" in cls.__dict__:
            cls._handle_of = cls._free.removesuffix("_free")

    def _own(self, handle: int) -> None:
        """Takes a new handle over."""
        self._handle = handle
        self._finalizer = weakref.finalize(self, getattr(lib, self._free), handle)

    @classmethod
    def _of(cls: type[Self], handle: int) -> Self:
        """An object for a new handle."""
        made = cls.__new__(cls)
        made._own(handle)
        return made

    @classmethod
    def _lent(cls: type[Self], handle: int) -> Self:
        """An object for a handle that it does not own and never frees."""
        made = cls.__new__(cls)
        made._handle = handle
        made._finalizer = weakref.finalize(made, _leave, handle)
        return made

    _as_parameter_ = property(operator.attrgetter("_handle"))
    """What ctypes passes where this object is passed. It is no function of Python: Ctrl-C in one would be lost,
    for ctypes raises an error of its own instead."""

    def close(self) -> None:
        """Frees the object now. A second call does nothing. Every other use raises HandleError."""
        self._finalizer()

    @property
    def closed(self) -> bool:
        """Whether the object was closed."""
        return not self._finalizer.alive

    def __reduce__(self) -> tuple[Any, ...]:
        # The handle is a number that names something else in another process, and would be freed
        # twice in this one.
        raise TypeError(f"a {type(self).__name__} can't be pickled or copied: it belongs to this "
                        "object of this process")

    def __enter__(self: Self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 traceback: TracebackType | None) -> Any:
        self.close()
