"""What the description declares is what the library exports, and what misuse/ misuses."""

import argparse
import json
import subprocess

parser = argparse.ArgumentParser(description=__doc__)
for name in ("description", "library", "misuse"):
    parser.add_argument(f"--{name}", required=True)
arguments = parser.parse_args()

with open(arguments.description, encoding="utf-8") as file:
    sections = json.load(file)["sections"]
functions = {item["name"]: item for section in sections for item in section["items"]
             if item["kind"] == "function"}
symbols = subprocess.run(["nm", "-D", "--defined-only", arguments.library],
                         check=True, capture_output=True, text=True).stdout
exported = {line.split()[-1] for line in symbols.splitlines()}
table = subprocess.run([arguments.misuse], check=True, capture_output=True, text=True).stdout
misused = {line.split()[0] for line in table.splitlines() if line.startswith("shardspec_")}

assert len(functions) > 50, f"only {len(functions)} functions found"
different = exported ^ functions.keys()
assert not different, f"exported or declared, not both: {sorted(different)}"
# Others return no status that could say what is wrong.
can_fail = {name for name, item in functions.items() if item["result"] == "shardspec_status"}
assert not can_fail - misused, f"misuse/ does not try {sorted(can_fail - misused)}"
print(f"{len(functions)} functions are declared, exported and misused")
