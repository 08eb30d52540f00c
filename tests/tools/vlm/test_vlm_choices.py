"""Probabilities of a choice: measured whole, or not told."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.errors import VlmInvalid
from tools.vlm.base import Choice
from tools.vlm.constraints import checked_text, first_token_of, option_probabilities, room_for


def listed(**probabilities: float) -> list[tuple[str, float]]:
    return [(token, math.log(p)) for token, p in probabilities.items()]


def test_each_option_has_the_weight_of_the_tokens_that_begin_it():
    told = option_probabilities(("normal", "anomalous"), listed(normal=0.5, nor=0.1, n=0.1, a=0.2, anom=0.1))
    assert told == pytest.approx({"normal": 0.7, "anomalous": 0.3})


def test_masked_and_foreign_tokens_weigh_nothing():
    tokens = [*listed(A=0.72, B=0.18, Z=0.1), ("C", -9999.0), ("", -9999.0)]
    assert option_probabilities(("A", "B", "C"), tokens) == pytest.approx({"A": 0.8, "B": 0.2, "C": 0.0})


@pytest.mark.parametrize(
    ("options", "tokens"),
    [
        (("defect A", "defect B"), listed(defect=1.0)),
        (("yes", "yesterday"), listed(yes=0.9, yest=0.1)),
        (("A", "B"), listed(A=0.6)),
        (("A", "B"), listed(X=1.0)),
        (("A", "B"), []),
        (("A", "A"), listed(A=1.0)),
        (("één", "no"), [*listed(no=0.1), ("", math.log(0.9))]),
        (("één", "no"), [*listed(no=0.1), ("\ufffd", math.log(0.9))]),
    ],
    ids=[
        "begin alike",
        "one begins the other",
        "not all listed",
        "none listed",
        "nothing listed",
        "the same",
        "half a character",
        "half a character, marked",
    ],
)
def test_what_cannot_be_told_is_not_told(options, tokens):
    assert option_probabilities(options, tokens) is None


@given(weights=st.lists(st.floats(0.01, 1), min_size=2, max_size=6))
def test_probabilities_sum_to_one_in_the_right_proportion(weights):
    options = [chr(ord("A") + i) for i in range(len(weights))]
    total = sum(weights)
    tokens = [(option, math.log(weight / total)) for option, weight in zip(options, weights, strict=True)]
    told = option_probabilities(options, tokens)
    assert told is not None
    assert sum(told.values()) == pytest.approx(1)
    assert all(told[o] == pytest.approx(w / total) for o, w in zip(options, weights, strict=True))


@pytest.mark.parametrize(
    "logprobs",
    [
        None,
        [],
        {"content": None},
        {"content": []},
        {"content": [None]},
        {"content": [{"token": "A", "top_logprobs": "x"}]},
        {
            "content": [
                {
                    "token": "A",
                    "top_logprobs": [None, {"token": 3, "logprob": 0}, {"token": "A", "logprob": "0"}],
                }
            ]
        },
        {"content": [{"token": "A", "top_logprobs": [{"token": "A", "logprob": math.nan}]}]},
    ],
)
def test_broken_log_probabilities_are_none(logprobs):
    assert first_token_of(logprobs, "A") == []


def test_the_first_token_must_begin_the_reply():
    logprobs = {"content": [{"token": "no", "top_logprobs": [{"token": "no", "logprob": -0.1}]}]}
    assert first_token_of(logprobs, "normal") == [("no", -0.1)]
    assert first_token_of(logprobs, "anomalous") == []


def test_a_choice_is_one_of_its_options():
    choice = Choice(("yes", "no"))
    assert checked_text(" yes\n", choice, "vllm") == "yes"
    assert checked_text('{"choice": "no"}', choice, "openai") == "no"
    for text, dialect in (("Yes", "vllm"), ("yes.", "vllm"), ("no", "openai"), ('{"choice": "?"}', "openai")):
        with pytest.raises(VlmInvalid):
            checked_text(text, choice, dialect)


def test_room_is_made_for_the_longest_option_only():
    assert room_for(Choice(("a", "x" * 100)), 8) >= 101
    assert room_for(Choice(("a",)), 500) == 500
    assert room_for(None, 8) == 8
