"""Every function of the header can be called from C++, and the C++ tests do call it."""

import argparse
import json
import re
import subprocess

# Reason: what it is for. Nothing else may be missing.
NOT_FOR_CPP = {
    "shardspec_runtime_ctx_destroy": "is passed by runtimes that a thread has to enter; C++ is none",
    "shardspec_error_init": "replaces a macro, which C++ has",
    "shardspec_error_message": "replaces a field, which C++ has",
    "shardspec_struct_init": "replaces macros, which C++ has",
    "shardspec_struct_size": "replaces sizeof, which C++ has",
    "shardspec_metadata_scatter_flat": "replaces views, which C++ passes as they are",
    "shardspec_metadata_gather_flat": "replaces views, which C++ passes as they are",
    "shardspec_metadata_extract_shard_flat": "replaces views, which C++ passes as they are",
    "shardspec_metadata_view_shard_flat": "replaces views, which C++ passes as they are",
    "shardspec_sharded_tensor_local_views_flat": "replaces views, which C++ passes as they are",
}

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--description", required=True)
parser.add_argument("--parts", nargs="+", required=True, help="shardspec.hpp and what it includes")
parser.add_argument("--tests", nargs="+", required=True, help="the sources of the programs")
parser.add_argument("--programs", nargs="+", required=True, help="in the order of the sources")
arguments = parser.parse_args()


def code(path):
    """What a file says to the compiler."""
    with open(path, encoding="utf-8") as file:
        return re.sub(r"/\*.*?\*/|//[^\n]*", "", file.read(), flags=re.S)


def needed(program):
    """What a program takes from libraries."""
    symbols = subprocess.run(["nm", "-D", "--undefined-only", program],
                             check=True, capture_output=True, text=True).stdout
    return {line.split()[-1] for line in symbols.splitlines()}


with open(arguments.description, encoding="utf-8") as file:
    sections = json.load(file)["sections"]
declared = {item["name"] for section in sections for item in section["items"]
            if item["kind"] == "function"}
wrapped = set().union(*(re.findall(r"\bshardspec_\w+", code(part)) for part in arguments.parts))
# What a test names itself is no call by way of the C++ interface.
reached = set().union(*(
    needed(program) - set(re.findall(r"\bshardspec_\w+(?=\()", code(test)))
    for test, program in zip(arguments.tests, arguments.programs, strict=True)))

assert len(declared) > 100, f"only {len(declared)} functions found"
assert NOT_FOR_CPP.keys() <= declared, f"exceptions that are not declared: {NOT_FOR_CPP.keys()}"
asked = declared - NOT_FOR_CPP.keys()
assert not asked - wrapped, f"shardspec.hpp does not call {sorted(asked - wrapped)}"
assert not asked - reached, f"no C++ test comes to call {sorted(asked - reached)}"
unneeded = (wrapped | reached) & NOT_FOR_CPP.keys()
assert not unneeded, f"not needed any more as exceptions: {sorted(unneeded)}"
print(f"{len(asked)} of {len(declared)} functions are called from C++, and by its tests")
