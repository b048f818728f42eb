"""torch's tensors and classes, and jax's arrays, where they can be imported."""

import gc
import random

import pytest

import shardspec
from common import ends_well, ranks
from shardspec import ChunkShardingSpec, EnumerableShardingSpec, TensorProperties


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch")


@pytest.fixture(scope="module")
def jnp():
    return pytest.importorskip("jax.numpy")


DTYPES = ["float32", "float64", "float16", "bfloat16", "int64", "uint8", "bool", "complex64",
          "float8_e4m3fn", "float8_e5m2"]


@pytest.mark.parametrize("dtype", DTYPES)
def test_torch_tensors_go_in_and_come_out_without_a_copy(torch, dtype):
    full = torch.arange(20).reshape(5, 4).to(getattr(torch, dtype))
    metadata = ChunkShardingSpec(1, ranks(2)).build_metadata(full.size())
    assert metadata.view_shard(1, full).data_ptr() == full.data_ptr() + 2 * full.element_size()
    shards = metadata.scatter(full)
    for index, (shard, wanted) in enumerate(zip(shards, full.chunk(2, dim=1))):
        taken = torch.from_dlpack(shard)
        assert taken.data_ptr() == shard.data_ptr() and taken.dtype == full.dtype
        assert torch.equal(taken.view(torch.uint8), wanted.contiguous().view(torch.uint8))
        view = torch.from_dlpack(metadata.view_shard(index, full))
        assert view.data_ptr() == wanted.data_ptr() and view.stride() == wanted.stride()
    back = torch.zeros_like(full)
    assert metadata.gather([torch.from_dlpack(shard) for shard in shards], back) is back
    assert torch.equal(back.view(torch.uint8), full.view(torch.uint8))


def test_torch_tensors_of_any_strides_are_used_in_place(torch):
    full = torch.arange(24.0).reshape(4, 6).T[::2]
    metadata = ChunkShardingSpec(0, ranks(2)).build_metadata(full.shape)
    shards = [torch.from_dlpack(shard) for shard in metadata.scatter(full)]
    assert torch.equal(torch.cat(shards), full)
    back = torch.zeros(6, 4)[::2]
    metadata.gather(shards, back)
    assert torch.equal(back, full)


def test_torch_tensors_that_want_gradients_are_read_and_written(torch):
    full = torch.arange(8.0).requires_grad_()
    metadata = ChunkShardingSpec(0, ranks(2)).build_metadata(
        full.shape, TensorProperties.create_from_tensor(full))
    assert metadata.tensor_properties == TensorProperties(requires_grad=True)
    assert metadata.scatter(full)[1].tolist() == [4, 5, 6, 7]
    metadata.gather([torch.full((4,), 9.0)] * 2, full)
    assert full.tolist() == [9.0] * 8


def test_torch_dtypes_layouts_and_devices_are_taken(torch):
    properties = TensorProperties(torch.bfloat16, torch.strided, False, torch.channels_last)
    assert properties == TensorProperties("bfloat16", memory_format="channels_last")
    assert shardspec.Placement(torch.device("cuda:1")) == shardspec.Placement("cuda:1")


def test_memory_lent_to_torch_outlives_everything_else(torch):
    tensor = torch.from_dlpack(ChunkShardingSpec(0, ["rank:0"]).build_metadata((3,)).scatter(
        torch.tensor([1.0, 2.0, 3.0]))[0])
    gc.collect()
    assert tensor.tolist() == [1, 2, 3]
    with pytest.raises(RuntimeError, match="size"):
        torch.add(torch.from_dlpack(shardspec.empty((4,), "float32")),
                  torch.from_dlpack(shardspec.empty((5,), "float32")))


@pytest.mark.parametrize("change", [
    lambda torch, tensor: setattr(tensor, "data", torch.zeros(100)), lambda torch, tensor: tensor.set_(torch.zeros(1)),
    lambda torch, tensor: tensor.unsqueeze_(0).t_()], ids=["data", "set_", "t_"])
@pytest.mark.parametrize("made", [lambda torch: torch.arange(4.0), lambda torch: torch.nn.Parameter(torch.arange(4.0)),
                                  lambda torch: type("Own", (torch.Tensor,), {})(torch.arange(4.0))],
                         ids=["Tensor", "Parameter", "subclass"])
def test_memory_stays_where_a_tensor_gets_other_memory_during_a_call(torch, change, made):
    class Changes(shardspec.ShardingSpec):
        def build_metadata(self, tensor_sizes, tensor_properties=None):
            return ChunkShardingSpec(0, ranks(2)).build_metadata(tensor_sizes)

        def fill_shard(self, metadata, index, full, shard):
            with torch.no_grad():
                change(torch, tensor)
            gc.collect()
            others.extend(torch.full((4,), 9.0) for _ in range(100))
            super().fill_shard(metadata, index, full, shard)

    tensor, others = made(torch), []
    spec = Changes()
    metadata = spec.build_metadata((4,))
    assert spec.extract_shard(metadata, 1, tensor).tolist() == [2, 3]
    tensor = made(torch)
    held = shardspec.as_tensor(tensor)
    with torch.no_grad():
        change(torch, tensor)
    others.extend(torch.full((4,), 9.0) for _ in range(100))
    assert held.tolist() == [0, 1, 2, 3]


def random_boxes(random, sizes):
    """A tensor cut at random, again and again."""
    boxes = [([0] * len(sizes), list(sizes))]
    for _ in range(random.randrange(8)):
        offsets, lengths = boxes.pop(random.randrange(len(boxes)))
        dim = random.randrange(len(sizes))
        cut = random.randrange(lengths[dim] + 1)
        boxes.append((offsets, [*lengths[:dim], cut, *lengths[dim + 1:]]))
        moved = [*offsets[:dim], offsets[dim] + cut, *offsets[dim + 1:]]
        boxes.append((moved, [*lengths[:dim], lengths[dim] - cut, *lengths[dim + 1:]]))
    return [box for box in boxes if all(box[1])]


def test_torchs_own_classes_give_the_same_answers(torch):
    from torch.distributed._shard import sharding_spec
    from torch.distributed._shard.metadata import ShardMetadata
    from torch.distributed._shard.sharded_tensor.metadata import (
        TensorProperties as TorchProperties,
    )

    seeded = random.Random(7)
    kinds = set()
    for _ in range(300):
        sizes = [seeded.randrange(1, 9) for _ in range(seeded.randrange(1, 4))]
        if seeded.random() < 0.5:
            count = seeded.randrange(1, 6)
            dim = seeded.randrange(-len(sizes), len(sizes))
            theirs = sharding_spec.ChunkShardingSpec(dim, ranks(count))
            ours = ChunkShardingSpec(dim, theirs.placements)
        else:
            boxes = random_boxes(seeded, sizes)
            theirs = sharding_spec.EnumerableShardingSpec(
                [ShardMetadata(*box, placement=f"rank:{seeded.randrange(4)}") for box in boxes])
            ours = EnumerableShardingSpec(theirs.shards)
        wanted = theirs.build_metadata(torch.Size(sizes), TorchProperties())
        got = ours.build_metadata(
            torch.Size(sizes), TensorProperties(wanted.tensor_properties.dtype))
        assert [(one.shard_offsets, one.shard_sizes, str(one.placement))
                for one in got.shards_metadata] == [
            (one.shard_offsets, one.shard_sizes, str(one.placement))
            for one in wanted.shards_metadata]
        assert got.size == tuple(wanted.size)
        inferred = sharding_spec._infer_sharding_spec_from_shards_metadata(wanted.shards_metadata)
        again = shardspec.infer_sharding_spec_from_shards_metadata(wanted.shards_metadata, compat=True)
        assert type(again).__name__ == type(inferred).__name__
        if isinstance(again, ChunkShardingSpec):
            assert again.dim == inferred.dim
            assert [str(one) for one in again.placements] == list(map(str, inferred.placements))
        kinds.add(type(again))
    assert kinds == {ChunkShardingSpec, EnumerableShardingSpec}


@pytest.mark.parametrize("dtype", ["float32", "int32", "bfloat16", "bool"])
def test_jax_arrays_go_in_and_come_out_without_a_copy(jnp, dtype):
    full = jnp.arange(20).reshape(5, 4).astype(dtype)
    metadata = ChunkShardingSpec(0, ranks(2)).build_metadata(full.shape)
    view = metadata.view_shard(1, full)
    assert view.data_ptr() == full.unsafe_buffer_pointer() + 12 * full.dtype.itemsize
    assert view.readonly
    for shard, wanted in zip(metadata.scatter(full), (full[:3], full[3:])):
        taken = jnp.from_dlpack(shard)
        assert taken.unsafe_buffer_pointer() == shard.data_ptr()
        assert taken.dtype == full.dtype and (taken == wanted).all()


def test_jax_arrays_are_not_written(jnp):
    metadata = ChunkShardingSpec(0, ranks(2)).build_metadata((4,))
    for dtype in ("float32", "bfloat16"):
        full = jnp.arange(4, dtype=dtype)
        with pytest.raises(BufferError, match="read-only"):
            metadata.gather(metadata.scatter(full), full)


def test_types_that_numpy_has_from_elsewhere_are_used_in_place():
    ml_dtypes = pytest.importorskip("ml_dtypes")
    numpy = pytest.importorskip("numpy")
    full = numpy.arange(20).reshape(5, 4).astype(ml_dtypes.bfloat16)
    metadata = ChunkShardingSpec(1, ranks(2)).build_metadata(full.shape)
    view = metadata.view_shard(1, full)
    assert view.dtype == "bfloat16" and view.data_ptr() == full.ctypes.data + 4
    back = numpy.zeros_like(full)
    metadata.gather(metadata.scatter(full), back)
    assert (back == full).all()


@pytest.mark.parametrize("modules, call", [("torch", "torch.from_dlpack"),
                                           ("jax.numpy", "jax.numpy.from_dlpack")])
def test_python_may_end_while_they_have_tensors(modules, call):
    pytest.importorskip(modules)
    ends_well(f"import shardspec, {modules}\n"
              f"kept = {call}(shardspec.empty((9,), 'float32'))\n")


def test_torch_tensors_whose_memory_holds_other_numbers_are_refused(torch):
    metadata = ChunkShardingSpec(0, ranks(2)).build_metadata((2,))
    full = torch.tensor([1 + 2j, 3 + 4j]).conj()
    with pytest.raises(BufferError, match=r"neg bit .* resolve_neg\(\)"):
        metadata.scatter(full.imag)
    with pytest.raises(BufferError, match=r"neg bit"):
        metadata.gather([torch.tensor([5.0]), torch.tensor([6.0])], full.imag)
    with pytest.raises(BufferError, match=r"conj bit"):
        metadata.scatter(full)
    assert [one.tolist() for one in metadata.scatter(full.imag.resolve_neg())] == [[-2], [-4]]


def test_torch_tensors_without_memory_say_what_they_are(torch):
    from torch._subclasses.fake_tensor import FakeTensorMode

    metadata = ChunkShardingSpec(0, ranks(2)).build_metadata((2,))
    with FakeTensorMode():
        fake = torch.zeros(2)
    with pytest.raises(BufferError, match="full: a FakeTensor that has no memory"):
        metadata.scatter(fake)
    with pytest.raises(BufferError):
        metadata.scatter(torch.zeros(2, device="meta"))


def test_torchs_shards_and_chunks_are_shards(torch):
    from torch.distributed._shard.metadata import ShardMetadata
    from torch.distributed._shard.sharded_tensor import Shard
    from torch.distributed.checkpoint.metadata import ChunkStorageMetadata

    metadata = ChunkShardingSpec(0, ["rank:0/cpu", "rank:1/cpu"]).build_metadata((4, 3))
    there = Shard(torch.ones(2, 3), ShardMetadata([2, 0], [2, 3], "rank:1/cpu"))
    tensor = shardspec.ShardedTensor.from_local_shards([there], metadata)
    assert tensor.local_indices() == [1]
    saved = [ChunkStorageMetadata(torch.Size([0, 0]), torch.Size([3, 3]))]
    assert shardspec.find_gaps(saved, (4, 3)) == [((3, 0), (1, 3))]
    (rows,) = shardspec.Plan(saved, [ShardMetadata([1, 0], [2, 3], "rank:0/cpu")]).execute(
        [torch.arange(9.0).reshape(3, 3)])
    assert rows.tolist() == [[3, 4, 5], [6, 7, 8]]


def test_numpy_gets_torchs_types(torch):
    ml_dtypes = pytest.importorskip("ml_dtypes")
    numpy = pytest.importorskip("numpy")
    shards = ChunkShardingSpec(0, ranks(2)).build_metadata((4,)).scatter(
        torch.arange(4).to(torch.bfloat16))
    assert numpy.asarray(shards[1]).dtype == ml_dtypes.bfloat16
    assert numpy.asarray(shards[1]).tolist() == [2, 3]
