"""What memory says about its elements, and what it can't say: nothing is read as something else."""

import array
import ctypes
import pickle

import numpy
import pytest

from common import ranks, tensor_in
from shardspec import (
    ChunkShardingSpec,
    HandleError,
    Plan,
    ShardedTensor,
    ShardingSpec,
    TensorProperties,
    ViewError,
    as_tensor,
    empty,
)

HALVES = ChunkShardingSpec(0, ranks(2)).build_metadata((4,))
PACKED = numpy.dtype([("tag", "u1"), ("x", "<f4")])


def records():
    made = numpy.zeros(4, PACKED)
    made["tag"], made["x"] = [1, 2, 3, 4], [1.5, 2.5, 3.5, 4.5]
    return made


class Interface:
    """What has no more than numpy's interface, as other libraries' images do."""

    def __init__(self, interface):
        self.__array_interface__ = interface


def test_strides_that_are_no_multiple_of_an_element_are_refused_and_nothing_is_touched():
    made = records()
    before = made.tobytes()
    for call in (lambda: HALVES.scatter(made["x"]),
                 lambda: HALVES.gather([numpy.ones(2, "f4")] * 2, made["x"]),
                 lambda: as_tensor(made["x"]), lambda: as_tensor(memoryview(made["x"])),
                 lambda: HALVES.scatter(numpy.ones(4, "f4"), [made["x"][:2], made["x"][2:]]),
                 lambda: HALVES.view_shard(0, made["x"])):
        with pytest.raises(BufferError, match=r"5 bytes .* dimension 0 .* 4, an element's"):
            call()
    assert made.tobytes() == before


def test_a_stride_that_is_never_taken_does_not_matter():
    made = records()
    one = ChunkShardingSpec(0, ranks(1)).build_metadata((1,))
    assert one.scatter(made["x"][2:3])[0].tolist() == [3.5]
    none = ChunkShardingSpec(0, ranks(1)).build_metadata((0,))
    assert none.scatter(made["x"][:0])[0].shape == (0,)
    # Every stride of it is 20 bytes: five elements.
    wide = numpy.zeros(4, [("tag", "u1", 4), ("x", "<f4"), ("y", "<f4", 3)])
    wide["x"] = [1, 2, 3, 4]
    assert [shard.tolist() for shard in HALVES.scatter(wide["x"])] == [[1, 2], [3, 4]]


def test_strides_of_elements_from_elsewhere_are_not_rounded_either():
    ml_dtypes = pytest.importorskip("ml_dtypes")
    made = numpy.zeros(4, [("tag", "u1"), ("x", ml_dtypes.bfloat16)])
    with pytest.raises(BufferError, match="3 bytes"):
        HALVES.scatter(made["x"])


@pytest.mark.parametrize("dtype, values", [
    (">i2", [1, 2, 3, 4]), (">f4", [1.5, 2.5, -3, 4]), (">c16", [1j, 2, 3, 4]),
    ("M8[s]", [1, 2, 3, 4]), ("m8[ms]", [1, 2, 3, 4]), ("S5", [b"a", b"bcdef", b"", b"g"]),
    ("U3", ["a", "bcd", "", "é"]), ("V16", [b"0123456789abcdef"] * 4), (PACKED, None),
    ("S1", [b"a", b"b", b"", b"c"]),
    ({"names": ["b", "a"], "formats": ["<i4", "<i2"], "offsets": [4, 0], "itemsize": 12}, None)],
    ids=str)
def test_elements_of_any_bytes_are_moved_and_stay_what_they_are(dtype, values):
    full = records().astype(dtype) if dtype == PACKED else numpy.zeros(4, dtype)
    if values is not None:
        full[:] = numpy.array(values, dtype)
    shards = HALVES.scatter(full)
    size = full.dtype.itemsize
    assert {shard.dtype for shard in shards} == {"uint8" if size == 1 else f"uint8x{size}"}
    for shard, part in zip(shards, (full[:2], full[2:])):
        assert numpy.asarray(shard).dtype == full.dtype
        assert numpy.asarray(shard).tobytes() == part.tobytes()
    back = numpy.asarray(HALVES.gather(shards))
    assert back.dtype == full.dtype and back.tobytes() == full.tobytes()
    place = numpy.zeros((4, 2), full.dtype)[:, 1]
    assert HALVES.gather([full[:2], full[2:]], place) is place
    # numpy does not copy the bytes between fields.
    assert (place == full).all() if full.dtype.names else place.tobytes() == full.tobytes()
    view = numpy.asarray(HALVES.view_shard(1, full))
    assert view.dtype == full.dtype and numpy.shares_memory(view, full)
    tensor = ShardedTensor.from_full(HALVES, full, 1)
    assert numpy.asarray(tensor.local_tensor()).tobytes() == full[2:].tobytes()
    assert numpy.asarray(ShardedTensor.from_full(HALVES, full).gather()).dtype == full.dtype
    assert numpy.asarray(Plan(HALVES, HALVES).execute(shards)[1]).dtype == full.dtype
    assert TensorProperties.create_from_tensor(full).dtype == shards[0].dtype
    kept = pickle.loads(pickle.dumps(shards[1]))
    assert numpy.asarray(kept).dtype == full.dtype
    assert numpy.asarray(kept).tobytes() == full[2:].tobytes()


def test_elements_that_only_have_as_many_bytes_are_not_mixed():
    big = numpy.arange(4).astype(">f4")
    for other in (">i4", "S4", "V4"):
        with pytest.raises(ViewError, match="elements of") as refused:
            HALVES.gather([big[:2], big[2:]], numpy.zeros(4, other))
        assert refused.value.name == "DTYPE_MISMATCH"
    for call in (lambda: HALVES.scatter(big, [numpy.zeros(2, "<f4")] * 2),
                 lambda: HALVES.gather([big[:2], numpy.zeros(2, ">i4")]),
                 lambda: HALVES.extract_shard(0, big, numpy.zeros(2, ">i4")),
                 lambda: Plan(HALVES, HALVES).execute([big[:2], big[2:]], [numpy.zeros(
                     2, ">i4"), numpy.zeros(2, ">i4")]),
                 lambda: ShardedTensor.from_local_shards(
                     [(0, big[:2]), (1, numpy.zeros(2, ">i4"))], HALVES),
                 lambda: ShardedTensor.from_full(HALVES, big).gather(numpy.zeros(4, ">i4")),
                 lambda: ChunkShardingSpec(0, ranks(2)).build_metadata(
                     (4,), TensorProperties("float32")).scatter(big)):
        with pytest.raises(ViewError) as refused:
            call()
        assert refused.value.name == "DTYPE_MISMATCH"


def test_foreign_byte_order_without_numpys_types():
    foreign = (ctypes.c_int32.__ctype_be__ if numpy.little_endian
               else ctypes.c_int32.__ctype_le__)
    full = (foreign * 4)(1, 2, 3, 4)
    place = (foreign * 4)()
    HALVES.gather(HALVES.scatter(full), place)
    assert list(place) == [1, 2, 3, 4]
    with pytest.raises(ViewError):
        HALVES.gather(HALVES.scatter(full), (ctypes.c_int32 * 4)())


@pytest.mark.parametrize("elements", [
    numpy.array([{}, 1, None, "a"]), numpy.zeros(4, [("a", "u1"), ("b", "O")]),
    memoryview(numpy.array([{}, 1, None, "a"])), (ctypes.c_char_p * 4)(), (ctypes.c_void_p * 4)(),
    (ctypes.POINTER(ctypes.c_int) * 4)(), numpy.zeros(4, "V0"),
    *([numpy.array(["a", "b", "c", "d"], numpy.dtypes.StringDType())] if hasattr(numpy.dtypes, "StringDType") else [])],
    ids=lambda one: str(type(one)))
def test_references_are_not_moved(elements):
    with pytest.raises(TypeError, match="full: "):
        HALVES.scatter(elements)


def test_what_has_no_element_type_says_what_to_do():
    with pytest.raises(TypeError, match="complex256: 256 bits; an element type has at most 255; "
                       "pass it as float128 with a last dimension of 2"):
        HALVES.scatter(numpy.zeros(4, "complex256"))
    with pytest.raises(TypeError, match="1 to 65535 bytes"):
        HALVES.scatter(numpy.zeros(4, "S65536"))


@pytest.mark.parametrize("mask", [False, True, [0, 0, 1, 0]])
def test_a_mask_is_not_lost(mask):
    masked = numpy.ma.array([1.0, 2, 3, 4], mask=mask)
    for call in (lambda: HALVES.scatter(masked), lambda: as_tensor(masked),
                 lambda: HALVES.gather([numpy.ones(2)] * 2, masked)):
        with pytest.raises(TypeError, match="masked array"):
            call()
    assert masked.data.tolist() == [1, 2, 3, 4]
    full = numpy.arange(4.0)
    interface = {**full.__array_interface__, "mask": full > 1}
    with pytest.raises(TypeError, match="mask"):
        HALVES.scatter(Interface(interface))
    assert HALVES.scatter(masked.filled(9))[1].shape == (2,)


def test_what_has_only_an_array_interface_is_used_in_place():
    full = numpy.arange(4, dtype="int16")
    one = Interface(full.__array_interface__)
    assert HALVES.view_shard(1, one).data_ptr() == full.ctypes.data + 4
    assert HALVES.scatter(one)[1].tolist() == [2, 3]
    steps = Interface({**full[::2].__array_interface__, "strides": (3,)})
    with pytest.raises(BufferError, match="3 bytes"):
        as_tensor(steps)
    for changed in ({"typestr": ">i2"}, {"typestr": "|V2"}, {"data": None}, {"data": b"12345678"}):
        with pytest.raises(TypeError, match="neither a buffer"):
            HALVES.scatter(Interface({**full.__array_interface__, **changed}))


def test_a_scalar_is_there_for_as_long_as_it_is_used():
    tensor = as_tensor(numpy.datetime64(77, "s"))
    others = [numpy.full((), 5, "M8[s]") for _ in range(50)]
    assert numpy.asarray(tensor).item() == numpy.datetime64(77, "s").item()
    assert tensor.readonly and as_tensor(numpy.float32(3)).readonly and len(others) == 50


@pytest.mark.parametrize("name", ["bfloat16", "float8_e4m3fn", "float8_e5m2"])
def test_numpy_gets_types_of_ml_dtypes(name):
    ml_dtypes = pytest.importorskip("ml_dtypes")
    full = numpy.arange(8).reshape(4, 2).astype(getattr(ml_dtypes, name))
    metadata = ChunkShardingSpec(0, ranks(2)).build_metadata(full.shape)
    taken = numpy.asarray(metadata.scatter(full)[1])
    assert taken.dtype == full.dtype and (taken == full[2:]).all()
    taken[:] = 1
    view = numpy.asarray(metadata.view_shard(0, full.T.copy().T))
    assert view.dtype == full.dtype and view.strides == full.T.copy().T.strides
    assert numpy.array(metadata.scatter(full)[0], dtype="float32").tolist() == [[0, 1], [2, 3]]


@pytest.mark.parametrize("name", ["int4", "uint4", "int2"])
def test_small_numbers_that_have_a_byte_each_stay_what_they_are(name):
    ml_dtypes = pytest.importorskip("ml_dtypes")
    full = numpy.array([0, 1, 1, 0]).astype(getattr(ml_dtypes, name))
    shards = HALVES.scatter(full)
    assert shards[0].dtype == "uint8"
    assert [numpy.asarray(shard).dtype for shard in shards] == [full.dtype] * 2
    assert (numpy.asarray(HALVES.gather(shards)) == full).all()
    # In eighths of a byte there are twice as many to a byte, which is another thing.
    stated = ChunkShardingSpec(0, ranks(2)).build_metadata((4,), TensorProperties(name))
    with pytest.raises(ViewError, match=name):
        stated.scatter(full)


def test_foreign_byte_order_of_ml_dtypes_is_not_native():
    ml_dtypes = pytest.importorskip("ml_dtypes")
    foreign = numpy.zeros(4, numpy.dtype(ml_dtypes.bfloat16).newbyteorder())
    assert HALVES.scatter(foreign)[0].dtype == "uint8x2"


def test_numpy_never_wraps_a_tensor_as_an_object():
    for name in ("uint4", "float8_e8m0fnu_no_such", "float32x4"):
        try:
            tensor = empty((2, 2), name)
        except ValueError:
            continue
        with pytest.raises(TypeError, match="torch.from_dlpack.*pass a place"):
            numpy.asarray(tensor)
    assert numpy.asarray(empty((2,), "uint8x5")).dtype == "V5"
    tensor = as_tensor(numpy.arange(3.0))
    assert numpy.shares_memory(tensor.__array__(), numpy.asarray(tensor))
    assert not numpy.shares_memory(tensor.__array__(copy=True), numpy.asarray(tensor))
    assert tensor.__array__("int8").tolist() == [0, 1, 2]
    with pytest.raises(ValueError, match="without a copy"):
        tensor.__array__("int8", copy=False)


class Lazy:
    """A tensor of a library that keeps bits beside its memory, as torch's views do."""

    def __init__(self, array, bit):
        self.array, self.bit = array, bit

    def is_neg(self):
        return self.bit == "neg"

    def is_conj(self):
        return self.bit == "conj"

    def __dlpack__(self, **arguments):
        return as_tensor(self.array).__dlpack__()


@pytest.mark.parametrize("bit", ["neg", "conj"])
def test_memory_that_stands_for_other_numbers_is_refused(bit):
    full = numpy.arange(4.0)
    for call in (lambda: HALVES.scatter(Lazy(full, bit)),
                 lambda: HALVES.gather([numpy.ones(2)] * 2, Lazy(full, bit))):
        with pytest.raises(BufferError, match=rf"{bit} bit .* resolve_{bit}\(\)"):
            call()
    assert HALVES.scatter(Lazy(full, None))[1].tolist() == [2, 3]


def test_what_has_no_memory_of_its_own_says_so():
    class DTensor:
        device_mesh = None

        def to_local(self):
            return numpy.arange(4.0)

    with pytest.raises(TypeError, match=r"full: a DTensor; pass its to_local\(\)"):
        HALVES.scatter(DTensor())

    class FakeTensor:
        def __dlpack__(self, **arguments):
            capsule = as_tensor(numpy.arange(4.0)).__dlpack__()
            tensor_in(capsule).data = None
            return capsule

    with pytest.raises(BufferError, match="full: a FakeTensor that has no memory"):
        HALVES.scatter(FakeTensor())


def test_tensors_of_a_call_are_gone_after_it():
    kept = []

    class Keeps(ShardingSpec):
        def build_metadata(self, tensor_sizes, tensor_properties=None):
            return ChunkShardingSpec(0, ranks(2)).build_metadata(tensor_sizes, tensor_properties)

        def fill_shard(self, metadata, index, full, shard):
            kept.extend((full, shard))
            super().fill_shard(metadata, index, full, shard)

    spec = Keeps()
    metadata = spec.build_metadata((4,))
    assert spec.extract_shard(metadata, 1, array.array("d", range(4))).tolist() == [2, 3]
    assert len(kept) == 2
    for tensor in kept:
        assert "ended" in repr(tensor)
        for use in (lambda: tensor.shape, lambda: tensor.data_ptr(), lambda: tensor.tolist(),
                    lambda: numpy.asarray(tensor), lambda: metadata.scatter(tensor),
                    lambda: tensor.__dlpack__(), lambda: tensor.readonly):
            with pytest.raises(HandleError, match="during the call"):
                use()
