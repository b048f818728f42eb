"""Runs a program that runs the scenarios, and fails where it fails or does not name, at the begin of a line,
every function that the header declares."""

import re
import subprocess
import sys

header, *program = sys.argv[1:]
text = re.sub(r"/\*.*?\*/", "", open(header).read(), flags=re.S)
declared = set(re.findall(r"\b(shardspec_\w+)\(", text))
done = subprocess.run(program, stdout=subprocess.PIPE, text=True)
print(done.stdout, end="")
if done.returncode != 0:
    sys.exit(f"{program[0]} ended with {done.returncode}")
called = {line.split()[0] for line in done.stdout.splitlines() if line.startswith("shardspec_")}
assert len(declared) > 50, f"only {len(declared)} functions found in the header"
missing = sorted(declared - called)
if missing:
    sys.exit(f"no scenario calls {', '.join(missing)}")
