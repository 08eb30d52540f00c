"""Opens who answers: from a plan and settings to an `evals.types.Answer`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from agent.api import Inspector
from agent.endpoint import greet, open_model
from agent.errors import ServiceError, UsageError
from agent.evaluation.agentic import AgentAnswerer, Passages
from agent.evaluation.plan import GROUND_TRUTH, NO_EXPERT, EvaluationPlan
from agent.settings import Settings
from agent.wiring import open_backbone, open_bench, open_images, open_knowledge
from evals.mmad.domain_knowledge import DomainKnowledge
from evals.mmad.reference.answering import ReferenceAnswerer
from evals.types import Answer, Case
from graphs.evidence import EVIDENCE
from graphs.report import KnowledgePassage
from tools.errors import VlmError
from tools.experts.base import Scope
from tools.experts.bench import ExpertBench
from tools.image import ImageStore
from tools.masks import Mask, mask_for
from tools.types import ImageRef, MapValues
from tools.vlm.openai_compat import OpenAICompatibleModel

RETRIEVED_TOKENS = 1200
"""Knowledge told under the reference protocol where it is retrieved: what a class has in MMAD's own file."""


@dataclass(frozen=True)
class OpenAnswerer:
    """Who answers, under the name that reports give: `vlm:<model>` or `evidence`."""

    name: str
    answer: Answer


@asynccontextmanager
async def open_answerer(plan: EvaluationPlan, settings: Settings) -> AsyncIterator[OpenAnswerer]:
    """Open models and stores for a plan, and close them afterwards.

    Args:
        plan: how the questions are answered.
        settings: where the endpoint and the stores are.

    Raises:
        UsageError: the plan names something that there is not.
        ServiceError: the endpoint was asked for and cannot be reached.
        DatasetInvalid: the domain knowledge cannot be used.
    """
    settings = plan.settings(settings)
    if plan.protocol == "reference":
        model = await _reached(settings)
        try:
            yield OpenAnswerer(f"vlm:{model.name}", _reference(plan, settings, model).answer)
        finally:
            await model.aclose()
        return
    passages = _passages(plan)
    inspector = await asyncio.to_thread(Inspector, settings)
    answerer = AgentAnswerer(inspector, plan, passages)
    try:
        yield OpenAnswerer(inspector.reasoner, answerer.answer)
    finally:
        answerer.close()
        await asyncio.to_thread(inspector.close)


@asynccontextmanager
async def answer_alone(plan: EvaluationPlan, settings: Settings) -> AsyncIterator[Answer]:
    """`open_answerer` for a worker in another process, which needs no name.

    Raises:
        UsageError, ServiceError, DatasetInvalid: as `open_answerer`.
    """
    async with open_answerer(plan, settings) as opened:
        yield opened.answer


async def name_of_answerer(plan: EvaluationPlan, settings: Settings) -> str:
    """Who would answer, without opening more than the endpoint: `vlm:<model>` or `evidence`.

    Raises:
        UsageError: the plan needs a model and none is configured.
        ServiceError: the endpoint cannot be reached.
    """
    settings = plan.settings(settings)
    if plan.protocol == "agent" and settings.reasoner == EVIDENCE:
        return EVIDENCE
    model = await _reached(settings)
    try:
        return f"vlm:{model.name}"
    finally:
        await model.aclose()


async def _reached(settings: Settings) -> OpenAICompatibleModel:
    model = open_model(settings)
    if model is None or settings.reasoner == EVIDENCE:
        raise UsageError("this asks a vision-language model: give --vlm-url, or use --protocol agent")
    try:
        await greet(model, settings)
    except VlmError as error:
        raise ServiceError(str(error)) from error
    return model


def _reference(plan: EvaluationPlan, settings: Settings, model: OpenAICompatibleModel) -> ReferenceAnswerer:
    images = open_images(settings)
    expert = None
    if plan.expert != NO_EXPERT:
        bench = open_bench(settings, images, open_backbone(settings))
        if plan.expert not in bench.names:
            raise UsageError(f"no expert named {plan.expert!r}; choose one of: {', '.join(bench.names)}")
        expert = _MapOf(plan, bench, images)
    return ReferenceAnswerer(
        model,
        read=lambda path: images.pixels(images.open(path)),
        shots=plan.shots,
        which=plan.templates,
        knowledge=_told_of_class(plan, settings),
        expert=expert,
        expert_name=plan.expert,
        notation=plan.notation,
        cot=plan.cot,
        history=plan.history,
        constrained=plan.constrained,
        dialect=plan.dialect,
    )


@dataclass(frozen=True)
class _MapOf:
    """The anomaly map of a case, by the plan's expert."""

    plan: EvaluationPlan
    bench: ExpertBench
    images: ImageStore

    def __call__(self, case: Case) -> MapValues:
        query = self.images.open(case.path)
        normals = tuple(map(self.images.open, case.templates(self.plan.templates, self.plan.shots)))
        scope = Scope(product=case.category, truth=self._truth(case, query))
        return self.bench.read(self.plan.expert, normals, query, scope).map_values

    def _truth(self, case: Case, query: ImageRef) -> Mask | None:
        if self.plan.expert != GROUND_TRUTH:
            return None
        if case.truth is not None:
            return mask_for(query, self.images.open(case.truth), self.images)
        return Mask(np.zeros((query.height_px, query.width_px), bool))


def _passages(plan: EvaluationPlan) -> Passages:
    """Under class-keyed knowledge the entries of the case's class; else nothing, so that it is looked up."""
    if plan.knowledge != "class-keyed":
        return lambda _: ()
    knowledge = DomainKnowledge(_file(plan))

    def entries(case: Case) -> tuple[KnowledgePassage, ...]:
        return tuple(
            KnowledgePassage(
                id=f"mmad/{case.dataset}/{case.category}/{name}",
                source=f"MMAD domain knowledge, {case.dataset} > {case.category} > {name}",
                text=text,
                score=1.0,
            )
            for name, text in knowledge.of(case).items()
        )

    return entries


def _told_of_class(plan: EvaluationPlan, settings: Settings) -> Callable[[Case], str] | None:
    """What the reference protocol tells of a class: MMAD's entries joined, or what our documents say."""
    if plan.knowledge == "none":
        return None
    if plan.knowledge == "class-keyed":
        entries = DomainKnowledge(_file(plan))
        return lambda case: "\n".join(entries.of(case).values())
    knowledge = open_knowledge(settings)

    def retrieved(case: Case) -> str:
        product = knowledge.product_named(case.category)
        return "\n".join(passage.text for passage in knowledge.brief(product, RETRIEVED_TOKENS))

    return retrieved


def _file(plan: EvaluationPlan) -> Path:
    if plan.domain_knowledge is None:
        raise UsageError(
            "class-keyed knowledge needs MMAD's domain_knowledge.json: give --domain-knowledge FILE"
        )
    return plan.domain_knowledge
