"""`make test-runtimes` says what it ran, and fails when an example does what it should not."""

import sys

import pytest

from commands import ROOT

sys.path.insert(0, str(ROOT / "tools"))
import runtimes


@pytest.fixture
def page(tmp_path, monkeypatch):
    """A page with one block for sh, and a prefix with a library, which the block does not use."""
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib/libshardspec.so.0").touch()
    monkeypatch.setattr(runtimes, "FETCHED", tmp_path / "fetched")
    monkeypatch.setattr(runtimes, "PAGE", tmp_path / "page.md")
    (tmp_path / "page.md").write_text("```sh x\necho it works\n```\n\n```text\nit works\n```\n")

    def run_with(*command):
        monkeypatch.setattr(runtimes, "RUNTIMES",
                            {"sh x": (lambda environment: [list(command)], "example.sh")})
        return runtimes.main(tmp_path)

    return run_with


def test_a_runtime_whose_program_prints_what_it_should_passes(page, capsys):
    assert page("sh", "example.sh") == 0
    assert "ran sh x" in capsys.readouterr().out


@pytest.mark.parametrize("command", [["false"], ["echo", "other"], ["/no/such/program"]])
def test_a_runtime_whose_program_fails_or_prints_something_else_fails_the_run(page, command, capsys):
    assert page(*command) == 1
    assert "FAILED sh x" in capsys.readouterr().out


def test_a_runtime_that_cannot_be_fetched_is_reported_by_name(page, monkeypatch, capsys, tmp_path):
    def unavailable(environment):
        runtimes.fetch(tmp_path, "sh", "-c", "echo no such package >&2; exit 1")

    monkeypatch.setattr(runtimes, "RUNTIMES", {"sh x": (unavailable, "example.sh")})
    assert runtimes.main(tmp_path) == 0
    printed = capsys.readouterr().out
    assert "NOT RUN sh x" in printed and "no such package" in printed and "not run: sh x" in printed


def test_every_example_and_every_block_is_run(monkeypatch):
    examples = {name for name, (_, *files) in runtimes.RUNTIMES.items() if not files}
    assert examples == {path.name for path in runtimes.EXAMPLES.iterdir() if path.is_dir()}
    assert set(runtimes.blocks()) == set(runtimes.RUNTIMES) - examples


def test_examples_use_nothing_but_what_is_installed():
    for path in runtimes.EXAMPLES.rglob("*.*"):
        text = path.read_text()
        assert "../" not in text and "target/" not in text and "libshardspec.a" not in text, path
