"""Finds sentences of the header, the documents and the docstrings that need a second reading.

`python3 tools/prose.py` prints each with its place and the habit. A reader may not know the sentence
before it, and may read English as a second language. RULES has the habits that such readers stumbled
over, and what to write in their place.
"""

import ast
import functools
import pathlib
import re
from typing import NamedTuple

ROOT = pathlib.Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "python/shardspec"
PUBLIC = ("__init__.py", "torch.py", "jax.py")

MAX_WORDS = 25
# A longer sentence may have one clause with a conjunction or a relative pronoun, a shorter one two.
LONG = 20

LABELS = re.compile(r"(?:Memory|Time|Ownership|Calls back|Blocks|Errors|Threads|Source|Since): ")
# Contract lines that are lists of clauses. A clause may be longer than a sentence.
LISTS = re.compile(r"(?:Calls back|Blocks|Errors|Source|Since): ")
ITEM = re.compile(r"\s*[-*] ")
NUMBERED = re.compile(r"\d+\. ")


class Sentence(NamedTuple):
    """A sentence or a clause of a list, and the file and the line where its paragraph begins."""

    path: str
    line: int
    text: str
    is_clause: bool


class Rule(NamedTuple):
    """What to write in place of a habit, and whether a sentence has the habit."""

    advice: str
    breaks: object


def paragraphs(lines, first):
    """Lines joined to paragraphs. Items and contract lines are paragraphs; indented lines are code."""
    begun, start, in_item = [], first, False
    for number, line in enumerate([*lines, ""], first):
        item = ITEM.match(line) or ((in_item or not begun) and NUMBERED.match(line))
        begins = item or LABELS.match(line)
        is_code = line.startswith("  ") and not in_item and not begins
        if begun and (not line.strip() or begins or is_code):
            yield start, " ".join(begun)
            begun = []
        if not line.strip() or is_code:
            in_item = in_item and bool(line.strip())
            continue
        if not begun:
            start, in_item = number, bool(item)
        begun.append(line[item.end() if item else 0:].strip())


def header_paragraphs(text):
    """Paragraphs of all comments of a C header."""
    for comment in re.finditer(r"/\*(.*?)\*/", text, re.S):
        lines = [re.sub(r"^\s*\*? ?", "", line, count=1) for line in comment[1].split("\n")]
        lines = ["" if re.match(r"\W*$", line) else line for line in lines]
        yield from paragraphs(lines, text.count("\n", 0, comment.start()) + 1)


def document_paragraphs(text):
    """Paragraphs of Markdown outside of code and headings, and the cells of tables."""
    text = re.sub(r"^```.*?^```$", lambda code: "\n" * code[0].count("\n"), text, flags=re.M | re.S)
    lines = []
    for number, line in enumerate(text.split("\n"), 1):
        if line.startswith("|"):
            yield from ((number, cell.strip()) for cell in re.split(r"(?<!\\)\|", line) if " " in cell.strip())
            line = ""
        lines.append("" if line.startswith(("#", "<")) else line)
    yield from paragraphs(lines, 1)


@functools.cache
def public_names():
    """The names in the `__all__` of the package and of its modules for torch and JAX."""
    return {name for module in PUBLIC for node in ast.parse((PACKAGE / module).read_text()).body
            if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__"
            for name in ast.literal_eval(node.value)}


def docstring_paragraphs(text):
    """Paragraphs of the docstrings of public classes, functions and methods, without examples."""
    public = public_names()
    nodes = [node for node in ast.parse(text).body if getattr(node, "name", "") in public]
    nodes += [member for node in nodes if isinstance(node, ast.ClassDef) for member in node.body
              if not getattr(member, "name", "_").startswith("_")]
    for node in nodes:
        doc = ast.get_docstring(node)
        if doc:
            doc = re.sub(r"^>>> .*?(?:\n\n|\Z)", lambda code: "\n" * code[0].count("\n"), doc, flags=re.M | re.S)
            yield from paragraphs(doc.split("\n"), node.body[0].lineno)


def sentences_of(paragraph):
    """The sentences of a paragraph, or the clauses of a list, without links, emphasis and labels."""
    if LISTS.match(paragraph):
        return re.split(r"[;.] ", LABELS.sub("", paragraph, count=1))
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", paragraph).replace("**", "")
    return [one for one in re.split(r"(?<=[.!?])\)? (?=[A-Z`\"(0-9]|torch\b|shardspec|\w+[/.]\w)", text) if " " in one]


def sentences():
    """Every sentence that the rules hold for."""
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "docs/worked").glob("*.md"))]
    places = [(ROOT / "include/shardspec.h", header_paragraphs)]
    places += [(page, document_paragraphs) for page in pages]
    places += [(module, docstring_paragraphs) for module in sorted(PACKAGE.glob("*.py"))]
    for path, split in places:
        for line, paragraph in split(path.read_text()):
            for text in sentences_of(paragraph):
                yield Sentence(path.relative_to(ROOT).as_posix(), line, text, bool(LISTS.match(paragraph)))


def plain(text):
    """A sentence with each piece of code and each quotation as one word."""
    return re.sub(r"``?[^`]*``?|\"[^\"]*\"|\bNone\b(?! of)", "CODE", text)


def count(pattern, text):
    return len(re.findall(rf"\b(?:{pattern})\b", text, re.I))


def words(text):
    return len([word for word in text.split() if re.search(r"\w", word)])


def is_a_list(text):
    """Whether most of a sentence are names: a list of functions, keys or types."""
    return count("CODE", text) * 3 > words(text) or text.count(",") * 3 > words(text)


def clauses(text):
    """How many subordinate clauses a sentence has."""
    text = re.sub(r"\b(?:so|in order) that\b", "because", text)
    return count("which|who|whose|whom|if|when|where|because|while|until|unless|although|though|whether|since",
                 text) + count(rf"that(?= (?:{AFTER_THAT})\b)", text)


def negations(text):
    text = re.sub(r"\bneither\b([^.;]*?)\bnor\b", r"neither\1", text)
    return count("not|no|never|neither|nor|none|nothing|nobody|without|cannot|can't|don't|doesn't|isn't|unless", text)


def passives(text):
    return count(rf"(?:is|are|was|were|be|been) (?:\w+ly |not |never |also )?(?:\w+ed|{PARTICIPLES})", text)


def any_of(*phrases):
    """Whether a sentence has one of these phrases, which are regular expressions."""
    return lambda text: re.search(rf"\b(?:{'|'.join(phrases)})", text, re.I)


def begins_with(*phrases):
    """Whether a sentence begins with one of these phrases, in capital letters or not."""
    return lambda text: re.match(rf"(?:{'|'.join(phrases)})", text, re.I)


AFTER_THAT = r"\w+s|\w+ed|can|can't|may|must|do|the|a|an|it|they|this|has|no|CODE"
PARTICIPLES = "made|given|written|read|sent|held|kept|built|cut|found|known|left|put|taken|shown|freed|chosen|drawn"
VERBS = (r"is|are|was|were|has|have|had|can|can't|may|must|do|does|makes?|means?|holds?|needs?|takes?|lets?|gives?"
         "|happens?|includes?|applies|keeps?|costs?|begins?|defines?|of (?:them|these|those|it|which)")
# What a comment or a page may call 'this': itself, and the code or the table that follows.
OWN = ("callback|command|example|field|form|functions?|header|hint|library|macro|method|numbers|op|package|page"
       "|program|ratios|rules|section|spec|times")
AFTER_WHAT = "of|it|they|the|a|an|is|are|was|this|each|to|you|has|must|makes?|moves?|goes|changes"

# What a sentence does that makes readers stop.
RULES = {
    "is too long": Rule(
        f"write sentences of at most {MAX_WORDS} words, with one fact each",
        lambda text: words(text) > MAX_WORDS and not is_a_list(text)),
    "begins with a pronoun": Rule(
        "repeat the noun",
        begins_with(r"(?:(?:so|then|but|and|also|otherwise),? )?(?:its?|they|their|them)\b")),
    "begins with a bare demonstrative": Rule(
        "name the thing: 'this call', 'both arrays'",
        begins_with(r"(?:this|these|those|that|both|each|one|others|all|none|some|neither|either|such|many|nothing"
                    rf"|everything) (?:{VERBS})\b")),
    "needs the sentence before it": Rule(
        "state the condition or the reason again, or join the sentences",
        begins_with(r"(?:so|then|but|and|or|otherwise|instead(?! of)|thus|also|again|however)\b",
                    r"(?:similarly|likewise|conversely|here|examples are|another example|such)\b",
                    rf"(?:this|these) (?!(?:{OWN})\b)\w",
                    r"(?:in|for|after|before|with|to|from) (?:that|this|these|those|such)(?: case)?,", r"in such\b",
                    r"of (?:these|those|them|all)\b", "as a result", "in all other cases", "in both cases")),
    "stands for something that another sentence names": Rule(
        "write the noun, or state what is equal",
        any_of(r"(?:that|those) of\b", r"those (?:that|which)\b", r"(?-i:That) \w", r"the ones?\b(?! \w)",
               r"the others?(?= (?:is|are|has|may|must)\b|[.,;)])", r"the rest\b(?! of)", r"the (?:former|latter)\b",
               r"(?:until then|at that time|in the meantime|after that|before that)\b",
               r"(?<!and )(?<!, )then\b", r"those \w", r"(?:both|this)\b(?=[.,;:]|$)",
               r"the same(?= (?:as|for|in|is|are|with|when|if|on|to|from)\b|[.;:)])",
               r"same (?:holds|is true|applies)\b", r"the same way\b", r"(?<!to )do so\b", r"does so\b", r"likewise\b",
               r"in turn\b", r"respectively\b", r"vice versa\b", r"otherwise\b",
               r"(?:any|one|each|some|none|all|both|the (?:first|last|most)) of (?:them|which|(?:these|those)(?! \w))",
               r"there\b(?! (?:is|are|was|were|may|must|can)\b)")),
    "has a preposition before a relative pronoun": Rule(
        "make two sentences, or turn the clause around: 'the arguments of the preparation'",
        any_of(r"(?:of|for|to|in|with|from|by|at|on|into|over|under|through|after|before) (?:which|whom|whose)\b")),
    "has a word that many learn late": Rule(
        "write 'all data that', 'the file that', 'every', 'like', 'for example'",
        any_of(r"(?:whose|whichever|whatever|whoever|wherever|whenever|however|whereby|lest|hence|thereof)\b",
               r"(?:but for|save for|let alone|at all|no matter|whether or not|as far as|insofar|given that)\b",
               r"(?:no longer|no sooner|even if|even though|as if|as though|as in|as with|as for|as do|as does)\b",
               r"(?:as (?:long|soon|well) as|albeit|notwithstanding|anew)\b", r"(?:told|wants|lives?|knows how)\b")),
    "has a clause with 'what' for a noun": Rule(
        "write the noun: 'the problems', 'the arguments'",
        any_of(rf"what(?: (?:{AFTER_WHAT})\b|$)")),
    "begins with a question word": Rule(
        "begin with the subject",
        begins_with(r"(?:what|where|who|why|how|whether|which)\b(?! to)")),
    "has two negations": Rule(
        "state what is true",
        lambda text: negations(text) > 1),
    "has too many clauses": Rule(
        "make two sentences",
        lambda text: clauses(text) > (1 if words(text) > LONG else 2)),
    "has an 'unless'": Rule(
        "write 'only if', or 'if' with the opposite condition",
        any_of(r"unless\b")),
    "has too many pronouns": Rule(
        "repeat the nouns",
        lambda text: count("it|they|them", text) > 1 or count("it|its|they|them|their", text) > 2),
    "has nested parentheses": Rule(
        "make two sentences",
        lambda text: re.search(r"\([^)]*\(", text) or (text.count(" (") > 2 and not is_a_list(text))),
    "is a chain of passives": Rule(
        "name who does it",
        lambda text: passives(text) > 2),
}

# Habits that a clause of a list may have: it is read with a status, and not alone.
OF_CLAUSES = {"is too long", "has too many clauses", "has two negations", "has too many pronouns"}

# Sentences that break a rule, each with the reason.
ALLOWED = {}


def findings(text, is_clause=False):
    """What a sentence does that makes readers stop."""
    text = "" if text in ALLOWED else plain(text)
    allowed = OF_CLAUSES if is_clause else set()
    return [habit for habit, rule in RULES.items() if habit not in allowed and rule.breaks(text)]


def main():
    found = {(sentence.text, habit): sentence for sentence in sentences()
             for habit in findings(sentence.text, sentence.is_clause)}
    for (text, habit), sentence in found.items():
        print(f"{sentence.path}:{sentence.line}: {habit}: {text}")


if __name__ == "__main__":
    main()
