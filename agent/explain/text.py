"""The explanation for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import RenderableType
from rich.padding import Padding
from rich.text import Text

from agent.explain.story import Story, ToldCall, ToldStep, told_calls
from agent.explain.wording import ExplainWording, visible_lines
from agent.render.console import laid_out
from graphs.language.catalog import Language
from tools.plain_text import plain
from tools.vlm.transcript import RecordedCall, Turn


def explain_text(story: Story, pictures: Path, *, color: bool, width: int) -> str:
    """Write the explanation for a terminal.

    Args:
        story: what to tell.
        pictures: the folder that holds what was seen.
        color: whether to use ANSI colours.
        width: columns.
    """
    return laid_out(_parts(story, pictures), color=color, width=width)


def talk_text(
    calls: Sequence[RecordedCall], pictures: Path, language: Language, *, color: bool, width: int
) -> str:
    """Write calls of a model alone, as in a conversation, for a terminal.

    Args:
        calls: in order.
        pictures: the folder that holds what was seen.
        language: of our own words.
        color: whether to use ANSI colours.
        width: columns.
    """
    words = ExplainWording(language)
    parts = [part for told in told_calls(calls) for part in (_call(told, words, pictures), Text())]
    return laid_out(parts[:-1], color=color, width=width)


def _parts(story: Story, pictures: Path) -> Iterator[RenderableType]:
    words = ExplainWording(story.report.language)
    yield Text(words.say("title", image=plain(story.report.image.path)), style="bold")
    yield Text(words.verdict(story.report))
    told = words.say("pictures", folder=plain(str(pictures))) if story.asked else words.unasked(story.report)
    yield Text(told)
    for number, step in enumerate(story.steps, start=1):
        yield Text()
        yield from _step(number, step, words, pictures)


def _step(number: int, step: ToldStep, words: ExplainWording, pictures: Path) -> Iterator[RenderableType]:
    yield Text(f"{number}. {plain(step.name)}", style="bold")
    for run in step.runs:
        seconds = words.say("seconds", seconds=f"{run.seconds:.3f}")
        yield Padding(Text(f"{plain(run.detail)} ({seconds})"), (0, 0, 0, 3))
    for told in step.calls:
        yield Text()
        yield Padding(_call(told, words, pictures), (0, 0, 0, 3))


def _call(told: ToldCall, words: ExplainWording, pictures: Path) -> Text:
    call = told.call
    page = Text()
    page.append(words.say("call", number=call.number), style="bold cyan")
    page.append(f", {plain(call.model, 200)}, {words.asked(call.asked)}\n")
    if told.repeated:
        page.append(f"  {words.say('as_before', number=told.follows, turns=told.repeated)}\n", style="dim")
    for turn in told.new_turns:
        _turn(page, turn, words, pictures)
    for tool, purpose in call.asked.tools.items():
        page.append(f"    {plain(tool)}: {plain(purpose)}\n", style="dim")
    page.append(f"  {words.came(call)}\n", style="green" if call.said else "red")
    for line in visible_lines(call.said.text if call.said else call.failed):
        page.append(f"    {line}\n" if line else "")
    if call.said is not None and call.said.call is not None:
        page.append(f"    {words.called(call.said.call)}\n")
    if spread := words.probabilities(call):
        page.append(f"    {spread}\n", style="dim")
    if call.said is not None and call.said.reasoning:
        page.append(f"  {words.say('thought')}\n", style="dim")
        for line in visible_lines(call.said.reasoning):
            page.append(f"    {line}\n", style="dim")
    page.rstrip()
    return page


def _turn(page: Text, turn: Turn, words: ExplainWording, pictures: Path) -> None:
    page.append(f"  [{words.say(f'role.{turn.role}')}]\n", style="magenta")
    if turn.call is not None and turn.role == "assistant":
        page.append(f"    {words.called(turn.call)}\n")
    for part in turn.parts:
        if part.picture is not None:
            there = (pictures / part.picture).is_file()
            page.append(f"    <{words.picture(part, there=there)}>\n", style="blue")
        elif part.text is not None:
            for line in visible_lines(part.text):
                page.append(f"    {line}\n")
