"""Every code block of the documents is run, and prints what the document says."""

import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOCUMENTS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(document):
    """Language and text of each fenced block."""
    return re.findall(r"^```([^\n]*)\n(.*?)^```$", document.read_text(), re.M | re.S)


def printed(*command, **options):
    done = subprocess.run(command, capture_output=True, text=True, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def run_shell(line, program, folder):
    """A line of a shell block: make's targets must exist, the rest is run as it stands."""
    if line.startswith("make "):
        printed("make", "-n", *line.split()[1:], cwd=ROOT)
        return ""
    (folder / "example.c").write_text(program)
    for name in ("include", "target"):
        if not (folder / name).exists():
            (folder / name).symlink_to(ROOT / name)
    return printed("sh", "-c", line, cwd=folder)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_code_blocks_work_and_print_what_is_said(document, tmp_path):
    program, output = "", ""
    for language, text in blocks(document):
        if language == "c":
            program = text
        elif language == "sh":
            output = "".join(run_shell(line, program, tmp_path) for line in text.splitlines())
        elif language == "python":
            output = printed(sys.executable, "-c", text, cwd=ROOT)
        elif language == "text demo":
            demo = printed("target/c_tests/demo", "examples/data/iris.npy", "4", cwd=ROOT)
            assert demo.rstrip() == text.rstrip()
        elif language == "text":
            assert output == text
        else:
            pytest.fail(f"a block of language '{language}' is not run")


def test_the_readme_has_the_two_programs():
    languages = [language for language, _ in blocks(ROOT / "README.md")]
    assert {"c", "python", "sh", "text", "text demo"} <= set(languages)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document):
    for target in re.findall(r"\]\(([^)#]+)\)", document.read_text()):
        if not target.startswith("https://"):
            assert (document.parent / target).exists(), target


@pytest.mark.parametrize("arguments, problem", [
    (["missing.npy", "4"], "can't be opened"),
    (["README.md", "4"], "no .npy file"),
    (["examples/data/iris.npy", "0"], "RANKS is '0'"),
    (["examples/data/iris.npy", "4", "2"], "DIM is '2'"),
    (["examples/data/iris.npy", "4", "x"], "DIM is 'x'"),
])
def test_the_demo_says_what_is_wrong_with_its_arguments(arguments, problem):
    done = subprocess.run(["target/c_tests/demo", *arguments], cwd=ROOT, capture_output=True,
                          text=True)
    assert done.returncode == 2 and problem in done.stderr


@pytest.mark.parametrize("shape", [(), (7,), (0, 3), (2, 3, 4, 5), (1, 1)])
@pytest.mark.parametrize("order", ["C", "F"])
def test_the_demo_takes_arrays_of_the_users_own(shape, order, tmp_path):
    import numpy

    path = tmp_path / "x.npy"
    numpy.save(path, numpy.asarray(numpy.random.default_rng(5).random(shape), order=order))
    output = printed("target/c_tests/demo", str(path), "3", cwd=ROOT)
    assert output.count("bit for bit the same") == [0, 2, 3][min(len(shape), 2)]
    if shape:
        output = printed("target/c_tests/demo", str(path), "5", "-1", cwd=ROOT)
        assert output.count("bit for bit the same") == 1
