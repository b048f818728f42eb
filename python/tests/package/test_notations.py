"""Layouts as other programs write them."""

import copy
import pickle

import pytest

from shardspec import (
    ArgumentError,
    Cut,
    HandleError,
    Mesh,
    MeshShardingSpec,
    UnsupportedError,
    numroc,
)

MESH = Mesh({"dp": 2, "tp": 4})
TEXTS = [
    ("dtensor", "_S(0, 2)S(0)"),
    ("dtensor", "P(max)S(-1)"),
    ("dtensor", "RR"),
    ("jax", "P(('tp', 'dp'), None)"),
    ("jax", "P('tp', unreduced={'dp'})"),
    ("xla", "{devices=[8]<=[2,4]T(1,0)}"),
    ("xla", "{devices=[2,4]<=[8]}"),
    ("xla", "{replicated}"),
    ("xla", "{maximal device=3}"),
    ("shardy", 'sharding<@mesh, [{}, {"tp"}], unreduced={"dp"}>'),
]


@pytest.mark.parametrize(("notation", "text"), TEXTS)
def test_a_text_is_a_spec_with_its_cuts(notation, text):
    spec = MeshShardingSpec.parse(notation, text, MESH)
    ndim = 2 if "None" in text else None
    assert spec.format(notation, ndim) == text
    assert MeshShardingSpec(spec.mesh, spec.cuts, partial=spec.partial) == spec
    assert copy.copy(spec) == pickle.loads(pickle.dumps(spec)) == spec


def test_cuts_and_partial_axes_are_those_of_the_text():
    spec = MeshShardingSpec.parse("dtensor", "P(avg)_S(1, 2)", MESH)
    assert spec.cuts == (Cut(1, "tp", segments=2),)
    assert spec.partial == {"dp": "avg"}
    spec = MeshShardingSpec.parse("jax", "P('tp', 'dp')", MESH)
    assert spec.cuts == (Cut(0, "tp", even=True), Cut(1, "dp", even=True))


def test_a_wrong_text_is_refused_with_its_place():
    with pytest.raises(ArgumentError, match="byte 1: found \"X\"") as caught:
        MeshShardingSpec.parse("dtensor", "RX", MESH)
    assert caught.value.index == 1
    with pytest.raises(UnsupportedError, match="manual is not interpreted"):
        MeshShardingSpec.parse("xla", "{manual}", MESH)
    with pytest.raises(UnsupportedError, match="no text for"):
        MeshShardingSpec(MESH, [Cut(0, "tp", "balanced")]).format("jax")


def test_wrong_arguments_are_refused():
    with pytest.raises(ArgumentError, match="'mpi' is none of 'dtensor', 'jax', 'xla', 'shardy'"):
        MeshShardingSpec.parse("mpi", "RR", MESH)
    with pytest.raises(TypeError, match="notation: a text"):
        MeshShardingSpec.parse(1, "RR", MESH)
    with pytest.raises(TypeError, match="mesh: a Mesh"):
        MeshShardingSpec.parse("dtensor", "RR", None)
    with pytest.raises(TypeError):
        MeshShardingSpec.parse("dtensor", None, MESH)
    spec = MeshShardingSpec.parse("dtensor", "RR", MESH)
    with pytest.raises(ArgumentError):
        spec.format("jax", -1)
    with pytest.raises(ArgumentError):
        spec.format("jax", 33)
    spec.close()
    with pytest.raises(HandleError):
        spec.format("jax")


def test_a_descriptor_of_scalapack_is_a_spec_and_back():
    grid, descriptor = Mesh({"p": 2, "q": 3}), [1, 0, 10, 8, 2, 3, 0, 1, 4]
    spec = MeshShardingSpec.from_scalapack(descriptor, grid, 5)
    assert spec.cuts == (Cut(0, "p", "cyclic", block=2), Cut(1, "q", "cyclic", block=3, first=1))
    assert spec.scalapack(10, 8, 5) == descriptor
    assert spec.scalapack(10, 8, 5, context=7)[1] == 7
    assert [numroc(10, 2, process, 0, 2) for process in range(2)] == [6, 4]
    with pytest.raises(ArgumentError, match=r"MB is 0 \(entry 5\)") as caught:
        MeshShardingSpec.from_scalapack([1, 0, 10, 8, 0, 3, 0, 1, 4], grid, 5)
    assert caught.value.index == 4
    with pytest.raises(ArgumentError, match="9 entries"):
        MeshShardingSpec.from_scalapack(descriptor[:8], grid, 5)
    with pytest.raises(TypeError, match="mesh: a Mesh"):
        MeshShardingSpec.from_scalapack(descriptor, None, 5)
