"""The command line: every command by name, and errors as one line with an exit status."""

from __future__ import annotations

import sys
from importlib.metadata import version
from typing import Any, ClassVar

import click

from agent.cli.lazy import LazyGroup
from agent.errors import EXIT_INTERRUPTED, EXIT_SERVICE, EXIT_USAGE, AgentError


class Commands(LazyGroup):
    """Every command of `agent`."""

    places: ClassVar[dict[str, tuple[str, str]]] = {
        "inspect": ("agent.cli.inspect:inspect", "Inspect images and report defects."),
        "chat": ("agent.cli.chat:chat", "Talk about an inspection: why, and what if one thing changes."),
        "explain": ("agent.cli.explain:explain", "Show how a report came about: what a model saw and said."),
        "export": ("agent.cli.export:export", "Write kept reports as COCO, Label Studio, labelme or masks."),
        "templates": ("agent.cli.templates:templates", "Keep good images on record for a product."),
        "kb": ("agent.cli.kb:kb", "Add to what the agent knows, and look things up."),
        "feedback": ("agent.cli.feedback:feedback", "List what people said of verdicts."),
        "eval": (
            "agent.cli.eval:evaluate",
            "Measure how well the agent does, on MMAD and on data of your own.",
        ),
        "simulate": ("agent.cli.simulate:simulate", "Draw defects into good pictures, with masks."),
        "train": ("agent.cli.train:train", "Tune what measures, on pictures of parts of your own."),
        "serve": ("agent.cli.serve:serve", "Start vLLM with the flags that suit this product."),
        "doctor": ("agent.cli.doctor:doctor", "Show what works here, what is missing, and what brings it."),
        "graph": ("agent.cli.about:graph", "Print the inspection graph as a Mermaid diagram."),
        "schema": ("agent.cli.about:schema", "Print the JSON schema of the report."),
    }


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
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
    from evals.errors import EvalError, RunIncomplete
    from knowledge_base.errors import KnowledgeError
    from tools.errors import ToolError

    if isinstance(error, RunIncomplete):
        return EXIT_SERVICE
    return EXIT_USAGE if isinstance(error, ToolError | KnowledgeError | EvalError) else None


def _say(message: str) -> None:
    click.echo(f"agent: {' '.join(message.split())}", err=True)
