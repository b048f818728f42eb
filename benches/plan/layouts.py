"""Layouts to plan between: boxes as rows of offsets and of sizes, and cuts over a mesh."""

import dataclasses
import math

import numpy

from shardspec import Cut, Mesh, MeshShardingSpec


class OverMesh:
    """A tensor of which each dimension is cut over an axis of its own: by blocks that are dealt in turn,
    or where `block` is 0, by chunk."""

    def __init__(self, sizes, axes, block=0):
        self.sizes, self.axes = sizes, axes
        rule = {"rule": "cyclic", "block": block} if block else {}
        cuts = [Cut(dim, str(dim), **rule) for dim in range(len(axes))]
        self.spec = MeshShardingSpec(Mesh({str(dim): size for dim, size in enumerate(axes)}), cuts)

    def __len__(self):
        return math.prod(self.axes)


@dataclasses.dataclass
class Layout:
    sizes: list
    offsets: numpy.ndarray
    lengths: numpy.ndarray

    def __len__(self):
        return len(self.offsets)


def grid(borders):
    """Boxes between each two borders of every dimension, which go from 0 to the size."""
    starts = numpy.meshgrid(*(border[:-1] for border in borders), indexing="ij")
    lengths = numpy.meshgrid(*(numpy.diff(border) for border in borders), indexing="ij")
    rows = [numpy.ascontiguousarray(numpy.stack(arrays, -1).reshape(-1, len(borders)))
            for arrays in (starts, lengths)]
    return Layout([int(border[-1]) for border in borders], *rows)


def even(size, count):
    """Borders of `count` parts of nearly the same length."""
    return numpy.arange(count + 1) * size // count


def slabs(size, count, dim, other=4096):
    """`count` slabs of random widths across dimension `dim` of a tensor with two dimensions."""
    inner = numpy.random.default_rng(count).choice(size - 1, count - 1, replace=False) + 1
    borders = [numpy.array([0, other])] * 2
    borders[dim] = numpy.concatenate([[0], numpy.sort(inner), [size]])
    return grid(borders)


def shifted(size, cell, shift):
    """Borders every `cell`, the first one at `shift`."""
    return numpy.unique(numpy.concatenate([[0], numpy.arange(shift, size, cell), [size]]))


def halved_at_random(sizes, levels, seed):
    """A box cut in two at a random place of a random dimension, then each part, `levels` times."""
    random = numpy.random.default_rng(seed)
    offsets = numpy.zeros((1, len(sizes)), numpy.int64)
    lengths = numpy.array([sizes], numpy.int64)
    for _ in range(levels):
        # Long dimensions are cut more often, so that boxes stay boxes.
        weights = numpy.log2(lengths) ** 4 * random.random(lengths.shape)
        rows, dims = numpy.arange(len(offsets)), weights.argmax(1)
        whole = lengths[rows, dims]
        assert (whole > 1).all(), "a box is too small to be cut"
        cuts = 1 + (random.random(len(whole)) * (whole - 1)).astype(numpy.int64)
        lower, upper, start = lengths.copy(), lengths.copy(), offsets.copy()
        lower[rows, dims], upper[rows, dims] = cuts, whole - cuts
        start[rows, dims] += cuts
        offsets, lengths = numpy.concatenate([offsets, start]), numpy.concatenate([lower, upper])
    order = random.permutation(len(offsets))
    return Layout(list(sizes), offsets[order].copy(), lengths[order].copy())
