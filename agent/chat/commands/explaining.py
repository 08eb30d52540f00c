"""What a verdict rests on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from agent.chat.chat import Chat, Command
from agent.explain.story import read_story
from agent.explain.text import explain_text, talk_text
from agent.explain.why import why_text
from agent.render import render
from graphs.chat.errors import Refusal
from graphs.chat.state import Case
from tools.atomic import write_atomically
from tools.vlm.transcript import TRANSCRIPT, TRANSCRIPT_FOLDER, read_transcript

_SUFFIXES: Final = {"html": "html", "markdown": "md", "json": "json"}
FORMATS: Final = ("text", *_SUFFIXES)


def why(chat: Chat, arguments: Sequence[str]) -> None:
    """The evidence behind a verdict, in order."""
    case = chat.case(*_one(arguments, "/why 2"))
    screen = chat.screen
    screen.block(why_text(chat.report(case), color=screen.color, width=screen.width))


def prompt(chat: Chat, arguments: Sequence[str]) -> None:
    """What a model saw and said: in an inspection, or in the chat."""
    screen = chat.screen
    if list(arguments) == ["chat"]:
        file = chat.session.said / TRANSCRIPT
        if not file.is_file():
            raise Refusal("no model was asked in the latest turn of the chat")
        calls, language = read_transcript(file), chat.bench.language
        screen.block(talk_text(calls, file.parent, language, color=screen.color, width=screen.width))
        return
    case = chat.case(*_one(arguments, "/prompt 2, or /prompt chat"))
    folder = chat.bench.folder(case)
    story = read_story(chat.report(case), folder)
    pictures = folder / TRANSCRIPT_FOLDER
    screen.block(explain_text(story, pictures, color=screen.color, width=screen.width))


def diff(chat: Chat, arguments: Sequence[str]) -> None:
    """What differs between two inspections, the latest two unless others are named."""
    cases = chat.state.cases
    if len(arguments) == 2:
        before, after = map(chat.case, arguments)
    elif arguments:
        raise Refusal("give two inspections: /diff 1 2; alone it takes the latest two")
    elif len(cases) < 2:
        raise Refusal("there is nothing to compare with yet; change something: /set expert patchcore")
    else:
        before, after = cases[-2:]
    chat.screen.line(f"#{before.number} {_told(before)} -> #{after.number} {_told(after)}", "dim")
    chat.tell_difference(before, after)


def state(chat: Chat, arguments: Sequence[str]) -> None:
    """Where the conversation stands."""
    if arguments:
        raise Refusal("/state takes nothing")
    now, line = chat.state, chat.screen.line
    line(f"session   {chat.session.name}, kept in")
    chat.screen.path(chat.session.folder, "          ")
    line(f"answers   {chat.bench.talker}")
    subject = now.subject
    line(f"image     {subject.image or 'none'}")
    line(f"good      {', '.join(subject.templates) or subject.library or 'none chosen'}")
    line(f"product   {subject.product or 'not given'}")
    if subject.settings:
        line(f"changed   {' '.join(f'{name}={value}' for name, value in subject.settings.items())}")
    for case in now.cases:
        line(f"#{case.number:<8} {case.verdict} ({case.confidence:.2f}), {_told(case)}")
    line(f"steps     {len(chat.conversation.steps())}")


def report(chat: Chat, arguments: Sequence[str]) -> None:
    """Write the report in a format, or print it."""
    form = arguments[0] if arguments else "text"
    if len(arguments) > 1 or form not in FORMATS:
        raise Refusal(f"give a format: /report {' | '.join(FORMATS)}")
    case, screen = chat.case(), chat.screen
    found = chat.report(case)
    if form == "text":
        screen.block(render(found, "text", color=screen.color, width=screen.width))
        return
    folder = chat.bench.folder(case)
    file = chat.session.reports / f"{case.number}.{_SUFFIXES[form]}"
    if form == "html" and (page := folder / "report.html").is_file():
        write_atomically(file, page.read_bytes())
    else:
        links = {name: str(folder / each) for name, each in found.artifacts.items()}
        pictures = {name: Path(path) for name, path in links.items() if Path(path).suffix in {".png", ".jpg"}}
        told = render(found, "markdown" if form == "markdown" else "json" if form == "json" else "html",
                      links=links, pictures=pictures)  # fmt: skip
        write_atomically(file, told.encode())
    screen.path(file)


def _told(case: Case) -> str:
    """What was inspected, and how it differed from how the chat was started."""
    name = Path(case.subject.image).name if case.subject.image else ""
    return " ".join((name, *(f"{key}={value}" for key, value in case.subject.settings.items())))


def _one(arguments: Sequence[str], usage: str) -> Sequence[str]:
    if len(arguments) > 1:
        raise Refusal(f"give one inspection: {usage}")
    return arguments


EXPLAINING: Final = (
    Command("why", "[CASE]", "The evidence behind the verdict, in order.", why),
    Command(
        "prompt", "[CASE | chat]", "Exactly what the model saw and said, in the inspection or here.", prompt
    ),
    Command("diff", "[CASE CASE]", "What differs between the latest two inspections.", diff),
    Command("state", "", "What is chosen, what was changed, and every inspection.", state),
    Command(
        "report", "[FORMAT]", "Print the report, or write it: html, markdown, json.", report, ("format",)
    ),
)
