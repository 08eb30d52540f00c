"""Asking an AnomalyGPT: what reaches it."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from graphs.anomalygpt.speaking import Asked, AtServer, InProcess
from tools.vlm.prompt_embeds import Completed

pytestmark = pytest.mark.anyio

PLAIN = np.full((32, 32, 3), 128, np.uint8)


class Model:
    """Remembers its prompts."""

    stop = "###"

    def __init__(self):
        self.prompts = []

    def soft_prompt(self, picture, question, *, normals, history):
        self.prompts.append((question, [(turn.question, turn.answer) for turn in history]))
        return SimpleNamespace(values=np.ones((7, 4), np.float32), lm="a small one")

    def say(self, prompt, decoding):
        return SimpleNamespace(text="No.", pieces=(("No", -0.1), (".", 0.0)), whole=True)


class Server:
    def __init__(self):
        self.asked = []

    async def complete(self, values, *, sampling, stop):
        self.asked.append((values.shape, stop))
        return Completed("Yes.", (("Yes", -0.2),), True, 8, 0.1)


async def test_what_was_asked_and_answered_before_goes_along():
    model = Model()
    await InProcess(model, "plates").say(Asked(PLAIN, (), "Where?", [("Is it good?", "No.")]))
    assert model.prompts == [("Where?", [("Is it good?", "No.")])]


async def test_here_and_at_a_server():
    model, server = Model(), Server()
    here, there = InProcess(model, "plates"), AtServer(model, "plates", server, "http://host/v1")
    assert (here.server, there.server) == (None, "http://host/v1")
    answered = await here.say(Asked(PLAIN))
    assert (answered.text, answered.tokens, answered.pieces[0]) == ("No.", 9, ("No", -0.1))
    answered = await there.say(Asked(PLAIN))
    assert (answered.text, answered.tokens, answered.pieces[0]) == ("Yes.", 8, ("Yes", -0.2))
    assert server.asked == [((7, 4), ("###",))]
