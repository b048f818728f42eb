"""Builds wheels for Linux that run on systems with an old C library, and checks them with auditwheel.

    python tools/wheels.py [x86_64] [aarch64]

Needs Rust with the targets (rustup target add aarch64-unknown-linux-gnu). The compiler and linker is zig, from
PyPI: it links against any version of glibc, for any processor. The wheels lie in target/wheels.
"""

import os
import pathlib
import stat
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
FOLDER = ROOT / "target/wheels"
TOOLS = ["ziglang==0.17.1", "auditwheel==6.8.2", "hatchling==1.33.0"]
GLIBC = "2.28"
"""Symbols of this version are used, so no older one would do."""
MACHINES = ("x86_64", "aarch64")

# What the library takes from the unwinder of the system, so that exceptions of C++ pass its frames. zig would link
# an unwinder of its own instead.
UNWINDER = """_Unwind_Backtrace _Unwind_DeleteException _Unwind_FindEnclosingFunction _Unwind_ForcedUnwind
_Unwind_GetCFA _Unwind_GetDataRelBase _Unwind_GetGR _Unwind_GetIP _Unwind_GetIPInfo
_Unwind_GetLanguageSpecificData _Unwind_GetRegionStart _Unwind_GetTextRelBase _Unwind_RaiseException
_Unwind_Resume _Unwind_Resume_or_Rethrow _Unwind_SetGR _Unwind_SetIP""".split()  # noqa: SIM905

LINKER = """#!/bin/sh
# Made by tools/wheels.py.
count=$#
while [ "$count" -gt 0 ]; do
  argument=$1
  shift
  [ "$argument" = -lgcc_s ] && argument={unwinder}
  set -- "$@" "$argument"
  count=$((count - 1))
done
exec {python} -m ziglang cc -target {machine}-linux-gnu.{glibc} -Wl,-s "$@"
"""


def run(*command, **environment):
    subprocess.run([str(word) for word in command], check=True, cwd=ROOT, env={**os.environ, **environment})


def tools():
    """A Python that has the tools."""
    python = FOLDER / "venv/bin/python"
    if not python.exists():
        run(sys.executable, "-m", "venv", FOLDER / "venv")
        run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *TOOLS)
    return python


def linker(python, machine):
    """A program that compiles and links for a machine."""
    folder = FOLDER / machine
    folder.mkdir(parents=True, exist_ok=True)
    program, unwinder = folder / "cc", folder / "libgcc_s.so.1"
    program.write_text(LINKER.format(python=python, machine=machine, glibc=GLIBC, unwinder=unwinder))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    if not unwinder.exists():
        source = folder / "unwinder.c"
        source.write_text("".join(f"void {name}(void) {{}}\n" for name in UNWINDER))
        run(program, "-shared", "-nostdlib", "-fPIC", "-Wl,-soname,libgcc_s.so.1", source, "-o", unwinder)
    return program


def build(python, machine):
    """Builds and checks the wheel for a machine."""
    program = linker(python, machine)
    triple = f"{machine}-unknown-linux-gnu"
    new = FOLDER / "new"
    new.mkdir(exist_ok=True)
    for old in new.glob("*.whl"):
        old.unlink()
    run(python, "-m", "pip", "wheel", "--quiet", "--no-build-isolation", "--no-deps", "-w", new, ROOT, CC=str(program),
        SHARDSPEC_TARGET=triple,
        **{f"CARGO_TARGET_{triple.upper().replace('-', '_')}_LINKER": str(program)})
    (wheel,) = new.glob("*.whl")
    shown = subprocess.run([python, "-m", "auditwheel", "show", wheel], check=True, capture_output=True, text=True)
    tag = wheel.stem.split("-")[-1]
    if f'"{tag}"' not in shown.stdout:
        raise SystemExit(f"{wheel.name}: auditwheel says otherwise:\n{shown.stdout}")
    wheel.replace(FOLDER / wheel.name)
    print(f"{FOLDER / wheel.name}: consistent with {tag}")


def main():
    python = tools()
    for machine in sys.argv[1:] or MACHINES:
        build(python, machine)


if __name__ == "__main__":
    main()
