"""Ranks as threads, and as processes over a transport that is a class of Python."""

import ctypes
import gc
import multiprocessing
import re
import threading
import traceback
import warnings
import weakref

import numpy
import pytest

from common import ends_well, on_threads, ranks
from shardspec import (
    ALL_RANKS,
    ArgumentError,
    CallbackError,
    ChunkShardingSpec,
    CommunicationError,
    Communicator,
    HandleError,
    Message,
    Move,
    OpArgumentsError,
    ShardedTensor,
    TensorProperties,
    Transfer,
    _callbacks,
    custom_sharding_spec_op,
    dispatch_custom_op,
    remove_custom_op,
)
from shardspec._library import lib

FULL = numpy.arange(70, dtype="float64").reshape(7, 10)
ROWS = ChunkShardingSpec(0, ranks(3)).build_metadata(FULL.shape, TensorProperties("float64"))
COLUMNS = ChunkShardingSpec(1, ["rank:2", "rank:0", "rank:2", "rank:1"]).build_metadata(FULL.shape)


def slices(metadata, rank, full=FULL):
    for index in metadata.shards_of_rank(rank):
        shard = metadata.shards_metadata[index]
        yield full[tuple(slice(start, start + size) for start, size in zip(
            shard.shard_offsets, shard.shard_sizes))]


def are_shards_of(shards, metadata, rank):
    wanted = list(slices(metadata, rank))
    return len(shards) == len(wanted) and all(
        numpy.array_equal(numpy.asarray(shard), part) for shard, part in zip(shards, wanted))


def collectives(comm):
    """Shards, reshards and gathers."""
    full = FULL if comm.rank == 1 else None
    shards = comm.shard(ROWS, full, src_rank=1)
    assert are_shards_of(shards, ROWS, comm.rank)
    columns = comm.reshard(ROWS, shards, COLUMNS, memory_limit=100, max_threads=1)
    assert are_shards_of(columns, COLUMNS, comm.rank)
    one = comm.gather(COLUMNS, columns, dst_rank=2)
    assert (one is None) == (comm.rank != 2)
    back = numpy.zeros_like(FULL.T).T
    assert comm.gather(COLUMNS, columns, back, ALL_RANKS) is back
    assert numpy.array_equal(back, FULL)
    return comm.size


def test_threads_shard_reshard_and_gather():
    assert on_threads(3, collectives) == [3, 3, 3]


def started(comm):
    """The same by requests; rank 0 calls the methods without."""
    def ended(request):
        while comm.rank == 1 and not request.test():
            pass
        return request.wait()

    full = FULL if comm.rank == 1 else None
    if comm.rank == 0:
        return collectives(comm)
    shards = ended(comm.shard_start(ROWS, full, src_rank=1))
    assert are_shards_of(shards, ROWS, comm.rank)
    columns = ended(comm.reshard_start(ROWS, shards, COLUMNS, memory_limit=100, max_threads=1))
    assert are_shards_of(columns, COLUMNS, comm.rank)
    one = ended(comm.gather_start(COLUMNS, columns, dst_rank=2))
    assert (one is None) == (comm.rank != 2)
    back = numpy.zeros_like(FULL.T).T
    assert ended(comm.gather_start(COLUMNS, columns, back, ALL_RANKS)) is back
    assert numpy.array_equal(back, FULL)
    return comm.size


def test_threads_start_collectives():
    assert on_threads(3, started) == [3, 3, 3]


def test_what_is_wrong_with_a_started_collective_is_raised_on_all_ranks():
    def work(comm):
        shards = list(slices(ROWS, comm.rank))
        columns = [numpy.zeros_like(part) for part in slices(COLUMNS, comm.rank)]
        if comm.rank == 2:
            shards.pop()
        for start in (lambda: comm.gather_start(ROWS, shards),
                      lambda: comm.reshard_start(ROWS, shards, COLUMNS, columns)):
            request = start()
            for _ in range(2):
                with pytest.raises((ArgumentError, CommunicationError), match="0 views for the 1 shards"):
                    request.wait()
            request.close()
        return comm.size

    assert on_threads(3, work) == [3, 3, 3]


def test_a_spec_shards_for_all_ranks():
    def work(comm):
        mine = FULL if comm.rank == 0 else numpy.zeros_like(FULL)
        tensor = ChunkShardingSpec(0, ranks(3)).shard(mine, 0, comm)
        assert tensor.dtype == "float64" and tensor.process_group is comm
        assert are_shards_of([one.tensor for one in tensor.local_shards()], ROWS, comm.rank)
        return numpy.array_equal(numpy.asarray(comm.gather(ROWS, tensor, dst_rank=ALL_RANKS)), FULL)

    assert on_threads(3, work) == [True] * 3
    alone = ChunkShardingSpec(0, ranks(3)).shard(FULL)
    assert alone.local_indices() == [0, 1, 2] and alone.process_group is None
    assert numpy.array_equal(numpy.asarray(alone.gather()), FULL)


def test_metadata_shard_for_all_ranks_of_which_one_has_the_tensor():
    def work(comm):
        full = FULL if comm.rank == 1 else None
        tensor = ShardedTensor.from_rank(ROWS, full, comm, src_rank=1, memory_limit=64)
        assert tensor.process_group is comm and tensor.metadata() == ROWS
        return are_shards_of([one.tensor for one in tensor.local_shards()], ROWS, comm.rank)

    assert on_threads(3, work) == [True] * 3
    untyped = ChunkShardingSpec(0, ranks(3)).build_metadata(FULL.shape)
    refused = on_threads(3, lambda comm: ShardedTensor.from_rank(untyped, FULL, comm))
    assert any(isinstance(error, ArgumentError) and "dtype" in str(error) for error in refused)


def test_a_sharded_tensor_keeps_its_communicator():
    comm = Pipes(0, 1, {}, {})
    tensor = ChunkShardingSpec(0, ranks(1)).shard(FULL, 0, comm)
    gone, lent = weakref.ref(comm), ShardedTensor._lent(tensor._as_parameter_)
    del comm
    gc.collect()
    assert tensor.process_group is gone()
    # What another language is given has the handle only.
    assert (lent.process_group.rank, lent.process_group.size) == (0, 1)
    tensor.close()
    with pytest.raises(HandleError):
        tensor.process_group
    del tensor
    gc.collect()
    assert gone() is None


def test_an_op_takes_sharded_tensors_of_one_communicator():
    spec = ChunkShardingSpec(0, ranks(1))
    with Communicator.local(1)[0] as one, Communicator.local(1)[0] as other:
        here, there = spec.shard(FULL, 0, one), spec.shard(FULL, 0, other)
        custom_sharding_spec_op(ChunkShardingSpec, "test.both")(lambda *_: "called")
        assert dispatch_custom_op(spec, "test.both", [here, spec.shard(FULL, 0, one)]) == "called"
        for second in (there, spec.shard(FULL)):
            with pytest.raises(OpArgumentsError) as refused:
                dispatch_custom_op(spec, "test.both", [here, second])
            assert refused.value.name == "COMMUNICATOR_MISMATCH"
        remove_custom_op(spec, "test.both")


@pytest.mark.parametrize("wrong, kind", [
    ([1, 2], TypeError), (FULL[:6], CommunicationError),
    (FULL.astype("float32"), CommunicationError)],
    ids=["no tensor", "shape", "type"])
def test_when_one_rank_can_not_shard_by_a_spec_all_are_told(wrong, kind):
    def work(comm):
        return ChunkShardingSpec(0, ranks(3)).shard(wrong if comm.rank == 0 else FULL, 0, comm)

    culprit, *others = on_threads(3, work)
    assert isinstance(culprit, kind)
    for error in others:
        assert isinstance(error, CommunicationError) and error.name == "DISAGREEMENT"


@pytest.mark.parametrize("wrong, kind", [
    (numpy.zeros((7, 9)), ValueError), ([1, 2], TypeError), (None, ArgumentError)],
    ids=["shape", "type", "missing"])
def test_when_one_rank_is_wrong_all_are_told(wrong, kind):
    shards = [[numpy.full_like(part, -1) for part in slices(ROWS, rank)] for rank in range(3)]

    def work(comm):
        comm.shard(ROWS, wrong if comm.rank == 0 else None, shards[comm.rank])

    culprit, *others = on_threads(3, work)
    assert isinstance(culprit, kind)
    for error in others:
        assert isinstance(error, CommunicationError) and error.name == "DISAGREEMENT"
        assert "rank 0" in str(error)
    assert all((shard == -1).all() for mine in shards for shard in mine)


def test_new_shards_need_a_type():
    def work(comm):
        return comm.shard(COLUMNS, FULL if comm.rank == 0 else None)

    assert any(isinstance(error, ArgumentError) and "dtype" in str(error)
               for error in on_threads(3, work))


def test_messages_of_ones_own():
    def work(comm):
        right, left = (comm.rank + 1) % comm.size, (comm.rank - 1) % comm.size
        place = bytearray(3)
        comm.exchange([Message(right, memoryview(bytes([comm.rank] * 3)))],
                      [Message(left, memoryview(place))])
        return list(place)

    assert on_threads(3, work) == [[2] * 3, [0] * 3, [1] * 3]


class Pipes(Communicator):
    """A pipe from each process to each."""

    def __init__(self, rank, size, writers, readers):
        super().__init__(rank, size)
        self.writers, self.readers, self.fails = writers, readers, None

    def exchange(self, sends, receives):
        if self.fails is not None:
            raise self.fails
        writer = threading.Thread(target=lambda: [
            self.writers[message.peer].send_bytes(message.memory) for message in sends])
        writer.start()
        for message in receives:
            assert self.readers[message.peer].recv_bytes_into(message.memory) == len(message.memory)
        writer.join()


def run_rank(work, rank, size, writers, readers, results):
    try:
        results.put((rank, work(Pipes(rank, size, writers, readers))))
    except BaseException:
        results.put((rank, traceback.format_exc()))


def test_processes_do_so_over_a_transport_of_pythons():
    context = multiprocessing.get_context("fork")
    size, results = 3, context.Queue()
    pipes = {(source, to): context.Pipe(duplex=False)
             for source in range(size) for to in range(size) if source != to}
    processes = [context.Process(target=run_rank, daemon=True, args=(
        collectives, rank, size, {to: pipe[1] for (one, to), pipe in pipes.items() if one == rank},
        {one: pipe[0] for (one, to), pipe in pipes.items() if to == rank}, results))
        for rank in range(size)]
    for process in processes:
        process.start()
    assert sorted(results.get(timeout=60) for _ in processes) == [(0, 3), (1, 3), (2, 3)]
    for process in processes:
        process.join(60)


class Keeping(Communicator):
    """Keeps what it was given, as a transport must not."""

    def __init__(self, inner, keep):
        super().__init__(inner.rank, inner.size)
        self.inner, self.keep, self.kept, self.fails = inner, keep, [], None

    def exchange(self, sends, receives):
        self.kept.extend(self.keep(message.memory) for message in [*sends, *receives])
        if self.fails is not None:
            raise self.fails
        self.inner.exchange(sends, receives)


@pytest.mark.parametrize("fails", [None, ConnectionError("that is all")])
def test_the_memory_of_a_message_ends_with_the_exchange(fails):
    def work(comm):
        keeping = Keeping(comm, lambda memory: memory)
        keeping.fails = fails
        try:
            keeping.shard(ROWS, FULL)
        except ConnectionError as error:
            assert error is fails
        return keeping.kept

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        kept = [memory for memories in on_threads(3, work) for memory in memories]
    assert len(kept) >= 3
    for memory in kept:
        for use in (lambda: memory[0], lambda: bytes(memory), lambda: numpy.frombuffer(memory)):
            with pytest.raises(ValueError, match="released"):
                use()


@pytest.mark.parametrize("keep", [lambda memory: numpy.frombuffer(memory, "uint8"),
                                  lambda memory: memory[:], lambda memory: memory.cast("b")])
def test_a_transport_that_keeps_parts_of_it_is_told(keep):
    def work(comm):
        keeping = Keeping(comm, keep)
        keeping.shard(ROWS, FULL)
        return len(keeping.kept)

    with pytest.warns(RuntimeWarning, match="Keeping.exchange: .* are still there after it"):
        assert all(isinstance(count, int) and count for count in on_threads(3, work))


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_transport_that_fails_in_whatever_way_is_no_success(monkeypatch):
    class Unspeakable(Exception):
        def __str__(self):
            raise LookupError("not even this can be said")

    class Failing(Keeping):
        """Fails on one rank after the ranks have agreed, and ends it for the others."""

        def exchange(self, sends, receives):
            if any(len(message.memory) > 150 for message in [*sends, *receives]):
                raise Unspeakable
            super().exchange(sends, receives)

        def abort(self, reason=""):
            self.inner.abort(reason)

    def work(comm):
        over = (Failing if comm.rank == 1 else Keeping)(comm, len)
        back = numpy.full_like(FULL, -1)
        try:
            over.gather(ROWS, list(slices(ROWS, comm.rank)), back, ALL_RANKS)
        finally:
            over.inner.abort()

    def outcomes():
        return [type(answer) for answer in on_threads(3, work)]

    first, failing, last = outcomes()
    assert failing is Unspeakable and first is last is CommunicationError
    hold = _callbacks._hold
    monkeypatch.setattr(_callbacks, "_hold", lambda error, err: 1 / 0 if isinstance(
        error, Unspeakable) else hold(error, err))
    first, failing, last = outcomes()
    assert failing is CallbackError and first is last is CommunicationError


@pytest.mark.parametrize("inside", ["pass", "while True: time.sleep(0)"], ids=["comes", "stays"])
def test_python_may_end_while_a_daemon_thread_exchanges(inside):
    """A thread that comes back to Python when it has ended is unwound, through the library."""
    for _ in range(3):
        ends_well(f"""
import array, sys, threading, time, types, shardspec

class Polling(shardspec.Communicator):
    def exchange(self, sends, receives):
        begun.set()
        {inside}

class Last:
    def __del__(self, sleep=time.sleep):
        sleep(0.2)  # Python has ended for other threads, and the process has not.

def work(errors=shardspec.ShardspecError):
    while True:
        try:
            comm.shard(rows, full)
        except errors:
            pass

begun, comm, full = threading.Event(), Polling(0, 2), array.array("d", range(4))
rows = shardspec.ChunkShardingSpec(0, ["rank:0", "rank:1"]).build_metadata((4,))
threading.Thread(target=work, daemon=True).start()
begun.wait()
sys.modules["last"] = types.ModuleType("last")
sys.modules["last"].last = Last()
""")


def test_who_waits_for_a_rank_is_woken_by_abort():
    def work(comm):
        if comm.rank == 1:
            return comm.abort("the cook is ill")
        return comm.gather(ROWS, list(slices(ROWS, comm.rank)))

    first, culprit, last = on_threads(3, work)
    assert culprit is None
    for error in (first, last):
        assert isinstance(error, CommunicationError) and error.name == "TRANSPORT_FAILED"
        assert "the cook is ill" in str(error)


def test_a_sharded_tensor_of_another_layout_or_rank_is_no_shards_of_these():
    turned = ChunkShardingSpec(0, ["rank:2", "rank:1", "rank:0"]).build_metadata(FULL.shape)

    def work(comm):
        rank = comm.rank
        for made in (ShardedTensor.from_full(turned, FULL, rank),
                     ShardedTensor.from_full(ROWS, FULL, (rank + 1) % 3)):
            for call in (lambda: comm.gather(ROWS, made, dst_rank=ALL_RANKS),
                         lambda: comm.reshard(ROWS, made, COLUMNS),
                         lambda: comm.shard(ROWS, FULL, made)):
                with pytest.raises(ArgumentError, match="shards: "):
                    call()
            with pytest.raises(ArgumentError, match="to_shards: "):
                comm.reshard(COLUMNS, list(slices(COLUMNS, rank)), ROWS, made)
        return "refused"

    assert on_threads(3, work) == ["refused"] * 3


def test_nobody_waits_for_a_rank_that_passes_something_wrong():
    mine = [list(slices(ROWS, rank)) for rank in range(3)]
    readonly = [part.copy() for part in slices(COLUMNS, 1)]
    for part in readonly:
        part.flags.writeable = False
    wrongs = [
        (BufferError, lambda comm: comm.reshard(ROWS, mine[1], COLUMNS, readonly)),
        (TypeError, lambda comm: comm.reshard(ROWS, [[1, 2]], COLUMNS)),
        (TypeError, lambda comm: comm.reshard(ROWS, "ab", COLUMNS)),
        (TypeError, lambda comm: comm.reshard(ROWS, None, COLUMNS)),
        (TypeError, lambda comm: comm.reshard(ROWS, mine[1], COLUMNS, max_threads="a")),
        (TypeError, lambda comm: comm.reshard(None, mine[1], COLUMNS)),
        (ValueError, lambda comm: comm.reshard(ROWS, mine[1], COLUMNS, memory_limit=-1)),
        (ValueError, lambda comm: comm.reshard(ROWS, [part.astype(">f8") for part in mine[1]],
                                               COLUMNS, list(slices(COLUMNS, 1)))),
        (ZeroDivisionError, lambda comm: comm.reshard(ROWS, (1 / 0 for _ in mine), COLUMNS))]
    for kind, wrong in wrongs:
        culprit, *others = [answer for rank, answer in sorted(enumerate(on_threads(
            3, lambda comm, wrong=wrong: wrong(comm) if comm.rank == 1 else comm.reshard(
                ROWS, mine[comm.rank], COLUMNS))), key=lambda pair: pair[0] != 1)]
        assert isinstance(culprit, kind) and not isinstance(culprit, CommunicationError)
        for error in others:
            assert isinstance(error, CommunicationError) and error.name == "DISAGREEMENT"
            # In the words of the rank that was refused.
            assert "rank 1: " in str(error) and str(culprit).partition(";")[0] in str(error)
            assert error.got == 1 and error.limit > 0


def test_a_rank_that_can_not_call_declines_with_its_reason():
    mine = [list(slices(ROWS, rank)) for rank in range(3)]
    for reason, limit, told in (
            (FileNotFoundError("weights.bin"), lib.USER_STATUS, "FileNotFoundError: weights.bin"),
            (MemoryError(), lib.OUT_OF_MEMORY, "MemoryError"),
            (lib.refused("READ_ONLY", "shards: a mapped file"), lib.READ_ONLY, "shards: a mapped file"),
            ("the queue\0is closed", lib.USER_STATUS, "the queue is closed"),
            ("no \udc80 text", lib.USER_STATUS, "no ? text")):
        def work(comm, reason=reason):
            if comm.rank == 2:
                return comm.decline(reason)
            return comm.gather(ROWS, mine[comm.rank])

        *others, culprit = on_threads(3, work)
        assert culprit is None
        for error in others:
            assert isinstance(error, CommunicationError) and f"rank 2: {told}" in str(error)
            assert (error.got, error.limit) == (2, limit)


def test_what_a_transport_raises_comes_out_of_the_call():
    comm = Pipes(0, 3, {}, {})
    comm.fails = ConnectionError("the cable is cut")
    with pytest.raises(ConnectionError) as caught:
        comm.shard(ROWS, FULL)
    assert caught.value is comm.fails
    with pytest.raises(NotImplementedError, match="Communicator has no exchange"):
        Communicator(0, 3).shard(ROWS, FULL)


def test_a_communicator_goes_when_nobody_has_it():
    comm = Pipes(0, 3, {}, {})
    gone = weakref.ref(comm)
    del comm
    gc.collect()
    assert gone() is None
    with Communicator.local(1)[0] as alone:
        assert numpy.array_equal(numpy.asarray(alone.gather(
            ChunkShardingSpec(0, ranks(1)).build_metadata((3,)), [numpy.arange(3)])), [0, 1, 2])
    with pytest.raises(HandleError):
        alone.size


def test_sharded_tensors_are_passed_as_they_are():
    def work(comm):
        mine = ShardedTensor.from_full(ROWS, FULL, comm.rank)
        columns = comm.reshard(ROWS, mine, COLUMNS)
        return are_shards_of(columns, COLUMNS, comm.rank)

    assert on_threads(3, work) == [True] * 3


def test_exchanges_go_on_while_ranks_do_something_else():
    def work(comm):
        right, left = (comm.rank + 1) % comm.size, (comm.rank - 1) % comm.size
        place = bytearray(3)
        sends = [Message(right, memoryview(bytes([comm.rank] * 3)))]
        receives = [Message(left, memoryview(place))]
        if comm.rank == 0:
            comm.exchange(sends, receives)
            return list(place)
        with comm.exchange_start(sends, receives) as request:
            del sends, receives
            if comm.rank == 1:
                while not request.test():
                    pass
            request.wait()
            assert request.test()
        return list(place)

    assert on_threads(3, work) == [[2] * 3, [0] * 3, [1] * 3]


def test_a_request_that_is_dropped_leaves_no_rank_waiting():
    def work(comm):
        request = comm.exchange_start([], [Message(1 - comm.rank, memoryview(bytearray(8)))])
        if comm.rank == 0:
            with pytest.raises(ArgumentError, match="a request on it is not complete"):
                comm.exchange_start([], [])
            del request
            gc.collect()
        else:
            request.wait()

    first, second = on_threads(2, work)
    assert first is None
    assert isinstance(second, CommunicationError) and "a request was freed" in str(second)


def test_a_transport_of_pythons_exchanges_where_a_request_is_waited_for():
    def work(comm):
        over = Keeping(comm, len)
        place = bytearray(2)
        request = over.exchange_start([Message(1 - comm.rank, memoryview(b"ab"))],
                                      [Message(1 - comm.rank, memoryview(place))])
        assert not request.test() and not over.kept
        del over
        gc.collect()
        request.wait()
        return bytes(place)

    assert on_threads(2, work) == [b"ab"] * 2


class Starting(Keeping):
    """Starts exchanges as well."""

    def start(self, sends, receives):
        self.kept.extend(self.keep(message.memory) for message in [*sends, *receives])
        if self.fails is not None:
            raise self.fails
        return self.inner.exchange_start(sends, receives)


def test_a_transport_of_pythons_may_start_exchanges():
    def work(comm):
        over = Starting(comm, lambda memory: memory)
        for wait in (False, True):
            place = bytearray(2)
            request = over.exchange_start([Message(1 - comm.rank, memoryview(b"ab"))],
                                          [Message(1 - comm.rank, memoryview(place))])
            if not wait:
                while not request.test():
                    pass
            request.wait()
            assert place == b"ab"
            request.close()
        return over.kept

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        kept = [memory for memories in on_threads(2, work) for memory in memories]
    assert len(kept) == 8
    for memory in kept:
        with pytest.raises(ValueError, match="released"):
            memory[0]


def test_what_a_start_raises_is_the_result_of_the_request():
    comm = Starting(Communicator.local(2)[0], len)
    comm.fails = ConnectionError("the cable is cut")
    request = comm.exchange_start([], [Message(1, memoryview(bytearray(2)))])
    for _ in range(2):
        with pytest.raises(ConnectionError) as caught:
            request.wait()
        assert caught.value is comm.fails
    with pytest.raises(NotImplementedError, match="Communicator has no start"):
        Communicator(0, 3).start([], [])


def test_a_transfer_goes_on_over_a_transport_of_pythons():
    def work(comm):
        over = Starting(comm, len)
        mine = [part.copy() for part in slices(ROWS, comm.rank)]
        columns = [numpy.zeros_like(part) for part in slices(COLUMNS, comm.rank)]
        moves = [Move("full", mine, columns, ROWS, COLUMNS)]
        transfer = Transfer(over, moves)
        request = transfer.start()
        if comm.rank == 0:
            while not request.test():
                pass
        request.wait()
        return are_shards_of(columns, COLUMNS, comm.rank) and len(over.kept) > 2

    assert on_threads(3, work) == [True] * 3


def test_a_group_uses_layouts_that_name_its_global_ranks():
    rows = ChunkShardingSpec(0, ["rank:7", "rank:4"]).build_metadata(FULL.shape)

    def work(comm):
        assert comm.placement_ranks == [0, 1, 2]
        if comm.rank == 1:
            for wrong in ({"members": [0, 2]}, {"members": [1], "placement_ranks": []},
                          {"placement_ranks": [1, 2, -3]}):
                with pytest.raises(ArgumentError):
                    comm.group(**wrong)
            return True
        group = comm.group([2, 0], [4, 7])
        own = 7 if comm.rank == 0 else 4
        assert (group.size, group.placement_rank, group.placement_ranks) == (2, own, [4, 7])
        shards = group.shard(rows, FULL if own == 7 else None,
                             [numpy.zeros((4 if own == 7 else 3, 10))], src_rank=7)
        assert are_shards_of(shards, rows, own)
        assert numpy.array_equal(group.gather(rows, shards, dst_rank=ALL_RANKS), FULL)
        inner = group.group()
        group.close()
        return (inner.gather(rows, shards, dst_rank=7) is None) == (own == 4)

    assert on_threads(3, work) == [True] * 3
    over = Keeping(Communicator.local(1)[0], len).group(placement_ranks=[12])
    gc.collect()
    whole = ChunkShardingSpec(0, ["rank:12"]).build_metadata(FULL.shape)
    assert numpy.array_equal(over.gather(whole, [FULL], dst_rank=12), FULL)


def test_ranks_are_on_nodes():
    comms = Communicator.local(3, [4, 4, 0])
    assert [comms[1].node(rank) for rank in range(3)] == [4, 4, 0]
    assert Communicator.local(1)[0].node(0) < 0
    for nodes in ([0], [0, 1, -2]):
        with pytest.raises(ArgumentError, match="nodes"):
            Communicator.local(3, nodes)

    class Placed(Keeping):
        def node(self, rank):
            return rank // 2

    one = comms[0]
    assert lib.answer(ctypes.c_int64, lib.comm_node, Placed(one, len), 2) == 1
    assert Keeping(one, len).node(2) < 0


@pytest.mark.parametrize("start", [False, True])
def test_a_tag_tells_tensors_of_equal_layouts_apart(start):
    fulls = {"w1": FULL, "w2": FULL + 100}

    def reshard(comm, tag, name):
        shards = list(slices(ROWS, comm.rank, fulls[name]))
        if start:
            return comm.reshard_start(ROWS, shards, COLUMNS, tag=tag).wait()
        return comm.reshard(ROWS, shards, COLUMNS, tag=tag)

    def in_one_order(comm):
        for tag, full in fulls.items():
            for got, wanted in zip(reshard(comm, tag, tag), slices(COLUMNS, comm.rank, full), strict=True):
                assert numpy.array_equal(got, wanted)

    def in_two_orders(comm):
        return [reshard(comm, tag, tag) for tag in (fulls if comm.rank else reversed(fulls))]

    def by_one_rank(comm):
        return reshard(comm, "w1" if comm.rank else None, "w1")

    assert on_threads(3, in_one_order) == [None] * 3
    for error in on_threads(3, in_two_orders):
        assert isinstance(error, CommunicationError) and {"'w1'", "'w2'"} <= {*str(error).split()}
    for error in on_threads(3, by_one_rank):
        assert isinstance(error, CommunicationError) and "reshard" in str(error) and "transfer" in str(error)


@pytest.mark.parametrize("tag", [None, "w"])
@pytest.mark.parametrize("name", ["shards", "to_shards"])
def test_a_shard_of_a_wrong_shape_has_its_name_in_python_on_all_ranks(name, tag):
    def reshard(comm):
        given = {"shards": list(slices(ROWS, comm.rank)),
                 "to_shards": [part.copy() for part in slices(COLUMNS, comm.rank)]}
        if comm.rank == 1:
            given[name][0] = numpy.zeros((9, 9))
        comm.reshard(ROWS, given["shards"], COLUMNS, given["to_shards"], tag=tag)

    for error in on_threads(3, reshard):
        assert re.search(rf"^rank 1: (tensors\[0\] 'w': )?{name}\[0\]: ", str(error))
