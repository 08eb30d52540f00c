"""`agent graph` and `agent schema`: what the product is made of and what it promises."""

from __future__ import annotations

import json

import click


@click.command()
def graph() -> None:
    """Print the inspection graph as a Mermaid diagram."""
    from graphs.inspection.build import build_graph

    click.echo(build_graph().get_graph().draw_mermaid())


@click.command()
def schema() -> None:
    """Print the JSON schema of the report."""
    from graphs.report import DefectReport

    click.echo(json.dumps(DefectReport.model_json_schema(mode="serialization"), indent=2))
