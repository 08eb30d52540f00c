"""Figures of detection (one score an image) and localisation (one score a pixel), by scikit-learn.

AUPRO (Bergmann et al., IJCV 2021, section 5.2) is the area under the curve of the mean overlap with each
damaged region over the rate of false positive pixels, up to a rate of 0.3, divided by that limit. The mean
overlap is a true positive rate in which each damaged pixel weighs one over the size of its region: a weighted
ROC curve, which needs counts by score and no list of all pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from evals.detect.pixel_tally import ScoredPixels

FALSE_POSITIVE_LIMIT: Final = 0.3
"""Up to which false positive rate AUPRO integrates, as published figures do."""

RESAMPLES: Final = 1000

_CELLS_AT_A_TIME: Final = 4_000_000

Scores = npt.NDArray[np.float64]


@dataclass(frozen=True)
class ImageFigures:
    """How well scores tell damaged images from good ones, each 0..1.

    `f1_max` is the best F1 over all limits, a bound that no limit set beforehand can pass. `draws` are the
    AUROC of resampled images, shape (resamples,), and `interval` their middle 95 %.
    """

    auroc: float
    ap: float
    f1_max: float
    draws: Scores

    @property
    def interval(self) -> tuple[float, float]:
        """The middle 95 % of the resampled AUROC."""
        return middle_95(self.draws)


@dataclass(frozen=True)
class PixelFigures:
    """How well maps tell damaged pixels from others, each 0..1."""

    auroc: float
    aupro: float


def image_figures(
    good: Sequence[float], damaged: Sequence[float], *, seed: str = "0", resamples: int = RESAMPLES
) -> ImageFigures | None:
    """Figures of one category's image scores; None where good or damaged images are missing.

    Args:
        good: scores of good parts; higher means more suspicious.
        damaged: scores of damaged parts.
        seed: of the resampling; another for each category, or their draws would go together.
        resamples: how often images are drawn again, good and damaged ones each for themselves.
    """
    from sklearn.metrics import (  # type: ignore[import-untyped]
        average_precision_score,
        precision_recall_curve,
        roc_auc_score,
    )

    if not good or not damaged:
        return None
    truth = np.r_[np.zeros(len(good)), np.ones(len(damaged))]
    scores = np.r_[np.asarray(good, float), np.asarray(damaged, float)]
    precision, recall, _ = precision_recall_curve(truth, scores)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
    return ImageFigures(
        auroc=float(roc_auc_score(truth, scores)),
        ap=float(average_precision_score(truth, scores)),
        f1_max=float(f1.max()),
        draws=_resampled_auroc(scores[truth == 0], scores[truth == 1], seed, resamples),
    )


def pixel_figures(pixels: ScoredPixels, *, limit: float = FALSE_POSITIVE_LIMIT) -> PixelFigures | None:
    """Figures of one category's maps; None where no pixel is damaged, or every one.

    Args:
        pixels: counted pixels.
        limit: up to which rate of false positives AUPRO integrates, 0..1.
    """
    from sklearn.metrics import auc, roc_auc_score, roc_curve

    if not pixels.regions or not pixels.good.any():
        return None
    levels = np.arange(len(pixels.good))
    scores = np.r_[levels, levels]
    truth = np.r_[np.zeros(len(levels)), np.ones(len(levels))]
    false_rate, overlap, _ = roc_curve(
        truth, scores, sample_weight=np.r_[pixels.good, pixels.overlap], drop_intermediate=False
    )
    beyond = int(np.searchsorted(false_rate, limit))  # the first point at the limit or beyond it
    share = (limit - false_rate[beyond - 1]) / (false_rate[beyond] - false_rate[beyond - 1])
    at_limit = overlap[beyond - 1] + share * (overlap[beyond] - overlap[beyond - 1])
    area = auc(np.r_[false_rate[:beyond], limit], np.r_[overlap[:beyond], at_limit])
    return PixelFigures(
        auroc=float(roc_auc_score(truth, scores, sample_weight=np.r_[pixels.good, pixels.damaged])),
        aupro=min(float(area / limit), 1.0),  # rounding may pass it
    )


def middle_95(draws: Scores) -> tuple[float, float]:
    """The 2.5th and 97.5th percentile."""
    low, high = np.percentile(draws, (2.5, 97.5))
    return float(low), float(high)


def _resampled_auroc(good: Scores, damaged: Scores, seed: str, resamples: int) -> Scores:
    """AUROC of images drawn again with replacement: of all pairs drawn, the share in the right order."""
    random = np.random.default_rng(list(seed.encode()))
    # How often each image is drawn, shape (resamples, images): pairs are compared once, not in each resample.
    times_good = random.multinomial(len(good), np.full(len(good), 1 / len(good)), size=resamples)
    times_damaged = random.multinomial(len(damaged), np.full(len(damaged), 1 / len(damaged)), size=resamples)
    wins = np.zeros(resamples)
    rows = max(1, _CELLS_AT_A_TIME // len(good))
    for start in range(0, len(damaged), rows):
        some = damaged[start : start + rows, None]
        order = (some > good) + 0.5 * (some == good)
        wins += ((times_damaged[:, start : start + rows] @ order) * times_good).sum(axis=1)
    draws: Scores = wins / (len(good) * len(damaged))
    return draws
