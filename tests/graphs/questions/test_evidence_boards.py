"""Real boards in MMAD's format, answered from a comparison with their template and the shipped document."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict

import cv2
import pytest

from graphs.questions.evidence import EvidenceRespondent
from graphs.questions.question import MultipleChoice
from knowledge_base.embeddings import MiniLmEmbeddings
from knowledge_base.load import load_documents
from tests.graphs.questions.parts import subject_of
from tools.errors import ViewMismatch
from tools.experts.pair import PairExpert

LEAST = {
    "Anomaly Detection": 0.97,
    "Defect Localization": 0.95,
    "Defect Classification": 0.9,
    "Defect Description": 0.9,
    "Defect Analysis": 0.6,
    "Object Classification": 0.95,
}


def _read(path):
    return cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)


def _subject(query, template, documented):
    try:
        measured = PairExpert().fit([template]).read(query)
    except ViewMismatch:
        reading, reference = None, template
    else:
        reading, reference = measured.reading, measured.aligned_reference
    return subject_of(query, reference, reading, product=documented.id, known=documented.defects)


@pytest.mark.data
def test_boards_are_answered_far_above_chance(boards_dir):
    root = boards_dir / "mmad_deeppcb"
    board = load_documents().get("bare_pcb")
    respondent = EvidenceRespondent(MiniLmEmbeddings().encode, names=lambda _: (board.name, *board.synonyms))
    right = defaultdict(list)
    for key, case in json.loads((root / "mmad.json").read_text()).items():
        query, template = _read(root / key), _read(root / case["random_templates"][0])
        subject = _subject(query, template, board)
        for entry in case["conversation"]:
            question = MultipleChoice(subtask=entry["type"], text=entry["Question"], options=entry["Options"])
            chosen, _ = asyncio.run(respondent.answer(subject, question))
            right[entry["type"]].append(chosen.letter == entry["Answer"])
    accuracy = {subtask: sum(answers) / len(answers) for subtask, answers in right.items()}
    assert {subtask for subtask, least in LEAST.items() if accuracy[subtask] < least} == set(), accuracy
