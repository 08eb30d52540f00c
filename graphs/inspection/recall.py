"""The steps that remember: normal templates and domain knowledge."""

from __future__ import annotations

from graphs.inspection.state import Recalled
from graphs.inspection.step import Outcome, Visit
from graphs.report import KnowledgePassage
from knowledge_base.schema import Section
from knowledge_base.search import Passage

MOST_TEMPLATES = 16
"""Good images taken from a template folder: the first is the reference, all serve a patch memory."""

MOST_PASSAGES = 8

SECTIONS: tuple[Section, ...] = ("normal", "variation", "defect")

ANY_PART = "a part of any kind"
"""No product's name, so that only what holds for parts of any kind is found."""


def recall_templates(visit: Visit) -> Outcome:
    """Find the good images nearest to the query in the template folder."""
    library, images = visit.tools.templates, visit.tools.images
    if library is None:
        return Outcome({}, "no template folder")
    found = library.nearest(images.pixels(visit.state.request.image), limit=MOST_TEMPLATES)
    refs = tuple(images.open(template.path) for template in found)
    detail = f"{len(refs)} good image(s), nearest {found[0].path.name} (similarity {found[0].similarity:.3f})"
    return Outcome({"recalled_templates": refs}, detail)


def recall_knowledge(visit: Visit) -> Outcome:
    """Look up how the product should look and what goes wrong with it."""
    if visit.tools.knowledge is None:
        return Outcome({}, "switched off")
    knowledge, named = visit.tools.knowledge(), visit.state.request.product
    product = knowledge.product_named(named) if named else None
    query = f"normal appearance, allowed variation and typical defects of {named or 'an industrial part'}"
    found = knowledge.search(query, product=product or ANY_PART, sections=SECTIONS, limit=MOST_PASSAGES)
    recalled = Recalled(product=product, passages=tuple(map(as_cited, found)))
    if named and product is None:
        return Outcome(
            {"recalled": recalled}, f"no document about {named!r}; {len(found)} general passage(s)"
        )
    return Outcome({"recalled": recalled}, f"{len(found)} passage(s) about {product or 'defects in general'}")


def as_cited(passage: Passage) -> KnowledgePassage:
    """A passage as the report quotes it."""
    return KnowledgePassage(id=passage.id, source=passage.source, text=passage.text, score=passage.score)
