"""Specs over a mesh."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from . import notations
from ._arrays import instance, integers, items, listed, pointer, room, text
from ._library import lib
from ._words import described
from .cuts import Cut, CutStruct, Packed, as_dim, int64
from .mesh import Mesh, ranks
from .metadata import ShardedTensorMetadata, build
from .placement import as_placements
from .properties import named
from .spec import BuiltInSpec, ShardingSpec, SpecHandle

Layout = lib.header.type("mesh_layout")
PadStruct = lib.header.type("pad")
PartialStruct = lib.header.type("partial")
REDUCTIONS = named("REDUCTION_")
AXIS = "devices"
"""The axis of specs with a single one."""


@dataclass(frozen=True)
class Multiple:
    """The length of a padded dimension: `Multiple(128)` means the next multiple of 128."""

    of: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "of", int64("of", self.of, 1))


class MeshShardingSpec(BuiltInSpec):
    """Cuts dimensions over the axes of a mesh, as DTensor's placements and JAX's `NamedSharding` do.

    Shard i belongs to device i of the mesh. The cuts are applied in their order: a second cut of a
    dimension cuts the pieces of the first. Each axis is used at most once. If no cut uses an axis,
    all devices along this axis have the same elements.

    `flatten=(first, count)` joins `count` neighbouring dimensions to one dimension, in row-major
    order. The first of these dimensions is `first`. `pad={dim: length}` lengthens dimensions to a
    length or to a `Multiple`. The added places hold no element. Dimensions are first flattened,
    then padded, then cut. `partial={axis: reduction}` marks axes as pending a reduction, such as
    "sum" or "max". The spec stores the mark. The library refuses to move elements that are pending
    a reduction.

    >>> spec = MeshShardingSpec(Mesh({"dp": 2, "tp": 2}), [Cut(0, "tp")])
    >>> [shard.shard_offsets for shard in spec.build_metadata((4,)).shards_metadata]
    [[0], [2], [0], [2]]
    """

    def __init__(self, mesh: Mesh, cuts: Iterable[Cut], *,
                 pad: Mapping[int | str, int | Multiple] | None = None,
                 flatten: tuple[int, int] | None = None,
                 partial: Mapping[str, str] | None = None) -> None:
        instance("mesh", mesh, Mesh)
        given = listed("cuts", cuts, "cuts")
        for number, cut in enumerate(given):
            instance(f"cuts[{number}]", cut, Cut)
        axes = mesh.axes
        self._cuts = tuple(given)
        self._pad, self._flatten = _pads(pad), _flatten(flatten)
        self._partial = _partial(partial, list(axes))
        self._own(self._new(mesh, axes))

    def _new(self, mesh: Mesh, axes: dict[str, int]) -> int:
        packed = [Packed(cut, axes.get(cut.axis, 1)) for cut in self._cuts]
        cuts = (CutStruct * len(packed))(*(one.struct for one in packed))
        pads = (PadStruct * len(self._pad))(*map(_pad_struct, self._pad.items()))
        partials = (PartialStruct * len(self._partial))(*(
            PartialStruct(ctypes.sizeof(PartialStruct), text("partial", axis), REDUCTIONS[reduction])
            for axis, reduction in self._partial.items()))
        layout = Layout(ctypes.sizeof(Layout), cuts, len(cuts), pads, len(pads), partials,
                        len(partials), *self._flatten or (0, 0))
        return int(lib.answer(ctypes.c_void_p, lib.spec_new_mesh, mesh, ctypes.byref(layout)))

    @classmethod
    def balanced(cls, dim: int | str, placements: Iterable[Any]) -> MeshShardingSpec:
        """Cuts one dimension into pieces with sizes that differ by at most one
        (`numpy.array_split`). There is one piece for each placement."""
        return cls(_line(placements), [Cut(dim, AXIS, "balanced")])

    @classmethod
    def sizes(cls, dim: int | str, sizes: Iterable[int],
              placements: Iterable[Any]) -> MeshShardingSpec:
        """Cuts one dimension into pieces of these sizes, one for each placement."""
        return cls(_line(placements), [Cut(dim, AXIS, "sizes", sizes=tuple(integers("sizes", sizes)))])

    @classmethod
    def weights(cls, dim: int | str, weights: Iterable[int],
                placements: Iterable[Any]) -> MeshShardingSpec:
        """Cuts one dimension in proportion to weights, one for each placement. The library rounds
        all sizes down. Some indices remain, and the pieces that lost the largest fractions get one
        more index each. A piece with weight 0 is empty."""
        return cls(_line(placements),
                   [Cut(dim, AXIS, "weights", weights=tuple(integers("weights", weights)))])

    @classmethod
    def cyclic(cls, dim: int | str, block: int, placements: Iterable[Any], *,
               first: int = 0) -> MeshShardingSpec:
        """Cuts one dimension into blocks of `block` indices. Placement `first` receives the first
        block, the next placement receives the second block, and so on."""
        return cls(_line(placements), [Cut(dim, AXIS, "cyclic", block=block, first=first)])

    @classmethod
    def parse(cls, notation: str, written: str, mesh: Mesh) -> MeshShardingSpec:
        """Returns the layout over a mesh that a text of another program describes.

        `notation` is "dtensor", "jax", "xla" or "shardy". The `str()` of a DTensor's placements or
        of a `PartitionSpec` is such a text. The `index` of a `ShardspecError` is the number of the
        wrong byte of the text.
        """
        instance("mesh", mesh, Mesh)
        number, given = notations.number_of(notation), text("written", written)
        handle = lib.answer(ctypes.c_void_p, lib.spec_parse, number, given, mesh)
        with SpecHandle._of(handle) as found:
            # "{maximal device=3}" is over a mesh of its own.
            over = Mesh._of(lib.answer(ctypes.c_void_p, lib.spec_mesh, found))
            cuts, partial = notations.parts(found, notation, list(over.axes))
            made = cls(over, cuts, partial=partial)
            if not lib.answer(ctypes.c_int32, lib.spec_equal, made, found):
                raise lib.refused("INTERNAL", f"written: {made} is not what was parsed, "
                                  f"{lib.text(lib.spec_text, found)}; please report this")
        return made

    def format(self, notation: str, ndim: int | None = None) -> str:
        """Returns the text of the layout in a notation: "dtensor", "jax", "xla" or "shardy".

        `ndim` is the number of dimensions of the tensor. Without `ndim`, the text ends at the last
        dimension that is cut. If the notation can't express the layout, the method raises an error
        with the reason.
        """
        dims = 0 if ndim is None else int64("ndim", ndim, 0)
        return lib.text(lib.spec_format, self, notations.number_of(notation), dims)

    @classmethod
    def from_scalapack(cls, descriptor: Iterable[int], mesh: Mesh, device: int) -> MeshShardingSpec:
        """Returns the layout that a ScaLAPACK descriptor of a matrix describes.

        `descriptor` has the nine entries of the process `device`. The method checks the LLD of this
        process, and ignores the context (CTXT). The first axis of `mesh` counts the rows of the
        grid of processes. The second axis counts the columns.
        """
        instance("mesh", mesh, Mesh)
        given = integers("descriptor", descriptor)
        number = int64("device", device, 0)
        SpecHandle._of(lib.answer(ctypes.c_void_p, lib.spec_new_scalapack, pointer(given), len(given),
                                  mesh, number)).close()
        blocks = zip(mesh.axes, given[4:6], given[6:8])
        return cls(mesh, [Cut(dim, axis, "cyclic", block=block, first=first)
                          for dim, (axis, block, first) in enumerate(blocks)])

    def scalapack(self, rows: int, columns: int, device: int, *, context: int = 0) -> list[int]:
        """Returns the ScaLAPACK descriptor of a matrix of these sizes, for the process `device`.

        LLD is the number of rows of the process, or 1 if the process has no rows.
        """
        numbers = room(lib.SCALAPACK_ENTRY_COUNT)
        lib.spec_get_scalapack(self, int64("rows", rows), int64("columns", columns),
                               int64("context", context), int64("device", device, 0),
                               pointer(numbers), len(numbers), None)
        return [*numbers]

    @property
    def mesh(self) -> Mesh:
        """The mesh."""
        return Mesh._of(lib.answer(ctypes.c_void_p, lib.spec_mesh, self))

    @property
    def cuts(self) -> tuple[Cut, ...]:
        """The cuts, in the order of their application."""
        return self._cuts

    @property
    def pad(self) -> dict[int | str, int | Multiple]:
        """The padded dimensions and their lengths."""
        return dict(self._pad)

    @property
    def flatten(self) -> tuple[int, int] | None:
        """The first of the flattened dimensions, and their number."""
        return self._flatten

    @property
    def partial(self) -> dict[str, str]:
        """The axes that are pending a reduction, and the reductions."""
        return dict(self._partial)

    def __str__(self) -> str:
        return lib.text(lib.spec_text, self)

    def __repr__(self) -> str:
        options = {"pad": self._pad or None, "flatten": self._flatten,
                   "partial": self._partial or None}
        return f"MeshShardingSpec({self.mesh!r}, {list(self._cuts)}" + "".join(
            f", {name}={value!r}" for name, value in options.items() if value is not None) + ")"

    def __reduce__(self) -> tuple[Any, ...]:
        if self._is_read:
            return ShardingSpec.from_bytes, (self.to_bytes(),)
        return _again, (type(self), self.mesh, self._cuts, self._pad, self._flatten, self._partial)


def _again(kind: type[MeshShardingSpec], mesh: Mesh, cuts: tuple[Cut, ...],
           pad: dict[int | str, int | Multiple], flatten: tuple[int, int] | None,
           partial: dict[str, str]) -> MeshShardingSpec:
    """A spec that was pickled."""
    return kind(mesh, cuts, pad=pad, flatten=flatten, partial=partial)


def inferred(handle: int, size: list[int]) -> MeshShardingSpec:
    """The spec that the library inferred from a grid of boxes of a tensor of that size.

    Axis "dim1" of its mesh cuts dimension 1; the others replicate. The rules are read off the pieces.
    """
    with SpecHandle._of(handle) as found:
        mesh = Mesh._of(lib.answer(ctypes.c_void_p, lib.spec_mesh, found))
        shards = ShardedTensorMetadata._of(build(found, size, None)).shards_metadata
        cuts, step = [], mesh.device_count
        for axis, count in mesh.axes.items():
            step //= count
            if axis.startswith("dim"):
                dim = int(axis.removeprefix("dim"))
                sizes = [shards[piece * step].shard_sizes[dim] for piece in range(count)]
                cuts.append(_cut_into(sizes, dim, axis))
        made = MeshShardingSpec(mesh, cuts)
        if not lib.answer(ctypes.c_int32, lib.spec_equal, made, found):
            raise lib.refused("INTERNAL", f"shards_metadata: {made} is not what was inferred, "
                              f"{lib.text(lib.spec_text, found)}; please report this")
    return made


def _cut_into(sizes: list[int], dim: int, axis: str) -> Cut:
    """The cut by the simplest rule that gives pieces of these sizes."""
    whole, count = sum(sizes), len(sizes)
    each = -(-whole // count)
    if sizes == [max(min(each, whole - each * piece), 0) for piece in range(count)]:
        return Cut(dim, axis)
    if sizes == [whole // count + (piece < whole % count) for piece in range(count)]:
        return Cut(dim, axis, "balanced")
    return Cut(dim, axis, sizes=tuple(sizes))


def _line(placements: Iterable[Any]) -> Mesh:
    """A mesh of one axis."""
    where = as_placements("placements", ranks(listed("placements", placements, "placements")))
    if not where:
        raise lib.refused("INVALID_ARGUMENT", "placements: there are none; pass one at least")
    return Mesh({AXIS: len(where)}, where)


def _pads(pad: Any) -> dict[int | str, int | Multiple]:
    pads: dict[int | str, int | Multiple] = {}
    for dim, length in () if pad is None else items("pad", pad, "dimensions and lengths"):
        if not isinstance(length, Multiple):
            if not hasattr(length, "__index__"):
                raise TypeError(f"pad[{dim!r}]: a length or a Multiple, not {described(length)}")
            length = int64(f"pad[{dim!r}]", length, 1)
        pads[as_dim("pad", dim)] = length
    # Dictionaries are equal in whatever order they were filled.
    return dict(sorted(pads.items(), key=lambda pair: (isinstance(pair[0], str), pair[0])))


def _pad_struct(pair: tuple[int | str, int | Multiple]) -> Any:
    dim, length = pair
    struct = PadStruct(ctypes.sizeof(PadStruct))
    if isinstance(dim, str):
        struct.dim_name = text("pad", dim)
    else:
        struct.dim = dim
    if isinstance(length, Multiple):
        struct.multiple = length.of
    else:
        struct.size = length
    return struct


def _flatten(flatten: Any) -> tuple[int, int] | None:
    """The first of the dimensions that become one, and their number."""
    if flatten is None:
        return None
    given = [int64("flatten", one, 0) for one in listed("flatten", flatten, "two numbers")]
    if len(given) != 2:
        raise TypeError(f"flatten: the first dimension and how many, not {len(given)} numbers")
    first, count = given
    if count < 2:
        raise lib.refused("INVALID_ARGUMENT", f"flatten: {count} dimensions; 2 at least can become "
                          "one", got=count, limit=2)
    return first, count


def _partial(partial: Any, axes: list[str]) -> dict[str, str]:
    reductions = {}
    for axis, reduction in () if partial is None else items("partial", partial, "axes and reductions"):
        text("partial", axis)
        if not isinstance(reduction, str):
            raise TypeError(f"partial[{axis!r}]: the name of a reduction, not {described(reduction)}")
        if reduction not in REDUCTIONS:
            raise lib.refused("INVALID_ARGUMENT", f"partial[{axis!r}]: {reduction!r} is none of "
                              f"{', '.join(map(repr, REDUCTIONS))}")
        reductions[axis] = reduction
    # In the order of the mesh; the library refuses what is none of its axes.
    return dict(sorted(reductions.items(), key=lambda pair: axes.index(pair[0]) if pair[0] in axes
                       else len(axes)))


def numroc(n: int, nb: int, iproc: int, isrcproc: int, nprocs: int) -> int:
    """Returns the number of rows or columns of the process at coordinate `iproc`: ScaLAPACK's
    NUMROC.

    There are `n` rows or columns in blocks of `nb`, and `nprocs` coordinates. Coordinate `isrcproc`
    has the first block, the next coordinate has the second block, and so on.
    """
    numbers = (int64(name, value) for name, value in
               (("n", n), ("nb", nb), ("iproc", iproc), ("isrcproc", isrcproc), ("nprocs", nprocs)))
    return int(lib.answer(ctypes.c_int64, lib.numroc, *numbers))
