"""The module in C that views common tensors, where it was built. The package works without it."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import os
import pathlib
from typing import Any

from ._library import HERE, lib

NAME = "_native.abi3.so"
"""The file's name on Linux and macOS. It serves every Python from 3.10 on."""
OFF = "SHARDSPEC_PURE_PYTHON"
"""With this variable in the environment, the package does not use the module."""


def load() -> Any:
    """The module; None if there is none, or one for another version of the library."""
    place = HERE / NAME if (HERE / NAME).exists() else HERE.parents[1] / "target/release" / NAME
    if os.environ.get(OFF) or not place.exists():
        return None
    return _loaded(place)


def _loaded(place: pathlib.Path) -> Any:
    name = f"{__package__}._native"
    loader = importlib.machinery.ExtensionFileLoader(name, str(place))
    spec = importlib.util.spec_from_file_location(name, place, loader=loader)
    if spec is None:
        return None
    try:
        module = importlib.util.module_from_spec(spec)
        loader.exec_module(module)
    except ImportError:
        return None  # This Python has another binary interface.
    return module if module.ABI_VERSION == lib.ABI_VERSION else None


native = load()
