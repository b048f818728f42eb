#!/usr/bin/env python3
"""Weakens each ordering of the modelled code in turn and says which model finds it.

    models/weaken.py PROGRAM            all orderings, and what each model says
    models/weaken.py PROGRAM src/sync   those of a file or folder
    models/weaken.py PROGRAM --known    those of models/needed.txt: each must be found

An ordering is weakened in the model checker, not in the source: `models --weaken` says where. A model that passes
with a weaker ordering does not need the stronger one. models/README.md explains the orderings that no model needs.
"""

import collections
import concurrent.futures
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).parent
NEEDED = HERE / "needed.txt"
# A weaker ordering is found after some runs, or the model passes in about its usual time.
SECONDS = 60

WEAKER = {
    ("Load", "SeqCst"): ["Acquire", "Relaxed"],
    ("Load", "Acquire"): ["Relaxed"],
    ("Store", "SeqCst"): ["Release", "Relaxed"],
    ("Store", "Release"): ["Relaxed"],
    ("Change", "SeqCst"): ["AcqRel", "Relaxed"],
    ("Change", "AcqRel"): ["Acquire", "Release", "Relaxed"],
    ("Change", "Acquire"): ["Relaxed"],
    ("Change", "Release"): ["Relaxed"],
}


def text_at(place):
    """The source line of a place, which stays when lines above it change."""
    file, line, _ = place.rsplit(":", 2)
    return file, (HERE.parent / file).read_text().splitlines()[int(line) - 1].strip()


def run(program, *arguments):
    """The exit status and the output; a run that takes too long passes."""
    try:
        done = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        return None, ""
    return done.returncode, done.stdout


def sites_of(program, names):
    """For each ordering of the code, the models that use it."""
    users = collections.defaultdict(list)
    for name in names:
        for line in run(program, "--sites", name)[1].splitlines():
            users[tuple(line.split())].append(name)
    return users


def finder(program, place, argument, weaker, names):
    """The first model that fails with the weaker ordering."""
    for name in names:
        status, _ = run(program, "--weaken", place, argument, weaker, name)
        if status not in (0, None):
            return name
    return None


def main():
    program = sys.argv[1]
    names = run(program, "--list")[1].split()
    users = sites_of(program, names)
    cases = [
        (place, argument, access, ordering, weaker)
        for (place, argument, access, ordering) in sorted(users)
        for weaker in WEAKER.get((access, ordering), [])
    ]
    needed = [line.split("\t") for line in NEEDED.read_text().splitlines() if line and line[0] != "#"]
    if "--known" in sys.argv:
        # The model that is known to find it is asked first.
        known = {(file, text, argument, weaker): name for file, text, argument, weaker, name in needed}
        key = lambda case: (*text_at(case[0]), case[1], case[4])  # noqa: E731
        missing = known.keys() - {key(case) for case in cases}
        for file, text, argument, _ in sorted(missing):
            print(f"{file}: no access is `{text}` ({argument}): correct models/needed.txt")
        cases = [case for case in cases if key(case) in known]
    else:
        known, missing = {}, set()
        cases = [case for case in cases if case[0].startswith(tuple(sys.argv[2:]) or "")]
    lost = []
    with concurrent.futures.ThreadPoolExecutor(2) as pool:

        def work(case):
            place, argument, access, ordering, weaker = case
            first = known.get((*text_at(place), argument, weaker))
            models = [first] if first else users[place, argument, access, ordering]
            return finder(program, place, argument, weaker, models)

        for case, found in zip(cases, pool.map(work, cases), strict=True):
            place, argument, _, ordering, weaker = case
            file, text = text_at(place)
            if "--known" not in sys.argv:
                print(f"{file}\t{text}\t{argument}\t{ordering}\t{weaker}\t{found or '-'}", flush=True)
            elif not found:
                lost.append(case)
                print(f"{place}: {ordering} became {weaker}, and {known[file, text, argument, weaker]} passes")
    print(f"{len(cases)} weaker orderings, {len(lost)} of them not found")
    sys.exit(bool(lost or missing))


if __name__ == "__main__":
    main()
