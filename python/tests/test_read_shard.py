"""The example that reads one rank's shard of a file: the right bytes, and no others."""

import os
import subprocess

import numpy
import pytest

from commands import ROOT

PROGRAM = ROOT / "target/c_tests/read_shard"


def run(*arguments, **environment):
    return subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, text=True,
                          env={**os.environ, **environment})


@pytest.fixture(scope="session")
def log_reads(tmp_path_factory):
    library = tmp_path_factory.mktemp("log_reads") / "log_reads.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library,
                    ROOT / "python/tests/log_reads.c", "-ldl"], check=True)
    return library


def chunk(array, rank, ranks, dim):
    length = -(-array.shape[dim] // ranks)
    return array.take(range(min(rank * length, array.shape[dim]),
                            min((rank + 1) * length, array.shape[dim])), dim)


def places_of(array, rank, ranks, dim, start, itemsize):
    """The bytes of the file that a rank's elements are."""
    numbers = numpy.arange(array.size).reshape(array.shape)
    own = chunk(numbers, rank, ranks, dim).reshape(-1, 1)
    return {*(start + own * itemsize + numpy.arange(itemsize)).flat}


@pytest.mark.parametrize("shape, ranks, dim", [
    ((150, 4), 4, 0), ((150, 4), 4, 1), ((7, 5, 6), 3, 1), ((7, 5, 6), 3, -1), ((5,), 4, 0),
    ((3, 0), 2, 0),
])
@pytest.mark.parametrize("dtype", ["float32", "int8", "complex128"])
def test_a_rank_reads_its_own_elements_and_touches_nothing_else(shape, ranks, dim, dtype, tmp_path,
                                                                log_reads):
    array = numpy.arange(numpy.prod(shape)).astype(dtype).reshape(shape)
    path, out, log = tmp_path / "x.npy", tmp_path / "shard", tmp_path / "log"
    numpy.save(path, array)
    start, itemsize = path.stat().st_size - array.nbytes, array.itemsize
    read_of_all = set()
    for rank in range(ranks):
        log.unlink(missing_ok=True)
        done = run(path, rank, ranks, dim, out, LD_PRELOAD=str(log_reads), READS_OF=str(path),
                   READS_LOG=str(log))
        assert done.returncode == 0, done.stderr
        own = chunk(array, rank, ranks, dim)
        assert out.read_bytes() == own.tobytes()
        calls = [line.split() for line in log.read_text().splitlines()]
        assert {call for call, _, _ in calls} == {"pread"}
        read = [range(int(at), int(at) + int(size)) for _, at, size in calls]
        header = [places for places in read if places.stop <= start]
        elements = [byte for places in read[len(header):] for byte in places]
        assert len(header) == 2
        # Each of its bytes once, and none of anybody else's.
        assert len(elements) == len(set(elements)) == own.nbytes
        assert set(elements) == places_of(array, rank, ranks, dim, start, itemsize)
        assert not read_of_all & set(elements)
        read_of_all.update(elements)
        assert f"{own.nbytes} of {array.nbytes} bytes" in done.stdout
    assert read_of_all == {*range(start, start + array.nbytes)}


def test_a_file_larger_than_memory_is_no_hindrance(tmp_path):
    path, out = tmp_path / "x.npy", tmp_path / "shard"
    whole = numpy.lib.format.open_memmap(path, "w+", "uint8", (1024, 1 << 26))
    whole[77, 325] = whole[512, 325] = 9
    whole.flush()
    del whole
    done = run(path, 5, 1 << 20, 1, out)
    assert done.returncode == 0, done.stderr
    shard = numpy.fromfile(out, "uint8").reshape(1024, 64)
    assert numpy.argwhere(shard).tolist() == [[77, 5], [512, 5]]


@pytest.mark.parametrize("arguments, problem", [
    (["missing.npy", 0, 4, 0, "out"], "missing.npy"),
    (["README.md", 0, 4, 0, "out"], "no .npy file"),
    (["examples/data/iris.npy", 4, 4, 0, "out"], "RANK is '4'"),
    (["examples/data/iris.npy", 0, 0, 0, "out"], "RANKS is '0'"),
    (["examples/data/iris.npy", 0, 4, 2, "out"], "DIM is '2'"),
    (["examples/data/iris.npy", 0, 4, 0, "/"], "can't be written"),
    (["examples/data/iris.npy"], "usage"),
])
def test_it_says_what_is_wrong_with_its_arguments(arguments, problem):
    done = subprocess.run([PROGRAM, *map(str, arguments)], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2 and problem in done.stderr


def test_a_column_major_file_is_refused(tmp_path):
    numpy.save(tmp_path / "x.npy", numpy.asfortranarray(numpy.ones((3, 4))))
    done = run(tmp_path / "x.npy", 0, 2, 0, tmp_path / "out")
    assert done.returncode == 2 and "column-major" in done.stderr
