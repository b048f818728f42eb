"""Pictures: what they show, and when they have colours."""

import io
import sys
import xml.etree.ElementTree

import pytest

from shardspec import (
    ChunkShardingSpec,
    Cut,
    Mesh,
    MeshShardingSpec,
    Plan,
    ShardMetadata,
    ShardspecError,
    draw_shards,
)


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def rows():
    return ChunkShardingSpec(0, ["rank:0", "rank:1"]).build_metadata([4, 6])


@pytest.fixture
def columns():
    return ChunkShardingSpec(1, ["rank:0", "rank:1"]).build_metadata([4, 6])


def test_a_picture_names_the_owners(rows):
    picture = rows.draw()
    assert picture.startswith("Who owns what: tensor [4, 6], 2 shards of 2 owners\n")
    assert "│   rank 0   │" in picture and "│   rank 1   │" in picture
    assert ChunkShardingSpec(0, ["rank:0", "rank:1"]).draw([4, 6]) == picture
    mesh = MeshShardingSpec(Mesh({"dp": 2}), [Cut(0, "dp")])
    assert "  Mesh: dp=2\n" in mesh.draw([4, 6])


def test_notebooks_show_svg(rows, columns):
    for picture in (rows._repr_svg_(), Plan(rows, columns)._repr_svg_(),
                    rows.draw("svg", theme="dark"), rows.draw_diff(columns, "svg")):
        assert xml.etree.ElementTree.fromstring(picture).tag.endswith("svg")
    assert "prefers-color-scheme" in rows._repr_svg_()
    assert "prefers-color-scheme" not in rows.draw("svg", theme="light")


def test_only_terminals_with_colours_get_colours(rows, monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    assert "\x1b" not in rows.draw() and "\x1b" in rows.draw(color=True)
    monkeypatch.setattr(sys, "stdout", Terminal())
    assert "\x1b" in rows.draw() and "\x1b" not in rows.draw(color=False)
    monkeypatch.setenv("TERM", "dumb")
    assert "\x1b" not in rows.draw()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in rows.draw()


def test_options_are_those_of_the_library(rows):
    assert rows.draw(ascii=True).isascii() and not rows.draw().isascii()
    assert "dim 1 down, dim 0 across" in rows.draw(axes=[1, 0])
    assert "Window: " in rows.draw(window=[slice(1, 3), slice(None)])
    assert max(map(len, rows.draw(width=40).splitlines())) <= 40


def test_changes_plans_and_gaps_are_drawn(rows, columns):
    assert "50 % of the elements" in rows.draw_diff(columns)
    assert "12 elements between owners, 12 stay" in Plan(rows, columns).draw()
    assert "Gap: 2 elements" in draw_shards([ShardMetadata([0], [3], "rank:0")], [5])


@pytest.mark.parametrize("options", [
    {"format": "png"}, {"theme": "blue"}, {"width": 39}, {"width": 0}, {"axes": [2]},
    {"axes": [0, 0]}, {"window": [slice(0, 2)]}, {"window": [slice(0, 4, 2), slice(0, 6)]},
    {"window": [slice(2, 2), slice(0, 6)]},
])
def test_wrong_options_are_refused(rows, options):
    with pytest.raises(ShardspecError):
        rows.draw(**options)
