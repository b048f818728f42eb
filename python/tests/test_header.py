"""The header as the package reads it is the header as a C compiler reads it."""

import ctypes
import json
import re
import subprocess

import pytest

from shardspec._header import Header
from shardspec._library import lib

# The C of what DESCRIPTION declares.
HEADER = """
typedef int32_t shardspec_status;
typedef struct shardspec_thing shardspec_thing;
typedef struct shardspec_node shardspec_node;
typedef struct shardspec_error { int32_t status; } shardspec_error;
typedef shardspec_status (*shardspec_visit_fn)(void *, const shardspec_thing *, const char *,
                                               shardspec_error *);
struct shardspec_node {
  uint64_t struct_size;
  shardspec_visit_fn visit;
  const shardspec_node *const *children;
  shardspec_error last;
  char text[16];
  uint8_t flag;
};
"""


def members(**types):
    return [{"name": name, "type": of} for name, of in types.items()]


DESCRIPTION = {"sections": [{"items": [
    {"kind": "constant", "name": "SHARDSPEC_ROWS", "value": 2},
    {"kind": "constant", "name": "SHARDSPEC_MASK", "value": 16},
    {"kind": "macro", "name": "SHARDSPEC_NAME", "value": '"text"'},
    {"kind": "function", "name": "shardspec_nothing", "result": "void", "parameters": []},
    {"kind": "function", "name": "shardspec_node_visit", "result": "shardspec_status",
     "parameters": members(node="const shardspec_node *", names="const char *const *",
                           buffer="char *", out="shardspec_thing **", err="shardspec_error *")},
    {"kind": "struct", "name": "shardspec_node", "fields": members(
        struct_size="uint64_t", visit="shardspec_visit_fn",
        children="const shardspec_node *const *", last="shardspec_error", text="char [16]",
        flag="uint8_t")},
]}, {"items": [
    {"kind": "alias", "name": "shardspec_status", "type": "int32_t"},
    {"kind": "handle", "name": "shardspec_thing"},
    {"kind": "struct", "name": "shardspec_error", "fields": members(status="int32_t")},
    {"kind": "callback", "name": "shardspec_visit_fn", "result": "shardspec_status",
     "parameters": members(ctx="void *", thing="const shardspec_thing *", name="const char *",
                           err="shardspec_error *")},
]}]}


def layout(compile_c, header, structs):
    """Sizes and offsets of all fields as the C compiler lays them out."""
    lines = [f'printf("%zu\\n", sizeof(shardspec_{name}));' for name in structs]
    for name, struct in structs.items():
        lines += [f'printf("%zu\\n", offsetof(shardspec_{name}, {field}));'
                  for field, *_ in struct._fields_]
    program = f"#include <stddef.h>\n#include <stdint.h>\n#include <stdio.h>\n{header}\n"
    return compile_c(program + "int main(void) {\n" + "\n".join(lines) + "\n}\n")


def ours(structs):
    return [ctypes.sizeof(struct) for struct in structs.values()] + [
        getattr(struct, field).offset for struct in structs.values()
        for field, *_ in struct._fields_]


@pytest.fixture
def compile_c(root, tmp_path):
    """Runs a C program and reads the numbers that it prints."""
    def run(program):
        (tmp_path / "layout.c").write_text(program)
        subprocess.run(["cc", "-std=c11", "-I", root / "include", "layout.c", "-o", "layout"],
                       cwd=tmp_path, check=True)
        done = subprocess.run([tmp_path / "layout"], check=True, capture_output=True, text=True)
        return [int(line) for line in done.stdout.split()]
    return run


def test_structs_are_laid_out_as_the_compiler_does(compile_c):
    structs = {name: lib.header.type(name) for name in lib.header.structs}
    assert {"error", "tensor_view", "shard_metadata"} <= set(structs)
    assert layout(compile_c, "#include <shardspec.h>", structs) == ours(structs)


def test_the_library_knows_the_size_of_every_struct():
    for name in lib.header.structs:
        out = ctypes.c_size_t()
        lib.struct_size(f"shardspec_{name}".encode(), ctypes.byref(out))
        assert out.value == ctypes.sizeof(lib.header.type(name)), name


def test_a_struct_is_prepared_by_its_name():
    properties = lib.header.type("tensor_properties")()
    lib.struct_init(b"shardspec_tensor_properties", ctypes.byref(properties),
                    ctypes.sizeof(properties))
    assert (properties.struct_size, properties.dtype.bits) == (ctypes.sizeof(properties), 32)


def test_what_a_later_description_may_declare_is_understood(compile_c):
    header = Header(DESCRIPTION)
    structs = {name: header.type(name) for name in header.structs}
    assert list(structs) == ["node", "error"]
    assert layout(compile_c, HEADER, structs) == ours(structs)


def test_declarations_become_the_types_that_calls_need():
    header = Header(DESCRIPTION)
    assert header.constants == {"ROWS": 2, "MASK": 16}
    assert header.functions == ["nothing", "node_visit"]
    assert header.function("nothing")[:3] == (None, [], [])
    restype, argtypes, names = header.function("node_visit")[:3]
    assert names == ["node", "names", "buffer", "out", "err"]
    assert restype is ctypes.c_int32
    assert argtypes == [
        ctypes.POINTER(header.type("node")), ctypes.POINTER(ctypes.c_char_p), ctypes.c_void_p,
        ctypes.POINTER(ctypes.c_void_p), ctypes.POINTER(header.type("error"))]


def test_callbacks_can_be_made_and_called():
    header = Header(DESCRIPTION)
    seen = []

    @header.type("visit_fn")
    def visit(ctx, thing, name, err):
        seen.append((ctx, thing, name))
        err.contents.status = 7
        return 7

    error = header.type("error")()
    node = header.type("node")(visit=visit)
    assert node.visit(1, 2, b"three", ctypes.byref(error)) == error.status == 7
    assert seen == [(1, 2, b"three")]


@pytest.mark.parametrize("text", ["int32_t x y", "shardspec_status (*)(void)", ""])
def test_what_is_no_type_is_refused_with_its_text(text):
    with pytest.raises(SyntaxError, match=re.escape(f"'{text}' is no type")):
        Header(DESCRIPTION).named(text)


def comments(root):
    """Each comment of the header, on one line, without its marks."""
    header = (root / "include/shardspec.h").read_text()
    for comment in re.findall(r"/\*(.*?)\*/", header, re.S):
        yield " ".join(re.sub(r"^ \* ?", "", comment, flags=re.M).split())


def functions(root):
    """The comment of each function of the header, by its name."""
    header = (root / "include/shardspec.h").read_text()
    return {name: comment for comment, name in re.findall(
        r"/\*\*\n((?:(?!\*/).)*) \*/\n\w[\w *]*\b(shardspec_\w+)\(", header, re.S)}


@pytest.mark.parametrize("habit", [
    r"\b[Aa]s `shardspec_\w+`",
    r"\bas in `shardspec_\w+`",
    r"[Ee]rrors?: (as|those of)\b",
    r"\b(told|whoever|wants?)\b",
])
def test_comments_stand_alone_and_have_no_persons(root, habit):
    found = [comment for comment in comments(root) if re.search(habit, comment)]
    assert not found, "state the facts in the comment itself, with the function as the subject"


CONTRACT = ["Memory", "Time", "Ownership", "Calls back", "Blocks", "Errors", "Threads", "Source",
            "Since"]


def test_each_function_ends_with_its_contract_line_by_line(root):
    found = functions(root)
    assert found.keys() == {f"shardspec_{name}" for name in lib.header.functions}
    for name, comment in found.items():
        labels = re.findall(rf"^ \* ({'|'.join(CONTRACT)}): ", comment, re.M)
        assert labels == sorted(labels, key=CONTRACT.index), name
        assert {"Calls back", "Blocks", "Errors", "Threads", "Since"} <= set(labels), name
        anywhere = re.findall(rf"\b({'|'.join(CONTRACT)}): ", comment)
        assert anywhere == labels, f"{name}: each line of the contract begins a line"
        assert re.search(r"Since: ABI \d+\.\n\Z", comment), name


def test_a_text_that_is_not_utf_8_is_among_the_errors_of_its_function(root):
    sections = json.loads((root / "include/shardspec.json").read_text())["sections"]
    named = [item for section in sections for item in section["items"] if item.get("errors") is not None]
    of_texts = [item for item in named
                if any((one["kind"], one["direction"]) == ("text", "in") for one in item["parameters"])]
    assert len(of_texts) > 20
    silent = [item["name"] for item in of_texts if "SHARDSPEC_INVALID_ARGUMENT" not in item["errors"]]
    assert not silent, "the library answers INVALID_ARGUMENT to a text that is not valid UTF-8"
