"""Saying whether a verdict is right."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from agent.chat.chat import Chat, Command
from agent.feedback import Feedback, ReviewList, Truth, put_on_record
from graphs.chat.errors import Refusal
from graphs.report import Verdict

JUDGED: Final = ("right", "wrong", "good", "bad")
ADD: Final = "add"

_TRUTHS: Final[dict[tuple[str, Verdict], Truth]] = {
    ("right", "normal"): "good",
    ("right", "anomalous"): "bad",
    ("wrong", "normal"): "bad",
    ("wrong", "anomalous"): "good",
}


def feedback(chat: Chat, arguments: Sequence[str]) -> None:
    """Put the latest verdict on the review list, and with `add` its image on record as a good one."""
    if not arguments or arguments[0] not in JUDGED:
        raise Refusal("say whether the verdict is right or wrong, or the part good or bad: /feedback wrong")
    said, *rest = arguments
    adds = rest[:1] == [ADD]
    note = " ".join(rest[1:] if adds else rest)
    case = chat.case()
    report = chat.report(case)
    if said in {"right", "wrong"} and report.verdict == "review":
        raise Refusal("the verdict is review, neither right nor wrong: say what the part is, good or bad")
    truth: Truth = "good" if said == "good" else "bad" if said == "bad" else _TRUTHS[said, report.verdict]
    if adds and truth == "bad":
        raise Refusal("only good parts go on record, and this one is bad by what you say")
    handles = chat.bench.inspectors.first.handles
    reviews = ReviewList(handles.settings.data_dir)
    earlier = reviews.add(Feedback.on(report, truth, note))
    chat.screen.line(f"on the review list: truly {truth}  ({reviews.file})")
    if earlier is not None:
        chat.screen.line(f"before, on {earlier.at}, it was said to be {earlier.truth}; the last word counts")
    if adds:
        addition = put_on_record(report, handles.profiles)
        chat.screen.line(
            f"on record as a good {addition.product}: {addition.before + addition.added} image(s); "
            "experts learn from it at the next inspection that names the product and no good image"
        )
    elif truth == "good":
        chat.screen.line("/feedback good add also puts it on record as a good image of its product", "dim")


FEEDING_BACK: Final = (
    Command(
        "feedback",
        "right|wrong|good|bad [add] [NOTE]",
        "Put the verdict on the review list; add: the image on record as a good one.",
        feedback,
        ("feedback", "add"),
    ),
)
