"""Runs a program that runs the scenarios, and fails where it fails or does not name, at the begin of a line,
every function that the description declares."""

import json
import subprocess
import sys

description, *program = sys.argv[1:]
with open(description, encoding="utf-8") as file:
    sections = json.load(file)["sections"]
declared = {item["name"] for section in sections for item in section["items"]
            if item["kind"] == "function"}
done = subprocess.run(program, stdout=subprocess.PIPE, text=True)
print(done.stdout, end="")
if done.returncode != 0:
    sys.exit(f"{program[0]} ended with {done.returncode}")
called = {line.split()[0] for line in done.stdout.splitlines() if line.startswith("shardspec_")}
assert len(declared) > 50, f"only {len(declared)} functions found"
missing = sorted(declared - called)
if missing:
    sys.exit(f"no scenario calls {', '.join(missing)}")
