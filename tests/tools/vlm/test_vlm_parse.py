"""A reply is what it says or a fault; nothing in between, and never nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field

from tools.errors import VlmInvalid
from tools.vlm.parse import bounded_schema, check_json, one_line, parse_reply, read_json

CORPUS = yaml.safe_load(
    (Path(__file__).parents[2] / "golden/vlm_replies/decisions.yaml").read_text(encoding="utf-8")
)

Coordinate = Annotated[int, Field(ge=-100, le=5000)]


class Decision(BaseModel):
    model_config = ConfigDict(extra="forbid")

    verdict: Literal["normal", "anomalous"]
    confidence: float = Field(ge=0, le=1)
    box: tuple[Coordinate, Coordinate, Coordinate, Coordinate] | None


@pytest.mark.parametrize("case", CORPUS, ids=lambda case: case["name"])
def test_the_corpus(case):
    if "is" in case:
        expected = Decision.model_validate_json(json.dumps(case["is"]))
        assert parse_reply(case["reply"], Decision) == expected
        check_json(case["reply"], bounded_schema(Decision))
        return
    for attempt in (
        lambda: parse_reply(case["reply"], Decision),
        lambda: check_json(case["reply"], bounded_schema(Decision)),
    ):
        with pytest.raises(VlmInvalid) as caught:
            attempt()
        assert str(caught.value).isprintable(), "an error is one line"
        assert len(str(caught.value)) < 350


def test_the_corpus_has_both_kinds():
    assert sum("is" in case for case in CORPUS) >= 6
    assert sum("is" not in case for case in CORPUS) >= 30


@given(text=st.text())
def test_any_text_is_read_or_refused(text):
    try:
        decision = parse_reply(text, Decision)
    except VlmInvalid as error:
        assert str(error).isprintable()  # noqa: PT017 - either outcome is right, anything else fails
    else:
        assert isinstance(decision, Decision)


@given(
    decision=st.builds(
        Decision,
        verdict=st.sampled_from(["normal", "anomalous"]),
        confidence=st.floats(0, 1),
        box=st.none() | st.tuples(*[st.integers(-100, 5000)] * 4),
    ),
    fence=st.sampled_from(["{}", " \n{}\n", "```json\n{}\n```", "```\n{}\n```\n"]),
)
def test_what_was_written_is_read(decision, fence):
    assert parse_reply(fence.replace("{}", decision.model_dump_json()), Decision) == decision


@given(decision=st.sampled_from(["normal", "anomalous"]), cut=st.integers(1, 60))
def test_no_cut_reply_is_read(decision, cut):
    whole = Decision(verdict=decision, confidence=0.25, box=(1, 2, 3, 4)).model_dump_json()
    with pytest.raises(VlmInvalid):
        parse_reply(whole[: max(0, len(whole) - cut)], Decision)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "9" * 10_000, '"' + "x" * 10**6])
def test_hostile_sizes_are_refused(text):
    with pytest.raises(VlmInvalid) as caught:
        parse_reply(text, Decision)
    assert len(str(caught.value)) < 350


@pytest.mark.parametrize("text", [r'["\ud800"]', r'{"\udfff": 1}', '["\ud800"]'])
def test_half_a_character_is_refused(text):
    with pytest.raises(VlmInvalid) as caught:
        read_json(text)
    assert str(caught.value).isprintable()


def test_both_halves_of_a_character_are_one():
    assert read_json(r'["\ud83d\udd29"]') == ["\U0001f529"]


def test_the_first_broken_place_is_named():
    with pytest.raises(VlmInvalid, match=r"Decision at box\.\d*\.?3"):
        parse_reply('{"verdict": "normal", "confidence": 0.5, "box": [1, 2, 3, 9999]}', Decision)
    with pytest.raises(VlmInvalid, match=r"\$\.confidence"):
        check_json('{"verdict": "normal", "confidence": 5, "box": null}', bounded_schema(Decision))


@given(text=st.text(), limit=st.integers(4, 50))
def test_text_of_others_becomes_one_short_line(text, limit):
    line = one_line(text, limit)
    assert line.isprintable()
    assert len(line) <= limit


def test_a_terminal_escape_does_not_reach_the_terminal():
    assert one_line("a\x1b[31mb\r\n\x00c\u202ed") == "a [31mb c d"


def test_read_json_gives_any_value():
    assert read_json("```json\n[1, {}]\n```") == [1, {}]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class FreeText(Strict):
    why: str


class Pattern(Strict):
    code: str = Field(max_length=8, pattern="^[A-Z]*$")


class FreeList(Strict):
    items: list[Literal["a"]]


class ListOfFreeText(Strict):
    items: list[str] = Field(max_length=3)


class ListOfAnything(Strict):
    items: list[object] = Field(max_length=3)


class FreeNumber(Strict):
    count: int = Field(ge=0)


class Extra(BaseModel):
    fine: bool


class Mapping(Strict):
    counts: dict[str, bool]


class Anything(Strict):
    value: object


class Nested(Strict):
    inner: FreeText | None


class Endless(Strict):
    next: Endless | None = None


@pytest.mark.parametrize(
    ("model", "place"),
    [
        (FreeText, "FreeText.why"),
        (Pattern, "Pattern.code"),
        (FreeList, "FreeList.items"),
        (ListOfFreeText, r"ListOfFreeText.items\[\]"),
        (ListOfAnything, r"ListOfAnything.items\[\]"),
        (FreeNumber, "FreeNumber.count"),
        (Extra, "Extra: an object"),
        (Mapping, "Mapping.counts"),
        (Anything, "Anything.value"),
        (Nested, "Nested.inner.why"),
        (Endless, "Endless.next"),
    ],
)
def test_a_schema_that_can_run_on_is_refused(model, place):
    with pytest.raises(ValueError, match=f"unbounded at {place}"):
        bounded_schema(model)


def test_a_bounded_schema_is_the_models_own():
    assert bounded_schema(Decision) == Decision.model_json_schema()
