"""A workbench over a drawn part, and a conversation that keeps its state in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from graphs.chat.build import build_chat
from graphs.chat.errors import Refusal
from graphs.chat.state import CHECKPOINTED, Asked, Case, ChatState, KeptPicture, Opened, Subject, Wish
from graphs.chat.toolset import ChatTools
from graphs.chat.workbench import Scene
from graphs.questions.question import Chosen, MultipleChoice
from graphs.report import Defect, DefectReport
from tools.image import ImageStore
from tools.types import ImageRef

WIDTH, HEIGHT = 640, 480

PART = np.full((HEIGHT, WIDTH, 3), 180, np.uint8)
PART[190:300, 100:540] = (60, 120, 60)

QUESTION = MultipleChoice(
    subtask="Anomaly Detection", text="Is there a defect?", options={"A": "No.", "B": "Yes."}
)


@dataclass
class DrawnBench:
    """Inspects drawn parts: every inspection comes to `report`. What it was asked for stays in `inspected`."""

    report: DefectReport
    model: object = None
    speaker: object = None
    language: str = "en"
    knowledge: object = None
    experts: tuple[str, ...] = ("pair", "patchcore")
    part: Scene = field(default_factory=lambda: Scene(PART, PART))
    heat: object = None
    fails: Exception | None = None
    images: ImageStore = field(default_factory=ImageStore)
    inspected: list[Subject] = field(default_factory=list)
    pictures: dict[str, object] = field(default_factory=dict)

    def seen(self, subject):
        return subject

    async def inspect(self, subject, *, number, progress):
        await asyncio.to_thread(progress, "measure")
        if self.fails is not None:
            raise self.fails
        self.inspected.append(subject)
        return Case(
            number=number,
            folder=f"cases/{number}",
            subject=subject,
            verdict=self.report.verdict,
            confidence=self.report.confidence,
            headline="what it came to",
        )

    async def measure(self, subject, expert, *, progress):
        await asyncio.to_thread(progress, "measure")
        return self.report, self.heat

    def scene(self, subject, case):
        if subject.image is None:
            raise Refusal("there is no image yet")
        return replace(self.part, report=self.report if case is not None else None)

    def load(self, place, *, number):
        raise Refusal(f"{place} is no report")

    def open_answer(self, run, question):
        opened = Opened(question=QUESTION, correct="B", given="A")
        return Subject(image="asked.png", product="pcb"), opened, f"{run} asked {question}"

    async def answer(self, subject, question, *, number, progress):
        case = await self.inspect(subject, number=number, progress=progress)
        return case, Chosen(
            letter="B", probabilities={"A": 0.25, "B": 0.75}, by="evidence", why="It is open."
        )

    def templates(self, subject, limit):
        return []

    def keep(self, pixels, label):
        name = f"pictures/{len(self.pictures) + 1}.png"
        self.pictures[name] = pixels
        return KeptPicture(file=name, label=label)

    def pixels(self, picture):
        return self.pictures.get(picture.file)


class Conversation:
    """Takes turns, and keeps what happened in them."""

    def __init__(self, bench: DrawnBench) -> None:
        self.bench = bench
        serde = JsonPlusSerializer(allowed_msgpack_modules=CHECKPOINTED)
        self._graph = build_chat(InMemorySaver(serde=serde))
        self._config = {"configurable": {"thread_id": "test"}, "recursion_limit": 64}

    async def turn(self, asked: Asked) -> list[object]:
        stream = self._graph.astream(
            {"asked": asked}, self._config, context=ChatTools(self.bench), stream_mode="custom"
        )
        return [event async for event in stream]

    async def say(self, text: str) -> list[object]:
        return await self.turn(Asked(text=text))

    async def do(self, name: str, **arguments: object) -> list[object]:
        return await self.turn(Asked(text=f"/{name}", wish=Wish(name=name, arguments=arguments)))

    @property
    def state(self) -> ChatState:
        return ChatState.model_validate(self._graph.get_state(self._config).values)


@pytest.fixture
def defect() -> Callable[..., Defect]:
    """Makes a defect; without a box nobody could say where it is."""

    def make(box=(300, 200, 340, 210), **changes) -> Defect:
        given = {
            "type": "open track",
            "description": "The track is interrupted.",
            "box_xyxy_px": box,
            "cell": "center" if box else None,
            "area_fraction": 0.001 if box else None,
            "severity": "critical",
            "confidence": 0.9,
            "support": "expert_only",
            "evidence": ("reading:pair", "region:pair:1") if box else (),
        }
        return Defect(**{**given, **changes})

    return make


@pytest.fixture
def report_of(image, reading_in, defect) -> Callable[..., DefectReport]:
    """Makes reports."""

    def make(verdict="anomalous", **changes) -> DefectReport:
        given = {
            "image": image,
            "template": ImageRef(path="good.png", sha256="b" * 64, width_px=WIDTH, height_px=HEIGHT),
            "product": "bare pcb",
            "verdict": verdict,
            "confidence": 0.9,
            "reasoner": "evidence",
            "summary": f"The part is {verdict}.",
            "defects": (defect(),) if verdict == "anomalous" else (),
            "readings": (reading_in("normal" if verdict == "normal" else "anomalous"),),
        }
        return DefectReport(**{**given, **changes})

    return make


@pytest.fixture
def bench(report_of) -> Callable[..., DrawnBench]:
    """Makes workbenches."""

    def make(model=None, *, report=None, **given) -> DrawnBench:
        return DrawnBench(report or report_of(), model, **given)

    return make


@pytest.fixture
def talk(bench) -> Callable[..., Conversation]:
    """Begins a conversation in which the part was inspected once."""

    async def begin(model=None, **given) -> Conversation:
        conversation = Conversation(bench(model, **given))
        await conversation.do("inspect", image="query.png", templates=["good.png"])
        return conversation

    return begin


@pytest.fixture
def empty(bench) -> Callable[..., Conversation]:
    """Begins a conversation in which nothing was chosen yet."""
    return lambda model=None, **given: Conversation(bench(model, **given))
