"""A plan takes its protocol's defaults, refuses what does not belong together, and a matrix is many plans."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from agent.cli.mmad import RULES as RULES_OF_THE_COMMAND
from agent.errors import UsageError
from agent.evaluation.matrix import read_matrix
from agent.evaluation.plan import OFF, RULES, EvaluationPlan
from agent.runs import ANSWER_CHANGING
from agent.settings import Settings

EXAMPLES = Path(__file__).parents[3] / "examples"


def test_the_reference_protocol_starts_from_the_papers_main_table():
    plan = EvaluationPlan.of("reference", {"shots": None})
    assert (plan.shots, plan.templates) == (1, "random")
    assert (plan.knowledge, plan.expert, plan.cot, plan.history) == ("none", "none", False, False)


def test_the_agent_protocol_starts_as_a_user_inspects():
    plan = EvaluationPlan.of("agent", {})
    assert (plan.knowledge, plan.expert, plan.cot, plan.product) == ("retrieved", "auto", True, "told")


@pytest.mark.parametrize(
    ("protocol", "given", "said"),
    [
        ("agent", {"history": True}, "history belongs to the reference protocol"),
        ("agent", {"constrained": False}, "free text belongs to the reference protocol"),
        ("agent", {"expert": "none"}, "the agent always measures"),
        ("reference", {"expert": "auto"}, "name the expert, or none"),
        ("reference", {"shots": 9}, "less than or equal to 8"),
        ("reference", {"notation": "circle"}, "bbox"),
        ("reference", {"gating": False}, "gating belongs to the agent's protocol"),
        ("agent", {"votes": 0}, "votes"),
    ],
)
def test_what_does_not_belong_together_is_refused(protocol, given, said):
    with pytest.raises(ValidationError, match=said):
        EvaluationPlan.of(protocol, given)


def test_moving_the_endpoint_changes_no_answer_and_every_switch_does(tmp_path):
    settings = Settings(data_dir=tmp_path, vlm_url="http://one:8000/v1")
    moved = Settings(data_dir=tmp_path, vlm_url="http://two:8000/v1", jobs=7)
    plan = EvaluationPlan.of("agent", {})
    assert plan.answer_changing(settings) == plan.answer_changing(moved)
    for field, value in {"shots": 2, "templates": "similar", "notation": "mask", "cot": False}.items():
        assert EvaluationPlan.of("agent", {field: value}).answer_changing(settings)[field] == value
    assert plan.answer_changing(settings)["embedding_model"]


def test_a_grid_tries_each_combination_once_and_draws_nothing_without_an_expert(tmp_path):
    file = tmp_path / "m.yaml"
    file.write_text(
        "protocol: reference\n"
        "base: {shots: 1}\n"
        "grid:\n  expert: [none, patchcore]\n  notation: [bbox, contour]\n  cot: [false, true]\n"
        "rows:\n  zero shots: {shots: 0}\n"
    )
    rows = read_matrix(file, {"shots": 3, "templates": "similar"}).rows
    assert [row.name for row in rows] == [
        "zero-shots",
        "none-expert-no-cot",
        "none-expert-cot",
        "patchcore-expert-bbox-no-cot",
        "patchcore-expert-bbox-cot",
        "patchcore-expert-contour-no-cot",
        "patchcore-expert-contour-cot",
    ]
    assert {row.plan.shots for row in rows[1:]} == {1}
    assert {row.plan.templates for row in rows} == {"similar"}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "the file"),
        ("[1, 2]", "the file"),
        ("grid: {expert: [auto]}", "row auto-expert: .*name the expert, or none"),
        ("grid: {shoots: [1]}", "row 1-shoots: shoots: extra"),
        ("rows: {}", "has no rows"),
        ("grid: {cot: [true", "is no YAML"),
        ("protocol: mine", "protocol"),
        ("{protocol: agent, rows: {a: {}}, against: b}", "no row 'b' to compare with; it has a"),
    ],
)
def test_a_bad_matrix_is_named_in_one_line(tmp_path, content, said):
    file = tmp_path / "m.yaml"
    file.write_text(content)
    with pytest.raises(UsageError, match=said) as caught:
        read_matrix(file, {})
    assert "\n" not in str(caught.value)


def test_each_rule_of_evidence_is_a_setting_and_part_of_what_a_run_is(tmp_path):
    settings = Settings(data_dir=tmp_path)
    other = {**OFF, "max_looks": 0, "votes": 3, "language": "zh"}
    assert set(other) == set(RULES) <= set(ANSWER_CHANGING)
    plain = EvaluationPlan.of("agent", {}).answer_changing(settings)
    for rule, value in other.items():
        plan = EvaluationPlan.of("agent", {rule: value})
        assert getattr(plan.settings(settings), rule) == value
        changed = plan.answer_changing(settings)
        assert {name for name in plain if plain[name] != changed[name]} == {rule}
        assert plan.turned_off(settings) == ((rule,) if rule in OFF else ())


def test_a_rule_that_the_plan_leaves_open_is_as_the_settings_say(tmp_path):
    settings = Settings(data_dir=tmp_path, gating=False, votes=5)
    plan = EvaluationPlan.of("agent", {"gating": None})
    told = plan.answer_changing(settings)
    assert (told["gating"], told["votes"]) == (False, 5)
    assert plan.turned_off(settings) == ("gating",)


def test_the_command_turns_off_what_can_be_turned_off():
    assert [rule.replace("-", "_") for rule in RULES_OF_THE_COMMAND] == list(OFF)


def test_the_reference_protocol_may_go_without_registration_alone(tmp_path):
    plan = EvaluationPlan.of("reference", {"registration": False, "expert": "pair"})
    assert plan.turned_off(Settings(data_dir=tmp_path, gating=False)) == ("registration",)


def test_a_bare_off_in_yaml_is_off(tmp_path):
    file = tmp_path / "m.yaml"
    file.write_text(
        "protocol: agent\nrows:\n  quiet: {read_text: off, model_tools: off}\n  loud: {read_text: on}\n"
    )
    quiet, loud = read_matrix(file, {}).rows
    assert (quiet.plan.read_text, quiet.plan.model_tools, loud.plan.read_text) == ("off", "off", "on")


def test_the_shipped_matrix_turns_each_rule_off_alone_and_all_together():
    matrix = read_matrix(EXAMPLES / "reasoning_matrix.yaml", {})
    assert matrix.against == "all-rules"
    full = next(row.plan for row in matrix.rows if row.name == matrix.against)
    alone = [
        frozenset(name for name in full.model_dump() if getattr(row.plan, name) != getattr(full, name))
        for row in matrix.rows
    ]
    rules = frozenset((*OFF, "knowledge"))
    assert {frozenset({rule}) for rule in rules} | {rules} <= set(alone)
