"""Every code block of the documents is run, and prints what the document says.

A block of C or C++ with a `main` is a program: the blocks after it build it as example.c or
example.cpp. The other blocks of that language in a document are, in their order, the body of one
program; "c file" and "cpp file" mark those that stand before it. The blocks of Python of a document
are, in their order, one program too, run by a Python that has the package. A block of text is what
the block before it prints; "text picture" is what nothing prints, and "text demo" a part of what
`make demo` prints. Blocks of Rust are tests of the crate's documentation. Those of other runtimes are
run by `make test-runtimes`, those of "python torch" and "python jax" by the package's tests, where there
is torch or JAX, and those of "sh command" and "text command" by a test of the command.
"""

import importlib.util
import json
import os
import pathlib
import re
import sys

import numpy
import pytest

from commands import ROOT, output, run

sys.path.insert(0, str(ROOT / "tools"))
import runtimes

GUIDE = [*sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "docs/worked").glob("*.md"))]
DOCUMENTS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *GUIDE]
PAGES = [*DOCUMENTS, ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs/reference").glob("*.md"))]

# A user runs make and pip in this folder; the tests run everything else elsewhere. `make test` is
# running already, and an array of the user's own is not there.
SHELL = f"""
pip() {{
  test "$*" != "install ." || set -- install --quiet --disable-pip-version-check {ROOT}
  command pip "$@"
}}
make() {{
  case "$*" in
    test | *FILE=*) set -- -n "$@" ;;
  esac
  command make -C {ROOT} "$@" > make.log 2>&1 || {{ cat make.log >&2; exit 1; }}
}}
"""
COMPILERS = {
    "c": ("cc", "-std=c11", "-Wall", "-Werror"),
    "cpp": ("c++", "-std=c++17", "-Wall", "-Wextra", "-Werror"),
}
FILE_SCOPE = {
    "c": """
#include <shardspec.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
""",
    "cpp": """
#include <shardspec.hpp>
#include <cstdio>
#include <iostream>
#include <stdexcept>
#include <string>
#include <vector>
""",
}
NEXT_BLOCK = "\x1e\n"


def blocks(document):
    """Language and text of each fenced block."""
    return re.findall(r"^```([^\n]*)\n(.*?)^```$", document.read_text(), re.M | re.S)


def is_program(text):
    return re.search(r"^int main\(", text, re.M) is not None


def outputs_of_snippets(language, document, folder):
    """What each block of C or C++ that is not a program prints, when they are run as one."""
    snippets = [(label, text) for label, text in blocks(document)
                if label in (language, f"{language} file") and not is_program(text)]
    body = f'fputs("{NEXT_BLOCK[0]}\\n", stdout);\n'.join(
        text for label, text in snippets if label == language)
    if not body:
        return iter(())
    before = "".join(text for label, text in snippets if label != language)
    source = folder / f"snippets.{language}"
    source.write_text(f"{FILE_SCOPE[language]}{before}\nint main() {{\n{body}\nreturn 0;\n}}\n")
    library = ROOT / "target/release"
    (with_dlpack,) = importlib.util.find_spec("tvm_ffi").submodule_search_locations
    output(*COMPILERS[language], "-I", ROOT / "include", "-isystem", f"{with_dlpack}/include",
           source, "-o", folder / "snippets",
           library / "libshardspec.so.0", f"-Wl,-rpath,{library}")
    return iter(output(folder / "snippets", cwd=folder).split(NEXT_BLOCK))


def outputs_of_python(document, folder, python):
    """What each block of Python prints, when they are run as one program.

    By the Python that the document says how to make, or one that is there. numpy is the tests' own.
    """
    snippets = [text for language, text in blocks(document) if language == "python"]
    if not snippets:
        return iter(())
    (folder / "snippets.py").write_text(f"print({NEXT_BLOCK[0]!r})\n".join(snippets))
    tools = pathlib.Path(numpy.__file__).parents[1]
    made = folder / "env/bin/python"
    return iter(output(made if made.exists() else python, "snippets.py", cwd=folder, environment={
        "PYTHONPATH": str(tools)}).split(NEXT_BLOCK))


def run_shell(text, folder):
    """A shell block, run in a folder that has the program, and a home of its own."""
    fetched = {name: os.environ.get(name, str(pathlib.Path.home() / default)) for name, default in (
        ("CARGO_HOME", ".cargo"), ("RUSTUP_HOME", ".rustup"), ("PIP_CACHE_DIR", ".cache/pip"))}
    for name in ("include", "target"):
        if not (folder / name).exists():
            (folder / name).symlink_to(ROOT / name)
    return output("sh", "-ec", SHELL + text, cwd=folder, environment={**fetched, "HOME": str(folder)})


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_code_blocks_work_and_print_what_is_said(document, installed, tmp_path):
    printed, python = "", None
    snippets = {name: outputs_of_snippets(name, document, tmp_path) for name in COMPILERS}
    for language, text in blocks(document):
        if language in COMPILERS and not is_program(text):
            assert not printed, f"the document does not say that this is printed: {printed}"
            printed = next(snippets[language])
        elif language in COMPILERS:
            (tmp_path / f"example.{language}").write_text(text)
        elif language == "cmake":
            (tmp_path / "CMakeLists.txt").write_text(text)
        elif language == "sh":
            printed = run_shell(text, tmp_path)
        elif language == "python":
            assert not printed, f"the document does not say that this is printed: {printed}"
            python = python or outputs_of_python(document, tmp_path, installed)
            printed = next(python)
        elif language == "text demo":
            demo = output("target/c_tests/demo", "examples/data/iris.npy", "4", cwd=ROOT)
            assert f"\n\n{text}\n" in demo
        elif language == "text":
            assert printed in (text, None)
            printed = ""
        elif language == "rust":
            assert f'include_str!("../docs/{document.name}")' in (ROOT / "src/lib.rs").read_text()
        elif language in ("sh command", "text command"):
            assert f"docs/{document.name}" in (ROOT / "cli/tests/tour.rs").read_text()
        elif language in runtimes.RUNTIMES:
            assert (document, printed) == (runtimes.PAGE, "")
            printed = None
        elif language in ("python torch", "python jax"):
            assert (document.name, printed) == ("torch-and-jax.md", "")
            printed = None
        elif language not in ("c file", "cpp file", "text picture"):
            pytest.fail(f"a block of language '{language}' is not run")
    assert not printed, f"the document does not say that this is printed: {printed}"


def test_the_readme_has_a_program_in_each_language_and_is_short():
    languages = [language for language, _ in blocks(ROOT / "README.md")]
    assert {"c", "cpp", "python", "sh", "text", "text demo"} <= set(languages)
    assert (ROOT / "README.md").read_text().count("\n") <= 140


def test_the_readme_names_only_runtimes_that_have_an_example():
    folders = {"Go": "go", "Java": "java", "C#": "csharp", "JavaScript": "node", "Fortran": "fortran",
               "LuaJIT": "luajit", "Julia": "julia", "Swift": "swift"}
    text = (ROOT / "README.md").read_text()
    named = {folder for name, folder in folders.items() if re.search(rf"\b{name}(?!\w)", text)}
    assert named == {path.name for path in runtimes.EXAMPLES.iterdir() if path.is_dir()}


def test_no_command_links_a_library_by_a_file_name_that_cgo_refuses():
    commands = [text for document in DOCUMENTS for label, text in blocks(document) if label == "sh"]
    assert any("-lshardspec" in text for text in commands)
    assert not any(re.search(r"\.so\.\d", text) for text in commands)


def test_the_guide_shows_the_example_for_mpi():
    example = (ROOT / "examples/mpi_shard.c").read_text()
    assert ("c", example) in blocks(ROOT / "docs/across-processes.md") and example.count("\n") <= 60


@pytest.mark.parametrize("page", sorted((ROOT / "docs/worked").glob("*.md")), ids=lambda path: path.name)
def test_worked_pages_solve_the_problem_in_each_language(page):
    languages = {language for language, _ in blocks(page)}
    assert {"c", "cpp", "python", "text picture"} <= languages
    headings = re.findall(r"^## (.*)$", page.read_text(), re.M)
    assert {"C", "C++", "Python", "What goes wrong by hand"} <= set(headings)
    assert any(heading.startswith("Sizes of real") for heading in headings)
    assert page.name in (ROOT / "docs/README.md").read_text()


def test_every_page_is_in_the_map_of_the_guide():
    listed = (ROOT / "docs/README.md").read_text()
    for page in GUIDE:
        name = page.relative_to(ROOT / "docs").as_posix()
        assert name == "README.md" or f"]({name})" in listed, name


def anchors(page):
    """Where a link into a page may lead: its headings, and what names itself."""
    text = page.read_text()
    headings = re.findall(r"^#+ (.*)$", text, re.M)
    slugs = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
    return slugs | set(re.findall(r'<a id="(\w+)">', text))


@pytest.mark.parametrize("document", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(document):
    prose = re.sub(r"^```.*?^```$", "", document.read_text(), flags=re.M | re.S)
    for target, anchor in re.findall(r"\]\(([^)#]*)#?([^)]*)\)", prose):
        if target.startswith("https://"):
            continue
        page = document.parent / target if target else document
        assert page.exists(), target
        assert not anchor or anchor in anchors(page), f"{target}#{anchor}"


def test_the_reference_is_what_the_header_says():
    sys.path.insert(0, str(ROOT / "tools"))
    import reference

    description = json.loads(reference.DESCRIPTION.read_text())
    pages = reference.pages(description)
    assert pages == {path.name: path.read_text() for path in reference.PAGES.iterdir()}
    names = {item["name"] for section in description["sections"] for item in section["items"]}
    assert len(names) > 100
    for name in names:
        assert sum(f"### `{name}`" in text or f'<a id="{name}">' in text
                   for text in pages.values()) == 1, name


def test_the_guide_says_what_to_do_about_every_status():
    page = (ROOT / "docs/reference/status-and-errors.md").read_text()
    statuses = set(re.findall(r"`SHARDSPEC_(\w+)` \| `\d+`", page)) - {
        "OK", "MESSAGE_CAPACITY", "ERROR_SHORT_SIZE"}
    assert len(statuses) > 20
    rows = "".join(re.findall(r"^\| `.*$", (ROOT / "docs/errors.md").read_text(), re.M))
    assert set(re.findall(r"`([A-Z_]+)`", rows)) == statuses


@pytest.mark.parametrize("arguments, problem", [
    (["missing.npy", "4"], "can't be opened"),
    (["README.md", "4"], "no .npy file"),
    (["examples/data/iris.npy", "0"], "RANKS is '0'"),
    (["examples/data/iris.npy", "4", "2"], "DIM is '2'"),
    (["examples/data/iris.npy", "4", "x"], "DIM is 'x'"),
])
def test_the_demo_says_what_is_wrong_with_its_arguments(arguments, problem):
    done = run("target/c_tests/demo", *arguments, cwd=ROOT)
    assert done.returncode == 2 and problem in done.stderr


@pytest.mark.parametrize("shape", [(), (7,), (0, 3), (2, 3, 4, 5), (1, 1)])
@pytest.mark.parametrize("order", ["C", "F"])
def test_the_demo_takes_arrays_of_the_users_own(shape, order, tmp_path):
    path = tmp_path / "x.npy"
    numpy.save(path, numpy.asarray(numpy.random.default_rng(5).random(shape), order=order))
    printed = output("target/c_tests/demo", path, "3", cwd=ROOT)
    assert printed.count("bit for bit the same") == 2 + min(len(shape), 2)
    if shape:
        printed = output("target/c_tests/demo", path, "5", "-1", cwd=ROOT)
        assert printed.count("bit for bit the same") == 1
