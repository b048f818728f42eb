"""Each sentence of the header, the documents and the docstrings is understood at first reading.

tools/prose.py has the habits that made readers stop, and prints all places that have one.
"""

import sys

import pytest

from commands import ROOT

sys.path.insert(0, str(ROOT / "tools"))
import prose

# A sentence with each habit, as the header and the documents had it once.
STUMBLED = {
    "is too long": "If the library assumed the size of its own version, it could read or write beyond the struct "
                   "of a program that was compiled with an older header.",
    "begins with a pronoun": "It ignores the context.",
    "begins with a bare demonstrative": "All of them have the kind `SHARDSPEC_VALUE_NONE` before the call.",
    "needs the sentence before it": "Otherwise the devices are in row-major order of the cut dimensions.",
    "stands for something that another sentence names": "The same holds for destinations.",
    "has a preposition before a relative pronoun": "`*out` is the handle with which the sharded tensor was created.",
    "has a word that many learn late": "Blocks of `n` elements, as in a shard whose rows are cut.",
    "has a clause with 'what' for a noun": "Draws who owns what of a tensor.",
    "begins with a question word": "What cached stores leave in the caches is written later.",
    "has two negations": "No rank waits for a message that can't arrive.",
    "has too many clauses": "If several shards own the element because they are replicas, the result is the shard with "
                            "the lowest index, which is the primary owner.",
    "has an 'unless'": "A plan reads each element once, unless it is cut.",
    "has too many pronouns": "If the program passes it, they are copied before it returns.",
    "has nested parentheses": "A run (blocks (of one length) at equal steps) moves.",
    "is a chain of passives": "A file that was truncated after it was opened and is read is refused.",
}
PLAIN = [
    "The library refuses a `struct_size` of 0, because it can't know the size of the caller's memory.",
    "The caller may pass NULL if no other thread uses the handle.",
    "These functions move data between a tensor and its shards.",
    "A rank without shards passes NULL.",
    "`path`, `tensors` (`name`, `dtype`, `sizes`, `bytes`, `layout`, `chunks`), `files` (`name`, `bytes`), `owners`",
]


def test_every_sentence_is_understood_at_first_reading():
    found = {f"{sentence.path}:{sentence.line}: {sentence.text}": habits for sentence in prose.sentences()
             if (habits := prose.findings(sentence.text, sentence.is_clause))}
    assert not found, "\n".join(
        f"{place}\n  {habit}: {prose.RULES[habit].advice}" for place, habits in found.items() for habit in habits)


def test_the_sentences_are_those_of_all_that_people_read():
    places = {sentence.path for sentence in prose.sentences()}
    assert {"include/shardspec.h", "README.md", "docs/concepts.md", "docs/worked/fused-qkv.md",
            "python/shardspec/comm.py", "python/shardspec/_torch_mesh.py"} <= places
    assert sum(1 for _ in prose.sentences()) > 4000


@pytest.mark.parametrize("habit", prose.RULES)
def test_each_habit_is_found(habit):
    assert habit in prose.findings(STUMBLED[habit])


def test_a_clause_of_a_list_may_be_long_and_stands_for_nothing():
    errors = "Errors: INVALID_ARGUMENT if no path is given or no name is given; GAP if the gap is that of a shard."
    assert [prose.findings(clause, is_clause=True) for clause in prose.sentences_of(errors)] == [
        [], ["stands for something that another sentence names"]]


@pytest.mark.parametrize("text", PLAIN)
def test_plain_sentences_are_accepted(text):
    assert prose.findings(text) == []


def test_exceptions_are_needed():
    texts = {sentence.text for sentence in prose.sentences()}
    for text, reason in prose.ALLOWED.items():
        assert text in texts and reason
        assert any(rule.breaks(prose.plain(text)) for rule in prose.RULES.values()), text


@pytest.mark.parametrize("lines, expected", [
    (["Creates a list. With 1, else", "0. The list is", "immutable."],
     ["Creates a list. With 1, else 0. The list is immutable."]),
    (["Text:", "", "  code(1);", "", "More."], ["Text:", "More."]),
    (["- one", "  more", "- two"], ["one more", "two"]),
    (["A text.", "Errors: GAP.", "Threads: any."], ["A text.", "Errors: GAP.", "Threads: any."]),
])
def test_paragraphs_are_split_at_code_items_and_labels(lines, expected):
    assert [text for _, text in prose.paragraphs(lines, 1)] == expected
