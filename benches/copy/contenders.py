"""Who copies: this library, the limit, numpy and torch, each on the same buffers."""

import ctypes
import itertools
import time

import numpy

import binding

HUGE_PAGE = 2 << 20
PAUSE = 0.01


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
        shapes = case.shapes()
        lengths = [int(numpy.prod(shape)) * case.element_bytes for shape in shapes]
        starts = [0, *itertools.accumulate(-(-length // 64) * 64 for length in lengths)]
        self.full_bytes = memory(case.bytes)
        self.shard_bytes = memory(starts[-1])
        self.full = self.full_bytes.view(case.dtype).reshape(case.sizes, order=case.order)
        self.shards = [self.shard_bytes[start:start + length].view(case.dtype).reshape(shape)
                       for start, length, shape in zip(starts, lengths, shapes)]
        # Parts of the tensor and of shards that have the same elements.
        self.parts = [pair for shard in case.pairs(self.full, self.shards) for pair in shard]
        words = self.full_bytes.view(numpy.uint32)
        words[:] = numpy.arange(words.size, dtype=numpy.uint32) * numpy.uint32(2654435761)

    def copied(self):
        """Whether all shards hold what the full tensor does."""
        bits = f"uint{8 * self.case.element_bytes}"
        return all(numpy.array_equal(own.view(bits), part.view(bits)) for part, own in self.parts)

    def erase(self, direction):
        """Forgets what a copy should bring."""
        if direction == "gather":
            self.full_bytes.fill(0)
        else:
            self.shard_bytes.fill(0)


def boxes_spec(library, case):
    """Lists the shards."""
    offsets, sizes = zip(*case.boxes())
    ranks = binding.texts(*(f"rank:{rank}" for rank in range(len(sizes))))
    return library.enumerable(binding.numbers(offsets), binding.numbers(sizes), None, len(case.sizes),
                              len(sizes), ranks, len(sizes))


def mesh_spec(library, axis_sizes, cuts):
    """Cuts dimensions over the first axes of a mesh, an axis for each cut. The others have replicas."""
    Segment, Cut, Layout = (binding.STRUCTS[name] for name in ("segment", "cut", "mesh_layout"))
    names = [str(axis).encode() for axis in range(len(axis_sizes))]
    layout_cuts = (Cut * len(cuts))()
    for raw, name, cut in zip(layout_cuts, names, cuts):
        raw.struct_size, raw.dim, raw.axis = ctypes.sizeof(Cut), cut["dim"], name
        if "block" in cut:
            raw.rule, raw.block = library.RULE_CYCLIC, cut["block"]
        elif "segments" in cut:
            segments = (Segment * len(cut["segments"]))()
            for segment, size in zip(segments, cut["segments"]):
                segment.struct_size, segment.size = ctypes.sizeof(Segment), size
            raw.segments, raw.segment_count = segments, len(segments)
    layout = Layout(struct_size=ctypes.sizeof(Layout), cuts=layout_cuts, cut_count=len(cuts))
    mesh = library.made(library.mesh_new, (ctypes.c_char_p * len(names))(*names),
                        binding.numbers(axis_sizes), len(names), None, 0)
    spec = library.made(library.spec_new_mesh, mesh, ctypes.byref(layout))
    library.mesh_free(mesh)
    return spec


class Ours:
    """This library, through its C interface. Views are made once, as a program would."""

    def __init__(self, library, buffers):
        self.library, case = library, buffers.case
        ndim, self.count = len(case.sizes), len(buffers.shards)
        spec = mesh_spec(library, *case.mesh()) if case.mesh() else boxes_spec(library, case)
        self.metadata = library.made(library.spec_build_metadata, spec,
                                     binding.numbers(case.sizes), ndim, None)
        library.spec_free(spec)
        self.full = library.view(buffers.full)
        self.shards = library.views(buffers.shards)

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
        if direction == "digest":
            place = ctypes.byref(ctypes.c_uint64())
            return lambda: self.library.metadata_digest(
                self.metadata, None, self.shards, self.count, options, place)
        shards = [ctypes.byref(shard) for shard in self.shards]

        def extract():
            for index, shard in enumerate(shards):
                self.library.metadata_extract_shard(self.metadata, index, full, shard, options)
        return extract


TRIED, KEPT = 3, 3
"""Each way of copying is tried so many times, and the best ways go on."""


def limits(limit, buffers, direction, threads):
    """The best ways to copy the bytes once; the best of them is the limit. A digest only reads."""
    if direction == "digest":
        return {"limit read": lambda: limit.limit_read(
            buffers.shard_bytes.ctypes.data, buffers.case.bytes, threads)}
    to, source = buffers.shard_bytes, buffers.full_bytes
    if direction == "gather":
        to, source = source, to

    def copy(way):
        # Of replicas, each is a copy of its own.
        for start in range(0, buffers.case.moved_bytes, buffers.case.bytes):
            limit.limit_copy(to[start:].ctypes.data, source.ctypes.data, buffers.case.bytes, threads, way)

    ways = {f"limit {name}": lambda at=at: copy(at) for at, name in enumerate(names(limit)) if name}
    times = {name: min(seconds(way) for _ in range(TRIED)) for name, way in ways.items()}
    return {name: ways[name] for name in sorted(times, key=times.get)[:KEPT]}


def by_hand(limit, buffers, direction, threads):
    """What C programs reach that can do only this case (best.c, best_runs.c): the best ways of each."""
    times = {}
    for at, way in ways_by_hand(limit, buffers, direction, threads):
        if direction != "allocate":
            buffers.erase(direction)
        times[way] = min(seconds(way) for _ in range(TRIED))
        assert direction == "allocate" or buffers.copied(), f"{buffers.case.name}, {direction}: way {at} is wrong"
    return {f"c {number}": way for number, way in enumerate(sorted(times, key=times.get)[:KEPT])}


def ways_by_hand(limit, buffers, direction, threads):
    """Numbered; none for most cases."""
    case = buffers.case
    to, source = buffers.shard_bytes.ctypes.data, buffers.full_bytes.ctypes.data
    if direction == "gather":
        to, source = source, to
    if direction == "allocate":
        row = case.sizes[1] * case.element_bytes
        run = row // case.parts if case.dim == 1 else row
        yield 0, lambda: limit.best_allocated(buffers.full_bytes.ctypes.data, case.bytes, row, run, threads)
        return
    if case.dim is None:
        runs, starts = list_of_runs(buffers, direction)
        known = (limit.best_runs_known(at) for at in itertools.count())
        for at, is_known in enumerate(itertools.takewhile(lambda known: known >= 0, known)):
            if is_known:
                yield at, lambda at=at: limit.best_runs(
                    to, source, runs.ctypes.data, starts.ctypes.data, len(starts) - 1, threads, at)
        return
    does = (limit.best_does(at, case.name.encode(), direction.encode()) for at in itertools.count())
    for at, known in enumerate(itertools.takewhile(lambda known: known >= 0, does)):
        if known:
            yield at, lambda at=at: limit.best_copy(to, source, threads, at)


def list_of_runs(buffers, direction):
    """The runs of boxes in units of 4 bytes: to, from and size; and where the runs of each call start."""
    lists = []
    for part, shard in buffers.parts:
        strides = [stride // 4 for stride in part.strides]
        first = (part.ctypes.data - buffers.full_bytes.ctypes.data) // 4
        own = (shard.ctypes.data - buffers.shard_bytes.ctypes.data) // 4
        planes, rows, run = part.shape
        full = first + (numpy.arange(planes)[:, None] * strides[0] + numpy.arange(rows) * strides[1]).ravel()
        places = [own + numpy.arange(planes * rows) * run, full]
        lists.append(numpy.stack([*(places if direction != "gather" else places[::-1]),
                                  numpy.full(planes * rows, run)], axis=1).astype(numpy.uint32))
    starts = numpy.array([0, *itertools.accumulate(len(runs) for runs in lists)], numpy.uintp)
    runs = numpy.concatenate(lists)
    if direction != "extract":
        # In one call, in the order of the tensor.
        runs = runs[numpy.argsort(runs[:, 1 if direction == "scatter" else 0], kind="stable")]
        starts = starts[[0, -1]]
    return numpy.ascontiguousarray(runs), starts


def names(limit):
    """The names of all ways of copying; "" for those that this processor can't do."""
    named = (limit.limit_way(at) for at in itertools.count())
    return [name.decode() for name in itertools.takewhile(lambda name: name is not None, named)]


def seconds(way):
    """Seconds that a way takes."""
    # torch's threads go on spinning for a while after their work: let them stop.
    time.sleep(PAUSE)
    start = time.perf_counter()
    way()
    return time.perf_counter() - start


def is_joined(case):
    """Whether the shards, one after the other along a dimension, are the tensor."""
    return case.dim is not None and case.mesh() is None


def copies(pairs, copy):
    def run():
        for to, source in pairs:
            copy(to, source)
    return run


def with_numpy(buffers, direction):
    """What a user of numpy would write; the best of them counts."""
    if direction == "digest":
        return {}
    if direction == "allocate":
        return {"numpy copy": lambda: [part.copy() for part, _ in buffers.parts]}
    if direction != "gather":
        return {"numpy copy": copies([(own, part) for part, own in buffers.parts], numpy.copyto)}
    ways = {"numpy copy": copies(buffers.parts, numpy.copyto)}
    if is_joined(buffers.case):
        ways["numpy concatenate"] = lambda: numpy.concatenate(
            buffers.shards, axis=buffers.case.dim, out=buffers.full)
    return ways


def with_torch(torch, buffers, direction, threads):
    """What a user of torch would write; the best of them counts."""
    if direction == "digest":
        return {}
    torch.set_num_threads(threads)
    # Some types can't be made from numpy's: the same bits as a type that can.
    same = {"uint16": "int16"}.get(buffers.case.dtype, buffers.case.dtype)
    full = torch.from_numpy(buffers.full.view(same))
    shards = [torch.from_numpy(shard.view(same)) for shard in buffers.shards]
    pairs = [tuple(torch.from_numpy(one.view(same)) for one in pair) for pair in buffers.parts]
    copy = lambda to, source: to.copy_(source)
    if direction == "allocate":
        return {"torch clone": lambda: [part.clone() for part, _ in pairs]}
    if direction != "gather":
        ways = {"torch copy": copies([(own, part) for part, own in pairs], copy)}
        if direction == "scatter" and is_joined(buffers.case):
            sizes = [shard.shape[buffers.case.dim] for shard in shards]
            ways["torch split"] = lambda: torch.split_with_sizes_copy(
                full, sizes, buffers.case.dim, out=shards)
        return ways
    ways = {"torch copy": copies(pairs, copy)}
    if is_joined(buffers.case):
        ways["torch cat"] = lambda: torch.cat(shards, buffers.case.dim, out=full)
    return ways
