"""The main job with nothing but Python: no numpy, no pytest."""

import array
import importlib.util

import shardspec

assert importlib.util.find_spec("numpy") is None

full = array.array("d", range(15))
metadata = shardspec.ChunkShardingSpec(0, ["rank:0", "rank:1", "rank:2"]).build_metadata((15,))
shards = metadata.scatter(full)
assert [shard.tolist() for shard in shards] == [list(full[:5]), list(full[5:10]), list(full[10:])]
assert metadata.view_shard(1, full).data_ptr() == full.buffer_info()[0] + 40

rows = memoryview(full).cast("B").cast("d", (5, 3))
metadata = shardspec.ChunkShardingSpec(-1, ["rank:0", "rank:1"]).build_metadata(rows.shape)
again = metadata.gather(metadata.scatter(rows))
assert again.tolist() == rows.tolist() and again.dtype == "float64"

back = bytearray(120)
metadata.gather(metadata.scatter(rows), memoryview(back).cast("d", (5, 3)))
assert bytes(back) == full.tobytes()

try:
    shardspec.EnumerableShardingSpec([shardspec.ShardMetadata([0], [2], "rank:0"),
                                      shardspec.ShardMetadata([1], [2], "rank:1")])
except ValueError as error:
    assert (error.first_shard, error.second_shard) == (0, 1)
else:
    raise AssertionError("shards that overlap were accepted")
print("together again")
