"""Cuts an array over ranks, one file for each, and puts them together again.

    python examples/shard.py x.npy 4 [dim]

The array is mapped, not read: each shard is copied out of the file straight into its own.
"""

import pathlib
import sys
import tempfile

import numpy

import shardspec


def main(path, count, dim=0):
    full = numpy.load(path, mmap_mode="r")
    spec = shardspec.ChunkShardingSpec(dim, [f"rank:{rank}" for rank in range(count)])
    metadata = spec.build_metadata(full.shape, shardspec.TensorProperties.create_from_tensor(full))
    with tempfile.TemporaryDirectory() as folder:
        files = []
        for index, owned in enumerate(metadata.shards_metadata):
            files.append(pathlib.Path(folder) / f"{index}.npy")
            place = numpy.lib.format.open_memmap(files[-1], "w+", full.dtype,
                                                 tuple(owned.shard_sizes))
            metadata.extract_shard(index, full, place)
            place.flush()
            print(f"{owned.placement}: {owned.shard_sizes} from {owned.shard_offsets}, "
                  f"{place.nbytes} bytes")
        again = metadata.gather([numpy.load(file, mmap_mode="r") for file in files])
    print("together again" if numpy.array_equal(numpy.asarray(again), full) else "different")


if __name__ == "__main__":
    try:
        main(sys.argv[1], int(sys.argv[2]), *map(int, sys.argv[3:]))
    except (IndexError, OSError) as error:
        sys.exit(f"{error}\n{__doc__}")
    except ValueError as error:
        sys.exit(str(error))
