"""The reasoner that hears an anomaly map: AnomalyGPT says yes or no, and where, in one answer.

Its verdict asks for no threshold: yes is anomalous, no is normal, and what is neither leaves it unsure. The
answer stands in the report word for word.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from graphs.anomalygpt.speaking import Answered, Asked, Speaker
from graphs.anomalygpt.sureness import sureness
from graphs.language.catalog import Catalog, Language, joined
from graphs.reasoning import Claim, CloseView, Evidence, Judgement, Opinion
from graphs.vlm.claims import spoken_of
from tools.anomalygpt.answers import Word, read_answer
from tools.experts.anomalygpt import MOST_NORMALS
from tools.geometry import cell_of
from tools.plain_text import plain
from tools.types import Cell

ANOMALYGPT: Final = "anomalygpt"
"""How its name begins in reports; its map's expert has the same name."""

SAID: Final = Catalog(Path(__file__).parents[1] / "language" / "anomalygpt")

_JUDGEMENTS: Final[dict[Word, Judgement]] = {"yes": "anomalous", "no": "normal", "unclear": "unsure"}
_NOT_TOLD: Final = 0.5
_LONGEST_QUOTE: Final = 600


class AnomalyGptReasoner:
    """Judges by what AnomalyGPT says; see `graphs.reasoning.Reasoner`.

    Args:
        speaker: the AnomalyGPT.
    """

    sees = False

    def __init__(self, speaker: Speaker) -> None:
        self._speaker = speaker

    @property
    def name(self) -> str:
        """`anomalygpt:<model>`."""
        return f"{ANOMALYGPT}:{self._speaker.name}"

    async def judge(self, evidence: Evidence) -> Opinion:
        """See `Reasoner.judge`."""
        normals = await asyncio.to_thread(evidence.good_parts, MOST_NORMALS)
        answered = await self._speaker.say(Asked(evidence.query, normals))
        understood = read_answer(answered.text)
        judgement = _JUDGEMENTS[understood.word]
        sure = sureness(answered.pieces) if judgement != "unsure" else None
        confidence = _NOT_TOLD if sure is None else sure
        return Opinion(
            by=self.name,
            judgement=judgement,
            confidence=confidence,
            summary=self._told(answered, understood.word, len(normals), evidence.language),
            claims=_claims(answered.text, understood.cells, confidence, evidence),
            tokens=answered.tokens,
            seconds=round(answered.seconds, 3),
        )

    async def look_closer(self, evidence: Evidence, view: CloseView) -> Opinion:
        """Never asked for, since `sees` is False: it was taught to answer of whole parts."""
        raise NotImplementedError(f"AnomalyGPT does not look closer at {evidence.image.path} ({view.number})")

    def _told(self, answered: Answered, word: Word, normals: int, language: Language) -> str:
        """Its answer, by what it heard the map, and where its words came from."""
        text = quoted(answered.text)
        answer = SAID.say(language, "says", text=text) if text else SAID.say(language, "silent")
        server = self._speaker.server
        return joined(
            language,
            (
                answer,
                "" if answered.whole else SAID.say(language, "cut_off"),
                SAID.say(language, "unclear") if word == "unclear" and text else "",
                SAID.say(language, "beside", count=normals) if normals else SAID.say(language, "words"),
                SAID.say(language, "server", url=server) if server else SAID.say(language, "in_process"),
            ),
        )


def quoted(text: str) -> str:
    """An answer word for word, in one line and with nothing in it that a terminal would act on."""
    return plain(text, _LONGEST_QUOTE)


def _claims(text: str, cells: Sequence[Cell], confidence: float, evidence: Evidence) -> tuple[Claim, ...]:
    """A claim for each cell that the answer names, about the marked region that lies or peaks there."""
    image, language = evidence.image, evidence.language
    said, type_ = SAID.say(language, "says", text=quoted(text)), SAID.say(language, "type")
    places = [
        {region.cell, cell_of(*region.peak_xy, image.width_px, image.height_px)} for region in evidence.marks
    ]
    return tuple(
        Claim(type=type_, description=said, region=number, cell=cell, confidence=confidence)
        for cell, number in zip(cells, spoken_of(cells, places), strict=True)
    )
