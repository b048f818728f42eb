"""Checks what is built and how the exports are written, beyond what tests can see.

- The stripped library is small, has the ABI version in its name, and needs nothing but the C runtime.
- Every export but two that can't fail is one call of `guard`, so that no panic crosses the border.
- What is linked in or runs while building has licences of the list in deny.toml, one version of each
  crate, and comes from crates.io.
- How often `unsafe` stands in each folder, as a table. tests/house checks the arguments for it.
"""

import json
import pathlib
import re
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
LIBRARY = ROOT / "target/release/libshardspec.so"
# Where somebody should ask why.
MAX_SIZE = 9 << 19
C_RUNTIME = {"libc.so.6", "libgcc_s.so.1", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"}


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def check_binary():
    with tempfile.NamedTemporaryFile() as stripped:
        subprocess.run(["strip", "-o", stripped.name, LIBRARY], check=True)
        size = pathlib.Path(stripped.name).stat().st_size
    assert size < MAX_SIZE, f"the stripped library has {size} bytes, more than {MAX_SIZE}"
    dynamic = output("readelf", "-d", str(LIBRARY))
    needed = set(re.findall(r"\(NEEDED\).*\[(.*)\]", dynamic))
    assert needed and needed <= C_RUNTIME, f"the library needs {sorted(needed - C_RUNTIME)}"
    (soname,) = re.findall(r"\(SONAME\).*\[(.*)\]", dynamic)
    abi = json.loads((ROOT / "include/shardspec.json").read_text())["abi_version"]
    assert soname == f"libshardspec.so.{abi}", f"the library's name is {soname}, the ABI {abi}"
    return f"{size // 1024} KiB, {soname}, needs {', '.join(sorted(needed))}"


CANT_FAIL = {"shardspec_abi_version", "shardspec_error_message", "shardspec_runtime_ctx_destroy"}


def check_guards():
    exports = 0
    for source in sorted((ROOT / "src/ffi").rglob("*.rs")):
        text = source.read_text()
        pattern = r'pub (?:unsafe )?extern "C-unwind" fn (\w+)\([^{]*\{\s*([^;}]*)'
        for name, body in re.findall(pattern, text):
            exports += 1
            assert re.match(r"(let \w+ = )?guard\(", body) or name in CANT_FAIL, (
                f"{source.name}: {name} does not start with guard(")
        assert 'extern "C" fn' not in text, f"{source.name}: unwinding would abort; use C-unwind"
        assert text.count('extern "C-unwind" fn shardspec_') == len(re.findall(pattern, text)), source
    assert exports > 50, f"only {exports} exports found"
    return f"{exports} exports guarded"


def is_allowed(expression, allowed):
    """Whether a licence expression can be met by allowed licences."""
    any_of = re.split(r"\s+OR\s+|/", expression.replace("(", "").replace(")", ""))
    if " AND " in expression:
        # Such as "(MIT OR Apache-2.0) AND Unicode-3.0": each part has to be met.
        return all(is_allowed(part.strip(), allowed) for part in re.split(r"\s+AND\s+", expression))
    return any(name.strip() in allowed for name in any_of)


def check_dependencies():
    rules = (ROOT / "deny.toml").read_text()
    allowed = re.findall(r'"([^"]+)"', re.search(r"(?m)^allow = \[([^]]*)\]", rules)[1])
    (registry,) = re.findall(r'allow-registry = \["([^"]+)"\]', rules)
    question = ("cargo", "metadata", "--manifest-path", str(ROOT / "Cargo.toml"), "--locked",
                "--format-version", "1")
    try:
        found = json.loads(output(*question, "--offline"))
    except subprocess.CalledProcessError:
        # Crates for other systems were not fetched by any build here.
        found = json.loads(output(*question))
    nodes = {node["id"]: node for node in found["resolve"]["nodes"]}
    reached, open_ids = set(), [found["resolve"]["root"]]
    while open_ids:
        for dependency in nodes[open_ids.pop()]["deps"]:
            is_needed = any(kind["kind"] != "dev" for kind in dependency["dep_kinds"])
            if is_needed and dependency["pkg"] not in reached:
                reached.add(dependency["pkg"])
                open_ids.append(dependency["pkg"])
    names = set()
    for package in (package for package in found["packages"] if package["id"] in reached):
        name, license = package["name"], package["license"] or "none"
        assert is_allowed(license, allowed), f"{name} has the licence {license}; deny.toml allows {allowed}"
        assert package["source"] == f"registry+{registry}", f"{name} comes from {package['source']}"
        assert name not in names, f"there are two versions of {name} among the library's dependencies"
        names.add(name)
    assert {"libc", "thiserror"} <= names, sorted(names)
    return f"{len(names)} crates in the library and its build: licences, sources and versions are right"


def unsafe_per_folder():
    counts = {}
    for source in sorted((ROOT / "src").rglob("*.rs")):
        code = re.sub(r"//[^\n]*", "", source.read_text())
        top = source.relative_to(ROOT / "src").parts[0].removesuffix(".rs")
        number, arguments = counts.get(top, (0, 0))
        counts[top] = (number + len(re.findall(r"\bunsafe\b", code)),
                       arguments + source.read_text().count("// SAFETY:"))
    lines = [f"  {folder:14} {number:5} unsafe {arguments:5} arguments"
             for folder, (number, arguments) in counts.items()]
    return "\n".join(["unsafe code in src:", *lines])


print(check_binary())
print(check_guards())
print(check_dependencies())
print(unsafe_per_folder())
