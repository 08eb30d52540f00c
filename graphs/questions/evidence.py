"""Questions about an inspected part, answered from measurements and documents; no model looks at pictures.

Every question gets its best guess with probabilities. Where nothing that was measured or documented speaks
for any option, the answer says that it is by chance.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

import numpy as np

from graphs.confidence import SUREST, fused, measured_probability
from graphs.evidence import EVIDENCE
from graphs.findings.likelihood import defect_probabilities
from graphs.findings.study import Finding, Study, study
from graphs.questions.claims import agreement
from graphs.questions.gate import sides_of
from graphs.questions.guess import Guess, no_ground
from graphs.questions.likeness import KeptDirections
from graphs.questions.objects import from_product
from graphs.questions.options import Encode, Table, aspect_of, meanings, texts_of
from graphs.questions.per_subject import PerSubject
from graphs.questions.place import density_at, places_in
from graphs.questions.plain import plain_witness
from graphs.questions.question import Chosen, MultipleChoice, Subject
from graphs.questions.routing import ROUTES
from graphs.reasoning import Evidence
from knowledge_base.schema import Defect
from tools.vlm.base import Usage

Names: TypeAlias = Callable[[str], Sequence[str]]
"""What else a product is called."""

_NO_PLACE = "Nothing was measured that an option could be held against."


class EvidenceRespondent:
    """Answers from what was measured and documented; see `graphs.questions.question.Respondent`.

    Args:
        encode: gives texts directions, rows of length 1; texts of like meaning point alike.
        names: what else a product is called, by its id or the name that was told.
    """

    name: Final = EVIDENCE

    def __init__(self, encode: Encode, names: Names | None = None) -> None:
        self._encode = KeptDirections(encode)
        self._names = names
        self._studies = PerSubject(lambda subject: study(subject.evidence))

    async def answer(self, subject: Subject, question: MultipleChoice) -> tuple[Chosen, Usage]:
        """See `Respondent.answer`; costs no tokens."""
        guess = await asyncio.to_thread(self._guess, subject, question)
        return guess.chosen(), Usage()

    def _guess(self, subject: Subject, question: MultipleChoice) -> Guess:
        match ROUTES[question.subtask]:
            case "gate":
                return _detect(subject.evidence, question)
            case "object":
                return self._about_object(subject.evidence, question)
            case "place":
                seen = self._studies.of(subject)
                return _locate(seen, question) if seen.findings else no_ground(question.letters, _NO_PLACE)
            case "look":
                seen = self._studies.of(subject)
                if not seen.findings:
                    return no_ground(question.letters, _NO_PLACE)
                return self._about_look(seen, subject.evidence, question)

    def _about_look(self, study: Study, evidence: Evidence, question: MultipleChoice) -> Guess:
        """Type, appearance, effect: what the part may have, by what each option speaks of."""
        options, aspect = tuple(question.options.values()), aspect_of(question)
        weights, known = self._in_general(study, question), evidence.known_defects
        if not known:
            why = f"{study.told}; no document speaks of the product, so that only the form counts."
            return _guess(question, weights, why)
        found = sum((self._documented(finding, known) for finding in study.findings), np.zeros(len(known)))
        table = meanings(options, [texts_of(defect, aspect) for defect in known], self._encode)
        best = known[int(found.argmax())].name.lower()
        why = f"{study.told}; of the known defects that fits {best} best ({found.max():.2f})."
        return _guess(question, (table @ found) * weights, why)

    def _documented(self, finding: Finding, known: Sequence[Defect]) -> Table:
        """Probability of each documented defect for one finding, times the finding's weight.

        By its traits, and on a surface also by the general kind that its document makes it out to be.
        """
        slenderness = finding.seen.slenderness if finding.seen else None
        found = defect_probabilities(known, finding.judged, finding.forms, slenderness)
        if finding.forms is None:
            described = [f"{defect.name}: {defect.look}" for defect in known]
            kinds = [kind.texts("look") for kind in finding.kinds]
            alike = meanings(described, kinds, self._encode, balanced=False)
            found = found * (alike @ finding.kind_probabilities)
            found /= found.sum()
        return finding.weight * found

    def _in_general(self, study: Study, question: MultipleChoice) -> Table:
        """Weight of each option by what is true of defects of any product."""
        options, aspect = tuple(question.options.values()), aspect_of(question)
        total = np.zeros(len(options))
        for finding in study.findings:
            table = meanings(options, [kind.texts(aspect) for kind in finding.kinds], self._encode)
            of_finding = table @ finding.kind_probabilities
            if aspect in {"names", "look"}:
                of_finding *= [agreement(option, finding.look) for option in options]
            total += finding.weight * of_finding
        return total

    def _about_object(self, evidence: Evidence, question: MultipleChoice) -> Guess:
        if evidence.product is not None:
            also = self._names(evidence.product) if self._names is not None else ()
            return from_product(question, (evidence.product, *also), evidence.passages, self._encode)
        return no_ground(question.letters, "The product was not named, and nothing recognises it.")


def _detect(evidence: Evidence, question: MultipleChoice) -> Guess:
    """The measurement's own probability of a defect, also where a report would say review."""
    sides, reading = sides_of(question), evidence.reading
    if sides is None:
        return no_ground(question.letters, "The options do not say plainly that there is a defect or none.")
    witnesses, told = [], []
    if not evidence.gated and evidence.marks:
        witnesses.append(SUREST)
        told.append(f"{len(evidence.marks)} mark(s) count whatever the measurement says")
    elif reading is not None:
        witnesses.append(measured_probability(reading))
        told.append(
            f"expert {reading.expert} measured {reading.score:.2f}, in the {reading.zone} zone "
            f"(threshold {reading.threshold:.2f}), which gives a defect {witnesses[0]:.2f}"
        )
    if evidence.gated and (reading is None or reading.calibration.reliability == "low"):
        plain = plain_witness(evidence)
        if plain is not None:
            witnesses.append(plain)
            told.append(f"what stands out of the plain good part gives a defect {plain:.2f}")
    if not witnesses:
        return no_ground(question.letters, "Nothing was measured.")
    defect = witnesses[0] if len(witnesses) == 1 else fused(*witnesses)
    weights = dict.fromkeys(question.letters, 0.0) | {sides.defect: defect, sides.sound: 1 - defect}
    why = "; ".join(told)
    return Guess(weights, f"{why[0].upper()}{why[1:]}.")


def _locate(study: Study, question: MultipleChoice) -> Guess:
    """How well the place that each option names fits where the regions lie."""
    regions = [finding.region for finding in study.findings]
    counts = np.array([finding.weight for finding in study.findings])
    weights = {
        letter: density_at(places_in(option), regions, counts, study.size_wh)
        for letter, option in question.options.items()
    }
    x, y = regions[0].box.centre
    width, height = study.size_wh
    at = f"its centre lies {100 * x / width:.0f} % from the left and {100 * y / height:.0f} % from the top"
    return Guess(weights, f"{study.told}; {at}.")


def _guess(question: MultipleChoice, weights: Table, why: str) -> Guess:
    return Guess(dict(zip(question.letters, weights.tolist(), strict=True)), why)
