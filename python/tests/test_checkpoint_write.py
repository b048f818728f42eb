"""Checkpoints that are written: what other packages read of them, and conversion."""

import itertools
import json
import os
import pathlib
import subprocess
import sys

import numpy
import pytest

import shardspec

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import abi  # noqa: E402

SCHEMA = json.loads((ROOT / "docs/schema/layout.schema.json").read_text())
RANKS = ["rank:0", "rank:1", "rank:2"]


def layout(dim, sizes, ranks, dtype="float32"):
    properties = shardspec.TensorProperties(dtype=dtype)
    return shardspec.ChunkShardingSpec(dim, ranks).build_metadata(sizes, properties)


def shards(metadata, full):
    """The shards of a tensor, by index."""
    return {index: numpy.ascontiguousarray(full[tuple(
        slice(offset, offset + size) for offset, size in zip(shard.shard_offsets, shard.shard_sizes))])
        for index, shard in enumerate(metadata.shards_metadata)}


def tensors():
    """Arrays, and the layouts they are written in."""
    rng = numpy.random.default_rng(5)
    arrays = {
        "rows": rng.standard_normal((7, 4)).astype("float32"),
        "columns": rng.integers(0, 99, (4, 9)),
        "half": rng.standard_normal((5, 3, 2)).astype("float16"),
        "flags": rng.integers(0, 2, 11).astype(bool),
    }
    return {name: (array, layout(name == "columns", array.shape, RANKS, array.dtype.name))
            for name, array in arrays.items()}


def save(path, **options):
    given = {name: (metadata, shards(metadata, array)) for name, (array, metadata) in tensors().items()}
    shardspec.save_checkpoint(path, given, **options)


def read(path):
    """All tensors of safetensors files, put together by what the files say themselves."""
    found = {}
    for file in sorted(pathlib.Path(path).glob("*.safetensors")):
        data = file.read_bytes()
        start = 8 + int.from_bytes(data[:8], "little")
        header = json.loads(data[8:start])
        document = json.loads(header.pop("__metadata__")["shardspec"])
        assert not abi.mistakes(document, SCHEMA, SCHEMA)
        layouts = document["tensors"]
        for name, entry in header.items():
            kind = {"F32": "<f4", "I64": "<i8", "F16": "<f2", "BOOL": "?"}[entry["dtype"]]
            begin, end = entry["data_offsets"]
            part = numpy.frombuffer(data[start + begin:start + end], kind).reshape(entry["shape"])
            place = found.setdefault(name, numpy.zeros(layouts[name]["sizes"], kind))
            place[tuple(slice(offset, offset + size) for offset, size in zip(
                layouts[name]["offsets"], entry["shape"]))] = part
    return found


def check(path):
    found = read(path)
    assert found.keys() == tensors().keys()
    for name, (array, _) in tensors().items():
        assert (found[name] == array).all(), name


@pytest.mark.parametrize("files", ["of owners", "one"])
def test_what_is_saved_is_in_the_files(tmp_path, files):
    save(tmp_path / "checkpoint", files=files)
    check(tmp_path / "checkpoint")
    with pytest.raises(shardspec.ArgumentError, match="exists"):
        save(tmp_path / "checkpoint", files=files)
    save(tmp_path / "checkpoint", files=files, replace=True)
    check(tmp_path / "checkpoint")


def test_a_checkpoint_is_there_after_the_commit(tmp_path):
    path = tmp_path / "checkpoint"
    metadata = layout(0, (6,), RANKS)
    for rank in range(3):
        with pytest.raises(shardspec.NotFoundError, match=f"'rank:{rank}' are not written"):
            shardspec.commit_checkpoint(path, {"w": metadata})
        shardspec.write_checkpoint(path, {"w": (metadata, {rank: numpy.full(2, rank, "float32")})})
        assert not path.exists()
    shardspec.commit_checkpoint(path, {"w": metadata})
    assert read(path)["w"].tolist() == [0, 0, 1, 1, 2, 2]


@pytest.mark.parametrize("files", ["of owners", "one"])
def test_a_checkpoint_is_converted(tmp_path, files):
    save(tmp_path / "old")
    rules = {"r*": shardspec.ChunkShardingSpec(1, RANKS[:2]), "*s": shardspec.ChunkShardingSpec(0, RANKS)}
    shardspec.convert_checkpoint(tmp_path / "old", tmp_path / "new", rules, files=files, max_bytes=24)
    check(tmp_path / "new")


def test_wrong_options_are_refused(tmp_path):
    with pytest.raises(shardspec.ArgumentError, match="is none of 'of owners', 'one'"):
        save(tmp_path / "checkpoint", files="two")
    with pytest.raises(shardspec.ArgumentError, match="max_bytes"):
        shardspec.convert_checkpoint(tmp_path, tmp_path, {}, max_bytes=-1)


def test_the_safetensors_package_reads_what_is_saved(tmp_path):
    safetensors = pytest.importorskip("safetensors.numpy")
    save(tmp_path / "one", files="one")
    found = safetensors.load_file(tmp_path / "one" / "model.safetensors")
    for name, (array, _) in tensors().items():
        assert (found[name] == array).all(), name
    whole = {name: (layout(0, (2, 2), [rank]), {0: numpy.full((2, 2), at, "float32")})
             for at, (name, rank) in enumerate(zip("abc", RANKS))}
    shardspec.save_checkpoint(tmp_path / "several", whole)
    index = json.loads((tmp_path / "several" / "model.safetensors.index.json").read_text())
    for at, name in enumerate("abc"):
        file = tmp_path / "several" / index["weight_map"][name]
        assert (safetensors.load_file(file)[name] == at).all()


def test_torch_reads_what_is_saved(tmp_path):
    torch = pytest.importorskip("torch")
    pytest.importorskip("safetensors.torch")
    import torch.distributed.checkpoint as dcp
    for files in ["of owners", "one"]:
        path = tmp_path / files
        save(path, files=files)
        state = {name: torch.from_numpy(numpy.zeros_like(array)) for name, (array, _) in tensors().items()}
        dcp.load(state, storage_reader=dcp.HuggingFaceStorageReader(str(path)), no_dist=True)
        for name, (array, _) in tensors().items():
            assert (state[name].numpy() == array).all(), name


def test_the_example_makes_three_files_of_four(tmp_path):
    rows = numpy.array([0, 3, 5, 9, 12])
    weight, bias = numpy.arange(120, dtype="float32").reshape(12, 10), numpy.arange(12, dtype="float32")
    boxes = [shardspec.ShardMetadata((start, 0), (end - start, 10), f"rank:{rank}")
             for rank, (start, end) in enumerate(itertools.pairwise(rows))]
    properties = shardspec.TensorProperties(dtype="float32")
    metadata = shardspec.ShardedTensorMetadata(boxes, (12, 10), properties)
    whole = layout(0, (12,), RANKS[:1])
    shardspec.save_checkpoint(tmp_path / "four", {
        "layers.0.up.weight": (metadata, shards(metadata, weight)),
        "layers.0.down.weight": (metadata, shards(metadata, weight)),
        "layers.0.bias": (whole, {0: bias})})
    assert len(list((tmp_path / "four").iterdir())) == 4
    example = ROOT / "examples" / "convert.py"
    package = str(pathlib.Path(shardspec.__file__).parents[1])
    environment = {**os.environ, "PYTHONPATH": package}
    subprocess.run([sys.executable, example, tmp_path / "four", tmp_path / "three"], check=True,
                   env=environment)
    assert len(example.read_text().splitlines()) <= 15
    assert len(list((tmp_path / "three").iterdir())) == 3
    found = read(tmp_path / "three")
    assert (found["layers.0.up.weight"] == weight).all() and (found["layers.0.bias"] == bias).all()
    assert (found["layers.0.down.weight"] == weight).all()
