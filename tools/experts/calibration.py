"""From the scores of good parts to the limits of the zones; no defect is ever needed.

Scores of good parts come from leave-one-image-out where there are several, and from the one good image
under `perturbations` where there is one. `calibrate` then asks of a normal distribution that was seen through
few samples (Student's prediction interval; Hahn and Meeker, Statistical Intervals, 1991): from which score on
would fewer than 1 in 100 good parts lie (uncertain), and fewer than 1 in 1000 (anomalous)? Where too few good
images stand behind the scores, doubt begins earlier, at 1 in 20: normal must be earned.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from tools.types import Calibration, Pixels, Reliability

_FLOOR_WEIGHT: Final = 3
"""How many observations a known floor of the spread is worth; it tames Student's factor for 2 or 3 scores."""

_ROBUST_FROM: Final = 8
"""From this many scores on the median deviation is steady enough to stand in for the standard deviation."""

FIRM: Final = 16
_FIRM_ALIGNED: Final = 8
"""From so many different good images on limits are firm; fewer do where parts are compared place by place."""

_STUDENT_DF: Final = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 15, 20, 30, 60, 1_000_000)
STUDENT_95: Final = (
    *(6.314, 2.920, 2.353, 2.132, 2.015, 1.943, 1.895, 1.860),
    *(1.833, 1.812, 1.782, 1.753, 1.725, 1.697, 1.671, 1.645),
)
STUDENT_99: Final = (
    *(31.821, 6.965, 4.541, 3.747, 3.365, 3.143, 2.998, 2.896),
    *(2.821, 2.764, 2.681, 2.602, 2.528, 2.457, 2.390, 2.326),
)
STUDENT_999: Final = (
    *(318.309, 22.327, 10.215, 7.173, 5.893, 5.208, 4.785, 4.501),
    *(4.297, 4.144, 3.930, 3.733, 3.552, 3.385, 3.232, 3.090),
)


def perturbations(image: Pixels, *, count: int, seed: int = 0) -> list[Pixels]:
    """Pictures of the same good part taken again: moved a little, lit otherwise, with sensor noise.

    Each is one affine warp (shift up to 1.5 % of the long side, rotation up to 1 degree, scale within 2 %),
    then a blur (sigma 0..0.8 px), a gain (0.9..1.1), an offset (-8..8 grey levels) and noise (sigma 0..3 grey
    levels). The draws are stratified, so that a few pictures already cover every range. Borders are filled by
    reflection, so that no edge appears that the part does not have.

    Args:
        image: RGB, shape (height, width, 3), uint8.
        count: how many pictures, at least 1.
        seed: same image, count and seed give the same pictures.

    Returns:
        `count` images of the shape of `image`.

    Raises:
        ValueError: count is below 1.
    """
    if count < 1:
        raise ValueError(f"count must be at least 1, got {count}")
    rng = np.random.default_rng([seed, count])
    strata = np.stack([rng.permutation(count) for _ in range(8)], axis=1)
    draws = (strata + rng.uniform(size=strata.shape)) / count * 2 - 1  # each column covers -1..1 evenly
    return [_retaken(image, draw, rng) for draw in draws]


def next_frames(image: Pixels, *, count: int, seed: int = 0) -> list[Pixels]:
    """Pictures of the same part as a camera gives them one after the other: they differ by noise.

    Shift of up to 2 whole px, gain within 1 %, sensor noise of sigma 2 grey levels.

    Args:
        image: RGB, shape (height, width, 3), uint8.
        count: how many pictures.
        seed: same image, count and seed give the same pictures.
    """
    rng = np.random.default_rng([seed, count, 1])
    frames = []
    for _ in range(count):
        # Whole pixels: interpolating would blur, which a second frame is not.
        moved = np.roll(image, tuple(rng.integers(-2, 3, 2)), axis=(0, 1)).astype(np.float32)
        noise = 2 * rng.standard_normal(image.shape, dtype=np.float32)
        lit = moved * np.float32(rng.uniform(0.99, 1.01)) + noise
        frames.append(np.clip(np.rint(lit), 0, 255).astype(np.uint8))
    return frames


def _retaken(image: Pixels, draw: npt.NDArray[np.float64], rng: np.random.Generator) -> Pixels:
    shift_x, shift_y, turn, scale, gain, offset, blur, noise = draw
    height, width = image.shape[:2]
    reach_px = 0.015 * max(height, width)
    warp = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), float(turn), float(1 + 0.02 * scale))
    warp[:, 2] += (shift_x * reach_px, shift_y * reach_px)
    moved = cv2.warpAffine(
        image, warp, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
    )
    sigma_px = max(0.4 * (1 + blur), 0.05)  # OpenCV would choose a width of its own for 0
    soft = cv2.GaussianBlur(moved.astype(np.float32), (0, 0), sigma_px, borderType=cv2.BORDER_REFLECT_101)
    lit = soft.reshape(image.shape) * (1 + 0.1 * gain) + 8 * offset
    lit += 1.5 * (1 + noise) * rng.standard_normal(image.shape, dtype=np.float32)
    retaken: Pixels = np.clip(np.rint(lit), 0, 255).astype(np.uint8)
    return retaken


def calibrate(
    scores: Sequence[float],
    *,
    method: str,
    normals: int,
    floor_spread: float = 0.0,
    plausible: Sequence[float] = (),
    aligned: bool = False,
) -> Calibration:
    """Place the zones from the scores of good parts.

    With n scores of centre c and spread s, and t Student's quantile with n - 1 degrees of freedom,
    `uncertain_from` is c + t(0.99) s sqrt(1 + 1/n), with t(0.95) where the reliability is low, and
    `anomalous_from` the same with t(0.999), but never below the highest score that a good part has shown plus
    one spread, nor below what `plausible` scores reach. The limits follow every affine change of the scores:
    for a x + b (a > 0, floor times a) they are a times the limits plus b.

    Args:
        scores: scores of good parts, none of them seen by the expert that scored it (leave-one-out), or
            scores of one good part under `perturbations`; at least 1.
        method: how the scores came about, in a few words for the report.
        normals: how many *different* good images stand behind the scores; it decides the reliability.
        floor_spread: smallest believable spread, in score units. Where it is given it also counts as three
            observations of the spread, which keeps the limits of 2 or 3 scores within reason.
        plausible: scores that a good part could reach although none in hand has (one place of the part
            scored against its other places, say). They push `anomalous_from` out and leave the rest alone.
        aligned: the expert compares place by place, so that few good images show most of what varies.

    Raises:
        ValueError: no score, a score that is not finite, a negative floor, or normals below 1.
    """
    values = np.asarray(scores, dtype=np.float64)
    beyond = np.asarray(plausible, dtype=np.float64)
    if values.size == 0:
        raise ValueError("calibrate needs at least one score of a good part")
    if not (np.isfinite(values).all() and np.isfinite(beyond).all()):
        raise ValueError("calibrate needs finite scores: an expert gave NaN or infinity for a good part")
    if not (math.isfinite(floor_spread) and floor_spread >= 0):
        raise ValueError(f"floor_spread must be finite and not negative, got {floor_spread}")
    if normals < 1:
        raise ValueError(f"normals must be at least 1, got {normals}")
    centre = float(np.median(values))
    spread, freedom = _spread(values, floor_spread)
    wider = spread * math.sqrt(1 + 1 / values.size)
    reliability, reason = _reliability(normals, aligned=aligned)
    doubt = student(freedom, STUDENT_95 if reliability == "low" else STUDENT_99)
    uncertain_from = centre + doubt * wider
    reached = max(float(values.max()) + spread, float(beyond.max(initial=-math.inf)))
    anomalous_from = max(centre + student(freedom, STUDENT_999) * wider, reached)
    return Calibration(
        method=method,
        normals=normals,
        centre=centre,
        spread=spread,
        uncertain_from=uncertain_from,
        anomalous_from=anomalous_from,
        reliability=reliability,
        reliability_reason=reason,
        wanted=max(0, (_FIRM_ALIGNED if aligned else FIRM) - normals),
    )


def _spread(values: npt.NDArray[np.float64], floor: float) -> tuple[float, int]:
    """Spread of the scores and its degrees of freedom, the floor pooled in as a few more observations."""
    count = values.size
    if count >= _ROBUST_FROM:
        # One stained "good" image must not widen the limits for all the others.
        seen = 1.4826 * float(np.median(np.abs(values - np.median(values))))
    else:
        seen = float(values.std(ddof=1)) if count > 1 else floor
    freedom = count - 1
    if floor > 0:
        seen = math.sqrt((freedom * seen**2 + _FLOOR_WEIGHT * floor**2) / (freedom + _FLOOR_WEIGHT))
        freedom += _FLOOR_WEIGHT
    # Equal scores and no floor: nothing is known of the spread, but a Calibration needs one above zero.
    smallest = max(1e-6 * float(np.abs(values).max()), 1e-9)
    return max(seen, floor, smallest), max(freedom, 1)


def student(freedom: float, quantiles: tuple[float, ...]) -> float:
    """Student's quantile from a table above, between its degrees of freedom linearly in their inverse."""
    inverse = [1 / df for df in reversed(_STUDENT_DF)]
    return float(np.interp(1 / freedom, inverse, quantiles[::-1]))


def _reliability(normals: int, *, aligned: bool) -> tuple[Reliability, str]:
    """How far the limits can be trusted, why, and what would help."""
    firm, fair = (_FIRM_ALIGNED, 1) if aligned else (FIRM, 6)
    behind = "1 good image" if normals == 1 else f"{normals} good images"
    if normals >= firm:
        return "high", f"Calibrated on {behind}."
    if normals >= fair:
        return "medium", f"Calibrated on {behind}; {firm - normals} more would make the limits firm."
    return "low", (
        f"Calibrated on {behind}, which does not show how good parts differ from each other; "
        f"{fair - normals} more would narrow the uncertain zone."
    )
