"""Makes the checkpoints of this folder with torch 2.15, and the bytes that are in them.

    python make.py            # in a Python with torch, numpy and safetensors

Each folder is one checkpoint. The JSON file of the same name has, for each of its tensors, the element type, the sizes
and the bytes of all elements in row-major order, in hexadecimal.
"""

import json
import os
import pathlib
import shutil
import sys
import tempfile

import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp
import torch.multiprocessing as mp
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import DTensor, Replicate, Shard

HERE = pathlib.Path(__file__).resolve().parent
RANKS = 3
FLOAT8 = [torch.float8_e4m3fn, torch.float8_e5m2]


def patterned(sizes, dtype):
    """A tensor in which every element is another one, where its type has as many."""
    count = 1
    for size in sizes:
        count *= size
    if dtype == torch.bool:
        return (torch.arange(count) % 3 == 0).reshape(sizes)
    values = torch.arange(count) % 127 + 1
    return values.to(torch.float32).to(dtype).reshape(sizes)


def tensors():
    return {
        "embed.weight": patterned((10, 4), torch.bfloat16),
        "layers.0.rows": patterned((7, 3), torch.float32),
        "layers.0.columns": patterned((4, 5), torch.float16),
        "layers.0.float8": patterned((6, 4), FLOAT8[0]),
        "layers.0.float8_e5m2": patterned((5, 2), FLOAT8[1]),
        "layers.0.replicated": patterned((3, 3), torch.float64),
        "layers.0.mask": patterned((9,), torch.bool),
        "step": torch.tensor(7, dtype=torch.int64),
    }


PLACEMENTS = {"layers.0.columns": Shard(1), "layers.0.replicated": Replicate(), "step": None}


def distributed(tensor, mesh, placement, rank):
    """A DTensor of which each rank makes its own part, as gloo moves no float8."""
    local = tensor
    if placement.is_shard():
        chunks = tensor.chunk(RANKS, placement.dim)
        local = chunks[rank] if rank < len(chunks) else tensor.narrow(placement.dim, 0, 0)
    return DTensor.from_local(local.contiguous(), mesh, [placement], run_check=False, shape=tensor.shape,
                              stride=tensor.stride())


def raw(tensor):
    flat = tensor.contiguous().reshape(-1)
    return bytes(flat.view(torch.uint8).tolist()).hex() if flat.numel() else ""


def expected(all_tensors):
    return {
        name: {"dtype": str(tensor.dtype).removeprefix("torch."), "sizes": list(tensor.shape), "bytes": raw(tensor)}
        for name, tensor in all_tensors.items()
    }


def save(rank, kind, path, rendezvous):
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    dist.init_process_group("gloo", init_method=f"file://{rendezvous}", rank=rank, world_size=RANKS)
    mesh = init_device_mesh("cpu", (RANKS,))
    state = {}
    for name, tensor in tensors().items():
        placement = PLACEMENTS.get(name, Shard(0))
        state[name] = tensor if placement is None else distributed(tensor, mesh, placement, rank)
    if kind == "plain":
        # A transposed tensor: its elements are not in row-major order in the file.
        state["transposed"] = patterned((3, 5), torch.float32).t()
        state["optimizer"] = {"lr": 0.5, "names": ["a", "b"]}
        writer = dcp.FileSystemWriter(path)
    else:
        # This format is for one-dimensional names of tensors only.
        writer = dcp.HuggingFaceStorageWriter(path, save_distributed=True)
    dcp.save(state, storage_writer=writer)
    dist.barrier()
    dist.destroy_process_group()


def make(kind):
    path = HERE / kind
    shutil.rmtree(path, ignore_errors=True)
    with tempfile.TemporaryDirectory() as folder:
        # A path that says nothing about this machine is stored in the checkpoint.
        os.chdir(HERE)
        mp.spawn(save, (kind, kind, f"{folder}/rendezvous"), nprocs=RANKS)
    all_tensors = tensors()
    if kind == "plain":
        all_tensors["transposed"] = patterned((3, 5), torch.float32).t()
    text = json.dumps({"torch": torch.__version__, "tensors": expected(all_tensors)}, indent=1)
    (HERE / f"{kind}.json").write_text(text + "\n")


if __name__ == "__main__":
    for kind in sys.argv[1:] or ["plain", "safetensors"]:
        make(kind)
