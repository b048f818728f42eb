"""What the header declares is what the library exports, and what misuse/ misuses."""

import argparse
import re
import subprocess

parser = argparse.ArgumentParser(description=__doc__)
for name in ("header", "library", "misuse"):
    parser.add_argument(f"--{name}", required=True)
arguments = parser.parse_args()

text = re.sub(r"/\*.*?\*/", "", open(arguments.header).read(), flags=re.S)
declared = set(re.findall(r"\b(shardspec_\w+)\(", text))
symbols = subprocess.run(["nm", "-D", "--defined-only", arguments.library],
                         check=True, capture_output=True, text=True).stdout
exported = {line.split()[-1] for line in symbols.splitlines()}
table = subprocess.run([arguments.misuse], check=True, capture_output=True, text=True).stdout
misused = {line.split()[0] for line in table.splitlines() if line.startswith("shardspec_")}

assert len(declared) > 50, f"only {len(declared)} functions found in the header"
assert exported == declared, f"exported or declared, not both: {sorted(exported ^ declared)}"
# They return no status that could say what is wrong.
missing = declared - misused - {"shardspec_abi_version", "shardspec_runtime_ctx_destroy"}
assert not missing, f"misuse/ does not try {sorted(missing)}"
print(f"{len(declared)} functions are declared, exported and misused")
