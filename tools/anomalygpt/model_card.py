"""The card of what was learnt, for people."""

from __future__ import annotations

from collections.abc import Sequence

from tools.anomalygpt.card import Card
from tools.learning.memory import EpochRecord


def model_card(card: Card, records: Sequence[EpochRecord], best_epoch: int) -> str:
    """What it is, of what it was made, how it went, and what nobody knows of it."""
    data, best = card.data, records[best_epoch - 1]
    losses = ", ".join(f"{name} {value:.3f}" for name, value in best.losses.items())
    score = "nothing was held out" if best.score is None else f"{best.score:.4f} on {card.held_out} pictures"
    damaged = (
        f"defects drawn into half of them ({card.simulated})" if card.simulated else f"{data.damaged} damaged"
    )
    versions = ", ".join(f"{name} {version}" for name, version in sorted(card.versions.items()))
    return f"""# AnomalyGPT

Learnt after {card.source}, by `agent train anomalygpt`. Only the decoder, the prompt learner and the way of
the picture into the language model were learnt; that way is frozen in the paper.

- Image encoder: CLIP of `{card.clip.source}` (fingerprint {card.clip.fingerprint[:12]}), frozen
- Language model: `{card.lm.source}` (fingerprint {card.lm.fingerprint[:12]}, width {card.lm_width}), frozen
- Learnt from: {data.pictures} pictures ({data.layout}), {damaged},
  sha256 {data.sha256[:12]}; {card.held_out} held out; {card.instructions} instructions on other pictures
- Pictures at {card.recipe.side_px} px, maps at {card.recipe.map_px} px, {card.recipe.tokens} soft tokens
- {len(records)} epochs, the best of them {best_epoch}: {losses}; score (negative loss): {score}
- Batches of {card.batch_size}, rate {card.learning_rate:g}, seed {card.seed}, precision {card.precision}
- {versions}

What it answers on products, defects and cameras unlike those is not known.
"""
