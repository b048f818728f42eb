"""Puts the shared library and its headers into the wheel. A build hook of hatchling."""

import importlib.util
import json
import os
import pathlib
import platform
import re
import shutil
import subprocess
import sys
import sysconfig

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

HEADERS = ("shardspec.h", "shardspec_dlpack.h", "shardspec_mpi.h", "shardspec.json",
           "shardspec.schema.json", "shardspec.cdef.h")


TARGET = "SHARDSPEC_TARGET"
"""Rust's name of the machine that a wheel is for, if that is not this one. tools/wheels.py sets it."""


class SharedLibrary(BuildHookInterface):
    """Builds the library, and names the wheel after the systems that can load it."""

    def initialize(self, version, build_data):
        if self.target_name != "wheel":
            return
        root = pathlib.Path(self.root)
        library = build_library(root)
        if version == "editable":
            return  # The package finds library and header in the checkout.
        name = "libshardspec.0.dylib" if sys.platform == "darwin" else "libshardspec.so.0"
        place = pathlib.Path(self.directory) / name
        place.parent.mkdir(parents=True, exist_ok=True)
        without_debug_info(library, place)
        build_data["force_include"][str(place)] = f"shardspec/{name}"
        for header in HEADERS:
            build_data["force_include"][str(root / "include" / header)] = (
                f"shardspec/include/{header}")
        build_data["pure_python"] = False
        native = native_build(root).build(self.directory)
        if native is not None:
            build_data["force_include"][str(native)] = f"shardspec/{native.name}"
        # Without that module, nothing knows of Python's own binary interface, so any Python 3 will do.
        python = "py3-none" if native is None else "cp310-abi3"
        binaries = [library] if native is None else [library, native]
        build_data["tag"] = f"{python}-{platform_tag(binaries)}"

    def finalize(self, version, build_data, artifact_path):
        for pattern in ("libshardspec.*", "_native.*"):
            for binary in pathlib.Path(self.directory).glob(pattern):
                binary.unlink()


def native_build(root):
    """The script that builds the module in C."""
    spec = importlib.util.spec_from_file_location("native_build", root / "python/native/build.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    return script


def build_library(root):
    """The shared library, where cargo says that it put it."""
    cargo = os.environ.get("CARGO", "cargo")
    target = ["--target", os.environ[TARGET]] if os.environ.get(TARGET) else []
    command = [cargo, "build", "--release", "--locked", "--lib", *target, "--message-format",
               "json-render-diagnostics"]
    try:
        done = subprocess.run(command, cwd=root, check=True, stdout=subprocess.PIPE, text=True)
    except FileNotFoundError:
        raise SystemExit(f"shardspec is built from Rust, and there is no '{cargo}' here: install "
                         "Rust (https://rustup.rs), then try again") from None
    artifacts = map(json.loads, done.stdout.splitlines())
    (library,) = [pathlib.Path(name) for artifact in artifacts
                  if artifact["reason"] == "compiler-artifact"
                  and "cdylib" in artifact["target"]["crate_types"]
                  for name in artifact["filenames"] if name.endswith((".so", ".dylib"))]
    return library


def without_debug_info(library, place):
    """Copies the library, without debug information where there is a tool to take it out."""
    if os.environ.get(TARGET) or sys.platform == "darwin" or shutil.which("strip") is None:
        shutil.copyfile(library, place)
    else:
        subprocess.run(["strip", "--strip-unneeded", "-o", str(place), str(library)], check=True)


def platform_tag(binaries):
    """The oldest system that has all that the binaries ask of the C library.

    For glibc that is told by the versions of its symbols (PEP 600): the tag is manylinux with the
    newest of them. Elsewhere it is this system.
    """
    if not sys.platform.startswith("linux") or platform.libc_ver()[0] != "glibc":
        return re.sub(r"[-.]", "_", sysconfig.get_platform())
    needed = [version for binary in binaries
              for version in re.findall(rb"GLIBC_(\d+)\.(\d+)", binary.read_bytes())]
    major, minor = max((int(major), int(minor)) for major, minor in needed)
    machine = os.environ.get(TARGET, platform.machine()).partition("-")[0]
    return f"manylinux_{major}_{minor}_{machine}"
