"""`agent chat`: take a verdict apart in the terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from agent.cli.options import setting_options
from agent.errors import EXIT_OK

PICTURES = ("auto", "kitty", "iterm2", "sixel", "blocks", "none")


@click.command()
@click.option("--image", "-i", metavar="Q", help="Image to inspect first.")
@click.option(
    "--template", "-t", "templates", multiple=True, metavar="T", help="Image of a good part. May be repeated."
)
@click.option("--templates", "library", metavar="DIR", help="Folder of good images.")
@click.option("--product", metavar="NAME", help="What the part is.")
@click.option("--session", metavar="NAME", help="Session to go on with, or to begin; left out, a new one.")
@click.option("--list", "list_", is_flag=True, help="List the sessions and leave.")
@click.option("--delete", metavar="NAME", help="Delete a session and leave.")
@click.option(
    "--pictures",
    type=click.Choice(PICTURES),
    default="auto",
    show_default=True,
    help="How pictures are shown; their paths are printed in any case.",
)
@click.option(
    "--reasoner", metavar="auto|vlm|evidence|anomalygpt:PATH", help="Who judges. [env: AGENT_REASONER]"
)
@click.option("--expert", metavar="auto|NAME", help="Who measures. [env: AGENT_EXPERT]")
@click.option(
    "--language", type=click.Choice(["en", "zh"]), help="Language of answers. [env: AGENT_LANGUAGE]"
)
@setting_options
def chat(**given: Any) -> int:  # noqa: ANN401 - click's
    """Talk about an inspection: why it came to its verdict, and what happens if one thing changes.

    Type a question, or a command behind a slash; /help lists them. Commands can be piped in.

    \b
    agent chat --image query.png --template good.png
    echo "/inspect query.png good.png" | agent chat
    """  # noqa: D301 - click reads \b as "keep these lines apart"
    explicit = {
        name: given[name]
        for name in ("vlm_url", "vlm_model", "vlm_timeout_s", "data_dir", "reasoner", "expert", "language")
    }
    config: Path | None = given["config"]
    if given["list_"] or given["delete"] is not None:
        from agent.cli.sessions import delete_session, list_sessions

        if given["delete"] is not None:
            delete_session(explicit, config, given["delete"])
        else:
            list_sessions(explicit, config)
        return EXIT_OK
    from agent.chat.run import Start, run_chat

    first = {
        "image": given["image"],
        "templates": list(given["templates"]),
        "library": given["library"],
        "product": given["product"],
    }
    arguments = {name: value for name, value in first.items() if value}
    pictures = None if given["pictures"] == "auto" else given["pictures"]
    return run_chat(Start(given["session"], arguments, pictures), explicit, config)
