"""Describes how tensors are cut across ranks and which rank owns each element, and moves elements.

The package has the names and the results of PyTorch's `torch.distributed._shard.sharding_spec`, but
does not need PyTorch. Any object with the buffer protocol or `__dlpack__` is a tensor. The package
wraps the C library of the same name.
"""

from . import _interpreter as _interpreter  # First: it may refuse this Python.
from ._library import lib
from ._transport import Message
from .checkpoint import Checkpoint, ReadReport, StoredTensor, choose_readers
from .checkpoint_write import (
    commit_checkpoint,
    convert_checkpoint,
    save_checkpoint,
    write_checkpoint,
)
from .chunk import get_chunk_sharding_params, get_chunked_dim_size, get_split_size
from .comm import ALL_RANKS, Communicator, Request
from .copies import copy
from .cuts import REPEAT_AS_NEEDED, Cut, Segment, check_degrees
from .elements import globalize, locate, owner_of, shards_in_box
from .errors import (
    ArgumentError,
    CallbackError,
    CommunicationError,
    FileError,
    HandleError,
    InternalError,
    LayoutError,
    NotFoundError,
    NotLocalError,
    OpArgumentsError,
    OutOfMemoryError,
    OutOfRangeError,
    RegistrationError,
    ShardspecError,
    SpecTypeError,
    TooLargeError,
    UnsupportedError,
    ViewError,
)
from .extents import Stretch
from .mesh import Mesh
from .mesh_spec import MeshShardingSpec, Multiple, numroc
from .metadata import ShardedTensorMetadata
from .ops import (
    custom_ops,
    custom_sharding_spec_op,
    dispatch_custom_op,
    has_custom_op,
    remove_custom_op,
)
from .placement import Device, DevicePlacementSpec, FilePlacement, Placement, PlacementSpec
from .plan import Piece, Plan, StridedPiece, relabel
from .properties import MEM_FORMAT_ENCODING, TensorProperties
from .reads import Read, Run
from .shard import ShardMetadata
from .shard_arrays import ShardArrays
from .shard_list import Gap, Overlap, draw_shards, find_gaps, find_overlaps
from .sharded_tensor import Shard, ShardedTensor
from .spec import (
    ChunkShardingSpec,
    EnumerableShardingSpec,
    ShardingSpec,
    infer_sharding_spec_from_shards_metadata,
)
from .tensor import Tensor, as_tensor, empty
from .transfers import Move, Transfer, start_transfer, transfer

__version__: str = lib.text(lib.version_text)

__all__ = [
    "ALL_RANKS",
    "MEM_FORMAT_ENCODING",
    "REPEAT_AS_NEEDED",
    "ArgumentError",
    "CallbackError",
    "Checkpoint",
    "ChunkShardingSpec",
    "CommunicationError",
    "Communicator",
    "Cut",
    "Device",
    "DevicePlacementSpec",
    "EnumerableShardingSpec",
    "FileError",
    "FilePlacement",
    "Gap",
    "HandleError",
    "InternalError",
    "LayoutError",
    "Mesh",
    "MeshShardingSpec",
    "Message",
    "Move",
    "Multiple",
    "NotFoundError",
    "NotLocalError",
    "OpArgumentsError",
    "OutOfMemoryError",
    "OutOfRangeError",
    "Overlap",
    "Piece",
    "Placement",
    "PlacementSpec",
    "Plan",
    "Read",
    "ReadReport",
    "RegistrationError",
    "Request",
    "Run",
    "Segment",
    "Shard",
    "ShardArrays",
    "ShardMetadata",
    "ShardedTensor",
    "ShardedTensorMetadata",
    "ShardingSpec",
    "ShardspecError",
    "SpecTypeError",
    "StoredTensor",
    "Stretch",
    "StridedPiece",
    "Tensor",
    "TensorProperties",
    "TooLargeError",
    "Transfer",
    "UnsupportedError",
    "ViewError",
    "as_tensor",
    "check_degrees",
    "choose_readers",
    "commit_checkpoint",
    "convert_checkpoint",
    "copy",
    "custom_ops",
    "custom_sharding_spec_op",
    "dispatch_custom_op",
    "draw_shards",
    "empty",
    "find_gaps",
    "find_overlaps",
    "get_chunk_sharding_params",
    "get_chunked_dim_size",
    "get_split_size",
    "globalize",
    "has_custom_op",
    "infer_sharding_spec_from_shards_metadata",
    "locate",
    "numroc",
    "owner_of",
    "relabel",
    "remove_custom_op",
    "save_checkpoint",
    "shards_in_box",
    "start_transfer",
    "transfer",
    "write_checkpoint",
]
