"""Writing checkpoints, and converting them to other layouts."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Mapping
from typing import Any, Literal

from . import _views
from ._arrays import index as integer
from ._arrays import text
from ._library import lib

TensorStruct = lib.header.type("checkpoint_tensor")
OptionsStruct = lib.header.type("checkpoint_write_options")
RuleStruct = lib.header.type("checkpoint_rule")
FILES = {"of owners": lib.CHECKPOINT_FILES_OF_OWNERS, "one": lib.CHECKPOINT_FILES_ONE}

Files = Literal["of owners", "one"]


def write_checkpoint(path: str | os.PathLike[str], tensors: Mapping[str, tuple[Any, Mapping[int, Any]]], *,
                     files: Files = "of owners", replace: bool = False) -> None:
    """Writes the shards in this process of the tensors of a checkpoint.

    `tensors` has the layout of each tensor, by its name, and those of its shards that are here, by
    their indices. Every rank calls this with the same names, layouts and options, then one rank calls
    `commit_checkpoint`. Nothing is at `path` before that.
    """
    structs, kept = _tensors(tensors, with_shards=True)
    lib.checkpoint_write(_path(path), structs, len(structs), _options(files, replace))
    del kept


def commit_checkpoint(path: str | os.PathLike[str], tensors: Mapping[str, Any], *, files: Files = "of owners",
                      replace: bool = False) -> None:
    """Puts a checkpoint in its place, in one step, after all ranks have written their shards.

    `tensors` is what `write_checkpoint` got, or has the layouts alone.
    """
    structs, kept = _tensors(tensors, with_shards=False)
    lib.checkpoint_commit(_path(path), structs, len(structs), _options(files, replace))
    del kept


def save_checkpoint(path: str | os.PathLike[str], tensors: Mapping[str, tuple[Any, Mapping[int, Any]]], *,
                    files: Files = "of owners", replace: bool = False) -> None:
    """Writes all shards of a checkpoint, which are in this process, and puts it in its place."""
    write_checkpoint(path, tensors, files=files, replace=replace)
    commit_checkpoint(path, tensors, files=files, replace=replace)


def convert_checkpoint(source: str | os.PathLike[str], path: str | os.PathLike[str], rules: Mapping[str, Any], *,
                       files: Files = "of owners", replace: bool = False, max_bytes: int = 0) -> None:
    """Writes all tensors of a checkpoint to another one, with other layouts.

    `rules` has specs, by patterns of names in which each `*` stands for any characters. The first
    pattern that fits decides. A tensor that none fits is written whole, as a shard of rank 0. At most
    `max_bytes` of elements are in memory at a time, 64 MiB by default.
    """
    structs = (RuleStruct * len(rules))(*(
        RuleStruct(ctypes.sizeof(RuleStruct), text("rules", pattern), spec._as_parameter_)
        for pattern, spec in rules.items()))
    lib.checkpoint_convert(_path(source), _path(path), structs, len(structs),
                           _options(files, replace, max_bytes))


def _path(path: Any) -> bytes:
    return text("path", os.fspath(path))


def _options(files: str, replace: bool, max_bytes: int = 0) -> Any:
    if files not in FILES:
        raise lib.refused("INVALID_ARGUMENT", f"files: {files!r} is neither 'of owners' nor 'one'")
    most = integer("max_bytes", max_bytes)
    if not 0 <= most < 1 << 64:
        raise lib.refused("INVALID_ARGUMENT", f"max_bytes: {most} is not between 0 and 2**64")
    return ctypes.byref(OptionsStruct(ctypes.sizeof(OptionsStruct), FILES[files], bool(replace), most))


def _tensors(tensors: Mapping[str, Any], *, with_shards: bool) -> tuple[Any, Any]:
    """The tensors for the library, and what they point to."""
    structs, kept = (TensorStruct * len(tensors))(), []
    for struct, (name, value) in zip(structs, tensors.items()):
        layout, shards = value if isinstance(value, tuple) else (value, {})
        given = [(layout._index(index, "shards"), tensor)
                 for index, tensor in (shards.items() if with_shards else ())]
        numbers = (ctypes.c_size_t * len(given))(*(index for index, _ in given))
        names = (f"{name}[{index}]" for index, _ in given)
        views = _views.views(names, (tensor for _, tensor in given), write=False)
        struct.struct_size = ctypes.sizeof(TensorStruct)
        struct.name, struct.metadata = text("tensors", name), layout._as_parameter_
        struct.indices, struct.shards, struct.shard_count = numbers, views, len(given)
        kept.append((layout, numbers, views))
    return structs, kept
