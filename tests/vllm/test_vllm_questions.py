"""Questions about an inspected part against a real vLLM: structure and accounting, never what it says."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent import Inspector
from graphs.questions.question import SUBTASKS, MultipleChoice
from graphs.questions.vlm import UNTHOUGHT, VlmRespondent
from tools.vlm.openai_compat import OpenAICompatibleModel

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(1800), pytest.mark.anyio]

BOARD = Path(__file__).parents[2] / "examples" / "images" / "bare_pcb"
OPTIONS = {"A": "Yes.", "B": "No, not at all.", "C": "Top left.", "D": "Copper bridges two tracks."}


@pytest.fixture
def subject(data_dir):
    with Inspector.from_settings(data_dir=data_dir, reasoner="evidence") as inspector:
        request = inspector.inspection(BOARD / "short.jpg", BOARD / "good.jpg", product="bare_pcb")
        with request as inspection:
            return inspection.subject()


@pytest.fixture
def model(vllm_server):
    return OpenAICompatibleModel(vllm_server.base_url, timeout_s=120)


def asked(subtask):
    return MultipleChoice(subtask=subtask, text="What holds?", options=OPTIONS)


async def test_every_kind_of_question_gets_a_letter_with_probabilities(model, subject):
    respondent = VlmRespondent(model, think=False)
    for subtask in SUBTASKS:
        chosen, usage = await respondent.answer(subject, asked(subtask))
        assert chosen.by == f"vlm:{model.name}"
        assert set(chosen.probabilities) == set(OPTIONS)
        assert chosen.probabilities[chosen.letter] == max(chosen.probabilities.values())
        assert usage.prompt_tokens > 100


async def test_a_thought_that_never_ends_costs_no_answer(model, subject):
    chosen, _ = await VlmRespondent(model).answer(subject, asked("Defect Description"))
    assert chosen.letter in OPTIONS
    assert UNTHOUGHT in chosen.why


async def test_a_second_question_finds_the_firsts_prefix_in_the_cache(model, subject):
    respondent = VlmRespondent(model, think=False)
    await respondent.answer(subject, asked("Defect Description"))
    _, usage = await respondent.answer(subject, asked("Defect Classification"))
    assert usage.cached_tokens is not None
    assert usage.cached_tokens > 0.8 * usage.prompt_tokens
