"""Read a data set in MMAD's format: `mmad.json` beside the folders of its sources.

Format (https://github.com/jam-cc/MMAD): image -> {image_path, mask_path, similar_templates, random_templates,
conversation[{Question, Answer, Options, type}]}. The image's key is `DATASET/CATEGORY/...`, as are templates;
`image_path` and `mask_path` start from `DATASET/CATEGORY/`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from evals.errors import DatasetInvalid
from evals.mmad.findings import Finding, Kind
from evals.mmad.inside import Inside, PathLeaves
from evals.mmad.untrusted_json import called, parsed_object, repeated_keys, shown
from evals.types import QUESTION_TYPES, SUBTASK_OF, Benchmark, Case, Question
from graphs.questions.question import MultipleChoice
from tools.pixel_modes import printable

MMAD_FILE: Final = "mmad.json"
LONGEST_TEXT: Final = 20_000
"""A question or an option of more characters is left out."""

_LETTER: Final = re.compile(r"[A-Z]")


@dataclass(frozen=True)
class Reading:
    """What was read, and what in the file was wrong or had to be left out."""

    benchmark: Benchmark
    findings: tuple[Finding, ...]


def read_mmad(root: Path, file: str = MMAD_FILE) -> Benchmark:
    """Read a data set; no picture is opened, and files that are missing are not noticed here.

    Whatever cannot be used (a question of an unknown type, an answer without its option, a path that leaves
    the folder) is left out; `evals.mmad.checking.check_mmad` lists it. An image of which no question can be
    asked stays, so that the order of images is the file's.

    Args:
        root: folder that keys start from.
        file: name of the file with the questions, from `root`.

    Raises:
        DatasetInvalid: the file is missing, is no JSON, is of another form, or holds no usable question.
    """
    return read_with_findings(root, file).benchmark


def read_with_findings(root: Path, file: str = MMAD_FILE) -> Reading:
    """As `read_mmad`, with all that is wrong with the file.

    Raises:
        DatasetInvalid: as for `read_mmad`.
    """
    path = root / file
    entries = parsed_object(path)
    reader = _Reader(root)
    cases = tuple(reader.cases(entries))
    if not reader.answers:
        raise DatasetInvalid(
            f"{printable(str(path))} holds no question that can be asked{reader.first_fault}"
        )
    return Reading(Benchmark(reader.root, cases, reader.answers), tuple(reader.findings))


class _Reader:
    """Turns entries into cases, and keeps the right answers and what was wrong."""

    def __init__(self, root: Path) -> None:
        self._inside = Inside(root)
        self.root = self._inside.root
        self.answers: dict[tuple[str, int], str] = {}
        self.findings: list[Finding] = []

    @property
    def first_fault(self) -> str:
        """The first finding, as the end of a sentence."""
        if not self.findings:
            return ""
        first = self.findings[0]
        where = first.image if first.number is None else f"{first.image}, question {first.number}"
        return f" (faults: {len(self.findings)}; the first: {first.kind}: {where}: {first.detail})"

    def cases(self, entries: dict[str, Any]) -> Iterator[Case]:
        """A case for each entry that names a picture inside the folder."""
        for key in repeated_keys(entries):
            self._note("key repeated", key, None, "this image stands more than once in the file")
        for key, entry in entries.items():
            case = self._case(key, entry)
            if case is not None:
                yield case

    def _note(self, kind: Kind, image: str, number: int | None, detail: str) -> None:
        self.findings.append(Finding(kind=kind, image=printable(image), number=number, detail=detail))

    def _case(self, key: str, entry: object) -> Case | None:
        path = self._path(key, key)
        if path is None:
            return None
        parts = key.split("/")
        if len(parts) < 3:
            self._note("entry unusable", key, None, "the key must be DATASET/CATEGORY/.../FILE")
            return None
        if not isinstance(entry, dict):
            self._note("entry unusable", key, None, f"it must be an object, not {called(entry)}")
            return None
        for field in repeated_keys(entry):
            self._note("key repeated", key, None, f"{shown(field)} stands more than once in its entry")
        base = f"{parts[0]}/{parts[1]}"
        told = entry.get("image_path")
        if told is not None and f"{base}/{told}" != key:
            self._note("key and image_path differ", key, None, f"image_path is {shown(told)}")
        return Case(
            image=key,
            path=path,
            dataset=parts[0],
            category=parts[1],
            questions=tuple(self._questions(key, entry)),
            random_templates=tuple(self._templates(key, entry, "random_templates")),
            similar_templates=tuple(self._templates(key, entry, "similar_templates")),
            truth=self._mask(key, base, entry.get("mask_path")),
        )

    def _path(self, key: str, relative: str) -> Path | None:
        try:
            return self._inside.path(relative)
        except PathLeaves as error:
            self._note("path leaves the folder", key, None, str(error))
            return None

    def _templates(self, key: str, entry: dict[str, Any], name: str) -> Iterator[Path]:
        listed = entry.get(name, [])
        if not isinstance(listed, list):
            self._note("template unusable", key, None, f"{name} must be a list, not {called(listed)}")
            return
        for one in listed:
            if not isinstance(one, str):
                self._note("template unusable", key, None, f"{name} holds {called(one)} where a path must be")
            elif (path := self._path(key, one)) is not None:
                yield path

    def _mask(self, key: str, base: str, told: object) -> Path | None:
        if told is None or told == "":
            return None
        if not isinstance(told, str):
            self._note("mask unusable", key, None, f"mask_path must be a path, not {called(told)}")
            return None
        return self._path(key, f"{base}/{told}")

    def _questions(self, key: str, entry: dict[str, Any]) -> Iterator[Question]:
        name = next((name for name in entry if name.startswith("conversation")), None)  # as MMAD's runners do
        listed = entry.get(name) if name else None
        if not isinstance(listed, list) or not listed:
            detail = f"{name} must be a list of questions" if name else "it has no conversation"
            self._note("question unusable", key, None, detail)
            return
        for number, one in enumerate(listed, start=1):
            try:
                question, answer = _question(number, one)
            except _Unusable as fault:
                self._note(fault.kind, key, number, fault.detail)
                continue
            self.answers[key, number] = answer
            yield question


class _Unusable(Exception):
    """A question that cannot be asked."""

    def __init__(self, kind: Kind, detail: str) -> None:
        super().__init__(detail)
        self.kind: Kind = kind
        self.detail = detail


def _question(number: int, told: object) -> tuple[Question, str]:
    """A question and the letter of its right answer."""
    if not isinstance(told, dict):
        raise _Unusable("question unusable", f"it must be an object, not {called(told)}")
    if repeated := repeated_keys(told):
        raise _Unusable("question unusable", f"{shown(repeated[0])} stands there more than once")
    type_ = next((known for known in QUESTION_TYPES if known == told.get("type")), None)
    if type_ is None:
        raise _Unusable("unknown type", f"type is {shown(told.get('type'))}")
    options = told.get("Options")
    if isinstance(options, dict) and (repeated := repeated_keys(options)):
        raise _Unusable("question unusable", f"option {shown(repeated[0])} stands there more than once")
    if not isinstance(options, dict) or len(options) < 2:
        raise _Unusable("question unusable", "Options must hold at least two, by letter")
    if wrong := next((letter for letter in options if not _LETTER.fullmatch(letter)), None):
        raise _Unusable("question unusable", f"option {shown(wrong)} is not one letter of A to Z")
    for name, text in (("Question", told.get("Question")), *options.items()):
        if fault := _text_fault(text):
            raise _Unusable("question unusable", f"{name} {fault}")
    if not told["Question"].strip():
        raise _Unusable("question unusable", "Question is empty")
    answer = told.get("Answer")
    if not isinstance(answer, str) or answer not in options:
        raise _Unusable(
            "answer without option", f"Answer is {shown(answer)}, options are {', '.join(options)}"
        )
    asked = MultipleChoice(subtask=SUBTASK_OF[type_], text=told["Question"], options=dict(options))
    return Question(number=number, type=type_, asked=asked), answer


def _text_fault(text: object) -> str | None:
    if not isinstance(text, str):
        return f"must be text, not {called(text)}"
    if len(text) > LONGEST_TEXT:
        return f"has {len(text)} characters, over the limit of {LONGEST_TEXT}"
    return "is not valid Unicode" if any("\ud800" <= c <= "\udfff" for c in text) else None
