"""Learnt types at work, in NumPy: no torch is imported by an inspection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from tools.defect_types.calibrating import cosine_distances, log_softmax, unknown_probability
from tools.defect_types.card import Card
from tools.defect_types.features import MODALITIES, Features, Matrix, Modality, Scale, Table, raw_table

_NEVER: Final = -1e4
_NORM_EPSILON: Final = 1e-5

Array = npt.NDArray[np.float32]


@dataclass(frozen=True)
class TypeChances:
    """What a crop may be: each learnt type with its probability, the likeliest first, and `unknown`.

    They sum to 1 together. `known` says which modalities of the crop were there.
    """

    ranked: tuple[tuple[str, float], ...]
    unknown: float
    known: tuple[Modality, ...]


class TypeModel:
    """Types that were learnt.

    Args:
        card: how.
        weights: the network's, by its own names.
        scales: of the inputs.
        seen: the crops that were learnt from, as the network took them.
    """

    def __init__(
        self, card: Card, weights: Mapping[str, Array], scales: Mapping[Modality, Scale], seen: Table
    ) -> None:
        self.card = card
        self.modalities = tuple(modality for modality in MODALITIES if modality in scales)
        self._weights = weights
        self._scales = scales
        self._seen = seen

    def chances(self, features: Features) -> TypeChances:
        """What a crop may be.

        Raises:
            ValueError: its features have other widths than those learnt from, or nothing of it is known.
        """
        widths = {name: len(self._scales[name].mean) for name in self.modalities}
        raw = raw_table([features], widths, self.card.usual)
        if not any(raw.known[name][0] for name in self.modalities):
            raise ValueError(f"nothing is known of the crop, of: {', '.join(self.modalities)}")
        values = {
            name: np.where(raw.known[name][:, None], self._scales[name](raw.values[name]), 0).astype(
                np.float32
            )
            for name in self.modalities
        }
        logits = self.logits(Table(values, raw.known)).astype(np.float64)
        likely = np.exp(log_softmax(logits / self.card.temperature))[0]
        unknown = self._unknown(values, raw)
        order = np.argsort(-likely, kind="stable")
        return TypeChances(
            ranked=tuple((self.card.classes[at], float((1 - unknown) * likely[at])) for at in order),
            unknown=unknown,
            known=tuple(name for name in self.modalities if raw.known[name][0]),
        )

    def logits(self, table: Table) -> Array:
        """Logits (crops, classes) of crops brought to size; equal to the network's own within rounding."""
        tokens = np.stack(
            [
                self._norm(f"entry_norm.{name}", self._linear(f"entry.{name}", table.values[name]))
                for name in self.modalities
            ],
            axis=1,
        )
        known = np.stack([table.known[name] for name in self.modalities], axis=1)
        if self.card.recipe.cmaf:
            fused = self._fused(tokens, known)
        else:
            there = known[:, :, None].astype(np.float32)
            fused = (tokens * there).sum(axis=1) / np.maximum(there.sum(axis=1), 1)
        hidden = np.maximum(self._linear("hidden", fused), 0)
        return self._linear("classes", hidden)

    def _fused(self, tokens: Array, known: npt.NDArray[np.bool_]) -> Array:
        """See `tools.defect_types.network`."""
        crops, count, width = tokens.shape
        heads = self.card.recipe.heads

        def split(rows: Array) -> Array:
            return rows.reshape(crops, count, heads, width // heads).transpose(0, 2, 1, 3)

        asked, keys, values = (split(self._linear(name, tokens)) for name in ("ask", "key", "value"))
        scores = asked @ keys.transpose(0, 1, 3, 2) / (width // heads) ** 0.5
        others = known[:, None, :] & ~np.eye(count, dtype=np.bool_)[None]
        weights = _softmax(np.where(others[:, None], scores, _NEVER)) * others[:, None]
        mixed = (weights @ values).transpose(0, 2, 1, 3).reshape(crops, count, width)
        answered = others.any(axis=2, keepdims=True) * self._linear("answer", mixed.astype(np.float32))
        heard = self._norm("fused_norm", (tokens + answered).astype(np.float32))
        hidden = np.tanh(self._linear("gate_hidden", heard))
        gates = np.concatenate(
            [self._linear(f"gate.{name}", hidden[:, at]) for at, name in enumerate(self.modalities)], axis=1
        )
        share = _softmax(np.where(known, gates, _NEVER))
        fused: Array = (share[:, :, None] * heard).sum(axis=1).astype(np.float32)
        return fused

    def _unknown(self, values: Mapping[Modality, Matrix], raw: Table) -> float:
        limit = self.card.unknown
        if limit is None:
            return 0.0
        nearest: dict[str, float] = {}
        for name in self.modalities:
            seen = self._seen.values[name][self._seen.known[name]]
            if raw.known[name][0] and len(seen):
                nearest[name] = float(cosine_distances(values[name], seen).min())
        return unknown_probability(nearest, limit)

    def _linear(self, name: str, rows: Array) -> Array:
        found: Array = rows @ self._weights[f"{name}.weight"].T + self._weights[f"{name}.bias"]
        return found

    def _norm(self, name: str, rows: Array) -> Array:
        mean, variance = rows.mean(axis=-1, keepdims=True), rows.var(axis=-1, keepdims=True)
        unit = (rows - mean) / np.sqrt(variance + _NORM_EPSILON)
        found: Array = unit * self._weights[f"{name}.weight"] + self._weights[f"{name}.bias"]
        return found


def _softmax(scores: Array) -> Array:
    raised = np.exp(scores - scores.max(axis=-1, keepdims=True))
    found: Array = raised / raised.sum(axis=-1, keepdims=True)
    return found
