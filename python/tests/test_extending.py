"""Sharding specs and placements whose functions are Python's, through raw ctypes."""

import ctypes
import threading

import numpy
import pytest

from binding import STRUCTS, Refused, numbers

VTable = STRUCTS["spec_vtable"]
FIELDS = dict(VTable._fields_)


class Spec:
    """Rows dealt out like cards: `hands` ranks get every `hands`-th block of `rows` rows."""

    TYPE = b"test.dealt"

    def __init__(self, lib, rows, hands):
        self.lib, self.rows, self.hands = lib, rows, hands
        self.raised, self.builder, self.destroyed, self.overlap = None, None, 0, 0
        self.table = VTable(ctypes.sizeof(VTable), FIELDS["destroy"](self.destroy),
                            FIELDS["build_metadata"](self.guarded(self.build_metadata)),
                            success_status=lib.CALLBACK_OK_IN_ERR)
        self.handle = lib.made(lib.spec_new_custom, self.TYPE, ctypes.byref(self.table), None)

    def destroy(self, _):
        self.destroyed += 1

    def guarded(self, function):
        """An exception becomes a status, and waits for whoever called the library."""
        def call(_, *arguments):
            err = arguments[-1].contents
            try:
                function(*arguments[:-1])
                err.status = self.lib.CALLBACK_OK_IN_ERR
            except Exception as raised:
                self.raised = raised
                err.status = self.lib.USER_STATUS
            return 0
        return call

    def build_metadata(self, sizes, dim_names, ndim, properties, builder):
        self.builder = builder
        for block, first in enumerate(range(0, sizes[0], self.rows)):
            offsets = [first] + [0] * (ndim - 1)
            lengths = [min(self.rows + self.overlap, sizes[0] - first), *sizes[1:ndim]]
            self.lib.metadata_builder_add_shard(builder, numbers(offsets), numbers(lengths), ndim,
                                                b"rank:%d" % (block % self.hands))

    def metadata(self, *sizes):
        try:
            return self.lib.made(self.lib.spec_build_metadata, self.handle, numbers(sizes),
                                 len(sizes), None)
        except Refused as refused:
            if refused.status == self.lib.USER_STATUS:
                raise self.raised from refused
            raise


@pytest.fixture
def dealt(lib):
    spec = Spec(lib, 2, 3)
    yield spec
    lib.spec_free(spec.handle)
    assert spec.destroyed == 1


def test_a_spec_written_in_python_cuts_an_array(lib, dealt):
    full = numpy.arange(33.0).reshape(11, 3)
    metadata = dealt.metadata(*full.shape)
    owned = (ctypes.c_size_t * 6)()
    needed = ctypes.c_size_t()
    lib.metadata_shards_of_rank(metadata, 0, owned, 6, ctypes.byref(needed))
    assert list(owned)[:needed.value] == [0, 3]
    shards = [numpy.empty((min(2, 11 - first), 3)) for first in range(0, 11, 2)]
    lib.metadata_scatter(metadata, ctypes.byref(lib.view(full)), lib.views(shards), 6, None)
    assert numpy.array_equal(numpy.concatenate(shards), full)
    assert lib.text(lib.spec_type_name, dealt.handle) == "test.dealt"
    lib.metadata_free(metadata)


def test_an_exception_in_the_callback_is_the_callers(lib, dealt):
    dealt.hands = 0
    with pytest.raises(ZeroDivisionError) as raised:
        dealt.metadata(4, 4)
    assert raised.value.__cause__.status == lib.USER_STATUS
    assert "test.dealt" in str(raised.value.__cause__)
    dealt.hands = 1
    lib.metadata_free(dealt.metadata(4, 4))


def test_what_the_callback_builds_is_checked(lib, dealt):
    dealt.overlap = 1
    with pytest.raises(Refused, match=r"test.dealt.*\[2:3, 0:4\]") as refused:
        dealt.metadata(8, 4)
    assert refused.value.status == lib.OVERLAP


def test_a_builder_is_refused_once_its_callback_returned(lib, dealt):
    lib.metadata_free(dealt.metadata(4, 4))
    with pytest.raises(Refused) as refused:
        lib.metadata_builder_add_shard(dealt.builder, numbers([0]), numbers([4]), 1, b"cpu")
    assert refused.value.status == lib.INVALID_HANDLE


def test_a_failed_registration_destroys_once(lib):
    destroyed = []
    table = VTable(ctypes.sizeof(VTable), FIELDS["destroy"](destroyed.append))
    with pytest.raises(Refused, match="build_metadata"):
        lib.made(lib.spec_new_custom, b"test.none", ctypes.byref(table), 7)
    assert destroyed == [7]


def test_many_threads_build_with_one_spec(lib, dealt):
    counts = []

    def work():
        metadata = dealt.metadata(100, 2)
        counts.append(lib.number(lib.metadata_shard_count, metadata, kind=ctypes.c_size_t))
        lib.metadata_free(metadata)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counts == [50] * 8


def test_a_placement_of_ones_own_comes_back_from_metadata(lib):
    kind = STRUCTS["placement_vtable"]
    functions = dict(kind._fields_)
    racks, destroyed = {1: "left", 2: "left", 3: "right"}, []
    table = kind(ctypes.sizeof(kind), functions["destroy"](destroyed.append),
                 functions["equal"](lambda own, other: racks[own] == racks[other]),
                 functions["hash"](lambda own: hash(racks[own]) & 0xffff))
    placements = [lib.made(lib.placement_new_custom, b"test.rack", b"shelf %d" % key, len(rack),
                           ctypes.byref(table), key) for key, rack in racks.items()]
    given = (ctypes.c_void_p * 3)(*(placement.value for placement in placements))
    spec = lib.made(lib.spec_new_chunk_with_placement_handles, 0, None, given, 3)
    metadata = lib.made(lib.spec_build_metadata, spec, numbers([6]), 1, None)
    assert lib.number(lib.metadata_placement_count, metadata, kind=ctypes.c_size_t) == 2
    shown = [lib.text(lib.metadata_shard_placement_text, metadata, shard) for shard in range(3)]
    assert shown == ["shelf 1", "shelf 1", "shelf 3"]
    placement = lib.made(lib.metadata_placement, metadata, 1)
    assert lib.number(lib.placement_custom_ctx, placement, b"test.rack", kind=ctypes.c_void_p) == 3
    assert lib.number(lib.placement_rank, placement) == len("right")
    for handle in [*placements, placement]:
        lib.placement_free(handle)
    assert destroyed == [2]
    lib.spec_free(spec)
    lib.metadata_free(metadata)
    assert sorted(destroyed) == [1, 2, 3]
