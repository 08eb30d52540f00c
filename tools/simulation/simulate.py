"""Draw a defect into a picture of a good part, of one kind or of a mixture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from tools.errors import NothingVisible, SimulationError
from tools.simulation.cutpaste import cutpaste_patch, cutpaste_scar
from tools.simulation.draft import Draft
from tools.simulation.geometric import geometric
from tools.simulation.nsa import NsaOptions, nsa
from tools.simulation.part import GoodPart
from tools.simulation.perlin import perlin
from tools.simulation.types import KINDS, Simulated, SimulationKind
from tools.simulation.visible import marked
from tools.types import Pixels

MIXTURE: Final[Mapping[SimulationKind, float]] = {
    "nsa": 0.4,
    "cutpaste": 0.2,
    "perlin": 0.2,
    "geometric": 0.2,
}
"""Shares of the kinds in a mixture: most of what looks most like real damage."""

TRIES: Final = 20
"""Drafts of a kind until one can be seen."""

_WITHOUT_ANOTHER: Final = "no other good picture: patches are of this one, flipped or turned"
_FLIPS: Final = (slice(None), slice(None, None, -1))


@dataclass(frozen=True)
class SimulationOptions:
    """How defects are drawn.

    Args:
        nsa: of blended patches.
        textures: for `perlin`, RGB uint8; without any, other parts and drawn textures are taken.
    """

    nsa: NsaOptions = field(default_factory=NsaOptions)
    textures: Sequence[Pixels] = ()


def simulate(
    part: GoodPart,
    others: Sequence[GoodPart],
    kind: SimulationKind | Mapping[SimulationKind, float],
    seed: int,
    options: SimulationOptions | None = None,
) -> Simulated:
    """Draw a defect into a good part. Equal arguments give equal pixels.

    Args:
        part: the picture to draw into; it is not changed.
        others: other good pictures, of any size, for `nsa` and `perlin`. Where there is none, `nsa` takes
            the picture itself, flipped or turned, and says so.
        kind: one kind, or weights of several. Of a mixture the kinds that the part does not allow are passed
            over, and the result says so.
        seed: of everything that is drawn, 0 or more.
        options: how.

    Raises:
        NothingVisible: nothing that was drawn in `TRIES` tries could be seen.
        SimulationImpossible: the part does not allow the kind.
        ValueError: no kind has a weight over 0.
    """
    options = options or SimulationOptions()
    rng = np.random.default_rng(seed)
    if isinstance(kind, str):
        return _of_kind(kind, part, others, rng, options, ())
    passed: list[str] = []
    last: SimulationError | None = None
    for drawn in _in_order(kind, rng):
        try:
            return _of_kind(drawn, part, others, rng, options, tuple(passed))
        except SimulationError as error:
            passed.append(f"{drawn} passed over: {error}")
            last = error
    if last is None:
        raise ValueError(f"no kind has a weight over 0 in {dict(kind)}")
    raise last


def _in_order(weights: Mapping[SimulationKind, float], rng: np.random.Generator) -> list[SimulationKind]:
    """The kinds of a mixture, drawn one after the other by their weights."""
    kinds = [kind for kind in KINDS if weights.get(kind, 0) > 0]
    if not kinds:
        return []
    shares = np.array([weights[kind] for kind in kinds], np.float64)
    drawn = rng.choice(len(kinds), len(kinds), replace=False, p=shares / shares.sum())
    return [kinds[int(number)] for number in drawn]


def _of_kind(
    kind: SimulationKind,
    part: GoodPart,
    others: Sequence[GoodPart],
    rng: np.random.Generator,
    options: SimulationOptions,
    notes: tuple[str, ...],
) -> Simulated:
    if kind == "nsa" and not others:
        notes = (*notes, _WITHOUT_ANOTHER)
    for number in range(1, TRIES + 1):
        draft = _draft(kind, part, others, rng, options)
        if draft is None:
            continue
        seen = marked(part.pixels, draft)
        if seen is not None:
            facts = {**draft.facts, "tries": number}
            return Simulated(seen.pixels, seen.mask, seen.label, kind, draft.variety, facts, notes)
    raise NothingVisible(f"of {TRIES} tries at {kind} none gave a defect that can be seen on this part")


def _draft(
    kind: SimulationKind,
    part: GoodPart,
    others: Sequence[GoodPart],
    rng: np.random.Generator,
    options: SimulationOptions,
) -> Draft | None:
    match kind:
        case "nsa":
            other = others[int(rng.integers(len(others)))] if others else _turned(part, rng)
            return nsa(part, other, rng, options.nsa)
        case "cutpaste":
            return (cutpaste_patch, cutpaste_scar)[int(rng.integers(2))](part, rng)
        case "perlin":
            return perlin(part, others, options.textures, rng)
        case "geometric":
            return geometric(part, rng)


def _turned(part: GoodPart, rng: np.random.Generator) -> GoodPart:
    """The part flipped left to right, upside down, or both."""
    flips = int(rng.integers(1, 4))
    rows, columns = _FLIPS[flips >> 1], _FLIPS[flips & 1]
    return GoodPart(np.ascontiguousarray(part.pixels[rows, columns]), part.background)
