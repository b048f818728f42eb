#!/usr/bin/env python3
"""Mutation tests: `mutants/run.py MODULE [SHARD]`, where MODULE is geometry, plan or transfer, and SHARD is as 0/4.

A change of an operator, a function, an arm or a statement is missed if all tests that reach it pass. All changes are
compiled into one copy of the library in `target/mutants`, and an environment variable selects one. Each test is run
by itself: first with none, to find the changes that it reaches; then those that reach a change run with it, until one
fails. Tests that take longer than `--limit` seconds, at first 2, are left out. Results stay in
`target/mutants/results`; a change that has one is not tested again. `--again` tests only those that were missed and
are not explained. `--build` stops after the build.

A missed change is equivalent if no answer depends on it, such as an estimate. `mutants/equivalent.txt` lists these
with their reasons.
"""

from __future__ import annotations

import argparse
import collections
import concurrent.futures
import hashlib
import json
import os
import re
import resource
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from results import SURVIVED, Results, entries, report

import build

PROCESSES = 2
# Tests that count steps take minutes without optimization, and those of faults wait for ranks that are gone. Pictures,
# texts, kernels and locks are above and below.
LEFT_OUT = (
    "growth::", "pictures::", "notation", "interchange::", "host::", "sync::", "memory::", "draw::", "kernels::",
    "ops::", "scale::", "faults::",
)
RECORDED = build.WORK / "recorded.txt"
MAX_CHANGES = 1 << 20
# Of processor time, so that a busy machine changes nothing: a test that takes longer does not end.
MIN_SECONDS = 3
TIMES_LONGER = 20
# Of a wait for a lock.
MAX_WAIT = 180
MAX_MEMORY = 6 << 30
SETTINGS = {"PROPTEST_RNG_SEED": "1", "PROPTEST_DISABLE_FAILURE_PERSISTENCE": "1", "RUST_BACKTRACE": "0"}


@dataclass
class Test:
    program: str
    path: Path
    name: str
    outcome: str = ""
    seconds: float = 0.0
    reached: frozenset[int] = frozenset()
    # By the function that is changed.
    kills: collections.Counter[str] = field(default_factory=collections.Counter)
    runs: collections.Counter[str] = field(default_factory=collections.Counter)

    def cost(self, function: str) -> float:
        """Seconds for each change that it is likely to find."""
        return (self.seconds + 0.02) * (self.runs[function] + 4) / (self.kills[function] + 1)

    def run(self, selected: str, limit: float, reached: Path | None = None) -> tuple[str, float]:
        """Passed, failed or endless; and seconds of processor time."""
        environment = {**os.environ, **SETTINGS, "MUTANT": selected}
        if reached:
            environment["MUTANT_REACHED"] = str(reached)

        command = [self.path, "--exact", self.name, "--test-threads", "1", "--quiet"]
        program = subprocess.Popen(
            command, cwd=build.COPY, env=environment,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        resource.prlimit(program.pid, resource.RLIMIT_CPU, (int(limit), int(limit) + 1))
        resource.prlimit(program.pid, resource.RLIMIT_AS, (MAX_MEMORY, MAX_MEMORY))
        timer = threading.Timer(MAX_WAIT, program.kill)
        timer.start()
        _, status, usage = os.wait4(program.pid, 0)
        timer.cancel()
        program.returncode = os.waitstatus_to_exitcode(status)
        seconds = usage.ru_utime + usage.ru_stime
        if program.returncode == 0:
            return "passed", seconds
        return ("endless" if program.returncode in (-9, -24) else "failed"), seconds


def is_left_out(name: str) -> bool:
    return any(f"::{word}" in f"::{name}" for word in LEFT_OUT)


def list_tests(programs: list[tuple[str, Path]]) -> list[Test]:
    tests = []
    for program, path in programs:
        listed = subprocess.run([path, "--list", "--format", "terse"], capture_output=True, text=True, check=True)
        names = [line.removesuffix(": test") for line in listed.stdout.splitlines() if line.endswith(": test")]
        tests += [Test(program, path, name) for name in names if not is_left_out(name)]
    return tests


def record_all(programs: list[tuple[str, Path]], limit: float) -> list[Test]:
    """The tests, each with the changes that it reaches. They are recorded once for each build of a program."""
    known = {}
    for line in RECORDED.read_text().splitlines() if RECORDED.exists() else []:
        key, *rest = json.loads(line)
        known[tuple(key)] = rest
    digests = {path: hashlib.sha256(path.read_bytes()).hexdigest()[:16] for _, path in programs}
    lock = threading.Lock()

    def record(test: Test) -> Test:
        key = (test.program, test.name, digests[test.path])
        is_cut_short = key in known and known[key][0] == "endless" and known[key][1] < limit
        if key not in known or is_cut_short:
            known[key] = run_to_record(test, limit)
            with lock, RECORDED.open("a") as file:
                file.write(json.dumps([key, *known[key]]) + "\n")
        test.outcome, test.seconds, reached = known[key]
        test.reached = frozenset(reached)
        return test

    with concurrent.futures.ThreadPoolExecutor(PROCESSES) as pool:
        return list(pool.map(record, list_tests(programs)))


def usable(tests: list[Test]) -> list[Test]:
    for test in tests:
        if test.outcome != "passed":
            why = "fails with no change" if test.outcome == "failed" else f"takes over {test.seconds:.0f} s"
            print(f"is left out, because it {why}: {test.program} {test.name}")
    return [test for test in tests if test.outcome == "passed"]


def run_to_record(test: Test, limit: float) -> tuple[str, float, list[int]]:
    """Runs a test with no change, and notes what it reaches."""
    reached = build.WORK / f"reached-{threading.get_ident()}"
    reached.write_bytes(bytes(MAX_CHANGES))
    outcome, seconds = test.run("record", limit, reached)
    numbers = [match.start() for match in re.finditer(b"\x01", reached.read_bytes())]
    reached.unlink()
    return outcome, limit if outcome == "endless" else seconds, numbers


def test_change(number: int, key: str, tests: list[Test]) -> str:
    """Runs the tests that reach a change, until one finds it."""
    function = "\t".join(key.split("\t")[:2])
    reaching = sorted((test for test in tests if number in test.reached), key=lambda test: test.cost(function))
    for test in reaching:
        outcome, _ = test.run(str(number), max(MIN_SECONDS, TIMES_LONGER * test.seconds))
        test.runs[function] += 1
        if outcome != "passed":
            test.kills[function] += 1
            return f"{outcome}: {test.program} {test.name}"
    return "missed" if reaching else "not reached"


def main() -> None:
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("module", choices=build.MODULES)
    parser.add_argument("shard", nargs="?", default="0/1")
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--limit", type=int, default=2)
    parser.add_argument("--build", action="store_true")
    options = parser.parse_args()
    programs = build.build()
    if options.build:
        return
    keys = {number: key for number, key in build.changes().items() if key.startswith(f"src/{options.module}/")}
    shard, shards = map(int, options.shard.split("/"))
    results = Results(build.WORK / "results" / f"{options.module}.txt")
    mine = [number for at, number in enumerate(keys) if at % shards == shard and keys[number] not in results.known]
    if options.again:
        explained = entries(options.module)
        survivors = (number for number, key in keys.items() if results.known.get(key) in SURVIVED)
        mine = [number for number in survivors if not any(entry.matches(keys[number]) for entry in explained)]
    if mine:
        run(mine, usable(record_all(programs, options.limit)), keys, results)
    sys.exit(0 if report(options.module, keys, build.places(), results.known) else 1)


def run(numbers: list[int], tests: list[Test], keys: dict[int, str], results: Results) -> None:
    with concurrent.futures.ThreadPoolExecutor(PROCESSES) as pool:
        print(f"{len(tests)} tests, {sum(test.seconds for test in tests):.1f} s; {len(numbers)} changes", flush=True)
        begin = time.monotonic()
        ready = {pool.submit(test_change, number, keys[number], tests): number for number in numbers}
        for count, future in enumerate(concurrent.futures.as_completed(ready), 1):
            results.add(keys[ready[future]], future.result())
            if count % 100 == 0:
                print(f"{count} of {len(numbers)} changes after {time.monotonic() - begin:.0f} s", flush=True)


if __name__ == "__main__":
    main()
