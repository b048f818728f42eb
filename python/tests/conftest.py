"""Where things are, and the library as ctypes sees it."""

import pathlib

import pytest

import binding

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def root():
    return ROOT


@pytest.fixture(scope="session")
def lib():
    return binding.load(ROOT / "target/release/libshardspec.so", ROOT / "include/shardspec.h")
