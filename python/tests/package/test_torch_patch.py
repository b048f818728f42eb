"""torch's checks of shards and planner of reads, with this library in their places."""

import itertools
import random
import sys
import types

import pytest

import shardspec.torch
from common import ends_well
from shardspec import _boxes, _torch_patch

pytest.importorskip("torch.distributed.checkpoint")
import torch
import torch.distributed._shard.sharded_tensor.api as sharded_tensor_api
import torch.distributed._shard.sharded_tensor.utils as sharded_tensor_utils
import torch.distributed._shard.sharding_spec._internals as internals
import torch.distributed._shard.sharding_spec.api as sharding_spec_api
import torch.distributed.checkpoint.optimizer as optimizer
import torch.distributed.checkpoint.planner_helpers as planner
from torch.distributed._shard.metadata import ShardMetadata
from torch.distributed._shard.sharding_spec import EnumerableShardingSpec
from torch.distributed.checkpoint.metadata import (
    ChunkStorageMetadata,
    MetadataIndex,
    TensorProperties,
    TensorStorageMetadata,
)

pytestmark = pytest.mark.filterwarnings("ignore:.*ShardedTensor:FutureWarning",
                                        "ignore:torch.distributed is disabled:UserWarning")
PLACES = {
    "validate_non_overlapping_shards_metadata": [internals, sharding_spec_api, sharded_tensor_api,
                                                 sharded_tensor_utils],
    "check_tensor": [internals, sharding_spec_api, sharded_tensor_api, sharded_tensor_utils],
    "create_read_items_for_chunk_list": [planner, optimizer],
}
TORCHS = {name: getattr(modules[0], name) for name, modules in PLACES.items()}


@pytest.fixture
def patched():
    with shardspec.torch.patch():
        yield types.SimpleNamespace(**{name: getattr(modules[0], name)
                                       for name, modules in PLACES.items()})


@pytest.fixture(params=["in C", "in Python"])
def many(monkeypatch, request):
    """Nothing is left to torch because it is little."""
    monkeypatch.setattr(_torch_patch, "MANY", 1)
    if request.param == "in Python":
        monkeypatch.setattr(_boxes, "native", None)
    elif _boxes.native is None:
        pytest.skip("the module in C was not built")


def in_place():
    """What is where torch's functions are."""
    return {name: {getattr(module, name) for module in modules} for name, modules in PLACES.items()}


def shards(*boxes):
    return [ShardMetadata(list(start), list(length), "rank:0/cpu") for start, length in boxes]


def chunks(boxes):
    return [ChunkStorageMetadata(torch.Size(start), torch.Size(length)) for start, length in boxes]


def stored(boxes):
    return TensorStorageMetadata(TensorProperties(), torch.Size([1]), chunks(boxes))


def answer(function, *arguments):
    """What a function returns, or the kind of exception that it raises."""
    try:
        return function(*arguments)
    except Exception as error:
        return type(error)


def test_every_module_that_imported_the_functions_gets_the_new_ones_and_the_old_ones_back():
    mine = types.ModuleType("of_a_user")
    mine.under_another_name = TORCHS["check_tensor"]
    sys.modules["of_a_user"] = mine
    try:
        with shardspec.torch.patch():
            now = in_place()
            assert all(len(found) == 1 for found in now.values())
            assert all(found != {TORCHS[name]} for name, found in now.items())
            assert {mine.under_another_name} == now["check_tensor"]
            # Imported meanwhile.
            (mine.later,) = now["create_read_items_for_chunk_list"]
            for name, (function,) in now.items():
                assert function.__wrapped__ is TORCHS[name] and function.__doc__ == TORCHS[name].__doc__
        assert in_place() == {name: {function} for name, function in TORCHS.items()}
        assert mine.under_another_name is TORCHS["check_tensor"]
        assert mine.later is TORCHS["create_read_items_for_chunk_list"]
    finally:
        del sys.modules["of_a_user"]


def test_to_patch_twice_is_to_patch_once():
    untouched = in_place()
    shardspec.torch.unpatch()
    assert in_place() == untouched
    shardspec.torch.patch()
    now = in_place()
    with shardspec.torch.patch():
        assert in_place() == now
    assert in_place() == now, "the outer patch stays"
    shardspec.torch.unpatch()
    assert in_place() == untouched
    with pytest.raises(ZeroDivisionError), shardspec.torch.patch():
        raise ZeroDivisionError
    assert in_place() == untouched


# What torch's own tests ask of these functions.


@pytest.mark.parametrize(("first", "second", "overlap"), [
    (([0, 0], [5, 5]), ([5, 0], [5, 5]), False),
    (([0, 0], [5, 5]), ([4, 0], [5, 5]), True),
    (([0, 0], [5, 5]), ([0, 4], [5, 5]), True),
    (([5, 0, 5], [5, 5, 5]), ([5, 5, 5], [5, 5, 5]), False),
    (([5, 0, 5], [5, 5, 5]), ([5, 4, 5], [5, 5, 5]), True),
    (([5, 0, 5], [5, 5, 5]), ([5, 4, 9], [5, 5, 5]), True),
])
def test_shards_that_overlap_are_refused(patched, many, first, second, overlap):
    if not overlap:
        assert patched.validate_non_overlapping_shards_metadata(shards(first, second)) is None
        return
    with pytest.raises(ValueError, match=r"Shards ShardMetadata\(.*\) and .* overlap") as caught:
        patched.validate_non_overlapping_shards_metadata(shards(first, second))
    assert type(caught.value) is ValueError


def test_shards_of_a_tensor_are_accepted_and_others_are_refused(patched, many):
    uneven = shards(([0, 0], [2, 4]), ([0, 4], [4, 2]), ([2, 0], [4, 4]), ([4, 4], [2, 2]))
    spec = EnumerableShardingSpec(uneven)
    patched.check_tensor(spec.shards, torch.Size([6, 6]))
    assert spec.build_metadata(torch.Size([6, 6]), None).shards_metadata == uneven
    rows = shards(([0, 0], [5, 5]), ([5, 0], [5, 5]))
    with pytest.raises(ValueError, match="Rank of tensor is 3, but shards rank is 2"):
        patched.check_tensor(rows, torch.Size([10, 10, 10]))
    with pytest.raises(ValueError, match="length 5 exceeds tensor dim: 3 for shard ShardMetadata"):
        patched.check_tensor(rows, torch.Size([10, 3]))
    diagonal = shards(([0, 0], [5, 5]), ([5, 5], [5, 5]))
    with pytest.raises(ValueError, match=r"50 does not match tensor volume: 100; no shard holds "
                                         r"\[0:5, 5:10\]"):
        patched.check_tensor(diagonal, [10, 10])
    with pytest.raises(ValueError, match="8 does not match tensor volume: 4, and shards overlap"):
        patched.check_tensor(shards(([0], [4]), ([0], [4])), [4])
    with pytest.raises(ValueError, match="inconsistent ranks"):
        EnumerableShardingSpec(shards(([0, 0], [1, 1]), ([0, 0, 0], [1, 1, 1])))
    with pytest.raises(ValueError, match="Empty shard list"):
        EnumerableShardingSpec([])


def test_a_chunk_is_read_from_all_that_hold_some_of_it(patched, many):
    saved = stored([([0], [8]), ([8], [8])])
    first, second = patched.create_read_items_for_chunk_list("w", saved, chunks([([4], [7])]))
    assert first.dest_index == second.dest_index == MetadataIndex("w", [4])
    assert (first.storage_index, second.storage_index) == (
        MetadataIndex("w", [0]), MetadataIndex("w", [8]))
    assert [first.dest_offsets, first.storage_offsets, first.lengths] == [(0,), (4,), (4,)]
    assert [second.dest_offsets, second.storage_offsets, second.lengths] == [(4,), (0,), (3,)]
    assert all(type(value) is torch.Size for value in (first.dest_offsets, first.lengths))


# The same answers to everything.


class Tally:
    """How often torch's function was asked for an answer."""

    def __init__(self, function):
        self.function, self.count = function, 0

    def __call__(self, *arguments):
        self.count += 1
        return self.function(*arguments)


def grid(seeded, sizes, cuts):
    """Boxes that cover a tensor, cut along planes."""
    boxes = [([], [])]
    for size in sizes:
        edges = sorted({0, size, *(seeded.randrange(size + 1) for _ in range(cuts))})
        boxes = [([*start, low], [*length, high - low]) for start, length in boxes
                 for low, high in itertools.pairwise(edges)]
    return boxes


def spoiled(seeded, boxes):
    """The same boxes, or some that were moved, repeated, left out or emptied."""
    boxes = [([*start], [*length]) for start, length in boxes]
    for _ in range(seeded.choice([0, 0, 1, 1, 2, 5])):
        if not boxes:
            break
        start, length = seeded.choice(boxes)
        dim = seeded.randrange(len(start)) if start else 0
        kind = seeded.randrange(6)
        if kind == 0 and start:
            start[dim] = max(0, start[dim] + seeded.choice([-1, 1]))
        elif kind == 1 and start:
            length[dim] = max(0, length[dim] + seeded.choice([-1, 1]))
        elif kind == 2:
            boxes.append(([*start], [*length]))
        elif kind == 3:
            boxes.remove((start, length))
        elif kind == 4 and start:
            length[dim] = 0
        elif kind == 5 and start:
            boxes.append(([one + seeded.randrange(2) for one in start], [0] * len(start)))
    seeded.shuffle(boxes)
    return boxes


def random_shards(seeded):
    sizes = [seeded.choice([0, 1, 3, 5, 9]) if seeded.random() < 0.2 else seeded.randrange(1, 9)
             for _ in range(seeded.choice([0, *[1, 2, 3] * 6]))]
    return sizes, spoiled(seeded, grid(seeded, sizes, seeded.choice([0, 1, 1, 2, 2, 2])))


@pytest.mark.parametrize("seed", range(10))
def test_shards_are_accepted_and_refused_as_torch_does(many, seed):
    seeded, seen = random.Random(seed), set()
    validate = TORCHS["validate_non_overlapping_shards_metadata"]
    check, left = TORCHS["check_tensor"], Tally(validate)
    ours, ours_of_sizes = _torch_patch._validate(left), _torch_patch._check(check)
    for _ in range(500):
        sizes, boxes = random_shards(seeded)
        given = shards(*boxes)
        wanted = answer(validate, given)
        assert answer(ours, given) == wanted
        asked = sizes if seeded.random() < 0.8 else [size + seeded.choice([-1, 0, 1]) for size in sizes]
        asked = torch.Size(asked) if seeded.random() < 0.5 else asked
        if seeded.random() < 0.05:
            asked = [*asked, 1]
        of_sizes = answer(check, given, asked)
        assert answer(ours_of_sizes, given, asked) == of_sizes
        seen |= {("overlap", wanted), ("sizes", of_sizes)}
    assert {("overlap", None), ("overlap", ValueError), ("sizes", None), ("sizes", ValueError),
            ("sizes", IndexError)} <= seen
    # One shard, or all the same.
    assert left.count < 250


@pytest.mark.parametrize("few", [0, 8])
@pytest.mark.parametrize("seed", range(6))
def test_reads_are_those_of_torch_in_the_same_order(many, seed, few, monkeypatch):
    monkeypatch.setattr(_boxes, "FEW", few)
    seeded, most = random.Random(seed), 0
    original = TORCHS["create_read_items_for_chunk_list"]
    left = Tally(original)
    ours = _torch_patch._create(left)
    for _ in range(300):
        sizes, boxes = random_shards(seeded)
        others = spoiled(seeded, grid(seeded, sizes, seeded.randrange(4)))
        if seeded.random() < 0.05:
            others = [([*start, 0], [*length, 1]) for start, length in others]
        local, saved = chunks(boxes), stored(others)
        wanted, found = answer(original, "w", saved, local), answer(ours, "w", saved, local)
        assert found == wanted
        if isinstance(wanted, list):
            most = max(most, len(wanted))
            # Equality of items does not look at these.
            numbers = [[(item.dest_index.index, item.storage_index.index) for item in items]
                       for items in (found, wanted)]
            assert numbers[0] == numbers[1]
    assert most > 20 and left.count < 150


@pytest.mark.parametrize("seed", range(4))
def test_many_shards_and_chunks_have_the_same_answers(patched, seed):
    """As many as the library is for, without any setting of the tests."""
    seeded, seen = random.Random(seed), []
    for _ in range(25):
        sizes = [seeded.randrange(30, 60) for _ in range(seeded.choice([1, 2, 2, 3]))]
        cuts = {1: 150, 2: 14, 3: 5}[len(sizes)]
        boxes, others = (spoiled(seeded, grid(seeded, sizes, cuts)) for _ in range(2))
        given = shards(*boxes)
        for name, arguments in (
                ("validate_non_overlapping_shards_metadata", (given,)), ("check_tensor", (given, sizes)),
                ("create_read_items_for_chunk_list", ("w", stored(others), chunks(boxes)))):
            wanted = answer(TORCHS[name], *arguments)
            assert answer(getattr(patched, name), *arguments) == wanted
            seen.append((name, wanted if wanted is None or isinstance(wanted, type) else len(wanted) > 64))
    assert len({*seen}) >= 5


@pytest.mark.parametrize("given", [
    [], (), None, 5, [None], [ShardMetadata([0], [1])], shards(([0], [1]), ([0, 0], [1, 1])),
    shards(([0, 0], [1, 1]), ([0], [1])), shards(([], []), ([], [])), shards(([], [])),
    shards(([0.5], [1]), ([1.5], [1])), shards(([1 << 70], [1]), ([0], [1])),
    shards(([1 << 62], [1 << 62]), ([0], [1])), shards(([0], [1 << 62]), ([1 << 62], [0])),
    shards(([0], [1 << 62]), ([1 << 61], [0])), tuple(shards(([0], [1]), ([0], [1]))),
])
@pytest.mark.parametrize("sizes", [[1], [], [1, 1], None, [1.5], [1 << 62], ["1"], torch.Size([2])])
def test_unusual_arguments_have_the_same_answers(patched, many, given, sizes):
    name = "validate_non_overlapping_shards_metadata"
    assert answer(getattr(patched, name), given) == answer(TORCHS[name], given)
    assert answer(patched.check_tensor, given, sizes) == answer(TORCHS["check_tensor"], given, sizes)


@pytest.mark.parametrize(("saved", "local"), [
    (stored([]), chunks([([0], [1])])), (stored([([0], [1])]), []), (None, []),
    (stored([([], [])]), chunks([([], [])])), (stored([([0], [1])]), None),
    (stored([([0], [1])]), chunks([([0, 0], [1, 1])])), (stored([([0], [1])]), [None]),
    (stored([([0], [3])]), chunks([([-1], [3])])), (stored([([0], [1 << 62])]), chunks([([5], [0])])),
])
@pytest.mark.parametrize("few", [0, 8])
def test_unusual_chunks_have_the_same_answers(patched, many, monkeypatch, few, saved, local):
    monkeypatch.setattr(_boxes, "FEW", few)
    name = "create_read_items_for_chunk_list"
    assert answer(getattr(patched, name), "w", saved, local) == answer(TORCHS[name], "w", saved, local)


def test_shards_that_were_changed_to_nonsense_have_the_same_answers(patched, many):
    name = "validate_non_overlapping_shards_metadata"
    for start, length in [(-1, 2), (-5, 2), (0, -1), (2, -2)]:
        given = shards(([0], [2]), ([2], [2]))
        given[1].shard_offsets, given[1].shard_sizes = [start], [length]
        assert answer(getattr(patched, name), given) == answer(TORCHS[name], given)
        assert answer(patched.check_tensor, given, [4]) == answer(TORCHS["check_tensor"], given, [4])


@pytest.fixture
def alone():
    """A world of this process only."""
    import torch.distributed as dist
    from torch.testing._internal.distributed.fake_pg import FakeStore

    dist.init_process_group("fake", rank=0, world_size=8, store=FakeStore())
    yield
    dist.destroy_process_group()


def sharded(boxes, size):
    """torch's ShardedTensor, of which this rank has the first shard."""
    from torch.distributed._shard.sharded_tensor import Shard, ShardedTensor, ShardedTensorMetadata
    from torch.distributed._shard.sharded_tensor.metadata import (
        TensorProperties as TorchProperties,
    )

    given = [ShardMetadata(list(start), list(length), f"rank:{rank}/cpu")
             for rank, (start, length) in enumerate(boxes)]
    return ShardedTensor._init_from_local_shards_and_global_metadata(
        [Shard(torch.zeros(given[0].shard_sizes), given[0])],
        ShardedTensorMetadata(given, torch.Size(size), TorchProperties(torch.float32)))


@pytest.mark.parametrize(("boxes", "size", "problem"), [
    ([([0], [4]), ([4], [4]), ([8], [2])], [10], None),
    ([([0], [4]), ([4], [4]), ([7], [3])], [10], "overlap"),
    ([([0], [4]), ([4], [4]), ([8], [2])], [11], "does not match tensor volume"),
    ([([0], [4]), ([4], [4]), ([8], [2])], [9], "exceeds tensor dim"),
    ([([0, 0], [2, 2]), ([2, 0], [2, 2]), ([0, 2], [4, 1])], [4, 3], None),
    ([([0, 0], [2, 2]), ([2, 0], [2, 3]), ([0, 2], [4, 1])], [4, 3], "overlap"),
])
def test_a_sharded_tensor_is_made_of_shards_that_fit(patched, many, alone, boxes, size, problem):
    if problem is None:
        tensor = sharded(boxes, size)
        assert tensor.size() == torch.Size(size) and len(tensor.local_shards()) == 1
    else:
        with pytest.raises(ValueError, match=problem):
            sharded(boxes, size)


@pytest.mark.parametrize(("saved", "wanted", "reads"), [
    ([16] * 8, [32] * 4, [([0], [0], [16]), ([0], [16], [16])]),
    ([32] * 4, [16] * 8, [([0], [0], [16])]),
    ([30] * 4, [40] * 3, [([0], [0], [30]), ([0], [30], [10])]),
])
def test_a_plan_reads_what_the_shard_of_a_rank_needs(patched, many, alone, saved, wanted, reads):
    from torch.distributed.checkpoint.default_planner import create_default_local_load_plan
    from torch.distributed.checkpoint.metadata import Metadata

    def rows(lengths):
        return [([sum(lengths[:rank])], [length]) for rank, length in enumerate(lengths)]

    state = {"w": sharded(rows(wanted), [sum(wanted)])}
    there = stored(rows(saved))
    there.size = torch.Size([sum(wanted)])
    plan = create_default_local_load_plan(state, Metadata({"w": there}))
    assert [([*item.storage_offsets], [*item.dest_offsets], [*item.lengths])
            for item in plan.items] == reads


def test_a_checkpoint_is_loaded_into_other_shards(patched, tmp_path):
    import torch.distributed.checkpoint as dcp

    full = torch.arange(24.0).reshape(6, 4)
    dcp.save({"w": full}, checkpoint_id=tmp_path, no_dist=True)
    state = {"w": torch.zeros(6, 4)}
    dcp.load(state, checkpoint_id=tmp_path, no_dist=True)
    assert torch.equal(state["w"], full)


def test_a_program_that_is_patched_ends_well():
    ends_well("import warnings; warnings.simplefilter('ignore')\n"
              "import shardspec.torch\nshardspec.torch.patch()\n")
