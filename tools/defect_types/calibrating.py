"""How far a probability may be believed, and from where on a crop is of no type that was learnt."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
import numpy.typing as npt

from tools.defect_types.card import HeldOut, UnknownLimit
from tools.defect_types.features import Table

_TEMPERATURES: Final = np.geomspace(0.25, 8, 61)

_USUAL_LOG: Final = 0.25
_LOG_SPREAD: Final = 0.5
"""Where the logarithm of a temperature usually lies: a few crops must not move it far."""

_KNOWN: Final = 0.95
"""Share of the crops learnt from that lie below the limit of the unknown, before `_OTHER_PARTS`."""

_OTHER_PARTS: Final = 1.25
"""By how much the limit is widened: crops to come are of other parts, in boxes that an expert drew."""

_SURE_FROM: Final = 16
"""Crops under which the limit is widened further, by the root of what is missing: few tell little of all."""

_CLOSE: Final = 0.2
"""Cosine distance that is never strange by itself. Sentences told of crops often agree word for word, and
crops of one picture look alike: among those learnt from, the distance may be next to nothing."""

_NOT_TELLING: Final = "numbers"
"""A few numbers point anywhere: how far they lie from known ones says nothing of strangeness."""

_FEWEST: Final = 6
"""Crops with another of their type, under which no such limit can be told."""


def temperature_of(logits: npt.NDArray[np.float64], labels: npt.NDArray[np.intp]) -> float:
    """The temperature (Guo et al. 2017) of held-out logits, drawn to the usual one where they are few."""
    priors = 0.5 * ((np.log(_TEMPERATURES) - _USUAL_LOG) / _LOG_SPREAD) ** 2
    losses = [
        -log_softmax(logits / temperature)[np.arange(len(labels)), labels].sum() if len(labels) else 0.0
        for temperature in _TEMPERATURES
    ]
    return float(_TEMPERATURES[int(np.argmin(np.asarray(losses) + priors))])


def held_out(
    logits: npt.NDArray[np.float64], labels: npt.NDArray[np.intp], temperature: float
) -> HeldOut | None:
    """How well held-out crops were named; None without any."""
    if not len(labels):
        return None
    logs = log_softmax(logits / temperature)
    right = logits.argmax(axis=1) == labels
    return HeldOut(
        crops=len(labels),
        accuracy=float(np.mean([right[labels == label].mean() for label in np.unique(labels)])),
        log_loss=float(-logs[np.arange(len(labels)), labels].mean()),
    )


def unknown_limit(table: Table, labels: npt.NDArray[np.intp]) -> UnknownLimit | None:
    """Where known crops end, by how far each lies from the nearest of the others; None with too few crops."""
    counts = np.bincount(labels)
    counted = counts[labels] > 1
    if int(counted.sum()) < _FEWEST:
        return None
    apart, scales = [], {}
    for name, values in table.values.items():
        if name == _NOT_TELLING:
            continue
        known = table.known[name]
        distances = cosine_distances(values, values)
        np.fill_diagonal(distances, np.inf)
        distances[:, ~known] = np.inf
        nearest = distances.min(axis=1)
        usable = counted & known & np.isfinite(nearest)
        if int(usable.sum()) < _FEWEST:
            continue
        scales[name] = max(float(np.median(nearest[usable])), _CLOSE)
        apart.append(np.where(usable, nearest / scales[name], np.nan))
    if not scales:
        return None
    far = _mean(np.stack(apart, axis=1))[counted]
    far = far[np.isfinite(far)]
    widened = _OTHER_PARTS * max(1.0, _SURE_FROM / len(far)) ** 0.5
    limit = widened * float(np.quantile(far, _KNOWN))
    softness = max((limit - float(np.median(far))) / 3, 0.05)
    return UnknownLimit(scales=scales, limit=limit, softness=softness)


def unknown_probability(distances: Mapping[str, float], limit: UnknownLimit) -> float:
    """Probability that a crop so far from the nearest ones, by modality, is of no type that was learnt."""
    apart = [distances[name] / scale for name, scale in limit.scales.items() if name in distances]
    if not apart:
        return 0.0
    far = (sum(apart) / len(apart) - limit.limit) / limit.softness
    return float(1 / (1 + np.exp(-np.clip(far, -30, 30))))


def cosine_distances(one: npt.NDArray[np.float32], other: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """1 - cosine of each row of one and each of another, shape (rows of one, rows of other)."""
    first, second = (
        rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
        for rows in (one.astype(np.float64), other.astype(np.float64))
    )
    apart: npt.NDArray[np.float64] = 1 - first @ second.T
    return apart


def log_softmax(logits: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Logarithms of probabilities, by row."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    logs: npt.NDArray[np.float64] = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return logs


def _mean(rows: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Mean of what is there in each row; NaN where nothing is."""
    there = np.isfinite(rows)
    counts = there.sum(axis=1)
    sums = np.where(there, rows, 0).sum(axis=1)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
