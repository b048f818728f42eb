"""The example that loads a rank's part of a real model: equal to slices of numpy's, at every degree."""

import json
import struct
import subprocess
import sys
import zipfile

import numpy
import pytest

from commands import ROOT, run

PROGRAM = ROOT / "target/c_tests/cpp/tensor_parallel_loader"
PACKAGE = "silero-vad==6.2.3"
"""A small speech model: convolutions, and an LSTM whose four gates are fused as Q, K and V are."""
FILE = "silero_vad/data/silero_vad_16k.safetensors"
DEGREES = (1, 2, 3, 4, 6, 8, 16)


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    """The model's file. The package is kept, so that it is fetched once."""
    cache = ROOT / "target/models"
    if not list(cache.glob("silero_vad-6.2.3-*.whl")):
        done = run(sys.executable, "-m", "pip", "download", "--no-deps", "-q", "-d", cache, PACKAGE)
        if done.returncode != 0:
            pytest.skip(f"{PACKAGE} can't be fetched: {done.stderr.strip()[-200:]}")
    (wheel,) = cache.glob("silero_vad-6.2.3-*.whl")
    folder = tmp_path_factory.mktemp("model")
    with zipfile.ZipFile(wheel) as archive:
        archive.extract(FILE, folder)
    return folder / FILE


@pytest.fixture(scope="session")
def tensors(model):
    """All tensors, read by what the format's description says."""
    data = model.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    arrays = {}
    for name, entry in json.loads(data[8:8 + length]).items():
        if name != "__metadata__":
            assert entry["dtype"] == "F32"
            start, end = (8 + length + offset for offset in entry["data_offsets"])
            arrays[name] = numpy.frombuffer(data[start:end], "<f4").reshape(entry["shape"])
    return arrays


def chunk(array, rank, ranks, dim=0):
    length = -(-array.shape[dim] // ranks)
    return array.take(range(min(rank * length, array.shape[dim]),
                            min((rank + 1) * length, array.shape[dim])), dim)


def part(rule, array, rank, ranks):
    if rule == "column":
        return chunk(array, rank, ranks)
    if rule == "row":
        return chunk(array, rank, ranks, array.ndim - 1)
    if rule.startswith("fused"):
        segments = numpy.split(array, int(rule.removeprefix("fused")))
        return numpy.concatenate([chunk(segment, rank, ranks) for segment in segments])
    if rule == "vocabulary":
        rows = -len(array) % 64
        return chunk(numpy.pad(array, [(0, rows)] + [(0, 0)] * (array.ndim - 1)), rank, ranks)
    return array


RULES = [("column", "conv1.weight"), ("row", "lstm_cell.weight_hh"), ("fused4", "lstm_cell.weight_ih"),
         ("fused4", "lstm_cell.bias_ih"), ("fused3", "stft_conv.weight"),
         ("vocabulary", "stft_conv.weight"), ("copy", "final_conv.bias")]


@pytest.mark.parametrize("ranks", DEGREES)
def test_every_rank_loads_what_numpy_slices(ranks, model, tensors, tmp_path):
    wanted = [f"{rule}={name}" for rule, name in RULES]
    for rank in range(ranks):
        done = subprocess.run([PROGRAM, model, str(rank), str(ranks), tmp_path, *wanted],
                              capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        for number, (rule, name) in enumerate(RULES):
            expected = numpy.ascontiguousarray(part(rule, tensors[name], rank, ranks))
            assert (tmp_path / str(number)).read_bytes() == expected.tobytes(), (rank, rule, name)


def test_the_package_reads_the_same(model, tensors):
    import shardspec

    with shardspec.Checkpoint(model) as checkpoint:
        assert {name: stored.shape for name, stored in checkpoint.items()} == {
            name: array.shape for name, array in tensors.items()}
        whole = {name: numpy.empty_like(array) for name, array in tensors.items()}
        report = checkpoint.read(whole)
        assert report.bytes_needed == sum(array.nbytes for array in tensors.values())
        assert all((whole[name] == tensors[name]).all() for name in tensors)
        mesh = shardspec.Mesh({"tp": 4})
        spec = shardspec.MeshShardingSpec(mesh, [shardspec.Cut(0, "tp", segments=4)])
        gates = spec.build_metadata((512, 128), shardspec.TensorProperties(dtype="float32"))
        local = checkpoint.load("lstm_cell.weight_ih", gates, 2).local_shards()[0].tensor
        assert (numpy.asarray(local) == part("fused4", tensors["lstm_cell.weight_ih"], 2, 4)).all()
