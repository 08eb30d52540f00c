"""Prompts as embeddings at a real vLLM, which serves the language model of a small AnomalyGPT."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agent.api import Inspector
from agent.settings import Settings
from tests.tools.anomalygpt.speaking import CORNERS, WHERE, Made, speaking
from tests.vllm.server import ServerFailed, VllmServer, running_server
from tools.errors import VlmRejected
from tools.image import ImageStore
from tools.types import Pixels
from tools.vlm.base import Sampling
from tools.vlm.prompt_embeds import FLAG, EmbeddedPrompts

__all__ = ["speaking"]

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(1800), pytest.mark.anyio]

TEXT = "### Human: Is there any anomaly in the image?### Assistant:"
NORMAL = "No, there is no anomaly in the image."


@pytest.fixture(scope="module")
def server(
    vllm_python: Path, speaking: Made, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[VllmServer]:
    """Takes prompts as embeddings."""
    folder = tmp_path_factory.mktemp("vllm-embeds")
    python = folder / "python"
    python.write_text(f'#!/bin/sh\nexec {shlex.quote(str(vllm_python))} "$@" {FLAG} --max-model-len 512\n')
    python.chmod(0o755)
    try:
        with running_server(python, speaking.lm, folder) as running:
            yield running
    except ServerFailed as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture(scope="module")
def gpt(speaking: Made) -> Any:
    """The AnomalyGPT in this process."""
    from tools.anomalygpt.opening import open_model

    return open_model(speaking.folder, device="cpu")


def read(path: Path) -> Pixels:
    images = ImageStore()
    return images.pixels(images.open(path))


@pytest.mark.parametrize("question", ["Is there any anomaly in the image?", WHERE])
async def test_the_server_says_what_the_model_here_says_and_is_as_sure(server, gpt, speaking, question):
    prompts = EmbeddedPrompts(server.base_url)
    for path, says in zip((*speaking.bad, speaking.good[0]), (*CORNERS, NORMAL), strict=True):
        prompt = gpt.soft_prompt(read(path), question, normals=[read(speaking.good[1])])
        here = gpt.say(prompt)
        there = await prompts.complete(prompt.values, stop=(gpt.stop,))
        assert says in here.text
        assert (there.text, there.whole) == (here.text, True)
        told = [piece for piece in zip(there.pieces, here.pieces, strict=False) if piece[0][0].strip()]
        assert told
        for (text, log_probability), (text_here, log_probability_here) in told[:8]:
            assert (text, log_probability) == (text_here, pytest.approx(log_probability_here, abs=1e-3))


async def test_vectors_that_no_token_has_are_answered_as_here(server, gpt):
    rng = np.random.default_rng(0)
    prompt = gpt.embedded_text(TEXT)
    prompts = EmbeddedPrompts(server.base_url)
    for _ in range(4):
        prompt.values[2:-6] = rng.normal(0, prompt.values.std(), prompt.values[2:-6].shape)
        there = await prompts.complete(prompt.values, sampling=Sampling(max_tokens=6))
        here = gpt.say(prompt)
        assert here.text.startswith(there.text)
        assert there.pieces[0][1] == pytest.approx(here.pieces[0][1], abs=1e-3)


async def test_an_answer_that_is_cut_off_says_so_and_what_it_cost(server, gpt):
    values = gpt.embedded_text(TEXT).values
    cut = await EmbeddedPrompts(server.base_url).complete(values, sampling=Sampling(max_tokens=3))
    assert (cut.whole, len(cut.pieces), cut.tokens) == (False, 3, len(values) + 3)


async def test_the_model_that_was_learnt_with_is_known_from_another(server, gpt):
    prompts = EmbeddedPrompts(server.base_url)
    values = gpt.embedded_text(TEXT).values
    await prompts.check_same(TEXT, values)
    with pytest.raises(VlmRejected, match="another language model"):
        await prompts.check_same(TEXT, values[:, ::-1].copy())


async def test_a_model_of_another_width_is_refused(server):
    with pytest.raises(VlmRejected, match="hidden_size 48 does not match"):
        await EmbeddedPrompts(server.base_url).complete(np.ones((4, 48), np.float32))


async def test_a_prompt_that_is_too_long_is_refused(server):
    with pytest.raises(VlmRejected, match="too long"):
        await EmbeddedPrompts(server.base_url).complete(np.ones((600, 64), np.float32))


def test_an_inspection_speaks_through_the_server(server, speaking):
    settings = Settings.resolve(
        {"reasoner": f"anomalygpt:{speaking.folder}", "vlm_url": server.base_url, "knowledge": False}
    )
    with Inspector(settings) as inspector:
        assert inspector.warnings == ()
        damaged = inspector.inspect(speaking.bad[2], template=speaking.good[0])
        good = inspector.inspect(speaking.good[1])
    assert (damaged.verdict, good.verdict) == ("anomalous", "normal")
    assert f"at the {CORNERS[2]} of the image" in damaged.summary
    assert NORMAL in good.summary
    assert f"ran at {server.base_url}" in damaged.summary
    assert damaged.faults == ()
    assert damaged.confidence > 0.9


def test_a_server_without_the_flag_is_named_and_it_runs_here(vllm_server, speaking):
    settings = Settings.resolve(
        {"reasoner": f"anomalygpt:{speaking.folder}", "vlm_url": vllm_server.base_url, "knowledge": False}
    )
    with Inspector(settings) as inspector:
        report = inspector.inspect(speaking.bad[2])
    assert report.verdict == "anomalous"
    assert "ran in this process" in report.summary
    assert [fault.kind for fault in report.faults] == ["vlm_rejected"]
    assert FLAG in report.faults[0].message
