"""Where things are, the library as ctypes sees it, and the package as it is installed."""

import importlib.util
import sys

import pytest

from commands import ROOT, output

if importlib.util.find_spec("shardspec") is None:
    sys.path.insert(0, str(ROOT / "python"))


@pytest.fixture(scope="session")
def root():
    return ROOT


@pytest.fixture(scope="session")
def lib():
    import binding

    return binding.Raw()


@pytest.fixture(scope="session")
def wheel(tmp_path_factory):
    """The package's wheel, built from this folder with the library that is built already."""
    folder = tmp_path_factory.mktemp("wheel")
    output(sys.executable, "-m", "pip", "wheel", "--no-build-isolation", "--no-deps", "-w", folder,
           ROOT)
    (built,) = folder.iterdir()
    return built


@pytest.fixture(scope="session")
def installed(wheel, tmp_path_factory):
    """A Python that has nothing but the wheel."""
    folder = tmp_path_factory.mktemp("installed")
    output(sys.executable, "-m", "venv", "--without-pip", folder)
    python = folder / "bin/python"
    output(sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", wheel)
    return python
