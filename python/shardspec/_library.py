"""The shared library: where it is, and its functions with their refusals as exceptions."""

from __future__ import annotations

import ctypes
import functools
import json
import os
import pathlib
import re
import sys
from typing import Any

from ._calls import fitting, generated, mistaken, no_such_object
from ._header import PREFIX, Header
from .errors import FAMILIES, ShardspecError

# Arguments that torch calls otherwise, as Python does too, by the functions that have them.
RANKS = {"source_rank": "src_rank", "destination_rank": "dst_rank"}
SHARDS, INDICES = {"shards": "shards_metadata"}, {"placement_indices": "indices"}
MOVES, DATA = {"tensor_count": "moves"}, {"bytes": "data"}
SIDES = {"source_shards": "shards", "destination_shards": "to_shards"}
STARTED = RANKS | MOVES | SIDES
WINDOW, ITEMS = {"window_offsets": "window", "window_sizes": "window"}, {"items": "destinations"}
AXES = {"axis_names": "axes", "axis_sizes": "axes"}
RULES = {f"SHARDSPEC_RULE_{rule}": f"the rule {rule.lower()!r}"
         for rule in ("CHUNK", "BALANCED", "SIZES", "WEIGHTS", "CYCLIC")}
PYTHON_NAMES = {
    "comm_scatter": RANKS, "comm_gather": RANKS, "sharded_tensor_new_from_rank": RANKS,
    "comm_scatter_start": RANKS, "comm_gather_start": RANKS, "request_wait": STARTED, "request_test": STARTED,
    "transfer_run": MOVES | SIDES, "transfer_start": MOVES | SIDES,
    "comm_reshard": SIDES, "comm_reshard_start": SIDES, "comm_transfer": SIDES, "comm_transfer_start": SIDES,
    "transfer_prepare": SIDES, "transfer_prepare_start": SIDES,
    "spec_new_from_bytes": DATA, "metadata_new_from_bytes": DATA,
    "chunk_split_size": {"chunk_count": "chunks"},
    "chunk_dim_size": {"index": "idx"},
    "chunk_sharding_params": {"dim_size": "sharding_dim_size", "chunk_count": "world_size"},
    "spec_infer": SHARDS, "spec_infer_compat": SHARDS, "shards_gaps": {"sizes": "tensor_sizes"},
    "spec_parse": {"text": "written"}, "shards_new_from_arrays": INDICES,
    "shards_new_from_arrays_with_placement_handles": INDICES,
    "sharded_tensor_new_from_local": {"shards": "local_shards"},
    "mesh_new": AXES, "mesh_new_with_placement_handles": AXES,
    "spec_new_mesh": RULES, "cut_check": RULES,
    "metadata_draw": WINDOW, "metadata_draw_diff": WINDOW, "shards_draw": WINDOW,
    "checkpoint_check": ITEMS, "checkpoint_read": ITEMS, "checkpoint_read_collective": ITEMS,
}

WORDS = {"bytes", "shards", "sizes", "text"}
"""Names of arguments that are words of messages, too."""

HERE = pathlib.Path(__file__).resolve().parent
MACOS = sys.platform == "darwin"


class Library:
    """The library's functions and constants by the header's names, without their prefix.

    A function takes its C arguments but the last, the error, and raises what that says. Python's
    lock is free while it runs.
    """

    def __init__(self, path: pathlib.Path, description: pathlib.Path) -> None:
        self.path = path
        self.header_path = description.with_suffix(".h")
        self.header = Header(json.loads(description.read_text(encoding="utf-8")))
        self.cdll = ctypes.CDLL(str(path))
        self._error = self.header.type("error")
        self._errors: list[tuple[Any, Any]] = []
        """Errors that no call uses, each with its reference. To make one takes longer than most
        calls."""
        self.raised: dict[int, BaseException] = {}
        constants = self.header.constants
        self._families = {constants[status]: family for family in FAMILIES
                          for status in family.statuses if status in constants}
        if self.abi_version() != self.ABI_VERSION:
            raise ImportError(f"{path} has ABI version {self.abi_version()}, but {description} is of "
                              f"{self.ABI_VERSION}: install the two together")

    def __getattr__(self, name: str) -> Any:
        """Called once for each name: what it finds is kept."""
        if name in self.header.constants:
            found: Any = self.header.constants[name]
        elif name in self.header.functions:
            found = self.bind(name)
        else:
            raise AttributeError(f"the header declares no {PREFIX}{name}")
        setattr(self, name, found)
        return found

    def bind(self, name: str) -> Any:
        """The function of that name, with its types."""
        function = getattr(self.cdll, PREFIX + name)
        declared = self.header.function(name)
        function.restype, function.argtypes = declared.restype, declared.argtypes
        last = declared.argtypes[-1] if declared.argtypes else None
        if last != ctypes.POINTER(self._error) or function.restype is not ctypes.c_int32:
            return function
        own_names = PYTHON_NAMES.get(name, {})
        names = [own_names.get(argument, argument) for argument in declared.names]

        def failure(status: int, error: Any, arguments: tuple[Any, ...]) -> BaseException:
            raised = self.raised.pop(status, None)
            if raised is None and status in (self.INVALID_HANDLE, self.NULL_ARGUMENT):
                raised = no_such_object(declared, names, arguments)
            if raised is not None:
                return raised
            refusal = self.refusal(status, error, own_names)
            if status == self.INVALID_HANDLE and any(hasattr(type(one), "_handle_of") for one in arguments):
                # Each is of the right class, so that only closing it can be the reason.
                refusal.message = re.sub(r"is no live shardspec_\w+: .*", "it is closed", refusal.message)
                refusal.args = (refusal.message,)
            return refusal

        return generated(name, function, declared, names, errors=self._errors, new_error=self._new_error,
                         failure=failure, fitting=functools.partial(fitting, self.refused),
                         mistaken=functools.partial(mistaken, names))

    def _new_error(self) -> tuple[Any, Any]:
        error = self._error(struct_size=ctypes.sizeof(self._error))
        return error, ctypes.byref(error)

    def refusal(self, status: int, error: Any, own_names: dict[str, str]) -> ShardspecError:
        """The exception for a status other than OK. Arguments have their names in Python."""
        def index(value: int) -> int | None:
            return None if value < 0 else value

        family = self._families.get(status, ShardspecError)
        # What C calls NULL was None here.
        message = error.message.decode("utf-8", "replace").replace(
            "is NULL; pass a pointer", "is None; pass an object").replace("options.", "")
        for argument, own_name in own_names.items():
            message = re.sub(rf"\b{argument}\b(?=[:\[])|^{argument}\b" if argument in WORDS else rf"\b{argument}\b",
                             own_name, message)
        return family(
            message, status, self.status_name(status),
            first_shard=index(error.first_shard), second_shard=index(error.second_shard),
            dim=index(error.dim), got=error.got, limit=error.limit,
            index=index(error.index))

    def refused(self, name: str, message: str, **fields: Any) -> ShardspecError:
        """The same exception for what is refused before it reaches the library."""
        status = self.header.constants[name]
        return self._families[status](message, status, name, **fields)

    def status_name(self, status: int) -> str:
        """The name of a status; of a user's own, its number."""
        function = self.status_text
        try:
            return self.text(function, status)
        except ShardspecError:
            return str(status)

    def text(self, function: Any, *arguments: Any) -> str:
        """A text answer, asked for its length first."""
        needed = ctypes.c_size_t()
        function(*arguments, None, 0, ctypes.byref(needed))
        buffer = ctypes.create_string_buffer(needed.value)
        function(*arguments, buffer, needed.value, None)
        return buffer.value.decode()

    def answer(self, kind: Any, function: Any, *arguments: Any) -> Any:
        """The one value of type `kind` that a function writes last."""
        out = kind()
        function(*arguments, ctypes.byref(out))
        return out.value


def files() -> tuple[pathlib.Path, pathlib.Path]:
    """The library and its description: those in this package, or in the checkout it lies in.

    SHARDSPEC_LIBRARY names another build of the library.
    """
    library = HERE / ("libshardspec.0.dylib" if MACOS else "libshardspec.so.0")
    description = HERE / "include" / "shardspec.json"
    if not description.exists():
        root = HERE.parents[1]
        library = root / "target/release" / ("libshardspec.dylib" if MACOS else "libshardspec.so")
        description = root / "include/shardspec.json"
    return pathlib.Path(os.environ.get("SHARDSPEC_LIBRARY") or library), description


lib = Library(*files())
