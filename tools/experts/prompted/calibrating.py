"""Where the zones of both scores lie: by the model's own word, or by the scores of good images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tools.experts.calibration import calibrate, perturbations
from tools.experts.prompted.looking import Frame, Model, look_at
from tools.image import content_hash
from tools.types import Calibration, Pixels

LEANS: Final = 0.5
"""Probability from which the model holds damage for the likelier text."""

NEVER: Final = 1.5
"""No probability gets there, nor under a sensitivity below 1.5: none is anomalous by its word alone."""

_LEAST_SPREAD: Final = 0.05
"""Good images whose probabilities lie closer together than 5 percent do so by luck. Not tuned on anything."""

_COPIED: Final = 4
_COPIES: Final = 3
_FEW: Final = 6


@dataclass(frozen=True)
class NormalScores:
    """Scores of good images.

    `digests` name the different images, in the order in which they came; `whole` and `peak` are the scores of
    them and of re-imaged copies of the first few.
    """

    digests: tuple[str, ...] = ()
    whole: tuple[float, ...] = ()
    peak: tuple[float, ...] = ()

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any]) -> NormalScores:
        """The scores that gave these `facts`."""
        return cls(*(tuple(facts[part]) for part in ("digests", "whole", "peak")))

    def facts(self) -> dict[str, Any]:
        """As JSON can hold them."""
        return {"digests": list(self.digests), "whole": list(self.whole), "peak": list(self.peak)}


def scored(
    model: Model, frame: Frame, normals: Sequence[Pixels], *, known: NormalScores | None = None
) -> NormalScores:
    """Scores of good images beside those already known; one that comes again counts once.

    The first few are also looked at as re-imaged copies, which show how much the imaging alone moves the
    scores. So it makes no difference whether images come together or one after the other.
    """
    known = known or NormalScores()
    new: dict[str, Pixels] = {}
    for normal in normals:
        digest = content_hash(normal)
        if digest not in known.digests:
            new.setdefault(digest, normal)
    copied = list(new.values())[: max(_COPIED - len(known.digests), 0)]
    copies = [copy for picture in copied for copy in perturbations(picture, count=_COPIES)]
    seen = look_at(model, frame, [*new.values(), *copies])
    return NormalScores(
        digests=(*known.digests, *new),
        whole=(*known.whole, *(sight.whole for sight in seen)),
        peak=(*known.peak, *(sight.peak for sight in seen)),
    )


def calibrations(normals: NormalScores) -> tuple[Calibration, Calibration]:
    """Limits of the score of the whole, and of that of the highest place."""
    if not normals.digests:
        return _by_its_word(), _by_its_word()
    count = len(normals.digests)
    whole, peak = (
        calibrate(
            scores,
            method="scores of the good images, and of copies of the first few",
            normals=count,
            floor_spread=_LEAST_SPREAD,
            # Few good images never make a part anomalous that the model itself holds for good.
            plausible=[LEANS] if count < _FEW else (),
        )
        for scores in (normals.whole, normals.peak)
    )
    return whole, peak


def _by_its_word() -> Calibration:
    return Calibration(
        method="no good image: the model's own probability, which makes no part anomalous by itself",
        normals=0,
        centre=0.0,
        spread=LEANS,
        uncertain_from=LEANS,
        anomalous_from=NEVER,
        reliability="low",
        reliability_reason=f"No good image of this product was seen; {_FEW} would tie the limits to it.",
        wanted=_FEW,
    )
