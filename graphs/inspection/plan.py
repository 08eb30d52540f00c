"""Which steps an inspection takes, and why: the catalogue, and a policy over what is at hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from pydantic import Field

from graphs.evidence import EVIDENCE
from graphs.inspection.state import Plan
from graphs.language.catalog import Language
from graphs.report import PlanStep
from tools.experts.bench import ExpertOffer
from tools.types import Value

RECALL_TEMPLATES = "recall_templates"
RECALL_KNOWLEDGE = "recall_knowledge"
ANNOTATE = "annotate"
REASON = "reason"
LOOK_CLOSER = "look_closer"
CHECK_LAYOUT = "check_layout"
READ_TEXT = "read_text"
MEASURE = "measure:"

PREFERRED_EXPERTS = ("pair", "anomalydino", "patchcore")
"""With one view of a good part the place-by-place comparison is the sharper instrument, so it goes first; of
the unaligned ones DINOv2's features see more than the embedded ones (Damm et al., arXiv 2405.14529)."""

ZERO_SHOT_EXPERTS = ("dapo", "anomalyclip", "winclip")
"""Experts for want of any good part, the more accurate first by their papers (arXiv 2512.09446; Zhou et al.,
arXiv 2310.18961, table 1)."""


class Situation(Value):
    """What is at hand for one inspection.

    `profile` counts the good images on record for the product. `layout` and `text` say whether those checks
    are wanted, `text_reason` why or why not. `weak` maps experts to the reason why they are left out here.
    """

    templates: int
    library: bool
    profile: int = 0
    knowledge: bool
    product: str | None
    recognised: str = ""
    experts: tuple[ExpertOffer, ...]
    expert_choice: str
    reasoner: str
    reasoner_sees: bool
    max_looks: int
    layout: bool = True
    text: bool = False
    text_reason: str = "not asked for"
    weak: Mapping[str, str] = Field(default_factory=dict)
    language: Language = "en"

    @property
    def has_reference(self) -> bool:
        """Whether there is, or can be found, an image of a good part."""
        return self.templates > 0 or self.library or self.profile > 0

    @property
    def considered_experts(self) -> tuple[ExpertOffer, ...]:
        """Experts that would suit here, best first, whether or not they can run."""
        offers = {offer.name: offer for offer in self.experts}
        if self.expert_choice != "auto":
            names: tuple[str, ...] = (self.expert_choice,)
        else:
            names = PREFERRED_EXPERTS if self.has_reference else (*ZERO_SHOT_EXPERTS, *PREFERRED_EXPERTS)
            names = (self.reasoners_own, *names)
        return tuple(offers[name] for name in names if name in offers)

    @property
    def reasoners_own(self) -> str:
        """The expert that measures what the reasoner judges by, should there be one of that name."""
        return self.reasoner.partition(":")[0]

    def can_measure(self, offer: ExpertOffer) -> bool:
        """Whether an expert has what it needs; one asked for by name says itself what it lacks."""
        chosen = self.expert_choice == offer.name
        if offer.name in self.weak and not chosen:
            return False
        return (self.has_reference or not offer.needs_normals) and (chosen or offer.obstacle is None)


class Planner(Protocol):
    """Makes a plan from what is at hand."""

    async def plan(self, situation: Situation, *, attempt: int = 1) -> Plan:
        """Choose steps from the catalogue.

        Args:
            situation: what is at hand.
            attempt: 1 for the first try, rising with each retry.

        Raises:
            VlmError: the model behind it gave no usable plan.
        """


class PolicyPlanner:
    """Takes every step that what is at hand allows, and says why it leaves the others out."""

    async def plan(self, situation: Situation, *, attempt: int = 1) -> Plan:  # noqa: ARG002 - the protocol's
        """See `Planner.plan`; never fails."""
        return plan_by_policy(situation)


def catalogue(situation: Situation) -> Mapping[str, str]:
    """The steps that can be taken here, in order, with what each is for."""
    steps: dict[str, str] = {}
    if situation.library and not situation.templates:
        steps[RECALL_TEMPLATES] = "find the good images nearest to the query in the template folder"
    able = [offer for offer in situation.considered_experts if situation.can_measure(offer)]
    steps |= {MEASURE + offer.name: offer.purpose for offer in able}
    if situation.layout and situation.has_reference:
        steps[CHECK_LAYOUT] = "compare how many components there are, and where, with the good part"
    if situation.text:
        steps[READ_TEXT] = "read what is printed on the part, and on the good part"
    if able:
        steps[ANNOTATE] = "draw what was measured: overlay, heat map, crops"
    if situation.knowledge:
        steps[RECALL_KNOWLEDGE] = "look up the product's normal look, its defects, causes and actions"
    steps[REASON] = "judge the part from the evidence"
    if situation.reasoner_sees and situation.max_looks > 0:
        steps[LOOK_CLOSER] = "enlarge a doubtful region beside the same place of the reference, judge again"
    return steps


def plan_by_policy(situation: Situation) -> Plan:
    """The default plan: all that is possible, each step with its reason."""
    possible = catalogue(situation)
    every = (
        RECALL_TEMPLATES,
        *(MEASURE + offer.name for offer in situation.considered_experts),
        RECALL_KNOWLEDGE,
        CHECK_LAYOUT,
        READ_TEXT,
        ANNOTATE,
        REASON,
        LOOK_CLOSER,
    )
    steps = tuple(
        PlanStep(step=step, taken=step in possible, reason=_policy_reason(step, situation)) for step in every
    )
    return Plan(by="policy", steps=steps, experts=experts_of(steps))


def experts_of(steps: tuple[PlanStep, ...]) -> tuple[str, ...]:
    """Experts named by the taken measuring steps, in the plan's order."""
    return tuple(
        entry.step.removeprefix(MEASURE) for entry in steps if entry.taken and entry.step.startswith(MEASURE)
    )


def _policy_reason(step: str, situation: Situation) -> str:
    if step == RECALL_TEMPLATES:
        if situation.templates:
            return "a template was given by hand"
        if situation.profile:
            return f"the product is on record with {situation.profile} good image(s)"
        return "the nearest good image serves as the reference" if situation.library else "no template folder"
    if step == RECALL_KNOWLEDGE:
        if not situation.knowledge:
            return "switched off"
        if situation.recognised:
            return f"product {situation.product}, {situation.recognised}"
        if situation.product:
            return f"product named: {situation.product}"
        return "no product named: only the families of defects are known"
    if step == CHECK_LAYOUT:
        if not situation.layout:
            return "switched off"
        if not situation.has_reference:
            return "nothing to compare with: no template was given"
        return "patch distances do not count components"
    if step == READ_TEXT:
        return situation.text_reason
    if step == REASON:
        return f"by {situation.reasoner}"
    if step == LOOK_CLOSER:
        if situation.reasoner == EVIDENCE:
            return "the evidence reasoner sees no pictures"
        if not situation.reasoner_sees:
            return f"{situation.reasoner} answers once, of the whole part"
        if situation.max_looks == 0:
            return "switched off"
        return f"where model and measurement disagree, at most {situation.max_looks} times"
    if step == ANNOTATE:
        measuring = any(situation.can_measure(offer) for offer in situation.considered_experts)
        return "what is measured is drawn" if measuring else "nothing is measured"
    offer = next(o for o in situation.considered_experts if MEASURE + o.name == step)
    return _measuring_reason(offer, situation)


def _measuring_reason(offer: ExpertOffer, situation: Situation) -> str:
    """Why an expert measures or does not, in the order in which the choice falls."""
    if offer.needs_normals and not situation.has_reference:
        return "nothing to compare with: no template was given"
    if situation.expert_choice != "auto":
        return "chosen by the user"
    if offer.name in situation.weak:
        return f"left out: {situation.weak[offer.name]}"
    if offer.obstacle is not None:
        return f"cannot run here: {offer.obstacle}"
    if offer.name == situation.reasoners_own:
        return "its map is what the reasoner judges by"
    if not situation.has_reference:
        return "no template was given, and it needs none"
    if offer.name == PREFERRED_EXPERTS[0]:
        return "a reference of the same view allows a comparison place by place"
    return "stands in if the reference does not show the same view"
