"""Calls public functions with random objects: python fuzz_calls.py COUNT [SEED]

No call may crash or hang, memory may not grow, and every exception is one of the package's or of Python's own
that names an argument. Lies about memory that nobody can see, such as a wrong address, are left out.
"""

import array
import gc
import os
import random
import resource
import sys
import tempfile

import numpy

import shardspec
from common import tensor_in
from test_every_argument import CALLS, EXPECTED, OF_C, ROWS, SHARDS, names_it, shown

WORDS = ["", "rank:0", "rank:1/cuda:0", "cpu", "x", "float32", "S(0)", "\0", "é", "\udc80", "dtensor", "chunk", "*"]
DTYPES = ["float64", "float32", "int8", "uint64", ">i4", "M8[s]", "S5", "V3", "complex64", "bool", "O", "float16"]
NUMBERS = [0, 1, 2, 3, -1, 7, 1 << 31, 1 << 63, (1 << 63) - 1, -(1 << 63), 1 << 64, 1 << 70, 1 << 20_000]
SKIPPED = {"Communicator.abort"}
"""It ends the communicator of all other calls."""


class Liar:
    """Says one thing and does another."""

    def __init__(self, rng):
        self.rng = rng

    def __len__(self):
        return self.rng.choice([0, 1, 1 << 40])

    def __iter__(self):
        yield from [self.rng.choice([0, 1, 2])] * self.rng.randrange(4)
        if self.rng.random() < 0.3:
            raise ValueError("liar: it ends here")

    def __index__(self):
        if self.rng.random() < 0.5:
            raise TypeError("liar: no number")
        return self.rng.choice([0, 1, 1 << 70])

    def __eq__(self, other):
        return self.rng.random() < 0.5

    __hash__ = None


class Exporter:
    """A DLPack exporter that is wrong in a way that can be seen."""

    def __init__(self, rng):
        self.rng = rng

    def __dlpack__(self, **arguments):
        kind = self.rng.randrange(5)
        if kind == 0:
            raise self.rng.choice([BufferError, RuntimeError, ValueError])("liar: no capsule")
        if kind == 1:
            return self.rng.choice([None, 3, "capsule"])
        capsule = shardspec.as_tensor(numpy.zeros((4, 3))).__dlpack__(max_version=(1, 0))
        tensor = tensor_in(capsule)
        if kind == 2:
            tensor.ndim = self.rng.choice([-1, 33, 1 << 30])
        elif kind == 3:
            tensor.device.device_type = self.rng.choice([0, 2, 10, -1])
        else:
            tensor.dtype.bits, tensor.dtype.lanes = self.rng.choice([(0, 1), (64, 0), (0, 0)])
        return capsule


def random_array(rng):
    shape = [rng.choice([0, 1, 2, 3, 4]) for _ in range(rng.randrange(4))]
    made = numpy.zeros(shape, rng.choice(DTYPES))
    if made.ndim and rng.random() < 0.3:
        made = made[::-1]
    if made.ndim > 1 and rng.random() < 0.3:
        made = made.T
    if rng.random() < 0.2:
        made.flags.writeable = False
    return made


def thing(rng, depth=0):
    """Any object."""
    kinds = [
        lambda: rng.choice(NUMBERS), lambda: rng.choice(WORDS), lambda: rng.random() * 4 - 2, lambda: None,
        lambda: random_array(rng), lambda: Liar(rng), lambda: Exporter(rng), lambda: bytes(rng.randrange(9)),
        lambda: bytearray(rng.randrange(9)), lambda: memoryview(numpy.zeros((4, 3))),
        lambda: array.array(rng.choice("bBqd"), [1, 2, 3]), lambda: object(), lambda: rng.choice([True, False]),
        lambda: numpy.float32(3), lambda: numpy.int64(rng.choice([0, 1, -1])),
        lambda: shardspec.empty((2, 3), "float64"),
        lambda: ROWS, lambda: shardspec.ShardMetadata([rng.choice([0, 2]), 0], [2, rng.choice([0, 3])], "rank:0"),
        lambda: rng.choice([int, print, Ellipsis, 1j]), lambda: SHARDS,
        lambda: (one for one in [thing(rng, 3)]),
    ]
    if depth < 3:
        def some():
            return [thing(rng, depth + 1) for _ in range(rng.randrange(4))]

        kinds += [some, lambda: tuple(some()), lambda: {rng.choice([0, 1, "x", -1]): one for one in some()}] * 2
    return rng.choice(kinds)()


def fuzz(count, seed, report=None):
    """Descriptions of what went wrong in that many random calls."""
    rng, wrong = random.Random(seed), []
    names = [name for name in CALLS if name not in SKIPPED]
    before = os.getcwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)  # Texts are paths, too.
        for turn in range(count):
            called = rng.choice(names)
            function, given = CALLS[called]
            given = dict(given)
            changed = rng.sample(sorted(given), min(len(given), rng.choice([1, 1, 1, 2])))
            for name in changed:
                given[name] = thing(rng)
            found = outcome(function, given)
            if found and not callable(given.get("progress")):  # What that raises comes out.
                passed = ", ".join(f"{name}={shown(given[name])}" for name in changed)
                wrong.append(f"{called}({passed}): {found}")
            if report and turn % 10_000 == 0:
                report(turn, wrong)
        os.chdir(before)
    return wrong


def outcome(function, given):
    """What is wrong with the end of a call; None if nothing is."""
    try:
        answer = function(**given)
    except EXPECTED as error:
        text = str(error)
        if "liar:" in text or any(names_it(error, text, given, name, given[name]) for name in given):
            return f"words of C's: {text}" if OF_C.search(text) else None
        return f"{type(error).__name__} names no argument: {text}"
    except BaseException as error:
        if str(error) == "liar: no capsule":
            return None
        return f"{type(error).__name__}: {error}"
    return "an array of objects" if is_of_objects(answer) else None


def is_of_objects(answer):
    """Whether numpy makes an array of objects of a tensor. It may refuse it."""
    try:
        return isinstance(answer, shardspec.Tensor) and numpy.asarray(answer).dtype == object
    except (TypeError, ValueError):
        return False


def peak():
    """The most memory that the process has used, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main():
    count, seed = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0
    started = []

    def report(turn, wrong):
        gc.collect()
        started.append(peak())
        print(f"{turn} calls, {len(wrong)} wrong, {started[-1]:.0f} MiB at most", flush=True)

    wrong = fuzz(count, seed, report)
    print(*sorted(set(wrong))[:60], sep="\n")
    # Caches are full after the first rounds.
    grown = peak() - started[min(2, len(started) - 1)]
    print(f"{count} calls, {len(wrong)} wrong; memory has grown by {grown:.0f} MiB")
    sys.exit(bool(wrong) or grown > 64)


if __name__ == "__main__":
    main()
