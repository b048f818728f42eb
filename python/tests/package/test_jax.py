"""Conversions from and to JAX's meshes and shardings."""

import json
import os
import pathlib
from types import SimpleNamespace

import pytest

from shardspec import ArgumentError, ChunkShardingSpec, Cut, Mesh, MeshShardingSpec, UnsupportedError
from shardspec.jax import from_mesh, from_named_sharding, to_mesh, to_named_sharding

DATA = pathlib.Path(__file__).resolve().parents[3] / "tests/data"
DEVICES = 24


class Grid:
    """As much of an array of devices as is looked at."""

    def __init__(self, devices):
        self.flat = iter(devices)


def device(number, platform="cpu", process=0, local=None):
    return SimpleNamespace(id=number, platform=platform, process_index=process,
                           local_hardware_id=local)


def mesh_of(axes, devices):
    return SimpleNamespace(shape=axes, axis_names=tuple(axes), devices=Grid(devices))


# Without JAX: objects like its own.


def test_devices_are_placements_on_the_rank_of_their_process():
    mesh = mesh_of({"x": 2, "y": 2}, [device(9, "gpu", 1, 1), device(8, "gpu", 1, 0),
                                      device(3, "cpu"), device(4, "tpu", 2)])
    ours = from_mesh(mesh)
    assert [*map(str, ours.placements)] == ["rank:1/cuda:1", "rank:1/cuda:0", "rank:0/cpu:3",
                                            "rank:2/xla:4"]
    assert ours.axes == {"x": 2, "y": 2}
    abstract = type("AbstractMesh", (), {"shape": {"x": 3}, "axis_names": ("x",)})()
    assert from_mesh(abstract) == Mesh({"x": 3})


def test_shardings_are_what_their_texts_say():
    for case in json.loads((DATA / "notations_jax.json").read_text())["cases"]:
        count = 1
        for size in case["mesh"].values():
            count *= size
        mesh = mesh_of(case["mesh"], map(device, range(count)))
        spec = from_named_sharding(SimpleNamespace(mesh=mesh, spec=case["partition_spec"]))
        made = spec.build_metadata(case["sizes"])
        assert [[[*pair] for pair in zip(one.shard_offsets, one.shard_sizes)]
                for one in made.shards_metadata] == case["boxes"]


# With JAX.


@pytest.fixture(scope="module")
def jax():
    if "jax" not in __import__("sys").modules:
        os.environ["XLA_FLAGS"] = (f"{os.environ.get('XLA_FLAGS', '')} "
                                   f"--xla_force_host_platform_device_count={DEVICES}")
        os.environ.setdefault("JAX_PLATFORMS", "cpu")
    found = pytest.importorskip("jax")
    if len(found.devices()) < DEVICES:
        pytest.skip("JAX was imported before, with fewer devices")
    return found


def test_a_mesh_there_and_back(jax):
    import numpy
    from jax.sharding import AbstractMesh
    from jax.sharding import Mesh as JaxMesh

    devices = jax.devices()
    theirs = JaxMesh(numpy.array(devices[3::-1]).reshape(2, 2), ("x", "y"))
    ours = from_mesh(theirs)
    assert [*map(str, ours.placements)] == [f"rank:0/cpu:{number}" for number in (3, 2, 1, 0)]
    assert to_mesh(ours) == theirs
    assert from_mesh(AbstractMesh((2, 3), ("x", "y"))) == Mesh({"x": 2, "y": 3})
    with pytest.raises(ArgumentError, match="mesh: jax has no device rank:1/cpu; pass devices"):
        to_mesh(Mesh({"x": 2}, ["rank:0/cpu:0", "rank:1"]))
    assert to_mesh(Mesh({"x": 2, "y": 2}), devices[3::-1]) == theirs
    with pytest.raises(ArgumentError, match="devices: 3 for the 4 of the mesh"):
        to_mesh(Mesh({"x": 2, "y": 2}), devices[:3])


def test_shardings_there_and_back(jax):
    import numpy
    from jax.sharding import Mesh as JaxMesh
    from jax.sharding import NamedSharding
    from jax.sharding import PartitionSpec as P

    cases = json.loads((DATA / "notations_jax.json").read_text())["cases"]
    checked = 0
    for case in cases:
        sizes = [*case["mesh"].values()]
        count = int(numpy.prod(sizes))
        grid = numpy.array(jax.devices()[:count]).reshape(sizes)
        theirs = NamedSharding(JaxMesh(grid, tuple(case["mesh"])), eval(case["partition_spec"], {
            "P": P, "PartitionSpec": P}))
        spec = from_named_sharding(theirs)
        again = to_named_sharding(spec, len(case["sizes"]))
        assert again.mesh == theirs.mesh and again.is_equivalent_to(theirs, len(case["sizes"]))
        boxes = theirs.devices_indices_map(tuple(case["sizes"]))
        for shard, where in zip(spec.build_metadata(case["sizes"]).shards_metadata, grid.flat):
            wanted = [part.indices(size)[:2] for part, size in zip(boxes[where], case["sizes"])]
            assert [(start, start + length) for start, length in zip(
                shard.shard_offsets, shard.shard_sizes)] == wanted
        checked += 1
    assert checked == len(cases)


def test_an_array_is_cut_as_jax_cuts_it(jax):
    from jax.sharding import NamedSharding
    from jax.sharding import PartitionSpec as P

    sharding = NamedSharding(jax.make_mesh((2, 3), ("x", "y")), P("y", "x"))
    full = jax.numpy.arange(24).reshape(6, 4)
    array = jax.device_put(full, sharding)
    shards = from_named_sharding(sharding).build_metadata(full.shape).scatter(full)
    by_device = {shard.device: shard.data for shard in array.addressable_shards}
    for where, shard in zip(sharding.mesh.devices.flat, shards):
        assert shard.tolist() == by_device[where].tolist()


def test_what_jax_can_not_express_is_refused(jax):
    mesh = Mesh({"x": 2}, ["rank:0/cpu:0", "rank:0/cpu:1"])
    with pytest.raises(UnsupportedError, match="no text for"):
        to_named_sharding(MeshShardingSpec(mesh, [Cut(0, "x", "balanced")]))
    with pytest.raises(TypeError, match="spec: a MeshShardingSpec, not a ChunkShardingSpec"):
        to_named_sharding(ChunkShardingSpec(0, ["rank:0"]))
    partial = MeshShardingSpec(mesh, [], partial={"x": "sum"})
    assert from_named_sharding(to_named_sharding(partial)) == partial
