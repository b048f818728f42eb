"""Checks what is built and how the exports are written, beyond what tests can see.

- The stripped library is small, has the ABI version in its name, and needs nothing but the C runtime.
- Every export but two that can't fail is one call of `guard`, so that no panic crosses the border.
"""

import json
import pathlib
import re
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
LIBRARY = ROOT / "target/release/libshardspec.so"
# Where somebody should ask why.
MAX_SIZE = 4 << 20
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


print(check_binary())
print(check_guards())
