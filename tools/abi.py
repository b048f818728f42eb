"""Checks that all descriptions of the ABI agree, and that it did not break.

- include/shardspec.json follows its schema and the conventions of the header.
- It agrees with the symbols of the library, include/shardspec.h and include/shardspec.cdef.h as a C
  compiler reads them, include/shardspec.hpp as a C++ compiler does, the cdef as cffi does where that is
  installed (it is in .venv), and the Python package.
- It agrees with abi/baseline.json, the ABI of the last commit that changed it. A change that breaks
  programs or bindings is refused, and an addition is named.

    python3 tools/abi.py                    checks
    python3 tools/abi.py --update           checks, and takes additions into the baseline
    python3 tools/abi.py --update --break   takes a breaking change too
"""

import argparse
import ctypes
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
INCLUDE = ROOT / "include"
BASELINE = ROOT / "abi/baseline.json"
LIBRARY = ROOT / "target/release/libshardspec.so"


def read(path):
    return json.loads(path.read_text(encoding="utf-8"))


def items_of(description, *kinds):
    """The declarations of these kinds by their names."""
    return {item["name"]: item for section in description["sections"]
            for item in section["items"] if item["kind"] in kinds}


# ------------------------------------------------------------------------------------- the schema


def mistakes(value, schema, root, place="shardspec.json"):
    """What is wrong with a value, by the words of JSON Schema that the schema uses."""
    if "$ref" in schema:
        target = root
        for name in schema["$ref"].removeprefix("#/").split("/"):
            target = target[name]
        return mistakes(value, target, root, place)
    if "oneOf" in schema:
        kinds = [mistakes(value, each, root, place) for each in schema["oneOf"]]
        fitting = [found for found in kinds if not found]
        return [] if len(fitting) == 1 else min(kinds, key=len)
    if "const" in schema and value != schema["const"]:
        return [f"{place} is {value!r}, not {schema['const']!r}"]
    if "enum" in schema and value not in schema["enum"]:
        return [f"{place} is {value!r}, none of {schema['enum']}"]
    kinds = {"object": dict, "array": list, "string": str, "integer": int, "boolean": bool}
    kind = kinds.get(schema.get("type"), object)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        return [f"{place} is no {schema['type']}"]
    if kind is int and not schema.get("minimum", value) <= value <= schema.get("maximum", value):
        return [f"{place} is {value}, which the schema does not allow"]
    found = []
    if isinstance(value, dict):
        found += [f"{place} has no {name}" for name in schema.get("required", [])
                  if name not in value]
        for name, member in value.items():
            rest = schema.get("additionalProperties", {})
            inner = schema.get("properties", {}).get(name, rest)
            if inner is False:
                found.append(f"{place} has {name}, which the schema does not know")
            else:
                found += mistakes(member, inner, root, f"{place}: {value.get('name', name)}")
    if isinstance(value, list) and "items" in schema:
        for at, element in enumerate(value):
            found += mistakes(element, schema["items"], root, f"{place}[{at}]")
    return found


def check_schema(description):
    schema = read(INCLUDE / "shardspec.schema.json")
    found = mistakes(description, schema, schema)
    assert not found, "\n".join(found[:10])
    return "shardspec.json follows its schema"


# ------------------------------------------------------------------------------- the conventions


def check_conventions(description):
    """What the header says of all functions, and what readers of the JSON rely on."""
    functions = items_of(description, "function")
    names = items_of(description, "constant", "macro", "alias", "handle", "struct", "callback",
                     "function")
    for name, function in functions.items():
        parameters = function["parameters"]
        own = [parameter["name"] for parameter in parameters]
        # An error is itself what the functions on errors are about: they have no other one.
        if function["result"] == "shardspec_status" and own[:1] != ["err"]:
            assert own[-1:] == ["err"], f"{name}: its last parameter is not `err`"
        for at, parameter in enumerate(parameters):
            for length in parameter.get("length", []):
                assert length in own, f"{name}: `{parameter['name']}` has the length `{length}`"
                # Results stand after all inputs, also after their lengths.
                assert parameter["direction"] != "in" or at < own.index(length), (
                    f"{name}: `{length}` stands before its array `{parameter['name']}`")
            if "length_times" in parameter:
                kinds = {each["name"]: each["kind"] for each in parameters}
                assert kinds[parameter["length_times"]] == "handle", (
                    f"{name}: the length of `{parameter['name']}` depends on what is no handle")
            if parameter["kind"] in ("array", "place", "text", "struct", "handle"):
                assert "null" in parameter, f"{name}: may `{parameter['name']}` be NULL?"
            if "free" in parameter:
                assert parameter["free"] in functions, f"{name}: {parameter['free']} is missing"
        for status in function["errors"]:
            assert status in names, f"{name}: {status} is no status"
    for name, handle in items_of(description, "handle").items():
        takes = functions.get(handle.get("free"), {"parameters": [{"type": f"{name} *"}]})
        assert takes["parameters"][0]["type"] == f"{name} *", f"{name}: its free takes another type"
    return f"{len(functions)} functions follow the conventions"


# --------------------------------------------------------------------------------- the compilers


def declared(of, name):
    """A declaration in C: `const char *name`, `char name[968]`."""
    base, bracket, length = of.partition("[")
    return f"{base.rstrip()} {name}{bracket}{length}"


def parameters_of(item):
    return ", ".join(parameter["type"] for parameter in item["parameters"]) or "void"


def assertions(description, is_c):
    """Declarations and assertions that a compiler refuses where the JSON says something else."""
    static_assert = "_Static_assert" if is_c else "static_assert"
    for name, item in items_of(description, "function").items():
        yield f"{item['result']} {name}({parameters_of(item)});"
    for name, item in items_of(description, "constant").items():
        yield f'{static_assert}({name} == {item["value"]}, "{name}");'
    for name, item in items_of(description, "struct").items():
        yield f'{static_assert}(sizeof({name}) == {item["size"]}, "{name}");'
        for field in item["fields"]:
            where = f"offsetof({name}, {field['name']})"
            yield f'{static_assert}({where} == {field["offset"]}, "{name}.{field["name"]}");'
            size = f"sizeof((({name} *)0)->{field['name']})"
            yield f'{static_assert}({size} == {field["size"]}, "{name}.{field["name"]}");'
    if is_c:
        for name, item in items_of(description, "callback").items():
            kind = f"{item['result']} (*)({parameters_of(item)})"
            yield f'_Static_assert(_Generic(({name})0, {kind}: 1, default: 0), "{name}");'
        for name, item in items_of(description, "alias").items():
            yield f'_Static_assert(_Generic(({name})0, {item["type"]}: 1, default: 0), "{name}");'


def compiles(compiler, language, standard, source):
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, f"abi.{language}")
        path.write_text(source)
        done = subprocess.run([*compiler, f"-std={standard}", "-fsyntax-only", "-I", str(INCLUDE),
                               str(path)], capture_output=True, text=True)
    assert done.returncode == 0, f"{language}: what it reads is not what the JSON says:\n{done.stderr}"


def check_headers(description):
    in_c = "\n".join(assertions(description, True))
    types = "#include <stddef.h>\n#include <stdint.h>\n"
    cc = os.environ.get("CC", "cc").split()
    compiles(cc, "c", "c11", f"#include <shardspec.h>\n{in_c}\n")
    cdef = (INCLUDE / "shardspec.cdef.h").read_text()
    compiles(cc, "c", "c11", f"{types}{cdef}\n{in_c}\n")
    cxx = os.environ.get("CXX", "c++").split()
    in_cpp = "\n".join(assertions(description, False))
    compiles(cxx, "cpp", "c++17", f"#include <cstddef>\n#include <shardspec.hpp>\nextern \"C\" {{\n"
                                  f"{in_cpp}\n}}\n")
    return "the C header, the cdef and the C++ header say what the JSON says"


def check_defaults(description):
    """Macros of the header make what the JSON calls the defaults, and so does the library."""
    structs = items_of(description, "struct")
    macros = {name.removesuffix("_INIT").lower(): name
              for name in items_of(description, "macro") if name.endswith("_INIT")}
    lines = []
    for name in macros:
        lines.append(f"{{ {name} x = {macros[name]};")
        for field in structs[name]["fields"]:
            where, default = f"x.{field['name']}", field["default"]
            if isinstance(default, list):
                inner = structs[field["type"]]["fields"]
                pairs = [(f"{where}.{part['name']}", number)
                         for part, number in zip(inner, default, strict=True)]
            elif field["type"].endswith("*") or field["type"] in items_of(description, "callback"):
                pairs = [(f"({where} == NULL)", 1)]
            elif field["type"] in structs or "count" in field:
                pairs = [(f"memcmp(&{where}, zeros, sizeof {where})", 0)]
            else:
                pairs = [(where, default)]
            lines += [f'if ({left} != {right}) puts("{name}.{field["name"]}");'
                      for left, right in pairs]
        if "shardspec_struct_init" in items_of(description, "function"):
            lines.append(f"""{name} y; memset(&y, 1, sizeof y);
              if (shardspec_struct_init("{name}", &y, sizeof y, NULL) != SHARDSPEC_OK ||
                  memcmp(&x, &y, sizeof x)) puts("{name}, as shardspec_struct_init makes it");""")
        lines.append("}")
    source = ("#include <shardspec.h>\n#include <stdio.h>\n#include <string.h>\n"
              "static const char zeros[4096];\nint main(void) {\n" + "\n".join(lines) + "\n}\n")
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "defaults.c")
        path.write_text(source)
        subprocess.run([*os.environ.get("CC", "cc").split(), "-std=c11", "-I", str(INCLUDE), path,
                        "-o", path.with_suffix(""), LIBRARY, f"-Wl,-rpath,{LIBRARY.parent}"],
                       check=True)
        done = subprocess.run([path.with_suffix("")], check=True, capture_output=True, text=True)
    assert not done.stdout, f"other defaults than the JSON says: {done.stdout.split(chr(10))}"
    return f"{len(macros)} macros make the defaults that the JSON says"


def check_cdef(description):
    """The cdef has nothing that readers without a preprocessor stumble over."""
    cdef = (INCLUDE / "shardspec.cdef.h").read_text()
    assert "#" not in cdef and "/*" not in cdef, "the cdef has a directive or a comment"
    for signature in re.findall(r"\(([^()]*)\);", cdef):
        assert not re.search(r"\b(struct|union|enum)\b", signature), f"the cdef has ({signature})"
    header = re.sub(r"/\*.*?\*/", "", (INCLUDE / "shardspec.h").read_text(), flags=re.S)
    for signature in re.findall(r"\bshardspec_\w+\(([^()]*)\);", header):
        assert "struct " not in signature, f"shardspec.h has the parameters ({signature})"
    try:
        import cffi
    except ImportError:
        return "the cdef is plain C (cffi is not installed, and did not read it)"
    ffi = cffi.FFI()
    ffi.cdef(cdef)
    library = ffi.dlopen(str(LIBRARY))
    assert library.shardspec_abi_version() == description["abi_version"]
    for name, item in items_of(description, "struct").items():
        assert ffi.sizeof(name) == item["size"], name
        for field in item["fields"]:
            assert ffi.offsetof(name, field["name"]) == field["offset"], (name, field["name"])
    for name, item in items_of(description, "constant").items():
        assert getattr(library, name) == item["value"], name
    for name in items_of(description, "function"):
        assert getattr(library, name), name
    return "cffi reads the cdef, and finds all functions in the library"


# ------------------------------------------------------------------------- the library and Python


def check_symbols(description):
    symbols = subprocess.run(["nm", "-D", "--defined-only", str(LIBRARY)], check=True,
                             capture_output=True, text=True).stdout
    exported = {line.split()[-1] for line in symbols.splitlines()}
    different = exported ^ items_of(description, "function").keys()
    assert not different, f"exported or in the JSON, not both: {sorted(different)}; run make build"
    return f"the library exports all {len(exported)} functions and nothing else"


def check_python(description):
    sys.path.insert(0, str(ROOT / "python/shardspec"))
    from _header import Header

    header = Header(description)
    library = ctypes.CDLL(str(LIBRARY))
    for name, item in items_of(description, "struct").items():
        struct = header.type(name.removeprefix("shardspec_"))
        assert ctypes.sizeof(struct) == item["size"], name
        for field in item["fields"]:
            assert getattr(struct, field["name"]).offset == field["offset"], (name, field["name"])
    for name, item in items_of(description, "function").items():
        function = header.function(name.removeprefix("shardspec_"))
        assert len(function.argtypes) == len(item["parameters"]), name
        assert hasattr(library, name), name
    return "the Python package reads the same sizes and offsets"


# ---------------------------------------------------------------------------------- the baseline


def baseline_of(description):
    """What programs and bindings rely on, without comments."""
    kept = {"abi_version": description["abi_version"]}
    for kind in ("constant", "alias", "handle", "struct", "callback", "function"):
        for name, item in items_of(description, kind).items():
            entry = {key: value for key, value in item.items()
                     if key not in ("name", "doc", "contract", "errors")}
            if "fields" in entry:
                entry["fields"] = [{key: value for key, value in field.items() if key != "doc"}
                                   for field in entry["fields"]]
            kept[name] = entry
    return dict(sorted(kept.items()))


def changes(old, new):
    """Breaking changes and additions between two baselines, as sentences."""
    breaks, additions = [], []
    if old["abi_version"] != new["abi_version"]:
        return [], [f"the ABI version is {new['abi_version']}, no longer {old['abi_version']}"]
    for name in old:
        if name == "abi_version":
            continue
        if name not in new:
            breaks.append(f"{name} is gone: keep it, also where something better is there")
        elif old[name]["kind"] != new[name]["kind"]:
            breaks.append(f"{name} was a {old[name]['kind']} and is a {new[name]['kind']}: give the "
                          "new one another name")
        else:
            compare(name, old[name], new[name], breaks, additions)
    additions += [f"{name} is new" for name in new if name not in old]
    return breaks, additions


def compare(name, old, new, breaks, additions):
    kind = old["kind"]
    if kind == "struct":
        compare_structs(name, old, new, breaks, additions)
    elif kind in ("function", "callback"):
        compare_signatures(name, old, new, breaks, additions)
    elif kind == "constant" and (old["type"], old["value"]) != (new["type"], new["value"]):
        breaks.append(f"{name} was {old['value']} and is {new['value']}: a program that was compiled "
                      "before has the old number; add a constant with a number of its own")
    elif old != new:
        breaks.append(f"{name} is declared as something else: add a type with a new name")


def compare_structs(name, old, new, breaks, additions):
    def layout(struct):
        return [(field["name"], field["type"], field["offset"], field["size"])
                for field in struct["fields"]]

    before, after = layout(old), layout(new)
    if before == after and old["size"] == new["size"]:
        return
    if old["grows"] and after[:len(before)] == before and new["size"] > old["size"]:
        added = ", ".join(field[0] for field in after[len(before):])
        additions.append(f"{name} has grown at its end: {added}")
    elif old["grows"]:
        breaks.append(f"{name} has other fields where it had some: add fields at its end only, where "
                      "struct_size says whether a caller has them")
    else:
        breaks.append(f"{name} has another layout, and no struct_size that would say so: leave it as "
                      "it is, and add a new struct")


def compare_signatures(name, old, new, breaks, additions):
    def types(item):
        return [item["result"], *(parameter["type"] for parameter in item["parameters"])]

    if types(old) != types(new):
        breaks.append(f"{name} has other parameters or another result: keep it, and add a function "
                      "with a new name")
        return
    for before, after in zip(old["parameters"], new["parameters"]):
        allows = ["refused", "if_empty", "allowed"]
        if "null" in before and allows.index(after["null"]) < allows.index(before["null"]):
            breaks.append(f"{name} refuses a NULL `{after['name']}` that it took: take it")
        if before["direction"] != after["direction"] or before.get("length") != after.get("length"):
            breaks.append(f"{name} uses `{after['name']}` in another way ({before['direction']}, "
                          f"length {before.get('length')}, and now {after['direction']}, length "
                          f"{after.get('length')}): add a function with a new name")
    for flag, does in [("calls_back", "calls back"), ("blocks", "waits for")]:
        gained = sorted(set(new.get(flag, [])) - set(old.get(flag, [])))
        if gained:
            breaks.append(f"{name} {does} {', '.join(gained)} and did not: bindings have switches for "
                          "that; do it in a new function")
    if old.get("calls_back_only_if_freed") and not new["calls_back_only_if_freed"]:
        breaks.append(f"{name} calls back where no thread frees a handle, and did not: bindings have "
                      "switches for that; do it in a new function")
    if old != new and not breaks:
        additions.append(f"{name} is described more closely")


def check_baseline(description, update, accept_break):
    new = baseline_of(description)
    old = read(BASELINE) if BASELINE.exists() else {"abi_version": description["abi_version"]}
    breaks, additions = changes(old, new)
    if breaks and not (update and accept_break):
        for sentence in breaks:
            print(f"BREAKS THE ABI: {sentence}", file=sys.stderr)
        raise SystemExit(
            "Programs and bindings that were made before would go wrong. Do what the lines say. If the "
            "change must be, it needs a new ABI version once this one is released; before that, run "
            "`python3 tools/abi.py --update --break`, commit abi/baseline.json, and write the old and "
            "the new name into CHANGELOG.md.")
    if update:
        # One line for each name, so that a change shows what changed.
        lines = (f"{json.dumps(name)}: {json.dumps(entry)}" for name, entry in new.items())
        BASELINE.write_text("{\n" + ",\n".join(lines) + "\n}\n")
        return f"abi/baseline.json is up to date: {len(breaks)} breaks, {len(additions)} additions"
    if old != new:
        for sentence in additions:
            print(f"added: {sentence}")
        return ("the ABI only grew: run `python3 tools/abi.py --update`, and commit "
                "abi/baseline.json with the change")
    return "the ABI is that of abi/baseline.json"


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--update", action="store_true", help="take additions into the baseline")
    parser.add_argument("--break", dest="accept_break", action="store_true",
                        help="with --update: take breaking changes too")
    arguments = parser.parse_args()
    description = read(INCLUDE / "shardspec.json")
    for check in (check_schema, check_conventions, check_symbols, check_headers, check_defaults,
                  check_cdef, check_python):
        try:
            print(check(description))
        except AssertionError as wrong:
            raise SystemExit(f"{check.__name__}: {wrong}") from None
    print(check_baseline(description, arguments.update, arguments.accept_break))


if __name__ == "__main__":
    main()
