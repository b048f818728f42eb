"""Keeps what benchmarks measured, for comparisons with other processors.

    python benches/results.py            merges target/bench/*.json into benches/results/PROCESSOR.json
    python benches/results.py --table [FILE]    prints the copies of that file, or of another one, as a table
                                                for docs/performance.md

Each result has its date and its commit. A benchmark that did not run keeps its old result.
"""

import datetime
import json
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]


def processor():
    """What the system says of the first processor."""
    text = pathlib.Path("/proc/cpuinfo").read_text().split("\n\n")[0]
    said = dict(re.findall(r"^([^\t:]+?)\s*: (.*)$", text, re.MULTILINE))
    flags = said.get("flags", said.get("Features", "")).split()
    return {"name": said.get("model name", said.get("CPU part", "unknown")),
            "family": said.get("cpu family", ""), "model": said.get("model", ""),
            "processors": os.cpu_count(), "vectors": [one for one in ("avx2", "avx512f", "asimd") if one in flags],
            "caches": caches()}


def caches():
    """The sizes of the caches of the first processor."""
    folders = sorted(pathlib.Path("/sys/devices/system/cpu/cpu0/cache").glob("index*"))
    named = {"Data": "L{}d", "Instruction": "L{}i", "Unified": "L{}"}
    read = lambda folder, name: (folder / name).read_text().strip()
    return {named[read(one, "type")].format(read(one, "level")): read(one, "size") for one in folders}


def place(of):
    """The file for the results of a processor."""
    name = f"{of['name']} family {of['family']} model {of['model']}".lower()
    return ROOT / "benches/results" / (re.sub(r"[^a-z0-9]+", "-", name).strip("-") + ".json")


def keep():
    here = processor()
    path = place(here)
    kept = json.loads(path.read_text())["results"] if path.exists() else {}
    commit = subprocess.run(["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=12"],
                            capture_output=True, text=True, check=True).stdout.strip()
    for result in sorted((ROOT / "target/bench").glob("*.json")):
        date = datetime.date.fromtimestamp(result.stat().st_mtime).isoformat()
        kept[result.stem] = {"date": date, "commit": commit, "rows": json.loads(result.read_text())}
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"processor": here, "results": kept}, indent=1) + "\n")
    print(f"written to {path.relative_to(ROOT)}")


def table(path):
    rows = json.loads(path.read_text())["results"]["copy"]["rows"]
    found = {(row["case"], row["direction"], row["threads"]): row for row in rows}
    print("| case | bytes of a run | to the limit | to the limit, one thread | to numpy | to torch |")
    print("|---|---|---|---|---|---|")
    for case in dict.fromkeys(row["case"] for row in rows if row["direction"] == "scatter" and row["threads"] == 2):
        if (case, "gather", 1) not in found:
            continue
        both = {threads: [found[case, direction, threads] for direction in ("scatter", "gather")] for threads in (1, 2)}
        shown = [ratios(both[threads], who) for who, threads in
                 [("limit", 2), ("limit", 1), ("numpy", 2), ("torch", 2)]]
        print(f"| {case} | {both[2][0]['run_bytes']} | {' | '.join(shown)} |")


def ratios(rows, who):
    """How much faster the library is than another way, for each row."""
    each = (row["ours_gbps"] / row[f"{who}_gbps"] if row[f"{who}_gbps"] else None for row in rows)
    return ", ".join("" if one is None else f"{one:.2f}" if one < 2 else f"{one:.1f}" if one < 10 else f"{one:.0f}"
                     for one in each)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--table"]:
        table(pathlib.Path(sys.argv[2]) if sys.argv[2:] else place(processor()))
    else:
        keep()
