"""Inspectors for a conversation in which settings change."""

from __future__ import annotations

import pytest

from agent.chat.inspectors import FIXED, Inspectors
from agent.errors import UsageError
from agent.settings import Settings


def test_without_a_change_it_is_the_inspector_of_the_start(inspectors):
    assert inspectors.open({}) is inspectors.first


def test_the_same_change_is_opened_once_and_the_start_keeps_its_settings(inspectors):
    changed = inspectors.open({"sensitivity": "2"})
    assert changed is inspectors.open({"sensitivity": "2"})
    assert changed.settings.sensitivity == 2.0
    assert changed.settings.data_dir == inspectors.first.settings.data_dir
    assert inspectors.first.settings.sensitivity == 1.0


def test_the_order_of_changes_is_none(inspectors):
    both = inspectors.open({"sensitivity": "2", "notation": "contour"})
    assert both is inspectors.open({"notation": "contour", "sensitivity": "2"})


def test_a_change_that_leaves_the_model_takes_the_model_that_was_reached(inspectors):
    assert inspectors.open({"sensitivity": "3"}).model is inspectors.first.model


def test_every_setting_is_one_that_can_be_changed_or_one_that_is_named_as_fixed(inspectors):
    assert Settings.model_fields.keys() >= FIXED
    for name in sorted(FIXED):
        with pytest.raises(UsageError, match=f"{name} cannot be changed here; start agent chat with it"):
            inspectors.settings({name: "x"})


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"colour": "green"}, "there is no setting 'colour'; /set lists them"),
        ({"": ""}, "there is no setting ''"),
        ({"_origins": "x"}, "there is no setting '_origins'"),
        ({"model_fields": "x"}, "there is no setting 'model_fields'"),
        ({"sensitivity": "much"}, "sensitivity"),
        ({"votes": "0"}, "votes"),
        ({"language": "fr"}, "language"),
    ],
)
def test_what_cannot_be_set_is_told_in_a_line(inspectors, changed, why):
    with pytest.raises(UsageError, match=why) as caught:
        inspectors.open(changed)
    assert "\n" not in str(caught.value)


def test_an_expert_that_there_is_not_leaves_nothing_open(inspectors):
    for _ in range(2):
        with pytest.raises(UsageError, match="nobody"):
            inspectors.open({"expert": "nobody"})


class Counted:
    """Stands for an inspector, and counts those that are open."""

    now_open: int = 0
    model = "reached"

    def __init__(self, settings, *, model=None):
        self.settings, self.reached = settings, model
        self.closed = False
        Counted.now_open += 1

    def close(self):
        assert not self.closed
        self.closed = True
        Counted.now_open -= 1


def test_the_latest_few_stay_open_and_the_rest_is_closed(monkeypatch, data_dir):
    monkeypatch.setattr("agent.chat.inspectors.Inspector", Counted)
    monkeypatch.setattr(Counted, "now_open", 0)
    many = Inspectors({"data_dir": data_dir}, None)
    opened = [many.open({"sensitivity": str(number)}) for number in (1, 2, 3, 4)]
    assert many.open({"sensitivity": "1"}) is opened[0]  # used last, so that it stays
    fifth = many.open({"sensitivity": "5"})
    assert [each.closed for each in (*opened, fifth)] == [False, True, False, False, False]
    assert not many.first.closed
    many.close()
    assert Counted.now_open == 0
    assert many.first.closed


def test_another_model_is_reached_anew(monkeypatch, data_dir):
    monkeypatch.setattr("agent.chat.inspectors.Inspector", Counted)
    many = Inspectors({"data_dir": data_dir}, None)
    assert many.open({"sensitivity": "2"}).reached == "reached"
    assert many.open({"vlm_url": "http://127.0.0.1:1/v1"}).reached is None
    many.close()
