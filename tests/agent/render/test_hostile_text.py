"""Whatever a field says, it is shown and does nothing: in a terminal, a browser, Markdown or JSON."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import Any, get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token
from rich.cells import cell_len

from agent.render import render
from agent.render.html import render_html
from agent.render.json_ import render_json
from agent.render.markdown import render_markdown
from graphs.report import DefectReport, DeviationKind
from tools.plain_text import plain

HOSTILE = {
    "script": "<script>alert(1)</script><img src=x onerror=alert(1)>\"' onload='x",
    "terminal": "\x1b[31mred\x1b]0;title\x07\x9b2J\r\x08hidden\x00",
    "reordering": "abc\u202edcba\u2066\u200f\ufeff\u2028end",
    "rich markup": "[red]x[/red][link=https://example.org]y[/link] :boom:",
    "markdown": "# h\n- l\n1. n\n|a|b|\n```x``` **b** ![i](http://x/y.png) [l](javascript:1) <b>~~s~~",
    "addresses": "https://x.y www.x.y HTTP://x.y WWW.x.y",
    "list": "1. one",
    "underline": "=====\n-----",
    "jinja": "{{ 7*7 }}{% raw %}{# c #}",
    "long": "x" * 10_000,
    "long words": "word " * 2_000,
    "wide": "漢字" * 200,
    "attribute": '"><svg onload=alert(1)>',
}
FIXED = {
    "schema_version", "sha256", "verdict", "zone", "cell", "severity", "support", "polarity", "reliability",
    "language", "ended", "how", "said",
}  # fmt: skip

KINDS = {"containment", "correction", "prevention", "confirm", *get_args(DeviationKind)}
"""Words of a closed set that share the name of their field with free text."""


def poisoned(report: DefectReport, text: str) -> DefectReport:
    """The report with `text` in every field that takes any text; ids stay unique and still agree."""

    def walk(value: Any, key: str = "") -> Any:
        if key in {"artifacts", "versions"}:
            return {text: text}
        if isinstance(value, dict):
            return {name: walk(inner, name) for name, inner in value.items()}
        if isinstance(value, list | tuple):
            return [walk(inner, key) for inner in value]
        if not isinstance(value, str) or key in FIXED or value in KINDS:
            return value
        if key == "reasoner":
            return "vlm:" + text.replace("\n", " ")  # the schema allows no line break here
        if re.fullmatch("(layout|print):[0-9]+", value):
            return value
        return f"{text}{value}" if key in {"id", "source", "sources", "evidence"} else text

    return DefectReport.model_validate(walk(report.model_dump()))


@pytest.fixture(params=list(HOSTILE))
def hostile(request: pytest.FixtureRequest) -> str:
    return HOSTILE[request.param]


class Page(HTMLParser):
    """What a browser would see: elements, attributes, words."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.words = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.words += data


def unseen(text: str) -> list[str]:
    """Characters of an output that act instead of showing."""
    return re.findall("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]", text)


@pytest.mark.parametrize("kind", ["anomalous_report", "whole_report", "review_report"])
def test_html_keeps_its_elements(
    kind: str, hostile: str, request: pytest.FixtureRequest, pictures: dict[str, bytes]
) -> None:
    report = request.getfixturevalue(kind)
    output = render_html(poisoned(report, hostile), pictures)
    assert unseen(output) == []
    page = Page(output)
    assert "script" not in page.elements
    assert set(page.elements) <= set(Page(render_html(report, pictures)).elements) | {"figcaption"}
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    for name, value in page.attributes:
        if name in {"href", "src"}:
            assert value is not None
            assert value.startswith(("#", "data:image/png;base64,"))
    assert plain(hostile) in page.words


def test_text_holds_no_escape_but_its_own_colours(anomalous_report: DefectReport, hostile: str) -> None:
    report = poisoned(anomalous_report, hostile)
    assert unseen(render(report, "text", width=100)) == []
    coloured = render(report, "text", width=100, color=True)
    assert unseen(re.sub(r"\x1b\[[0-9;]*m", "", coloured)) == []


def test_text_shows_markup_as_text(anomalous_report: DefectReport) -> None:
    output = render(poisoned(anomalous_report, HOSTILE["rich markup"]), "text")
    assert "[red]x[/red]" in output
    assert ":boom:" in output


def structure(markdown: str) -> list[str]:
    """The kinds of Markdown elements in order, links and pictures with their targets; no text."""

    def kinds(token: Token) -> list[str]:
        target = token.attrGet("src") or token.attrGet("href") or ""
        inner = [kind for child in token.children or [] for kind in kinds(child)]
        own = [] if token.type in {"text", "text_special", "inline"} else [f"{token.type} {target}"]
        return own + inner

    reader = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    return [kind for token in reader.parse(markdown) for kind in kinds(token)]


def test_markdown_keeps_its_structure(anomalous_report: DefectReport, hostile: str) -> None:
    links = {"overlay": "overlay.png", "crop_1": "crop_1.png"}
    output = render_markdown(poisoned(anomalous_report, hostile), links)
    one_version = poisoned(anomalous_report, "harmless words")
    assert structure(output) == structure(render_markdown(one_version, links))
    assert unseen(output) == []
    assert "://" not in output.replace("\\://", "")
    assert not re.search(r"www\.", output)


@pytest.mark.parametrize(
    "path", ["javascript:alert(1)", "//example.org/x.png", "a) [b](c", 'x" onerror="y', "https://example.org"]
)
def test_markdown_pictures_point_nowhere_but_beside_the_file(
    anomalous_report: DefectReport, path: str
) -> None:
    targets = [
        kind.removeprefix("image ")
        for kind in structure(render_markdown(anomalous_report, {"overlay": path}))
        if kind.startswith("image ")
    ]
    assert len(targets) == 1
    assert not re.match(r"[a-z]+:|//", targets[0])


def test_json_gives_back_the_same_report(anomalous_report: DefectReport, hostile: str) -> None:
    report = poisoned(anomalous_report, hostile)
    output = render_json(report)
    assert output.isascii()
    assert unseen(output) == []
    assert DefectReport.model_validate_json(output) == report


def test_what_is_cut_is_counted_and_json_has_it_all(anomalous_report: DefectReport) -> None:
    report = poisoned(anomalous_report, HOSTILE["long"])
    for form in ("text", "markdown", "html"):
        output = render(report, form)
        assert "more characters" in " ".join(output.split())
        assert "x" * 3_000 not in output
    assert "x" * 10_000 in render(report, "json")


any_text = st.text(st.characters(codec="utf-8"), min_size=1, max_size=60).filter(str.strip)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=any_text, width=st.integers(min_value=10, max_value=200), color=st.booleans())
def test_no_line_is_wider_than_the_terminal(
    anomalous_report: DefectReport, text: str, width: int, color: bool
) -> None:
    output = render(poisoned(anomalous_report, text), "text", width=width, color=color)
    bare = re.sub(r"\x1b\[[0-9;]*m", "", output)
    assert max(cell_len(line) for line in bare.splitlines()) <= max(width, 40)
    assert unseen(bare) == []


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=any_text)
def test_any_text_survives_markdown_and_json(anomalous_report: DefectReport, text: str) -> None:
    report = poisoned(anomalous_report, text)
    harmless = poisoned(anomalous_report, "harmless words")
    assert structure(render_markdown(report, {})) == structure(render_markdown(harmless, {}))
    assert json.loads(render_json(report))["summary"] == text
    assert DefectReport.model_validate_json(render_json(report, one_line=True)) == report


@given(st.text())
def test_plain_is_one_visible_line_and_stays_as_it_is(text: str) -> None:
    once = plain(text)
    assert unseen(once) == []
    assert "\n" not in once
    assert plain(once) == once


def test_plain_writes_out_what_would_act() -> None:
    assert plain("a\x1b[31mb\u202ec\n d") == "a\\x1b[31mb\\u202ec d"
    assert plain("abcdef", longest=4) == "abcd … (2 more characters)"
    assert plain("\ud800") == "\\ud800"
