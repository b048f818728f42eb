"""The header as the package reads it is the header as a C compiler reads it."""

import ctypes
import re
import subprocess

import pytest

from shardspec._header import Header
from shardspec._library import lib

HEADER = """
#define SHARDSPEC_ROWS 2
#define SHARDSPEC_MASK 0x10
#define SHARDSPEC_NAME "text"
typedef int32_t shardspec_status;
typedef struct shardspec_thing shardspec_thing;
typedef struct shardspec_error { int32_t status; } shardspec_error;
typedef shardspec_status (*shardspec_visit_fn)(void *ctx, const shardspec_thing *thing,
                                               const char *name, struct shardspec_error *err);
/* typedef struct shardspec_gone { int32_t x; } shardspec_gone; */
typedef union shardspec_value { int64_t integer; double number; void *pointer; } shardspec_value;
typedef struct shardspec_node {
  uint64_t struct_size;
  shardspec_visit_fn visit;
  void (*destroy)(struct shardspec_node *self);
  const struct shardspec_node *const *children;
  shardspec_value values[SHARDSPEC_ROWS][3];
  char text[SHARDSPEC_MASK];
  uint8_t flag;
} shardspec_node;
extern "C" {
void shardspec_nothing(void);
shardspec_status shardspec_node_visit(const shardspec_node *node, const char *const *names,
                                      char *buffer, shardspec_thing **out, shardspec_error *err);
}
"""


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


def test_what_a_later_header_may_declare_is_understood(compile_c):
    header = Header(HEADER)
    structs = {name: header.type(name) for name in header.structs}
    assert list(structs) == ["error", "value", "node"]
    program = HEADER.replace('extern "C" {', "").rstrip().removesuffix("}")
    assert layout(compile_c, program, structs) == ours(structs)


def test_declarations_become_the_types_that_calls_need():
    header = Header(HEADER)
    assert header.constants == {"ROWS": 2, "MASK": 16}
    assert header.functions == ["nothing", "node_visit"]
    assert header.function("nothing") == (None, [], [])
    restype, argtypes, names = header.function("node_visit")
    assert names == ["node", "names", "buffer", "out", "err"]
    assert restype is ctypes.c_int32
    assert argtypes == [
        ctypes.POINTER(header.type("node")), ctypes.POINTER(ctypes.c_char_p), ctypes.c_void_p,
        ctypes.POINTER(ctypes.c_void_p), ctypes.POINTER(header.type("error"))]


def test_callbacks_can_be_made_and_called():
    header = Header(HEADER)
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


def test_what_is_no_declaration_is_refused_with_its_text():
    with pytest.raises(SyntaxError, match=r"',' expected at 'y'.*shardspec_f"):
        Header("void shardspec_f(int32_t x y);").function("f")


def comments(root):
    """Each comment of the header, on one line, without its marks."""
    header = (root / "include/shardspec.h").read_text()
    for comment in re.findall(r"/\*(.*?)\*/", header, re.S):
        yield " ".join(re.sub(r"^ \* ?", "", comment, flags=re.M).split())


def functions(root):
    """The name of each function of the header, with its comment."""
    header = (root / "include/shardspec.h").read_text()
    return re.findall(r"/\*\n((?:(?!\*/).)*)\*/\n\w[\w ]*\*?\b(shardspec_\w+)\(", header, re.S)


@pytest.mark.parametrize("habit", [
    r"\b[Aa]s `shardspec_\w+`",
    r"\bas in `shardspec_\w+`",
    r"[Ee]rrors?: (as|those of)\b",
    r"\b(told|whoever|wants?)\b",
])
def test_comments_stand_alone_and_have_no_persons(root, habit):
    found = [comment for comment in comments(root) if re.search(habit, comment)]
    assert not found, "state the facts in the comment itself, with the function as the subject"


def test_each_function_says_since_when_it_is_there_and_how_it_fails(root):
    found = functions(root)
    assert len(found) > 100
    for comment, name in found:
        assert re.search(r"\bSince: ABI \d+\.", comment) and "Threads: " in comment, name
        assert "Errors: " in comment or "Can't fail." in comment, name
