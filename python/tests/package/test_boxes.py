"""Which boxes overlap, as torch sees it: against its definition, pair by pair."""

import random

import pytest

from shardspec import Placement, PlacementSpec, ShardMetadata, _boxes, shard
from shardspec._boxes import Boxes, meetings, overlap

SEED = random.Random(20)


def boxes(rows):
    return Boxes.of_rows([start for start, _ in rows], [length for _, length in rows])


def random_rows(ndim, count, longest, empties):
    """Boxes in a small space; some of them empty."""
    rows = []
    for _ in range(count):
        lengths = [0 if SEED.random() < empties else SEED.randint(1, longest) for _ in range(ndim)]
        rows.append(([SEED.randrange(8) for _ in range(ndim)], lengths))
    return rows


def overlap_for_torch(one, other):
    """torch's `_check_shard_metadata_pair_overlap`: every dimension begins before the other ends."""
    return all(start < last + length and last < start + size
               for start, size, last, length in zip(*one, *other))


CASES = [(ndim, count, longest, empties) for ndim in (1, 2, 3) for count in (2, 4, 9)
         for longest in (1, 3) for empties in (0, 0.3)]


@pytest.mark.parametrize(("ndim", "count", "longest", "empties"), CASES)
def test_an_overlap_is_found_where_torch_finds_one(ndim, count, longest, empties):
    found = 0
    for _ in range(60):
        rows = random_rows(ndim, count, longest, empties)
        pair = overlap(boxes(rows))
        wanted = {(first, second) for second in range(count) for first in range(second)
                  if overlap_for_torch(rows[first], rows[second])}
        assert (pair is None) == (not wanted) and (pair is None or pair in wanted)
        found += pair is not None
    assert found < 60 or count > 2 or ndim == 1


@pytest.mark.parametrize(("ndim", "count", "longest", "empties"), CASES)
def test_all_pairs_of_two_lists_are_found_once(ndim, count, longest, empties, monkeypatch):
    for _ in range(60):
        here, there = (random_rows(ndim, number, longest, empties) for number in (count, count + 3))
        wanted = [(one, other) for one in range(len(here)) for other in range(len(there))
                  if overlap_for_torch(here[one], there[other])]
        assert sorted(meetings(boxes(here), boxes(there))) == wanted
        with monkeypatch.context() as patching:
            patching.setattr(_boxes, "FEW", 0)
            assert sorted(meetings(boxes(here), boxes(there))) == wanted


@pytest.mark.parametrize("empties", [0, 0.5])
def test_lists_whose_boxes_overlap_each_other_a_lot_are_compared_too(empties):
    here, there = random_rows(2, 60, 9, empties), random_rows(2, 50, 9, empties)
    wanted = [(one, other) for one in range(60) for other in range(50)
              if overlap_for_torch(here[one], there[other])]
    assert sorted(meetings(boxes(here), boxes(there))) == wanted
    # Of these, no box meets one of the other list.
    apart = [([start + 99 for start in starts], lengths) for starts, lengths in there]
    assert meetings(boxes(here), boxes(apart)) == []


def test_boxes_have_as_many_dimensions_and_hold_integers():
    with pytest.raises(ValueError, match="boxes of 1 and of other dimensions"):
        boxes([([0], [1]), ([0, 0], [1, 1])])
    with pytest.raises(ValueError, match="boxes of 1 and of other dimensions"):
        boxes([([0], [1, 1])])
    with pytest.raises(IndexError):
        boxes([])
    with pytest.raises(TypeError):
        overlap(boxes([([0.5], [1]), ([1], [1])]))
    with pytest.raises(OverflowError):
        overlap(boxes([([1 << 63], [1]), ([1], [1])]))
    for count in (1, 9):
        with pytest.raises(ValueError):
            meetings(boxes([([0, 0], [1, 1])] * count), boxes([([0], [1])]))


class Shard:
    """With the attributes of a chunk."""

    def __init__(self, offsets, sizes):
        self.offsets, self.sizes = offsets, sizes


def read(shards, native):
    """The boxes, or the kind of exception."""
    with pytest.MonkeyPatch.context() as patching:
        patching.setattr(_boxes, "native", native)
        try:
            found = Boxes.of(shards, "offsets", "sizes")
        except Exception as error:
            return type(error)
    return found.number, [*map(list, found.starts)], [*map(list, found.lengths)]


class Number:
    def __init__(self, value):
        self.value = value

    def __index__(self):
        return self.value


class Deep(list):
    """A list of a class of its own."""


class Size(tuple):
    """As torch's `Size`."""


class Shrinking:
    """Takes the other shards away when it is read."""

    sizes = (1,)

    def __init__(self, shards):
        self.shards = shards

    @property
    def offsets(self):
        self.shards.clear()
        return [0]


@pytest.mark.skipif(_boxes.native is None, reason="the module in C was not built")
def test_shards_are_read_in_c_as_in_python():
    one = Shard([0, 1], (2, 3))
    cases = [
        [one], (one, one), [Shard(Deep([1]), Size((2,)))], [Shard([True], [False])],
        [Shard([-5, (1 << 63) - 1], [-(1 << 63), 0])], [one] * 5000,
        [], (), None, 5, iter([one]), Deep([one]), {0: one},
        [None], [one, object()], [Shard(None, [1])], [Shard([1], None)], [Shard(5, [1])],
        [Shard([], [])], [Shard([1], [])], [Shard([], [1])], [Shard([1, 2], [1])], [one, Shard([1], [1])],
        [Shard([1], [1]), one], [Shard([1 << 63], [1])], [Shard([1], [1 << 70])], [Shard([0.5], [1])],
        [Shard("12", [1, 2])], [Shard(["1"], [1])], [Shard([Number(3)], [1])], [Shard([1] * 40, [1] * 40)],
        [Shard(range(2), [1, 2])],
    ]
    for shards in cases:
        again = shards if shards is None or not hasattr(shards, "__next__") else iter([one])
        assert read(shards, _boxes.native) == read(again, None), shards
    for native in (None, _boxes.native):
        shards = []
        shards += [Shrinking(shards), one, one]
        assert read(shards, native) in (IndexError, ValueError)


@pytest.mark.skipif(_boxes.native is None, reason="the module in C was not built")
def test_the_reader_in_c_refuses_other_arguments():
    for wrong in ([], [[]], [[], "offsets"], [[Shard([1], [1])], 5, "sizes"]):
        with pytest.raises(TypeError):
            _boxes.native.rows(*wrong)


def test_the_dimensions_in_which_boxes_differ_are_known():
    assert boxes([([0, 1, 2], [3, 3, 3]), ([0, 1, 3], [3, 4, 3])]).varying_dims() == [1, 2]
    assert boxes([([0, 1], [3, 3])]).varying_dims() == []


class Chunk(Shard):
    """Without a placement."""


class Placed(Shard):
    def __init__(self, offsets, sizes, placement):
        super().__init__(offsets, sizes)
        self.placement = placement


class Place(PlacementSpec):
    def __str__(self):
        return "rack 1"


def packed(shards, unplaced, native):
    """What the library gets of them, or the exception."""
    with pytest.MonkeyPatch.context() as patching:
        patching.setattr(shard, "native", native)
        try:
            found = shard.pack("shards", shards, unplaced=unplaced)
        except Exception as error:
            return type(error), str(error)
    places = [id(one) if isinstance(one, PlacementSpec) else str(one) for one in found.placements.listed]
    return found.ndim, found.offsets, found.sizes, found.indices, places, found.dim_maps


@pytest.mark.skipif(_boxes.native is None, reason="the module in C was not built")
@pytest.mark.parametrize("unplaced", [False, True])
def test_many_shards_are_taken_apart_in_c_as_in_python(unplaced):
    place = Place()
    rows = [([row, 0], [1, 2]) for row in range(200)]
    own = [ShardMetadata(*row, f"rank:{number % 3}") for number, row in enumerate(rows)]
    stretched = ShardMetadata([0, 0], [1, 2], "rank:0", [[(0, 0, 1, 1, 1, 1)], [(0, 0, 1, 2, 2, 1)]])
    cases = [
        own, own[:5], tuple(own), iter(own), [*own, stretched], [*own, ShardMetadata([1, 1], [2, 2])],
        [Chunk(*row) for row in rows], [*own, Chunk(*rows[0])],
        [Placed(*row, f"rank:{number % 7}") for number, row in enumerate(rows)],
        [Placed(*row, Placement("rank:1")) for row in rows],
        [Placed(*row, place if number % 2 else "rank:5") for number, row in enumerate(rows)],
        [Placed(*row, Place()) for row in rows], [Placed(*row, None) for row in rows],
        [Placed(*row, 5) for row in rows], [Placed(*row, "rank:") for row in rows],
        [*[Placed(*row, "rank:1") for row in rows], Placed([0], [1], "rank:1")],
        [*[Placed(*row, "rank:1") for row in rows], Placed([0, 0.5], [1, 1], "rank:1")],
        [*[Placed(*row, "rank:1") for row in rows], Placed([0, 1 << 64], [1, 1], "rank:1")],
        [Placed((), (), "rank:1") for _ in rows], [None] * 100, [object()] * 100,
    ]
    for number, shards in enumerate(cases):
        again = iter(own) if number == 3 else shards
        assert packed(shards, unplaced, _boxes.native) == packed(again, unplaced, None), number
