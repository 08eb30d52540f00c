"""What is measured of a place, as words that a text model can compare: for learning types, not for people.

Numbers are told as words ("tiny", "slender"), since text embeddings barely tell one number from another. The
words are English whatever the report's language, since types were learnt with these.
"""

from __future__ import annotations

from typing import Final

from graphs.findings.study import Finding, measured_again
from tools.texture import texture
from tools.types import Pixels, Region

_CLEAR: Final = 0.5
_POSSIBLE: Final = 0.25
"""Probabilities from which a general kind of defect is told, and told as one of two."""

_ANY: Final = float("inf")

_SLENDER: Final = ((1.3, "round"), (2.5, "oval"), (5.0, "long and thin"), (_ANY, "like a hair line"))
_AREA: Final = ((3e-4, "tiny"), (3e-3, "small"), (2e-2, "middle-sized"), (_ANY, "large"))
_CONTRAST: Final = ((12.0, "faint"), (50.0, "clear"), (_ANY, "strong"))
_SHIFT: Final = (
    (4.0, "of the same colour"),
    (15.0, "of a slightly other colour"),
    (_ANY, "of another colour"),
)

_ROUGH_PLACE: Final = (
    (7.5, "No place stands out."),
    (12.0, "A small rough place stands out."),
    (_ANY, "A small rough place stands out strongly."),
)
_ODD_TONE: Final = (
    (6.0, "The tone is even."),
    (9.0, "A place has an odd tone."),
    (_ANY, "A spot of quite another tone stands out."),
)
_LIGHT: Final = ((85.0, "dark"), (170.0, "grey"), (_ANY, "light"))
_VARIED: Final = ((5.0, "uniform"), (25.0, "slightly varied"), (_ANY, "strongly varied"))
_FINE: Final = ((0.2, "smooth"), (0.4, "of middling grain"), (0.55, "fine-grained"), (_ANY, "noisy"))
_DIRECTED: Final = (
    (0.15, "without direction"),
    (0.3, "hardly directed"),
    (0.45, "moderately directed"),
    (0.6, "clearly directed"),
    (_ANY, "strictly directed"),
)
"""Limits under which a measurement of a whole surface is told so; see `tools.texture.Texture`."""


def tell(query: Pixels, reference: Pixels | None, region: Region) -> str:
    """What the evidence reasoner can say of a place, in words.

    Args:
        query: RGB, shape (height, width, 3), uint8.
        reference: RGB of the good part, aligned, of the same shape; None where there is none.
        region: a place of the query.
    """
    finding = measured_again(query, reference, region)
    return " ".join(part for part in (_kinds(finding), _look(finding), _change(finding)) if part)


def tell_whole(query: Pixels) -> str:
    """What can be said of a whole picture on which no place is marked: its texture, and what stands out."""
    seen = texture(query)
    return (
        f"{_word(seen.rough_place, _ROUGH_PLACE)} {_word(seen.odd_tone, _ODD_TONE)} "
        f"The surface is {_word(seen.lightness, _LIGHT)}, {_word(seen.contrast, _VARIED)} and "
        f"{_word(seen.fineness, _FINE)}. Its texture is {_word(seen.directed, _DIRECTED)}."
    )


def _kinds(finding: Finding) -> str:
    """Which general kinds of defect it is like: what they look like and what they are called."""
    if finding.forms is None and finding.seen is None:
        return ""
    ranked = sorted(
        zip(finding.kinds, finding.kind_probabilities.tolist(), strict=True), key=lambda one: -one[1]
    )
    (first, likely), (second, next_likely) = ranked[:2]
    names = ", ".join(first.names[:3])
    if likely >= _CLEAR and next_likely < _POSSIBLE:
        return f"{first.looks[0]} It is a {names}."
    return f"{first.looks[0]} It may be a {names}, or a {', '.join(second.names[:2])}."


def _look(finding: Finding) -> str:
    seen, look = finding.seen, finding.look
    if seen is None:
        return "Nothing stands out from what lies around it."
    tone = "darker" if seen.lightness < 0 else "brighter"
    hue = f", {look.hue}" if look.hue else ""
    return (
        f"It is {_word(seen.area_fraction, _AREA)}, {_word(max(seen.slenderness, 0.1), _SLENDER)}, "
        f"{_word(abs(seen.lightness), _CONTRAST)} and {tone}, {_word(seen.colour_shift, _SHIFT)}{hue}."
    )


def _change(finding: Finding) -> str:
    return {
        "added": "Something is there that does not belong.",
        "missing": "Something that belongs there is missing.",
        "altered": "What is there has changed.",
        None: "",
    }[finding.region.change]


def _word(value: float, words: tuple[tuple[float, str], ...]) -> str:
    return next(word for below, word in words if value < below)
