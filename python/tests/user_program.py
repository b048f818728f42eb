"""A program as a user types it: mypy --strict checks it against the package's hints."""

from __future__ import annotations

import shardspec
from shardspec import (
    Checkpoint,
    ChunkShardingSpec,
    Communicator,
    Cut,
    EnumerableShardingSpec,
    Gap,
    Mesh,
    MeshShardingSpec,
    Move,
    Piece,
    Plan,
    ReadReport,
    Shard,
    ShardArrays,
    ShardedTensor,
    ShardedTensorMetadata,
    ShardingSpec,
    ShardMetadata,
    ShardspecError,
    StridedPiece,
    Tensor,
    TensorProperties,
)


class Rows(ShardingSpec):
    """A spec of the user's own."""

    def build_metadata(self, tensor_sizes: object, tensor_properties: TensorProperties | None = None,
                       ) -> ShardedTensorMetadata:
        return ChunkShardingSpec(0, ["rank:0"]).build_metadata([4, 2], tensor_properties)


def layouts() -> tuple[ShardedTensorMetadata, ShardedTensorMetadata]:
    rows = ChunkShardingSpec(0, ["rank:0", "rank:1"]).build_metadata((4, 2), TensorProperties("float32"))
    mesh = Mesh({"x": 2})
    spec: ShardingSpec = MeshShardingSpec(mesh, [Cut(1, "x", "balanced")], pad={0: 4})
    listed = EnumerableShardingSpec([ShardMetadata([0, 0], [4, 2], "rank:0")])
    arrays: ShardArrays = listed.build_metadata((4, 2)).to_arrays()
    again = EnumerableShardingSpec.from_arrays(*arrays)
    offsets: list[int] = again.shards[0].shard_offsets
    assert offsets == [0, 0]
    return rows, spec.build_metadata([4, 2])


def moves(source: ShardedTensorMetadata, destination: ShardedTensorMetadata) -> list[Tensor]:
    plan = Plan(source, destination)
    pieces: list[Piece | StridedPiece] = list(plan)
    sizes: tuple[int, ...] = pieces[0].sizes
    gaps: list[Gap] = shardspec.find_gaps(source, sizes)
    print(gaps, plan.rank_traffic(itemsize=4)[0][2] + 1)
    made: list[Tensor] = plan.execute(source.scatter(shardspec.empty((4, 2), "float32")))
    return made


def tensors(layout: ShardedTensorMetadata, comm: Communicator) -> int:
    tensor = ShardedTensor.zeros(layout, owner=0)
    shards: list[Shard] = tensor.local_shards()
    with comm:
        shardspec.transfer(comm, [Move("x", shards[0].tensor, [], layout, layout)])
    digest: int = tensor.digest() ^ layout.digest({0: shards[0].tensor})
    return digest


def read(path: str, layout: ShardedTensorMetadata) -> ReadReport | None:
    try:
        with Checkpoint(path) as checkpoint:
            names: list[str] = [*checkpoint]
            return checkpoint.read({names[0]: ShardedTensor.empty(layout)}, over_read=2.0)
    except ShardspecError as error:
        print(error.name, error.index)
        return None
