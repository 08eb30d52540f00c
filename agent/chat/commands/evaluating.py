"""Wrong answers of an evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from agent.chat.arguments import path_of
from agent.chat.chat import Chat, Command
from agent.evaluation.revisit import wrong_answers
from graphs.chat.errors import Refusal
from tools.plain_text import brief, plain

_MOST_LISTED: Final = 40


def evaluation(chat: Chat, arguments: Sequence[str]) -> None:
    """List the wrong answers of a run, or open one."""
    if len(arguments) == 2:
        chat.wish("open_answer", run=str(path_of(arguments[0])), question=arguments[1])
        if not chat.state.entries[-1].failed:
            chat.screen.line("/answer inspects the image and answers the question again", "dim")
        return
    if len(arguments) != 1:
        raise Refusal("give the folder of a run, and the number of a wrong answer: /eval RUN 7")
    found = wrong_answers(path_of(arguments[0]))
    chat.screen.line(f"{len(found)} wrong answer(s)")
    for wrong in found[:_MOST_LISTED]:
        record = wrong.record
        given = record.given.letter or "none"
        line = f"{record.subtask}: {given}, right is {record.correct}, {plain(record.image)}"
        chat.screen.line(f"{wrong.number:>5}  {brief(line, chat.screen.width - 8)}")
    if (more := len(found) - _MOST_LISTED) > 0:
        chat.screen.line(f"and {more} more; /eval RUN N opens any of them", "dim")


def answer(chat: Chat, arguments: Sequence[str]) -> None:
    """Inspect, and answer the opened question again."""
    if arguments:
        raise Refusal("/answer takes nothing; /eval RUN N opens a question")
    if chat.wish("answer_again") is not None:
        chat.screen.line(chat.state.entries[-1].text.partition("\n")[0])


EVALUATING: Final = (
    Command("eval", "RUN [N]", "List the wrong answers of a run, or open one.", evaluation, ("path",)),
    Command("answer", "", "Inspect as the run did, and answer its question again.", answer),
)
