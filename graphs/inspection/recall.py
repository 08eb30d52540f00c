"""The steps that remember: normal templates and domain knowledge."""

from __future__ import annotations

from graphs.inspection.state import Recalled
from graphs.inspection.step import Outcome, Visit
from graphs.report import KnowledgePassage
from knowledge_base.search import KnowledgeBase, Passage
from knowledge_base.templates import Template, turned_image
from knowledge_base.tokens import estimated_tokens
from tools.image import ImageStore
from tools.types import ImageRef

MOST_TEMPLATES = 16
"""Good images taken from a template folder: the first is the reference, all serve a patch memory."""


def recall_templates(visit: Visit) -> Outcome:
    """Find the good images nearest to the query in the template folder."""
    library, images = visit.tools.templates, visit.tools.images
    if library is None:
        return Outcome({}, "no template folder")
    how = visit.tools.template_choice
    chosen = library.choose(images.pixels(visit.state.request.image), MOST_TEMPLATES, how)
    if not chosen.templates:
        return Outcome({}, "none is left on record")
    refs = tuple(_laid_on_the_query(template, images) for template in chosen.templates)
    first = chosen.templates[0]
    told = [f"{len(refs)} good image(s), {how}: {first.path.name} (similarity {first.similarity:.3f})"]
    if first.turn_deg:
        told.append(f"the part lies turned by {first.turn_deg} degrees, and so the good images were turned")
    return Outcome({"recalled_templates": refs}, "; ".join([*told, *([chosen.note] if chosen.note else [])]))


def _laid_on_the_query(template: Template, images: ImageStore) -> ImageRef:
    """A good image, turned as the part in the query lies."""
    ref = images.open(template.path)
    if not template.turn_deg:
        return ref
    turned = turned_image(images.pixels(ref), -template.turn_deg // 90)
    return images.add(turned, f"{template.path.name} turned by {template.turn_deg} degrees")


def recall_knowledge(visit: Visit) -> Outcome:
    """Look up how the product should look and what goes wrong with it."""
    if visit.tools.knowledge is None:
        return Outcome({}, "switched off")
    request = visit.state.request
    knowledge, named = visit.tools.knowledge(), request.product
    product = knowledge.product_named(named) if named else None
    if request.passages:
        recalled = Recalled(product=product, passages=request.passages)
        return Outcome({"recalled": recalled}, f"{len(request.passages)} passage(s) given")
    most = request.knowledge_tokens
    files = _from_files(knowledge, product or named, most // 2) if named else []
    left = most - sum(estimated_tokens(passage.text) for passage in files)
    found = [*knowledge.brief(product, left), *files]
    recalled = Recalled(product=product, passages=tuple(map(as_cited, found)))
    if named and product is None:
        return Outcome({"recalled": recalled}, f"no document about {named!r}; {len(found)} other passage(s)")
    return Outcome({"recalled": recalled}, f"{len(found)} passage(s) about {product or 'defects in general'}")


def _from_files(knowledge: KnowledgeBase, product: str, most_tokens: int) -> list[Passage]:
    """What the user's own files say of this product's looks, as far as there is room."""
    if not knowledge.has_files_about(product):
        return []
    question = f"normal appearance, allowed variation and typical defects of {product}"
    return knowledge.search(question, product=product, libraries=["files"], most_tokens=most_tokens)


def as_cited(passage: Passage) -> KnowledgePassage:
    """A passage as the report quotes it."""
    return KnowledgePassage(id=passage.id, source=passage.source, text=passage.text, score=passage.score)
