"""Converts a checkpoint, however it is cut, to files for three tensor-parallel ranks.

    python examples/convert.py checkpoint new_checkpoint
"""
import sys

import shardspec

ranks = ["rank:0", "rank:1", "rank:2"]
columns, rows = shardspec.ChunkShardingSpec(1, ranks), shardspec.ChunkShardingSpec(0, ranks)
rules = {"*.down.weight": columns, "*.o_proj.weight": columns, "*.bias": rows, "*.weight": rows}
shardspec.convert_checkpoint(sys.argv[1], sys.argv[2], rules)
