"""What was found of each change, and which changes are known to be equivalent."""

from __future__ import annotations

import collections
import threading
from dataclasses import dataclass, field
from pathlib import Path

import build

EQUIVALENT = build.ROOT / "mutants/equivalent.txt"
SURVIVED = ("missed", "not reached")


@dataclass
class Results:
    """The outcome of each change by its key, in a file that grows with each."""

    path: Path
    known: dict[str, str] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        for line in self.path.read_text().splitlines() if self.path.exists() else []:
            outcome, key = line.split("\t", 1)
            self.known[key] = outcome

    def add(self, key: str, outcome: str) -> None:
        with self.lock, self.path.open("a") as file:
            self.known[key] = outcome
            file.write(f"{outcome}\t{key}\n")


@dataclass
class Entry:
    """A line of `equivalent.txt`: file, function, text of the line and change; `*` is any."""

    fields: list[str]
    survivors: int = 0

    def matches(self, key: str) -> bool:
        return all(mine in ("*", theirs) for mine, theirs in zip(self.fields, key.split("\t"), strict=True))


def entries(module: str) -> list[Entry]:
    lines = [line for line in EQUIVALENT.read_text().splitlines() if line.startswith("  ")]
    fields = [line.strip().split(" @ ") for line in lines]
    return [Entry(one) for one in fields if one[0].startswith(f"src/{module}/")]


def report(module: str, keys: dict[int, str], lines: dict[int, int], known: dict[str, str]) -> bool:
    """Prints what was missed, and the totals; returns whether all is well."""
    equivalent = entries(module)
    totals: collections.Counter[str] = collections.Counter()
    for number, key in keys.items():
        outcome = known.get(key, "not tested").split(":")[0]
        if outcome in SURVIVED:
            entry = next((entry for entry in equivalent if entry.matches(key)), None)
            if entry:
                entry.survivors += 1
                outcome = "equivalent"
            else:
                file, function, text, what = key.split("\t")
                print(f"{outcome}: {file}:{lines[number]} @ {function} @ {text} @ {what}")
        totals[outcome] += 1
    needless = [] if totals["not tested"] else [entry for entry in equivalent if not entry.survivors]
    for entry in needless:
        print(f"mutants/equivalent.txt: no change survives that is {' @ '.join(entry.fields)}")
    print(f"{len(keys)} changes: " + ", ".join(f"{count} {outcome}" for outcome, count in sorted(totals.items())))
    return not needless and not any(totals[outcome] for outcome in SURVIVED)
