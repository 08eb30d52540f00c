"""The chat: takes lines, does what they say, and prints what comes of it."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from agent.chat.brief import brief_text
from agent.chat.conversation import Conversation
from agent.chat.screen import Screen
from agent.chat.sessions import Session
from agent.chat.workbench import ChatBench
from agent.errors import AgentError
from agent.render.difference import render_difference
from evals.errors import EvalError
from graphs.chat.errors import Refusal
from graphs.chat.events import Done
from graphs.chat.state import Asked, Case, ChatState, Wish
from graphs.differences import differences
from graphs.report import DefectReport
from knowledge_base.errors import KnowledgeError
from tools.errors import ToolError

EXPECTED = (Refusal, ToolError, KnowledgeError, AgentError, EvalError)
"""What ends a command with a line, and nothing else."""


@dataclass(frozen=True)
class Command:
    """Something that can be typed behind a slash.

    Attributes:
        name: without the slash.
        usage: its arguments.
        help: what it does, in a line.
        run: does it.
        completes: the kind of each argument, for completion; the last one repeats.
    """

    name: str
    usage: str
    help: str
    run: Callable[[Chat, Sequence[str]], None]
    completes: tuple[str, ...] = ()


@dataclass
class Chat:
    """One run of the chat.

    Attributes:
        failed: whether a line could not be done.
        over: whether the person has left.
    """

    session: Session
    bench: ChatBench
    conversation: Conversation
    screen: Screen
    commands: dict[str, Command]
    failed: bool = False
    over: bool = False
    line: str = field(default="", init=False)

    def handle(self, line: str) -> None:
        """Do what a line says. What cannot be done is said, and nothing is raised but Ctrl-C."""
        self.line = line.strip()
        if not self.line:
            return
        try:
            if self.line.startswith("/"):
                self._command()
            else:
                self.turn(Asked(text=self.line))
        except EXPECTED as error:
            self.refuse(str(error))

    def refuse(self, why: str) -> None:
        """Say why something cannot be done."""
        self.failed = True
        self.screen.refused(why)

    def wish(self, name: str, **arguments: object) -> Case | None:
        """Do something as the line asked for it; returns the inspection that came of it."""
        return self.turn(Asked(text=self.line, wish=Wish(name=name, arguments=arguments)))

    def go_on(self) -> Case | None:
        """Go on with a turn that was stopped."""
        return self.turn(None)

    def turn(self, asked: Asked | None) -> Case | None:
        """Take a turn of the conversation; Ctrl-C stops it, and it can be gone on with."""
        came: Case | None = None
        words = asked is None or asked.wish is None
        thinks = words and (self.bench.model is not None or self.bench.speaker is not None)
        if thinks:
            self.screen.thinking()
        events = self.conversation.turn(asked)
        try:
            for event in events:
                self.screen.show(event)
                if isinstance(event, Done):
                    self.failed |= event.entry.failed and asked is not None and asked.wish is not None
                    if event.case is not None:
                        came = event.case
                        self.tell(came)
                    if thinks:
                        self.screen.thinking()
        finally:
            with suppress(AttributeError):
                events.close()  # type: ignore[attr-defined]
            self.screen.stopped()
        return came

    def tell(self, case: Case) -> None:
        """What an inspection came to."""
        report = self.report(case)
        self.screen.block(brief_text(case, report, color=self.screen.color, width=self.screen.width))
        name = "overlay" if "overlay" in report.artifacts else "heatmap"
        if name in report.artifacts:
            file = self.bench.folder(case) / report.artifacts[name]
            with suppress(ToolError):
                self.screen.picture(file, self.bench.images.pixels(self.bench.images.open(file)))

    def tell_difference(self, before: Case, after: Case) -> None:
        """What differs between two inspections."""
        found = differences(self.report(before), self.report(after))
        self.screen.block(render_difference(found, color=self.screen.color, width=self.screen.width))

    @property
    def state(self) -> ChatState:
        """Where the conversation stands."""
        return self.conversation.state

    def report(self, case: Case) -> DefectReport:
        """The report of a case.

        Raises:
            Refusal: it is gone.
        """
        return self.bench.report_of(self.bench.folder(case))

    def case(self, number: str | None = None) -> Case:
        """An inspection by its number, or the latest.

        Raises:
            Refusal: there is none.
        """
        cases = self.state.cases
        if not cases:
            raise Refusal("nothing has been inspected yet; give an image: /inspect QUERY [GOOD]")
        if number is None:
            return cases[-1]
        found = next((case for case in cases if str(case.number) == number.removeprefix("#")), None)
        if found is None:
            raise Refusal(f"there is no inspection {number}; there are 1 to {len(cases)}")
        return found

    def _command(self) -> None:
        try:
            name, *arguments = shlex.split(self.line[1:]) or ["help"]
        except ValueError as error:
            raise Refusal(f"cannot read that line: {str(error).lower()}; close the quotation mark") from error
        command = self.commands.get(name)
        if command is None:
            near = [each for each in self.commands if name and each.startswith(name)]
            if len(near) != 1:
                raise Refusal(f"there is no command /{name}; /help lists them")
            command = self.commands[near[0]]
        command.run(self, arguments)
