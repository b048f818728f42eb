"""Rebuilds metadata from its parts, in another process or for a copy."""

from __future__ import annotations

import ctypes
from typing import NamedTuple

from ._arrays import integers, pointer, text, texts
from ._library import lib
from .extents import Extents
from .mesh import Mesh
from .metadata import REDUCTIONS, ShardedTensorMetadata
from .properties import TensorProperties, stated_struct
from .shard import packed

PartialStruct = lib.header.type("partial")


class Labels(NamedTuple):
    """What metadata says besides its shards."""

    mesh: Mesh | None
    partial: dict[str, str]
    dim_names: list[str] | None


def restored(extents: Extents, size: tuple[int, ...], properties: TensorProperties, replicas: bool,
             labels: Labels) -> ShardedTensorMetadata:
    """Metadata that was pickled. Its shards are checked as any are."""
    sizes, stated = integers("size", size), stated_struct("tensor_properties", properties)
    shards = packed(extents).list_handle()
    try:
        if extents.flattening is not None:
            whole = integers("size", extents.flattening.sizes)
            flat = int(lib.answer(ctypes.c_void_p, lib.shards_new_flattened, shards, pointer(whole),
                                  len(whole), extents.flattening.first_dim, extents.flattening.dim_count))
            lib.shards_free(shards)
            shards = flat
        made = ShardedTensorMetadata._of(lib.answer(
            ctypes.c_void_p, lib.metadata_new_from_shards, shards, pointer(sizes), len(sizes), stated,
            replicas))
    finally:
        lib.shards_free(shards)
    return labelled(made, labels)


def labelled(metadata: ShardedTensorMetadata, labels: Labels) -> ShardedTensorMetadata:
    """The same metadata with these labels."""
    if labels.mesh is not None:
        numbers = {name: value for value, name in REDUCTIONS.items()}
        partials = (PartialStruct * len(labels.partial))(*(
            PartialStruct(ctypes.sizeof(PartialStruct), text("partial", axis), numbers[reduction])
            for axis, reduction in labels.partial.items()))
        metadata = ShardedTensorMetadata._of(lib.answer(
            ctypes.c_void_p, lib.metadata_new_on_mesh, metadata, labels.mesh, partials,
            len(partials)))
    if labels.dim_names is not None:
        names = texts("dim_names", labels.dim_names)
        metadata = ShardedTensorMetadata._of(lib.answer(
            ctypes.c_void_p, lib.metadata_new_with_dim_names, metadata, names, len(names)))
    return metadata
