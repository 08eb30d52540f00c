"""Words for what is good and what is damaged, as published; each list is averaged to one text."""

from __future__ import annotations

from typing import Final

OBJECT: Final = "object"
"""What a part is called to CLIP: the words fit any product."""

NORMAL: Final = (
    "{}",
    "flawless {}",
    "perfect {}",
    "unblemished {}",
    "{} without flaw",
    "{} without defect",
    "{} without damage",
)
ABNORMAL: Final = ("damaged {}", "broken {}", "{} with flaw", "{} with defect", "{} with damage")
TEMPLATES: Final = ("a photo of a {}.", "a photo of the {}.")


def sentences(states: tuple[str, ...]) -> tuple[str, ...]:
    """Every state in every template."""
    return tuple(template.format(state.format(OBJECT)) for state in states for template in TEMPLATES)
