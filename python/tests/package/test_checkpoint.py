"""Checkpoints: a mapping of what is stored, what is missing, and reading parts of it."""

import json
import struct

import numpy
import pytest

import shardspec


def write(path, tensors, texts=None):
    """A safetensors file, as its format's description says."""
    names = {"float32": "F32", "uint8": "U8", "int64": "I64"}
    header, start = {} if texts is None else {"__metadata__": texts}, 0
    for name, array in tensors.items():
        header[name] = {"dtype": names[array.dtype.name], "shape": array.shape,
                        "data_offsets": [start, start + array.nbytes]}
        start += array.nbytes
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text
                     + b"".join(array.tobytes() for array in tensors.values()))


@pytest.fixture
def weight():
    return numpy.arange(24 * 10, dtype=numpy.float32).reshape(24, 10)


@pytest.fixture
def checkpoint(tmp_path, weight):
    write(tmp_path / "model.safetensors", {"w": weight, "ids": numpy.arange(7)})
    with shardspec.Checkpoint(tmp_path / "model.safetensors") as opened:
        yield opened


def cut(sizes, dim, ranks, dtype="float32", **how):
    spec = shardspec.MeshShardingSpec(shardspec.Mesh({"tp": ranks}), [shardspec.Cut(dim, "tp", **how)])
    return spec.build_metadata(sizes, shardspec.TensorProperties(dtype=dtype))


def test_it_is_a_mapping_from_names_to_types_and_shapes(checkpoint):
    assert dict(checkpoint) == {"ids": ("ids", "int64", (7,)), "w": ("w", "float32", (24, 10))}
    assert "w" in checkpoint and "v" not in checkpoint and 3 not in checkpoint
    with pytest.raises(shardspec.NotFoundError, match="no file has it"):
        checkpoint["v"]
    assert repr(checkpoint) == "<Checkpoint of 2 tensors>"


@pytest.mark.parametrize("ranks", [1, 2, 3, 4, 6, 8, 16])
@pytest.mark.parametrize("dim", [0, 1])
def test_ranks_read_what_numpy_slices(checkpoint, weight, ranks, dim):
    layout, length = cut(weight.shape, dim, ranks), -(-weight.shape[dim] // ranks)
    for rank in range(ranks):
        start = min(rank * length, weight.shape[dim])
        own = weight.take(range(start, min(start + length, weight.shape[dim])), dim)
        local = checkpoint.load("w", layout, rank).local_shards()[0].tensor
        assert (numpy.asarray(local) == own).all()
        place = numpy.full(own.shape[::-1], -1, numpy.float32).T
        report = checkpoint.read({"w": (layout, {rank: place})})
        assert (place == own).all() and report.bytes_needed == own.nbytes


def test_whole_tensors_and_parts_are_read_in_one_call(checkpoint, weight):
    ids, rows, whole, steps = numpy.zeros(7, int), numpy.empty((8, 10), "f4"), [], []
    report = checkpoint.read(
        [("w", (cut(weight.shape, 0, 3), {1: rows})), ("ids", ids)], whole=whole, over_read=1.0,
        max_threads=1, progress=lambda done, total: steps.append((done, total)))
    assert (rows == weight[8:16]).all() and ids.tolist() == list(range(7))
    assert whole == [True, True] and steps[-1] == (376, 376)
    assert report.bytes_needed == 376 and report.read_count == 1


def test_an_exception_in_progress_cancels_the_read(checkpoint, weight):
    def stop(done, total):
        raise KeyError("enough")

    with pytest.raises(KeyError, match="enough"):
        checkpoint.read({"w": numpy.empty_like(weight)}, progress=stop)


def test_everything_that_is_missing_is_listed(tmp_path, weight):
    for rank, row in ((1, 0), (3, 16)):
        info = json.dumps({"w": {"saved_offsets": [row, 0]}})
        write(tmp_path / f"shard-0000{rank}-model-00001-of-00001.safetensors",
              {"w": weight[row:row + 8]}, {"DCP_SHARDING_INFO": info})
    with shardspec.Checkpoint(tmp_path) as checkpoint:
        layout = cut((32, 10), 0, 4)
        problems = checkpoint.check({"w": (layout, range(4)), "v": (layout, [0])})
        assert [(one.name, one.index) for one in problems] == [("GAP", 0), ("GAP", 0), ("NOT_FOUND", 1)]
        assert "[8:16, 0:10]" in str(problems[0]) and "[24:32, 0:10]" in str(problems[1])
        with pytest.raises(shardspec.LayoutError, match="no file holds"):
            checkpoint.load("w", layout, 1)
        assert (numpy.asarray(checkpoint.load("w", layout, 2).local_shards()[0].tensor) == weight[16:24]).all()
        with pytest.raises(shardspec.LayoutError):
            checkpoint.metadata("w")


def test_files_that_are_not_what_they_say_are_refused(tmp_path, weight):
    path = tmp_path / "model.safetensors"
    write(path, {"w": weight})
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    with pytest.raises(shardspec.FileError, match='tensor "w" ends at byte'):
        shardspec.Checkpoint(path)
    path.write_bytes(whole)
    with shardspec.Checkpoint(path) as checkpoint:
        path.write_bytes(whole[:200])
        with pytest.raises(shardspec.FileError, match="has changed since"):
            checkpoint.read({"w": numpy.empty_like(weight)})
    with pytest.raises(shardspec.FileError, match="No such file"):
        shardspec.Checkpoint(tmp_path / "nothing")


def test_arguments_of_other_kinds_are_refused(checkpoint, weight):
    with pytest.raises(TypeError, match="^path: a path, not 3$"):
        shardspec.Checkpoint(3)
    with pytest.raises(TypeError, match="pair of metadata and tensors"):
        checkpoint.read({"w": (3, {})})
    with pytest.raises(BufferError, match="read-only"):
        checkpoint.read({"w": b"text"})
    with pytest.raises(shardspec.ViewError):
        checkpoint.read({"w": numpy.empty((24, 11), "f4")})


def test_arrays_of_numpy_are_checkpoints_too(tmp_path, weight):
    numpy.save(tmp_path / "rows.npy", weight)
    numpy.save(tmp_path / "columns.npy", numpy.asfortranarray(weight))
    for name in ("rows", "columns"):
        with shardspec.Checkpoint(tmp_path / f"{name}.npy") as checkpoint:
            part = numpy.empty((24, 5), "f4")
            checkpoint.read({name: (cut(weight.shape, 1, 2), {1: part})})
            assert (part == weight[:, 5:]).all()


def test_one_of_equal_shards_reads():
    mesh = shardspec.Mesh({"dp": 2, "tp": 2})
    layout = shardspec.MeshShardingSpec(mesh, [shardspec.Cut(0, "tp")]).build_metadata((4, 3))
    readers = shardspec.choose_readers([layout] * 4)
    assert all(reader % 2 == shard % 2 for of_one in readers for shard, reader in enumerate(of_one))
    reads = [sum(of_one[shard] == shard for of_one in readers) for shard in range(4)]
    assert reads == [2, 2, 2, 2]
