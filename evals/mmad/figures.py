"""MMAD's figures from sums of right and asked answers; the same arithmetic for a run and for its resamples.

Axes: resample (one for the run itself), data set, side (0: normal images, 1: anomalous ones), subtask.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evals.mmad.tally import Columns, Floats
from graphs.questions.question import SUBTASKS

DETECTION = SUBTASKS.index("Anomaly Detection")


@dataclass(frozen=True)
class Sums:
    """`asked` and `right`, shape (resamples, data sets, 2, 7)."""

    asked: Floats
    right: Floats


@dataclass(frozen=True)
class Figures:
    """Fractions, not-a-number where nothing was asked.

    `accuracy` has shape (resamples, data sets, 7), that of detection balanced; `average` and the detection
    figures (resamples, data sets).
    """

    accuracy: Floats
    average: Floats
    recall: Floats
    precision: Floats
    f1: Floats
    overkill: Floats
    miss: Floats

    def overall(self) -> Figures:
        """The unweighted mean over the data sets that have the figure; the axis stays, of length 1."""
        return Figures(*(_mean(getattr(self, name), axis=1) for name in Figures.__dataclass_fields__))


def figures(sums: Sums) -> Figures:
    """The figures of a run or of its resamples (Jiang et al., ICLR 2025, section 3.3 and the public script).

    Detection is the mean of the accuracy on normal and on anomalous images; the average is the mean of the
    subtasks that were asked. Recall, precision and F1 take "defect" for positive.
    """
    both_asked, both_right = sums.asked.sum(axis=2), sums.right.sum(axis=2)
    accuracy = _share(both_right, both_asked)
    asked, right = sums.asked[..., DETECTION], sums.right[..., DETECTION]
    of_side = _share(right, asked)
    accuracy[..., DETECTION] = of_side.mean(axis=2)
    found, false_alarms = right[..., 1], asked[..., 0] - right[..., 0]
    recall, precision = of_side[..., 1], _share(found, found + false_alarms)
    return Figures(
        accuracy=accuracy,
        average=_mean(accuracy, axis=2)[..., 0],
        recall=recall,
        precision=precision,
        f1=_share(2 * found, found + false_alarms + asked[..., 1]),
        overkill=1 - of_side[..., 0],
        miss=1 - recall,
    )


def sums_of(table: Columns) -> Sums:
    """What was asked and answered rightly, as it is; one resample."""
    shape = (len(table.datasets), 2, len(SUBTASKS))
    place = np.ravel_multi_index((table.dataset, 1 - table.normal, table.subtask), shape)
    size = int(np.prod(shape))
    asked = np.bincount(place, minlength=size).reshape(1, *shape)
    right = np.bincount(place, weights=table.right, minlength=size).reshape(1, *shape)
    return Sums(asked.astype(np.float64), right.astype(np.float64))


def resampled(table: Columns, resamples: int, seed: int) -> Sums:
    """Sums over images drawn with replacement, as many of each data set as it has.

    Whole images are drawn, since the answers about one image stand and fall together.
    """
    shape = (len(table.images), len(SUBTASKS))
    place = np.ravel_multi_index((table.image, table.subtask), shape)
    size = int(np.prod(shape))
    asked = np.bincount(place, minlength=size).reshape(shape).astype(np.float64)
    right = np.bincount(place, weights=table.right, minlength=size).reshape(shape)
    dataset, normal = np.zeros(len(table.images), np.int64), np.zeros(len(table.images), bool)
    dataset[table.image], normal[table.image] = table.dataset, table.normal
    rng = np.random.default_rng(seed)
    drawn = Sums(*(np.zeros((resamples, len(table.datasets), 2, len(SUBTASKS))) for _ in range(2)))
    for number in range(len(table.datasets)):
        members = np.flatnonzero(dataset == number)
        for resample in range(resamples):
            times = np.bincount(rng.integers(len(members), size=len(members)), minlength=len(members))
            for side in (0, 1):
                chosen = members[normal[members] == (side == 0)]
                weight = times[normal[members] == (side == 0)]
                drawn.asked[resample, number, side] = weight @ asked[chosen]
                drawn.right[resample, number, side] = weight @ right[chosen]
    return drawn


def _share(part: Floats, whole: Floats) -> Floats:
    shares: Floats = np.divide(part, whole, out=np.full(np.shape(whole), np.nan), where=whole > 0)
    return shares


def _mean(values: Floats, axis: int) -> Floats:
    """Mean over what is there, the axis kept; not-a-number where nothing is."""
    there = ~np.isnan(values)
    return _share(
        np.where(there, values, 0.0).sum(axis=axis, keepdims=True), there.sum(axis=axis, keepdims=True)
    )
