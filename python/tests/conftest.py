"""Where things are, and the library as ctypes sees it."""

import importlib.util
import pathlib
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
if importlib.util.find_spec("shardspec") is None:
    sys.path.insert(0, str(ROOT / "python"))


@pytest.fixture(scope="session")
def root():
    return ROOT


@pytest.fixture(scope="session")
def lib():
    import binding

    return binding.Raw()
