"""Conversions between this library and torch: `from_...` takes torch's object, `to_...` makes one.

| torch | shardspec | functions |
|---|---|---|
| `DeviceMesh` | `Mesh` | `from_device_mesh`, `to_device_mesh` |
| placements of a DTensor | `MeshShardingSpec` | `from_placements`, `to_placements` |
| `DTensorSpec` | `MeshShardingSpec` | `from_dtensor_spec`, `to_dtensor_spec` |
| `DTensor` | `ShardedTensor` | `from_dtensor`, `to_dtensor` |
| `ShardedTensor` | the same | `from_sharded_tensor`, `to_sharded_tensor` |
| `ChunkShardingSpec`, `EnumerableShardingSpec` | the same | `from_sharding_spec`, `to_sharding_spec` |
| `ShardMetadata` | the same | `from_shard_metadata`, `to_shard_metadata` |
| `ShardedTensorMetadata` | the same | `from_sharded_tensor_metadata`, `to_sharded_tensor_metadata` |
| `TensorStorageMetadata` of a checkpoint | `ShardedTensorMetadata` | `from_storage_metadata`, `to_storage_metadata` |
| `ChunkStorageMetadata` of a checkpoint | `ShardMetadata` | `from_chunk`, `to_chunk` |

`patch` replaces functions of torch that are slow for many shards by functions of this library. Only
functions that need torch import torch.
"""

from ._torch_mesh import (
    from_device_mesh,
    from_dtensor,
    from_dtensor_spec,
    from_placements,
    to_device_mesh,
    to_dtensor,
    to_dtensor_spec,
    to_placements,
)
from ._torch_metadata import (
    from_chunk,
    from_shard_metadata,
    from_sharded_tensor,
    from_sharded_tensor_metadata,
    from_sharding_spec,
    from_storage_metadata,
    to_chunk,
    to_shard_metadata,
    to_sharded_tensor,
    to_sharded_tensor_metadata,
    to_sharding_spec,
    to_storage_metadata,
)
from ._torch_patch import Patch, patch, unpatch

__all__ = [
    "Patch",
    "from_chunk",
    "from_device_mesh",
    "from_dtensor",
    "from_dtensor_spec",
    "from_placements",
    "from_shard_metadata",
    "from_sharded_tensor",
    "from_sharded_tensor_metadata",
    "from_sharding_spec",
    "from_storage_metadata",
    "patch",
    "to_chunk",
    "to_device_mesh",
    "to_dtensor",
    "to_dtensor_spec",
    "to_placements",
    "to_shard_metadata",
    "to_sharded_tensor",
    "to_sharded_tensor_metadata",
    "to_sharding_spec",
    "to_storage_metadata",
    "unpatch",
]
