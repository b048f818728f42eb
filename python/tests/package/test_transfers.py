"""Batches of tensors between ranks that are threads, once and by a prepared transfer."""

import gc

import numpy
import pytest

from common import on_threads, ranks
from shardspec import (
    ArgumentError,
    ChunkShardingSpec,
    CommunicationError,
    HandleError,
    Move,
    Plan,
    ShardMetadata,
    Transfer,
    ViewError,
    start_transfer,
    transfer,
)

SIZES = (6, 8)
ROWS = ChunkShardingSpec(0, ranks(3)).build_metadata(SIZES)
COLUMNS = ChunkShardingSpec(1, ranks(3)).build_metadata(SIZES)
FULL = numpy.arange(48, dtype="float32").reshape(SIZES)


def part(full, dim, rank):
    """Rows or columns of a rank: 2 of 6, 3 of 8."""
    width = -(-full.shape[dim] // 3)
    return full[(slice(None),) * dim + (slice(width * rank, width * (rank + 1)),)].copy()


def batch(rank, factor=1):
    """Two tensors, one by metadata and one by a plan, and where they go."""
    places = [numpy.zeros_like(part(FULL, 1, rank)) for _ in range(2)]
    return [
        Move("q", [part(factor * FULL, 0, rank)], [places[0]], ROWS, COLUMNS),
        Move("k", [part(2 * factor * FULL, 0, rank)], [places[1]], plan=Plan(ROWS, COLUMNS),
             dtype="float32"),
    ], places


def arrived(places, rank, factor=1):
    return all(numpy.array_equal(place, part(scale * factor * FULL, 1, rank))
               for scale, place in zip((1, 2), places))


def test_a_batch_moves_once():
    def work(comm):
        moves, places = batch(comm.rank)
        transfer(comm, moves, memory_limit=100, max_threads=1)
        assert arrived(places, comm.rank)
        transfer(comm, [])
        return True

    assert on_threads(3, work) == [True] * 3


def test_a_prepared_transfer_runs_on_the_same_and_on_other_arrays():
    def work(comm):
        moves, places = batch(comm.rank)
        prepared = Transfer(comm, moves)
        others, other_places = batch(comm.rank, 5)
        for _ in range(2):
            prepared.run()
            assert arrived(places, comm.rank)
            prepared.run(others)
            assert arrived(other_places, comm.rank, 5)
            for place in [*places, *other_places]:
                place[...] = 0
            prepared.run()
            assert arrived(other_places, comm.rank, 5) and not places[0].any()
            prepared.run(moves)
        fingerprint = prepared.fingerprint
        prepared.close()
        with pytest.raises(HandleError):
            prepared.fingerprint
        return fingerprint

    first, *others = on_threads(3, work)
    assert isinstance(first, int) and others == [first] * 2


def finish(request, way):
    """Completes a request by testing it, or by waiting."""
    if way == 0:
        while not request.test():
            pass
    request.wait()
    assert request.test()
    request.close()


def test_transfers_go_on_while_ranks_compute():
    def work(comm):
        moves, places = batch(comm.rank)
        finish(start_transfer(comm, moves, memory_limit=100), comm.rank % 2)
        assert arrived(places, comm.rank)
        prepared = Transfer(comm, moves)
        for factor in (1, 7, 3):
            others, other_places = batch(comm.rank, factor)
            finish(prepared.start(others), (comm.rank + factor) % 2)
            assert arrived(other_places, comm.rank, factor)
            for place in other_places:
                place[...] = 0
            # The transfer keeps them.
            del others
            gc.collect()
            if comm.rank == 1:
                prepared.run()
            else:
                finish(prepared.start(), 1)
            assert arrived(other_places, comm.rank, factor)
        return True

    assert on_threads(3, work) == [True] * 3


def test_a_transfer_is_prepared_by_a_request():
    def work(comm):
        moves, places = batch(comm.rank)
        if comm.rank == 1:
            prepared = Transfer(comm, moves)
        else:
            request = Transfer.prepare_start(comm, moves)
            prepared = request.wait()
            assert request.wait() is prepared
        del moves
        gc.collect()
        prepared.run()
        assert arrived(places, comm.rank)
        wrong, _ = batch(comm.rank)
        if comm.rank == 2:
            wrong[1].shards[0] = numpy.zeros((2, 9), "float32")
        with pytest.raises((CommunicationError, ViewError), match="'k'"):
            Transfer.prepare_start(comm, wrong).wait()
        return True

    assert on_threads(3, work) == [True] * 3


def test_what_is_wrong_with_a_start_is_raised_by_its_request_on_all_ranks():
    def work(comm):
        moves, places = batch(comm.rank)
        prepared = Transfer(comm, moves)
        for start in (lambda wrong: start_transfer(comm, wrong), prepared.start):
            for spoil in ("read-only", "shape"):
                wrong, wrong_places = batch(comm.rank)
                if comm.rank == 2 and spoil == "read-only":
                    wrong_places[1].flags.writeable = False
                if comm.rank == 2 and spoil == "shape":
                    wrong[1].shards[0] = numpy.zeros((2, 9), "float32")
                request = start(wrong)
                kinds = (BufferError, ArgumentError, CommunicationError, ViewError)
                for _ in range(2):
                    with pytest.raises(kinds, match="'k'"):
                        request.wait()
                with pytest.raises(kinds, match="'k'"):
                    request.test()
                assert not wrong_places[0].any()
                request.close()
        finish(prepared.start(), comm.rank % 2)
        return arrived(places, comm.rank)

    assert on_threads(3, work) == [True] * 3


def test_ranks_with_other_tensors_are_told_their_names():
    def work(comm):
        moves, places = batch(comm.rank)
        if comm.rank == 1:
            moves.reverse()
        try:
            transfer(comm, moves)
        finally:
            assert not places[0].any() and not places[1].any()

    for told in on_threads(3, work):
        assert isinstance(told, CommunicationError)
        assert "tensors[0] 'q'" in str(told) and "tensors[0] 'k'" in str(told)


def test_a_wrong_tensor_is_named_on_all_ranks():
    def work(comm):
        moves, places = batch(comm.rank)
        if comm.rank == 2:
            moves[1].shards[0] = numpy.zeros((2, 9), "float32")
        try:
            transfer(comm, moves)
        finally:
            assert not places[0].any()

    told = on_threads(3, work)
    assert isinstance(told[2], ArgumentError | Exception) and told[2].index == 1
    for each in told:
        assert "tensors[1] 'k': shards[0]" in str(each)


def test_what_python_refuses_leaves_no_rank_waiting():
    def work(comm):
        moves, places = batch(comm.rank)
        if comm.rank == 0:
            places[0].flags.writeable = False
        transfer(comm, moves)

    told = on_threads(3, work)
    assert isinstance(told[0], BufferError) and "'q'.to_shards[0]" in str(told[0])
    for each in told[1:]:
        assert isinstance(each, CommunicationError) and "is read-only" in str(each)


def test_moves_are_moves():
    for moves, said in [([1], "moves[0]: a Move"), ([Move("q", [], [])], "'q'.metadata")]:
        (told,) = on_threads(1, lambda comm, moves=moves: transfer(comm, moves))
        assert isinstance(told, TypeError) and said in str(told)


def test_a_halo_of_one_arrives():
    own = [ShardMetadata([2 * rank], [2], f"rank:{rank}") for rank in range(3)]
    halo = [ShardMetadata([max(2 * rank - 1, 0)], [3 + (rank == 1)], f"rank:{rank}")
            for rank in range(3)]
    numbers = numpy.arange(6, dtype="int64")

    def work(comm):
        start, length = halo[comm.rank].shard_offsets[0], halo[comm.rank].shard_sizes[0]
        place = numpy.zeros(length, "int64")
        mine = numbers[2 * comm.rank:2 * comm.rank + 2].copy()
        transfer(comm, [Move("field", [mine], [place], plan=Plan(own, halo))])
        assert numpy.array_equal(place, numbers[start:start + length])
        return True

    assert on_threads(3, work) == [True] * 3
