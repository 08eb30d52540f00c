"""Which section a heading or a column speaks about, told from its words."""

from __future__ import annotations

import re
from collections.abc import Sequence

from knowledge_base.schema import Section

_LONGEST = 8  # words; a longer heading is a sentence, and its words are no label

# In order: "Causes of defects" speaks of causes, and "Normal appearance" of what is normal.
_WORDS: dict[Section, tuple[str, ...]] = {
    "cause": ("(root )?causes?", "reasons?", "causation", "failure mechanisms?", "why"),
    "action": (
        *("actions?", "remed(y|ies)", "countermeasures?", "containment", "corrections?", "corrective"),
        *("preventions?", "preventive", "mitigations?", "rework", "repairs?", "what to do"),
        *("reaction plans?", "disposition"),
    ),
    "effect": ("effects?", "consequences?", "impacts?", "implications?"),
    "confirm": (
        *("confirm(ation|ing)?", "verif(y|ication)", "how to (check|confirm|verify|detect)"),
        *("detection methods?", "test methods?", "check methods?"),
    ),
    "imaging": ("imaging", "lighting", "illumination", "cameras?", "optics", "backlight"),
    "variation": (
        *("(allowed|permitted|permissible|acceptable|normal) (variations?|deviations?)", "variations?"),
        *("tolerances?", "acceptance (criteria|limits?)"),
    ),
    "normal": (
        *("normal", "nominal", "good parts?", "defect[- ]free"),
        "(reference|target|expected) (appearance|condition|state)",
    ),
    "layout": ("layout", "arrangement", "bill of materials", "parts? lists?"),
    "defect": (
        *("defects?", "anomal(y|ies)", "flaws?", "faults?", "failure modes?", "non-?conformit(y|ies)"),
        *("symptoms?", "appearance", "looks?", "signs?", "indications?"),
    ),
}
_PATTERNS = {
    section: re.compile(rf"\b({'|'.join(words)})\b", re.IGNORECASE) for section, words in _WORDS.items()
}


def section_named(label: str) -> Section | None:
    """The section that a heading or a column's name points to, if it points to one."""
    if len(label.split()) > _LONGEST:
        return None
    return next((section for section, words in _PATTERNS.items() if words.search(label)), None)


def section_under(headings: Sequence[str]) -> Section:
    """The section of what stands under these headings, outermost first; the innermost to name one decides."""
    return next((found for label in reversed(headings) if (found := section_named(label))), "text")
