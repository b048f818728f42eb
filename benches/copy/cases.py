"""What is copied: tensors, and how they are cut."""

import dataclasses
import math
import random


@dataclasses.dataclass(frozen=True)
class Case:
    """A tensor of `sizes`, cut along `dim` into `parts`, or into `parts` random boxes where `dim` is
    None. With `order` "F", the full tensor is column-major; shards are row-major always.

    With `segments`, each of these parts of dimension 0 is cut into `parts`, and a shard is its pieces
    of all of them. With `block`, blocks of that size are dealt in turn over a square of `parts`. With
    `replicas`, so many shards have each part."""

    name: str
    sizes: tuple
    dim: int | None
    parts: int
    dtype: str = "float32"
    order: str = "C"
    directions: tuple = ("scatter", "gather")
    threads: tuple = (2, 1)
    segments: tuple = ()
    block: int = 0
    replicas: int = 1

    @property
    def element_bytes(self):
        return {"float32": 4, "uint16": 2, "uint8": 1}[self.dtype]

    @property
    def bytes(self):
        return math.prod(self.sizes) * self.element_bytes

    @property
    def moved_bytes(self):
        """Bytes of all shards."""
        return self.bytes * self.replicas

    def boxes(self):
        """Offsets and sizes of each part."""
        if self.dim is None:
            return random_boxes(self.sizes, self.parts, random.Random(4))
        step = self.sizes[self.dim] // self.parts
        size = tuple(step if at == self.dim else n for at, n in enumerate(self.sizes))
        offset = lambda part: tuple(part * step if at == self.dim else 0
                                    for at in range(len(self.sizes)))
        return [(offset(part), size) for part in range(self.parts)]

    def mesh(self):
        """Sizes of the axes over which the tensor is cut, and the cuts; None where shards are boxes."""
        if self.segments:
            return (self.parts,), [{"dim": 0, "segments": self.segments}]
        if self.block:
            side = math.isqrt(self.parts)
            return (side, side), [{"dim": dim, "block": self.block} for dim in range(2)]
        if self.replicas > 1:
            return (self.parts, self.replicas), [{"dim": self.dim}]
        return None

    def shapes(self):
        """The shape of each shard's buffer."""
        if self.segments:
            return [(self.sizes[0] // self.parts, *self.sizes[1:])] * self.parts
        if self.block:
            side = math.isqrt(self.parts)
            return [tuple(n // side for n in self.sizes)] * self.parts
        return [size for _, size in self.boxes() for _ in range(self.replicas)]

    def pairs(self, full, shards):
        """For each shard, the parts of the tensor that it has, and where they are in its buffer."""
        if self.segments:
            return [list(self._of_segments(full, shards[part], part)) for part in range(self.parts)]
        if self.block:
            side, block = math.isqrt(self.parts), self.block
            blocks = full.reshape(*(m for n in self.sizes for m in (n // block // side, side, block)))
            return [[(blocks[:, part // side, :, :, part % side],
                      shard.reshape(*(m for n in shard.shape for m in (n // block, block))))]
                    for part, shard in enumerate(shards)]
        boxes = [box for box in self.boxes() for _ in range(self.replicas)]
        places = (tuple(slice(at, at + n) for at, n in zip(*box)) for box in boxes)
        return [[(full[place], shard)] for place, shard in zip(places, shards)]

    def _of_segments(self, full, shard, part):
        start = local = 0
        for size in self.segments:
            piece = size // self.parts
            first = start + part * piece
            yield full[first:first + piece], shard[local:local + piece]
            start, local = start + size, local + piece

    def run_bytes(self):
        """Bytes that are contiguous both in the tensor and in a shard; of boxes, the median."""
        if self.segments:
            return min(self.segments) // self.parts * self.sizes[1] * self.element_bytes
        if self.block:
            return self.block * self.element_bytes
        if self.order == "F":
            return self.element_bytes
        runs = []
        for _, size in self.boxes():
            run = self.element_bytes
            for got, whole in zip(reversed(size), reversed(self.sizes)):
                run *= got
                if got != whole:
                    break
            runs.append(run)
        return sorted(runs)[len(runs) // 2]


def random_boxes(sizes, count, rng):
    """Cuts the largest box again and again, at a random place along a random dimension."""
    boxes = [((0,) * len(sizes), tuple(sizes))]
    while len(boxes) < count:
        boxes.sort(key=lambda box: math.prod(box[1]))
        offset, size = boxes.pop()
        dim = rng.randrange(len(sizes))
        cut = int(size[dim] * rng.uniform(0.2, 0.8))
        if cut == 0:
            boxes.append((offset, size))
            continue
        low, high, start = list(size), list(size), list(offset)
        low[dim], high[dim], start[dim] = cut, size[dim] - cut, offset[dim] + cut
        boxes += [(offset, tuple(low)), (tuple(start), tuple(high))]
    return boxes


ALL = ("scatter", "gather", "extract")
# Into shards that whoever copies allocates, and frees again.
OWN = ("scatter", "gather", "extract", "allocate")
# Shards that are read, and nothing is written.
DIGEST = ("digest",)
LARGE = [
    Case("rows into 8", (8192, 8192), 0, 8, directions=OWN),
    Case("columns into 8", (8192, 8192), 1, 8, directions=OWN),
    Case("columns into 1024", (8192, 8192), 1, 1024),
    Case("narrow into 8", (1 << 20, 64), 1, 8),
    Case("narrow into 16", (1 << 20, 64), 1, 16),
    Case("narrow into 64", (1 << 20, 64), 1, 64),
    Case("narrow into 64, u16", (1 << 21, 64), 1, 64, "uint16"),
    Case("narrow into 64, u8", (1 << 22, 64), 1, 64, "uint8"),
    Case("3-D, dim 1 into 8", (64, 1024, 1024), 1, 8, directions=ALL),
    Case("3-D, dim 2 into 16", (512, 512, 256), 2, 16),
    Case("3-D, 100 boxes", (512, 512, 256), None, 100, directions=ALL),
    Case("fused QKV over 8", (6144, 8192), 0, 8, segments=(4096, 1024, 1024)),
    Case("64 x 64 blocks, 2 x 2", (8192, 8192), 0, 4, block=64),
    Case("rows into 8, twice", (8192, 4096), 0, 8, replicas=2, directions=("scatter",)),
    Case("narrow into 8, twice", (1 << 19, 64), 1, 8, replicas=2, directions=("scatter",)),
    Case("transposed into 8", (8192, 8192), 0, 8, order="F", directions=ALL),
    Case("whole", (8192, 8192), 0, 1, directions=DIGEST),
    Case("rows into 8", (8192, 8192), 0, 8, directions=DIGEST),
    Case("columns into 8", (8192, 8192), 1, 8, directions=DIGEST),
    Case("64 x 64 blocks, 2 x 2", (8192, 8192), 0, 4, block=64, directions=DIGEST),
    Case("columns into 1024", (8192, 8192), 1, 1024, directions=DIGEST),
    Case("narrow into 64", (1 << 20, 64), 1, 64, directions=DIGEST),
]
SMALL = [
    Case("64 KiB, rows into 4", (128, 128), 0, 4, threads=(1,)),
    Case("64 KiB, columns into 4", (128, 128), 1, 4, threads=(1,)),
]
