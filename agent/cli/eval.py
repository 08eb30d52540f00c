"""`agent eval`: benchmarks, their reports, and what two runs differ in."""

from __future__ import annotations

from typing import ClassVar

import click

from agent.cli.lazy import LazyGroup


class Evaluations(LazyGroup):
    """Every command of `agent eval`."""

    places: ClassVar[dict[str, tuple[str, str]]] = {
        "mmad": ("agent.cli.mmad:mmad", "Answer MMAD's questions, or those of any data set in its format."),
        "check": ("agent.cli.mmad_data:check", "Look an MMAD folder over before it is used."),
        "download": ("agent.cli.mmad_data:download", "Bring MMAD here from the hub, or go on bringing it."),
        "report": ("agent.cli.mmad_runs:report", "Write a run as an HTML page and as Markdown."),
        "compare": ("agent.cli.mmad_runs:compare", "Show in what two runs differ, question by question."),
        "detect": (
            "agent.cli.detect:detect",
            "Measure detection and localisation: AUROC, AP, F1-max, AUPRO.",
        ),
    }


@click.command("eval", cls=Evaluations, no_args_is_help=True)
def evaluate() -> None:
    """Measure how well the agent does.

    \b
    agent eval check --data MMAD
    agent eval mmad --data MMAD --run runs/evidence --reasoner evidence
    agent eval report runs/evidence
    """  # noqa: D301 - click reads \b as "keep these lines apart"
