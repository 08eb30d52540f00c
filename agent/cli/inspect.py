"""`agent inspect`: one image to a report, many images to a stream of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from agent.cli.options import setting_options
from agent.errors import EXIT_ANOMALOUS, EXIT_OK, EXIT_REVIEW

FORMATS = ("text", "json", "markdown", "html")


@click.command(no_args_is_help=True)
@click.option(
    "--image",
    "-i",
    "images",
    multiple=True,
    required=True,
    metavar="Q",
    help="Query: a file, a folder or a glob. May be repeated.",
)
@click.option(
    "--template",
    "-t",
    "templates",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="T",
    help="Image of a good part. May be repeated, best first.",
)
@click.option(
    "--templates",
    "library",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder of good images; the nearest becomes the reference.",
)
@click.option(
    "--product",
    metavar="NAME",
    help="What the part is, for domain knowledge and for its good images on record (agent templates).",
)
@click.option(
    "--roi",
    metavar="FILE|X0,Y0,X1,Y1",
    help="Region of interest: a mask picture whose black is left out, or a box in pixels.",
)
@click.option(
    "--mask",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Picture of the marked defects, for --expert ground-truth alone.",
)
@click.option(
    "--out",
    "-o",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Keep report.json, report.html and the pictures in DIR/<image name>/.",
)
@click.option(
    "--format",
    "-f",
    "form",
    type=click.Choice(FORMATS),
    help="What to print: text, or JSON Lines for many images.",
)
@click.option(
    "--reasoner", metavar="auto|vlm|evidence|anomalygpt:PATH", help="Who judges. [env: AGENT_REASONER]"
)
@click.option("--planner", type=click.Choice(["policy", "model"]), help="Who plans. [env: AGENT_PLANNER]")
@click.option(
    "--expert", metavar="auto|NAME", help="Who measures; `agent doctor` lists them. [env: AGENT_EXPERT]"
)
@click.option(
    "--sensitivity",
    type=float,
    help="At 2 the limits lie half as far from good parts, at 0.5 twice as far. [env: AGENT_SENSITIVITY]",
)
@click.option(
    "--threshold",
    type=float,
    help="Raw score from which a part is anomalous, whatever was calibrated. [env: AGENT_THRESHOLD]",
)
@click.option(
    "--notation",
    type=click.Choice(["bbox", "contour", "highlight", "mask", "heatmap"]),
    help="How regions are drawn. [env: AGENT_NOTATION]",
)
@click.option("--no-knowledge", is_flag=True, help="Look nothing up.")
@click.option("--no-cot", is_flag=True, help="No chain of thought before the model's verdict.")
@click.option("--max-looks", type=int, help="Closer looks at most. [env: AGENT_MAX_LOOKS]")
@click.option(
    "--votes",
    type=int,
    help="How often the model is asked for its verdict, each time in other words. [env: AGENT_VOTES]",
)
@click.option(
    "--abstain-below",
    type=float,
    metavar="P",
    help="Confidence under which a verdict becomes review. [env: AGENT_ABSTAIN_BELOW]",
)
@click.option(
    "--read-text",
    type=click.Choice(["auto", "on", "off"]),
    help="Whether print is read and compared; auto: where the product's document has a rule of it. "
    "[env: AGENT_READ_TEXT]",
)
@click.option("--no-layout", is_flag=True, help="Do not compare count and place of components.")
@click.option(
    "--mm-per-px",
    type=float,
    metavar="MM",
    help="Scale of the image, for sizes in mm. [env: AGENT_MM_PER_PX]",
)
@click.option(
    "--language",
    type=click.Choice(["en", "zh"]),
    help="Language of prompts and report. [env: AGENT_LANGUAGE]",
)
@click.option(
    "--ask",
    is_flag=True,
    help="Ask a person where the agent is unsure: confirm, correct a box, or name the defect.",
)
@click.option("--jobs", type=int, help="Images at a time. [env: AGENT_JOBS]")
@click.option("--exit-code", is_flag=True, help="End with 10 if anomalous, 11 if a person must look.")
@click.option("--quiet", "-q", is_flag=True, help="No progress and no hints on stderr.")
@setting_options
def inspect(**given: Any) -> int:  # noqa: ANN401 - click's
    """Inspect images and report defects.

    \b
    agent inspect --image query.png --template good.png
    agent inspect --image 'line/*.png' --templates good/ --product bare_pcb --out reports
    """  # noqa: D301 - click reads \b as "keep these lines apart"
    from agent.cli.inspecting import Job, inspect_images, read_roi

    job = Job(
        patterns=given["images"],
        templates=given["templates"],
        setup={
            "templates": given["library"],
            "product": given["product"],
            "roi": read_roi(given["roi"]),
            "mask": given["mask"],
        },
        out=given["out"],
        form=given["form"],
        quiet=given["quiet"],
        ask=given["ask"],
    )
    explicit = {
        "vlm_url": given["vlm_url"],
        "vlm_model": given["vlm_model"],
        "vlm_timeout_s": given["vlm_timeout_s"],
        "data_dir": given["data_dir"],
        "reasoner": given["reasoner"],
        "planner": given["planner"],
        "expert": given["expert"],
        "notation": given["notation"],
        "sensitivity": given["sensitivity"],
        "threshold": given["threshold"],
        "knowledge": False if given["no_knowledge"] else None,
        "cot": False if given["no_cot"] else None,
        "max_looks": given["max_looks"],
        "votes": given["votes"],
        "abstain_below": given["abstain_below"],
        "read_text": given["read_text"],
        "layout": False if given["no_layout"] else None,
        "mm_per_px": given["mm_per_px"],
        "language": given["language"],
        "jobs": given["jobs"],
    }
    verdicts = inspect_images(job, explicit, given["config"])
    if not given["exit_code"]:
        return EXIT_OK
    if "anomalous" in verdicts:
        return EXIT_ANOMALOUS
    return EXIT_REVIEW if "review" in verdicts else EXIT_OK
