"""Checkpoints that ranks read together."""

import threading

import numpy as np
import pytest

import shardspec
from shardspec import Checkpoint, Communicator, Cut, Mesh, MeshShardingSpec


def write(path, name, array):
    header = f'{{"{name}":{{"dtype":"I32","shape":{list(array.shape)},"data_offsets":[0,{array.nbytes}]}}}}'
    path.write_bytes(len(header).to_bytes(8, "little") + header.encode() + array.tobytes())


def on_all(ranks, run):
    """What each rank returns, or the exception that it raises."""
    answers = [None] * len(ranks)

    def one(rank):
        try:
            answers[rank] = run(rank, ranks[rank])
        except Exception as error:
            answers[rank] = error

    threads = [threading.Thread(target=one, args=(rank,)) for rank in range(len(ranks))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "model.safetensors"
    write(path, "w", np.arange(24, dtype=np.int32).reshape(6, 4))
    return path


ROWS = MeshShardingSpec(Mesh({"dp": 2, "tp": 2}), [Cut(0, "tp")]).build_metadata((6, 4))


def part_of(rank):
    return np.arange(24, dtype=np.int32).reshape(6, 4)[rank % 2 * 3:][:3]


def test_each_byte_is_read_once(file):
    def load(rank, comm):
        part, told, whole = np.zeros((3, 4), np.int32), [], []
        with Checkpoint(file) as checkpoint:
            report = checkpoint.read_collective(
                comm, {"w": (ROWS, {rank: part})}, whole=whole, max_gap=1, over_read=1.0,
                progress=lambda done, total: told.append((done, total)))
        assert (part == part_of(rank)).all() and whole == [True] and told[-1] == (48, 48)
        return report

    reports = on_all(Communicator.local(4), load)
    assert sum(report.bytes_read for report in reports) == 96
    assert [report.bytes_needed for report in reports] == [48] * 4


def test_a_tensor_without_metadata_is_whole_on_every_rank(file):
    def load(rank, comm):
        whole = np.zeros((6, 4), np.int32)
        with Checkpoint(file) as checkpoint:
            checkpoint.read_collective(comm, {"w": whole})
        return whole

    for whole in on_all(Communicator.local(3), load):
        assert (whole == np.arange(24).reshape(6, 4)).all()


def test_an_exception_in_progress_is_raised_and_reported_to_all(file):
    def load(rank, comm):
        def progress(done, total):
            if rank == 1:
                raise KeyError("enough")

        with Checkpoint(file) as checkpoint:
            checkpoint.read_collective(comm, {"w": (ROWS, {rank: np.zeros((3, 4), np.int32)})},
                                       progress=progress)

    answers = on_all(Communicator.local(4), load)
    assert isinstance(answers[1], KeyError)
    for answer in answers[:1] + answers[2:]:
        assert isinstance(answer, shardspec.ShardspecError) and "rank 1" in str(answer)


def test_a_destination_that_is_none_is_reported_to_all(file):
    def load(rank, comm):
        part = "nothing" if rank == 2 else np.zeros((3, 4), np.int32)
        with Checkpoint(file) as checkpoint:
            checkpoint.read_collective(comm, {"w": (ROWS, {rank: part})})

    answers = on_all(Communicator.local(4), load)
    assert isinstance(answers[2], TypeError)
    assert all("rank 2" in str(answer) for answer in answers[:2] + answers[3:])
