"""Every kind of question has a route, and the ones that marks would mislead get none."""

from __future__ import annotations

from graphs.questions.question import SUBTASKS
from graphs.questions.routing import ROUTES


def test_every_subtask_has_a_route():
    assert set(ROUTES) == set(SUBTASKS)


def test_only_questions_of_defects_are_shown_what_was_measured():
    plain = {subtask for subtask, route in ROUTES.items() if route == "object"}
    assert plain == {"Object Classification", "Object Analysis"}
    assert ROUTES["Anomaly Detection"] == "gate"
