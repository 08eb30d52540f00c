"""The command group. Commands load when they are called, so that `--help` imports nothing heavy."""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.metadata import version
from typing import Any, ClassVar

import click

from agent.errors import EXIT_INTERRUPTED, EXIT_USAGE, AgentError


class LazyGroup(click.Group):
    """Knows its commands by name, place and help, and imports one only to run it."""

    places: ClassVar[dict[str, tuple[str, str]]] = {
        "inspect": ("agent.cli.inspect:inspect", "Inspect images and report defects."),
        "export": ("agent.cli.export:export", "Write kept reports as COCO, Label Studio, labelme or masks."),
        "templates": ("agent.cli.templates:templates", "Keep good images on record for a product."),
        "kb": ("agent.cli.kb:kb", "Add to what the agent knows, and look things up."),
        "train": ("agent.cli.train:train", "Tune what measures, on pictures of parts of your own."),
        "serve": ("agent.cli.serve:serve", "Start vLLM with the flags that suit this product."),
        "doctor": ("agent.cli.doctor:doctor", "Show what works here, what is missing, and what brings it."),
        "graph": ("agent.cli.about:graph", "Print the inspection graph as a Mermaid diagram."),
        "schema": ("agent.cli.about:schema", "Print the JSON schema of the report."),
    }

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Commands in the order in which a newcomer meets them."""
        return list(self.places)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import one command."""
        if cmd_name not in self.places:
            return None
        module, attribute = self.places[cmd_name][0].split(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in self.places.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version("inspection-agent"), prog_name="agent")
def cli() -> None:
    """Inspect industrial parts: plan, measure, retrieve, reason, report."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit. An expected error is one line on stderr and its own exit status."""
    try:
        result: Any = cli.main(arguments, standalone_mode=False)
        status = result if isinstance(result, int) else 0
    except click.exceptions.Exit as stop:
        status = stop.exit_code
    except click.ClickException as error:
        _say(error.format_message())
        status = EXIT_USAGE
    except (click.Abort, KeyboardInterrupt):
        _say("interrupted; what was finished is kept, and the same command goes on from there")
        status = EXIT_INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output has gone; nothing is left to tell anyone
        status = 0
    except Exception as error:
        expected = _expected(error)
        if expected is None:
            raise
        status = expected
        _say(str(error))
    sys.exit(status)


def _expected(error: Exception) -> int | None:
    """Exit status of an error that was raised on purpose; None for a bug."""
    if isinstance(error, AgentError):
        return error.exit_status
    from knowledge_base.errors import KnowledgeError
    from tools.errors import ToolError

    return EXIT_USAGE if isinstance(error, ToolError | KnowledgeError) else None


def _say(message: str) -> None:
    click.echo(f"agent: {' '.join(message.split())}", err=True)
