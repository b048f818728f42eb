"""What all conversions from and to torch need."""

from __future__ import annotations

import importlib
from typing import Any

from ._library import lib
from ._words import described


def needs(argument: str, value: Any, kind: str, *attributes: str) -> None:
    """Refuses what does not have the attributes of torch's class."""
    if not all(hasattr(value, attribute) for attribute in attributes):
        raise TypeError(f"{argument}: {kind}, not {described(value)}")


def torch_dtype(name: str | None) -> Any:
    if name is None:
        raise lib.refused("INVALID_ARGUMENT", "metadata: it states no element type, which torch needs; "
                          "build it with TensorProperties")
    found = getattr(importlib.import_module("torch"), name, None)
    if found is None:
        raise unsayable("dtype", f"torch has no {name}")
    return found


def unsayable(argument: str, problem: str) -> Exception:
    return lib.refused("UNSUPPORTED", f"{argument}: {problem}")
