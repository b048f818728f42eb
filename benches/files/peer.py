"""Plain `pread` and `pwrite` of given runs of files, in C: the peers of the measurements here."""

import ctypes
import os
import pathlib
import platform
import subprocess

import numpy

ROOT = pathlib.Path(__file__).resolve().parents[2]
RUN = numpy.dtype([("file", "i8"), ("offset", "i8"), ("length", "i8"), ("place", "u8")])
BLOCK = 8 << 20


def load():
    """The peer, which is built with the system's C compiler."""
    target = ROOT / "target/bench/libpeer.so"
    target.parent.mkdir(parents=True, exist_ok=True)
    source = pathlib.Path(__file__).with_name("peer.c")
    compiler = os.environ.get("CC", "cc")
    subprocess.run([compiler, "-O2", "-shared", "-fPIC", "-pthread", source, "-o", target], check=True)
    library = ctypes.CDLL(os.fspath(target))
    library.peer_read.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    library.peer_write.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
    return library


def rows(file, first, step, length, count, place, place_step):
    """`count` runs of `length` bytes, `step` bytes apart in a file. Long ones are cut into blocks."""
    runs = numpy.empty(count, RUN)
    turn = numpy.arange(count, dtype="i8")
    runs["file"], runs["length"] = file, length
    runs["offset"] = first + turn * step
    runs["place"] = place + (turn * place_step).astype("u8")
    if length <= BLOCK:
        return runs
    parts = []
    for run in runs:
        at = numpy.arange(0, length, BLOCK, dtype="i8")
        part = numpy.empty(len(at), RUN)
        part["file"], part["length"] = run["file"], numpy.minimum(BLOCK, length - at)
        part["offset"], part["place"] = run["offset"] + at, run["place"] + at.astype("u8")
        parts.append(part)
    return numpy.concatenate(parts)


def processor():
    """Its name, and how many there are."""
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
        name = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        name = platform.processor() or platform.machine()
    return f"{os.cpu_count()} processors, {name}"
