"""What `agent templates add` does: copy good images into a record, teach the experts, say what came of it."""

from __future__ import annotations

from collections.abc import Sequence

import click

from agent.cli.inspecting import find_images
from agent.cli.progress import progress_bar
from agent.profiles import Addition
from agent.settings import Settings
from agent.wiring import open_backbone, open_bench, open_images, open_profiles
from graphs.inspection.plan import PREFERRED_EXPERTS
from tools.errors import ToolError
from tools.experts.bench import ExpertBench


def add_to_record(settings: Settings, sources: Sequence[str], product: str, *, quiet: bool) -> None:
    """Add images to a product's record and fit the experts that would measure it.

    Raises:
        UsageError: nothing to add, or the record or the data folder cannot be used.
    """
    files, _ = find_images(sources)
    images = open_images(settings)
    addition = open_profiles(settings, images).add(product, files)
    for fault in addition.faults:
        click.echo(f"agent: warning: {fault.message}", err=True)
    total = len(addition.known) + len(addition.added)
    repeated = f", {addition.repeated} there already" if addition.repeated else ""
    click.echo(f"{addition.product}: {len(addition.added)} good image(s) added{repeated}, {total} on record")
    bench = open_bench(settings, images, open_backbone(settings))
    able = [o.name for o in bench.offers() if o.name in PREFERRED_EXPERTS and o.obstacle is None]
    with progress_bar("teaching experts", len(able), quiet=quiet) as advance:
        for name in able:
            click.echo(f"  {name:<12} {_taught(bench, name, addition)}")
            advance()


def _taught(bench: ExpertBench, name: str, addition: Addition) -> str:
    """What an expert makes of a record, in one line."""
    try:
        calibration = bench.extended(name, addition.known, addition.added).calibration
    except ToolError as error:
        return f"cannot be used: {error}"
    return f"reliability {calibration.reliability}: {calibration.reliability_reason}"
