"""Frames in which models speak of places, and the sizes at which they are shown pictures; pure.

A model sees the picture as it was *sent*: resized so that both sides are multiples of its patch. Some
families answer in pixels of that picture, others in thousandths of its sides whatever its size:

    Qwen2-VL            thousandths     arXiv 2409.12191, section 2.1
    Qwen2.5-VL          sent pixels     arXiv 2502.13923, section 2.1 ("absolute" coordinates)
    Qwen3-VL            thousandths     the model card's grounding cookbook
    InternVL, any       thousandths     arXiv 2312.14238 and the `<box>` format of its model cards
    anything else       thousandths     the commonest convention; pass `frame` to the model if it differs

Boxes of the product are half-open xyxy pixels of the original picture (`tools.types.Box`).
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from tools.errors import VlmInvalid, VlmRejected
from tools.types import Box

OVERSHOOT = 0.02
"""A corner may lie this fraction of a side outside the frame and is clipped; farther out it is invented."""

WHOLE_IMAGE = 0.95
"""A box over this fraction of the picture locates nothing."""

LONGEST_ASPECT = 200
"""Qwen's own limit: its processor refuses pictures longer than this many times their short side."""


@dataclass(frozen=True)
class SizeLimits:
    """What a picture may measure when sent: sides in multiples of `multiple`, area within the two bounds.

    The defaults are Qwen's 64 to 1280 visual tokens of 28 x 28 pixels: within them the server resizes
    nothing, so that the frame of what was sent is the frame in which the model answers.
    """

    multiple: int = 28
    min_area_px: int = 64 * 28 * 28
    max_area_px: int = 1280 * 28 * 28

    def __post_init__(self) -> None:
        if self.multiple < 1 or self.min_area_px < 1:
            raise ValueError(f"sides and areas must be positive, got {self}")
        if self.max_area_px < max(self.min_area_px, self.multiple**2):
            raise ValueError(f"the largest area leaves no room for the smallest, got {self}")


@dataclass(frozen=True)
class BoxFrame:
    """How a model family writes boxes, and the multiple that its patches want picture sides to be."""

    family: str
    unit: Literal["thousandths", "sent_pixels"]
    multiple: int = 28

    def sides(self, sent_wh: tuple[int, int]) -> tuple[float, float]:
        """Width and height of the whole picture in this frame's unit."""
        return (1000.0, 1000.0) if self.unit == "thousandths" else (float(sent_wh[0]), float(sent_wh[1]))


QWEN2_VL = BoxFrame("Qwen2-VL", "thousandths")
QWEN2_5_VL = BoxFrame("Qwen2.5-VL", "sent_pixels")
QWEN3_VL = BoxFrame("Qwen3-VL", "thousandths", multiple=32)
INTERNVL = BoxFrame("InternVL", "thousandths")
OTHER = BoxFrame("other", "thousandths")

# Looked for in the name's letters and digits alone: "Qwen/Qwen2.5-VL-7B", "qwen2_5_vl" and "Qwen2.5VL" agree.
_BY_NAME = (("qwen25vl", QWEN2_5_VL), ("qwen2vl", QWEN2_VL), ("qwen3vl", QWEN3_VL), ("internvl", INTERNVL))


def family_of(model_name: str) -> BoxFrame:
    """The frame of a model, told from its name or path; `OTHER` (thousandths) if the name is not known."""
    plain = re.sub(r"[^a-z0-9]", "", model_name.lower())
    return next((frame for mark, frame in _BY_NAME if mark in plain), OTHER)


def sent_size(width_px: int, height_px: int, limits: SizeLimits = SizeLimits()) -> tuple[int, int]:
    """(width, height) in pixels at which a picture is sent: Qwen's `smart_resize`, aspect kept.

    Both sides are the nearest multiples; if the area then breaks a bound, both are scaled by one factor and
    rounded towards the bound. Never under one multiple a side, so a very long picture can exceed the area.

    Raises:
        VlmRejected: the picture is empty, or longer than 200 times its short side.
    """
    if width_px < 1 or height_px < 1:
        raise VlmRejected(f"the picture is {width_px}x{height_px} px: there is nothing to send")
    if max(width_px, height_px) > LONGEST_ASPECT * min(width_px, height_px):
        raise VlmRejected(
            f"the picture is {width_px}x{height_px} px, over {LONGEST_ASPECT} times as long as wide: crop it"
        )
    step = limits.multiple
    width, height = (max(step, round(side / step) * step) for side in (width_px, height_px))
    if width * height > limits.max_area_px:
        shrink = math.sqrt(width_px * height_px / limits.max_area_px)
        width, height = (max(step, math.floor(side / shrink / step) * step) for side in (width_px, height_px))
    elif width * height < limits.min_area_px:
        grow = math.sqrt(limits.min_area_px / (width_px * height_px))
        width, height = (math.ceil(side * grow / step) * step for side in (width_px, height_px))
    # Rounding may lengthen a picture that is just short enough to be sent.
    return min(width, LONGEST_ASPECT * height), min(height, LONGEST_ASPECT * width)


def to_image_px(
    numbers: Sequence[float], frame: BoxFrame, *, sent_wh: tuple[int, int], image_wh: tuple[int, int]
) -> Box:
    """A model's box (x0, y0, x1, y1 in `frame`) as a box in pixels of the original picture.

    Corners up to `OVERSHOOT` of a side outside are clipped. `sent_wh` and `image_wh` are (width, height) in
    pixels of the picture as sent and as it is.

    Raises:
        VlmInvalid: not four finite numbers, inverted or empty, farther outside, or nearly the whole picture.
    """
    if len(numbers) != 4 or not all(math.isfinite(number) for number in numbers):
        raise VlmInvalid(f"hallucinated box: expected four finite numbers, got {_shown(numbers)}")
    wide, high = frame.sides(sent_wh)
    x0, y0, x1, y1 = numbers
    if x0 >= x1 or y0 >= y1:
        raise VlmInvalid(f"hallucinated box: {_shown(numbers)} is empty or inverted")
    for low, up, side in ((x0, x1, wide), (y0, y1, high)):
        if low < -OVERSHOOT * side or up > (1 + OVERSHOOT) * side or low >= side or up <= 0:
            raise VlmInvalid(
                f"hallucinated box: {_shown(numbers)} lies outside a picture of {wide:g}x{high:g}"
            )
    left, right = _span(x0, x1, wide, image_wh[0])
    top, bottom = _span(y0, y1, high, image_wh[1])
    box = Box(x0=left, y0=top, x1=right, y1=bottom)
    # On the model's own numbers: on a very small picture any honest box may round to the whole of it.
    clipped_area = (min(x1, wide) - max(x0, 0)) * (min(y1, high) - max(y0, 0))
    if clipped_area > WHOLE_IMAGE * wide * high:
        raise VlmInvalid(
            f"hallucinated box: {_shown(numbers)} is nearly the whole picture and locates nothing"
        )
    return box


def from_image_px(
    box: Box, frame: BoxFrame, *, sent_wh: tuple[int, int], image_wh: tuple[int, int]
) -> tuple[int, int, int, int]:
    """A box in pixels of the original picture as the model writes it: (x0, y0, x1, y1), integers in `frame`.

    Raises:
        ValueError: the box does not lie in the picture.
    """
    if box.x1 > image_wh[0] or box.y1 > image_wh[1]:
        raise ValueError(f"box {box.xyxy} does not lie in a picture of {image_wh[0]}x{image_wh[1]} px")
    wide, high = frame.sides(sent_wh)
    x0, x1 = _span(box.x0, box.x1, image_wh[0], int(wide))
    y0, y1 = _span(box.y0, box.y1, image_wh[1], int(high))
    return x0, y0, x1, y1


def _span(low: float, up: float, side: float, new_side: int) -> tuple[int, int]:
    """An interval scaled from a side to another, rounded, clipped, and at least one unit long."""
    start = min(max(round(low / side * new_side), 0), new_side - 1)
    return start, min(max(round(up / side * new_side), start + 1), new_side)


def _shown(numbers: Sequence[float]) -> str:
    return f"[{', '.join(f'{number:g}' for number in numbers[:8])}{', ...' if len(numbers) > 8 else ''}]"
