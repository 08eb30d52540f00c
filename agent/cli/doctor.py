"""`agent doctor`: a table of what works here."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from agent.cli.options import setting_options


@click.command()
@setting_options
def doctor(config: Path | None, **explicit: Any) -> int:  # noqa: ANN401 - click's
    """Show what works here, what is missing, and what brings it.

    Ends with 0 when the embedded default works, with 2 when it does not.
    """
    from agent.doctor import examine, works
    from agent.errors import EXIT_OK, EXIT_USAGE
    from agent.settings import Settings

    color = sys.stdout.isatty()
    marks = {"ok": ("ok     ", "green"), "missing": ("missing", "yellow"), "broken": ("broken ", "red")}
    findings = []
    for finding in examine(Settings.resolve(explicit, config=config)):
        findings.append(finding)
        mark, hue = marks[finding.state]
        remedy = f"\n{'':34}-> {finding.remedy}" if finding.remedy else ""
        click.echo(
            f"{click.style(mark, fg=hue) if color else mark}  {finding.topic:<24} {finding.detail}{remedy}"
        )
    healthy = works(findings)
    click.echo(
        "\nThe embedded default works." if healthy else "\nThe embedded default does not work: see above."
    )
    return EXIT_OK if healthy else EXIT_USAGE
