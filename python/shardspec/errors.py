"""The exceptions of failed calls: one base class, and a class for each kind of failure.

Every class is also a subclass of a built-in exception, so `except ValueError` also works.
"""

from __future__ import annotations

from typing import Any


class ShardspecError(Exception):
    """A failed call. If a file or a transport failed, the call may have written some data already. All other failed
    calls have changed and written nothing."""

    statuses: tuple[str, ...] = ()
    """Names of the statuses that raise this class."""

    message: str
    """A text that names the argument, the value and the remedy."""
    status: int
    """The number of the C library's status."""
    name: str
    """The name of that status, such as "OVERLAP"."""
    first_shard: int | None
    """Index of the shard that the error is about. If the error is about two shards, the lower index."""
    second_shard: int | None
    """Index of the second shard that the error is about."""
    dim: int | None
    """The dimension that the error is about."""
    got: int
    """The refused value, or 0 if the refused value is not a single number."""
    limit: int
    """The bound for the refused value, or 0."""
    index: int | None
    """For an error in a list argument, the position in the list. For an error in a layout as text or as
    bytes, the position of the wrong byte."""

    def __init__(self, message: str, status: int, name: str, *, first_shard: int | None = None,
                 second_shard: int | None = None, dim: int | None = None, got: int = 0,
                 limit: int = 0, index: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.name = name
        self.first_shard = first_shard
        self.second_shard = second_shard
        self.dim = dim
        self.got = got
        self.limit = limit
        self.index = index

    @property
    def numbers(self) -> dict[str, Any]:
        """The fields besides the message and the status, by their names."""
        return {name: getattr(self, name) for name in (
            "first_shard", "second_shard", "dim", "got", "limit", "index")}

    def __reduce__(self) -> tuple[Any, ...]:
        # The default would forget all but the message on the way to another process.
        return _again, (type(self), self.message, self.status, self.name, self.__dict__)


def _again(kind: type[ShardspecError], message: str, status: int, name: str,
           fields: dict[str, Any]) -> ShardspecError:
    error = kind(message, status, name)
    error.__dict__.update(fields)
    return error


class ArgumentError(ShardspecError, ValueError):
    """The value of an argument is not allowed."""

    statuses = ("NULL_ARGUMENT", "INVALID_ARGUMENT", "INVALID_PLACEMENT", "INVALID_DIM")


class LayoutError(ShardspecError, ValueError):
    """Shards do not fit the tensor: overlaps, gaps or shards that reach past the end."""

    statuses = ("NDIM_MISMATCH", "OVERLAP", "GAP", "ILLEGAL_CUT", "OUT_OF_BOUNDS",
                "PARTIAL")


class ViewError(ShardspecError, ValueError):
    """A buffer does not fit: wrong shape, element type or device, or memory that overlaps another
    buffer.
    """

    statuses = ("SHAPE_MISMATCH", "DTYPE_MISMATCH", "UNSUPPORTED_DEVICE", "READ_ONLY", "ALIASED",
                "BUFFER_TOO_SMALL")


class HandleError(ShardspecError, ValueError):
    """The object was closed."""

    statuses = ("INVALID_HANDLE",)


class OutOfRangeError(ShardspecError, IndexError):
    """An index is past the end."""

    statuses = ("INDEX_OUT_OF_RANGE",)


class TooLargeError(ShardspecError, OverflowError):
    """A value does not fit into 64 bits."""

    statuses = ("OVERFLOW",)


class NotFoundError(ShardspecError, LookupError):
    """The requested object does not exist."""

    statuses = ("NOT_FOUND",)


class NotLocalError(ShardspecError, LookupError):
    """A shard that is needed is in another process."""

    statuses = ("NOT_LOCAL",)


class SpecTypeError(ShardspecError, TypeError):
    """The call does not apply to this type of spec."""

    statuses = ("WRONG_SPEC_TYPE",)


class OpArgumentsError(ShardspecError, TypeError):
    """An op was called without a sharded tensor, or with sharded tensors of different
    communicators.
    """

    statuses = ("NO_ARGUMENTS", "NO_SHARDED_TENSOR", "COMMUNICATOR_MISMATCH")


class RegistrationError(ShardspecError, RuntimeError):
    """A name is already used, or an op can't be unregistered while it runs."""

    statuses = ("ALREADY_EXISTS", "BUSY")


class UnsupportedError(ShardspecError, NotImplementedError):
    """The request is valid, but not implemented."""

    statuses = ("UNSUPPORTED",)


class OutOfMemoryError(ShardspecError, MemoryError):
    """The system has no memory left for the result."""

    statuses = ("OUT_OF_MEMORY",)


class CommunicationError(ShardspecError, RuntimeError):
    """Ranks called different collectives or passed invalid arguments, or a transport failed."""

    statuses = ("DISAGREEMENT", "TRANSPORT_FAILED")


class FileError(ShardspecError, RuntimeError):
    """The system refused to read or write a file, or a file does not follow its format."""

    statuses = ("FILE_FAILED", "INVALID_FILE")


class CallbackError(ShardspecError, RuntimeError):
    """A callback in another language threw, or returned a number that is not a status."""

    statuses = ("CALLBACK_FAILED",)


class InternalError(ShardspecError, RuntimeError):
    """A bug in the library: please report the message."""

    statuses = ("INTERNAL",)


FAMILIES: tuple[type[ShardspecError], ...] = (
    ArgumentError, LayoutError, ViewError, HandleError, OutOfRangeError, TooLargeError,
    NotFoundError, NotLocalError, SpecTypeError, OpArgumentsError, RegistrationError,
    UnsupportedError, OutOfMemoryError, CommunicationError, FileError, CallbackError,
    InternalError,
)
