"""Compares the steps of functions for n and for 4 n shards: check_growth.py VALGRIND PROGRAM.

The steps are instructions, as callgrind counts them, so that they are the same on each machine. They may grow as
x * log(x), where x is the number of shards and of items of the answer, with a quarter more. Few steps for each
are allowed in any case: a copy of many bytes takes other instructions than one of few.
"""

import collections
import math
import pathlib
import re
import subprocess
import sys
import tempfile

ALLOWED = 1.25
FEW = 64


def counts(valgrind, program):
    """For each function, its steps by the number of shards and of the answer together."""
    with tempfile.TemporaryDirectory() as folder:
        command = [valgrind, "--tool=callgrind", "--quiet", f"--callgrind-out-file={folder}/out", program]
        subprocess.run(command, check=True)
        found = collections.defaultdict(dict)
        for file in pathlib.Path(folder).iterdir():
            text = file.read_text()
            name = re.search(r"^desc: Trigger: Client Request: (.*) (\d+) (\d+)$", text, re.M)
            steps = re.search(r"^(?:totals|summary): (\d+)", text, re.M)
            if name and steps and name[1].startswith("shardspec_"):
                found[name[1]][int(name[2]) + int(name[3])] = int(steps[1])
    return found


def main():
    found = counts(*sys.argv[1:])
    failed = 0
    most = 0
    for name, steps in sorted(found.items()):
        (few, few_steps), (many, many_steps) = sorted(steps.items())
        allowed = ALLOWED * many * math.log2(many) / (few * math.log2(few))
        grown = many_steps / few_steps
        is_bad = grown > allowed and many_steps > FEW * many
        failed += is_bad
        if many_steps > FEW * many:
            most = max(most, grown * few / many)
        verdict = "TOO MANY" if is_bad else "fine"
        print(f"{name}: {few}: {few_steps}, {many}: {many_steps}; {grown:.2f} of {allowed:.2f}, {verdict}")
    functions = {re.split(r"\W", name)[0] for name in found}
    print(f"{len(functions)} functions, {len(found)} cases, {failed} grow faster than n log n")
    print(f"four times as many: at most {most:.2f} times as many steps for each")
    if failed or len(functions) < 100:
        sys.exit(1)


if __name__ == "__main__":
    main()
