"""Asks a person at the terminal, or in a pipe, where the agent is unsure."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import Final, TypeVar

import click
from pydantic import BaseModel, ValidationError

from agent.errors import UsageError
from graphs.inspection.ask import Question
from graphs.report import AddedDefect, BoxXyxy, Correction, PersonSaid
from tools.plain_text import plain

Kind = TypeVar("Kind", bound=BaseModel)

HELP: Final = """\
n | normal               the part is good
a | anomalous            the part is defective
2 no                     defect 2 is none
2 box X0 Y0 X1 Y1        defect 2 lies there, in pixels of the image
2 name WORDS             defect 2 is this
add X0 Y0 X1 Y1 WORDS    there is another defect
note WORDS               say something for the report
undo                     take everything back
?                        this help
an empty line            that is all; alone it leaves everything as it is"""


@dataclass
class Answer:
    """An answer as it grows line by line."""

    said: PersonSaid = field(default_factory=PersonSaid)

    def take(self, line: str) -> None:
        """Take a line up.

        Raises:
            UsageError: it cannot be understood; says how to write it.
        """
        words = line.split()
        match words:
            case ["n" | "normal"]:
                self._update(verdict="normal")
            case ["a" | "anomalous"]:
                self._update(verdict="anomalous")
            case ["undo"]:
                self.said = PersonSaid()
            case ["note", _, *_]:
                self._update(note=line.split(maxsplit=1)[1].strip())
            case ["add", x0, y0, x1, y1, _, *_]:
                fields = {"box_xyxy_px": _box((x0, y0, x1, y1)), "name": _rest(line, 5)}
                added = _valid(AddedDefect, fields)
                self._update(added=(*self.said.added, added))
            case [number, "no"] if number.isdecimal():
                self._correct(int(number), remove=True)
            case [number, "box", *numbers] if number.isdecimal():
                self._correct(int(number), box_xyxy_px=_box(numbers))
            case [number, "name", _, *_] if number.isdecimal():
                self._correct(int(number), name=_rest(line, 2))
            case _:
                raise UsageError(f"{plain(line, 60)!r} is not understood; ? shows what can be said")

    def _correct(self, number: int, **update: object) -> None:
        """Add to what was said of a defect."""
        if number < 1:
            raise UsageError("defects are numbered from 1")
        earlier = next((c for c in self.said.corrections if c.number == number), Correction(number=number))
        others = tuple(c for c in self.said.corrections if c.number != number)
        corrected = _valid(Correction, {**earlier.model_dump(), "remove": False, **update})
        self._update(corrections=(*others, corrected))

    def _update(self, **update: object) -> None:
        self.said = _valid(PersonSaid, {**self.said.model_dump(), **update})


class Asking:
    """Asks one question at a time, whatever is inspected meanwhile. Prompts go to stderr."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._over = False

    def __call__(self, question: Question) -> PersonSaid | None:
        """See `agent.api.Ask`; nobody answers once the input has ended."""
        with self._lock:
            return None if self._over else self._ask(question)

    def _ask(self, question: Question) -> PersonSaid | None:
        _tell(_told(question))
        answer = Answer()
        while True:
            click.echo("? for help> ", err=True, nl=False)
            line = sys.stdin.readline()
            if not line:
                self._over = True
                _tell("\nnobody answers: the verdict stays as it is")
                return None
            if line.strip() == "?":
                _tell(HELP)
                continue
            if not line.strip():
                mistake = question.mistake_in(answer.said)
                if mistake is None:
                    return answer.said
                _tell(f"{mistake}; undo takes everything back")
                continue
            before = answer.said
            try:
                answer.take(line)
            except UsageError as error:
                _tell(str(error))
                continue
            if (mistake := question.mistake_in(answer.said)) is not None:
                _tell(mistake)
                answer.said = before


def _told(question: Question) -> str:
    """The question as it is put."""
    lines = ["", f"{plain(question.image.path)}: {question.verdict}, confidence {question.confidence:.2f}"]
    lines += [plain(question.summary), *(f"- {plain(reason)}" for reason in question.reasons)]
    for each in question.defects:
        place = " ".join(map(str, each.box_xyxy_px)) if each.box_xyxy_px else "no known place"
        fits = f"; may be: {', '.join(map(plain, each.candidates))}" if each.candidates else ""
        lines.append(f"  {each.number}. {plain(each.type, 200)} ({place}), {each.confidence:.2f}{fits}")
    if question.names:
        lines.append(f"documented defects: {', '.join(map(plain, question.names))}")
    return "\n".join(lines)


def _box(numbers: tuple[str, ...] | list[str]) -> BoxXyxy:
    try:
        x0, y0, x1, y1 = map(int, numbers)
    except ValueError:
        raise UsageError("a box is four whole numbers: X0 Y0 X1 Y1, in pixels of the image") from None
    return x0, y0, x1, y1


def _rest(line: str, words: int) -> str:
    """What follows after so many words."""
    return " ".join(line.split()[words:])


def _valid(kind: type[Kind], fields: Mapping[str, object]) -> Kind:
    try:
        return kind.model_validate(fields)
    except ValidationError as error:
        raise UsageError(f"that cannot be taken: {error.errors()[0]['msg'].lower()}") from error


def _tell(text: str) -> None:
    click.echo(text, err=True)
