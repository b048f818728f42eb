"""Writing checkpoints, and converting them to other layouts."""

from __future__ import annotations

import ctypes
import functools
import os
from collections.abc import Mapping
from typing import Any, Literal

from . import _views
from ._arrays import choice, flag, instance, items, text, within
from ._arrays import path as as_path
from ._library import lib
from .metadata import metadata_of
from .spec import ShardingSpec

TensorStruct = lib.header.type("checkpoint_tensor")
OptionsStruct = lib.header.type("checkpoint_write_options")
RuleStruct = lib.header.type("checkpoint_rule")
FILES = {"of owners": lib.CHECKPOINT_FILES_OF_OWNERS, "one": lib.CHECKPOINT_FILES_ONE}

Files = Literal["of owners", "one"]


def write_checkpoint(path: str | os.PathLike[str], tensors: Mapping[str, tuple[Any, Mapping[int, Any]]], *,
                     files: Files = "of owners", replace: bool = False) -> None:
    """Writes the shards of this process for the tensors of a checkpoint.

    `tensors` maps the name of each tensor to a layout and to the shards in this process, by index.
    Every rank calls this function with the same names, layouts and options. At the end, one rank
    calls `commit_checkpoint`, which creates `path`.
    """
    structs, kept = _tensors(tensors, with_shards=True)
    lib.checkpoint_write(_path(path), structs, len(structs), _options(files, replace))
    del kept


def commit_checkpoint(path: str | os.PathLike[str], tensors: Mapping[str, Any], *, files: Files = "of owners",
                      replace: bool = False) -> None:
    """Moves a checkpoint to its path in one step, after all ranks have written all shards.

    `tensors` is the argument of `write_checkpoint`, or has only the layouts.
    """
    structs, kept = _tensors(tensors, with_shards=False)
    lib.checkpoint_commit(_path(path), structs, len(structs), _options(files, replace))
    del kept


def save_checkpoint(path: str | os.PathLike[str], tensors: Mapping[str, tuple[Any, Mapping[int, Any]]], *,
                    files: Files = "of owners", replace: bool = False) -> None:
    """Writes a checkpoint and moves it to its path. All shards must be in this process."""
    write_checkpoint(path, tensors, files=files, replace=replace)
    commit_checkpoint(path, tensors, files=files, replace=replace)


def convert_checkpoint(source: str | os.PathLike[str], path: str | os.PathLike[str], rules: Mapping[str, Any], *,
                       files: Files = "of owners", replace: bool = False, max_bytes: int = 0) -> None:
    """Writes all tensors of a checkpoint to another checkpoint, with other layouts.

    `rules` maps patterns of names to specs. Each `*` in a pattern stands for any characters. The
    first pattern that matches a name applies. If no pattern matches a name, the tensor is written
    whole, as a shard of rank 0. At most `max_bytes` bytes of elements are in memory at a time. The
    default is 64 MiB.
    """
    pairs = items("rules", rules, "patterns and specs")
    for pattern, spec in pairs:
        instance(f"rules[{pattern!r}]", spec, ShardingSpec)
    structs = (RuleStruct * len(pairs))(*(
        RuleStruct(ctypes.sizeof(RuleStruct), text("rules", pattern), spec._as_parameter_)
        for pattern, spec in pairs))
    lib.checkpoint_convert(as_path("source", source), _path(path), structs, len(structs),
                           _options(files, replace, max_bytes))


def _path(path: Any) -> bytes:
    return as_path("path", path)


def _options(files: str, replace: bool, max_bytes: int = 0) -> Any:
    if files is None:
        raise TypeError("files: a text, not None")
    how, most = choice("files", files, FILES), within("max_bytes", max_bytes, (1 << 64) - 1)
    return ctypes.byref(OptionsStruct(ctypes.sizeof(OptionsStruct), how, flag("replace", replace), most))


def _called(where: str, given: list[tuple[int, Any]], number: int) -> str:
    """What one of the given shards is called."""
    return f"{where}[{given[number][0]}]"


def _tensors(tensors: Mapping[str, Any], *, with_shards: bool) -> tuple[Any, Any]:
    """The tensors for the library, and what they point to."""
    pairs = items("tensors", tensors, "names and layouts")
    structs, kept = (TensorStruct * len(pairs))(), []
    for struct, (name, value) in zip(structs, pairs):
        where = f"tensors[{name!r}]"
        layout, shards = value if isinstance(value, tuple) and len(value) == 2 else (value, {})
        metadata_of(where, layout)
        given = [(layout._index(index, where), tensor)
                 for index, tensor in (items(where, shards, "indices and tensors") if with_shards else ())]
        numbers = (ctypes.c_size_t * len(given))(*(index for index, _ in given))
        views = _views.views(functools.partial(_called, where, given), (tensor for _, tensor in given), write=False)
        struct.struct_size = ctypes.sizeof(TensorStruct)
        struct.name, struct.metadata = text("tensors", name), layout._as_parameter_
        struct.indices, struct.shards, struct.shard_count = numbers, views.array, len(given)
        kept.append((layout, numbers, views))
    return structs, kept
