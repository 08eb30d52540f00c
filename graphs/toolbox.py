"""The live handles that an inspection works with; LangGraph passes them as the run's context."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from graphs.findings.learnt import LearntTypes
from graphs.inspection.plan import Planner
from graphs.reasoning import Reasoner
from graphs.report import Fault
from knowledge_base.search import KnowledgeBase
from knowledge_base.templates import TemplateChoice, Templates
from tools.artifacts import ArtifactStore
from tools.experts.bench import ExpertBench
from tools.image import ImageStore
from tools.types import ImageRef


@dataclass(frozen=True)
class Toolbox:
    """Handles for one inspection; `agent.wiring` fills it, nodes use it, no state ever holds it.

    `knowledge` opens the knowledge base at first use and may raise `KnowledgeError`; None: not wanted.
    `fallback` takes over when `reasoner` fails and the user allowed it; None: it then ends in review.
    `templates` is an index of good images, and `template_choice` how some of them are chosen; `profile` holds
    those that experts learn from, in an order that lasts, if they are known to show this product only.
    `types` gives the types learnt for a product, None where none were, and may raise `ToolError`; None: they
    are not wanted.
    `consult` says whether the model may ask for tools itself.
    `faults` happened before the inspection began (an endpoint that is down, say) and belong to its report.
    """

    images: ImageStore
    experts: ExpertBench
    artifacts: ArtifactStore
    reasoner: Reasoner
    planner: Planner
    fallback: Reasoner | None = None
    knowledge: Callable[[], KnowledgeBase] | None = None
    templates: Templates | None = None
    template_choice: TemplateChoice = "similar"
    profile: tuple[ImageRef, ...] = ()
    types: Callable[[str | None], LearntTypes | None] | None = None
    consult: bool = True
    inspection_id: str = ""
    faults: tuple[Fault, ...] = ()
    versions: dict[str, str] = field(default_factory=dict)
