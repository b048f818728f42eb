"""tools/abi.py finds what breaks programs and bindings, and lets what only adds pass."""

import copy
import json
import sys

import pytest

from commands import ROOT

sys.path.insert(0, str(ROOT / "tools"))
import abi

DESCRIPTION = json.loads((ROOT / "include/shardspec.json").read_text())


def changed(change):
    """Breaks and additions after a change of the items, which are given by name."""
    description = copy.deepcopy(DESCRIPTION)
    items = {item["name"]: item for section in description["sections"]
             for item in section["items"]}
    for section in description["sections"]:
        section["items"] = [item for item in section["items"] if change(item, items) is not False]
    return abi.changes(abi.baseline_of(DESCRIPTION), abi.baseline_of(description))


def on(name, change):
    def changes(item, _):
        return change(item) if item["name"] == name else None
    return changes


def gone(_):
    return False


def other_value(item):
    item["value"] += 1


def other_type(item):
    item["parameters"][0]["type"] = "int32_t"


def other_sign(item):
    item["parameters"][0]["type"] = "uint64_t"


def no_const(item):
    item["parameters"][0]["type"] = item["parameters"][0]["type"].removeprefix("const ")


def other_alias(item):
    item["type"] = "uint32_t"


def shorter_array(item):
    item["fields"][-1]["type"] = "char[960]"


def one_more(item):
    item["parameters"].insert(1, dict(item["parameters"][0], name="more"))


def calls_more(item):
    item["calls_back"] = ["exchange"]


def waits(item):
    item["blocks"] = ["other_ranks"]


def wider_field(item):
    item["fields"][1]["size"] = 8


def one_field_more(item):
    last = item["fields"][-1]
    item["fields"].append(dict(last, name="later", offset=last["offset"] + last["size"]))
    item["size"] += 8


def no_null(item):
    item["parameters"][-1]["null"] = "refused"


BREAKS = [
    ("shardspec_spec_free", gone, "is gone"),
    ("SHARDSPEC_OVERLAP", other_value, "was 8 and is 9"),
    ("shardspec_spec_new_chunk", other_type, "add a function with a new name"),
    ("shardspec_numroc", other_sign, "add a function with a new name"),
    ("shardspec_spec_hash", no_const, "add a function with a new name"),
    ("shardspec_status", other_alias, "add a type with a new name"),
    ("shardspec_error", shorter_array, "at its end only"),
    ("shardspec_spec_new_chunk", one_more, "add a function with a new name"),
    ("shardspec_exchange_fn", other_type, "add a function with a new name"),
    ("shardspec_version_text", calls_more, "calls back exchange"),
    ("shardspec_version_text", waits, "waits for other_ranks"),
    ("shardspec_version_text", no_null, "refuses a NULL `err`"),
    ("shardspec_copy_options", wider_field, "at its end only"),
    ("shardspec_tensor_view", one_field_more, "no struct_size"),
    ("shardspec_spec", gone, "is gone"),
]


@pytest.mark.parametrize("name, change, sentence", BREAKS,
                         ids=[f"{name}-{change.__name__}" for name, change, _ in BREAKS])
def test_a_change_that_breaks_programs_is_refused_with_what_to_do(name, change, sentence):
    breaks, _ = changed(on(name, change))
    assert len(breaks) == 1 and name in breaks[0] and sentence in breaks[0]


def test_an_addition_is_named_and_breaks_nothing():
    breaks, additions = changed(on("shardspec_copy_options", one_field_more))
    assert not breaks and additions == ["shardspec_copy_options has grown at its end: later"]
    without = abi.baseline_of(DESCRIPTION)
    without.pop("shardspec_spec_free")
    assert abi.changes(without, abi.baseline_of(DESCRIPTION)) == ([], ["shardspec_spec_free is new"])


def test_comments_may_change():
    def rewritten(item, _):
        item["doc"] = "Something else."
    assert changed(rewritten) == ([], [])


def test_the_schema_refuses_what_it_does_not_know():
    schema = json.loads((ROOT / "include/shardspec.schema.json").read_text())
    assert not abi.mistakes(DESCRIPTION, schema, schema)
    for key, value, problem in [("format", 2, "is 2, not 1"), ("extra", 1, "has extra"),
                                ("sections", {}, "is no array"), ("abi_version", "0", "no integer")]:
        assert problem in abi.mistakes({**DESCRIPTION, key: value}, schema, schema)[0]
    wrong = copy.deepcopy(DESCRIPTION)
    wrong["sections"][0]["items"][1]["parameters"][0].pop("direction")
    assert any("direction" in mistake for mistake in abi.mistakes(wrong, schema, schema))


def test_cffi_reads_the_cdef_and_finds_what_it_declares():
    assert abi.check_cdef(DESCRIPTION).startswith("cffi reads the cdef")


def test_the_description_says_what_the_code_does_with_its_arguments():
    functions = abi.items_of(DESCRIPTION, "function")

    def parameter(function, name):
        (found,) = [each for each in functions[f"shardspec_{function}"]["parameters"]
                    if each["name"] == name]
        return {key: value for key, value in found.items() if key not in ("name", "type")}

    # One handle, and an array of them, which C declares alike.
    assert parameter("spec_new_chunk", "out") == {
        "kind": "place", "direction": "out", "null": "refused", "free": "shardspec_spec_free"}
    assert parameter("comm_new_local", "comms") == {
        "kind": "array", "direction": "out", "null": "if_empty", "length": ["size"],
        "free": "shardspec_comm_free"}
    assert parameter("spec_new_chunk", "placements") == {
        "kind": "array", "direction": "in", "null": "if_empty", "length": ["placement_count"]}
    assert parameter("shards_new_from_arrays", "offsets") == {
        "kind": "array", "direction": "in", "null": "if_empty", "length": ["ndim", "shard_count"]}
    assert parameter("shards_new_from_arrays", "placement_indices")["null"] == "allowed"
    assert parameter("metadata_locate", "local_indices") == {
        "kind": "array", "direction": "out", "null": "allowed", "length": ["element_count"],
        "length_times": "metadata"}
    assert parameter("spec_type_name", "buffer") == {
        "kind": "array", "direction": "out", "null": "if_empty", "length": ["capacity"]}
    # Memory of no type, and the context of callbacks.
    assert parameter("struct_init", "out") == {
        "kind": "bytes", "direction": "out", "null": "if_empty", "length": ["size"]}
    assert parameter("metadata_gather_flat", "shards") == {
        "kind": "bytes", "direction": "in", "null": "if_empty"}
    assert parameter("comm_new", "ctx") == {
        "kind": "opaque", "direction": "in", "null": "allowed"}
    assert parameter("spec_type_name", "needed") == {
        "kind": "place", "direction": "out", "null": "allowed"}
    assert parameter("tensor_copy", "options") == {
        "kind": "struct", "direction": "in", "null": "allowed"}
    assert parameter("tensor_copy", "source") == {
        "kind": "struct", "direction": "in", "null": "refused"}
    assert parameter("metadata_properties", "out")["direction"] == "inout"
    assert parameter("spec_free", "spec") == {
        "kind": "handle", "direction": "in", "null": "allowed"}
    assert parameter("op_register", "function") == {
        "kind": "callback", "direction": "in", "null": "refused"}
    assert parameter("op_register", "destroy")["null"] == "allowed"
    assert parameter("comm_new", "err") == {
        "kind": "struct", "direction": "inout", "null": "allowed"}
    structs = abi.items_of(DESCRIPTION, "struct")
    (cuts,) = [field for field in structs["shardspec_mesh_layout"]["fields"]
               if field["name"] == "cuts"]
    assert cuts["length"] == ["cut_count"]
