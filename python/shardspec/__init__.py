"""How a tensor is cut across workers, who owns what, and the bytes moved accordingly.

PyTorch's `torch.distributed._shard.sharding_spec` without PyTorch: its names, its answers, for
anything that is a buffer or speaks DLPack. A thin layer over the C library of the same name.
"""

from ._library import lib
from .errors import (
    ArgumentError,
    HandleError,
    InternalError,
    LayoutError,
    NotFoundError,
    OutOfMemoryError,
    OutOfRangeError,
    ShardspecError,
    SpecTypeError,
    TooLargeError,
    UnsupportedError,
    ViewError,
)

__version__: str = lib.text(lib.version_text)

__all__ = [
    "ArgumentError", "HandleError", "InternalError", "LayoutError", "NotFoundError",
    "OutOfMemoryError", "OutOfRangeError", "ShardspecError", "SpecTypeError", "TooLargeError",
    "UnsupportedError", "ViewError",
]
