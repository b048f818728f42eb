"""Makes the copy of the library that has all changes, and its test programs."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WORK = ROOT / "target" / "mutants"
COPY = WORK / "copy"
LIST = WORK / "list.txt"
# Keys of changes that the compiler refuses.
DROPPED = WORK / "dropped.txt"

MODULES = ("geometry", "plan", "transfer")
# Modules that are only compiled for tests.
TESTS = ("tests.rs", "growth.rs")
# Beside the tests inside the library.
PROGRAMS = ("layouts", "plans", "copy", "validation_properties", "comm")

# A test runs thousands of times, so it has fewer random cases: these are divided by this number.
FEWER = 8
# Those of these files count their cases of each kind, and need all.
ALL_CASES = (
    "layouts/extents.rs", "layouts/infer_grids.rs", "layouts/linked_tensors.rs", "plan/tests.rs", "plans/answers.rs",
    "plans/reads.rs",
)

ENVIRONMENT = {
    **os.environ,
    "CARGO_TARGET_DIR": str(WORK / "build"),
    # The copy is built once, and run thousands of times.
    "CARGO_PROFILE_CHECKED_OPT_LEVEL": "1",
    # Changed code has warnings; so has code that nothing calls without the C border.
    "RUSTFLAGS": "--cap-lints allow",
}


def copy_if_changed(source: Path, text: str | None = None) -> None:
    """A file with the time of its last change: cargo compiles what is newer than its program."""
    target = COPY / source.relative_to(ROOT)
    new = source.read_bytes() if text is None else text.encode()
    if target.exists() and target.read_bytes() == new:
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(new)


def fewer_cases(path: Path) -> str:
    """A file, with the numbers of random cases divided if it is a test."""
    text = path.read_text()
    is_test = ROOT / "tests" in path.parents or path.name == "tests.rs"
    if not is_test or f"{path.parent.name}/{path.name}" in ALL_CASES:
        return text
    text = re.sub(r"(for \w+ in 0\.\.)([0-9_]{3,}) \{", rf"\1\2 / {FEWER} {{", text)
    return re.sub(r"with_cases\(([0-9_]{3,})\)", rf"with_cases(\1 / {FEWER})", text)


def copy_sources() -> list[str]:
    """Copies all that is not changed; returns the files that are."""
    changed = [path for module in MODULES for path in sorted((ROOT / "src" / module).rglob("*.rs"))]
    changed = [path for path in changed if path.name not in TESTS]
    library = ROOT / "src/lib.rs"
    for folder in ("src", "tests", "abi", "include", "models", "docs"):
        for path in (ROOT / folder).rglob("*"):
            if path.is_file() and path not in (*changed, library):
                copy_if_changed(path, fewer_cases(path) if path.suffix == ".rs" else None)
    copy_if_changed(ROOT / "build.rs")
    # Cargo takes out the packages of other members.
    if not (COPY / "Cargo.lock").exists():
        copy_if_changed(ROOT / "Cargo.lock")
    manifest = (ROOT / "Cargo.toml").read_text()
    manifest = re.sub(r'members = \[.*\]', "members = []", manifest)
    copy_if_changed(ROOT / "Cargo.toml", re.sub(r"(?s)\[lints\.rust\].*", "", manifest))
    # No test of geometry, plans or transfers is above the C border; it takes a third of the time to compile.
    text = library.read_text().replace("#[cfg(not(loom))]\npub mod ffi;\n", "")
    copy_if_changed(library, text + "\n#[doc(hidden)]\npub mod mutant;\n")
    shutil.copy2(ROOT / "mutants/selected.rs", COPY / "src/mutant.rs")
    return [str(path.relative_to(ROOT)) for path in changed]


def rewrite(files: list[str]) -> None:
    environment = {**os.environ, "CARGO_TARGET_DIR": str(WORK / "tool")}
    manifest = ROOT / "mutants/Cargo.toml"
    command = ["cargo", "run", "--quiet", "--locked", "--manifest-path", manifest, "--"]
    subprocess.run([*command, LIST, DROPPED, ROOT, COPY, *files], env=environment, check=True)


def changes() -> dict[int, str]:
    """The key of each change by its number."""
    lines = (line.split("\t", 2) for line in LIST.read_text().splitlines())
    return {int(number): key for number, _, key in lines}


def places() -> dict[int, int]:
    """The line of each change by its number."""
    lines = (line.split("\t", 2) for line in LIST.read_text().splitlines())
    return {int(number): int(place) for number, place, _ in lines}


def refused(messages: str) -> set[int]:
    """The numbers of the changes that an error of the compiler is in."""
    numbers: set[int] = set()
    for line in messages.splitlines():
        message = json.loads(line).get("message")
        if not isinstance(message, dict) or message.get("level") != "error" or not message["spans"]:
            continue
        spans = sorted(message["spans"], key=lambda span: not span["is_primary"])
        found = next(filter(None, (changes_around(span) for span in spans)), None)
        if found is None:
            sys.exit(f"an error is in no change:\n{message['rendered']}")
        numbers |= found
    return numbers


def changes_around(span: dict) -> set[int]:
    """The changes whose text has a span; or those whose original does, the innermost."""
    text = (COPY / span["file_name"]).read_bytes()
    start, end = span["byte_start"], span["byte_end"]
    inside = {
        int(change[1])
        for change in re.finditer(rb"(?s)/\*<(\d+)\*/.*?/\*>\1\*/", text)
        if change.start() <= start and end <= change.end()
    }
    if inside:
        return inside
    before = re.findall(rb"/\*>(\d+)\*/", text[max(0, start - 400) : end])
    return {int(before[-1])} if before else set()


def build() -> list[tuple[str, Path]]:
    """The test programs, by name. Changes that the compiler refuses are left out."""
    WORK.mkdir(parents=True, exist_ok=True)
    files = copy_sources()
    while True:
        rewrite(files)
        command = ["cargo", "check", "--profile", "checked", "--lib", "--message-format=json"]
        done = subprocess.run(command, cwd=COPY, env=ENVIRONMENT, capture_output=True, text=True)
        if done.returncode == 0:
            break
        keys = changes()
        numbers = refused(done.stdout)
        if not numbers:
            sys.exit(done.stderr)
        print(f"the compiler refuses {len(numbers)} of {len(keys)} changes", flush=True)
        with DROPPED.open("a") as dropped:
            dropped.writelines(keys[number] + "\n" for number in sorted(numbers))
    return test_programs()


def test_programs() -> list[tuple[str, Path]]:
    command = ["cargo", "test", "--no-run", "--profile", "checked", "--message-format=json", "--lib"]
    command += [word for name in PROGRAMS for word in ("--test", name)]
    done = subprocess.run(command, cwd=COPY, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True, check=True)
    artifacts = (json.loads(line) for line in done.stdout.splitlines())
    made = [artifact for artifact in artifacts if artifact.get("executable")]
    return [(artifact["target"]["name"], Path(artifact["executable"])) for artifact in made]
