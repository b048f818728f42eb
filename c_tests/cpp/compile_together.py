"""Compiles all C++ tests as one file, each in a namespace of its own, so that the compiler reads the
headers once: reading them is most of what it does.

A test that specializes a template of the library can't be in a namespace, and stands at the end.
There may be one such test. In a namespace, `main` is a function like any other, and the compiler would
warn about a missing `return`."""

import argparse
import pathlib
import re
import subprocess
import sys

INCLUDE = re.compile(r"^#include .*$", re.M)
SPECIALIZATION = re.compile(r"^template <> struct shardspec::", re.M)


def together(tests):
    """The tests in one file. A header that is included already is empty inside of a namespace."""
    texts = {test: test.read_text() for test in tests}
    includes = dict.fromkeys(line for text in texts.values() for line in INCLUDE.findall(text))
    last = [test for test, text in texts.items() if SPECIALIZATION.search(text)]
    bodies = [f'namespace {test.stem} {{\n#include "{test}"\n}}' for test in tests if test not in last]
    return "\n".join([*includes, *bodies, *(f'#include "{test}"' for test in last), ""])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--tests", nargs="+", type=pathlib.Path, required=True)
    parser.add_argument("--compiler", nargs=argparse.REMAINDER, required=True)
    options = parser.parse_args()
    folder = pathlib.Path(__file__).parent
    compiler = [*options.compiler, "-I", folder, "-Wno-return-type", "-x", "c++", "-"]
    sys.exit(subprocess.run(compiler, input=together(options.tests), text=True).returncode)


if __name__ == "__main__":
    main()
