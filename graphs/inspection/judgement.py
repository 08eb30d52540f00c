"""What the reasoner's opinions come to, and whether another look is owed. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

from graphs.reasoning import Judgement, Opinion
from graphs.report import Budget, Deviation, Spent
from tools.types import Box, ExpertReading, Region

Ended: TypeAlias = Literal[
    "", "not needed", "confirmed", "refuted", "nothing left", "rounds", "seconds", "tokens"
]
"""Why no further look is taken; empty: one is owed."""


def fused_judgement(opinions: Sequence[Opinion]) -> Judgement | None:
    """The judgement after every look; None without any opinion.

    A close look outranks the first glance: a defect seen close up stands; if every close look found normal
    variation the part is normal; close looks that cannot tell leave the part unsure.
    """
    if not opinions:
        return None
    looks = [opinion.judgement for opinion in opinions if opinion.looked_at is not None]
    if not looks:
        return opinions[-1].judgement
    if "anomalous" in looks:
        return "anomalous"
    return "normal" if all(look == "normal" for look in looks) else "unsure"


def is_own(reading: ExpertReading | None, by: str) -> bool:
    """Whether a measurement is of the very map that a reasoner judged by: expert and reasoner have one name.

    It is then no second witness: what the reasoner (`anomalygpt:<model>`) made of it is all that it says.
    """
    return reading is not None and by.partition(":")[0] == reading.expert


def at_odds(reading: ExpertReading | None, judgement: Judgement | None) -> bool:
    """Whether reasoner and expert contradict each other outside the uncertain zone."""
    if reading is None or reading.zone == "uncertain":
        return False
    return judgement in {"normal", "anomalous"} and judgement != reading.zone


def places_to_look(
    marks: Sequence[Region], opinions: Sequence[Opinion], deviations: Sequence[Deviation] = ()
) -> list[Box]:
    """Places worth enlarging, best first: what is marked, what only the reasoner claims, what deviates."""
    places = [region.box for region in marks]
    places += [
        claim.box
        for opinion in opinions
        if opinion.looked_at is None
        for claim in opinion.claims
        if claim.box is not None and claim.region is None
    ]
    places += [box for deviation in deviations if (box := deviation_box(deviation)) is not None]
    return places


def deviation_box(deviation: Deviation) -> Box | None:
    """Where a deviation is, if it has a place."""
    if deviation.box_xyxy_px is None:
        return None
    x0, y0, x1, y1 = deviation.box_xyxy_px
    return Box(x0=x0, y0=y0, x1=x1, y1=y1)


def looks_taken(opinions: Sequence[Opinion]) -> int:
    """Places that were enlarged so far."""
    return sum(opinion.looked_at is not None for opinion in opinions)


def why_no_look(
    reading: ExpertReading | None,
    opinions: Sequence[Opinion],
    *,
    places: int,
    spent: Spent,
    budget: Budget,
    deviates: bool = False,
) -> Ended:
    """Why no further place is enlarged; empty while one is owed.

    A look is owed while the judgement is unsure, contradicts the measurement (or a decisive deviation), or
    rests on an uncertain measurement whose places were not all seen; and while there is a place and a budget.

    Args:
        reading: what the leading expert measured.
        opinions: the reasoner's, in order.
        places: how many there are to look at.
        spent: what looks cost so far.
        budget: what they may cost.
        deviates: whether a decisive deviation of layout or print was found.
    """
    judgement, taken = fused_judgement(opinions), looks_taken(opinions)
    if judgement is None:
        return "not needed"
    odds = at_odds(reading, judgement) or (deviates and judgement == "normal")
    unseen = reading is not None and reading.zone == "uncertain" and (taken == 0 or judgement == "normal")
    in_doubt = judgement == "unsure" or odds
    if not in_doubt and (not unseen or taken >= places):
        if taken == 0:
            return "not needed"
        return "confirmed" if judgement == "anomalous" else "refuted"
    if taken >= places:
        return "nothing left"
    if spent.rounds >= budget.rounds:
        return "rounds"
    if spent.seconds >= budget.seconds:
        return "seconds"
    return "tokens" if spent.tokens >= budget.tokens else ""
