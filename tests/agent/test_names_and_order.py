"""Answers rest on what is measured: neither a file's name, nor its folder, nor the order of options counts."""

from __future__ import annotations

import asyncio
import json
import random
import shutil
from pathlib import Path

import pytest

from agent import Inspector
from graphs.questions.question import MultipleChoice

SEEDS = (0, 1, 2)
MISLEADING = ("good/000.jpg", "pin-hole/spur.jpg", "normal_no_defect.jpg", "a b/scratch (1).jpg")

PARTS = {
    "bare_pcb/short": (
        "Short circuit.",
        ("Where is the defect?", ("Right.", "Top left.", "Bottom left.", "Top right.")),
        ("What does the defect look like?", ("Copper bridges two traces.", "A pad is gone.", "A dent.")),
        ("What does the defect lead to?", ("Two nets are connected.", "The board is warped.", "It rusts.")),
    ),
    "machined_flange/scratch": (
        "Scratch.",
        ("Where is the defect?", ("Left.", "Top right.", "Bottom.", "Centre.")),
        ("What does the defect look like?", ("A long thin line.", "A dark round pit.", "A missing hole.")),
        ("What does the defect lead to?", ("The seal may leak along it.", "The thread strips.", "It melts.")),
    ),
}


def questions(part: str) -> list[tuple[str, str, tuple[str, ...]]]:
    named, *others = PARTS[part]
    kinds = ("Defect Localization", "Defect Description", "Defect Analysis")
    types = (named, "Stain.", "Hole.", "Missing part.")
    return [
        ("Anomaly Detection", "Is there any defect in the object?", ("Yes.", "No.")),
        ("Defect Classification", "What is the type of the defect?", types),
        *((kind, text, options) for kind, (text, options) in zip(kinds, others, strict=True)),
    ]


def answers(inspector: Inspector, query: Path, template: Path, product: str, seed: int | None) -> list[str]:
    """The texts that are chosen, with the options in an order of their own."""
    part = f"{product}/{PICTURE[product]}"
    with inspector.inspection(query, template, product=product) as inspection:
        subject = inspection.subject()
        respondent = inspector.respondent
        chosen = []
        for subtask, text, options in questions(part):
            listed = list(options)
            if seed is not None:
                random.Random(seed).shuffle(listed)
            asked = MultipleChoice(
                subtask=subtask, text=text, options=dict(zip("ABCDE", listed, strict=False))
            )
            answer, _ = asyncio.run(respondent.answer(subject, asked))
            chosen.append(asked.options[answer.letter])
        return chosen


PICTURE = {"bare_pcb": "short", "machined_flange": "scratch"}


@pytest.mark.parametrize("product", list(PICTURE))
def test_renamed_files_and_shuffled_options_get_the_same_answers(examples, tmp_path, data_dir, product):
    query, template = examples / product / f"{PICTURE[product]}.jpg", examples / product / "good.jpg"
    with Inspector.from_settings(data_dir=data_dir, reasoner="evidence") as inspector:
        usual = answers(inspector, query, template, product, None)
        for seed, name in zip(SEEDS, MISLEADING, strict=False):
            renamed, good = tmp_path / str(seed) / name, tmp_path / str(seed) / "defect" / "broken.jpg"
            for source, target in ((query, renamed), (template, good)):
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, target)
            assert answers(inspector, renamed, good, product, seed) == usual


@pytest.mark.data
def test_boards_under_other_names_in_other_orders_get_the_same_answers(boards_dir, tmp_path, data_dir):
    root = boards_dir / "mmad_deeppcb"
    cases = list(json.loads((root / "mmad.json").read_text()).items())
    with Inspector.from_settings(data_dir=data_dir, reasoner="evidence") as inspector:
        respondent = inspector.respondent
        for number, (key, case) in enumerate(random.Random(5).sample(cases, 16)):
            renamed = tmp_path / MISLEADING[number % len(MISLEADING)].replace("/", f"{number}/")
            renamed.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(root / key, renamed)
            told: list[list[str]] = []
            for picture, shuffle in ((root / key, False), (renamed, True)):
                template = root / case["random_templates"][0]
                with inspector.inspection(picture, template, product="bare_pcb") as inspection:
                    subject = inspection.subject()
                    chosen = []
                    for entry in case["conversation"]:
                        options = list(entry["Options"].values())
                        if shuffle:
                            random.Random(number).shuffle(options)
                        asked = MultipleChoice(
                            subtask=entry["type"],
                            text=entry["Question"],
                            options=dict(zip("ABCDE", options, strict=False)),
                        )
                        answer, _ = asyncio.run(respondent.answer(subject, asked))
                        chosen.append(asked.options[answer.letter])
                    told.append(chosen)
            assert told[0] == told[1], key
