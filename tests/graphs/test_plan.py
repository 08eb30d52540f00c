"""Plans: the policy's reasons, and a model's plan kept to the catalogue."""

from __future__ import annotations

import json

import pytest

from graphs.inspection.model_planner import ModelPlanner
from graphs.inspection.plan import Situation, catalogue, plan_by_policy
from tools.errors import VlmInvalid
from tools.experts.bench import ExpertOffer
from tools.vlm.scripted import ScriptedModel


def offer(name, *, needs_normals=True, obstacle=None):
    return ExpertOffer(
        name=name,
        purpose=f"measure by {name}",
        requirement="",
        needs_normals=needs_normals,
        obstacle=obstacle,
    )


OFFERS = (
    offer("pair"),
    offer("patchcore"),
    offer("anomalydino", obstacle="no DINOv2 weights: hf download them"),
    offer("anomalyclip", needs_normals=False, obstacle="no CLIP weights: hf download them"),
    offer("winclip", needs_normals=False),
    offer("other"),
)


def situation(**changes):
    given = {
        "templates": 1,
        "library": False,
        "knowledge": True,
        "product": "bare_pcb",
        "experts": OFFERS,
        "expert_choice": "auto",
        "reasoner": "vlm:test",
        "reasoner_sees": True,
        "max_looks": 2,
    }
    return Situation(**{**given, **changes})


def taken(plan):
    return [entry.step for entry in plan.steps if entry.taken]


def test_with_a_template_everything_is_done():
    plan = plan_by_policy(situation())
    assert taken(plan) == [
        "measure:pair",
        "measure:patchcore",
        "recall_knowledge",
        "check_layout",
        "annotate",
        "reason",
        "look_closer",
    ]
    assert plan.experts == ("pair", "patchcore")


def reasons_of(plan):
    return {entry.step: entry.reason for entry in plan.steps}


def test_every_step_left_out_has_its_reason():
    plan = plan_by_policy(
        situation(templates=0, experts=OFFERS[:4], knowledge=False, reasoner="evidence", reasoner_sees=False)
    )
    assert taken(plan) == ["reason"]
    reasons = reasons_of(plan)
    assert "cannot run here: no CLIP weights" in reasons["measure:anomalyclip"]
    assert reasons["annotate"] == "nothing is measured"
    assert "no template was given" in reasons["measure:pair"]
    assert reasons["recall_knowledge"] == "switched off"
    assert "sees no pictures" in reasons["look_closer"]


def test_a_folder_of_good_images_stands_in_for_a_template():
    assert taken(plan_by_policy(situation(templates=0, library=True)))[0] == "recall_templates"


def test_an_expert_that_lacks_its_weights_is_passed_over_and_says_what_it_lacks():
    plan = plan_by_policy(situation())
    assert "anomalydino" not in plan.experts
    assert "no DINOv2 weights: hf download them" in reasons_of(plan)["measure:anomalydino"]


def test_where_the_weights_are_the_better_unaligned_expert_goes_first():
    offers = (*OFFERS[:2], offer("anomalydino"))
    assert plan_by_policy(situation(experts=offers)).experts == ("pair", "anomalydino", "patchcore")


def test_without_any_good_part_an_expert_that_needs_none_measures():
    plan = plan_by_policy(situation(templates=0))
    assert plan.experts == ("winclip",)
    assert "it needs none" in reasons_of(plan)["measure:winclip"]
    assert "annotate" in taken(plan)


def test_a_chosen_expert_without_weights_is_tried_so_that_its_refusal_is_heard():
    assert plan_by_policy(situation(expert_choice="anomalydino")).experts == ("anomalydino",)


def test_a_product_on_record_is_the_reason_for_its_good_images():
    plan = plan_by_policy(situation(templates=0, library=True, profile=24))
    assert "24 good image(s)" in reasons_of(plan)["recall_templates"]


def test_a_chosen_expert_measures_alone():
    assert plan_by_policy(situation(expert_choice="other")).experts == ("other",)


def reply(*steps):
    return json.dumps({"steps": [{"step": step, "reason": "because"} for step in steps]})


@pytest.mark.anyio
async def test_the_model_chooses_from_the_catalogue():
    vlm = ScriptedModel([reply("measure:patchcore", "reason")])
    plan = await ModelPlanner(vlm).plan(situation())
    assert plan.by == "vlm:scripted"
    assert plan.experts == ("patchcore",)
    assert [entry.step for entry in plan.steps if not entry.taken] == [
        "measure:pair",
        "check_layout",
        "annotate",
        "recall_knowledge",
        "look_closer",
    ]
    schema = vlm.calls[0].constraint.schema
    assert schema["$defs"]["PlannedStep"]["properties"]["step"]["enum"] == list(catalogue(situation()))


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("steps", "complaint"),
    [
        (("measure:pair",), "'reason' is missing"),
        (("reason",), "measures nothing"),
        (("measure:pair", "measure:pair", "reason"), "twice"),
    ],
)
async def test_a_plan_that_breaks_a_rule_is_invalid(steps, complaint):
    with pytest.raises(VlmInvalid, match=complaint):
        await ModelPlanner(ScriptedModel([reply(*steps)])).plan(situation())


@pytest.mark.parametrize("templates", [0, 1])
def test_what_the_reasoner_judges_by_is_measured_first(templates):
    own = offer("anomalygpt", needs_normals=False)
    plan = plan_by_policy(
        situation(
            templates=templates,
            experts=(*OFFERS, own),
            reasoner="anomalygpt:plates",
            reasoner_sees=False,
        )
    )
    assert plan.experts[0] == "anomalygpt"
    assert reasons_of(plan)["measure:anomalygpt"] == "its map is what the reasoner judges by"
    assert reasons_of(plan)["look_closer"] == "anomalygpt:plates answers once, of the whole part"
    assert "anomalygpt" not in plan_by_policy(situation(experts=(*OFFERS, own))).experts
