"""Conversions from and to torch's descriptions of sharded tensors."""

import contextlib
import itertools
import json
import pathlib
import random
import re
from types import SimpleNamespace

import pytest

import shardspec
import shardspec.jax
import shardspec.torch
from common import ends_well, ranks
from shardspec import (
    ArgumentError,
    ChunkShardingSpec,
    Cut,
    EnumerableShardingSpec,
    Mesh,
    MeshShardingSpec,
    ShardedTensorMetadata,
    ShardMetadata,
    TensorProperties,
    UnsupportedError,
)
from shardspec.torch import (
    from_chunk,
    from_device_mesh,
    from_dtensor,
    from_dtensor_spec,
    from_placements,
    from_shard_metadata,
    from_sharded_tensor,
    from_sharded_tensor_metadata,
    from_sharding_spec,
    from_storage_metadata,
    to_chunk,
    to_device_mesh,
    to_dtensor,
    to_dtensor_spec,
    to_placements,
    to_shard_metadata,
    to_sharded_tensor,
    to_sharded_tensor_metadata,
    to_sharding_spec,
    to_storage_metadata,
)

PAGE = pathlib.Path(__file__).resolve().parents[3] / "docs/torch-and-jax.md"
MESH = Mesh({"dp": 2, "tp": 4})


# Without torch: objects with the names of torch's.


def placement(kind, **attributes):
    return type(kind, (), attributes)()


SHARD = placement("Shard", dim=1)
STRIDED = placement("_StridedShard", dim=0, split_factor=2)
REPLICATE = placement("Replicate")
PARTIAL = placement("Partial", reduce_op="max")


def test_placements_are_cuts():
    assert from_placements([SHARD, REPLICATE], MESH) == MeshShardingSpec(MESH, [Cut(1, "dp")])
    spec = from_placements((STRIDED, placement("Shard", dim=0)), MESH)
    assert spec.cuts == (Cut(0, "dp", segments=2), Cut(0, "tp"))
    assert from_placements(iter([PARTIAL, placement("Shard", dim=-1)]), MESH) == MeshShardingSpec(
        MESH, [Cut(-1, "tp")], partial={"dp": "max"})


def test_placements_cut_as_torch_recorded_it():
    checked = 0
    for case in json.loads((PAGE.parents[1] / "tests/data/dtensor.json").read_text())["cases"]:
        placements = []
        for written in case["placements"]:
            kind, _, arguments = written.rstrip(")").partition("(")
            numbers = [int(one) for one in arguments.split(",") if one]
            placements.append(REPLICATE if kind == "R" else placement("Shard", dim=numbers[0])
                              if kind == "S" else placement(
                                  "_StridedShard", dim=numbers[0], split_factor=numbers[1]))
        mesh = Mesh({str(axis): size for axis, size in enumerate(case["mesh"])})
        shards = from_placements(placements, mesh).build_metadata(case["sizes"]).shards_metadata
        assert [(one.shard_sizes, one.shard_offsets) for one in shards] == [
            (one["local_shape"], one["global_offset"]) for one in case["answer"]["ok"]]
        checked += 1
    assert checked == 200


def test_placements_that_are_not_understood_are_refused_by_name():
    with pytest.raises(UnsupportedError, match="placements: .*_MaskPartial.* over axis 'tp'"):
        from_placements([REPLICATE, placement("_MaskPartial", reduce_op="sum")], MESH)
    with pytest.raises(ArgumentError, match="placements: 1 for the 2 axes of the mesh dp=2, tp=4"):
        from_placements([REPLICATE], MESH)
    with pytest.raises(TypeError, match="placements: a list of placements"):
        from_placements(5, MESH)
    with pytest.raises(ArgumentError):
        from_placements([PARTIAL, placement("Partial", reduce_op="norm")], MESH)


def test_the_order_of_shards_of_a_spec_is_that_of_its_cuts():
    ranks_of_mesh = SimpleNamespace(ndim=2, shape=(2, 2), flatten=lambda: SimpleNamespace(
        tolist=lambda: [3, 2, 1, 0]))
    device_mesh = SimpleNamespace(mesh=ranks_of_mesh, mesh_dim_names=None, device_type="cuda")
    rows = placement("Shard", dim=0)
    spec = from_dtensor_spec(SimpleNamespace(mesh=device_mesh, placements=(rows, rows),
                                             shard_order=((0, (1, 0)),)))
    assert spec.cuts == (Cut(0, "dim_1"), Cut(0, "dim_0"))
    assert [str(one) for one in spec.mesh.placements] == [f"rank:{rank}/cuda" for rank in (3, 2, 1, 0)]
    plain = from_dtensor_spec(SimpleNamespace(mesh=device_mesh, placements=(rows, rows)))
    assert plain.cuts == (Cut(0, "dim_0"), Cut(0, "dim_1"))


def test_shards_and_chunks_of_torch_are_shards():
    theirs = SimpleNamespace(shard_offsets=[0, 1], shard_sizes=(2, 3), placement="rank:1/cuda:0")
    assert from_shard_metadata(theirs) == ShardMetadata([0, 1], [2, 3], "rank:1/cuda:0")
    chunk = SimpleNamespace(offsets=(0, 2), sizes=(3, 2))
    assert from_chunk(chunk) == ShardMetadata([0, 2], [3, 2])
    properties = SimpleNamespace(dtype="torch.int8", layout="torch.strided", requires_grad=False,
                                 memory_format="torch.contiguous_format", pin_memory=False)
    stored = SimpleNamespace(chunks=[SimpleNamespace(offsets=(0, 0), sizes=(3, 2)), chunk], size=(3, 4),
                             properties=properties)
    metadata = from_storage_metadata(stored)
    assert metadata.size == (3, 4) and metadata.tensor_properties.dtype == "int8"
    assert [str(one) for one in metadata.placements] == ["cpu"]
    assert from_storage_metadata(stored, ranks(2)).shards_of_rank(1) == [1]
    with pytest.raises(ArgumentError, match="placements: 3 for 2 chunks"):
        from_storage_metadata(stored, ranks(3))
    stored.chunks.pop()
    with pytest.raises(ValueError, match=r"2:4"):
        from_storage_metadata(stored)


def test_what_is_not_torchs_is_refused():
    with pytest.raises(TypeError, match="spec: torch's ChunkShardingSpec or Enumerable.*not a str"):
        from_sharding_spec("chunk")
    with pytest.raises(UnsupportedError, match="mesh: trainer0/cpu is no rank"):
        to_device_mesh(Mesh({"dp": 1}, ["trainer0"]))
    with pytest.raises(UnsupportedError, match="devices of 2 types: cpu, cuda; pass device_type"):
        to_device_mesh(Mesh({"dp": 2}, ["rank:0", "rank:1/cuda"]))


WRONG = [None, 5, "x", object(), [1]]


@pytest.mark.parametrize("wrong", WRONG, ids=str)
@pytest.mark.parametrize(("function", "argument"), [
    (from_device_mesh, "device_mesh"), (to_device_mesh, "mesh"), (to_placements, "spec"),
    (from_dtensor_spec, "spec"), (from_dtensor, "tensor"), (from_shard_metadata, "shard"),
    (to_shard_metadata, "shard"), (from_sharding_spec, "spec"),
    (from_sharded_tensor, "tensor"), (to_sharded_tensor, "tensor"), (from_sharded_tensor_metadata, "metadata"),
    (to_sharded_tensor_metadata, "metadata"), (from_storage_metadata, "stored"),
    (to_storage_metadata, "metadata"), (from_chunk, "chunk"), (to_chunk, "shard"),
    (lambda wrong: from_placements([], wrong), "device_mesh"),
    (lambda wrong: to_dtensor_spec(wrong, (1,)), "spec"),
    (lambda wrong: to_dtensor(wrong, MeshShardingSpec(MESH, [])), "tensor"),
    (shardspec.jax.from_mesh, "mesh"), (shardspec.jax.to_mesh, "mesh"),
    (shardspec.jax.from_named_sharding, "sharding"), (shardspec.jax.to_named_sharding, "spec"),
])
def test_a_wrong_argument_is_named(function, argument, wrong):
    with pytest.raises(TypeError, match=rf"^{argument}: .*, not "):
        function(wrong)


@pytest.mark.parametrize("module", ["torch", "jax"])
def test_a_module_is_imported_when_it_is_needed_and_not_before(module):
    ends_well(f"""
import sys, shardspec
heavy = {{"torch", "jax", "numpy"}} & set(sys.modules)
import shardspec.{module}
assert not {{"torch", "jax"}} & set(sys.modules)
assert not heavy, heavy
""")


def test_without_torch_the_functions_that_need_it_say_so():
    ends_well("""
import sys
sys.modules["torch"] = None
import shardspec, shardspec.torch as st
for call in (st.patch, lambda: st.to_chunk(shardspec.ShardMetadata([0], [1]))):
    try:
        call()
    except ImportError as error:
        assert "torch" in str(error)
    else:
        raise AssertionError
st.unpatch()
""")


# With torch.


@pytest.fixture(scope="module")
def torch():
    found = pytest.importorskip("torch")
    pytest.importorskip("torch.distributed.tensor")
    return found


@pytest.fixture
def world(torch):
    """Makes this process a rank of a world without any other process."""
    import torch.distributed as dist
    from torch.testing._internal.distributed.fake_pg import FakeStore

    @contextlib.contextmanager
    def of(size, rank=0):
        dist.init_process_group("fake", rank=rank, world_size=size, store=FakeStore())
        try:
            yield dist
        finally:
            dist.destroy_process_group()

    return of


def test_a_device_mesh_is_a_mesh_and_back(torch, world):
    from torch.distributed.device_mesh import DeviceMesh, init_device_mesh

    with world(8):
        theirs = init_device_mesh("cpu", (2, 4), mesh_dim_names=("dp", "tp"))
        assert from_device_mesh(theirs) == MESH
        assert to_device_mesh(MESH) == theirs
        moved = DeviceMesh("cpu", [[7, 1], [3, 5]])
        ours = from_device_mesh(moved)
        assert [one.rank() for one in ours.placements] == [7, 1, 3, 5]
        assert list(ours.axes) == ["dim_0", "dim_1"] and to_device_mesh(ours) == moved
        assert to_device_mesh(Mesh({"x": 8}), "cuda").device_type == "cuda"
        assert from_device_mesh(theirs["tp"]) == MESH.fix("dp", 0)


def test_placements_there_and_back(torch):
    from torch.distributed.tensor import Partial, Replicate, Shard
    from torch.distributed.tensor.placement_types import _StridedShard

    kinds = [Replicate(), Shard(0), Shard(1), Partial("sum"), Partial("max"),
             _StridedShard(0, split_factor=2), _StridedShard(1, split_factor=3)]
    for placements in itertools.product(kinds, repeat=2):
        spec = from_placements(placements, MESH)
        assert spec == MeshShardingSpec.parse("dtensor", str(placements), MESH)
        again = to_placements(spec, 2)
        assert again == placements and list(map(type, again)) == list(map(type, placements))
    assert to_placements(from_placements([Shard(-1), Replicate()], MESH), 3) == (Shard(2), Replicate())


def test_cuts_in_another_order_than_the_axes_are_strided(torch):
    from torch.distributed.tensor import Shard
    from torch.distributed.tensor.placement_types import _StridedShard

    spec = MeshShardingSpec(MESH, [Cut(0, "tp", even=True), Cut(0, "dp", even=True)])
    assert to_placements(spec) == (_StridedShard(0, split_factor=4), Shard(0))
    with pytest.raises(UnsupportedError, match="no text for"):
        to_placements(MeshShardingSpec(MESH, [Cut(0, "tp", "balanced")]))
    with pytest.raises(TypeError, match="spec: a MeshShardingSpec, not a ChunkShardingSpec"):
        to_placements(ChunkShardingSpec(0, ranks(2)))


def split(torch, full, placements, mesh_sizes, coordinate):
    """What a rank has of a tensor, cut by torch itself."""
    for placement, count, at in zip(placements, mesh_sizes, coordinate):
        if hasattr(placement, "dim"):
            full = placement._split_tensor(full, count, with_padding=False, contiguous=False)[0][at]
    return full


@pytest.mark.parametrize("seed", range(5))
def test_a_spec_cuts_a_tensor_as_torch_does(torch, seed):
    from torch.distributed.tensor import Replicate, Shard
    from torch.distributed.tensor.placement_types import _StridedShard

    seeded = random.Random(seed)
    for _ in range(40):
        sizes = [seeded.randrange(1, 14) for _ in range(seeded.randrange(1, 4))]
        mesh_sizes = [seeded.randrange(1, 5) for _ in range(seeded.randrange(1, 4))]
        mesh = Mesh({str(axis): size for axis, size in enumerate(mesh_sizes)})
        dims = range(len(sizes))
        placements = [seeded.choice([
            Replicate(), Shard(seeded.choice(dims)), Shard(seeded.choice(dims)),
            _StridedShard(seeded.choice(dims), split_factor=seeded.randrange(1, 5))])
            for _ in mesh_sizes]
        full = torch.arange(torch.Size(sizes).numel()).reshape(sizes)
        shards = from_placements(placements, mesh).build_metadata(sizes).scatter(full)
        for shard, coordinate in zip(shards, itertools.product(*map(range, mesh_sizes)), strict=True):
            wanted = split(torch, full, placements, mesh_sizes, coordinate)
            assert shard.shape == tuple(wanted.shape) and shard.tolist() == wanted.tolist()


def layouts(torch):
    from torch.distributed.tensor import Partial, Replicate, Shard
    from torch.distributed.tensor.placement_types import _StridedShard

    return [(Shard(0), Shard(1)), (Shard(0), Shard(0)), (Replicate(), Shard(1)),
            (_StridedShard(0, split_factor=2), Shard(0)), (Partial("sum"), Shard(0)),
            (Replicate(), Replicate())]


@pytest.mark.parametrize("sizes", [(8, 6), (5, 3), (1, 7)])
@pytest.mark.parametrize("number", range(6))
def test_a_dtensor_and_a_sharded_tensor_share_their_memory(torch, world, number, sizes):
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.tensor import DTensor

    placements = layouts(torch)[number]
    full = torch.arange(float(sizes[0] * sizes[1])).reshape(sizes)
    for rank in range(4):
        with world(4, rank):
            device_mesh = init_device_mesh("cpu", (2, 2), mesh_dim_names=("dp", "tp"))
            local = split(torch, full, placements, (2, 2), divmod(rank, 2)).contiguous()
            theirs = DTensor.from_local(local, device_mesh, placements, shape=full.shape,
                                        stride=full.stride())
            ours = from_dtensor(theirs)
            assert ours.size() == sizes and ours.dtype == "float32" and ours.local_indices() == [rank]
            (shard,) = ours.local_shards()
            assert shard.tensor.tolist() == local.tolist()
            assert not local.numel() or shard.tensor.data_ptr() == local.data_ptr()
            spec = from_dtensor_spec(theirs._spec)
            assert ours.metadata().mesh == spec.mesh
            again = to_dtensor(ours, spec, device_mesh)
            assert again.placements == placements and again.shape == full.shape
            assert again.to_local().tolist() == local.tolist()
            assert not local.numel() or again.to_local().data_ptr() == local.data_ptr()
            assert again._spec == theirs._spec
            assert to_dtensor_spec(spec, sizes, device_mesh=device_mesh) == theirs._spec
            with pytest.raises(ArgumentError, match="does not cut the tensor into its shards"):
                to_dtensor(ours, MeshShardingSpec(spec.mesh, [Cut(1, "dp"), Cut(0, "tp")]), device_mesh)


def test_what_is_written_to_a_dtensor_is_in_the_sharded_tensor(torch, world):
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.tensor import DTensor, Shard

    with world(2, 1):
        device_mesh = init_device_mesh("cpu", (2,))
        theirs = DTensor.from_local(torch.zeros(2, 3, requires_grad=True), device_mesh, [Shard(0)])
        ours = from_dtensor(theirs)
        assert ours.requires_grad and ours.size() == (4, 3)
        with torch.no_grad():
            theirs.to_local()[1, 2] = 5
        assert ours.local_tensor().tolist() == [[0, 0, 0], [0, 0, 5]]
        spec = from_dtensor_spec(theirs._spec)
        again = to_dtensor(ours, spec, device_mesh)
        del ours, theirs
        assert again.to_local().tolist() == [[0, 0, 0], [0, 0, 5]]


def test_a_rank_outside_of_the_mesh_has_no_shard(torch, world):
    from torch.distributed.device_mesh import DeviceMesh
    from torch.distributed.tensor import DTensor, Shard

    with world(4, 3):
        device_mesh = DeviceMesh("cpu", [0, 1])
        theirs = DTensor.from_local(torch.zeros(0, 3), device_mesh, [Shard(0)], shape=torch.Size([4, 3]),
                                    stride=(3, 1))
        assert from_dtensor(theirs).local_shards() == []


@pytest.mark.filterwarnings("ignore:.*ShardedTensor:FutureWarning")
def test_sharded_tensors_of_torch_share_their_memory(torch, world):
    from torch.distributed._shard.sharded_tensor import Shard as TorchShard
    from torch.distributed._shard.sharded_tensor import ShardedTensor as TorchShardedTensor

    metadata = ChunkShardingSpec(0, ranks(3)).build_metadata((5, 3), TensorProperties("float32"))
    with world(3, 1):
        mine = torch.arange(6.0).reshape(2, 3)
        theirs = TorchShardedTensor._init_from_local_shards_and_global_metadata(
            [TorchShard(mine, to_shard_metadata(metadata.shards_metadata[1]))],
            to_sharded_tensor_metadata(metadata))
        ours = from_sharded_tensor(theirs)
        assert ours.metadata() == metadata and ours.local_indices() == [1]
        assert ours.local_tensor().data_ptr() == mine.data_ptr()
        again = to_sharded_tensor(ours)
        assert again.metadata() == theirs.metadata() and again.sharding_spec() == theirs.sharding_spec()
        (shard,) = again.local_shards()
        assert shard.tensor.data_ptr() == mine.data_ptr() and torch.equal(shard.tensor, mine)
        assert shard.metadata == to_shard_metadata(metadata.shards_metadata[1])


def test_specs_there_and_back(torch):
    from torch.distributed._shard import sharding_spec
    from torch.distributed._shard.metadata import ShardMetadata as TorchShard

    chunk = sharding_spec.ChunkShardingSpec(-1, ["rank:0/cuda:0", "rank:1/cuda:1"])
    assert from_sharding_spec(chunk) == ChunkShardingSpec(-1, ["rank:0/cuda:0", "rank:1/cuda:1"])
    assert to_sharding_spec(from_sharding_spec(chunk)) == chunk
    boxes = sharding_spec.EnumerableShardingSpec([
        TorchShard([0, 0], [2, 3], "rank:0/cpu"), TorchShard([2, 0], [1, 3], "trainer1/cuda:2")])
    ours = from_sharding_spec(boxes)
    assert isinstance(ours, EnumerableShardingSpec) and to_sharding_spec(ours) == boxes
    assert [*map(to_shard_metadata, map(from_shard_metadata, boxes.shards))] == boxes.shards
    assert to_shard_metadata(ShardMetadata([0], [1])).placement is None
    with pytest.raises(TypeError, match="spec: a ChunkShardingSpec or an Enumerable"):
        to_sharding_spec(MeshShardingSpec(MESH, []))


def test_metadata_there_and_back(torch):
    from torch.distributed._shard import sharding_spec
    from torch.distributed._shard.sharded_tensor.metadata import TensorProperties as TorchProperties

    chunk = sharding_spec.ChunkShardingSpec(1, ["rank:0/cuda:0", "rank:1/cuda:1", "rank:2/cuda:0"])
    theirs = chunk.build_metadata(torch.Size([3, 7]), TorchProperties(
        torch.bfloat16, requires_grad=True, memory_format=torch.channels_last, pin_memory=True))
    ours = from_sharded_tensor_metadata(theirs)
    assert ours == from_sharding_spec(chunk).build_metadata((3, 7), TensorProperties(
        "bfloat16", requires_grad=True, memory_format="channels_last", pin_memory=True))
    assert to_sharded_tensor_metadata(ours) == theirs
    theirs.shards_metadata[1].shard_offsets = [0, 2]
    with pytest.raises(ValueError, match="overlap"):
        from_sharded_tensor_metadata(theirs)


def test_metadata_of_a_checkpoint_there_and_back(torch):
    from torch.distributed.checkpoint.metadata import (
        ChunkStorageMetadata,
        TensorStorageMetadata,
    )
    from torch.distributed.checkpoint.metadata import TensorProperties as StoredProperties

    theirs = TensorStorageMetadata(
        StoredProperties(torch.int32), torch.Size([4, 3]),
        [ChunkStorageMetadata(torch.Size([0, 0]), torch.Size([3, 3])),
         ChunkStorageMetadata(torch.Size([3, 0]), torch.Size([1, 3]))])
    ours = from_storage_metadata(theirs)
    assert isinstance(ours, ShardedTensorMetadata) and ours.tensor_properties.dtype == "int32"
    assert to_storage_metadata(ours) == theirs
    assert [*map(to_chunk, map(from_chunk, theirs.chunks))] == theirs.chunks
    replicas = MeshShardingSpec(MESH, [Cut(0, "dp")]).build_metadata((4, 3), TensorProperties("int32"))
    assert len(to_storage_metadata(replicas).chunks) == 2
    assert type(to_chunk(ShardMetadata([0], [1])).offsets) is torch.Size
    # Every rank has neighbouring rows of these.
    strided = MeshShardingSpec(Mesh({"dp": 2, "tp": 2}), [Cut(0, "dp", segments=2), Cut(0, "tp")])
    stored = to_storage_metadata(strided.build_metadata((8,), TensorProperties("float32")))
    assert [chunk.offsets for chunk in stored.chunks] == [(0,), (4,), (2,), (6,)]


def test_what_torchs_metadata_can_not_express_is_refused(torch):
    float32 = TensorProperties("float32")
    strided = MeshShardingSpec(Mesh({"tp": 2}), [Cut(0, "tp", segments=2)]).build_metadata((8,), float32)
    flat = MeshShardingSpec(Mesh({"tp": 2}), [Cut(0, "tp")], flatten=(0, 2)).build_metadata((3, 3), float32)
    for metadata in (strided, flat):
        for convert in (to_sharded_tensor_metadata, to_storage_metadata):
            with pytest.raises(UnsupportedError, match="metadata: a shard that is not a box"):
                convert(metadata)
    for convert in (to_shard_metadata, to_chunk):
        with pytest.raises(UnsupportedError, match="shard: a shard that is not a box"):
            convert(strided.shards_metadata[0])
    replicas = MeshShardingSpec(MESH, [Cut(0, "dp")]).build_metadata((4, 3), float32)
    with pytest.raises(UnsupportedError, match="metadata: shards that are replicas"):
        to_sharded_tensor_metadata(replicas)
    untyped = ChunkShardingSpec(0, ranks(2)).build_metadata((4,))
    with pytest.raises(ArgumentError, match="metadata: it states no element type"):
        to_storage_metadata(untyped)
    odd = ChunkShardingSpec(0, ranks(2)).build_metadata((4,), TensorProperties("uint8x5"))
    with pytest.raises(UnsupportedError, match="dtype: torch has no uint8x5"):
        to_storage_metadata(odd)


# The page of the guide.


@pytest.mark.parametrize("module", ["torch", "jax"])
def test_the_page_of_the_guide_prints_what_it_says(module):
    pytest.importorskip(module)
    if not PAGE.exists():
        pytest.skip("the guide is not here")
    blocks = re.findall(r"^```([^\n]*)\n(.*?)^```$", PAGE.read_text(), re.M | re.S)
    programs, printed = [], []
    for (label, text), (after, output) in zip(blocks, [*blocks[1:], ("", "")]):
        if label == f"python {module}":
            programs.append(text)
            printed.append(output if after == "text" else "")
    assert programs
    assert ends_well("import warnings; warnings.simplefilter('ignore')\n" + "".join(programs)) == "".join(
        printed)
