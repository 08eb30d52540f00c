"""What many products teach about one: how far a fresh good part may score from those in hand.

Good pictures left out in turn say where scores lie, yet a few of them do not show how parts vary. So the
limits come from a distribution that other products taught, which the scores in hand replace as they grow in
number (a normal model of log scores with an inverse-gamma prior on the variance; Gelman et al., Bayesian Data
Analysis, 3.3), and with enough of them from the extremes that they show (Gumbel, by probability-weighted
moments; Landwehr et al. 1979). Scores must be positive and scale with the features: distances do.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from tools.experts.calibration import STUDENT_95, STUDENT_99, STUDENT_999, student
from tools.types import Calibration, Reliability

_EXTREMES_FROM: Final = 30
_EULER: Final = 0.5772156649
_FIRM: Final = 16
_FAIR: Final = 6


@dataclass(frozen=True)
class SpreadPrior:
    """Learned over products for one kind of score; all in natural logarithms of scores.

    Attributes:
        shift: by how much fresh good parts score above the scores in hand.
        doubt: standard deviation of that shift from product to product, with one part in hand.
        spread: standard deviation of good parts of one product.
        worth: observations that the spread is worth.
    """

    shift: float
    doubt: float
    spread: float
    worth: float


def unaligned_calibration(
    scores: Sequence[float], prior: SpreadPrior, *, method: str, normals: int, parts: float
) -> Calibration:
    """Limits for parts that are never alike: 1 in 100 good ones lies above the first, 1 in 1000 the second.

    Where the reliability is low, doubt begins at 1 in 20; with one part in hand it begins where taking that
    part again no longer explains the score, whatever other parts may do: normal must be earned.

    Args:
        scores: of good pictures that were left out in turn, or of re-imaged copies of the only one; positive.
        prior: what other products taught of this score.
        method: how the scores came about, for the report.
        normals: good images in hand.
        parts: how many different parts they count for: fewer, where pictures repeat each other.

    Raises:
        ValueError: no score, or one that is not finite.
    """
    values = np.asarray(scores, np.float64)
    if values.size == 0 or not np.isfinite(values).all():
        raise ValueError("limits need finite scores of good parts, at least one")
    logs = np.log(np.maximum(values, 1e-9))
    centre = float(np.median(logs))
    around = float(np.square(logs - centre).sum()) / max(values.size - 1, 1)
    freedom = prior.worth + parts - 1
    spread = math.sqrt((prior.worth * prior.spread**2 + (parts - 1) * around) / freedom)
    reliability, reason, wanted = _trust(normals, parts)
    early = student(freedom, STUDENT_95 if reliability == "low" else STUDENT_99)
    reach = math.sqrt(spread**2 * (1 + 1 / parts) + (prior.doubt / parts) ** 2)
    if parts < 2:
        doubted = max(math.exp(centre + early * prior.spread), float(values.max()))
    else:
        doubted = math.exp(centre + prior.shift + early * reach)
    refused = math.exp(centre + prior.shift + student(freedom, STUDENT_999) * reach)
    if parts >= _EXTREMES_FROM:
        doubted, refused = (_gumbel(values, share) for share in (0.99, 0.999))
    highest = float(values.max())
    unit = math.exp(centre)
    refused = max(refused, highest * math.exp(spread))
    return Calibration(
        method=method,
        normals=normals,
        centre=unit,
        spread=unit * spread,
        uncertain_from=min(doubted, refused),
        anomalous_from=refused,
        reliability=reliability,
        reliability_reason=reason,
        wanted=wanted,
    )


def newness(nearest: Sequence[float], frames: float) -> float:
    """Which share of good pictures shows another part, and not one of the parts in another frame, 0..1.

    A picture that lies no farther from its nearest than the next frame of one part adds nothing; one that
    lies twice as far counts in full.

    Args:
        nearest: how far each picture lies from that which is most like it.
        frames: how far the next frame of a part lies from the frame before.
    """
    return float(np.clip(np.asarray(nearest, np.float64) / max(frames, 1e-9) - 1, 0, 1).mean())


def _gumbel(values: npt.NDArray[np.float64], share: float) -> float:
    """Score under which this share of a Gumbel distribution lies, fitted by probability-weighted moments."""
    ordered = np.sort(values)
    ranks = np.arange(ordered.size)
    first = float(ordered.mean())
    second = float((ranks * ordered).sum() / (ordered.size * (ordered.size - 1)))
    scale = max((2 * second - first) / math.log(2), 1e-9)
    return first - _EULER * scale - scale * math.log(-math.log(share))


def _trust(normals: int, parts: float) -> tuple[Reliability, str, int]:
    """How far the limits can be trusted, why, and how many more good images would settle it."""
    behind = "1 good image" if normals == 1 else f"{normals} good images"
    shown = max(1, round(parts))
    if shown < normals:
        behind += f", which repeat each other and count for {shown}"
    wanted = max(0, _FIRM - shown)
    if not wanted:
        return "high", f"Calibrated on {behind}.", 0
    settle = f"{wanted} more, of different parts, would make the limits firm"
    if shown >= _FAIR:
        return "medium", f"Calibrated on {behind}; {settle}.", wanted
    return (
        "low",
        f"Calibrated on {behind}: how good parts differ is taken from other products for now; {settle}.",
        wanted,
    )
