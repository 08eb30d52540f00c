"""What `agent templates` does: keep good images on record, teach the experts, and say what came of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from agent import trials
from agent.cli.inspecting import find_images
from agent.cli.json_output import print_json
from agent.cli.progress import progress_bar
from agent.cli.tables import print_table
from agent.profiles import Addition, Left
from agent.settings import Settings
from agent.wiring import open_backbone, open_bench, open_images, open_profiles, open_trials
from graphs.inspection.plan import PREFERRED_EXPERTS
from knowledge_base.templates import Recognition, TemplateChoice
from tools.errors import ToolError
from tools.experts.bench import ExpertBench
from tools.experts.trial import FOLDS
from tools.plain_text import plain

SIZES_SHOWN = 2


def add_to_record(
    settings: Settings, sources: Sequence[str], product: str, *, anyway: bool, quiet: bool, json_: bool
) -> None:
    """Add images to a product's record and fit the experts that would measure it.

    Raises:
        UsageError: nothing to add, or the record or the data folder cannot be used.
        KnowledgeError: the library of good images is damaged.
    """
    files, _ = find_images(sources)
    images = open_images(settings)
    profiles = open_profiles(settings, images)
    with progress_bar("looking at images", len(files), quiet=quiet or json_) as advance:
        addition = profiles.add(product, files, anyway=anyway, advance=advance)
    for left in (*addition.unreadable, *addition.refused, *addition.same_picture):
        click.echo(f"agent: warning: {_left(left, addition)}", err=True)
    if addition.note:
        click.echo(f"agent: warning: nothing was refused by its looks: {plain(addition.note)}", err=True)
    if not json_:
        click.echo(_counted(addition))
    bench = open_bench(settings, images, open_backbone(settings))
    able = _able(bench)
    learnt = len(addition.known) + len(addition.fresh)
    if learnt < addition.before + addition.added and not json_:
        click.echo(f"  experts learn from the first {learnt:,} of them")
    experts: list[dict[str, Any]] = []
    with progress_bar("teaching experts", len(able), quiet=quiet or json_) as advance:
        for name in able:
            experts.append(_taught(bench, name, addition))
            if not json_:
                click.echo(f"  {name:<12} {_told(experts[-1])}")
            advance()
    if json_:
        print_json({**_as_json(addition), "learnt": learnt, "experts": experts})


def try_on_record(settings: Settings, product: str, *, quiet: bool, json_: bool) -> None:
    """Print how well experts do on a product, and keep it for later inspections.

    Raises:
        UsageError: the product is not on record, or has too few good images.
        KnowledgeError: the library of good images is damaged.
    """
    images = open_images(settings)
    bench = open_bench(settings, images, open_backbone(settings))
    able = _able(bench)
    with progress_bar("trying experts", FOLDS * len(able), quiet=quiet or json_) as advance:
        made, failed = trials.try_on_record(
            open_profiles(settings, images), open_trials(settings), bench, product, able, advance=advance
        )
    if json_:
        rows = [{**trial.model_dump(), "weakness": trial.weakness} for trial in made]
        print_json({"product": product, "trials": rows, "failed": failed})
        return
    for trial in made:
        click.echo(f"{trial.expert:<12} {trial.told}")
        if trial.weakness:
            click.echo(f"{'':<12} weak on this product: {trial.weakness}")
    for name, why in failed.items():
        click.echo(f"{name:<12} cannot be tried: {plain(why)}")


def _able(bench: ExpertBench) -> list[str]:
    """Experts that learn from good images and can run here, in order of preference."""
    return [o.name for o in bench.offers() if o.name in PREFERRED_EXPERTS and o.obstacle is None]


def list_record(settings: Settings, *, json_: bool) -> None:
    """Print the products on record.

    Raises:
        KnowledgeError: the library of good images is damaged.
    """
    profiles = open_profiles(settings)
    counts = profiles.counts()
    untold = {name: profiles.why_untold(name) for name in counts}
    if json_:
        print_json(
            [
                {
                    "product": name,
                    "images": count,
                    "sizes": profiles.sizes_of(name),
                    "told_apart": len(counts) > 1 and untold[name] is None,
                    "folder": str(profiles.folder(name)),
                }
                for name, count in counts.items()
            ]
        )
    elif not counts:
        click.echo(
            "agent: no product is on record; add one: agent templates add DIR --product NAME", err=True
        )
    else:
        alone = "is alone" if len(counts) == 1 else "yes"
        print_table(
            ("product", "good images", "size in pixels", "told from others"),
            [
                (
                    name,
                    count,
                    _sizes(profiles.sizes_of(name)),
                    f"no: {untold[name]}" if untold[name] else alone,
                )
                for name, count in counts.items()
            ],
        )


def search_record(
    settings: Settings,
    image: Path,
    product: str | None,
    *,
    limit: int,
    how: TemplateChoice,
    json_: bool,
) -> None:
    """Print the good images most like an image, and which product it shows.

    Raises:
        ImageError: the image cannot be read.
        KnowledgeError: there is no good image on record, or the library is damaged.
    """
    images = open_images(settings)
    profiles = open_profiles(settings, images)
    query = images.open(image)
    chosen = profiles.choose(query, product, limit, how)
    recognition = profiles.recognise(query)
    faults = profiles.faults(product, query) if product else ()
    if json_:
        print_json(
            {
                "image": str(image),
                "recognised": None if recognition is None else vars(recognition),
                "warnings": [*(fault.message for fault in faults), *([chosen.note] if chosen.note else [])],
                "templates": [
                    {**vars(template), "path": str(template.path)} for template in chosen.templates
                ],
            }
        )
        return
    print_table(
        ("similarity", "turned", "product", "good image"),
        [
            (
                f"{template.similarity:.3f}",
                f"{template.turn_deg}°" if template.turn_deg else "no",
                template.product or "",
                str(template.path),
            )
            for template in chosen.templates
        ],
    )
    if product is None:
        click.echo()
        if recognition is None:
            click.echo("which product it shows cannot be told")
        else:
            click.echo(_recognised(recognition))
    for fault in faults:
        click.echo(f"agent: warning: {plain(fault.message)}", err=True)
    if chosen.note:
        click.echo(f"agent: warning: {plain(chosen.note)}", err=True)


def _recognised(found: Recognition) -> str:
    """In words."""
    said = f"shows {found.product} (similarity {found.similarity:.2f}"
    if found.runner_up is None:
        return f"{said}; no other product is on record)"
    return f"{said}; next is {found.runner_up}, {found.runner_up_similarity:.2f})"


def remove_from_record(settings: Settings, product: str, *, json_: bool) -> None:
    """Forget a product.

    Raises:
        UsageError: it is not on record.
        KnowledgeError: the library of good images is damaged.
    """
    count = open_profiles(settings).remove(product)
    if json_:
        print_json({"product": product, "removed": count})
    else:
        click.echo(f"{product}: {count} good image(s) forgotten")


def _taught(bench: ExpertBench, name: str, addition: Addition) -> dict[str, Any]:
    """What an expert makes of a record."""
    try:
        calibration = bench.extended(name, addition.known, addition.fresh).calibration
    except ToolError as error:
        return {"name": name, "reliability": None, "reason": str(error)}
    return {"name": name, "reliability": calibration.reliability, "reason": calibration.reliability_reason}


def _told(expert: dict[str, Any]) -> str:
    if expert["reliability"] is None:
        return f"cannot be used: {expert['reason']}"
    return f"reliability {expert['reliability']}: {expert['reason']}"


def _counted(addition: Addition) -> str:
    parts = [f"{addition.product}: {addition.added:,} good image(s) added"]
    parts += [f"{addition.repeated:,} there already"] if addition.repeated else []
    parts += [f"{len(addition.same_picture):,} the same saved again"] if addition.same_picture else []
    parts += [f"{len(addition.refused):,} refused"] if addition.refused else []
    return ", ".join([*parts, f"{addition.before + addition.added:,} on record"])


def _left(left: Left, addition: Addition) -> str:
    name = plain(left.file.name)
    if left in addition.unreadable:
        return plain(left.why)
    if left in addition.refused:
        return f"{name} was refused: it {plain(left.why)}; add it nevertheless: --anyway"
    return f"{name} was left out: {plain(left.why)}"


def _as_json(addition: Addition) -> dict[str, Any]:
    def rows(some: Sequence[Left]) -> list[dict[str, str]]:
        return [{"file": str(left.file), "why": left.why} for left in some]

    return {
        "product": addition.product,
        "added": addition.added,
        "on_record": addition.before + addition.added,
        "there_already": addition.repeated,
        "same_picture": rows(addition.same_picture),
        "refused": rows(addition.refused),
        "unreadable": rows(addition.unreadable),
        "note": addition.note,
    }


def _sizes(sizes: Counter[str]) -> str:
    shown = ", ".join(size for size, _ in sizes.most_common(SIZES_SHOWN))
    more = len(sizes) - SIZES_SHOWN
    return f"{shown} and {more} more" if more > 0 else shown
