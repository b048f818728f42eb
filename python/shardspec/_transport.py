"""Transports that are classes of Python, as the library calls them."""

from __future__ import annotations

import contextlib
import ctypes
import warnings
import weakref
from collections.abc import Callable
from typing import Any, NamedTuple

from ._callbacks import callback, forget, keep, kept, question
from ._library import lib

VTable = lib.header.type("comm_vtable")
MessageStruct = lib.header.type("message")
FIELDS = dict(VTable._fields_)


class Message(NamedTuple):
    """One message of an exchange: the rank at the other end, and the bytes of the message."""

    peer: int
    memory: memoryview


@question(FIELDS["node"], -1)
def node_function(ctx: int, rank: int) -> int:
    """Asks a transport for a node."""
    reference = kept(ctx, weakref.ref)
    comm = None if reference is None else reference()
    return -1 if comm is None else int(comm.node(rank))


def _transport(ctx: int) -> Any:
    """The communicator of Python's that a `ctx` is for."""
    reference = kept(ctx, weakref.ref)
    comm = None if reference is None else reference()
    if comm is None:
        raise lib.refused("INVALID_HANDLE", "comm: it is gone")
    return comm


class _Lent:
    """The messages of an exchange, whose memory ends with it."""

    def __init__(self, sends: Any, send_count: int, receives: Any, receive_count: int) -> None:
        self._lent = [_message(messages[at], write) for messages, count, write in (
            (sends, send_count, False), (receives, receive_count, True)) for at in range(count)]
        self._send_count = send_count

    def lists(self) -> tuple[list[Message], list[Message]]:
        """What is sent, and what is received."""
        given = [message for message, _ in self._lent]
        return given[:self._send_count], given[self._send_count:]

    def end(self, comm: Any, function: str) -> None:
        """The end of an exchange that succeeded."""
        used = _release(self._lent)
        if used:
            warnings.warn(f"{type(comm).__name__}.{function}: parts or arrays of the memory of {used} "
                          "messages are still there after it returned, and that memory is not",
                          RuntimeWarning, stacklevel=1)

    def fail(self, comm: Any, error: BaseException) -> None:
        """The end of one that raised."""
        _release(self._lent)
        comm._abort_after(error)


@callback(FIELDS["exchange"])
def exchange_function(ctx: int, sends: Any, send_count: int, receives: Any, receive_count: int) -> None:
    """Exchanges messages by a transport."""
    comm = _transport(ctx)
    lent = _Lent(sends, send_count, receives, receive_count)
    try:
        comm.exchange(*lent.lists())
    except BaseException as error:
        lent.fail(comm, error)
        raise
    lent.end(comm, "exchange")


class _StartedExchange:
    """An exchange that a transport of Python's has started."""

    def __init__(self, comm: Any, exchange: Any, lent: _Lent) -> None:
        self.comm, self.exchange, self.lent = comm, exchange, lent


@callback(FIELDS["start"])
def start_function(ctx: int, sends: Any, send_count: int, receives: Any, receive_count: int,
                   place: Any) -> None:
    """Starts an exchange by a transport."""
    comm = _transport(ctx)
    lent = _Lent(sends, send_count, receives, receive_count)
    try:
        exchange = comm.start(*lent.lists())
    except BaseException as error:
        lent.fail(comm, error)
        raise
    place[0] = keep(_StartedExchange(comm, exchange, lent))


def _go_on(number: int, ask: Callable[[Any], bool]) -> bool:
    """Whether a started exchange has ended, as it answers."""
    started = kept(number, _StartedExchange)
    if started is None:
        raise lib.refused("INVALID_HANDLE", "exchange: it has ended")
    try:
        ended = ask(started.exchange)
    except BaseException as error:
        forget(number)
        started.lent.fail(started.comm, error)
        raise
    if ended:
        forget(number)
        started.exchange = None
        started.lent.end(started.comm, "start")
    return ended


@callback(FIELDS["test"])
def test_function(ctx: int, number: int, place: Any) -> None:
    """Tests a started exchange."""
    place[0] = int(_go_on(number, lambda exchange: bool(exchange.test())))


@callback(FIELDS["wait"])
def wait_function(ctx: int, number: int) -> None:
    """Waits for a started exchange."""
    _go_on(number, lambda exchange: exchange.wait() or True)


def _message(struct: Any, write: bool) -> tuple[Message, weakref.ref[Any]]:
    """A message, and the object whose memory it is, as long as a part of it is in use."""
    array: Any = (ctypes.c_char * struct.byte_count).from_address(struct.pointer)
    memory = memoryview(array).cast("B")
    return Message(struct.peer, memory if write else memory.toreadonly()), weakref.ref(array)


def _release(lent: list[tuple[Message, weakref.ref[Any]]]) -> int:
    """Ends memory that was there during a call, so that who asks for it later is refused. Of how
    many messages there are other objects that use it, which can't be ended."""
    references = [reference for _, reference in lent]
    for message, _ in lent:
        with contextlib.suppress(BufferError):  # The memory itself is still in use.
            message.memory.release()
    lent.clear()
    return sum(reference() is not None for reference in references)
