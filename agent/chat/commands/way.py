"""The way that the conversation took."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from agent.chat.arguments import number_of
from agent.chat.chat import Chat, Command
from graphs.chat.errors import Refusal
from tools.plain_text import brief


def steps(chat: Chat, arguments: Sequence[str]) -> None:
    """List the turns."""
    if arguments:
        raise Refusal("/steps takes nothing; /back N returns to a step")
    found = chat.conversation.steps()
    if not found:
        chat.screen.line("nothing was said or done yet")
    for step in found:
        stopped = "" if step.whole else "  (stopped)"
        chat.screen.line(f"{step.number:>4}  {brief(step.line, chat.screen.width - 20)}{stopped}")


def back(chat: Chat, arguments: Sequence[str]) -> None:
    """Return to a step."""
    found = chat.conversation.steps()
    number = number_of(arguments[0]) if len(arguments) == 1 else None
    if number is None or not 1 <= number <= len(found):
        raise Refusal(f"give the number of a step, 1 to {len(found)}: /back 2; /steps lists them")
    step = found[number - 1]
    chat.conversation.back(step)
    chat.screen.line(f"back at step {step.number}: {brief(step.line, chat.screen.width - 20)}")
    if (case := chat.state.case) is not None:
        chat.screen.line(f"the latest inspection is #{case.number}: {case.verdict}", "dim")


def go_on(chat: Chat, arguments: Sequence[str]) -> None:
    """Go on with what was stopped."""
    if arguments:
        raise Refusal("/continue takes nothing")
    if not chat.conversation.unfinished:
        raise Refusal("nothing was stopped")
    chat.go_on()


WAY: Final = (
    Command("steps", "", "List what was said and done.", steps),
    Command("back", "N", "Return to the state after step N and go on from there.", back),
    Command("continue", "", "Go on with what was stopped.", go_on),
)
