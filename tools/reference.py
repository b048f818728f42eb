"""Writes docs/reference from the comments of include/shardspec.h: a page for each section.

The header is the manual; the pages say the same, with links. `make build` runs this.
"""

import pathlib
import re
from typing import NamedTuple

ROOT = pathlib.Path(__file__).resolve().parents[1]
HEADER = ROOT / "include/shardspec.h"
PAGES = ROOT / "docs/reference"

# What a contract is made of, such as "Ownership, errors, threads: as ...". Each becomes a line.
LABEL = re.compile(r"(?:^|(?<=[.)]\s))((?:Ownership|Errors|Threads|Time|Memory|Source|Since)"
                   r"(?:, [a-z]+)*): ")
NAME = re.compile(r"\b(?:shardspec_|SHARDSPEC_|[A-Z])\w*\b")
ITEM = re.compile(r"""
    ^(?P<comment>/\*.*?\*/)$
  | ^(?P<constant>\#define\ [^\n]*)$
  | ^(?P<declaration>\w[^\n{;]*\{.*?^\}\ \w+; | \w[^{;]*;)$
""", re.M | re.S | re.X)


class Item(NamedTuple):
    """A declaration and the comment over it."""

    comment: str
    code: str

    @property
    def name(self):
        return re.search(r"#define (\w+)|\(\*(\w+)\)|\b(shardspec_\w+)\(|(\w+);$",
                         self.code)[0].strip("#(*);").removeprefix("define ")

    @property
    def is_constant(self):
        return self.code.startswith("#define")

    @property
    def summary(self):
        """What comes before the first full stop or colon."""
        return re.split(r"[.:;](?:\s|$)", one_line(self.comment))[0]


class Section(NamedTuple):
    """A part of the header: its heading, and what it declares."""

    title: str
    text: str
    items: list

    @property
    def page(self):
        return re.sub(r"\W+", "-", self.title.split(":")[0].lower()) + ".md"


def text_of(comment):
    """A comment without its marks; indentation is kept."""
    lines = comment.removeprefix("/*").removesuffix("*/").split("\n")
    return "\n".join(re.sub(r"^ \*? ?", "", line).rstrip() for line in lines).strip()


def one_line(text):
    return " ".join(text.split())


def items_of(code):
    comment = ""
    for found in ITEM.finditer(code):
        if found["comment"]:
            comment = text_of(found["comment"])
        else:
            yield Item(comment, found[0])
            comment = ""


def read(header):
    """The text at the top, and the sections."""
    top, _, rest = header.partition("*/")
    parts = re.split(r"^/\* =+\n(.*?)^ \*/$", rest, flags=re.M | re.S)
    sections = []
    for heading, code in zip(parts[1::2], parts[2::2]):
        title, _, text = text_of(heading).partition("\n")
        sections.append(Section(title.rstrip("."), text.strip(), list(items_of(code))))
    return text_of(top), sections


class Writer:
    """Markdown, with links to whatever the header declares."""

    def __init__(self, sections):
        self.places = {item.name: f"{section.page}#{item.name}"
                       for section in sections for item in section.items}

    def link(self, name):
        return f"[`{name}`]({self.places[name]})" if name in self.places else f"`{name}`"

    def prose(self, text):
        """A text of the header: links for names, and no accidents with Markdown's own signs."""
        pieces = re.split(r"`([^`]*)`", text)
        pieces[1::2] = map(self.link, pieces[1::2])
        pieces[::2] = (NAME.sub(self.bare_name, piece.replace("<", "&lt;").replace("*", r"\*"))
                       for piece in pieces[::2])
        return "".join(pieces)

    def bare_name(self, found):
        """A name without quotes; a status may come without its prefix."""
        name = found[0] if found[0] in self.places else f"SHARDSPEC_{found[0]}"
        return f"[{found[0]}]({self.places[name]})" if name in self.places else found[0]

    def paragraphs(self, text):
        for paragraph in re.split(r"\n\n+", text):
            lines = paragraph.split("\n")
            if all(line.startswith("  ") for line in lines):
                yield "\n".join(["```text", *(line[2:] for line in lines), "```"])
                continue
            prose, *contract = LABEL.split(paragraph)
            if prose:
                yield self.prose(prose.rstrip())
            if contract:
                yield "\n".join(f"- **{label}:** {self.prose(one_line(part))}"
                                for label, part in zip(contract[::2], contract[1::2]))

    def constants(self, items):
        """A table of constants that follow each other."""
        rows = ["| constant | value | |", "|---|---|---|"]
        for item in items:
            value, meaning = item.code.split(None, 2)[2], self.prose(one_line(item.comment))
            rows.append(f'| <a id="{item.name}"></a>`{item.name}` | `{value}` | {meaning} |')
        yield "\n".join(rows)

    def declaration(self, item):
        yield f"### `{item.name}`"
        yield f"```c\n{item.code}\n```"
        yield from self.paragraphs(item.comment)

    def page(self, section):
        yield f"# {section.title}"
        yield from self.paragraphs(section.text)
        items = list(section.items)
        while items:
            count = next((i for i, item in enumerate(items) if not item.is_constant), len(items))
            if count:
                yield from self.constants(items[:count])
            else:
                yield from self.declaration(items[0])
            del items[:max(count, 1)]

    def index(self, top, sections):
        title, *paragraphs = re.split(r"\n\n+", top)
        yield "# Reference"
        yield ("What [include/shardspec.h](../../include/shardspec.h) declares. These pages are "
               "made from its comments\nby `tools/reference.py`: edit those.")
        yield self.prose(title.partition(" - ")[2].capitalize())
        # The last paragraph is about the header file itself.
        yield from (part for text in paragraphs[:-1] for part in self.paragraphs(text))
        for section in sections:
            yield f"## [{section.title}]({section.page})"
            yield "\n".join(f"- {self.link(item.name)}: {self.prose(item.summary)}"
                            for item in section.items if not item.is_constant)


def pages(header):
    """Name and text of each page."""
    top, sections = read(header)
    writer = Writer(sections)
    made = {section.page: writer.page(section) for section in sections}
    made["README.md"] = writer.index(top, sections)
    return {name: "\n\n".join(blocks) + "\n" for name, blocks in made.items()}


def main():
    made = pages(HEADER.read_text())
    PAGES.mkdir(parents=True, exist_ok=True)
    for old in PAGES.iterdir():
        if old.name not in made:
            old.unlink()
    for name, text in made.items():
        path = PAGES / name
        if not path.exists() or path.read_text() != text:
            path.write_text(text)


if __name__ == "__main__":
    main()
