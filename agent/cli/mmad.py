"""`agent eval mmad`: every switch of the benchmark."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from agent.cli.options import Command, in_run, mmad_folder, quietly, setting_options, with_options

NOTATIONS = ("bbox", "contour", "highlight", "mask", "heatmap")
RULES = ("gating", "registration", "look-closer", "grounding", "model-tools", "layout", "read-text")


def how_to_answer(command: Command) -> Command:
    """Options that make a row of the table: the protocol and its switches. None means "not given"."""
    return with_options(
        command,
        click.option(
            "--protocol",
            type=click.Choice(["agent", "reference"]),
            default="agent",
            show_default=True,
            help="This product's own graph, or MMAD's published way of asking.",
        ),
        click.option(
            "--reasoner",
            type=click.Choice(["auto", "vlm", "evidence"]),
            help="Who answers; auto: the model if there is an endpoint. [env: AGENT_REASONER]",
        ),
        click.option("--shots", type=click.IntRange(0, 8), help="Templates shown. [default: 1]"),
        click.option(
            "--templates",
            type=click.Choice(["random", "similar"]),
            help="Which of MMAD's two lists of templates. [default: random]",
        ),
        click.option(
            "--knowledge",
            type=click.Choice(["retrieved", "class-keyed", "none"]),
            help="What is told of the product; class-keyed is near-oracle. [default: retrieved]",
        ),
        click.option(
            "--domain-knowledge",
            type=click.Path(path_type=Path, dir_okay=False),
            help="MMAD's domain_knowledge.json. [default: the one beside mmad.json]",
        ),
        click.option(
            "--expert", metavar="auto|none|NAME", help="Who measures. [default: auto; reference: none]"
        ),
        click.option("--notation", type=click.Choice(NOTATIONS), help="How it is drawn. [default: bbox]"),
        click.option("--cot/--no-cot", default=None, help="Think step by step first. [default: agent only]"),
        click.option("--history", is_flag=True, default=None, help="Show earlier replies (reference only)."),
        click.option(
            "--free-text",
            is_flag=True,
            help="Read the letter from free text, unconstrained (reference only).",
        ),
        click.option(
            "--dialect",
            type=click.Choice(["qwen2.5-vl", "internvl"]),
            help="Whose words ask (reference only). [default: qwen2.5-vl]",
        ),
        click.option(
            "--product",
            type=click.Choice(["told", "hidden"]),
            help="Whether the category is told, as by --product in `agent inspect`. [default: told]",
        ),
        click.option(
            "--without",
            multiple=True,
            type=click.Choice(RULES),
            help="Turn a rule of evidence off; may be repeated.",
        ),
        click.option("--max-looks", type=click.IntRange(0, 6), help="Closer looks. [env: AGENT_MAX_LOOKS]"),
        click.option(
            "--votes", type=click.IntRange(1, 9), help="Times the model is asked. [env: AGENT_VOTES]"
        ),
        click.option(
            "--language", type=click.Choice(["en", "zh"]), help="Of the prompts. [env: AGENT_LANGUAGE]"
        ),
    )


def what_to_answer(command: Command) -> Command:
    """Options that choose questions."""
    return with_options(
        command,
        click.option("--dataset", "datasets", multiple=True, help="Only this data set; may be repeated."),
        click.option("--category", "categories", multiple=True, help="Only this category; may be repeated."),
        click.option("--type", "types", multiple=True, help="Only questions of this type; may be repeated."),
        click.option("--limit", type=click.IntRange(1), help="Only the first N images."),
        click.option("--sample", type=click.IntRange(1), help="Only N images, drawn by --seed."),
        click.option("--seed", type=int, default=0, show_default=True, help="Of the sample and intervals."),
        click.option(
            "--reference-sample", is_flag=True, help="The reference's fixed sample of 1,600 images."
        ),
    )


@click.command(no_args_is_help=True)
@mmad_folder
@in_run
@how_to_answer
@what_to_answer
@click.option(
    "--matrix",
    type=click.Path(path_type=Path, dir_okay=False),
    help="YAML file with a grid of the switches above: a run each, and one table.",
)
@click.option("--jobs", type=click.IntRange(1, 1024), help="Images in flight. [default: adaptive]")
@click.option(
    "--engine", type=click.Choice(["local", "ray"]), default="local", show_default=True, help="Where it runs."
)
@click.option("--workers", type=click.IntRange(1), help="Ray actors. [default: one an endpoint, at least 2]")
@click.option(
    "--endpoint", "endpoints", multiple=True, help="With ray: endpoint for some actors; repeatable."
)
@click.option("--no-pictures", is_flag=True, help="Keep no overlays for the report's gallery.")
@click.option("--log-json", is_flag=True, help="One JSON line a minute on stderr in place of the live view.")
@click.option("--json", "json_", is_flag=True, help="Print summary.json on stdout and nothing else.")
@quietly
@setting_options
def mmad(**given: Any) -> None:  # noqa: ANN401 - click's
    """Answer MMAD's questions, or those of any data set in its format, and print the tables.

    \b
    agent eval mmad --data MMAD --run runs/evidence --reasoner evidence
    agent eval mmad --data MMAD --run runs/qwen --protocol reference --vlm-url http://localhost:8000/v1
    """  # noqa: D301 - click reads \b as "keep these lines apart"
    from agent.cli.evaluating import Ask, evaluate_mmad

    evaluate_mmad(Ask.from_options(given))
