"""The wheel: what is in it, where it can be installed, and that the package works there."""

import pathlib
import re
import sys
import zipfile

import numpy
import pytest

from commands import ROOT, header_constant, output, run

PACKAGE = ROOT / "python/tests/package"


def native():
    """The module in C, if this Python can build it."""
    script = ROOT / "python/native/build.py"
    missing = run(sys.executable, "-c", f"import runpy; print(runpy.run_path({str(script)!r})['missing']())")
    return {"shardspec/_native.abi3.so"} if missing.stdout.strip() == "None" else set()


def test_the_wheel_carries_the_library_and_its_headers(wheel):
    names = {name for name in zipfile.ZipFile(wheel).namelist() if "dist-info" not in name}
    package = ROOT / "python/shardspec"
    sources = {path.relative_to(package.parent).as_posix() for path in package.iterdir()
               if path.suffix in (".py", ".typed")}
    assert names == sources | native() | {"shardspec/libshardspec.so.0", "shardspec/include/shardspec.h",
                               "shardspec/include/shardspec.cdef.h",
                               "shardspec/include/shardspec.json",
                               "shardspec/include/shardspec.schema.json",
                               "shardspec/include/shardspec_dlpack.h",
                               "shardspec/include/shardspec_mpi.h"}
    header = zipfile.ZipFile(wheel).read("shardspec/include/shardspec.h").decode()
    assert header == (ROOT / "include/shardspec.h").read_text()


def test_the_wheel_says_its_version_and_where_it_runs(wheel, tmp_path):
    name, version, *tags = wheel.name.removesuffix(".whl").split("-")
    assert (name, version) == ("shardspec", header_constant("SHARDSPEC_VERSION"))
    python, abi, platform = tags
    assert (python, abi) == (("cp310", "abi3") if native() else ("py3", "none"))
    major, minor = map(int, re.fullmatch(r"manylinux_(\d+)_(\d+)_\w+", platform).groups())
    library = zipfile.ZipFile(wheel).extract("shardspec/libshardspec.so.0", tmp_path)
    binaries = [library, *(zipfile.ZipFile(wheel).extract(name, tmp_path) for name in native())]
    needed = {tuple(map(int, version)) for binary in binaries for version in re.findall(
        r"GLIBC_(\d+)\.(\d+)", output("readelf", "--version-info", binary))}
    assert max(needed) == (major, minor)
    # Where somebody should ask why.
    assert pathlib.Path(library).stat().st_size < 9 << 19


def test_the_package_needs_nothing_but_python(installed, tmp_path):
    printed = output(installed, "-I", PACKAGE / "alone.py", cwd=tmp_path)
    assert printed == "together again\n"


def test_the_packages_tests_pass_where_the_wheel_is_installed(installed, tmp_path, capsys):
    tools = pathlib.Path(numpy.__file__).parents[1]
    done = run(installed, "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", PACKAGE,
               cwd=tmp_path, environment={"PYTHONPATH": str(tools)})
    assert done.returncode == 0, done.stdout + done.stderr
    where = output(installed, "-c", "import shardspec; print(shardspec.__file__)", cwd=tmp_path)
    assert pathlib.Path(where).is_relative_to(installed.parents[1])
    left_out = set(re.findall(r"^SKIPPED .*\.py:\d+: (.*)", done.stdout, re.M))
    with capsys.disabled():
        print(f"\nwith the wheel: {done.stdout.splitlines()[-1]}", *sorted(left_out), sep="\n  ")


@pytest.mark.parametrize("arguments, shards", [(["4"], 4), (["7", "1"], 7), (["3", "-2"], 3)])
def test_the_example_cuts_a_mapped_file(installed, arguments, shards):
    tools = pathlib.Path(numpy.__file__).parents[1]
    printed = output(installed, ROOT / "examples/shard.py", ROOT / "examples/data/iris.npy",
                     *arguments, environment={"PYTHONPATH": str(tools)})
    *owned, last = printed.splitlines()
    assert last == "together again" and len(owned) == shards
    assert sum(int(line.split()[-2]) for line in owned) == 2400


def test_the_type_hints_hold():
    output(sys.executable, "-m", "mypy", "--strict", "--python-version", "3.10", "--cache-dir",
           ROOT / "target/mypy", ROOT / "python/shardspec")


def test_a_users_program_passes_a_strict_type_check(tmp_path):
    check = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", ROOT / "target/mypy"]
    environment = {"MYPYPATH": str(ROOT / "python")}
    output(*check, ROOT / "python/tests/user_program.py", environment=environment)
    # The hints are read: wrong uses are found.
    wrong = tmp_path / "wrong.py"
    wrong.write_text("import shardspec\nshardspec.empty((2,), 'int8').shape.no_such\nshardspec.find_gaps()\n")
    done = run(*check, wrong, environment=environment)
    assert done.stdout.count("error:") == 2, done.stdout


def test_the_tests_of_tensors_pass_without_the_module_in_c(installed, tmp_path):
    tools = pathlib.Path(numpy.__file__).parents[1]
    done = run(installed, "-m", "pytest", "-q", "-p", "no:cacheprovider", *(
        PACKAGE / f"test_{name}.py" for name in ("arrays", "copies", "dlpack", "interop", "lengths", "views")),
               cwd=tmp_path, environment={"PYTHONPATH": str(tools), "SHARDSPEC_PURE_PYTHON": "1"})
    assert done.returncode == 0, done.stdout + done.stderr


def test_without_a_compiler_or_headers_the_package_is_built_without_the_module_in_c(tmp_path):
    script = ROOT / "python/native/build.py"
    done = run(sys.executable, script, tmp_path, environment={"CC": "no-such-compiler"})
    assert done.returncode == 0 and not list(tmp_path.iterdir())
    assert "arrays are passed more slowly: " in done.stderr
    # Python's headers are where sysconfig says.
    program = (f"import runpy, sysconfig; sysconfig.get_path = lambda name: {str(tmp_path)!r}; "
               f"print(runpy.run_path({str(script)!r})['build']({str(tmp_path)!r}))")
    done = run(sys.executable, "-c", program)
    assert done.stdout == "None\n" and "install the headers of Python" in done.stderr


def test_without_cargo_the_build_says_what_is_missing(tmp_path):
    done = run(sys.executable, "-m", "pip", "wheel", "--no-build-isolation", "--no-deps", ROOT,
               "-w", tmp_path, environment={"CARGO": "no-such-cargo"})
    assert done.returncode != 0
    assert "there is no 'no-such-cargo' here: install Rust" in done.stdout + done.stderr
