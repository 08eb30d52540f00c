"""Measured facts as sentences, in the report's language: one wording for prompts, reasoner and report."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import cv2
import numpy as np

from graphs.language.catalog import Catalog, Language
from graphs.report import Extent
from tools.types import Calibration, Cell, ExpertReading, Region

WORDS: Final = Catalog(Path(__file__).parent / "language" / "words")

LARGE_FROM = 0.02
"""Fraction of the image from which a region counts as large (the documents' own measure)."""

EQUALLY_BRIGHT = 3.0
"""Grey levels under which brightness is no difference."""

ELONGATED_FROM = 2.5
"""Long side over short side from which a region is called elongated."""

_LEVEL_WITHIN_DEG: Final = 10
"""Degrees from the axis within which a line is called horizontal or vertical."""


def describe_reading(reading: ExpertReading, *, language: Language = "en") -> str:
    """Score, threshold, zone and reliability of a reading, in one or two sentences."""
    limits = reading.calibration
    told = {
        "expert": reading.expert,
        "score": f"{reading.score:.2f}",
        "reliability": WORDS.say(language, f"reliability.{limits.reliability}"),
        "why": why_reliable(limits, language=language),
    }
    if limits.normals == 0:
        return WORDS.say(language, "reading.unseen", method=limits.method, **told)
    standing = WORDS.say(
        language,
        f"reading.{reading.zone}",
        limit=f"{limits.uncertain_from:.2f}",
        threshold=f"{reading.threshold if reading.zone == 'anomalous' else limits.anomalous_from:.2f}",
    )
    by_user = WORDS.say(language, "reading.by_user", limits=limits.set_by_user) if limits.set_by_user else ""
    aspect = _aspect(reading, language)
    return WORDS.say(language, "reading", aspect=aspect, standing=standing, by_user=by_user, **told)


def describe_region(
    region: Region,
    *,
    reference_known: bool = True,
    language: Language = "en",
    mm_per_px: float | None = None,
) -> str:
    """Where a region is, how large, how it lies and how it differs, as one sentence of measured facts."""
    parts = [_size(region, language, mm_per_px)]
    parts.append(WORDS.say(language, "region.share", percent=percent(region.area_fraction, language)))
    parts.append(_shape(region, language))
    if region.grey_difference is not None and reference_known:
        parts.append(_contrast(region, language))
        if region.change in {"added", "missing"}:
            parts.append(WORDS.say(language, f"change.{region.change}"))
    return ("，" if language == "zh" else ", ").join(parts)


def name_form(region: Region, *, language: Language = "en") -> str:
    """What to call a region that no known defect was matched to: its form, and nothing more."""
    tone = region.polarity if region.polarity in {"darker", "brighter"} else "none"
    form = "line" if region.elongation >= ELONGATED_FROM else "spot"
    if region.area_fraction >= LARGE_FROM:
        form = "area"
    return WORDS.say(language, f"form.{form}", tone=WORDS.say(language, f"tone.{tone}"))


def extent_of(region: Region, mm_per_px: float | None = None) -> Extent:
    """How large a region is and how it lies.

    Args:
        region: as an expert measured it; length and breadth are those of the smallest rotated rectangle
            around its contour.
        mm_per_px: scale of the image; None: no sizes in mm.
    """
    (_, sides, _) = cv2.minAreaRect(np.array(region.contour, np.float32).reshape(-1, 2))
    length, breadth = max(sides) + 1, min(sides) + 1  # a contour runs through the middles of its pixels
    scale = mm_per_px
    return Extent(
        width_px=region.box.width_px,
        height_px=region.box.height_px,
        area_px=region.area_px,
        length_px=round(float(length), 1),
        breadth_px=round(float(breadth), 1),
        width_mm=None if scale is None else round(region.box.width_px * scale, 3),
        height_mm=None if scale is None else round(region.box.height_px * scale, 3),
        area_mm2=None if scale is None else round(region.area_px * scale**2, 4),
        orientation_deg=region.orientation_deg if region.elongation >= ELONGATED_FROM else None,
        contrast=region.grey_difference,
    )


def why_reliable(limits: Calibration, *, language: Language = "en") -> str:
    """Why a calibration is as reliable as it is; experts give their reason in English."""
    if language == "en" or limits.normals == 0 or limits.reliability_reason.startswith("weak on"):
        return limits.reliability_reason
    more = WORDS.say(language, "why.more", wanted=limits.wanted) if limits.wanted else ""
    return WORDS.say(language, "why", normals=limits.normals, more=more)


def say_cell(cell: Cell, *, language: Language = "en") -> str:
    """A cell of the 3x3 grid in words."""
    return WORDS.say(language, f"cell.{cell}")


def say_lying(orientation_deg: float, *, language: Language = "en") -> str:
    """How something long lies, from its angle against the x axis, 0..180 towards y (downwards)."""
    angle = orientation_deg % 180
    if min(angle, 180 - angle) <= _LEVEL_WITHIN_DEG:
        return WORDS.say(language, "lying.horizontal")
    if abs(angle - 90) <= _LEVEL_WITHIN_DEG:
        return WORDS.say(language, "lying.vertical")
    if angle < 90:  # y runs downwards, so that a small angle falls
        return WORDS.say(language, "lying.falling", degrees=round(angle))
    return WORDS.say(language, "lying.rising", degrees=round(180 - angle))


def percent(fraction: float, language: Language = "en") -> str:
    """A share in per cent, to two digits under one."""
    share = 100 * fraction
    return WORDS.say(language, "percent", number=f"{share:.1f}" if share >= 1 else f"{share:.2f}")


def _size(region: Region, language: Language, mm_per_px: float | None) -> str:
    box, cell = region.box, say_cell(region.cell, language=language)
    sizes = {"width": box.width_px, "height": box.height_px, "cell": cell}
    if mm_per_px is None:
        return WORDS.say(language, "region.size", **sizes)
    width_mm, height_mm = (f"{side * mm_per_px:.3g}" for side in (box.width_px, box.height_px))
    return WORDS.say(language, "region.size_mm", width_mm=width_mm, height_mm=height_mm, **sizes)


def _aspect(reading: ExpertReading, language: Language) -> str:
    """What the score is of, where the expert takes several."""
    leading = next((a for a in reading.aspects if a.calibration == reading.calibration), None)
    named = f"aspect.{leading.name}" if leading else ""
    return WORDS.say(language, named) if named in WORDS.names(language) else ""


def _shape(region: Region, language: Language) -> str:
    if region.elongation < ELONGATED_FROM:
        return WORDS.say(language, "region.compact")
    times = f"{region.elongation:.1f}"
    if region.orientation_deg is None:
        return WORDS.say(language, "region.long", times=times)
    lying = say_lying(region.orientation_deg, language=language)
    return WORDS.say(language, "region.long_lying", times=times, lying=lying)


def _contrast(region: Region, language: Language) -> str:
    difference = region.grey_difference or 0.0
    if abs(difference) < EQUALLY_BRIGHT and region.polarity != "mixed":
        return WORDS.say(language, "region.equal")
    if region.polarity == "mixed" or region.polarity is None:
        return WORDS.say(language, "region.mixed")
    return WORDS.say(language, f"region.{region.polarity}", levels=f"{abs(difference):.0f}")
