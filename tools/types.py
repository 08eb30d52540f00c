"""Values that cross rooms: references to images, boxes, regions, readings. No pixels, no handles.

Every coordinate is in pixels of the image *after* EXIF orientation: origin top left, x to the right,
y down, boxes half-open (`x0 <= x < x1`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, Self, TypeAlias

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, model_validator

Pixels: TypeAlias = npt.NDArray[np.uint8]
"""RGB image, shape (height, width, 3), dtype uint8."""

MapValues: TypeAlias = npt.NDArray[np.float32]
"""One raw anomaly score a pixel, shape (height, width), dtype float32."""

Zone: TypeAlias = Literal["normal", "uncertain", "anomalous"]
"""Where a score stands against the normal parts that an expert has seen."""

Cell: TypeAlias = Literal[
    "top left",
    "top",
    "top right",
    "left",
    "center",
    "right",
    "bottom left",
    "bottom",
    "bottom right",
]
"""Cell of a 3x3 grid over the image, in words."""

Polarity: TypeAlias = Literal["brighter", "darker", "mixed"]
"""How a region's grey level stands against the same place of the reference."""

Change: TypeAlias = Literal["added", "missing", "altered"]
"""What became of a place: something is there that the reference has not, or the reverse, or both differ."""

Reliability: TypeAlias = Literal["high", "medium", "low"]
"""How far a calibration can be trusted, from the number and kind of normals behind it."""

Notation: TypeAlias = Literal["bbox", "contour", "highlight", "mask", "heatmap"]
"""How regions are drawn on an overlay."""

UnitFloat: TypeAlias = Annotated[FiniteFloat, Field(ge=0, le=1)]


class Value(BaseModel):
    """An immutable value that refuses unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ImageRef(Value):
    """Names an image without holding its pixels.

    `sha256` is taken over the decoded RGB pixels and the size, so that two files with equal pixels are
    the same image. `notes` say what decoding had to change ("16-bit read as 12-bit", "first of 3 frames").
    """

    path: str
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    width_px: int = Field(gt=0)
    height_px: int = Field(gt=0)
    notes: tuple[str, ...] = ()


class Box(Value):
    """Axis-aligned box, half-open, in pixels; never empty, never negative."""

    x0: int = Field(ge=0)
    y0: int = Field(ge=0)
    x1: int
    y1: int

    @model_validator(mode="after")
    def _not_empty(self) -> Self:
        if self.x1 <= self.x0 or self.y1 <= self.y0:
            raise ValueError(f"box must have x0 < x1 and y0 < y1, got {self.xyxy}")
        return self

    @property
    def xyxy(self) -> tuple[int, int, int, int]:
        """(x0, y0, x1, y1) in pixels."""
        return (self.x0, self.y0, self.x1, self.y1)

    @property
    def width_px(self) -> int:
        """Width in pixels."""
        return self.x1 - self.x0

    @property
    def height_px(self) -> int:
        """Height in pixels."""
        return self.y1 - self.y0

    @property
    def area_px(self) -> int:
        """Area in square pixels."""
        return self.width_px * self.height_px

    @property
    def centre(self) -> tuple[float, float]:
        """(x, y) of the centre in pixels."""
        return ((self.x0 + self.x1) / 2, (self.y0 + self.y1) / 2)


class TypeChance(Value):
    """A type that a defect may be of, as types that were learnt have it."""

    type: str = Field(min_length=1)
    probability: UnitFloat


class Region(Value):
    """A connected place that an expert found suspicious.

    `contour` is the outer outline as (x, y) pixels. `peak` is the highest raw score inside, at `peak_xy`.
    `grey_difference` is the mean signed grey level of query minus reference inside the region (-255..255),
    None where the expert has no aligned reference, as are `polarity` and `change`. `elongation` is long side
    over short side of the smallest rotated rectangle (1 is as round as it gets), `orientation_deg` the angle
    of its long side against the x axis, 0..180 towards y (downwards); None for what is round. `mean` is the
    mean raw score inside. `types` are those that it may be of if it is a defect, the likeliest first, which
    sum to 1; none where the expert tells no types apart.
    """

    box: Box
    contour: tuple[tuple[int, int], ...]
    cell: Cell
    area_px: int = Field(gt=0)
    area_fraction: UnitFloat
    peak: FiniteFloat
    peak_xy: tuple[int, int]
    mean: FiniteFloat | None = None
    elongation: FiniteFloat = Field(ge=1)
    orientation_deg: FiniteFloat | None = Field(default=None, ge=0, lt=180)
    grey_difference: FiniteFloat | None = None
    polarity: Polarity | None = None
    change: Change | None = None
    types: tuple[TypeChance, ...] = ()


class UserLimits(Value):
    """What a user changes of an expert's limits.

    `sensitivity` moves both limits: at 2 they lie half as far from the normals' centre, at 0.5 twice as far.
    `threshold` then sets the raw score from which a part is anomalous, whatever the calibration says.
    """

    sensitivity: FiniteFloat = Field(default=1.0, gt=0)
    threshold: FiniteFloat | None = None


class Calibration(Value):
    """What an expert learnt about normal parts: where their scores lie, and so where the zones begin.

    Scores below `uncertain_from` are normal, from `anomalous_from` on anomalous, between them uncertain.
    `centre` and `spread` describe the scores of the normals (spread > 0, in score units); a reading's
    `position` is (score - centre) / spread. `normals` is 0 for an expert that has seen none. `wanted` says
    how many more good images would make the limits firm, `set_by_user` what a user changed (None: nothing).
    """

    method: str
    normals: int = Field(ge=0)
    centre: FiniteFloat
    spread: FiniteFloat = Field(gt=0)
    uncertain_from: FiniteFloat
    anomalous_from: FiniteFloat
    reliability: Reliability
    reliability_reason: str
    wanted: int = Field(default=0, ge=0)
    set_by_user: str | None = None

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.anomalous_from < self.uncertain_from:
            raise ValueError(
                f"anomalous_from ({self.anomalous_from}) lies below uncertain_from ({self.uncertain_from})"
            )
        return self

    def zone(self, score: float) -> Zone:
        """Zone of a raw score."""
        if score < self.uncertain_from:
            return "normal"
        return "uncertain" if score < self.anomalous_from else "anomalous"

    def position(self, score: float) -> float:
        """Distance of a raw score from the normals' centre, in their spreads."""
        return (score - self.centre) / self.spread

    def adjusted(self, limits: UserLimits) -> Calibration:
        """The same calibration with the limits that a user set; itself where the user set none."""
        said = []
        uncertain_from, anomalous_from = (
            self.centre + (limit - self.centre) / limits.sensitivity
            for limit in (self.uncertain_from, self.anomalous_from)
        )
        if limits.sensitivity != 1:
            said.append(f"sensitivity {limits.sensitivity:g}")
        if limits.threshold is not None:
            anomalous_from = limits.threshold
            uncertain_from = min(uncertain_from, anomalous_from)
            said.append(f"threshold {limits.threshold:g} (calibrated: {self.anomalous_from:.4g})")
        if not said:
            return self
        return self.model_copy(
            update={
                "uncertain_from": uncertain_from,
                "anomalous_from": anomalous_from,
                "set_by_user": " and ".join(said),
            }
        )


class Aspect(Value):
    """One of several scores that an expert takes of an image, each with limits of its own.

    `name` says what it looks at ("local": the strangest place; "global": the look of the whole).
    """

    name: str
    score: FiniteFloat
    position: FiniteFloat
    zone: Zone
    calibration: Calibration


class ExpertReading(Value):
    """What one expert measured on one image, as a value that a report can hold.

    `threshold` is the score from which the zone is anomalous. `regions` are ordered by falling peak and are
    empty in the normal zone. `same_view` says whether query and reference show the same view
    (None: the expert does not ask). `aspects` are all scores of an expert that takes several; score,
    limits and zone are then those of the one in the worst zone. `notes` are sentences for the reader of the
    report. `seconds` is the whole time, `timings_s` splits it by step.
    """

    expert: str
    score: FiniteFloat
    threshold: FiniteFloat
    position: FiniteFloat
    zone: Zone
    calibration: Calibration
    regions: tuple[Region, ...] = ()
    same_view: bool | None = None
    aspects: tuple[Aspect, ...] = ()
    notes: tuple[str, ...] = ()
    seconds: FiniteFloat = Field(ge=0)
    timings_s: dict[str, FiniteFloat] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _agrees_with_calibration(self) -> Self:
        if self.zone != self.calibration.zone(self.score):
            raise ValueError(f"zone {self.zone!r} does not follow from score {self.score}")
        if self.zone == "normal" and self.regions:
            raise ValueError("a reading in the normal zone has no regions")
        return self


@dataclass(frozen=True)
class Measurement:
    """A reading with the arrays behind it; lives in memory and on disk, never in a graph's state.

    `map_values` lies in the frame of the query. `aligned_reference` is the reference warped into the frame
    of the query (same height and width), None where the expert does not align. `reference_index` says beside
    which of the good images that it was fitted on the query is best shown. `kept` says that it was made by an
    earlier run and taken from a shelf.
    """

    reading: ExpertReading
    map_values: MapValues
    aligned_reference: Pixels | None = None
    reference_index: int = 0
    kept: bool = False
