"""What a conversation remembers: references and values, so that it can be put away and taken up again."""

from __future__ import annotations

import operator
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from graphs.questions.question import MultipleChoice
from graphs.report import Verdict
from tools.types import UnitFloat, Value

Doer: TypeAlias = Literal["person", "model"]
"""Who asked for something to be done."""


class KeptPicture(Value):
    """A picture of the conversation; `file` lies in the session's folder."""

    file: str
    label: str


class Wish(Value):
    """Something to be done: a tool by its name, with its arguments. Boxes are in pixels of the image.

    `id` ties a model's call to its answer; empty for a person's command.
    """

    name: str
    arguments: dict[str, Any] = Field(default_factory=dict)
    by: Doer = "person"
    id: str = ""


class Asked(Value):
    """A turn of the person: words, or a command. Exactly one of both is given."""

    text: str = ""
    wish: Wish | None = None


class Subject(Value):
    """What is inspected, and how.

    Attributes:
        image: path of the query.
        templates: paths of good images, best first.
        library: folder of good images.
        product: what the part is.
        roi: region of interest, as a box or the path of a mask picture.
        mask: picture of the marked defects, for the ground-truth expert.
        settings: settings that differ from those that the conversation was started with.
        on_record: whether products on record have a say, as in `agent inspect`.
    """

    image: str | None = None
    templates: tuple[str, ...] = ()
    library: str | None = None
    product: str | None = None
    roi: tuple[int, int, int, int] | str | None = None
    mask: str | None = None
    settings: dict[str, str] = Field(default_factory=dict)
    on_record: bool = True


class Opened(Value):
    """A question of an evaluation that was opened; `given` is the run's answer, None if that was invalid."""

    question: MultipleChoice
    correct: str
    given: str | None


class Case(Value):
    """An inspection that was made or opened in the conversation.

    `folder` holds its report and pictures; `subject` is what was inspected, and how.
    """

    number: int = Field(ge=1)
    folder: str
    subject: Subject
    verdict: Verdict
    confidence: UnitFloat
    headline: str


class Entry(Value):
    """One thing said or done.

    `role` as in `tools.vlm.base.Message`. A `tool` entry answers `wish`; `failed` says that it could not be
    done. `seconds` is how long it took. `about` is the path of the picture that AnomalyGPT answered about;
    None for everything else.
    """

    role: Literal["user", "assistant", "tool"]
    text: str
    wish: Wish | None = None
    pictures: tuple[KeptPicture, ...] = ()
    failed: bool = False
    seconds: float = 0.0
    about: str | None = None


class ChatState(BaseModel):
    """One field, one writer a step; only `entries` is appended to.

    `asked` is the turn under way. `wish` is what the model wants done next, `wishes` how many it had in this
    turn. `cases` are the inspections so far, in order. `opened` is a question of an evaluation.
    """

    model_config = ConfigDict(extra="forbid")

    asked: Asked = Asked()
    subject: Subject = Subject()
    entries: Annotated[list[Entry], operator.add] = Field(default_factory=list)
    cases: tuple[Case, ...] = ()
    opened: Opened | None = None
    wish: Wish | None = None
    wishes: int = 0

    @property
    def case(self) -> Case | None:
        """The latest inspection."""
        return self.cases[-1] if self.cases else None


CHECKPOINTED: tuple[tuple[str, str], ...] = tuple(
    (kind.__module__, kind.__name__) for kind in (Asked, Case, Entry, KeptPicture, Opened, Subject, Wish)
)
"""Types that a checkpoint may hold: (module, class), for the serializer's allow-list."""
