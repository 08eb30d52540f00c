"""What the reasoner's opinions come to, and whether another look is owed. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from graphs.reasoning import Judgement, Opinion
from tools.types import Box, ExpertReading


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


def at_odds(reading: ExpertReading | None, judgement: Judgement | None) -> bool:
    """Whether reasoner and expert contradict each other outside the uncertain zone."""
    if reading is None or reading.zone == "uncertain":
        return False
    return judgement in {"normal", "anomalous"} and judgement != reading.zone


def places_to_look(reading: ExpertReading | None, opinions: Sequence[Opinion]) -> list[Box]:
    """Places worth enlarging, best first: the expert's regions, then boxes that only the reasoner claims."""
    places = [region.box for region in reading.regions] if reading else []
    places += [
        claim.box
        for opinion in opinions
        if opinion.looked_at is None
        for claim in opinion.claims
        if claim.box is not None and claim.region is None
    ]
    return places


def wants_closer_look(reading: ExpertReading | None, opinions: Sequence[Opinion], looks: int) -> bool:
    """Whether doubt or contradiction is left, and a place that was not looked at yet."""
    judgement = fused_judgement(opinions)
    if judgement is None or looks >= len(places_to_look(reading, opinions)):
        return False
    in_doubt = judgement == "unsure" or at_odds(reading, judgement)
    unexamined = reading is not None and reading.zone == "uncertain" and looks == 0
    return in_doubt or unexamined
