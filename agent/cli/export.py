"""`agent export`: kept reports as files of other tools."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

FORMATS = ("coco", "label-studio", "labelme", "mask")


@click.command(no_args_is_help=True)
@click.argument(
    "places", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="REPORT_OR_FOLDER..."
)
@click.option("--format", "-f", "form", type=click.Choice(FORMATS), required=True, help="What to write.")
@click.option(
    "--out",
    "-o",
    type=click.Path(path_type=Path),
    required=True,
    metavar="PATH",
    help="A JSON file for coco and label-studio, a folder for labelme and mask.",
)
@click.option(
    "--image-prefix",
    metavar="PREFIX",
    help="Name images PREFIX/<file name>, a folder or URL, instead of by the path in the report.",
)
@click.option("--numbered", is_flag=True, help="Masks hold each defect's number instead of 255.")
@click.option("--quiet", "-q", is_flag=True, help="No progress and no remarks on stderr.")
def export(**given: Any) -> int:  # noqa: ANN401 - click's
    """Write the defects of reports as files of other tools.

    Takes report.json files that `agent inspect --out DIR` kept, and folders, searched for them. Coordinates
    are pixels of the images after their EXIF orientation was applied.

    \b
    agent export reports --format coco --out defects.json
    agent export reports --format label-studio --out tasks.json --image-prefix http://host/images
    agent export reports --format mask --out masks --numbered
    """  # noqa: D301 - click reads \b as "keep these lines apart"
    from agent.cli.exporting import ExportJob, export_reports

    export_reports(
        ExportJob(
            places=given["places"],
            form=given["form"],
            out=given["out"],
            image_prefix=given["image_prefix"],
            numbered=given["numbered"],
            quiet=given["quiet"],
        )
    )
    return 0
