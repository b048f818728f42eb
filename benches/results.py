"""Keeps what benchmarks measured, for comparisons with other processors.

    python benches/results.py            merges target/bench/*.json, and what criterion measured, into
                                         benches/results/PROCESSOR.json
    python benches/results.py --table [FILE]      prints the copies of that file, or of another one, as a table
                                                  for docs/performance.md
    python benches/results.py --table by-hand     the cases that C programs can do as well, to the limit
    python benches/results.py --table plan        the same of plans and questions about places
    python benches/results.py --table geometry    the same of specs, metadata and documents

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
    measured = {one.stem: (one.stat().st_mtime, json.loads(one.read_text()))
                for one in sorted((ROOT / "target/bench").glob("*.json"))}
    if rows := criterion_rows():
        measured["geometry"] = max(time for time, _ in rows), [row for _, row in rows]
    for name, (time, rows) in measured.items():
        date = datetime.datetime.fromtimestamp(time).astimezone().isoformat()
        # Older results stay in target: they are of the last commit before them.
        is_new = time >= float(git("log", "-1", "--format=%ct"))
        commit = git("describe", "--always", "--dirty", "--abbrev=12") if is_new else git(
            "log", "-1", f"--before={date}", "--abbrev=12", "--format=%h")
        kept[name] = {"date": date[:10], "commit": commit, "rows": rows}
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"processor": here, "results": kept}, indent=1) + "\n")
    print(f"written to {path.relative_to(ROOT)}")


def git(*arguments):
    command = ["git", "-C", str(ROOT), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def criterion_rows():
    """When and what criterion measured in `make bench-geometry`: medians, and what is done in that time."""
    rows = []
    for path in sorted((ROOT / "target/criterion").glob("**/new/estimates.json")):
        about = json.loads((path.parent / "benchmark.json").read_text())
        unit, count = next(iter((about["throughput"] or {}).items()), (None, None))
        seconds = json.loads(path.read_text())["median"]["point_estimate"] / 1e9
        rows.append((path.stat().st_mtime,
                     {"case": about["full_id"], "seconds": seconds, "unit": unit, "count": count}))
    return rows


def plan_table():
    """Plans and questions, with their limits."""
    rows = [row for row in kept_rows("plan") if row["limit_seconds"] is not None or row["torch_seconds"] is not None]
    print("| case | shards or pieces | time | limit | torch |")
    print("|---|---|---|---|---|")
    for row in rows:
        times = (time_text(row[name]) for name in ("seconds", "limit_seconds", "torch_seconds"))
        print(f"| {row['case']} | {row['items']} | {' | '.join(times)} |")


def geometry_table():
    """What criterion measured of a million boxes."""
    print("| case | time | each second |")
    print("|---|---|---|")
    for row in kept_rows("geometry"):
        if not row["case"].startswith(("build", "1048576")):
            continue
        rate = row["count"] / row["seconds"]
        rate = f"{rate / 1e9:.2f} GB" if row["unit"] == "Bytes" else f"{rate / 1e6:.0f} million boxes"
        print(f"| {row['case'].replace('/', ', ')} | {time_text(row['seconds'])} | {rate} |")


def kept_rows(result):
    return json.loads(place(processor()).read_text())["results"][result]["rows"]


def time_text(seconds):
    if seconds is None:
        return ""
    factor, unit = next(scale for scale in [(1, "s"), (1e3, "ms"), (1e6, "us"), (1e9, "ns")]
                        if seconds * scale[0] >= 1 or scale[1] == "ns")
    return f"{seconds * factor:.3g} {unit}"


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


def by_hand_table():
    """The library and C programs that can do only one case, to the limit."""
    print("| case | direction | library | C | library, one thread | C, one thread |")
    print("|---|---|---|---|---|---|")
    rows = [row for row in kept_rows("copy") if row.get("c_gbps")]
    for case, direction in dict.fromkeys((row["case"], row["direction"]) for row in rows):
        both = {row["threads"]: row for row in rows if (row["case"], row["direction"]) == (case, direction)}
        shown = (f"{both[threads][f'{who}_gbps'] / both[threads]['limit_gbps']:.2f}" for threads in (2, 1)
                 for who in ("ours", "c"))
        print(f"| {case} | {direction} | {' | '.join(shown)} |")


def ratios(rows, who):
    """How much faster the library is than another way, for each row."""
    each = (row["ours_gbps"] / row[f"{who}_gbps"] if row[f"{who}_gbps"] else None for row in rows)
    return ", ".join("" if one is None else f"{one:.2f}" if one < 2 else f"{one:.1f}" if one < 10 else f"{one:.0f}"
                     for one in each)


if __name__ == "__main__":
    tables = {"plan": plan_table, "geometry": geometry_table, "by-hand": by_hand_table}
    match sys.argv[1:]:
        case []:
            keep()
        case ["--table"]:
            table(place(processor()))
        case ["--table", name]:
            tables.get(name, lambda: table(pathlib.Path(name)))()
        case _:
            sys.exit(__doc__)
