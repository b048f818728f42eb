"""Running commands as a user would, with the tools that the tests fetched."""

import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOOLS = pathlib.Path(sys.executable).parent


def run(*command, environment=None, **options):
    """A finished command. make's own variables are not for the makes and builds that it starts."""
    inherited = {name: value for name, value in os.environ.items()
                 if name not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "DESTDIR")}
    path = f"{TOOLS}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run([str(word) for word in command], capture_output=True, text=True,
                          env={**inherited, "PATH": path, **(environment or {})}, **options)


def output(*command, **options):
    """What a command prints; it must succeed."""
    done = run(*command, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def make(target, **variables):
    return output("make", target, *(f"{name}={value}" for name, value in variables.items()), cwd=ROOT)


def header_constant(name):
    header = (ROOT / "include/shardspec.h").read_text()
    (value,) = re.findall(rf"^#define {name} (.*)$", header, re.M)
    return value.strip('"')
