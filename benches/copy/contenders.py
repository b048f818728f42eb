"""Who copies: this library, the limit, numpy and torch, each on the same buffers."""

import ctypes
import itertools

import numpy

import binding

HUGE_PAGE = 2 << 20


def memory(length):
    """Bytes that start with a huge page, touched."""
    whole = numpy.empty(length + HUGE_PAGE, numpy.uint8)
    start = -whole.ctypes.data % HUGE_PAGE
    part = whole[start:start + length]
    part.fill(1)
    return part


class Buffers:
    """The full tensor and the shards of a case: two stretches of memory, the shards one behind the
    other, each at a multiple of 64 bytes."""

    def __init__(self, case):
        self.case = case
        boxes = case.boxes()
        lengths = [int(numpy.prod(size)) * case.element_bytes for _, size in boxes]
        starts = [0, *itertools.accumulate(-(-length // 64) * 64 for length in lengths)]
        self.full_bytes = memory(case.bytes)
        self.shard_bytes = memory(starts[-1])
        self.full = self.full_bytes.view(case.dtype).reshape(case.sizes, order=case.order)
        self.shards = [self.shard_bytes[start:start + length].view(case.dtype).reshape(size)
                       for start, length, (_, size) in zip(starts, lengths, boxes)]
        self.places = [tuple(slice(at, at + n) for at, n in zip(*box)) for box in boxes]
        words = self.full_bytes.view(numpy.uint32)
        words[:] = numpy.arange(words.size, dtype=numpy.uint32) * numpy.uint32(2654435761)

    def copied(self):
        """Whether all shards hold what the full tensor does."""
        bits = f"uint{8 * self.case.element_bytes}"
        return all(numpy.array_equal(shard.view(bits), self.full.view(bits)[place])
                   for shard, place in zip(self.shards, self.places))

    def erase(self, direction):
        """Forgets what a copy should bring."""
        if direction == "gather":
            self.full_bytes.fill(0)
        else:
            self.shard_bytes.fill(0)


class Ours:
    """This library, through its C interface. Views are made once, as a program would."""

    def __init__(self, library, buffers):
        self.library, case = library, buffers.case
        offsets, sizes = zip(*case.boxes())
        ndim = len(case.sizes)
        ranks = binding.texts(*(f"rank:{rank}" for rank in range(len(sizes))))
        spec = library.enumerable(binding.numbers(offsets), binding.numbers(sizes), None, ndim,
                                  len(sizes), ranks, len(sizes))
        self.metadata = library.made(library.spec_build_metadata, spec,
                                     binding.numbers(case.sizes), ndim, None)
        library.spec_free(spec)
        self.full = library.view(buffers.full)
        self.shards = library.views(buffers.shards)
        self.count = len(sizes)

    def __del__(self):
        self.library.metadata_free(self.metadata)

    def call(self, direction, threads):
        Options = binding.STRUCTS["copy_options"]
        options = ctypes.byref(Options(ctypes.sizeof(Options), threads, 0))
        full = ctypes.byref(self.full)
        if direction == "scatter":
            return lambda: self.library.metadata_scatter(
                self.metadata, full, self.shards, self.count, options)
        if direction == "gather":
            return lambda: self.library.metadata_gather(
                self.metadata, self.shards, self.count, full, options)
        if direction == "allocate":
            indices = (ctypes.c_size_t * self.count)(*range(self.count))
            return lambda: self.library.sharded_tensor_free(self.library.made(
                self.library.sharded_tensor_new_from_full_for_indices, self.metadata, indices,
                self.count, full, options))
        shards = [ctypes.byref(shard) for shard in self.shards]

        def extract():
            for index, shard in enumerate(shards):
                self.library.metadata_extract_shard(self.metadata, index, full, shard, options)
        return extract


def limits(limit, buffers, direction, threads):
    """The ways to stream the bytes once; the best of them is the limit."""
    to, source = buffers.shard_bytes, buffers.full_bytes
    if direction == "gather":
        to, source = source, to
    return {f"limit {around}": lambda around=around: limit.limit_copy(
        to.ctypes.data, source.ctypes.data, buffers.case.bytes, threads, around)
        for around in (0, 1)}


def copies(pairs, copy):
    def run():
        for to, source in pairs:
            copy(to, source)
    return run


def with_numpy(buffers, direction):
    """What a user of numpy would write; the best of them counts."""
    parts = [buffers.full[place] for place in buffers.places]
    if direction == "allocate":
        return {"numpy copy": lambda: [part.copy() for part in parts]}
    if direction != "gather":
        return {"numpy copy": copies(list(zip(buffers.shards, parts)), numpy.copyto)}
    ways = {"numpy copy": copies(list(zip(parts, buffers.shards)), numpy.copyto)}
    if buffers.case.dim is not None:
        ways["numpy concatenate"] = lambda: numpy.concatenate(
            buffers.shards, axis=buffers.case.dim, out=buffers.full)
    return ways


def with_torch(torch, buffers, direction, threads):
    """What a user of torch would write; the best of them counts."""
    torch.set_num_threads(threads)
    # Some types can't be made from numpy's: the same bits as a type that can.
    same = {"uint16": "int16"}.get(buffers.case.dtype, buffers.case.dtype)
    full = torch.from_numpy(buffers.full.view(same))
    shards = [torch.from_numpy(shard.view(same)) for shard in buffers.shards]
    parts = [full[place] for place in buffers.places]
    copy = lambda to, source: to.copy_(source)
    if direction == "allocate":
        return {"torch clone": lambda: [part.clone() for part in parts]}
    if direction != "gather":
        ways = {"torch copy": copies(list(zip(shards, parts)), copy)}
        if direction == "scatter" and buffers.case.dim is not None:
            sizes = [shard.shape[buffers.case.dim] for shard in shards]
            ways["torch split"] = lambda: torch.split_with_sizes_copy(
                full, sizes, buffers.case.dim, out=shards)
        return ways
    ways = {"torch copy": copies(list(zip(parts, shards)), copy)}
    if buffers.case.dim is not None:
        ways["torch cat"] = lambda: torch.cat(shards, buffers.case.dim, out=full)
    return ways
