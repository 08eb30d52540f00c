"""`agent feedback`: the review list."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from agent.cli.options import as_json, folder_options


@click.command()
@click.option("--wrong", is_flag=True, help="Only verdicts that were wrong.")
@as_json
@folder_options
def feedback(**given: Any) -> int:  # noqa: ANN401 - click's
    """List what people said of verdicts, the latest word on each image.

    It is said in the chat: /feedback right, wrong, good or bad.
    """
    from agent.cli.json_output import print_json
    from agent.feedback import ReviewList
    from agent.settings import Settings
    from tools.plain_text import plain

    config: Path | None = given["config"]
    settings = Settings.resolve({"data_dir": given["data_dir"]}, config=config)
    found = [
        each for each in ReviewList(settings.data_dir).latest() if not given["wrong"] or each.right is False
    ]
    if given["json_"]:
        print_json([each.model_dump(mode="json") for each in found])
        return 0
    for each in found:
        right = {True: "right", False: "WRONG", None: "open"}[each.right]
        note = f"  {plain(each.note, 200)}" if each.note else ""
        click.echo(
            f"{each.at}  {right:<5}  {each.verdict} ({each.confidence:.2f}), truly {each.truth}  "
            f"{plain(each.product or '-', 60)}  {plain(each.image)}{note}"
        )
    if not found:
        click.echo("nothing on the list; in the chat: /feedback right, wrong, good or bad")
    return 0
