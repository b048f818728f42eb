"""Compares what functions need for n and for 4 n shards: check_growth.py VALGRIND PROGRAM.

The steps are instructions, as callgrind counts them, so that they are the same on each machine. The memory is the
most that a call had allocated at the same time. Both may grow as x * log(x), where x is the number of shards and of
items of the answer, with a quarter more. The steps of checkpoints and collectives may only grow as x, with a fifth
more: they sort and search little, so that growth as x * x is seen sooner. Few steps and bytes for each are allowed in
any case: a copy of many bytes takes other instructions than one of few, and a table may double its room.
"""

import collections
import math
import pathlib
import re
import subprocess
import sys
import tempfile

ALLOWED = 1.25
NEARLY_LINEAR = re.compile("shardspec_(checkpoint|comm|transfer)_")
ALLOWED_IF_LINEAR = 1.2
# For each shard and item.
FEW = {"steps": 64, "bytes": 64}


def counts(valgrind, program):
    """For each function and what it needs, the amounts by the number of shards and of the answer together."""
    with tempfile.TemporaryDirectory() as folder:
        command = [valgrind, "--tool=callgrind", "--quiet", f"--callgrind-out-file={folder}/out", program]
        subprocess.run(command, check=True)
        found = collections.defaultdict(dict)
        for file in pathlib.Path(folder).iterdir():
            text = file.read_text()
            name = re.search(r"^desc: Trigger: Client Request: (.*) (\d+) (\d+) (\d+)$", text, re.M)
            steps = re.search(r"^(?:totals|summary): (\d+)", text, re.M)
            if name and steps and name[1].startswith("shardspec_"):
                size = int(name[2]) + int(name[3])
                found[name[1], "steps"][size] = int(steps[1])
                found[name[1], "bytes"][size] = int(name[4])
        return found


def allowed_growth(name, unit, few, many):
    if unit == "steps" and NEARLY_LINEAR.match(name):
        return ALLOWED_IF_LINEAR * many / few
    return ALLOWED * many * math.log2(many) / (few * math.log2(few))


def main():
    found = counts(*sys.argv[1:])
    failed = 0
    most = dict.fromkeys(FEW, 0)
    for (name, unit), amounts in sorted(found.items()):
        (few, before), (many, after) = sorted(amounts.items())
        allowed = allowed_growth(name, unit, few, many)
        grown = after / max(before, 1)
        is_large = after > FEW[unit] * many
        is_bad = is_large and grown > allowed
        failed += is_bad
        if is_large:
            most[unit] = max(most[unit], grown * few / many)
        verdict = "TOO MANY" if is_bad else "fine"
        print(f"{name}: {unit} for {few}: {before}, {many}: {after}; {grown:.2f} of {allowed:.2f}, {verdict}")
    functions = {re.split(r"\W", name)[0] for name, _ in found}
    print(f"{len(functions)} functions, {len(found) // 2} cases, {failed} grow faster than allowed")
    for unit, times in most.items():
        print(f"with four times as many, at most {times:.2f} times as many {unit} for each")
    if failed or len(functions) < 115:
        sys.exit(1)


if __name__ == "__main__":
    main()
