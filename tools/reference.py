"""Writes docs/reference from include/shardspec.json: a page for each section of the header.

The header is the manual; the pages say the same, with links. `make build` runs this.
"""

import json
import pathlib
import re
from typing import NamedTuple

ROOT = pathlib.Path(__file__).resolve().parents[1]
DESCRIPTION = ROOT / "include/shardspec.json"
PAGES = ROOT / "docs/reference"

NAME = re.compile(r"\b(?:shardspec_|SHARDSPEC_|[A-Z])\w*\b")
WIDTH = 100


class Item(NamedTuple):
    """A declaration, the comment over it, and the lines of its contract."""

    name: str
    kind: str
    comment: str
    contract: dict
    code: str
    value: str

    @property
    def is_constant(self):
        return self.kind in ("constant", "macro")

    @property
    def summary(self):
        """What comes before the first full stop or colon."""
        return re.split(r"[.:;](?:\s|$)", one_line(self.comment))[0]


class Section(NamedTuple):
    """A part of the header: its heading, and what it declares."""

    title: str
    level: int
    text: str
    items: list

    @property
    def page(self):
        return re.sub(r"\W+", "-", self.title.split(":")[0].lower()) + ".md"


def one_line(text):
    return " ".join(text.split())


def declared(of, name):
    """A declaration: `const char *name`, `char message[968]`."""
    base, bracket, length = of.partition("[")
    gap = "" if base.endswith("*") else " "
    return f"{base.rstrip() if bracket else base}{gap}{name}{bracket}{length}"


def call(start, item):
    """A function or a callback with its parameters, in lines that are not too long."""
    parameters = [declared(parameter["type"], parameter["name"])
                  for parameter in item["parameters"]] or ["void"]
    code = f"{start}({', '.join(parameters)});"
    if len(code) <= WIDTH:
        return code
    lines = [f"{start}("]
    for parameter in parameters:
        end = ");" if parameter is parameters[-1] else ","
        if len(lines) > 1 and len(lines[-1]) + len(parameter) + 2 <= WIDTH:
            lines[-1] += f" {parameter}{end}"
        else:
            lines.append(f"    {parameter}{end}")
    return "\n".join(lines)


def code_of(item):
    name, kind = item["name"], item["kind"]
    if kind == "function":
        return call(f"{declared(item['result'], name)}", item)
    if kind == "callback":
        return call(f"typedef {declared(item['result'], f'(*{name})')}", item)
    if kind == "alias":
        return f"typedef {declared(item['type'], name)};"
    if kind == "handle":
        return f"typedef struct {name} {name};"
    if kind != "struct":
        return ""
    fields = []
    for field in item["fields"]:
        comment = "\n   * ".join(field["doc"].split("\n"))
        around = ("/** ", " */") if "\n" not in comment else ("/**\n   * ", "\n   */")
        fields.append(f"  {around[0]}{comment}{around[1]}\n  {declared(field['type'], field['name'])};")
    return "\n".join([f"struct {name} {{", *fields, "};"])


def item_of(item):
    return Item(item["name"], item["kind"], item["doc"], item.get("contract", {}), code_of(item),
                str(item.get("value", "")))


def read(description):
    """The text of the first page, and the sections."""
    sections = [Section(section["title"], section["level"], section["doc"],
                        [item_of(item) for item in section["items"]])
                for section in description["sections"]]
    return description["manual"], sections


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
            yield self.prose(paragraph.rstrip())

    def contract(self, lines):
        if lines:
            yield "\n".join(f"- **{label}:** {self.prose(one_line(line))}"
                            for label, line in lines.items())

    def constants(self, items):
        """A table of constants that follow each other."""
        rows = ["| constant | value | |", "|---|---|---|"]
        for item in items:
            meaning = self.prose(one_line(item.comment))
            rows.append(f'| <a id="{item.name}"></a>`{item.name}` | `{item.value}` | {meaning} |')
        yield "\n".join(rows)

    def declaration(self, item):
        yield f"### `{item.name}`"
        yield f"```c\n{item.code}\n```"
        yield from self.paragraphs(item.comment)
        yield from self.contract(item.contract)

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

    def index(self, top, levels, sections):
        title, *paragraphs = re.split(r"\n\n+", top)
        # The table of contents follows below, and the last paragraph is about the files.
        contents = next(at for at, text in enumerate(paragraphs) if "{contents}" in text)
        paragraphs = [*paragraphs[:contents - 1], *paragraphs[contents + 1:-1]]
        yield "# Reference"
        yield ("What [include/shardspec.h](../../include/shardspec.h) declares. These pages are "
               "made from its comments\nby `tools/reference.py`: edit those.")
        yield self.prose(title.partition(" - ")[2].capitalize())
        yield from (part for text in paragraphs for part in self.paragraphs(text))
        for number, level in enumerate(levels, 1):
            yield f"## {level}"
            for section in sections:
                if section.level != number:
                    continue
                yield f"### [{section.title}]({section.page})"
                yield "\n".join(f"- {self.link(item.name)}: {self.prose(item.summary)}"
                                for item in section.items if not item.is_constant)


def pages(description):
    """Name and text of each page."""
    top, sections = read(description)
    writer = Writer(sections)
    made = {section.page: writer.page(section) for section in sections}
    made["README.md"] = writer.index(top, description["levels"], sections)
    return {name: "\n\n".join(blocks) + "\n" for name, blocks in made.items()}


def main():
    made = pages(json.loads(DESCRIPTION.read_text()))
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
