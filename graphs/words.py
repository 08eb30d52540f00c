"""Measured facts as sentences: one wording for prompts, the evidence reasoner and the report."""

from __future__ import annotations

from tools.types import ExpertReading, Region

LARGE_FROM = 0.02
"""Fraction of the image from which a region counts as large (the documents' own measure)."""

EQUALLY_BRIGHT = 3.0
"""Grey levels under which brightness is no difference."""

_CHANGES = {
    "added": "with structure there that the reference lacks",
    "missing": "without the structure that the reference has there",
}

ELONGATED_FROM = 2.5
"""Long side over short side from which a region is called elongated."""


def describe_reading(reading: ExpertReading) -> str:
    """Score, threshold, zone and reliability of a reading, in one or two sentences."""
    limits = reading.calibration
    if limits.normals == 0:
        return (
            f"Expert {reading.expert} measured {reading.score:.2f} without having seen a good part "
            f"({limits.method}). Reliability {limits.reliability}: {limits.reliability_reason}"
        )
    standing = {
        "normal": f"below {limits.uncertain_from:.2f}, where doubt begins: within what good parts show",
        "uncertain": (
            f"between {limits.uncertain_from:.2f} and {limits.anomalous_from:.2f}: "
            "more than good parts usually show, less than a clear defect"
        ),
        "anomalous": f"above the threshold {reading.threshold:.2f}: more than good parts show",
    }[reading.zone]
    by_user = f" Limits set by the user: {limits.set_by_user}." if limits.set_by_user else ""
    return (
        f"Expert {reading.expert} measured {reading.score:.2f}{_aspect(reading)}, {standing}.{by_user} "
        f"Reliability {limits.reliability}: {limits.reliability_reason}"
    )


def describe_region(region: Region, *, reference_known: bool = True) -> str:
    """Where a region is, how large, and how it differs, as one sentence built from measured facts."""
    box = region.box
    parts = [
        f"{box.width_px}x{box.height_px} px at the {region.cell}",
        f"{_percent(region.area_fraction)} of the image",
        _shape(region),
    ]
    if region.grey_difference is not None and reference_known:
        parts.append(_contrast(region))
        if region.change in _CHANGES:
            parts.append(_CHANGES[region.change])
    return ", ".join(parts)


def name_form(region: Region) -> str:
    """What to call a region that no known defect was matched to: its form, and nothing more."""
    tone = {"darker": "dark ", "brighter": "bright "}.get(region.polarity or "", "")
    if region.area_fraction >= LARGE_FROM:
        return f"unidentified {tone}area"
    return f"unidentified {tone}{'line' if region.elongation >= ELONGATED_FROM else 'spot'}"


def _aspect(reading: ExpertReading) -> str:
    """What the score is of, where the expert takes several."""
    leading = next((a for a in reading.aspects if a.calibration == reading.calibration), None)
    return {"global": " for the look of the whole", "local": " for the strangest place"}.get(
        leading.name if leading else "", ""
    )


def _shape(region: Region) -> str:
    if region.elongation < ELONGATED_FROM:
        return "compact"
    return f"{region.elongation:.1f} times as long as wide"


def _contrast(region: Region) -> str:
    difference = region.grey_difference or 0.0
    if abs(difference) < EQUALLY_BRIGHT and region.polarity != "mixed":
        return "as bright as the reference, but of other colour or pattern"
    if region.polarity == "mixed" or region.polarity is None:
        return "partly brighter and partly darker than the reference"
    return f"{region.polarity} than the reference by {abs(difference):.0f} grey levels"


def _percent(fraction: float) -> str:
    percent = 100 * fraction
    return f"{percent:.1f} %" if percent >= 1 else f"{percent:.2f} %"
