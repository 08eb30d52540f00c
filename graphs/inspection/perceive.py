"""The steps that look at pictures: intake, measure, annotate."""

from __future__ import annotations

import numpy as np

from graphs.inspection.state import Intake, Measured, Measurements
from graphs.inspection.step import Outcome, Visit
from graphs.inspection.trust import as_trusted
from graphs.prompts.inspection import MARKED_REGIONS
from graphs.report import Fault
from tools.errors import ExpertError, ViewMismatch
from tools.experts.base import Scope
from tools.heatmap import heat_limits, map_calibration
from tools.masks import Mask, mask_for
from tools.overlay import draw
from tools.regions import find_regions
from tools.types import Box, ImageRef, Measurement, Pixels, Region
from tools.zoom import crop_box, side_by_side

SMALLEST_SIDE_PX = 32
"""Under this a picture holds too little to inspect."""

FLAT_BELOW = 1.0
"""Standard deviation in grey levels under which a picture is blank: lens cap, overexposure, empty export."""

FADED = 0.3
"""Contrast that people are left outside the region of interest, so that they see where they are."""

KEPT = "kept from an earlier run"
"""Stands in the trace of a measurement that was not made anew."""

UNGATED_FROM = 2 / 3
"""Share of a map's own maximum from which ungated marks are drawn (MMAD's agent: 170 of 255)."""

PROMPT_OVERLAY = "prompt-overlay"
"""The overlay as the model is shown it: the strongest regions only."""


def intake(visit: Visit) -> Outcome:
    """Look at the pictures as pictures: can this be inspected at all, and what is odd about it?"""
    request, images = visit.state.request, visit.tools.images
    obstacle = _obstacle(request.image, images.pixels(request.image))
    remarks = []
    if any(template.sha256 == request.image.sha256 for template in request.templates):
        remarks.append("template and query are the same picture, so that no difference can show")
    update = {"intake": Intake(obstacle=obstacle, remarks=tuple(remarks)), "faults": list(visit.tools.faults)}
    size = f"{request.image.width_px}x{request.image.height_px} px"
    return Outcome(update, obstacle or f"{size}, {len(request.templates)} template(s) given")


def measure(visit: Visit) -> Outcome:
    """Let the planned experts measure in turn, until one can."""
    state, tools = visit.state, visit.tools
    request = state.request
    references = good_images(visit)
    lasting = references is not state.recalled_templates  # the next query will want the same good images
    scope = _scope(visit)
    passed: list[str] = []
    faults: list[Fault] = []
    for name in state.plan.experts:
        try:
            measurement = tools.experts.read(
                name, references, request.image, scope, limits=request.limits, keep=lasting
            )
        except ViewMismatch as error:
            passed.append(f"expert {name} passed: {error}")
        except ExpertError as error:
            passed.append(f"expert {name} failed: {error}")
            faults.append(Fault(step="measure", kind=error.kind, message=str(error)))
        else:
            if request.weak_experts == "told":
                measurement = as_trusted(measurement, request.weak)
            reference = references[measurement.reference_index] if references else None
            measured = _keep(visit, measurement, reference)
            measurements = Measurements(measured=(measured,), remarks=tuple(passed))
            reading = measurement.reading
            detail = f"{name}: score {reading.score:.2f}, threshold {reading.threshold:.2f}, {reading.zone}"
            if measurement.kept:
                detail = f"{detail}; {KEPT}"
            return Outcome({"measurements": measurements, "faults": faults}, detail)
    update = {"measurements": Measurements(remarks=tuple(passed)), "faults": faults}
    return Outcome(update, "; ".join(passed) or "no expert was planned")


def annotate(visit: Visit) -> Outcome:
    """Draw what was measured: for people always a heat map, overlays and crops only above the normal zone."""
    state, tools = visit.state, visit.tools
    measured = state.measurements.leading
    if measured is None:
        return Outcome({}, "nothing was measured, so that nothing is drawn")
    reading, request = measured.reading, state.request
    query = in_scope(visit, tools.images.pixels(request.image), left=FADED)
    map_values = tools.artifacts.map(measured.map_name)
    of_map = map_calibration(reading)
    limits, threshold = heat_limits(of_map), of_map.anomalous_from
    legend = f"{reading.expert} {reading.score:.2f} (threshold {reading.threshold:.2f}): {reading.zone}"

    marks = measured.marks(gated=request.gated)

    def marked(limit: int | None = None) -> Pixels:
        return draw(
            query,
            marks,
            request.notation,
            map_values=map_values,
            limits=limits,
            threshold=threshold,
            legend=legend,
            limit=limit,
        )

    heat = draw(
        query, (), "heatmap", map_values=map_values, limits=limits, threshold=threshold, legend=legend
    )
    pictures = {"heatmap": heat}
    if reading.zone != "normal" or marks:
        pictures["overlay"] = marked()
        reference = reference_at_hand(visit, left=FADED)
        for number, region in enumerate(marks[:MARKED_REGIONS], start=1):
            box = crop_box(region.box, request.image.width_px, request.image.height_px)
            pictures[f"crop_{number}"] = side_by_side(query, reference, box)
    if tools.reasoner.sees and (reading.zone == "anomalous" or (marks and not request.gated)):
        tools.artifacts.put_image(PROMPT_OVERLAY, marked(MARKED_REGIONS))
    for name, pixels in pictures.items():
        tools.artifacts.put_image(name, pixels)
    return Outcome({"pictures": tuple(pictures)}, ", ".join(pictures))


def good_images(visit: Visit) -> tuple[ImageRef, ...]:
    """What experts learn from: given by hand, else on record, else the nearest of a folder."""
    state = visit.state
    return state.request.templates or visit.tools.profile or state.recalled_templates


def reference_at_hand(visit: Visit, *, left: float = 0.0) -> Pixels | None:
    """A good part as the query can best be compared with it, aligned if an expert did; None if there is none.

    `left` is the share of contrast that stays outside the region of interest.
    """
    state, tools = visit.state, visit.tools
    measured = state.measurements.leading
    if measured is not None and measured.aligned_reference_name is not None:
        return in_scope(visit, tools.artifacts.image(measured.aligned_reference_name), left=left)
    given = state.request.templates or state.recalled_templates
    reference = measured.reference if measured else next(iter(given), None)
    return in_scope(visit, tools.images.pixels(reference), left=left) if reference else None


def in_scope(visit: Visit, picture: Pixels, *, left: float = 0.0) -> Pixels:
    """A picture with what lies outside the region of interest turned grey; itself where all of it counts."""
    roi = _mask(visit, visit.state.request.roi)
    return roi.faded(picture, left=left) if roi else picture


def _scope(visit: Visit) -> Scope:
    request = visit.state.request
    return Scope(roi=_mask(visit, request.roi), product=request.product, truth=_mask(visit, request.truth))


def _mask(visit: Visit, source: Box | ImageRef | None) -> Mask | None:
    return mask_for(visit.state.request.image, source, visit.tools.images) if source is not None else None


def _keep(visit: Visit, measurement: Measurement, reference: ImageRef | None) -> Measured:
    """Put the arrays of a measurement where a resumed inspection finds them again."""
    expert, artifacts = measurement.reading.expert, visit.tools.artifacts
    map_name, aligned_name = f"map-{expert}", None
    artifacts.put_map(map_name, measurement.map_values)
    if measurement.aligned_reference is not None:
        aligned_name = f"aligned-{expert}"
        artifacts.put_image(aligned_name, measurement.aligned_reference)
    return Measured(
        reading=measurement.reading,
        reference=reference,
        map_name=map_name,
        aligned_reference_name=aligned_name,
        ungated=() if visit.state.request.gated else _ungated(visit, measurement),
    )


def _ungated(visit: Visit, measurement: Measurement) -> tuple[Region, ...]:
    """What lies beyond two thirds of the map's own maximum, as MMAD's agent draws it on every picture."""
    highest = float(measurement.map_values.max())
    if highest <= 0:
        return ()
    cut = UNGATED_FROM * highest
    query, reference = visit.tools.images.pixels(visit.state.request.image), measurement.aligned_reference
    if reference is None:
        return find_regions(measurement.map_values, low=cut, high=cut)
    return find_regions(measurement.map_values, low=cut, high=cut, query=query, reference=reference)


def _obstacle(ref: ImageRef, pixels: Pixels) -> str | None:
    if min(ref.width_px, ref.height_px) < SMALLEST_SIDE_PX:
        return (
            f"The image is {ref.width_px}x{ref.height_px} px, too small to inspect: "
            f"give one of at least {SMALLEST_SIDE_PX} px a side."
        )
    if float(np.std(pixels[:: 1 + ref.height_px // 512, :: 1 + ref.width_px // 512])) < FLAT_BELOW:
        return "The image is blank, all of one colour: check the camera, the light and the export."
    return None
