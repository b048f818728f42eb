"""The examples of docstrings."""

import doctest
import importlib
import pkgutil

import pytest

import shardspec

MODULES = [f"shardspec.{module.name}" for module in pkgutil.iter_modules(shardspec.__path__)
           if not module.name.startswith("_native")]


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_run(name):
    for needed in ("torch", "jax"):
        if needed in name:
            pytest.importorskip(needed)
    failed, _ = doctest.testmod(importlib.import_module(name))
    assert failed == 0


def test_the_classes_and_functions_that_users_begin_with_have_examples():
    finder = doctest.DocTestFinder()
    for thing in (shardspec.ChunkShardingSpec, shardspec.EnumerableShardingSpec, shardspec.MeshShardingSpec,
                  shardspec.ShardedTensorMetadata, shardspec.ShardedTensor, shardspec.Plan, shardspec.Cut,
                  shardspec.copy, shardspec.as_tensor, shardspec.locate, shardspec.find_gaps,
                  shardspec.find_overlaps, shardspec.infer_sharding_spec_from_shards_metadata):
        assert any(test.examples for test in finder.find(thing, thing.__name__)), thing


def test_every_public_thing_says_what_it_is():
    for name in shardspec.__all__:
        thing = getattr(shardspec, name)
        if isinstance(thing, type) or callable(thing):
            assert thing.__doc__, name
        if not isinstance(thing, type):
            continue
        for attribute, value in vars(thing).items():
            if not attribute.startswith("_") and (callable(value) or isinstance(value, property)):
                assert value.__doc__, f"{name}.{attribute}"
